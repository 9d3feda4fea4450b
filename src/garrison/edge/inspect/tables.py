"""Tables that count requests by rule and aggregation instance, and what tables of several inspectors tell each other.

The estimate slides over the window in six steps, and of the oldest step only the part that is still inside counts, so the
newest requests weigh full. An instance is limited from the request after which its estimate is over the limit, and again free
when the estimate has fallen to it: AWS checks about every 10 seconds, this engine at every request.

Tables that share tell each other what each counted itself, by instance and step, never a difference: told twice is told once.
An estimate is then the table's own count and what the others told.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from garrison.edge.inspect.state import RateRule

STEPS: Final = 6
LIMITED: Final = 10_000
"""Aggregation instances of one rule that AWS limits at a time: those of most requests."""
TRACKED: Final = 131_072
"""Instances of one rule that a table tracks. Beyond them the one of fewest requests among some gives way."""
TOLD: Final = 10_000
"""Instances of one rule that are told of at a time: those of most requests."""
TOLD_IN_STEP: Final = 32_768
"""Instances of one rule that are told of in one step whatever they count; beyond them only those near the limit."""
ASKED: Final = 2_000
"""Instances of one rule that are asked for at a time: those of most requests."""
_NEAR: Final = 50
"""An instance of a fiftieth of the limit is near it: so many inspectors could share the rest."""
_PROBES: Final = 16


class Told(NamedTuple):
    """What a table tells of one rule at a moment, and what it wants to hear."""

    rule: RateRule
    step: int
    """The current one, counted from the epoch in sixths of the window."""
    counts: Mapping[int, Mapping[bytes, int]]
    """The table's own requests of whole instances, by step."""
    asked: Sequence[bytes]
    """Instances whose requests elsewhere it wants to hear of: those of the current step and of the one before."""
    asked_whole: Sequence[bytes]
    """Instances of which it has heard nothing for a step: all steps of the window."""


Heard = Mapping[int, Mapping[bytes, int]]
"""Requests of instances that all others counted together, by step."""


class _Instance:
    """The counts of one aggregation instance: of the current step and of six before it, its own and those of others."""

    __slots__ = ("counts", "heard", "key", "others", "step")

    def __init__(self, key: bytes, step: int) -> None:
        self.key = key
        self.step = step
        self.counts = [0] * (STEPS + 1)
        self.others: list[int] | None = None
        self.heard = -1
        """The last step that others told of."""

    def advance(self, step: int) -> None:
        """Forget what left the window."""
        passed = step - self.step
        if passed <= 0:
            return
        gone = min(passed, STEPS + 1)
        self.counts = [0] * gone + self.counts[: STEPS + 1 - gone]
        if self.others is not None:
            self.others = [0] * gone + self.others[: STEPS + 1 - gone]
        self.step = step

    def hear(self, step: int, count: int) -> None:
        """Take what others counted in a step."""
        self.advance(step)
        self.heard = max(self.heard, step)
        if self.others is None:
            self.others = [0] * (STEPS + 1)
        passed = self.step - step
        if passed <= STEPS:
            self.others[passed] = count

    def own(self, step: int) -> int:
        """The table's own requests in a step."""
        passed = self.step - step
        return self.counts[passed] if 0 <= passed <= STEPS else 0

    def estimate(self, step: int, share: float) -> float:
        """Requests in the window that ends within ``step``; ``share`` of the step has passed. Counts nothing, forgets nothing."""
        passed = max(step - self.step, 0)
        if passed > STEPS:
            return 0.0
        found = sum(self.counts[: STEPS - passed]) + self.counts[STEPS - passed] * (1.0 - share)
        if self.others is not None:
            found += sum(self.others[: STEPS - passed]) + self.others[STEPS - passed] * (1.0 - share)
        return found


class _Table:
    """The instances of one rule."""

    __slots__ = ("_hand", "_instances", "_order", "_told", "_touched", "_width", "over", "rule")

    def __init__(self, rule: RateRule, *, shared: bool) -> None:
        self.rule = rule
        self.over: dict[bytes, None] = {}
        self._width = rule.window / STEPS
        self._instances: dict[bytes, _Instance] = {}
        self._order: list[_Instance] = []
        self._hand = 0
        self._touched: set[bytes] | None = set() if shared else None
        self._told: tuple[int, set[bytes]] = (0, set())

    def _when(self, now: float) -> tuple[int, float]:
        step = int(now // self._width)
        return step, (now - step * self._width) / self._width

    def _instance(self, key: bytes, step: int) -> _Instance:
        found = self._instances.get(key)
        if found is None:
            found = _Instance(key, step)
            if len(self._order) < TRACKED:
                self._order.append(found)
            else:
                self._replace(found, step)
            self._instances[key] = found
        return found

    def _replace(self, new: _Instance, step: int) -> None:
        """Put ``new`` in the place of the smallest of the next few: one of many requests outlives any number of small ones."""
        start = self._hand
        self._hand = (start + _PROBES) % TRACKED
        places = [(start + offset) % TRACKED for offset in range(_PROBES)]
        place = min(places, key=lambda each: self._order[each].estimate(step, 0.0))
        gone = self._order[place]
        del self._instances[gone.key]
        self.over.pop(gone.key, None)
        self._order[place] = new

    def hit(self, key: bytes, now: float) -> bool:
        """Count, and tell whether the instance is limited."""
        step, share = self._when(now)
        instance = self._instance(key, step)
        instance.advance(step)
        instance.counts[0] += 1
        if self._touched is not None:
            self._touched.add(key)
        if instance.estimate(instance.step, share) <= self.rule.limit:
            self.over.pop(key, None)
            return False
        if key in self.over:
            return True
        if len(self.over) >= LIMITED and not self._make_room(now):
            return False
        self.over[key] = None
        return True

    def _make_room(self, now: float) -> bool:
        """Let one go that is over its limit no more."""
        for key in list(self.over)[:_PROBES]:
            if self.estimate(key, now) <= self.rule.limit:
                del self.over[key]
                return True
            self.over[key] = self.over.pop(key)
        return False

    def estimate(self, key: bytes, now: float) -> float:
        """The instance's requests in the window."""
        found = self._instances.get(key)
        return 0.0 if found is None else found.estimate(*self._when(now))

    def limited(self, now: float) -> list[bytes]:
        """Those over the limit, of most requests first."""
        over = [(self.estimate(key, now), key) for key in self.over]
        return [key for count, key in heapq.nlargest(LIMITED, over) if count > self.rule.limit]

    # Sharing

    def tell(self, now: float) -> Told | None:
        """What was counted since the last time; None for nothing."""
        if not self._touched:
            return None
        touched, self._touched = self._touched, set()
        step, share = self._when(now)
        found = [(each.estimate(step, share), each) for key in touched if (each := self._instances.get(key)) is not None]
        largest = [each for _, each in heapq.nlargest(TOLD, found, key=lambda pair: pair[0])]
        asked = largest[:ASKED]
        return Told(
            self.rule,
            step,
            {each: counts for each in (step - 1, step) if (counts := dict(self._counts(largest, each)))},
            [each.key for each in asked if each.heard >= step - 1],
            [each.key for each in asked if each.heard < step - 1],
        )

    def _counts(self, instances: Sequence[_Instance], step: int) -> Iterator[tuple[bytes, int]]:
        """The step's own counts that others are told of. What is told in one step stays bounded whoever makes up instances."""
        if self._told[0] < step:
            self._told = (step, set())
        known = self._told[1]
        for each in instances:
            count = each.own(step)
            if not count:
                continue
            if each.key in known or len(known) < TOLD_IN_STEP:
                known.add(each.key)
                yield each.key, count
            elif count * _NEAR > self.rule.limit:
                yield each.key, count

    def hear(self, heard: Heard) -> None:
        """Take what others counted. Of instances that are not tracked nothing is kept."""
        for step in sorted(heard):
            for key, count in heard[step].items():
                if (instance := self._instances.get(key)) is not None:
                    instance.hear(step, count)


class RateTable:
    """Counts in the memory of one process. Bounded: for each rule at most ``TRACKED`` instances.

    ``shared``: whether others are to be told.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self._tables: dict[str, _Table] = {}
        self._shared = shared

    def _table(self, rule: RateRule) -> _Table:
        found = self._tables.get(rule.id)
        if found is None:
            found = self._tables[rule.id] = _Table(rule, shared=self._shared)
        return found

    def hit(self, rule: RateRule, key: bytes, now: float) -> bool:
        """Count one request; whether its instance is limited. As of ``Rates``."""
        return self._table(rule).hit(key, now)

    def estimate(self, rule: RateRule, key: bytes, now: float) -> float:
        """Requests of the instance within the window. As of ``Rates``."""
        return self._table(rule).estimate(key, now)

    def limited(self, rule: RateRule, now: float) -> list[bytes]:
        """The limited instances. As of ``Rates``."""
        return self._table(rule).limited(now)

    def keep_only(self, ids: frozenset[str]) -> None:
        """Forget rules of web ACLs that are no more. What managed rule groups count has a colon in its name, and stays."""
        for gone in [each for each in self._tables if ":" not in each and each not in ids]:
            del self._tables[gone]

    def tell(self, now: float) -> list[Told]:
        """What was counted since the last time, by rule; what is not delivered need not come again, for counts are whole."""
        return [told for each in self._tables.values() if (told := each.tell(now)) is not None]

    def hear(self, rule_id: str, heard: Heard) -> None:
        """Take what all others together counted of a rule's instances."""
        if (found := self._tables.get(rule_id)) is not None:
            found.hear(heard)
