"""Rates of requests: the statement that counts them. What counts is in ``tables.py``."""

from __future__ import annotations

import hashlib
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
KEY_BYTES: Final = 128
"""A longer key is counted under its digest, which cannot be taken for a short key: those begin with a digit."""
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


def bounded(key: bytes) -> bytes:
    """The key, or a digest of one so long that whoever sends it would decide how much memory counting takes."""
    return key if len(key) <= KEY_BYTES else b"=" + hashlib.sha256(key).digest()


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
        key = parts[0][2] if single else bounded(packed(parts))
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
