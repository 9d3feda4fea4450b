"""Requests made from a model: valid ones, and ones that break exactly one constraint."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.loaders
import botocore.model
import botocore.serialize
import msgspec
from hypothesis import find
from hypothesis import strategies as st

from garrison.core.constraints import constraints
from garrison.core.http import Request
from garrison.core.model import Member, OperationModel, Shape

CANDIDATES = (
    "a", "alias/a", "/", "/a/", "123456", "1", "123456789012", "arn:aws:iam::123456789012:role/example", "{}", "a@example.com", "ABCD",
    "https://example.com", "o-abcdefghij", "r-abcd", "us-east-1", "a-b", "2024-01-01T00:00:00Z", "key", "aaaaaaaa",
)  # fmt: skip


@cache
def text_like(pattern: str, low: int, high: int) -> str:
    """A text that a Python pattern finds, of a length within the bounds."""
    fits = re.compile(pattern).search
    for candidate in CANDIDATES:
        for text in (candidate, candidate * low, candidate + candidate[-1] * max(0, low - len(candidate))):
            if low <= len(text) <= high and fits(text):
                return text
    return find(st.from_regex(pattern), lambda text: low <= len(text) <= high)


def limits(shape: Shape) -> tuple[int, int]:
    """Smallest and greatest length."""
    return int(shape.min or 0), int(shape.max) if shape.max is not None else 10**9


def valid(shape: Shape, depth: int = 0) -> Any:
    """A small value that breaks nothing: required members only."""
    low, high = limits(shape)
    if shape.type == "structure" and not shape.document:
        members = [member for member in shape.members.values() if member.required]
        if shape.union:
            members = [next(iter(shape.members.values()))]
        if depth and not members:  # the Query protocol cannot say an empty structure
            members = [member for member in shape.members.values() if member.shape.type == "string"][:1]
        return {member.name: valid(member.shape, depth + 1) for member in members}
    if shape.type == "list":
        return [valid(shape.member.shape, depth + 1) for _ in range(low)]
    if shape.type == "map" or shape.document:
        return {valid(shape.key.shape): valid(shape.value.shape, depth + 1)} if low else {}
    return valid_scalar(shape, low, high)


def valid_scalar(shape: Shape, low: int, high: int) -> Any:
    if shape.enum:
        return shape.enum[0]
    if shape.type in {"string", "character"}:
        pattern = constraints(shape).get("pattern")
        return text_like(pattern, low, high) if pattern else "x" * low
    least = shape.min or 0
    simple = {"boolean": True, "blob": b"x" * low, "timestamp": 1_700_000_000.0, "float": float(least), "double": float(least)}
    return simple.get(shape.type, int(least))


@dataclass(frozen=True)
class Broken:
    """A document with one constraint broken."""

    path: str
    """Where AWS's message says it is."""
    rule: str
    """How the message says it."""
    document: dict[str, Any]

    def __repr__(self) -> str:
        return f"{self.path}: {self.rule[:60]}"


def broken(operation: OperationModel) -> Iterator[Broken]:
    """Every constraint within an operation's input, broken one at a time in an otherwise valid document."""
    if operation.input is None:
        return
    for path, rule, document in _structure(operation.input.shape, "", ()):
        yield Broken(path, rule, document)


def _structure(shape: Shape, prefix: str, seen: tuple[str, ...]) -> Iterator[tuple[str, str, Any]]:
    if shape.name in seen or shape.union:
        return
    base = valid(shape, len(seen))
    for name, member in shape.members.items():
        path = f"{prefix}{name[:1].lower()}{name[1:]}"
        if member.required:
            yield path, "Member must not be null", {key: value for key, value in base.items() if key != name}
        for where, rule, value in _value(member, path, (*seen, shape.name)):
            yield where, rule, {**base, name: value}


def _value(member: Member, path: str, seen: tuple[str, ...]) -> Iterator[tuple[str, str, Any]]:
    shape = member.shape
    for rule, value in _own(shape):
        yield path, rule, value
    if shape.document:
        return
    if shape.type == "structure":
        yield from _structure(shape, f"{path}.", seen)
    elif shape.type == "list":
        yield from _list(shape, path, seen)
    elif shape.type == "map":
        yield from _map(shape, path, seen)


def _list(shape: Shape, path: str, seen: tuple[str, ...]) -> Iterator[tuple[str, str, Any]]:
    inner = shape.member.shape
    rest = [valid(inner, 1) for _ in range(max(1, limits(shape)[0]) - 1)]
    if inner.type == "structure":
        for where, rule, value in _structure(inner, f"{path}.1.member.", seen):
            yield where, rule, [value, *rest]
    else:
        for _, rule, value in _value(shape.member, path, seen):
            yield path, rule, [value, *rest]


def _map(shape: Shape, path: str, seen: tuple[str, ...]) -> Iterator[tuple[str, str, Any]]:
    for rule, key in _own(shape.key.shape):
        yield path, rule, {key: valid(shape.value.shape, 1)}
    if shape.value.shape.type != "structure":
        for _, rule, value in _value(shape.value, path, seen):
            yield path, rule, {valid(shape.key.shape): value}


def _own(shape: Shape) -> Iterator[tuple[str, Any]]:
    """Values that break a shape's own constraints, and the rule that each breaks."""
    if shape.type in {"string", "blob", "list"}:
        yield from _sizes(shape)
    if shape.type in {"integer", "long", "float", "double"}:
        if shape.max is not None:
            yield "Member must have value less than or equal to ", shape.max + 1
        if shape.min is not None:
            yield "Member must have value greater than or equal to ", shape.min - 1
    if shape.enum:
        yield "Member must satisfy enum value set: [", "No such value"
    elif shape.pattern:
        low, high = limits(shape)
        value = _outside(constraints(shape)["pattern"], low, high)
        if value is not None:
            yield f"Member must satisfy regular expression pattern: {shape.pattern}", value


@cache
def _outside(pattern: str, low: int, high: int) -> str | None:
    """A text of the right length that the pattern does not find; None for a pattern that takes any."""
    size = max(1, low)
    texts = [letter * size for letter in ("é", " ", "!", "{", "\u0001", "\n", "\r", "a", "\ud7ff")] if size <= high else []
    return next((text for text in texts if not re.search(pattern, text)), None)


def _sizes(shape: Shape) -> Iterator[tuple[str, Any]]:
    low, high = limits(shape)
    sample = valid(shape) if shape.type != "list" else None
    if shape.max is not None and high < 200_000:
        yield f"Member must have length less than or equal to {high}", _of_size(shape, sample, high + 1)
    if low:
        yield f"Member must have length greater than or equal to {low}", _of_size(shape, sample, low - 1)


def _of_size(shape: Shape, sample: Any, size: int) -> Any:
    if shape.type == "list":
        return [valid(shape.member.shape, 1) for _ in range(size)]
    if shape.type == "blob":
        return b"x" * size
    return (sample or "a")[:1] * size


_LOADER = botocore.loaders.Loader()


@cache
def client_model(service: str) -> botocore.model.ServiceModel:
    """botocore's own model of a service."""
    return botocore.model.ServiceModel(_LOADER.load_service_model(service, "service-2"), service)


def as_json(document: dict[str, Any]) -> Request:
    """The document as an AWS JSON request."""
    return Request("POST", "/", body=msgspec.json.encode(document))


def as_query(service: str, operation: str, document: dict[str, Any]) -> Request:
    """The document as botocore writes it in the Query protocol, unchecked."""
    serializer = botocore.serialize.create_serializer("query", include_validation=False)
    sent = serializer.serialize_to_request(document, client_model(service).operation_model(operation))
    return Request("POST", "/", body=urllib.parse.urlencode(sent["body"]).encode())


def sayable(operation: OperationModel, document: Any, depth: int = 0) -> bool:
    """Whether the service's protocol can carry the document: Query has no way to write a structure without members."""
    if operation.model.protocol != "query":
        return True
    if isinstance(document, dict):
        return bool(document or not depth) and all(sayable(operation, value, depth + 1) for value in document.values())
    return all(sayable(operation, value, depth + 1) for value in document) if isinstance(document, list) else True


def as_request(operation: OperationModel, document: dict[str, Any]) -> Request:
    """The document in the first protocol of its service, ``query`` or ``json``."""
    if operation.model.protocol == "query":
        return as_query(operation.model.service, operation.name, document)
    return as_json(document)


SECRET = "do not show this"


def everything(shape: Shape, seen: tuple[str, ...] = ()) -> Any:
    """A value with every member set, whatever the constraints say: what is sensitive, and each blob, holds SECRET."""
    if shape.sensitive and shape.type == "string":
        return SECRET
    if shape.type == "structure" and not shape.document:
        return {
            name: everything(member.shape, (*seen, shape.name))
            for name, member in shape.members.items()
            if member.shape_name not in seen
        }
    if shape.type == "list":
        return [] if shape.member.shape_name in seen else [everything(shape.member.shape, seen)]
    if shape.type == "map":
        return {} if shape.value.shape_name in seen else {"key": everything(shape.value.shape, seen)}
    simple = {"boolean": True, "blob": SECRET.encode(), "timestamp": 0.0, "string": "text", "character": "c"}
    return simple.get(shape.type, 1)
