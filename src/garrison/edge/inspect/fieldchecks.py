"""Validation of request components, text transformations and forwarded addresses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from garrison.edge.inspect.checks import choice, distinct, items, mapping, members, number, required, text, union
from garrison.edge.inspect.errors import InvalidParameter
from garrison.edge.inspect.transforms import PRE_PARSE, TRANSFORMS

Document = Mapping[str, Any]
FORCING: Final = ("MATCH", "NO_MATCH")
OVERSIZE: Final = ("CONTINUE", *FORCING)
SCOPES: Final = ("ALL", "KEY", "VALUE")
TRANSFORMATIONS: Final = 10
HIGHEST: Final = 2**31 - 1
_NOT_BLANK: Final = re.compile(r".*\S.*", re.DOTALL)
_POINTER: Final = re.compile(r"/|(?:/(?:[^~]|~[01])+)")
_HEADER: Final = re.compile(r"[a-zA-Z0-9-]+")


def _nothing(spec: Document, field: str) -> None:
    members(spec, (), field)


def _single_header(spec: Document, field: str) -> None:
    members(spec, ("Name",), field)
    text(spec, "Name", "SINGLE_HEADER", most=64, pattern=_NOT_BLANK)


def _single_argument(spec: Document, field: str) -> None:
    members(spec, ("Name",), field)
    text(spec, "Name", "SINGLE_QUERY_ARGUMENT", most=30, pattern=_NOT_BLANK)


def _body(spec: Document, field: str) -> None:
    members(spec, ("OversizeHandling",), field)
    choice(spec, "OversizeHandling", "OVERSIZE_HANDLING", OVERSIZE, optional=True)


def _json_body(spec: Document, field: str) -> None:
    members(spec, ("MatchPattern", "MatchScope", "InvalidFallbackBehavior", "OversizeHandling"), field)
    pattern = mapping(required(spec, "MatchPattern", "JSON_MATCH_PATTERN"), "JSON_MATCH_PATTERN", "MatchPattern")
    _filter(pattern, "JSON_MATCH_PATTERN", {"IncludedPaths": (512, _POINTER)})
    choice(spec, "MatchScope", "JSON_MATCH_SCOPE", SCOPES)
    fallback = "BODY_PARSING_FALLBACK_BEHAVIOR"
    choice(spec, "InvalidFallbackBehavior", fallback, (*FORCING, "EVALUATE_AS_STRING"), optional=True)
    choice(spec, "OversizeHandling", "OVERSIZE_HANDLING", OVERSIZE, optional=True)


def _filter(pattern: Document, field: str, lists: Mapping[str, tuple[int, re.Pattern[str]]]) -> None:
    """A match pattern: everything, or one of the lists of names."""
    chosen = [name for name, value in pattern.items() if value is not None]
    if len(chosen) == 1 and chosen[0] in lists:
        most, allowed = lists[chosen[0]]
        for each in items(pattern, chosen[0], field, 1, 199):
            text({"Name": each}, "Name", field, most=most, pattern=allowed)
    else:
        _nothing(union(pattern, ("All",), field, "MatchPattern")[1], field)


def _pairs(field_name: str, kind: str, most: int) -> Callable[[Document, str], None]:
    def check(spec: Document, field: str) -> None:
        members(spec, ("MatchPattern", "MatchScope", "OversizeHandling"), field)
        pattern = mapping(required(spec, "MatchPattern", field_name), field_name, "MatchPattern")
        _filter(pattern, field_name, {f"Included{kind}s": (most, _NOT_BLANK), f"Excluded{kind}s": (most, _NOT_BLANK)})
        choice(spec, "MatchScope", "MAP_MATCH_SCOPE", SCOPES)
        choice(spec, "OversizeHandling", "OVERSIZE_HANDLING", OVERSIZE)

    return check


def _header_order(spec: Document, field: str) -> None:
    members(spec, ("OversizeHandling",), field)
    choice(spec, "OversizeHandling", "OVERSIZE_HANDLING", OVERSIZE)


def _fingerprint(spec: Document, field: str) -> None:
    members(spec, ("FallbackBehavior",), field)
    choice(spec, "FallbackBehavior", "FALLBACK_BEHAVIOR", FORCING)


def _fragment(spec: Document, field: str) -> None:
    members(spec, ("FallbackBehavior",), field)
    choice(spec, "FallbackBehavior", "FALLBACK_BEHAVIOR", FORCING, optional=True)


_FIELDS: Final[Mapping[str, Callable[[Document, str], None]]] = {
    "SingleHeader": _single_header,
    "SingleQueryArgument": _single_argument,
    "AllQueryArguments": _nothing,
    "UriPath": _nothing,
    "QueryString": _nothing,
    "Method": _nothing,
    "Body": _body,
    "JsonBody": _json_body,
    "Headers": _pairs("HEADER_MATCH_PATTERN", "Header", 64),
    "Cookies": _pairs("COOKIE_MATCH_PATTERN", "Cookie", 60),
    "HeaderOrder": _header_order,
    "JA3Fingerprint": _fingerprint,
    "JA4Fingerprint": _fingerprint,
    "UriFragment": _fragment,
}
FINGERPRINTS: Final = frozenset({"JA3Fingerprint", "JA4Fingerprint"})


def check_field(spec: Document, *, fingerprints: bool = True) -> None:
    """The ``FieldToMatch`` and the transformations of a statement."""
    document = mapping(required(spec, "FieldToMatch", "FIELD_TO_MATCH"), "FIELD_TO_MATCH", "FieldToMatch")
    kind, inner = union(document, _FIELDS, "FIELD_TO_MATCH", "FieldToMatch")
    if kind in FINGERPRINTS and not fingerprints:
        raise InvalidParameter("FIELD_TO_MATCH", kind, "The request component cannot be used with this statement.")
    _FIELDS[kind](inner, "FIELD_TO_MATCH")
    check_transformations(spec)
    before = items(spec, "PreParseTextTransformations", "PRE_PARSE_TEXT_TRANSFORMATION", 0, TRANSFORMATIONS)
    if before and kind not in {"SingleQueryArgument", "AllQueryArguments"}:
        reason = "Pre-parse text transformations are only supported for query arguments."
        raise InvalidParameter("PRE_PARSE_TEXT_TRANSFORMATION", kind, reason)
    _ordered(before, "PRE_PARSE_TEXT_TRANSFORMATION", PRE_PARSE)


def check_transformations(spec: Document) -> None:
    """``TextTransformations``: one to ten, of known types, each with a priority of its own."""
    _ordered(items(spec, "TextTransformations", "TEXT_TRANSFORMATION", 1, TRANSFORMATIONS), "TEXT_TRANSFORMATION", TRANSFORMS)


def _ordered(listed: Any, field: str, known: Mapping[str, Any]) -> None:  # noqa: ANN401 - a list of any JSON
    priorities = []
    for each in listed:
        document = mapping(each, field, "TextTransformation")
        members(document, ("Priority", "Type"), field)
        priorities.append(number(document, "Priority", field, 0, HIGHEST))
        choice(document, "Type", field, known)
    distinct(priorities, field, "priority")


def check_forwarded(spec: Document | None, field: str, *, position: bool = False) -> None:
    """A configuration of forwarded addresses, where there is one."""
    if spec is None:
        return
    document = mapping(spec, field, "ForwardedIPConfig")
    members(document, ("HeaderName", "FallbackBehavior", "Position") if position else ("HeaderName", "FallbackBehavior"), field)
    text(document, "HeaderName", "HEADER_NAME", most=255, pattern=_HEADER)
    choice(document, "FallbackBehavior", "FALLBACK_BEHAVIOR", FORCING)
    if position:
        choice(document, "Position", "POSITION", ("FIRST", "LAST", "ANY"))
