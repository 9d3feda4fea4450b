"""AWS JSON 1.0 and 1.1: ``X-Amz-Target``, one JSON object in, one out.

https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import msgspec

from garrison.core.constraints import INTEGERS
from garrison.core.http import Request, Response
from garrison.core.model import Member, OperationModel, ServiceModel, Shape
from garrison.wire.protocols.base import MAX_DEPTH, PerModel, forward, refuse
from garrison.wire.protocols.modelled import error_shape, with_message
from garrison.wire.protocols.scalars import format_timestamp, in_time, parse_blob, parse_timestamp

Convert = Callable[[Any], Any]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

STRUCTURE_UNEXPECTED = "Start of structure or map found where not expected."
LIST_UNEXPECTED = "Start of list found where not expected"
NUMBER = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber"
_WANTED = {"integer": "an Integer", "long": "an Long", "short": "an Short", "byte": "an Byte", "biginteger": "an BigInteger"}


def mistyped(value: Any, wanted: str) -> NoReturn:  # noqa: ANN401 - JSON
    """Refuse a JSON value of the wrong type, in the words that AWS's services use."""
    if isinstance(value, list):
        refuse(LIST_UNEXPECTED)
    if isinstance(value, dict):
        refuse(STRUCTURE_UNEXPECTED)
    java = (
        "class java.lang.Boolean" if isinstance(value, bool) else "class java.lang.String" if isinstance(value, str) else NUMBER
    )
    refuse(f"{java} can not be converted to {wanted}")


def decode_json(body: bytes) -> Any:  # noqa: ANN401 - JSON
    """A JSON text as plain values: nesting bounded, the last of duplicate keys wins, a UTF-8 byte order mark skipped.

    Raises CommonError("malformed").
    """
    text = body.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        return {}
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        refuse("The request body is not well-formed JSON")
    bound_depth(value)
    return value


def bound_depth(value: Any) -> None:  # noqa: ANN401 - JSON
    """Raises CommonError("malformed") where lists and objects nest deeper than MAX_DEPTH."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for node in level
            if isinstance(node, (dict, list))
            for inner in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    refuse(f"The request body nests deeper than {MAX_DEPTH} levels")


class _Compiler(ABC):
    """Compiles shapes of one model into functions, each once."""

    def __init__(self, in_text: Convert) -> None:
        """``in_text`` converts a JSON value that stands in a string (``jsonvalue``)."""
        self._done: dict[tuple[str, str], Convert] = {}
        self._in_text = in_text

    def of(self, member: Member) -> Convert:
        """What converts a reference; a recursive shape refers to itself through the memo."""
        shape = member.shape
        form = str(member.trait("timestampFormat", "")) if shape.type == "timestamp" else ""
        json_value = bool(member.trait("jsonvalue", False))  # noqa: FBT003 - a default
        key = (shape.name, form + ("json" if json_value else ""))
        if key not in self._done:
            self._done[key] = forward(self._done, key)
            self._done[key] = self._in_text if json_value else self._compile(shape, form)
        return self._done[key]

    @abstractmethod
    def _compile(self, shape: Shape, form: str) -> Convert: ...


class Parser(_Compiler):
    """Compiles shapes of one model into functions from plain JSON values to document values."""

    def __init__(self) -> None:
        super().__init__(_json_value)

    def _compile(self, shape: Shape, form: str) -> Convert:
        collections = {"structure": self._structure, "list": self._list, "map": self._map}
        if shape.document:
            return _same
        if shape.type in collections:
            return collections[shape.type](shape)
        if shape.type == "timestamp":
            return _timestamp(form)
        return _integer(shape.type) if shape.type in INTEGERS else _SCALARS[shape.type]

    def _structure(self, shape: Shape) -> Convert:
        fields = {str(member.traits.get("locationName", name)): (name, self.of(member)) for name, member in shape.members.items()}

        def parse(value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
            if not isinstance(value, dict):
                refuse(LIST_UNEXPECTED if isinstance(value, list) else "Expected null")
            found: dict[str, Any] = {}
            for key, inner in value.items():
                if inner is not None and key in fields:
                    name, convert = fields[key]
                    found[name] = convert(inner)
            return found

        return parse

    def _list(self, shape: Shape) -> Convert:
        convert = self.of(shape.member)

        def parse(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
            if not isinstance(value, list):
                refuse(STRUCTURE_UNEXPECTED if isinstance(value, dict) else "Expected list or null")
            return [None if inner is None else convert(inner) for inner in value]

        return parse

    def _map(self, shape: Shape) -> Convert:
        convert = self.of(shape.value)

        def parse(value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
            if not isinstance(value, dict):
                refuse(LIST_UNEXPECTED if isinstance(value, list) else "Expected map or null")
            return {key: None if inner is None else convert(inner) for key, inner in value.items()}

        return parse


def _string(value: Any) -> str:  # noqa: ANN401 - JSON
    if not isinstance(value, str):
        mistyped(value, "an String")
    return value


def _boolean(value: Any) -> bool:  # noqa: ANN401 - JSON
    if not isinstance(value, bool):
        mistyped(value, "an Boolean")
    return value


def _blob(value: Any) -> bytes:  # noqa: ANN401 - JSON
    if not isinstance(value, str):
        mistyped(value, "a Blob")
    return parse_blob(value)


_FLOAT_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _float(value: Any) -> float:  # noqa: ANN401 - JSON
    if isinstance(value, str) and value in _FLOAT_WORDS:
        return _FLOAT_WORDS[value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        mistyped(value, "an Double")
    try:
        return float(value)
    except OverflowError:
        refuse(f"{NUMBER} can not be converted to an Double")


def _integer(kind: str) -> Convert:
    low, high = INTEGERS[kind]
    wanted = _WANTED[kind]

    def parse(value: Any) -> int:  # noqa: ANN401 - JSON
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            mistyped(value, wanted)
        return value

    return parse


def _timestamp(form: str) -> Convert:
    def parse(value: Any) -> float:  # noqa: ANN401 - JSON
        if isinstance(value, str) and form in {"iso8601", "rfc822"}:
            return parse_timestamp(value, form)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            mistyped(value, "milliseconds since epoch")
        return float(in_time(value))

    return parse


def _json_value(value: Any) -> Any:  # noqa: ANN401 - JSON
    return decode_json(_string(value).encode())


_SCALARS: dict[str, Convert] = {
    "string": _string, "character": _string, "boolean": _boolean, "blob": _blob,
    "float": _float, "double": _float, "bigdecimal": _float,
}  # fmt: skip


class Serializer(_Compiler):
    """Compiles shapes of one model into functions from structs or documents to plain values that JSON can carry."""

    def __init__(self) -> None:
        super().__init__(lambda value: _encode(value).decode())

    def _compile(self, shape: Shape, form: str) -> Convert:
        collections = {"structure": self._structure, "list": self._list, "map": self._map}
        if shape.type in collections and not shape.document:
            return collections[shape.type](shape)
        if shape.type == "timestamp":
            return _write_timestamp(form)
        return _write_float if shape.type in {"float", "double"} else _same

    def _list(self, shape: Shape) -> Convert:
        convert = self.of(shape.member)
        return lambda value: [None if inner is None else convert(inner) for inner in value]

    def _map(self, shape: Shape) -> Convert:
        convert = self.of(shape.value)
        return lambda value: {key: None if inner is None else convert(inner) for key, inner in value.items()}

    def _structure(self, shape: Shape) -> Convert:
        fields = [
            (name, member.attr, str(member.traits.get("locationName", name)), self.of(member))
            for name, member in shape.members.items()
        ]

        def serialize(value: Any) -> dict[str, Any]:  # noqa: ANN401 - struct or dict
            found: dict[str, Any] = {}
            plain = isinstance(value, dict)
            for name, attr, wire, convert in fields:
                inner = value.get(name) if plain else getattr(value, attr)
                if inner is not None:
                    found[wire] = convert(inner)
            return found

        return serialize


def _same(value: Any) -> Any:  # noqa: ANN401 - JSON
    return value


def _write_float(value: float) -> Any:  # noqa: ANN401 - a number or a word
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _write_timestamp(form: str) -> Convert:
    if form in {"iso8601", "rfc822"}:
        return lambda value: format_timestamp(value, form)
    return lambda value: int(value) if float(value).is_integer() else value


def _is_plain(member: Member, seen: set[str]) -> bool:
    """See _Compiled.is_plain. Floats need words for NaN, unions a rule that no type states, documents any type at all."""
    shape = member.shape
    odd = shape.union or shape.document or shape.type in {"float", "double", "bigdecimal", "biginteger"}
    if odd or member.trait("timestampFormat", "") or member.trait("jsonvalue", False):  # noqa: FBT003 - a default
        return False
    if shape.name in seen:
        return True
    seen.add(shape.name)
    inside = {
        "list": lambda: [shape.member],
        "map": lambda: [shape.key, shape.value],
        "structure": lambda: [*shape.members.values()],
    }
    members = inside.get(shape.type, list)()
    return all(inner.traits.get("locationName", inner.name) == inner.name and _is_plain(inner, seen) for inner in members)


class _Compiled:
    """What is compiled of one model."""

    def __init__(self) -> None:
        self.parser = Parser()
        self.serializer = Serializer()
        self._plain: dict[str, bool] = {}

    def is_plain(self, member: Member) -> bool:
        """Whether a struct of this shape is read and written by msgspec alone: no member has a name or form of its own."""
        found = self._plain.get(member.shape_name)
        if found is None:
            found = self._plain[member.shape_name] = _is_plain(member, set())
        return found


class JsonProtocol:
    """AWS JSON; the version (1.0 or 1.1) is the model's and shows in the content type alone."""

    name = "json"

    def __init__(self) -> None:
        self._models = PerModel(lambda _model: _Compiled())

    def parse(self, operation: OperationModel, request: Request, path_parameters: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002 - the interface's
        """The body as a document; an empty body is an empty object. Raises CommonError("malformed")."""
        value = decode_json(request.body)
        if operation.input is None:
            return {}
        document: dict[str, Any] = self._models.of(operation.model).parser.of(operation.input)(value)
        return document

    def serialize(self, operation: OperationModel, result: Any, request_id: str) -> Response:  # noqa: ANN401 - struct or dict
        """The answer; an operation without output answers an empty body, as AWS's do."""
        body = b""
        if operation.output is not None:
            compiled = self._models.of(operation.model)
            if isinstance(result, msgspec.Struct) and compiled.is_plain(operation.output):
                body = _encode(result)
            else:
                body = _encode(compiled.serializer.of(operation.output)({} if result is None else result))
        return Response(200, self._headers(operation.model, request_id), body)

    def reads_plainly(self, operation: OperationModel) -> bool:
        """Whether msgspec alone can read this operation's body into its struct: no member has a name or form of its own."""
        return operation.input is not None and self._models.of(operation.model).is_plain(operation.input)

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
        """``{"__type": code, "message": …}`` and the error's own members; an empty message is left out, as AWS leaves it out."""
        headers = self._headers(model, request_id)
        if "awsQueryCompatible" in model.metadata:
            headers.append(("x-amzn-query-error", f"{code};{'Sender' if sender_fault else 'Receiver'}"))
        shape = error_shape(model, operation, code)
        said = {"message": message} if message else {}
        given = dict(members) if shape is None else with_message(shape, message, members)
        # Many exceptions of CloudTrail's model have no members at all; AWS says why all the same.
        body = given if any(name.lower() == "message" for name in given) else {**said, **given}
        return Response(status, headers, _encode({"__type": code, **body}))

    @staticmethod
    def _headers(model: ServiceModel, request_id: str) -> list[tuple[str, str]]:
        version = model.metadata.get("jsonVersion", "1.0")
        return [("x-amzn-requestid", request_id), ("content-type", f"application/x-amz-json-{version}")]
