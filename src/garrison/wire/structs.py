"""Struct types of services that have no generated module: built from the model when they are first needed."""

from __future__ import annotations

import re
import sys
from functools import cache
from types import ModuleType
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from garrison.core.constraints import constraints
from garrison.core.model import Member, ServiceModel, Shape, load_model

_SCALARS = {
    "string": "str", "character": "str", "blob": "bytes", "timestamp": "float", "float": "float", "double": "float",
    "bigdecimal": "float", "integer": "int", "long": "int", "short": "int", "byte": "int", "biginteger": "int", "boolean": "bool",
}  # fmt: skip


class Builder:
    """Struct types of one model. A recursive shape is found by name in the builder's own module when msgspec resolves it."""

    def __init__(self, model: ServiceModel) -> None:
        self._module = ModuleType(f"{__name__}.{model.service}")
        self._names = self._module.__dict__
        self._names.update(Annotated=Annotated, Any=Any)
        sys.modules[self._module.__name__] = self._module  # where msgspec looks annotations up

    def type_of(self, member: Member | None) -> type[Struct] | None:
        """The struct of an operation's input or output; None where it has none."""
        if member is None:
            return None
        found: type[Struct] = self._names[self._text(member.shape)]
        return found

    def _text(self, shape: Shape) -> str:
        """A shape's annotation, built with all that it needs."""
        if shape.document:
            return "Any"
        if shape.type == "structure":
            return self._structure(shape)
        if shape.type == "list":
            base = f"list[{self._text(shape.member.shape)}]"
        elif shape.type == "map":
            base = f"dict[{self._text(shape.key.shape)}, {self._text(shape.value.shape)}]"
        else:
            base = _SCALARS[shape.type]
        limits = constraints(shape)
        if not limits:
            return base
        name = f"meta_{_identifier(shape)}"
        self._names[name] = Meta(**limits)
        return f"Annotated[{base}, {name}]"

    def _structure(self, shape: Shape) -> str:
        name = f"S_{_identifier(shape)}"
        if name in self._names:
            return name
        self._names[name] = None  # a shape that contains itself finds the name taken
        fields: list[Any] = []
        for member in sorted(shape.members.values(), key=lambda member: not member.required):
            text = self._text(member.shape)
            if member.required:
                fields.append((member.attr, text, msgspec.field(name=member.name)))
            else:
                fields.append((member.attr, f"{text} | None", msgspec.field(default=None, name=member.name)))
        self._names[name] = msgspec.defstruct(name, fields, kw_only=True, omit_defaults=True, module=self._module.__name__)
        return name


def _identifier(shape: Shape) -> str:
    return re.sub(r"\W", "_", shape.name)


@cache
def builder(service: str) -> Builder:
    """The builder of a service's structs. Raises KeyError where there is no such service."""
    return Builder(load_model(service))
