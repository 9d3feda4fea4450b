"""Hypothesis strategies for documents of a model's shapes."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from garrison.core.constraints import INTEGERS, constraints
from garrison.core.model import Member, Shape
from tests.support.documents import limits, valid

MAX_LEVELS = 4
"""Levels below which optional members are left out, so that recursive shapes end."""


NOT_IN_XML = "\ufffe\uffff"
"""What XML 1.0 has no way to write, beside control characters."""


@cache
def documents(shape: Shape, *, sloppy: bool, level: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Documents of a structure. Sloppy ones have the right types, but may break any constraint."""
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, member in shape.members.items():
        if level < MAX_LEVELS or member.required:
            values = value(member, sloppy=sloppy, level=level)
            (required if member.required and not sloppy else optional)[name] = values
    if shape.union and not sloppy:
        return st.one_of([st.fixed_dictionaries({name: values}) for name, values in (required | optional).items()])
    return st.fixed_dictionaries(required, optional=optional)


def value(member: Member, *, sloppy: bool, level: int) -> st.SearchStrategy[Any]:
    """Values of a reference."""
    shape = member.shape
    if shape.document:
        return st.none() | st.booleans() | st.text(max_size=3)
    if shape.type == "structure":
        return st.deferred(lambda: documents(shape, sloppy=sloppy, level=level + 1))
    low, high = limits(shape)
    if shape.type == "list":
        inner = value(shape.member, sloppy=sloppy, level=level + 1)
        few = st.lists(inner, min_size=low, max_size=min(high, low + 2))
        return few | st.lists(inner | st.none(), max_size=low + 2) if sloppy else few
    if shape.type == "map":
        keys, values = value(shape.key, sloppy=sloppy, level=level), value(shape.value, sloppy=sloppy, level=level + 1)
        return st.dictionaries(keys, values, min_size=0 if sloppy else low, max_size=min(high, low + 2))
    return scalar(shape, sloppy=sloppy)


@cache
def scalar(shape: Shape, *, sloppy: bool) -> st.SearchStrategy[Any]:
    """Values of a scalar shape."""
    good = _good(shape)
    return good | _any(shape) if sloppy else good


def _good(shape: Shape) -> st.SearchStrategy[Any]:
    low, high = limits(shape)
    if shape.enum:
        return st.sampled_from(shape.enum)
    if shape.type in {"string", "character"}:
        pattern = constraints(shape).get("pattern")
        plain = st.text(
            st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters=NOT_IN_XML),
            min_size=low,
            max_size=min(high, low + 10),
        )
        return st.just(valid(shape)) if pattern else plain
    if shape.type == "blob":
        return st.binary(min_size=low, max_size=min(high, low + 10))
    return _number(shape)


def _number(shape: Shape) -> st.SearchStrategy[Any]:
    if shape.type == "boolean":
        return st.booleans()
    if shape.type == "timestamp":
        return st.integers(0, 4_000_000_000).map(float)
    if shape.type in INTEGERS:
        found = constraints(shape)
        return st.integers(found.get("ge", -1000), found.get("le", 1000))
    return st.floats(shape.min, shape.max, allow_nan=False, allow_infinity=False)


def _any(shape: Shape) -> st.SearchStrategy[Any]:
    low, high = limits(shape)
    edges = [size for size in {low - 1, low, high, high + 1} if 0 <= size < 10_000]
    if shape.type in {"string", "character"}:
        first = (valid(shape) or "a")[:1]
        return st.text(max_size=5) | st.sampled_from(edges or [1]).map(lambda size: first * size)
    if shape.type == "blob":
        return st.sampled_from(edges or [1]).map(lambda size: b"x" * size)
    if shape.type in INTEGERS:
        return st.sampled_from(
            [-1, 0, 1, *(int(edge) + step for edge in (shape.min, shape.max) if edge is not None for step in (-1, 0, 1))]
        )
    return _number(shape)
