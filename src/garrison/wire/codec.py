"""Between bytes and the typed requests and answers of a service.

AWS JSON goes straight into a struct whose types carry the model's constraints; other protocols go through a document
that is then converted, under the same constraints. Only where that fails is the request walked the slow way, to say
what is wrong in AWS's words (``wire.validation``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import msgspec
from msgspec import Struct

from garrison.core.errors import ServiceError
from garrison.core.http import Request, Response
from garrison.core.model import Member, OperationModel, Shape, load_model
from garrison.wire.faults import fault
from garrison.wire.masking import Mask, Masking
from garrison.wire.protocols import PROTOCOLS
from garrison.wire.protocols.base import malformed
from garrison.wire.protocols.json import JsonProtocol
from garrison.wire.structs import builder
from garrison.wire.validation import validate

DISAGREE = "The request does not have the form that the operation expects."
"""Said where types refuse what the walk accepts: refusing is the safe side."""

Types = tuple[type[Struct] | None, type[Struct] | None]


class _Plan:
    """What one operation needs to be decoded, worked out once."""

    __slots__ = ("checked", "decode", "request")

    def __init__(self, request: type[Struct] | None, *, fast: bool, checked: bool) -> None:
        self.request = request
        self.decode: Callable[[bytes], Struct] | None = msgspec.json.Decoder(request).decode if request and fast else None
        self.checked = checked
        """Whether the struct's types check all that the model asks; else the document is walked every time."""


class Codec:
    """Reads requests and writes answers of one service in one of its protocols."""

    def __init__(self, service: str, protocol: str) -> None:
        self.model = load_model(service)
        self.protocol = PROTOCOLS[protocol]
        self._types = _types(service)
        self._plans: dict[str, _Plan] = {}
        self._masking = Masking()
        self._masks: dict[str, Mask] = {}

    def decode(self, operation: OperationModel, request: Request, path_parameters: Mapping[str, str]) -> Struct | None:
        """The typed request; None where the operation takes none.

        Raises CommonError("malformed") for what cannot be read, CommonError("validation") for what breaks a constraint.
        """
        plan = self._plans.get(operation.name) or self._plan(operation)
        if plan.decode is not None and request.body:
            try:
                return plan.decode(request.body)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                pass  # said below, in AWS's words
        document = self.protocol.parse(operation, request, path_parameters)
        return self._convert(operation, plan, document)

    def _convert(self, operation: OperationModel, plan: _Plan, document: dict[str, Any]) -> Struct | None:
        if plan.request is None or operation.input is None:
            return None
        if not plan.checked:
            validate(document, operation.input, self.model.service)
        try:
            return msgspec.convert(document, plan.request)
        except (msgspec.ValidationError, RecursionError) as error:
            validate(document, operation.input, self.model.service)
            raise malformed(DISAGREE) from error

    def _plan(self, operation: OperationModel) -> _Plan:
        request, _ = self.types(operation)
        plain = isinstance(self.protocol, JsonProtocol) and self.protocol.reads_plainly(operation)
        checked = operation.input is None or not _has_unions(operation.input, set())
        # The fast way knows no bound of nesting, which only a shape that contains itself can be asked to exceed.
        bounded = operation.input is None or not _nests(operation.input, (), set())
        plan = self._plans[operation.name] = _Plan(request, fast=plain and checked and bounded, checked=checked)
        return plan

    def types(self, operation: OperationModel) -> Types:
        """The request and answer types of an operation."""
        if self._types is not None and operation.name in self._types:
            return self._types[operation.name]
        build = builder(self.model.service)
        return build.type_of(operation.input), build.type_of(operation.output)

    def encode(self, operation: OperationModel, result: Struct | None, request_id: str) -> Response:
        """The answer on the wire."""
        return self.protocol.serialize(operation, result, request_id)

    def encode_error(self, operation: OperationModel | None, error: ServiceError, request_id: str) -> Response:
        """The error on the wire, under the service's own name for it."""
        found = fault(self.model, error)
        return self.protocol.serialize_error(
            self.model, operation, found.code, found.message, found.status, request_id, found.members, sender_fault=found.sender
        )

    def masked(self, operation: OperationModel, request: Struct | None) -> dict[str, Any]:
        """The request as an audit event shows it: lower camel names, secrets hidden, blobs left out."""
        return self._mask(f"in:{operation.name}", operation.input, request)

    def masked_response(self, operation: OperationModel, result: Struct | None) -> dict[str, Any]:
        """The answer, likewise."""
        return self._mask(f"out:{operation.name}", operation.output, result)

    def _mask(self, key: str, member: Member | None, value: Struct | None) -> dict[str, Any]:
        if member is None or value is None:
            return {}
        mask = self._masks.get(key)
        if mask is None:
            mask = self._masks[key] = self._masking.of(member)
        shown: dict[str, Any] = mask(value)
        return shown


def _types(service: str) -> Mapping[str, Types] | None:
    """The operations of the generated module, where there is one."""
    name = f"garrison.api.{service}"
    if find_spec(name) is None:
        return None
    operations: Mapping[str, Types] = import_module(name).OPERATIONS
    return operations


def _has_unions(member: Member, seen: set[str]) -> bool:
    """Whether a union (exactly one member set, which no type says) stands anywhere inside."""
    shape = member.shape
    if shape.union:
        return True
    if shape.name in seen:
        return False
    seen.add(shape.name)
    return any(_has_unions(inner, seen) for inner in _inside(shape))


def _nests(member: Member, around: tuple[str, ...], done: set[str]) -> bool:
    """Whether a shape stands inside itself anywhere. ``done`` are those that were looked through."""
    shape = member.shape
    if shape.name in around:
        return True
    if shape.name in done:
        return False
    done.add(shape.name)
    return any(_nests(inner, (*around, shape.name), done) for inner in _inside(shape))


def _inside(shape: Shape) -> list[Member]:
    """The references that a shape holds."""
    if shape.type == "structure":
        return list(shape.members.values())
    return [shape.member] if shape.type == "list" else [shape.key, shape.value] if shape.type == "map" else []


@cache
def codec(service: str, protocol: str | None = None) -> Codec:
    """The codec of a service, in its first protocol unless told otherwise. Raises KeyError for an unknown service or protocol."""
    return Codec(service, protocol or load_model(service).protocol)
