"""One request on its way through a web ACL: each part is extracted, transformed and scanned once, whoever asks for it.

A *lane* is a field after a chain of transformations. Lanes share their beginnings, and all patterns over one lane are matched in
one scan.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, Final

from garrison.edge.inspect.fields import Field, Parts, Seen
from garrison.edge.inspect.groups import Context, Finding
from garrison.edge.inspect.patterns import EMPTY, Pattern, PatternCache, PatternSet
from garrison.edge.inspect.request import WebRequest
from garrison.edge.inspect.state import State
from garrison.edge.inspect.transforms import TRANSFORMS, Transform
from garrison.edge.inspect.verdict import RateResult

if TYPE_CHECKING:
    from garrison.edge.inspect.statements import Leaf


class _Everything(frozenset[int]):
    """The answer of a part that matches whatever is asked."""

    def __contains__(self, _pattern: object) -> bool:
        return True

    def isdisjoint(self, _patterns: Any) -> bool:  # noqa: ANN401 - as of frozenset
        return False


EVERYTHING: Final = _Everything()


class Lane:
    """A field after a chain of transformations. ``index`` is its place in the tables of an inspection."""

    __slots__ = ("field", "field_index", "index", "parent", "transform", "types")

    def __init__(
        self, index: int, field_index: int, field: Field, types: tuple[str, ...], parent: Lane | None, transform: Transform | None
    ) -> None:
        self.index = index
        self.field_index = field_index
        self.field = field
        self.types = types
        self.parent = parent
        self.transform = transform


class Bundle:
    """The patterns of one lane that are matched together."""

    __slots__ = ("_cache", "_ids", "index", "lane", "patterns", "set")

    def __init__(self, index: int, lane: Lane) -> None:
        self.index = index
        self.lane = lane
        self.patterns: list[Pattern] = []
        self.set: PatternSet | None = None
        self._ids: dict[Pattern, int] = {}

    def add(self, pattern: Pattern) -> int:
        """The pattern's number."""
        known = self._ids.get(pattern)
        if known is None:
            known = self._ids[pattern] = len(self.patterns)
            self.patterns.append(pattern)
        return known

    def finish(self, cache: PatternCache | None) -> None:
        """Compile what was added."""
        self.set = PatternSet(self.patterns, cache, several=self.lane.field.several)


class Lanes:
    """All lanes of a web ACL, filled while it is compiled."""

    def __init__(self) -> None:
        self.fields: dict[str, int] = {}
        self.lanes: dict[tuple[str, tuple[str, ...]], Lane] = {}
        self.bundles: dict[tuple[int, bool], Bundle] = {}

    def lane(self, field: Field, types: tuple[str, ...]) -> Lane:
        """The lane of the field and the chain, with those it starts from."""
        known = self.lanes.get((field.key, types))
        if known is not None:
            return known
        number = self.fields.setdefault(field.key, len(self.fields))
        parent = self.lane(field, types[:-1]) if types else None
        transform = TRANSFORMS[types[-1]] if types else None
        made = Lane(len(self.lanes), number, field, types, parent, transform)
        self.lanes[(field.key, types)] = made
        return made

    def bundle(self, lane: Lane, *, managed: bool) -> Bundle:
        """The bundle of patterns over the lane. Managed groups have their own, which no change of a customer's rule touches."""
        key = (lane.index, managed)
        known = self.bundles.get(key)
        if known is None:
            known = self.bundles[key] = Bundle(len(self.bundles), lane)
        return known

    def finish(self, cache: PatternCache | None) -> None:
        """Compile all bundles."""
        for bundle in self.bundles.values():
            bundle.finish(cache)


class Inspection(Seen):
    """The work on one request. Nothing here outlives it."""

    __slots__ = ("_context", "_findings", "_hits", "_lanes", "_parts", "added", "config", "labels", "leaves", "rates", "state")

    def __init__(self, request: WebRequest, state: State, body_limit: int, sizes: tuple[int, int, int]) -> None:
        super().__init__(request, body_limit)
        fields, lanes, bundles = sizes
        self.state = state
        self.labels: dict[str, None] = {}
        self.leaves: list[Leaf] = []
        """The statements that made the current rule match."""
        self.added: list[str] = []
        """Labels that statements of the current rule add if it matches."""
        self.rates: list[RateResult] = []
        self.config: dict[str, Any] = {}
        self._parts: list[Parts | None] = [None] * fields
        self._lanes: list[list[bytes] | None] = [None] * lanes
        self._hits: list[frozenset[int] | None] = [None] * bundles
        self._context: Context | None = None
        self._findings: dict[Hashable, tuple[int, Finding] | None] = {}

    def context(self) -> Context:
        """What detectors of whole requests see beside the request, as it is now."""
        made = self._context
        # Labels are only ever added.
        if made is None or made.config is not self.config or len(made.labels) != len(self.labels):
            made = self._context = Context(self.state, tuple(self.labels), self.config, self.body_limit)
        return made

    def parts(self, lane: Lane) -> Parts:
        """The lane's field, before transformation."""
        found = self._parts[lane.field_index]
        if found is None:
            found = self._parts[lane.field_index] = lane.field.extract(self)
        return found

    def values(self, lane: Lane) -> list[bytes]:
        """The lane's values."""
        found = self._lanes[lane.index]
        if found is None:
            transform = lane.transform
            if lane.parent is None or transform is None:
                found = self.parts(lane).values
            else:
                found = [transform(value) for value in self.values(lane.parent)]
            self._lanes[lane.index] = found
        return found

    def hits(self, bundle: Bundle) -> frozenset[int]:
        """The numbers of the bundle's patterns that match."""
        found = self._hits[bundle.index]
        if found is None:
            found = self._hits[bundle.index] = self._scan(bundle)
        return found

    def _scan(self, bundle: Bundle) -> frozenset[int]:
        forced = self.parts(bundle.lane).forced
        if forced is not None:
            return EVERYTHING if forced else EMPTY
        if bundle.set is None:
            raise RuntimeError("the web ACL was not finished")
        return bundle.set.matches(self.values(bundle.lane))

    def keep(self, key: Hashable, finding: Finding) -> None:
        """Remember what a detector of whole requests found."""
        self._findings[key] = (0, finding)

    def kept(self, key: Hashable) -> Finding | None:
        """What was kept under ``key``."""
        found = self._findings.get(key)
        return None if found is None else found[1]

    def finding(self, key: Hashable, lane: Lane, detect: Callable[[bytes], Finding | None]) -> tuple[int, Finding] | None:
        """What ``detect`` finds in the lane's values, and in which; asked once for each ``key``."""
        if key not in self._findings:
            self._findings[key] = _first(self.values(lane), detect)
        return self._findings[key]


def _first(values: Sequence[bytes], detect: Callable[[bytes], Finding | None]) -> tuple[int, Finding] | None:
    for index, value in enumerate(values):
        found = detect(value)
        if found is not None:
            return index, found
    return None
