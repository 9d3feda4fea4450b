"""REST paths to operations: one trie per service, compiled from the model's request URIs.

A node's literal segment wins over a label, a label over a greedy label. Operations that share method and path are told
apart by the literals of their request URI's query (``?policy``, ``?list-type=2``), then by their required query
parameters and headers. Source: Smithy 2.0, "HTTP bindings", "HTTP URI label" and "Query string literals".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.core.model import OperationModel, ServiceModel, Shape


class Match(NamedTuple):
    """An operation found by its path."""

    operation: OperationModel
    path_parameters: dict[str, str]
    query: dict[str, str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One operation at the end of a path."""

    operation: OperationModel
    labels: tuple[str, ...]
    literals: Mapping[str, str]
    """Query parameters that the request URI spells out; an empty value means that presence is enough."""
    query: tuple[str, ...]
    """Required query parameters that not all candidates of the path share."""
    headers: tuple[str, ...]
    """The same for headers, in lower case."""

    def literals_met(self, query: Mapping[str, str]) -> bool:
        """Whether the query holds every literal."""
        return all(name in query and (not value or query[name] == value) for name, value in self.literals.items())

    def required_met(self, query: Mapping[str, str], request: Request) -> bool:
        """Whether the required parameters and headers are there."""
        for name in self.query:
            if name not in query:
                return False
        return not self.headers or {name for name, _ in request.headers}.issuperset(self.headers)


@dataclass(frozen=True, slots=True)
class _Ends:
    """The operations of one method and path."""

    special: Mapping[str, tuple[Candidate, ...]]
    """Those whose URI has query literals, by the first of them; the most demanding first."""
    plain: tuple[Candidate, ...]
    """The others, the most demanding first."""
    names: frozenset[str]
    """Query parameters that occur as literals."""

    def choose(self, query: Mapping[str, str], request: Request) -> Candidate | None:
        """Most literals first; among equals the one whose required parameters are all there, else the least demanding."""
        met: Sequence[Candidate] = ()
        if query and not self.names.isdisjoint(query):
            met = [one for name in query for one in self.special.get(name, ()) if one.literals_met(query)]
            most = max((len(one.literals) for one in met), default=0)
            met = [one for one in met if len(one.literals) == most]
        met = met or self.plain
        if len(met) < 2:
            return met[0] if met else None
        return next((candidate for candidate in met if candidate.required_met(query, request)), met[-1])


@dataclass(slots=True)
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    label: _Node | None = None
    greedy: list[tuple[tuple[str, ...], _Node]] = field(default_factory=list)
    """A greedy label's fixed tail segments and what stands at the end, longest tail first."""
    ends: dict[str, _Ends] = field(default_factory=dict)
    """By method."""


class RestRoutes:
    """The REST operations of one service."""

    def __init__(self, model: ServiceModel) -> None:
        self.model = model
        self._root = _Node()
        grouped: dict[tuple[str, str], list[OperationModel]] = {}
        for name in model.operation_names:
            operation = model.operation(name)
            if operation is not None:
                grouped.setdefault((operation.method, _skeleton(operation.uri)), []).append(operation)
        self.literal_names: set[str] = set()
        """Every query parameter that some operation's URI spells out: S3's sub-resources."""
        for (method, _), operations in grouped.items():
            self._insert(method, operations)

    def _insert(self, method: str, operations: Sequence[OperationModel]) -> None:
        ends = _ends(operations)
        self.literal_names |= ends.names
        self._end(operations[0].uri.partition("?")[0]).ends[method] = ends

    def _end(self, path: str) -> _Node:
        node = self._root
        segments = _segments(path)
        for index, segment in enumerate(segments):
            if segment.endswith("+}"):
                return _greedy(node, tuple(segments[index + 1 :]))
            if segment.startswith("{"):
                node.label = node.label or _Node()
                node = node.label
            else:
                node = node.children.setdefault(segment, _Node())
        return node

    def find(self, request: Request, path: str) -> Match | None:
        """The operation of a request whose path, within the service, is ``path``; None where there is none.

        Raises CommonError("malformed") where the path's percent-encoding is not UTF-8.
        """
        segments = _segments(path)
        values: list[str] = []
        ends = _walk(self._root, segments, 0, request.method, values)
        if ends is None and segments and not segments[-1]:
            values.clear()
            ends = _walk(self._root, segments[:-1], 0, request.method, values)
        if ends is None:
            return None
        query = parse_query(request.query) if request.query else {}
        chosen = ends.choose(query, request)
        if chosen is None:
            return None
        return Match(chosen.operation, dict(zip(chosen.labels, map(decoded, values), strict=True)), query)


def _segments(path: str) -> list[str]:
    bare = path.removeprefix("/")
    return bare.split("/") if bare else []


def _skeleton(uri: str) -> str:
    """The path with its labels unnamed, so that operations which differ in a label's name alone meet."""
    return "/".join(
        ("{+}" if segment.endswith("+}") else "{}") if segment.startswith("{") else segment
        for segment in _segments(uri.partition("?")[0])
    )


def _greedy(node: _Node, tail: tuple[str, ...]) -> _Node:
    for known, end in node.greedy:
        if known == tail:
            return end
    end = _Node()
    node.greedy.append((tail, end))
    node.greedy.sort(key=lambda entry: -len(entry[0]))
    return end


def _walk(node: _Node, segments: list[str], index: int, method: str, values: list[str]) -> _Ends | None:
    """Down the trie with backtracking; ``values`` collects the raw labels of the way taken."""
    if index == len(segments):
        return node.ends.get(method)
    segment = segments[index]
    child = node.children.get(segment)
    if child is not None and (ends := _walk(child, segments, index + 1, method, values)) is not None:
        return ends
    if node.label is not None and segment:
        values.append(segment)
        if (ends := _walk(node.label, segments, index + 1, method, values)) is not None:
            return ends
        values.pop()
    return _walk_greedy(node, segments, index, method, values)


def _walk_greedy(node: _Node, segments: list[str], index: int, method: str, values: list[str]) -> _Ends | None:
    for tail, end in node.greedy:
        stop = len(segments) - len(tail)
        if stop <= index or tuple(segments[stop:]) != tail or method not in end.ends:
            continue
        value = "/".join(segments[index:stop])
        if value:
            values.append(value)
            return end.ends[method]
    return None


def _ends(operations: Sequence[OperationModel]) -> _Ends:
    required = [_required(operation) for operation in operations]
    shared = set.intersection(*required)
    found = []
    for operation, names in zip(operations, required, strict=True):
        path, _, query = operation.uri.partition("?")
        own = sorted(names - shared)
        found.append(
            Candidate(
                operation,
                tuple(part.strip("{}+") for part in _segments(path) if part.startswith("{")),
                parse_query(query),
                tuple(name for location, name in own if location == "querystring"),
                tuple(name.lower() for location, name in own if location == "header"),
            )
        )
    # A deprecated operation gives way to the successor whose requests look the same.
    found.sort(
        key=lambda one: (-len(one.literals), -len(one.query) - len(one.headers), bool(one.operation.traits.get("deprecated")))
    )
    special: dict[str, tuple[Candidate, ...]] = {}
    for one in found:
        for name in list(one.literals)[:1]:
            special[name] = (*special.get(name, ()), one)
    return _Ends(
        special,
        tuple(one for one in found if not one.literals),
        frozenset(name for one in found for name in one.literals),
    )


def _required(operation: OperationModel) -> set[tuple[str, str]]:
    shape: Shape | None = operation.input.shape if operation.input else None
    members = shape.members.values() if shape else ()
    return {
        (member.traits["location"], member.traits.get("locationName", member.name))
        for member in members
        if member.required and member.traits.get("location") in {"querystring", "header"}
    }


def parse_query(query: str) -> dict[str, str]:
    """A query string's parameters; of a repeated one the first. A parameter without ``=`` has an empty value."""
    found: dict[str, str] = {}
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            found.setdefault(_decoded_query(name), _decoded_query(value))
    return found


def _decoded_query(text: str) -> str:
    return decoded(text.replace("+", " ")) if "%" in text or "+" in text or not text.isascii() else text


def decoded(text: str) -> str:
    """Percent-decoded UTF-8. Raises CommonError("malformed") where the bytes are no UTF-8 (S3 answers InvalidURI)."""
    if "%" not in text and text.isascii():
        return text
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode()
    except UnicodeError:
        raise CommonError(kind="malformed", message="Couldn't parse the specified URI.") from None


def conflicting(names: Iterable[str]) -> CommonError:
    """S3's answer where a request names two sub-resources at once."""
    message = "Conflicting query string parameters: " + ", ".join(sorted(names))
    return CommonError("validation", message, code="InvalidArgument", status=400)
