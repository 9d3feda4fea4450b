"""Requests and answers as audit events show them: lower camel names, secrets hidden, blobs left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from garrison.core.model import Member, Shape
from garrison.wire.protocols.base import forward
from garrison.wire.protocols.scalars import format_timestamp
from garrison.wire.validation import lower_camel

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
"""What CloudTrail puts in the place of a secret."""

Mask = Callable[[Any], Any]


class Masking:
    """Compiles shapes of one model into functions from structs (or documents) to what may be shown."""

    def __init__(self) -> None:
        self._done: dict[str, Mask] = {}

    def of(self, member: Member) -> Mask:
        """The mask of a reference, compiled once per shape."""
        if member.traits.get("sensitive") or member.shape.sensitive:
            return _hide
        name = member.shape_name
        if name not in self._done:
            self._done[name] = forward(self._done, name)
            self._done[name] = self._compile(member.shape)
        return self._done[name]

    def _compile(self, shape: Shape) -> Mask:
        if shape.document:
            return _same
        collections = {"structure": self._structure, "list": self._list, "map": self._map}
        if shape.type in collections:
            return collections[shape.type](shape)
        return format_timestamp if shape.type == "timestamp" else _same

    def _structure(self, shape: Shape) -> Mask:
        fields = [
            (name, member.attr, lower_camel(name), None if self._is_plain(member) else self.of(member))
            for name, member in shape.members.items()
            if member.shape.type != "blob"
        ]

        def mask(value: Any) -> dict[str, Any]:  # noqa: ANN401 - struct or dict
            shown: dict[str, Any] = {}
            document = isinstance(value, dict)
            for name, attr, label, inner in fields:
                item = value.get(name) if document else getattr(value, attr)
                if item is not None:
                    shown[label] = item if inner is None else inner(item)
            return shown

        return mask

    @staticmethod
    def _is_plain(member: Member) -> bool:
        shape = member.shape
        compound = shape.type in {"structure", "list", "map", "timestamp", "blob"}
        return not (compound or shape.sensitive or member.traits.get("sensitive"))

    def _list(self, shape: Shape) -> Mask:
        if shape.member.shape.type == "blob":
            return _nothing
        inner = self.of(shape.member)
        return lambda value: [inner(item) for item in value]

    def _map(self, shape: Shape) -> Mask:
        if shape.value.shape.type == "blob":
            return lambda value: dict.fromkeys(value, HIDDEN)
        key, inner = self.of(shape.key), self.of(shape.value)
        return lambda value: {key(name): inner(item) for name, item in value.items()}


def _same(value: Any) -> Any:  # noqa: ANN401 - a scalar
    return value


def _hide(value: Any) -> str:  # noqa: ANN401, ARG001 - whatever it is, it is not looked at
    return HIDDEN


def _nothing(value: Any) -> list[Any]:  # noqa: ANN401, ARG001 - blobs are left out
    return []
