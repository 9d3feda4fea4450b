"""``FieldToMatch``: which parts of a request a statement looks at, within AWS's limits of size.

Sources: the request components and oversize pages of the AWS WAF developer guide; the API reference of ``FieldToMatch``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from garrison.edge.inspect.errors import InvalidParameter
from garrison.edge.inspect.jsonbody import parse, pointer
from garrison.edge.inspect.request import Pairs, WebRequest, parse_arguments
from garrison.edge.inspect.transforms import PRE_PARSE, Transform

COUNT: Final = 200
"""Headers or cookies that are inspected."""
SIZE: Final = 8192
"""Bytes of headers or of cookies that are inspected."""
_FORCED: Mapping[str, bool] = {"MATCH": True, "NO_MATCH": False}


class Parts(NamedTuple):
    """A part of a request: its values, the names that they have, and what does not depend on the values.

    ``forced`` answers every statement where the part cannot be inspected as it should be. ``beyond`` counts the bytes that were
    too many to be inspected.
    """

    values: list[bytes]
    names: Sequence[bytes] | None = None
    forced: bool | None = None
    beyond: int = 0


NOTHING: Final = Parts([])
MATCHES: Final = Parts([], forced=True)
MISSES: Final = Parts([], forced=False)


class Seen:
    """A request within the limits of inspection. ``oversize`` collects what was larger, in the words of the log record."""

    __slots__ = ("_body", "_cookies", "_headers", "body_limit", "oversize", "request")

    def __init__(self, request: WebRequest, body_limit: int) -> None:
        self.request = request
        self.body_limit = body_limit
        self.oversize: set[str] = set()
        self._headers: tuple[Pairs, bool] | None = None
        self._cookies: tuple[Pairs, bool] | None = None
        self._body: bytes | None = None

    @property
    def body(self) -> bytes:
        """The body up to the limit."""
        if self._body is None:
            body = self.request.body
            self._body = body if len(body) <= self.body_limit else body[: self.body_limit]
        return self._body

    @property
    def headers(self) -> tuple[Pairs, bool]:
        """The headers up to the limits, and whether there were more."""
        if self._headers is None:
            self._headers = within(self.request.lowered)
        return self._headers

    @property
    def cookies(self) -> tuple[Pairs, bool]:
        """The cookies up to the limits, and whether there were more."""
        if self._cookies is None:
            self._cookies = within(self.request.cookies)
        return self._cookies


def within(pairs: Pairs) -> tuple[Pairs, bool]:
    """The first 200 pairs, and of these the first 8,192 bytes; whether that leaves something out."""
    if len(pairs) <= COUNT and sum(len(name) + len(value) for name, value in pairs) <= SIZE:
        return pairs, False
    kept: Pairs = []
    room = SIZE
    for name, value in pairs[:COUNT]:
        kept.append((name[:room], value[: max(0, room - len(name))]))
        room -= len(name) + len(value)
        if room <= 0:
            break
    return kept, True


Extract = Callable[[Seen], Parts]


class Field(NamedTuple):
    """A compiled ``FieldToMatch``.

    ``key`` is equal for equal fields. ``location`` and ``name`` are for match details. ``several`` tells that there may be more
    than one value.
    """

    key: str
    location: str
    name: str
    several: bool
    extract: Extract


def _one(document: Mapping[str, Any], parameter: str) -> tuple[str, Mapping[str, Any]]:
    chosen = [(name, value) for name, value in document.items() if value is not None]
    if len(chosen) != 1:
        raise InvalidParameter(
            "FIELD_TO_MATCH", parameter, "You have used none or multiple values for a field that requires exactly one value."
        )
    return chosen[0]


def _single_header(spec: Mapping[str, Any]) -> Field:
    name = str(spec["Name"]).lower().encode()

    def extract(seen: Seen) -> Parts:
        value = seen.request.by_name.get(name)
        return NOTHING if value is None else Parts([value])

    return Field(f"header:{name.decode()}", "HEADER", name.decode(), several=False, extract=extract)


def _arguments(pre_parse: Sequence[Transform]) -> Callable[[Seen], Pairs]:
    if not pre_parse:
        return lambda seen: seen.request.arguments

    def parsed(seen: Seen) -> Pairs:
        query = seen.request.query
        for transform in pre_parse:
            query = transform(query)
        return parse_arguments(query)

    return parsed


def _single_argument(spec: Mapping[str, Any], pre: Sequence[str]) -> Field:
    name = str(spec["Name"]).lower().encode()
    arguments = _arguments([PRE_PARSE[each] for each in pre])

    def extract(seen: Seen) -> Parts:
        return Parts([value for each, value in arguments(seen) if each.lower() == name])

    return Field(f"arg:{','.join(pre)}:{name.decode()}", "SINGLE_QUERY_ARG", name.decode(), several=True, extract=extract)


def _all_arguments(_spec: Mapping[str, Any], pre: Sequence[str]) -> Field:
    arguments = _arguments([PRE_PARSE[each] for each in pre])

    def extract(seen: Seen) -> Parts:
        pairs = arguments(seen)
        return Parts([value for _, value in pairs], [name for name, _ in pairs]) if pairs else NOTHING

    return Field(f"args:{','.join(pre)}", "ALL_QUERY_ARGS", "", several=True, extract=extract)


def _body(spec: Mapping[str, Any]) -> Field:
    handling = spec.get("OversizeHandling") or "CONTINUE"
    forced = _FORCED.get(handling)

    def extract(seen: Seen) -> Parts:
        body = seen.body
        beyond = seen.request.body_size - len(body)
        if beyond > 0:
            seen.oversize.add("REQUEST_BODY")
            return Parts([body], forced=forced, beyond=beyond)
        return Parts([body]) if body else NOTHING

    return Field(f"body:{handling}", "BODY", "", several=False, extract=extract)


def _json_body(spec: Mapping[str, Any]) -> Field:
    handling = spec.get("OversizeHandling") or "CONTINUE"
    fallback = spec.get("InvalidFallbackBehavior")
    scope = spec["MatchScope"]
    pattern = spec["MatchPattern"]
    included = pattern.get("IncludedPaths")
    paths = None if included is None else [pointer(each) for each in included]

    def wanted(body: bytes) -> Parts:
        found = parse(body, paths)
        if not found.valid:
            if fallback == "EVALUATE_AS_STRING":
                return Parts([body])
            if fallback is not None:
                return MATCHES if _FORCED[fallback] else MISSES
        values = found.keys if scope == "KEY" else found.values if scope == "VALUE" else found.keys + found.values
        return Parts(values)

    def extract(seen: Seen) -> Parts:
        body = seen.body
        beyond = seen.request.body_size - len(body)
        if beyond > 0:
            seen.oversize.add("REQUEST_JSON_BODY")
            if handling != "CONTINUE":
                return MATCHES if _FORCED[handling] else MISSES
        return wanted(body)._replace(beyond=max(0, beyond)) if body else NOTHING

    key = f"json:{handling}:{fallback}:{scope}:{included}"
    return Field(key, "JSON_BODY", "", several=True, extract=extract)


def _pairs_field(
    spec: Mapping[str, Any], kind: str, *, fold: bool, pairs: Callable[[Seen], tuple[Pairs, bool]], oversize: str
) -> Field:
    """Headers and cookies: a filter by name, a scope, and handling of what is too large."""
    pattern = spec["MatchPattern"]
    scope = spec["MatchScope"]
    handling = spec["OversizeHandling"]

    def names(member: str) -> frozenset[bytes] | None:
        listed = pattern.get(f"{member}{kind}s")
        return None if listed is None else frozenset((each.lower() if fold else each).encode() for each in listed)

    included, excluded = names("Included"), names("Excluded")

    def extract(seen: Seen) -> Parts:
        found, more = pairs(seen)
        if more:
            seen.oversize.add(oversize)
            if handling != "CONTINUE":
                return MATCHES if _FORCED[handling] else MISSES
        if included is not None:
            found = [each for each in found if each[0] in included]
        elif excluded is not None:
            found = [each for each in found if each[0] not in excluded]
        own = [name for name, _ in found]
        if scope == "KEY":
            return Parts(own, own)
        values = [value for _, value in found]
        return Parts(values, own) if scope == "VALUE" else Parts(own + values, own + own)

    wanted = [sorted(each) if each is not None else None for each in (included, excluded)]
    return Field(f"{kind}:{scope}:{handling}:{wanted}", f"ALL_{kind.upper()}S", "", several=True, extract=extract)


def _headers(spec: Mapping[str, Any]) -> Field:
    return _pairs_field(spec, "Header", fold=True, pairs=lambda seen: seen.headers, oversize="REQUEST_HEADERS")


def _cookies(spec: Mapping[str, Any]) -> Field:
    return _pairs_field(spec, "Cookie", fold=False, pairs=lambda seen: seen.cookies, oversize="REQUEST_COOKIES")


def _header_order(spec: Mapping[str, Any]) -> Field:
    handling = spec["OversizeHandling"]

    def extract(seen: Seen) -> Parts:
        pairs, more = seen.headers
        if more:
            seen.oversize.add("REQUEST_HEADERS")
            if handling != "CONTINUE":
                return MATCHES if _FORCED[handling] else MISSES
        return Parts([b":".join(name for name, _ in pairs)]) if pairs else NOTHING

    return Field(f"order:{handling}", "HEADER_ORDER", "", several=False, extract=extract)


def _whole(kind: str, location: str, get: Callable[[WebRequest], bytes | None], spec: Mapping[str, Any]) -> Field:
    """A part that is one value or absent, with what to do where it is absent."""
    fallback = spec.get("FallbackBehavior")
    absent = NOTHING if fallback is None else MATCHES if _FORCED[fallback] else MISSES

    def extract(seen: Seen) -> Parts:
        value = get(seen.request)
        return absent if not value else Parts([value])

    return Field(f"{kind}:{fallback}", location, "", several=False, extract=extract)


_PLAIN: Mapping[str, tuple[str, Callable[[WebRequest], bytes | None]]] = {
    "UriPath": ("URI", lambda request: request.path),
    "QueryString": ("QUERY_STRING", lambda request: request.query),
    "Method": ("METHOD", lambda request: request.method.encode()),
    "UriFragment": ("URI_FRAGMENT", lambda request: request.fragment),
    "JA3Fingerprint": ("JA3_FINGERPRINT", lambda request: request.ja3.encode()),
    "JA4Fingerprint": ("JA4_FINGERPRINT", lambda request: request.ja4.encode()),
}
_SHAPED: Mapping[str, Callable[[Mapping[str, Any]], Field]] = {
    "SingleHeader": _single_header,
    "Body": _body,
    "JsonBody": _json_body,
    "Headers": _headers,
    "Cookies": _cookies,
    "HeaderOrder": _header_order,
}
_PARSED: Mapping[str, Callable[[Mapping[str, Any], Sequence[str]], Field]] = {
    "SingleQueryArgument": _single_argument,
    "AllQueryArguments": _all_arguments,
}


def compile_field(document: Mapping[str, Any], pre_parse: Sequence[str] = ()) -> Field:
    """The field of a validated ``FieldToMatch`` document. ``pre_parse`` are types of pre-parse transformations in order."""
    kind, spec = _one(document, "FieldToMatch")
    if kind in _PARSED:
        return _PARSED[kind](spec, [each for each in pre_parse if each != "NONE"])
    if kind in _SHAPED:
        return _SHAPED[kind](spec)
    if kind in _PLAIN:
        location, get = _PLAIN[kind]
        return _whole(kind, location, get, spec)
    raise InvalidParameter("FIELD_TO_MATCH", kind, "The request component is not known.")
