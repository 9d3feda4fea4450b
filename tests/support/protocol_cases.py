"""botocore's protocol cases as a server sees them."""

from __future__ import annotations

import base64
import functools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from garrison.core.http import Request
from garrison.core.model import Member, OperationModel, ServiceModel, Shape
from garrison.wire.rest_routes import RestRoutes

ROOT = Path(__file__).resolve().parent.parent / "vectors" / "protocols"
WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
SCALARS: dict[str, Callable[[Any], Any]] = {
    "blob": lambda value: value.encode(),
    "float": lambda value: WORDS[value] if isinstance(value, str) else float(value),
    "double": lambda value: WORDS[value] if isinstance(value, str) else float(value),
    "timestamp": float,
}


@dataclass(frozen=True)
class Case:
    """One case and the suite around it."""

    file: str
    suite: Mapping[str, Any]
    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        return f"{self.file}:{self.raw['id']}"

    @property
    def protocol(self) -> str:
        return str(self.suite["metadata"]["protocol"])

    @functools.cached_property
    def operation(self) -> OperationModel:
        given = self.raw["given"]
        metadata = {
            "endpointPrefix": "test",
            "serviceId": "Test",
            "xmlNamespace": "https://example.com/",
            **self.suite["metadata"],
        }
        model = ServiceModel("test", {"metadata": metadata, "shapes": self.suite["shapes"], "operations": {given["name"]: given}})
        operation = model.operation(given["name"])
        assert operation is not None
        return operation


def cases(direction: str) -> Iterator[Case]:
    """Every case of ``input`` or ``output``."""
    for path in sorted((ROOT / direction).glob("*.json")):
        for suite in json.loads(path.read_text()):
            for raw in suite["cases"]:
                yield Case(path.stem, suite, raw)


def request_of(case: Case) -> Request:
    """The request that the case expects a client to send."""
    given = case.raw["serialized"]
    path, _, query = given["uri"].partition("?")
    body = given.get("body", "")
    raw = base64.b64decode(body) if case.protocol == "smithy-rpc-v2-cbor" else body.encode()
    headers = [(name.lower(), value.encode().decode("latin-1")) for name, value in given.get("headers", {}).items()]
    return Request(given.get("method", "POST"), path, query, headers, raw)


def path_parameters(case: Case, request: Request) -> Mapping[str, str]:
    """The labels of a REST path, by the router's own trie."""
    if not case.protocol.startswith("rest-"):
        return {}
    found = RestRoutes(case.operation.model).find(request, request.path)
    assert found is not None, f"no route for {request.method} {request.path}?{request.query}"
    assert found.operation.name == case.operation.name
    return found.path_parameters


def document(member: Member | None, value: Any) -> Any:
    """A case's params or result as a document: bytes, float times, floats for NaN and the like, nulls left out."""
    if member is None or value is None:
        return {} if member is None else None
    return _convert(member, member.shape, value)


def _convert(member: Member, shape: Shape, value: Any) -> Any:
    if shape.document or member.trait("jsonvalue"):
        return value
    if shape.type == "structure":
        named = ((name, document(shape.members[name], item)) for name, item in value.items())
        return {name: item for name, item in named if item is not None}
    if shape.type == "list":
        return [document(shape.member, item) for item in value]
    if shape.type == "map":
        return {key: document(shape.value, item) for key, item in value.items()}
    return SCALARS.get(shape.type, lambda given: given)(value)


def same(left: Any, right: Any) -> bool:
    """Equality in which NaN equals NaN and a boolean is no number."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)
