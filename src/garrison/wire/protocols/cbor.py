"""Smithy RPC v2 CBOR: ``POST /service/{service}/operation/{operation}``, one CBOR map in, one out.

https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html; RFC 8949.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import cbor2

from garrison.core.constraints import INTEGERS
from garrison.core.http import Request, Response
from garrison.core.model import Member, OperationModel, ServiceModel, Shape
from garrison.wire.protocols.base import MAX_DEPTH, PerModel, forward, refuse
from garrison.wire.protocols.modelled import error_shape, with_message
from garrison.wire.protocols.scalars import in_time

CBOR = "application/cbor"

Convert = Callable[[Any], Any]


class _Epoch(float):
    """The content of tag 1: a time, and nothing but a time."""

    __slots__ = ()


def _epoch(value: object, _immutable: object) -> _Epoch:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return _Epoch(value)


def _bignum(value: object, _immutable: object) -> int:
    if not isinstance(value, bytes) or len(value) > 16:
        raise TypeError
    return int.from_bytes(value)


def _negative_bignum(value: object, _immutable: object) -> int:
    return -1 - _bignum(value, _immutable)


def _no_tag(_value: object, _immutable: object) -> NoReturn:
    raise ValueError


class _Tags(dict[int, Callable[[Any, Any], Any]]):
    """The tags that the protocol knows. All others are refused: among them are patterns, shared references and huge decimals."""

    def __missing__(self, tag: int) -> Callable[[Any, Any], Any]:
        return _no_tag


_TAGS = _Tags({1: _epoch, 2: _bignum, 3: _negative_bignum})


def decode_cbor(body: bytes) -> Any:  # noqa: ANN401 - CBOR
    """One data item, all of the body: nesting bounded, keys unique and text or bytes. Raises CommonError("malformed")."""
    stream = io.BytesIO(body)
    try:
        decoder = cbor2.CBORDecoder(
            stream, semantic_decoders=_TAGS, max_depth=MAX_DEPTH, allow_duplicate_keys=False, strict_hashable_types=True
        )
        value = decoder.decode()
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError, MemoryError):
        refuse("The request body is not well-formed CBOR")
    if stream.tell() != len(body):
        refuse("The request body has bytes after its CBOR data item")
    return value


def absent(value: object) -> bool:
    """Null, and undefined, which the protocol reads as null."""
    return value is None or value is cbor2.undefined


class CborReader:
    """Compiles shapes of one model into functions from decoded CBOR to document values."""

    def __init__(self) -> None:
        self._done: dict[str, Convert] = {}

    def of(self, member: Member) -> Convert:
        """The reader of a reference, compiled once per shape."""
        name = member.shape_name
        if name not in self._done:
            self._done[name] = forward(self._done, name)
            self._done[name] = self._compile(member.shape)
        return self._done[name]

    def _compile(self, shape: Shape) -> Convert:
        match shape.type:
            case "structure":
                return self._structure(shape)
            case "list":
                return self._list(shape)
            case "map":
                return self._map(shape)
            case "byte" | "short" | "integer" | "long" | "biginteger":
                return _integer(shape.type)
            case other:
                return _SCALARS[other]

    def _structure(self, shape: Shape) -> Convert:
        fields = {str(member.traits.get("locationName", name)): (name, self.of(member)) for name, member in shape.members.items()}

        def read(value: Any) -> dict[str, Any]:  # noqa: ANN401 - CBOR
            if not isinstance(value, dict):
                refuse("Expected a structure")
            found: dict[str, Any] = {}
            for key, inner in value.items():
                field = fields.get(key)
                if field is not None and not absent(inner):
                    found[field[0]] = field[1](inner)
            return found

        return read

    def _list(self, shape: Shape) -> Convert:
        convert = self.of(shape.member)

        def read(value: Any) -> list[Any]:  # noqa: ANN401 - CBOR
            if not isinstance(value, list):
                refuse("Expected a list")
            return [None if absent(inner) else convert(inner) for inner in value]

        return read

    def _map(self, shape: Shape) -> Convert:
        convert = self.of(shape.value)

        def read(value: Any) -> dict[str, Any]:  # noqa: ANN401 - CBOR
            if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
                refuse("Expected a map with text keys")
            return {key: None if absent(inner) else convert(inner) for key, inner in value.items()}

        return read


def _string(value: Any) -> str:  # noqa: ANN401 - CBOR
    if not isinstance(value, str):
        refuse("Expected a string")
    return value


def _boolean(value: Any) -> bool:  # noqa: ANN401 - CBOR
    if not isinstance(value, bool):
        refuse("Expected a boolean")
    return value


def _blob(value: Any) -> bytes:  # noqa: ANN401 - CBOR
    if not isinstance(value, bytes):
        refuse("Expected a blob")
    return value


def _float(value: Any) -> float:  # noqa: ANN401 - CBOR
    if isinstance(value, bool | _Epoch) or not isinstance(value, int | float):
        refuse("Expected a number")
    return float(value)


def _time(value: Any) -> float:  # noqa: ANN401 - CBOR
    if not isinstance(value, _Epoch):
        refuse("Expected a timestamp: tag 1 with seconds since 1970")
    return in_time(float(value))


def _integer(kind: str) -> Convert:
    low, high = INTEGERS[kind]

    def read(value: Any) -> int:  # noqa: ANN401 - CBOR
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            refuse(f"Expected {kind}")
        return value

    return read


_SCALARS: dict[str, Convert] = {
    "string": _string, "character": _string, "boolean": _boolean, "blob": _blob, "timestamp": _time,
    "float": _float, "double": _float, "bigdecimal": _float,
}  # fmt: skip


class CborWriter:
    """Compiles shapes of one model into functions from structs or documents to values that CBOR can carry."""

    def __init__(self) -> None:
        self._done: dict[str, Convert] = {}

    def of(self, member: Member) -> Convert:
        """The writer of a reference, compiled once per shape."""
        return self.shape(member.shape)

    def shape(self, shape: Shape) -> Convert:
        """The writer of a shape."""
        if shape.name not in self._done:
            self._done[shape.name] = forward(self._done, shape.name)
            self._done[shape.name] = self._compile(shape)
        return self._done[shape.name]

    def _compile(self, shape: Shape) -> Convert:
        match shape.type:
            case "structure":
                return self._structure(shape)
            case "list":
                convert = self.of(shape.member)
                return lambda value: [None if inner is None else convert(inner) for inner in value]
            case "map":
                inner = self.of(shape.value)
                return lambda value: {key: None if item is None else inner(item) for key, item in value.items()}
            case "timestamp":
                return lambda value: cbor2.CBORTag(1, int(value) if float(value).is_integer() else value)
            case "float" | "double":
                return float
            case _:
                return lambda value: value

    def _structure(self, shape: Shape) -> Convert:
        fields = [(n, m.attr, str(m.traits.get("locationName", n)), self.of(m)) for n, m in shape.members.items()]

        def write(value: Any) -> dict[str, Any]:  # noqa: ANN401 - struct or dict
            found: dict[str, Any] = {}
            plain = isinstance(value, dict)
            for name, attr, wire, convert in fields:
                inner = value.get(name) if plain else getattr(value, attr)
                if inner is not None:
                    found[wire] = convert(inner)
            return found

        return write


class CborProtocol:
    """Smithy RPC v2 CBOR."""

    name = "smithy-rpc-v2-cbor"

    def __init__(self) -> None:
        self._readers = PerModel(lambda _model: CborReader())
        self._writers = PerModel(lambda _model: CborWriter())

    def parse(self, operation: OperationModel, request: Request, path_parameters: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002 - of REST alone
        """The body as a document; an empty body is an empty map. Raises CommonError("malformed")."""
        if not request.body:
            return {}
        kind = request.header("content-type", CBOR).partition(";")[0].strip().lower()
        if kind != CBOR:
            refuse(f"The body's type is not {CBOR}")
        value = decode_cbor(request.body)
        if operation.input is None:
            return {}
        document: dict[str, Any] = self._readers.of(operation.model).of(operation.input)(value)
        return document

    def serialize(self, operation: OperationModel, result: Any, request_id: str) -> Response:  # noqa: ANN401 - struct or dict
        """The answer: a map, or an empty body where the operation has no output."""
        headers = [("x-amzn-requestid", request_id), ("smithy-protocol", "rpc-v2-cbor")]
        if operation.output is None:
            return Response(200, headers)
        plain = self._writers.of(operation.model).of(operation.output)({} if result is None else result)
        return Response(200, [*headers, ("content-type", CBOR)], cbor2.dumps(plain))

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
        """A map with the error's absolute shape id as ``__type``, its message and its own members."""
        headers = [("x-amzn-requestid", request_id), ("smithy-protocol", "rpc-v2-cbor"), ("content-type", CBOR)]
        shape = error_shape(model, operation, code)
        if "awsQueryCompatible" in model.metadata:
            headers.append(("x-amzn-query-error", f"{code};{'Sender' if sender_fault else 'Receiver'}"))
        name = shape.name if shape is not None else code
        body: dict[str, Any] = {"__type": f"com.amazonaws.{model.service}#{name}"}
        if shape is None:
            body["message"] = message
        else:
            body.update(self._writers.of(model).shape(shape)(with_message(shape, message, members)))
        return Response(status, headers, cbor2.dumps(body))
