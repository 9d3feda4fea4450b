"""Inspecting requests with a web ACL, and saying on which bytes a rule matched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from garrison.cli.waf.requests import Sourced
from garrison.edge.inspect import (
    Action,
    CompiledAcl,
    Location,
    MatchDetail,
    RateTable,
    State,
    Token,
    TokenState,
    Verdict,
    WebRequest,
)

_SPACES: Final = frozenset(b" \t\r\n\v\f")
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})|%u([0-9A-Fa-f]{4})|\+")


class Place(NamedTuple):
    """Bytes of a request: ``start`` up to ``end`` of its ``part``. ``exact`` is False where only the value is known."""

    part: str
    start: int
    end: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """What decided: the rule, and the details of its match with their places."""

    rule: str
    in_group: str
    group: str
    details: tuple[tuple[MatchDetail, Place | None], ...]

    @property
    def name(self) -> str:
        """``rule > rule of its group``."""
        return f"{self.rule} > {self.in_group}" if self.in_group else self.rule


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request with its verdict."""

    where: str
    method: str
    target: str
    action: Action
    hit: Hit
    counted: tuple[str, ...]
    """Rules that matched without deciding."""
    labels: tuple[str, ...]
    expected: str = ""

    @property
    def stopped(self) -> bool:
        """Whether the request would not reach the application."""
        return self.action is not Action.ALLOW

    @property
    def as_expected(self) -> bool:
        """Whether it went as expected, where anything was."""
        return self.expected in {"", "any"} or self.stopped == (self.expected == "block")


def inspect(
    acl: CompiledAcl, requests: Iterable[Sourced], expected: str, locate: Callable[[str], Location], *, solved: bool
) -> Iterator[Outcome]:
    """The outcomes in the order of the requests. Rates are counted at the times that the files tell."""
    rates = RateTable()
    for each in requests:
        request = each.request
        request.country, request.region, request.asn = locate(request.source_ip)
        token = Token()
        if solved:
            token = Token(TokenState.ACCEPTED, "test", captcha_solved=request.time, challenge_solved=request.time)
        verdict = acl.inspect(request, State(rates, token))
        yield _outcome(each, verdict, each.expected or expected)


def _outcome(sourced: Sourced, verdict: Verdict, expected: str) -> Outcome:
    request = sourced.request
    hit = Hit(
        verdict.rule,
        verdict.rule_in_group or "",
        verdict.group or "",
        tuple((each, place(request, each)) for each in verdict.details),
    )
    counted = [each.rule for each in verdict.matches]
    counted += [f"{group.rule} > {each.rule}" for group in verdict.groups for each in group.non_terminating]
    return Outcome(
        sourced.where,
        request.method,
        request.target.decode("utf-8", "backslashreplace"),
        verdict.action,
        hit,
        tuple(dict.fromkeys(counted)),
        verdict.labels,
        expected,
    )


# Where the bytes stand


def place(request: WebRequest, detail: MatchDetail) -> Place | None:
    """Where what a rule matched stands in the request, None where that cannot be said.

    A rule looks at transformed values. What it matched is looked for as it is, and as URL decoding makes it; where it is in
    neither, the place is that of the whole value.
    """
    values = _values(request, detail)
    matched = next((each for each in detail.matched if each), b"")
    if matched:
        for part, offset, value in values:
            found = _find(value, matched)
            if found is not None:
                return Place(part, offset + found[0], offset + found[1], exact=True)
    if len(values) != 1:
        return None
    part, offset, value = values[0]
    return Place(part, offset, offset + len(value), exact=False)


def _find(value: bytes, matched: bytes) -> tuple[int, int] | None:
    """Where ``matched`` stands in ``value`` whatever the case, escaped or not, and whatever the white space."""
    wanted = matched.lower()
    at = value.lower().find(wanted)
    if at >= 0:
        return at, at + len(wanted)
    decoded, places = _decoded(value)
    at = decoded.lower().find(wanted)
    if at >= 0:
        return places[at], places[at + len(wanted)]
    wanted = b"".join(wanted.split())
    kept = [index for index, byte in enumerate(decoded) if byte not in _SPACES]
    at = bytes(decoded[index] for index in kept).lower().find(wanted) if wanted else -1
    return None if at < 0 else (places[kept[at]], places[kept[at + len(wanted) - 1] + 1])


def _decoded(value: bytes) -> tuple[bytes, list[int]]:
    """A value without its URL encoding, and where each byte of it begins in ``value``; one more place for its end."""
    out = bytearray()
    places: list[int] = []
    at = 0
    for found in _ESCAPE.finditer(value):
        out += value[at : found.start()]
        places.extend(range(at, found.start()))
        byte = int(found[1], 16) if found[1] else min(int(found[2], 16), 255) if found[2] else 32
        out.append(byte)
        places.append(found.start())
        at = found.end()
    out += value[at:]
    places.extend(range(at, len(value) + 1))
    return bytes(out), places


def _values(request: WebRequest, detail: MatchDetail) -> list[tuple[str, int, bytes]]:
    """The values that a detail can be of, with their part of the request and their offset in it."""
    name = detail.field.encode("utf-8", "replace").lower()
    plain = _PLAIN.get(detail.location)
    if plain is not None:
        part, value = plain, _PARTS[plain](request)
        return [(part, 0, value)] if value else []
    if detail.location in {"ALL_QUERY_ARGS", "SINGLE_QUERY_ARG"}:
        return _arguments(request.query, name)
    if detail.location in {"HEADER", "ALL_HEADERS"}:
        return [(f"header {each.decode('latin-1')}", 0, value) for each, value in request.headers if each.lower() == name]
    if detail.location == "ALL_COOKIES":
        return _cookies(request, name)
    return []


_PARTS: Final[Mapping[str, Callable[[WebRequest], bytes]]] = {
    "path": lambda request: request.path,
    "query string": lambda request: request.query,
    "body": lambda request: request.body,
    "method": lambda request: request.method.encode(),
}
_PLAIN: Final[Mapping[str, str]] = {
    "URI": "path",
    "QUERY_STRING": "query string",
    "BODY": "body",
    "JSON_BODY": "body",
    "METHOD": "method",
}


def _arguments(query: bytes, name: bytes) -> list[tuple[str, int, bytes]]:
    """The arguments of the name, or the names themselves where they have no values."""
    found: list[tuple[str, int, bytes]] = []
    at = 0
    for part in query.split(b"&"):
        own, mark, value = part.partition(b"=")
        if own.lower() == name:
            start = at + len(own) + len(mark) if value else at
            found.append(("query string", start, value or own))
        at += len(part) + 1
    return found


def _cookies(request: WebRequest, name: bytes) -> list[tuple[str, int, bytes]]:
    found: list[tuple[str, int, bytes]] = []
    for header, text in request.headers:
        if header.lower() != b"cookie":
            continue
        at = 0
        for part in text.split(b";"):
            own, mark, value = part.partition(b"=")
            if own.strip().lower() == name:
                found.append(("header Cookie", at + len(own) + len(mark), value))
            at += len(part) + 1
    return found
