"""AWS Query: a form in (``Action=…&Version=…&Tags.member.1.Key=…``), XML out.

https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from garrison.core.http import Request, Response
from garrison.core.model import Member, OperationModel, ServiceModel, Shape
from garrison.wire.protocols.base import MAX_DEPTH, MAX_PARAMETERS, PerModel, forward, refuse
from garrison.wire.protocols.modelled import error_shape
from garrison.wire.protocols.scalars import (
    escape,
    parse_blob,
    parse_boolean,
    parse_float,
    parse_integer,
    parse_timestamp,
)
from garrison.wire.protocols.xml import XmlWriter

TERMINATION = "Unexpected list element termination"
"""What Query services of AWS say of a list whose names do not go ``.member.N``."""

Node = Any
"""A parameter tree: text where a name ends, else a dict of the next parts; a text with parts below it stands under ``""``."""

_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def decode_form(text: str) -> dict[str, str]:
    """Parameters of a form or query string, decoded once. Raises CommonError("malformed").

    Refused: more than MAX_PARAMETERS, bad percent-encoding, bytes that are not UTF-8, and a name that stands twice
    (two readers of the request could take different ones).
    """
    pairs = text.split("&", MAX_PARAMETERS)
    if len(pairs) > MAX_PARAMETERS:
        refuse(f"The request has more than {MAX_PARAMETERS} parameters")
    found: dict[str, str] = {}
    for pair in pairs:
        if not pair:
            continue
        name, _, value = pair.partition("=")
        name, value = _unquote(name), _unquote(value)
        if name in found:
            refuse(f"Parameter {name[:100]} is given more than once")
        found[name] = value
    return found


def form(request: Request) -> dict[str, str]:
    """The parameters of a request: of its query string, and of its body unless it is a GET."""
    body = "" if request.method == "GET" else request.body.decode("latin-1")
    return decode_form(f"{request.query}&{body}" if request.query else body)


def _unquote(text: str) -> str:
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        if text.isascii():
            return text
        return _utf8(text.encode("latin-1", "replace"))
    if _BAD_PERCENT.search(text):
        refuse("A parameter has a broken percent-encoding")
    return _utf8(unquote_to_bytes(text.encode("latin-1", "replace")))


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        refuse("A parameter is not valid UTF-8")


def tree(parameters: Mapping[str, str]) -> dict[str, Node]:
    """Parameters by the parts of their dotted names. Raises CommonError("malformed") for a name of too many parts."""
    root: dict[str, Node] = {}
    for name, value in parameters.items():
        if "." not in name and name not in root:
            root[name] = value
            continue
        parts = name.split(".", MAX_DEPTH)
        if len(parts) > MAX_DEPTH:
            refuse(f"A parameter's name has more than {MAX_DEPTH} parts")
        node = root
        for part in parts[:-1]:
            below = node.get(part)
            if not isinstance(below, dict):
                below = node[part] = {} if below is None else {"": below}
            node = below
        last = parts[-1]
        if isinstance(node.get(last), dict):
            node[last][""] = value
        else:
            node[last] = value
    return root


Parse = Callable[[Node], Any]


class Parser:
    """Compiles shapes of one model into functions from parameter trees to document values."""

    def __init__(self) -> None:
        self._done: dict[tuple[str, str], Parse] = {}

    def of(self, member: Member) -> Parse:
        """The parser of a reference, compiled once per shape."""
        shape = member.shape
        variant = str(member.trait("timestampFormat", "iso8601")) if shape.type == "timestamp" else ""
        if member.trait("flattened", False):  # noqa: FBT003 - a default
            variant = "flat"
        key = (shape.name, variant)
        if key not in self._done:
            self._done[key] = forward(self._done, key)
            self._done[key] = self._compile(shape, variant)
        return self._done[key]

    def _compile(self, shape: Shape, variant: str) -> Parse:
        match shape.type:
            case "structure":
                return self._structure(shape)
            case "list":
                return self._list(shape, flat=variant == "flat")
            case "map":
                return self._map(shape, flat=variant == "flat")
            case other:
                return _scalar(other, variant)

    def _name(self, member: Member) -> str:
        """What a structure's member is called on the wire."""
        return wire_name(member)

    def _structure(self, shape: Shape) -> Parse:
        fields = [(self._name(member), name, self.of(member)) for name, member in shape.members.items()]

        def parse(node: Node) -> dict[str, Any]:
            if isinstance(node, str):
                if node:
                    refuse("Expected a structure")
                return {}
            found: dict[str, Any] = {}
            for wire, name, convert in fields:
                inner = node.get(wire)
                if inner is not None:
                    found[name] = convert(inner)
            return found

        return parse

    def _list(self, shape: Shape, *, flat: bool) -> Parse:
        convert = self.of(shape.member)
        between = "" if flat else str(shape.member.traits.get("locationName", "member"))

        def parse(node: Node) -> list[Any]:
            return [convert(item) for item in _items(node, between)]

        return parse

    def _map(self, shape: Shape, *, flat: bool) -> Parse:
        key_name = str(shape.key.traits.get("locationName", "key"))
        value_name = str(shape.value.traits.get("locationName", "value"))
        key, value = self.of(shape.key), self.of(shape.value)
        between = "" if flat else "entry"

        def parse(node: Node) -> dict[str, Any]:
            found: dict[str, Any] = {}
            for item in _items(node, between):
                if not isinstance(item, dict) or key_name not in item or value_name not in item:
                    refuse("A map entry needs a key and a value")
                found[key(item[key_name])] = value(item[value_name])
            return found

        return parse


def wire_name(member: Member) -> str:
    """The name of a structure's member in a form and in XML; a flattened list goes by the name of what it holds."""
    shape = member.shape
    if shape.type == "list" and member.trait("flattened", False) and "locationName" in shape.member.traits:  # noqa: FBT003 - a default
        return str(shape.member.traits["locationName"])
    return str(member.traits.get("locationName", member.name))


def _items(node: Node, between: str) -> list[Node]:
    """What stands under the indexes of a list or map, by index; gaps close up and cost nothing."""
    if isinstance(node, dict) and between:
        if not node.keys() <= {between, ""}:
            refuse(TERMINATION)
        node = node.get(between, node.get("", ""))
    if isinstance(node, str):
        if node:
            refuse(TERMINATION)
        return []
    indexed: dict[int, Node] = {}
    for part, item in node.items():
        if not part:
            continue
        if not (part.isascii() and part.isdigit() and len(part) <= 10):
            refuse(TERMINATION)
        index = int(part)
        if index in indexed:
            refuse(TERMINATION)
        indexed[index] = item
    return [indexed[index] for index in sorted(indexed)]


def _scalar(kind: str, form: str) -> Parse:
    convert = _SCALARS.get(kind)
    if convert is None:
        convert = (lambda text: parse_timestamp(text, form)) if kind == "timestamp" else (lambda text: parse_integer(text, kind))

    def parse(node: Node) -> Any:  # noqa: ANN401 - a scalar
        if isinstance(node, dict):
            refuse("Start of structure or map found where not expected.")
        return convert(node)

    return parse


def _text(text: str) -> str:
    return text


_SCALARS: dict[str, Callable[[str], Any]] = {
    "string": _text, "character": _text, "boolean": parse_boolean, "blob": parse_blob,
    "float": parse_float, "double": parse_float, "bigdecimal": parse_float,
}  # fmt: skip


class QueryProtocol:
    """AWS Query."""

    name = "query"
    parser: type[Parser] = Parser

    def __init__(self) -> None:
        self._parsers = PerModel(lambda _model: self.parser())
        self._writers = PerModel(lambda _model: XmlWriter())

    def parse(self, operation: OperationModel, request: Request, path_parameters: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002 - the interface's
        """The form as a document. Raises CommonError("malformed")."""
        parameters = form(request)
        if operation.input is None:
            return {}
        document: dict[str, Any] = self._parsers.of(operation.model).of(operation.input)(tree(parameters))
        return document

    def serialize(self, operation: OperationModel, result: Any, request_id: str) -> Response:  # noqa: ANN401 - struct or dict
        """``<XResponse><XResult>…</XResult><ResponseMetadata>…``."""
        out = [f'<{operation.name}Response xmlns="{namespace(operation.model)}">']
        if operation.output is not None:
            wrapper = str(operation.output.traits.get("resultWrapper", f"{operation.name}Result"))
            out.append(f"<{wrapper}>")
            self._writers.of(operation.model).content(operation.output.shape)({} if result is None else result, out)
            out.append(f"</{wrapper}>")
        out.append(f"<ResponseMetadata><RequestId>{escape(request_id)}</RequestId></ResponseMetadata></{operation.name}Response>")
        return Response(200, _headers(request_id), "".join(out).encode())

    def serialize_error(
        self,
        model: ServiceModel,
        operation: OperationModel | None,
        code: str,
        message: str,
        status: int,
        request_id: str,
        members: Mapping[str, Any],
        *,
        sender_fault: bool,
    ) -> Response:
        """``<ErrorResponse><Error><Type>Sender</Type><Code>…``."""
        further = "".join(self._further(model, operation, code, members))
        body = (
            f'<ErrorResponse xmlns="{namespace(model)}"><Error><Type>{"Sender" if sender_fault else "Receiver"}</Type>'
            f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>{further}</Error>"
            f"<RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
        )
        return Response(status, _headers(request_id), body.encode())

    def _further(self, model: ServiceModel, operation: OperationModel | None, code: str, members: Mapping[str, Any]) -> list[str]:
        """The members of a modelled error beside its message, as XML."""
        out: list[str] = []
        shape = error_shape(model, operation, code) if members else None
        if shape is not None:
            rest = {name: member for name, member in shape.members.items() if name.lower() not in {"message", "code"}}
            self._writers.of(model).structure(rest)(dict(members), out)
        return out


def namespace(model: ServiceModel) -> str:
    """The XML namespace of a service's answers."""
    uri = model.metadata.get("xmlNamespace", "")
    return str(uri.get("uri", "")) if isinstance(uri, dict) else str(uri)


def _headers(request_id: str) -> list[tuple[str, str]]:
    return [("x-amzn-requestid", request_id), ("content-type", "text/xml")]
