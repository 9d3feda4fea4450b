"""AWS REST JSON 1.

https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from garrison.core.http import Request, Response
from garrison.core.model import Member, OperationModel, ServiceModel, Shape
from garrison.wire.protocols.base import PerModel, refuse, value_of
from garrison.wire.protocols.json import Parser, Serializer, decode_json
from garrison.wire.protocols.modelled import error_shape, with_message
from garrison.wire.protocols.rest import (
    BODILESS,
    Bindings,
    OutputBindings,
    bindings,
    output_bindings,
    read_bound,
    read_scalar_payload,
    write_bound,
)

JSON = "application/json"

_encode = msgspec.json.Encoder().encode


class _Service:
    """What is compiled of one model."""

    def __init__(self) -> None:
        self.parser = Parser()
        self.serializer = Serializer()
        self._inputs: dict[str, tuple[Bindings, dict[str, tuple[str, Callable[[Any], Any]]]]] = {}
        self._outputs: dict[str, OutputBindings] = {}

    def input(self, shape: Shape) -> tuple[Bindings, dict[str, tuple[str, Callable[[Any], Any]]]]:
        if shape.name not in self._inputs:
            bound = bindings(shape)
            fields = {_wire(member): (name, self.parser.of(member)) for name, member in bound.body.items()}
            self._inputs[shape.name] = bound, fields
        return self._inputs[shape.name]

    def output(self, shape: Shape) -> OutputBindings:
        if shape.name not in self._outputs:
            self._outputs[shape.name] = output_bindings(shape)
        return self._outputs[shape.name]

    def body(self, members: Mapping[str, Member], source: Any) -> dict[str, Any]:  # noqa: ANN401 - struct or dict
        found: dict[str, Any] = {}
        for member in members.values():
            value = value_of(member, source)
            if value is not None:
                found[_wire(member)] = self.serializer.of(member)(value)
        return found


def _wire(member: Member) -> str:
    return str(member.traits.get("locationName", member.name))


class RestJsonProtocol:
    """AWS REST JSON."""

    name = "rest-json"

    def __init__(self) -> None:
        self._services = PerModel(lambda _model: _Service())

    def parse(self, operation: OperationModel, request: Request, path_parameters: Mapping[str, str]) -> dict[str, Any]:
        """Path, query, headers and body as one document. Raises CommonError("malformed")."""
        if operation.input is None:
            return {}
        service = self._services.of(operation.model)
        bound, fields = service.input(operation.input.shape)
        document = read_bound(bound, request, path_parameters)
        if bound.payload is not None:
            _read_payload(service, bound.payload, request.body, document)
        elif fields:
            _read_fields(fields, request.body, document)
        return document

    def serialize(self, operation: OperationModel, result: Any, request_id: str) -> Response:  # noqa: ANN401 - struct or dict
        """The answer: an object where the output has members of a body, the payload itself where it has one."""
        own = [("x-amzn-requestid", request_id)]
        if operation.output is None:
            return Response(operation.status, own)
        service = self._services.of(operation.model)
        bound = service.output(operation.output.shape)
        source = {} if result is None else result
        status, headers = write_bound(bound, source, operation.status)
        if status in BODILESS:
            return Response(status, own + headers)
        if bound.payload is not None:
            kind, body = _write_payload(service, bound.payload, value_of(bound.payload, source))
        else:
            kind, body = JSON, _encode(service.body(bound.body, source))
        if kind and not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("content-type", kind))
        return Response(status, own + headers, body)

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
        sender_fault: bool,  # noqa: ARG002 - the interface's
    ) -> Response:
        """``X-Amzn-ErrorType`` and an object with the message and the error's own members."""
        shape = error_shape(model, operation, code)
        own = [("x-amzn-requestid", request_id), ("x-amzn-errortype", code), ("content-type", JSON)]
        if shape is None:
            return Response(status, own, _encode({"message": message}))
        service = self._services.of(model)
        bound = service.output(shape)
        _, headers = write_bound(bound, dict(members), status)
        body = service.body(bound.body, with_message(shape, message, members))
        return Response(status, own + headers, _encode(body))


def _read_fields(fields: Mapping[str, tuple[str, Callable[[Any], Any]]], body: bytes, document: dict[str, Any]) -> None:
    value = decode_json(body)
    if not isinstance(value, dict):
        refuse("Expected structure or null")
    for key, inner in value.items():
        field = fields.get(key)
        if field is not None and inner is not None:
            document[field[0]] = field[1](inner)


def _read_payload(service: _Service, payload: Member, body: bytes, document: dict[str, Any]) -> None:
    if not body:
        return
    if payload.shape.type in {"blob", "string"} and not payload.shape.document:
        document[payload.name] = read_scalar_payload(payload, body)
        return
    value = decode_json(body)
    if value is not None:
        document[payload.name] = service.parser.of(payload)(value)


def _write_payload(service: _Service, payload: Member, value: Any) -> tuple[str, bytes]:  # noqa: ANN401 - the payload's
    shape = payload.shape
    if shape.type == "blob":
        return (str(payload.trait("mediaType", "application/octet-stream")), value or b"") if value is not None else ("", b"")
    if shape.type == "string" and not shape.document:
        return (str(payload.trait("mediaType", "text/plain")), value.encode()) if value is not None else ("", b"")
    if value is None:
        return JSON, b"{}" if shape.type == "structure" and not shape.union and not shape.document else b""
    return JSON, _encode(service.serializer.of(payload)(value))
