"""Rates of requests: the statement that counts them, and a table that counts in one process.

The estimate slides over the window in six steps, and of the oldest step only the part that is still inside counts, so the
newest requests weigh full. An instance is limited from the request after which its estimate is over the limit, and again free
when the estimate has fallen to it: AWS checks about every 10 seconds, this engine at every request.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from garrison.edge.inspect.fields import Field
from garrison.edge.inspect.forwarded import Forwarded
from garrison.edge.inspect.lanes import Inspection, Lane, Lanes
from garrison.edge.inspect.state import RateRule
from garrison.edge.inspect.statements import Leaf, Statement
from garrison.edge.inspect.transforms import chain
from garrison.edge.inspect.verdict import RateResult

WINDOWS: Final = (60, 120, 300, 600)
DEFAULT_WINDOW: Final = 300
STEPS: Final = 6
LIMITED: Final = 10_000
"""Aggregation instances of one rule that AWS limits at a time: those of most requests."""
TRACKED: Final = 131_072
"""Instances of one rule that a table tracks. Beyond them the one of fewest requests among some gives way."""
_PROBES: Final = 16


class _Instance:
    """The counts of one aggregation instance: of the current step and of six before it."""

    __slots__ = ("counts", "key", "step")

    def __init__(self, key: bytes, step: int) -> None:
        self.key = key
        self.step = step
        self.counts = [0] * (STEPS + 1)

    def advance(self, step: int) -> None:
        """Forget what left the window."""
        passed = step - self.step
        if passed > 0:
            gone = min(passed, STEPS + 1)
            self.counts = [0] * gone + self.counts[: STEPS + 1 - gone]
            self.step = step

    def estimate(self, step: int, share: float) -> float:
        """Requests in the window that ends within ``step``; ``share`` of the step has passed. Counts nothing, forgets nothing."""
        passed = step - self.step
        if passed > STEPS:
            return 0.0
        whole = sum(self.counts[: STEPS - passed] if passed > 0 else self.counts[:STEPS])
        return whole + self.counts[STEPS - max(passed, 0)] * (1.0 - share)


class _Table:
    """The instances of one rule."""

    __slots__ = ("_hand", "_instances", "_order", "_width", "over", "rule")

    def __init__(self, rule: RateRule) -> None:
        self.rule = rule
        self.over: dict[bytes, None] = {}
        self._width = rule.window / STEPS
        self._instances: dict[bytes, _Instance] = {}
        self._order: list[_Instance] = []
        self._hand = 0

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


class RateTable:
    """Counts in the memory of one process. Bounded: for each rule at most ``TRACKED`` instances."""

    def __init__(self) -> None:
        self._tables: dict[str, _Table] = {}

    def _table(self, rule: RateRule) -> _Table:
        found = self._tables.get(rule.id)
        if found is None:
            found = self._tables[rule.id] = _Table(rule)
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
        """Forget rules that are no more."""
        for gone in set(self._tables) - ids:
            del self._tables[gone]


Part = tuple[str, str, bytes]
"""A key's kind, its name where it has one, and the request's value of it."""
Key = Callable[[Inspection], Part | None]
"""Reads one aggregation key; None where the request has none: then it is not counted."""


def _lane_key(kind: str, name: str, lane: Lane) -> Key:
    def read(inspection: Inspection) -> Part | None:
        values = inspection.values(lane)
        return (kind, name, b",".join(values)) if values else None

    return read


def _ip_key(forwarded: Forwarded | None) -> Key:
    kind = "IP" if forwarded is None else "FORWARDED_IP"

    def read(inspection: Inspection) -> Part | None:
        request = inspection.request
        found = request.ip if forwarded is None else next(iter(forwarded.addresses(request) or ()), None)
        return None if found is None else (kind, "", str(found).encode())

    return read


def _namespace_key(namespace: str) -> Key:
    def read(inspection: Inspection) -> Part | None:
        found = [each for each in inspection.labels if each.startswith(namespace)]
        return ("LABEL_NAMESPACE", namespace, ",".join(found).encode()) if found else None

    return read


def _text_key(kind: str, get: Callable[[Inspection], str]) -> Key:
    def read(inspection: Inspection) -> Part | None:
        found = get(inspection)
        return (kind, "", found.encode()) if found else None

    return read


def _asn_key(forwarded: Forwarded | None, locate: Callable[[str], int]) -> Key:
    def read(inspection: Inspection) -> Part | None:
        if forwarded is None:
            return ("ASN", "", str(inspection.request.asn).encode())
        found = forwarded.addresses(inspection.request)
        return ("ASN", "", str(locate(str(found[0]))).encode()) if found else None

    return read


FIELDS: Final[Mapping[str, tuple[str, str]]] = {
    "Header": ("HEADER", "SingleHeader"),
    "QueryArgument": ("QUERY_ARGUMENT", "SingleQueryArgument"),
    "QueryString": ("QUERY_STRING", "QueryString"),
    "UriPath": ("URI_PATH", "UriPath"),
}


class KeyCompiler:
    """Compiles the custom keys of a rate-based statement."""

    def __init__(
        self, lanes: Lanes, field: Callable[[Mapping[str, Any]], Field], forwarded: Forwarded | None, locate: Callable[[str], int]
    ) -> None:
        self._lanes = lanes
        self._field = field
        self._forwarded = forwarded
        self._locate = locate

    def compile(self, document: Mapping[str, Any]) -> Key:
        """The reader of one ``RateBasedStatementCustomKey``."""
        kind, spec = next((name, value) for name, value in document.items() if value is not None)
        if kind in FIELDS:
            logged, field = FIELDS[kind]
            return self._lane(logged, str(spec.get("Name", "")), {field: spec}, spec)
        if kind == "Cookie":
            pattern = {"IncludedCookies": [spec["Name"]]}
            field_spec = {"MatchPattern": pattern, "MatchScope": "VALUE", "OversizeHandling": "CONTINUE"}
            return self._lane("COOKIE", str(spec["Name"]), {"Cookies": field_spec}, spec)
        if kind == "LabelNamespace":
            return _namespace_key(str(spec["Namespace"]))
        return self._simple(kind)

    def _simple(self, kind: str) -> Key:
        made: dict[str, Key] = {
            "HTTPMethod": _text_key("HTTP_METHOD", lambda inspection: inspection.request.method),
            "JA3Fingerprint": _text_key("JA3_FINGERPRINT", lambda inspection: inspection.request.ja3),
            "JA4Fingerprint": _text_key("JA4_FINGERPRINT", lambda inspection: inspection.request.ja4),
            "IP": _ip_key(None),
            "ForwardedIP": _ip_key(self._forwarded),
            "ASN": _asn_key(self._forwarded, self._locate),
        }
        return made[kind]

    def _lane(self, logged: str, name: str, field: Mapping[str, Any], spec: Mapping[str, Any]) -> Key:
        return _lane_key(logged, name, self._lanes.lane(self._field(field), chain(spec["TextTransformations"])))


def packed(parts: list[Part]) -> bytes:
    """One key of several values, so that no two lists of values share one."""
    return b"".join(b"%d:%b" % (len(value), value) for _, _, value in parts)


def rule_id(owner: str, name: str, document: Mapping[str, Any]) -> str:
    """Names the counters of a rule. Any change of its settings makes other counters, as on AWS."""
    settings = json.dumps(document, sort_keys=True, default=repr)
    return hashlib.sha256(f"{owner}\n{name}\n{settings}".encode()).hexdigest()[:32]


class RateBased(Leaf):
    """``RateBasedStatement``: matches while the request's aggregation instance is over the limit."""

    __slots__ = ("_forwarded", "_keys", "_kind", "_name", "_scope", "rule")

    def __init__(
        self, name: str, rule: RateRule, kind: str, keys: list[Key], scope: Statement | None, forwarded: Forwarded | None
    ) -> None:
        self._name = name
        self.rule = rule
        self._kind = kind
        self._keys = [_ip_key(forwarded)] if kind in {"IP", "FORWARDED_IP"} else keys
        self._scope = scope
        self._forwarded = forwarded if kind == "FORWARDED_IP" else None

    def matches(self, inspection: Inspection) -> bool | None:
        """As of :class:`Statement`."""
        if self._scope is not None and not self._scope.matches(inspection):
            return False
        inspection.leaves.clear()
        parts: list[Part] = []
        for read in self._keys:
            part = read(inspection)
            if part is None:
                return self._without(inspection)
            parts.append(part)
        single = self._kind in {"IP", "FORWARDED_IP"}
        key = parts[0][2] if single else packed(parts)
        if not inspection.state.rates.hit(self.rule, key, inspection.request.time):
            return False
        inspection.rates.append(self._result(parts, single=single))
        return True

    def _without(self, inspection: Inspection) -> bool | None:
        """A request without the key: counted by nothing. A forwarded address that is not valid falls back as configured."""
        if self._forwarded is None or self._forwarded.addresses(inspection.request) is None:
            return None
        return self._forwarded.fallback

    def _result(self, parts: list[Part], *, single: bool) -> RateResult:
        text = [(kind, name, value.decode("utf-8", "replace")) for kind, name, value in parts]
        return RateResult(
            rule_id=self.rule.id,
            rule=self._name,
            limit_key="CUSTOMKEYS" if self._kind == "CUSTOM_KEYS" else self._kind,
            limit=self.rule.limit,
            window=self.rule.window,
            limit_value=text[0][2] if single else "",
            custom=() if single else tuple(text),
            limited=True,
        )
