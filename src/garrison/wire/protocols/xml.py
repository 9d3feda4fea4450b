"""XML of AWS's protocols: a bounded reader, and readers and writers of shapes compiled once.

https://smithy.io/2.0/spec/protocol-traits.html#xml-bindings
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from garrison.core.model import Member, Shape
from garrison.wire.protocols.base import MAX_DEPTH, forward, refuse
from garrison.wire.protocols.scalars import (
    escape,
    format_number,
    format_timestamp,
    parse_blob,
    parse_boolean,
    parse_float,
    parse_integer,
    parse_timestamp,
)

MAX_ELEMENTS = 200_000
"""Elements of one document; S3's CompleteMultipartUpload of 10,000 parts with every checksum needs about 130,000."""

NOT_WELL_FORMED = "The XML you provided was not well-formed or did not validate against our published schema"
"""S3's words (Amazon S3 API Reference, "Error responses", MalformedXML)."""


class Node:
    """An element: local name, attributes by local name, children by local name, text."""

    __slots__ = ("attributes", "children", "name", "parts")

    def __init__(self, name: str, attributes: Mapping[str, str]) -> None:
        self.name = name
        self.attributes = {_local(key): value for key, value in attributes.items()}
        self.children: dict[str, list[Node]] = {}
        self.parts: list[str] = []

    @property
    def text(self) -> str:
        """The text directly inside."""
        return "".join(self.parts)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


class _Builder:
    """Builds nodes from the parser's events, within the limits."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            refuse(NOT_WELL_FORMED)
        node = Node(_local(name), attributes)
        if self._open:
            self._open[-1].children.setdefault(node.name, []).append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, name: str) -> None:  # noqa: ARG002 - the parser's interface
        self._open.pop()

    def data(self, text: str) -> None:
        self._open[-1].parts.append(text)

    def close(self) -> None:
        """Nothing to hand over: the root is an attribute."""


def read_xml(body: bytes) -> Node:
    """The root of a document. No document type, no entities beyond the five, bounded depth and size.

    Raises CommonError("malformed").
    """
    builder = _Builder()
    parser = DefusedXMLParser(target=builder, forbid_dtd=True)
    try:
        parser.feed(body)
        parser.close()
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        refuse(NOT_WELL_FORMED)
    if builder.root is None:
        refuse(NOT_WELL_FORMED)
    return builder.root


Read = Callable[[Node], Any]


class XmlReader:
    """Compiles shapes of one model into functions from elements to document values.

    ``strict``: an element that the model does not have is an error, as it is for S3, which holds bodies against its schema.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self._done: dict[tuple[str, str], Read] = {}

    def of(self, member: Member) -> Read:
        """The reader of one element of a reference; a flattened list or map is read by its structure."""
        shape = member.shape
        form = str(member.trait("timestampFormat", "iso8601")) if shape.type == "timestamp" else ""
        key = (shape.name, form)
        if key not in self._done:
            self._done[key] = forward(self._done, key)
            self._done[key] = self._compile(shape, form)
        return self._done[key]

    def structure(self, shape: Shape, members: Mapping[str, Member]) -> Read:
        """A reader of some members of a structure: of a REST body, those bound to nothing else."""
        attributes = {
            str(m.traits["locationName"]).rpartition(":")[2]: (n, _scalar(m)) for n, m in members.items() if _is_attribute(m)
        }
        fields = {element_name(m): (n, self._field(m)) for n, m in members.items() if not _is_attribute(m)}
        strict = self._strict

        def read(node: Node) -> dict[str, Any]:
            found: dict[str, Any] = {}
            if node.parts and node.text.strip():
                refuse(NOT_WELL_FORMED)
            for wire, (name, convert) in attributes.items():
                if wire in node.attributes:
                    found[name] = convert(node.attributes[wire])
            for wire, nodes in node.children.items():
                field = fields.get(wire)
                if field is not None:
                    found[field[0]] = field[1](nodes)
                elif strict:
                    refuse(NOT_WELL_FORMED)
            return found

        return read if members or shape.type == "structure" else _nothing

    def _field(self, member: Member) -> Callable[[list[Node]], Any]:
        shape = member.shape
        if shape.type == "list" and is_flattened(member):
            inner = self.of(shape.member)
            return lambda nodes: [inner(node) for node in nodes]
        if shape.type == "map" and is_flattened(member):
            entry = self._entry(shape)
            return lambda nodes: dict(map(entry, nodes))
        convert = self.of(member)

        def read(nodes: list[Node]) -> Any:  # noqa: ANN401 - a document value
            if len(nodes) > 1:
                refuse(NOT_WELL_FORMED)
            return convert(nodes[0])

        return read

    def _compile(self, shape: Shape, form: str) -> Read:
        if shape.type == "structure":
            return self.structure(shape, shape.members)
        if shape.type == "list":
            return self._list(shape)
        if shape.type == "map":
            entry = self._entry(shape)
            return lambda node: dict(map(entry, node.children.get("entry", ())))
        convert = scalar_reader(shape.type, form)
        return lambda node: convert(_leaf(node))

    def _list(self, shape: Shape) -> Read:
        name = str(shape.member.traits.get("locationName", "member"))
        convert = self.of(shape.member)
        strict = self._strict

        def read(node: Node) -> list[Any]:
            if strict and len(node.children) > (name in node.children):
                refuse(NOT_WELL_FORMED)
            return [convert(item) for item in node.children.get(name, ())]

        return read

    def _entry(self, shape: Shape) -> Callable[[Node], tuple[Any, Any]]:
        key_name = str(shape.key.traits.get("locationName", "key"))
        value_name = str(shape.value.traits.get("locationName", "value"))
        key, value = self.of(shape.key), self.of(shape.value)

        def read(node: Node) -> tuple[Any, Any]:
            keys, values = node.children.get(key_name, ()), node.children.get(value_name, ())
            if len(keys) != 1 or len(values) != 1:
                refuse(NOT_WELL_FORMED)
            return key(keys[0]), value(values[0])

        return read


def _nothing(node: Node) -> dict[str, Any]:  # noqa: ARG001 - a reader
    return {}


def _leaf(node: Node) -> str:
    if node.children:
        refuse(NOT_WELL_FORMED)
    return node.text


def _is_attribute(member: Member) -> bool:
    return bool(member.traits.get("xmlAttribute", False))


def _scalar(member: Member) -> Callable[[str], Any]:
    return scalar_reader(member.shape.type, str(member.trait("timestampFormat", "iso8601")))


def is_flattened(member: Member) -> bool:
    """Whether a list or map stands as repeated elements without one around them."""
    return bool(member.trait("flattened", False))  # noqa: FBT003 - a default


def element_name(member: Member) -> str:
    """The element of a structure's member in a request."""
    return str(member.traits.get("locationName", member.name))


def answer_name(member: Member) -> str:
    """The element of a structure's member in an answer, as botocore, whose models these are, looks for it.

    The items of a flattened list go by the name that the list gives them, where it gives one; else by the member's.
    """
    shape = member.shape
    if shape.type == "list" and is_flattened(member) and "locationName" in shape.member.traits:
        return str(shape.member.traits["locationName"])
    return element_name(member)


def scalar_reader(kind: str, form: str) -> Callable[[str], Any]:
    """From text to a scalar of a model type; white space around numbers, times and the like does not count."""
    match kind:
        case "string" | "character":
            return str
        case "boolean":
            return lambda text: parse_boolean(text.strip())
        case "blob":
            return lambda text: parse_blob("".join(text.split()))
        case "timestamp":
            return lambda text: parse_timestamp(text.strip(), form)
        case "float" | "double" | "bigdecimal":
            return lambda text: parse_float(text.strip())
        case _:
            return lambda text: parse_integer(text.strip(), kind)


Write = Callable[[Any, list[str]], None]


class XmlWriter:
    """Compiles shapes of one model into functions that append a value's XML text to a list."""

    def __init__(self) -> None:
        self._done: dict[str, Write] = {}

    def of(self, member: Member, tag: str) -> Write:
        """The writer of a reference as an element (or, flattened, as elements) named ``tag``."""
        shape = member.shape
        if shape.type in {"list", "map"} and is_flattened(member):
            return self._flat(shape, tag, namespace_attribute(member))
        if shape.type in {"structure", "list", "map"}:
            return self.element(tag, namespace_attribute(member), shape)
        return _element(
            tag, namespace_attribute(member), scalar_writer(shape.type, str(member.trait("timestampFormat", "iso8601")))
        )

    def element(self, tag: str, attributes: str, shape: Shape, members: Mapping[str, Member] | None = None) -> Write:
        """The writer of a structure, list or map with its element around it; ``members`` picks some of a structure."""
        content = self.content(shape) if members is None else self.structure(members)
        further = _attributes(shape)
        end = f"</{tag}>"

        def write(value: Any, out: list[str]) -> None:  # noqa: ANN401 - struct or dict
            before = len(out)
            out.append(f"<{tag}{attributes}{further(value)}>" if further else f"<{tag}{attributes}>")
            content(value, out)
            if len(out) == before + 1:
                out[before] = out[before][:-1] + "/>"
            else:
                out.append(end)

        return write

    def content(self, shape: Shape) -> Write:
        """The writer of what stands inside an element of this shape."""
        if shape.name not in self._done:
            self._done[shape.name] = forward(self._done, shape.name)
            self._done[shape.name] = self._compile(shape)
        return self._done[shape.name]

    def _compile(self, shape: Shape) -> Write:
        if shape.type == "structure":
            return self.structure(shape.members)
        if shape.type == "list":
            return _each(self.of(shape.member, str(shape.member.traits.get("locationName", "member"))))
        return self._entries(shape, "entry", "")

    def structure(self, members: Mapping[str, Member]) -> Write:
        """The writer of some members of a structure, without an element around them."""
        fields = [(n, m.attr, self.of(m, answer_name(m))) for n, m in members.items() if not _is_attribute(m)]

        def write(value: Any, out: list[str]) -> None:  # noqa: ANN401 - struct or dict
            plain = isinstance(value, dict)
            for name, attr, inner in fields:
                item = value.get(name) if plain else getattr(value, attr)
                if item is not None:
                    inner(item, out)

        return write

    def _flat(self, shape: Shape, tag: str, attributes: str) -> Write:
        return self._entries(shape, tag, attributes) if shape.type == "map" else _each(self.of(shape.member, tag))

    def _entries(self, shape: Shape, tag: str, attributes: str) -> Write:
        key = self.of(shape.key, str(shape.key.traits.get("locationName", "key")))
        value = self.of(shape.value, str(shape.value.traits.get("locationName", "value")))

        def write(items: Mapping[str, Any], out: list[str]) -> None:
            for name, item in items.items():
                if item is not None:
                    out.append(f"<{tag}{attributes}>")
                    key(name, out)
                    value(item, out)
                    out.append(f"</{tag}>")

        return write


def _attributes(shape: Shape) -> Callable[[Any], str] | None:
    """The text of a structure's attributes, or None where it has none."""
    if shape.type != "structure":
        return None
    fields = [
        (name, member.attr, str(member.traits["locationName"]), scalar_writer(member.shape.type, "iso8601"))
        for name, member in shape.members.items()
        if _is_attribute(member)
    ]
    if not fields:
        return None

    def text(value: Any) -> str:  # noqa: ANN401 - struct or dict
        plain = isinstance(value, dict)
        items = ((wire, value.get(name) if plain else getattr(value, attr), convert) for name, attr, wire, convert in fields)
        return "".join(f' {wire}="{convert(item)}"' for wire, item, convert in items if item is not None)

    return text


def namespace_attribute(member: Member, *, root: bool = False) -> str:
    """`` xmlns="…"`` of a reference with a namespace, else nothing.

    A default namespace on the shape itself is that of a document's root; one with a prefix (S3's ``xsi:type``) is declared where
    the shape stands.
    """
    namespace = member.traits.get("xmlNamespace")
    if not namespace:
        namespace = member.shape.traits.get("xmlNamespace")
        if not namespace or not (root or (isinstance(namespace, dict) and namespace.get("prefix"))):
            return ""
    if isinstance(namespace, str):
        return f' xmlns="{escape(namespace)}"'
    prefix = f":{namespace['prefix']}" if namespace.get("prefix") else ""
    return f' xmlns{prefix}="{escape(str(namespace["uri"]))}"'


def _each(write: Write) -> Write:
    def write_all(value: Any, out: list[str]) -> None:  # noqa: ANN401 - a list
        for item in value:
            if item is not None:
                write(item, out)

    return write_all


def _element(tag: str, attributes: str, text_of: Callable[[Any], str]) -> Write:
    start, end = f"<{tag}{attributes}>", f"</{tag}>"
    return lambda value, out: out.append(start + text_of(value) + end)


def scalar_writer(kind: str, form: str) -> Callable[[Any], str]:
    """From a scalar of a model type to text that may stand in an element or attribute."""
    match kind:
        case "boolean":
            return lambda value: "true" if value else "false"
        case "blob":
            return lambda value: b64encode(value).decode()
        case "timestamp":
            return lambda value: format_timestamp(value, form)
        case "string" | "character":
            return escape
        case _:
            return format_number
