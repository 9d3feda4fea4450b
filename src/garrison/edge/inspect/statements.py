"""Statements that look at the request itself. Each answers True, False, or None where it does not apply to the request at all.

Source: the rule statements pages of the AWS WAF developer guide. A statement with a forwarded address does not apply where the
header is absent; so neither does its negation, but another statement beside it in an ``OrStatement`` still may.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from garrison.edge.inspect.forwarded import Forwarded
from garrison.edge.inspect.groups import Detector, Finding, Location, Quiet, RequestDetector
from garrison.edge.inspect.ipset import IpSet
from garrison.edge.inspect.lanes import Bundle, Inspection, Lane
from garrison.edge.inspect.patterns import Pattern, span
from garrison.edge.inspect.request import Address
from garrison.edge.inspect.verdict import MatchDetail

PIECES: Final = 16
PIECE: Final = 128
"""Matched data that a verdict keeps: so many pieces, of so many bytes each."""


class Statement(ABC):
    """A compiled statement."""

    __slots__ = ()

    @abstractmethod
    def matches(self, inspection: Inspection) -> bool | None:
        """Whether the request matches; None where the statement does not apply."""


class Leaf(Statement):
    """A statement of its own, which can say on which bytes it matched."""

    __slots__ = ()

    def details(self, _inspection: Inspection) -> list[MatchDetail]:
        """Where it matched. Asked only after it did, and only for rules that matched."""
        return []


def _clip(pieces: Sequence[bytes]) -> tuple[bytes, ...]:
    return tuple(each[:PIECE] for each in pieces[:PIECES])


def detail(
    inspection: Inspection, lane: Lane, condition: str, matched: Sequence[bytes], index: int = 0, sensitivity: str = ""
) -> MatchDetail:
    """A match in the lane's value at ``index``."""
    names = inspection.parts(lane).names
    name = names[index].decode("utf-8", "replace") if names is not None and index < len(names) else lane.field.name
    return MatchDetail(condition, lane.field.location, name, _clip(matched), sensitivity)


class Compare(Leaf):
    """``ByteMatchStatement`` at an end of the value, or all of it."""

    __slots__ = ("_compare", "_lane", "_text")

    def __init__(self, lane: Lane, compare: Callable[[bytes, bytes], bool], text: bytes) -> None:
        self._lane = lane
        self._compare = compare
        self._text = text

    def matches(self, inspection: Inspection) -> bool:
        """As of :class:`Statement`."""
        forced = inspection.parts(self._lane).forced
        if forced is not None:
            return forced
        compare, text = self._compare, self._text
        for value in inspection.values(self._lane):
            if compare(value, text):
                inspection.leaves.append(self)
                return True
        return False

    def details(self, inspection: Inspection) -> list[MatchDetail]:
        """As of :class:`Leaf`."""
        values = inspection.values(self._lane)
        found = [index for index, value in enumerate(values) if self._compare(value, self._text)]
        return [detail(inspection, self._lane, "BYTE_MATCH", [self._text], index) for index in found[:1]]


class Scan(Leaf):
    """A pattern anywhere in the value: ``ByteMatchStatement``, ``RegexMatchStatement``, ``RegexPatternSetReferenceStatement``."""

    __slots__ = ("_bundle", "_condition", "_ids")

    def __init__(self, bundle: Bundle, condition: str, patterns: Sequence[Pattern]) -> None:
        self._bundle = bundle
        self._condition = condition
        self._ids = frozenset(bundle.add(each) for each in patterns)

    def matches(self, inspection: Inspection) -> bool:
        """As of :class:`Statement`."""
        if inspection.hits(self._bundle).isdisjoint(self._ids):
            return False
        inspection.leaves.append(self)
        return True

    def details(self, inspection: Inspection) -> list[MatchDetail]:
        """As of :class:`Leaf`."""
        lane = self._bundle.lane
        for index, value in enumerate(inspection.values(lane)):
            for number in sorted(self._ids):
                where = span(self._bundle.patterns[number], value)
                if where is not None:
                    return [detail(inspection, lane, self._condition, [value[where[0] : where[1]]], index)]
        return [MatchDetail(self._condition, lane.field.location, lane.field.name)]


COMPARISONS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "EQ": operator.eq,
    "NE": operator.ne,
    "LE": operator.le,
    "LT": operator.lt,
    "GE": operator.ge,
    "GT": operator.gt,
}


class SizeConstraint(Leaf):
    """``SizeConstraintStatement``: bytes after transformation. What was too much to inspect counts as it is."""

    __slots__ = ("_compare", "_lane", "_size")

    def __init__(self, lane: Lane, comparison: str, size: int) -> None:
        self._lane = lane
        self._compare = COMPARISONS[comparison]
        self._size = size

    def matches(self, inspection: Inspection) -> bool:
        """As of :class:`Statement`."""
        parts = inspection.parts(self._lane)
        if parts.forced is not None:
            return parts.forced
        compare, size = self._compare, self._size - parts.beyond
        for value in inspection.values(self._lane):  # noqa: SIM110 - a generator would cost more than all that it does
            if compare(len(value), size):
                return True
        return False


class Detect(Leaf):
    """A detector over each value: ``SqliMatchStatement``, ``XssMatchStatement``, and those of managed groups."""

    __slots__ = ("_condition", "_detect", "_key", "_lane", "_sensitivity")

    def __init__(self, lane: Lane, condition: str, name: str, detect: Detector, sensitivity: str = "") -> None:
        self._lane = lane
        self._condition = condition
        self._detect = detect
        self._sensitivity = sensitivity
        self._key = (lane.index, name, sensitivity)

    def matches(self, inspection: Inspection) -> bool:
        """As of :class:`Statement`."""
        forced = inspection.parts(self._lane).forced
        if forced is not None:
            return forced
        found = inspection.finding(self._key, self._lane, self._detect)
        if found is None:
            return False
        inspection.leaves.append(self)
        inspection.added.extend(found[1].labels)
        return True

    def details(self, inspection: Inspection) -> list[MatchDetail]:
        """As of :class:`Leaf`."""
        found = inspection.finding(self._key, self._lane, self._detect)
        if found is None:
            return []
        return [detail(inspection, self._lane, self._condition, found[1].matched, found[0], self._sensitivity)]


class DetectRequest(Leaf):
    """A detector of whole requests, of a managed group."""

    __slots__ = ("_detect", "quiet")

    def __init__(self, detect: RequestDetector) -> None:
        self._detect = detect
        self.quiet: Quiet | None = getattr(detect, "quiet", None)

    def matches(self, inspection: Inspection) -> bool:
        """As of :class:`Statement`."""
        found: Finding | None = self._detect(inspection.request, inspection.context())
        if found is None:
            return False
        inspection.added.extend(found.labels)
        if found.condition:
            inspection.leaves.append(self)
            inspection.keep(self, found)
        return True

    def details(self, inspection: Inspection) -> list[MatchDetail]:
        """As of :class:`Leaf`."""
        found = inspection.kept(self)
        if found is None:
            return []
        return [MatchDetail(found.condition, found.location, found.field, _clip(found.matched))]


class IpSetReference(Leaf):
    """``IPSetReferenceStatement``."""

    __slots__ = ("_forwarded", "_set")

    def __init__(self, addresses: IpSet, forwarded: Forwarded | None) -> None:
        self._set = addresses
        self._forwarded = forwarded

    def matches(self, inspection: Inspection) -> bool | None:
        """As of :class:`Statement`."""
        request = inspection.request
        if self._forwarded is None:
            return request.ip is not None and request.ip in self._set
        found = self._forwarded.addresses(request)
        if found is None:
            return None
        return any(each in self._set for each in found) if found else self._forwarded.fallback


Locate = Callable[[str], Location]


class _Located(Leaf):
    """What asks where an address is."""

    __slots__ = ("_forwarded", "_locate")

    def __init__(self, forwarded: Forwarded | None, locate: Locate) -> None:
        self._forwarded = forwarded
        self._locate = locate

    def where(self, inspection: Inspection) -> Location | bool | None:
        """The location; the fallback where there is no valid address; None where the header is absent."""
        request = inspection.request
        if self._forwarded is None:
            return Location(request.country, request.region, request.asn)
        found: list[Address] | None = self._forwarded.addresses(request)
        if found is None:
            return None
        return self._locate(str(found[0])) if found else self._forwarded.fallback


class GeoMatch(_Located):
    """``GeoMatchStatement``. It labels every request that it sees, whether or not it matches."""

    __slots__ = ("_countries", "_prefix")

    def __init__(self, countries: Sequence[str], forwarded: Forwarded | None, locate: Locate) -> None:
        super().__init__(forwarded, locate)
        self._countries = frozenset(countries)
        self._prefix = f"awswaf:{'clientip' if forwarded is None else 'forwardedip'}:geo:"

    def matches(self, inspection: Inspection) -> bool | None:
        """As of :class:`Statement`."""
        where = self.where(inspection)
        if not isinstance(where, Location):
            return where
        if where.country:
            inspection.labels[f"{self._prefix}country:{where.country}"] = None
            if where.region:
                region = where.region if where.region.startswith(f"{where.country}-") else f"{where.country}-{where.region}"
                inspection.labels[f"{self._prefix}region:{region}"] = None
        return where.country in self._countries


class AsnMatch(_Located):
    """``AsnMatchStatement``. An unknown AS number is 0."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers: Sequence[int], forwarded: Forwarded | None, locate: Locate) -> None:
        super().__init__(forwarded, locate)
        self._numbers = frozenset(numbers)

    def matches(self, inspection: Inspection) -> bool | None:
        """As of :class:`Statement`."""
        where = self.where(inspection)
        return where.asn in self._numbers if isinstance(where, Location) else where


class LabelMatch(Leaf):
    """``LabelMatchStatement``.

    A key that begins with ``awswaf:`` is a whole label, or a prefix of one for the scope NAMESPACE. Any other is looked for among
    the labels of the statement's own context, where it must be the end of the label, or whole namespaces in it.
    """

    __slots__ = ("_context", "_key", "_namespace", "_whole")

    def __init__(self, key: str, scope: str, context: str) -> None:
        self._namespace = scope == "NAMESPACE"
        self._key = key if not self._namespace or key.endswith(":") else f"{key}:"
        self._whole = key.startswith("awswaf:")
        self._context = context

    def matches(self, inspection: Inspection) -> bool:
        """As of :class:`Statement`."""
        labels = inspection.labels
        if self._whole:
            return any(each.startswith(self._key) for each in labels) if self._namespace else self._key in labels
        start = len(self._context)
        return any(self._local(f":{each[start:]}") for each in labels if each.startswith(self._context))

    def _local(self, label: str) -> bool:
        wanted = f":{self._key}"
        return wanted in label if self._namespace else label.endswith(wanted)


class And(Statement):
    """``AndStatement``."""

    __slots__ = ("_statements",)

    def __init__(self, statements: Sequence[Statement]) -> None:
        self._statements = tuple(statements)

    def matches(self, inspection: Inspection) -> bool | None:
        """As of :class:`Statement`."""
        answer: bool | None = True
        leaves, added = len(inspection.leaves), len(inspection.added)
        for each in self._statements:
            found = each.matches(inspection)
            if found is False:
                del inspection.leaves[leaves:], inspection.added[added:]
                return False
            if found is None:
                answer = None
        return answer


class Or(Statement):
    """``OrStatement``."""

    __slots__ = ("_statements",)

    def __init__(self, statements: Sequence[Statement]) -> None:
        self._statements = tuple(statements)

    def matches(self, inspection: Inspection) -> bool | None:
        """As of :class:`Statement`."""
        answer: bool | None = False
        for each in self._statements:
            found = each.matches(inspection)
            if found:
                return True
            if found is None:
                answer = None
        return answer


class Not(Statement):
    """``NotStatement``. What matched inside is no detail of the match."""

    __slots__ = ("_statement",)

    def __init__(self, statement: Statement) -> None:
        self._statement = statement

    def matches(self, inspection: Inspection) -> bool | None:
        """As of :class:`Statement`."""
        leaves, added = len(inspection.leaves), len(inspection.added)
        found = self._statement.matches(inspection)
        del inspection.leaves[leaves:], inspection.added[added:]
        return None if found is None else not found
