"""The service models: shapes and operations as botocore describes them.

The snapshots under ``garrison/api/models`` are botocore's models without their prose, made by
``tools/generate_api.py``. They are read when a service is first needed; botocore itself is not imported by the server.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from functools import cache, cached_property
from importlib import resources
from typing import Any

import msgspec

_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PLURAL_ACRONYM = re.compile(r"([A-Z]{2,})s(?=[A-Z]|$)")


def attribute(member: str) -> str:
    """The Python attribute of a model member: ``UserName`` to ``user_name``, ``MFADevices`` to ``mfa_devices``."""
    folded = _PLURAL_ACRONYM.sub(lambda found: found[1].capitalize() + "s", member)
    name = re.sub(r"\W", "_", _BOUNDARY.sub("_", folded)).lower()
    if name[0].isdigit():
        name = f"_{name}"
    return f"{name}_" if keyword.iskeyword(name) or name in {"self", "print"} else name


class Member:
    """A reference from one shape to another, with the traits that stand on the reference."""

    __slots__ = ("_model", "attr", "name", "required", "shape_name", "traits")

    def __init__(self, model: ServiceModel, name: str, reference: Mapping[str, Any], *, required: bool = False) -> None:
        self._model = model
        self.name = name
        self.attr = attribute(name) if name else ""
        self.shape_name: str = reference["shape"]
        self.traits = reference
        self.required = required

    @property
    def shape(self) -> Shape:
        """The shape referred to."""
        return self._model.shape(self.shape_name)

    def trait(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - traits are JSON values
        """A trait of the reference, else of the shape: ``locationName``, ``location``, ``timestampFormat`` ..."""
        if name in self.traits:
            return self.traits[name]
        return self.shape.traits.get(name, default)


class Shape:
    """A named type of a model.

    ``type`` is one of structure, list, map, string, character, integer, long, float, double, boolean, blob, timestamp ...
    """

    def __init__(self, model: ServiceModel, name: str, traits: Mapping[str, Any]) -> None:
        self._model = model
        self.name = name
        self.traits = traits
        self.type: str = traits["type"]
        self.enum: tuple[str, ...] = tuple(traits.get("enum", ()))
        self.min: float | None = traits.get("min")
        self.max: float | None = traits.get("max")
        self.pattern: str | None = traits.get("pattern")
        self.sensitive: bool = bool(traits.get("sensitive", False))
        self.union: bool = bool(traits.get("union", False))
        self.document: bool = bool(traits.get("document", False))

    @cached_property
    def members(self) -> dict[str, Member]:
        """Of a structure: its members by model name, in the model's order."""
        required = set(self.traits.get("required", ()))
        return {
            name: Member(self._model, name, reference, required=name in required)
            for name, reference in self.traits.get("members", {}).items()
        }

    @cached_property
    def member(self) -> Member:
        """Of a list: what it holds."""
        return Member(self._model, "", self.traits["member"])

    @cached_property
    def key(self) -> Member:
        """Of a map: its keys."""
        return Member(self._model, "", self.traits["key"])

    @cached_property
    def value(self) -> Member:
        """Of a map: its values."""
        return Member(self._model, "", self.traits["value"])

    @property
    def is_exception(self) -> bool:
        """Whether it is an error that an operation may answer."""
        return bool(self.traits.get("exception", False))

    @property
    def error_code(self) -> str:
        """The code on the wire: ``NoSuchEntity`` of ``NoSuchEntityException``."""
        return str(self.traits.get("error", {}).get("code", self.name))

    @property
    def error_status(self) -> int:
        """The HTTP status of an exception shape."""
        default = 500 if self.traits.get("fault") else 400
        return int(self.traits.get("error", {}).get("httpStatusCode", default))

    def __repr__(self) -> str:
        return f"<Shape {self.name}: {self.type}>"


class OperationModel:
    """One operation of a model."""

    def __init__(self, model: ServiceModel, name: str, traits: Mapping[str, Any]) -> None:
        self.model = model
        self.name = name
        self.traits = traits
        http = traits.get("http", {})
        self.method: str = http.get("method", "POST")
        self.uri: str = http.get("requestUri", "/")
        self.status: int = int(http.get("responseCode", 200))
        self.auth_type: str | None = traits.get("authtype")
        self.input: Member | None = Member(model, "", traits["input"]) if "input" in traits else None
        self.output: Member | None = Member(model, "", traits["output"]) if "output" in traits else None

    @property
    def errors(self) -> tuple[str, ...]:
        """Names of the exception shapes that the operation declares."""
        return tuple(error["shape"] for error in self.traits.get("errors", ()))

    def __repr__(self) -> str:
        return f"<Operation {self.model.service}:{self.name}>"


class ServiceModel:
    """A service: its protocol, operations and shapes."""

    def __init__(self, service: str, raw: Mapping[str, Any]) -> None:
        self.service = service
        self.metadata: Mapping[str, Any] = raw["metadata"]
        self._raw = raw
        self._shapes: dict[str, Shape] = {}
        self._operations: dict[str, OperationModel] = {}

    @property
    def protocol(self) -> str:
        """The first protocol: query, ec2, json, rest-json, rest-xml, smithy-rpc-v2-cbor."""
        return str(self.metadata["protocol"])

    @property
    def protocols(self) -> tuple[str, ...]:
        """Every protocol that the service speaks."""
        return tuple(self.metadata.get("protocols", (self.protocol,)))

    @property
    def signing_name(self) -> str:
        """The service in a signature's credential scope."""
        return str(self.metadata.get("signingName", self.metadata["endpointPrefix"]))

    @property
    def operation_names(self) -> tuple[str, ...]:
        """Every modelled operation."""
        return tuple(self._raw["operations"])

    def operation(self, name: str) -> OperationModel | None:
        """An operation by its exact name; None where the model has none."""
        if name not in self._operations:
            if name not in self._raw["operations"]:
                return None
            self._operations[name] = OperationModel(self, name, self._raw["operations"][name])
        return self._operations[name]

    def shape(self, name: str) -> Shape:
        """A shape by name. Raises KeyError where the model has none."""
        found = self._shapes.get(name)
        if found is None:
            found = self._shapes[name] = Shape(self, name, self._raw["shapes"][name])
        return found

    @property
    def shape_names(self) -> tuple[str, ...]:
        """Every shape."""
        return tuple(self._raw["shapes"])


def _models() -> Any:  # noqa: ANN401 - importlib's Traversable is not stable across versions
    return resources.files("garrison") / "api" / "models"


@cache
def service_names() -> tuple[str, ...]:
    """The services that have a model here, by botocore's names."""
    return tuple(sorted(entry.name.removesuffix(".json") for entry in _models().iterdir() if entry.name.endswith(".json")))


class _Head(msgspec.Struct):
    """Of a snapshot, only what names the service; the decoder steps over the rest."""

    metadata: dict[str, Any]


@cache
def load_metadata(service: str) -> Mapping[str, Any]:
    """A service's metadata, cheaper than its model. Raises KeyError where there is none."""
    if service not in service_names():
        raise KeyError(service)
    return msgspec.json.decode((_models() / f"{service}.json").read_bytes(), type=_Head).metadata


@cache
def load_model(service: str) -> ServiceModel:
    """A service's model. Raises KeyError where there is none."""
    if service not in service_names():
        raise KeyError(service)
    return ServiceModel(service, msgspec.json.decode((_models() / f"{service}.json").read_bytes()))
