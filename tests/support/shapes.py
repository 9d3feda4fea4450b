"""Hypothesis strategies over shapes: documents that a protocol can carry without loss."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from garrison.core.constraints import INTEGERS
from garrison.core.model import Member, Shape

DEPTH = 4

TOKEN = st.text("abcdefgh-", min_size=1, max_size=8).filter(lambda text: text[0] != "-" and text[-1] != "-")
HEADER_TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20).map(str.strip)
LIST_TEXT = st.text("ab c,;=\"'", min_size=1, max_size=10).map(str.strip).filter(bool)
XML_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff", include_characters="\t\n"), max_size=20
)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SECONDS = st.integers(min_value=-2_000_000_000, max_value=4_000_000_000).map(float)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)

SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "blob": st.binary(min_size=1, max_size=20),
    "boolean": st.booleans(),
    "timestamp": SECONDS,
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "double": st.floats(allow_nan=False, allow_infinity=False),
}

LABELS = {"Bucket": st.just("bucket"), "AccountId": st.just("123456789012"), "RequestRoute": st.just("route")}
"""Members that the path or the host makes rules for."""


@st.composite
def documents(draw: st.DrawFn, shape: Shape, *, text: st.SearchStrategy[str] = ANY_TEXT, answer: bool = False) -> dict[str, Any]:
    """A document of a structure: required members, and some of the others. In an answer nothing travels in path or query."""
    found: dict[str, Any] = _structure(draw, shape, text, 0, answer=answer)
    return found


def _structure(
    draw: st.DrawFn, shape: Shape, text: st.SearchStrategy[str], depth: int, *, answer: bool = False
) -> dict[str, Any]:
    members = list(shape.members.values())
    if shape.union:
        members = [draw(st.sampled_from(members))]
    elif depth >= DEPTH:
        members = [member for member in members if member.required] or members[:1]
    else:
        members = _some(draw, members, whole=depth > 0)
    return {
        member.name: _value(draw, member, text, depth, answer=answer)
        for member in members
        if depth < 2 * DEPTH or member.required
    }


def _some(draw: st.DrawFn, members: list[Member], *, whole: bool) -> list[Member]:
    """Required ones, up to four others; inside another structure at least one, for an empty one may leave no trace."""
    required = [member for member in members if member.required]
    optional = [member for member in members if not member.required and not member.shape.traits.get("eventstream")]
    least = 1 if whole and not required and optional else 0
    chosen = (
        draw(st.lists(st.sampled_from(optional), min_size=least, max_size=4, unique_by=lambda one: one.name)) if optional else []
    )
    return required + chosen


def _value(draw: st.DrawFn, member: Member, text: st.SearchStrategy[str], depth: int, *, answer: bool = False) -> Any:
    shape = member.shape
    location = str(member.traits.get("location", ""))
    if answer and location in {"uri", "querystring"}:
        location = ""
    if shape.document:
        return draw(JSON.filter(lambda value: value is not None))
    if shape.type == "structure":
        return _structure(draw, shape, text, depth + 1)
    if shape.type == "list":
        return [_element(draw, shape.member, location, text, depth + 1) for _ in range(draw(st.integers(1, 2)))]
    if shape.type == "map":
        keys = draw(st.lists(_keys(shape, location, text), min_size=1, max_size=2, unique=True))
        return {key: _element(draw, shape.value, location, text, depth + 1) for key in keys}
    return draw(LABELS[member.name] if member.name in LABELS else _scalar(shape, location, text))


def _keys(shape: Shape, location: str, text: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    key = shape.key.shape
    if location == "headers":
        return TOKEN
    return st.sampled_from(key.enum) if key.enum else text


def _element(draw: st.DrawFn, member: Member, location: str, text: st.SearchStrategy[str], depth: int) -> Any:
    if member.shape.type in {"structure", "list", "map"}:
        return _value(draw, member, text, depth)
    if location == "header" and member.shape.type == "string" and not member.shape.enum:
        return draw(LIST_TEXT)
    return draw(_scalar(member.shape, location, text))


def _scalar(shape: Shape, location: str, text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    if shape.type in {"string", "character"}:
        if shape.enum:
            return st.sampled_from(shape.enum)
        return {"header": HEADER_TEXT, "headers": HEADER_TEXT, "uri": ANY_TEXT.filter(bool)}.get(location, text)
    return SCALARS[shape.type] if shape.type in SCALARS else st.integers(*INTEGERS[shape.type])
