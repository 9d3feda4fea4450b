"""Inputs made from a model: the smallest that a client accepts, and one with every member."""

from __future__ import annotations

from typing import Any

from garrison.core.model import Member, OperationModel, Shape

DEPTH = 5

BY_NAME = {
    "AccountId": "123456789012",
    "Bucket": "own-bucket",
    "RequestRoute": "route",
    "Key": "a dir/b+c&d=é %41//e",
    "CopySource": "other-bucket/key",
    "OutpostId": "op-0123456789",
}
"""Members with rules that the client looks at or that make a host name."""

WORDS = {"header": "a;b", "headers": "x y", "uri": "a b+é:1", "querystring": "a b+&=é%"}
"""Text by where it travels: each place has characters of its own that must survive it."""


def smallest(operation: OperationModel) -> dict[str, Any]:
    """Required members alone."""
    return _structure(operation.input.shape, full=False, depth=0) if operation.input else {}


def fullest(operation: OperationModel) -> dict[str, Any]:
    """Every member, to a bounded depth; of a union one."""
    return _structure(operation.input.shape, full=True, depth=0) if operation.input else {}


def _structure(shape: Shape, *, full: bool, depth: int) -> dict[str, Any]:
    if shape.document:
        return {"free": ["form", 1]}
    members = list(shape.members.values())
    if shape.union:
        return {member.name: _value(member, full=full, depth=depth) for member in members[:1]}
    chosen = [member for member in members if member.required or (full and depth < DEPTH)]
    if not chosen and depth:
        chosen = members[:1]  # forms cannot say that a structure is there but empty
    return {member.name: _value(member, full=full, depth=depth) for member in chosen}


def _value(member: Member, *, full: bool, depth: int) -> Any:
    shape = member.shape
    if shape.type == "structure":
        return _structure(shape, full=full, depth=depth + 1)
    if shape.type == "list":
        count = max(int(shape.min or 0), 2 if full and shape.max != 1 else 1)
        return [_value(shape.member, full=full, depth=depth + 1) for _ in range(count)]
    if shape.type == "map" and member.traits.get("location") == "headers":
        return {"word": WORDS["headers"]}
    if shape.type == "map":
        return {str(_value(shape.key, full=full, depth=depth + 1)): _value(shape.value, full=full, depth=depth + 1)}
    return _scalar(member, shape)


def _scalar(member: Member, shape: Shape) -> Any:
    match shape.type:
        case "string" | "character":
            return _text(member, shape)
        case "blob":
            return b"\x00\xff bytes" if not member.traits.get("location") else b"bytes"
        case "boolean":
            return True
        case "timestamp":
            return 1_700_000_000.0
        case "float" | "double":
            return max(float(shape.min or 0), 1.5)
        case _:
            return max(int(shape.min or 0), 1)


def _text(member: Member, shape: Shape) -> str:
    if member.name in BY_NAME:
        return BY_NAME[member.name]
    if shape.enum:
        return shape.enum[0]
    text = WORDS.get(str(member.traits.get("location")), "a <b>& é\"'\n")
    return text + "x" * max(0, int(shape.min or 0) - len(text))
