"""``AWSManagedRulesAntiDDoSRuleSet``: floods of requests, told from a busy day by the rate of each client against all of them.

Windows of a minute and of ten are compared: an event is a rate of the whole that is several times what it was, and a suspect is a
client with a large share of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from garrison.edge.inspect.groups import Context, Finding, RequestDetector
from garrison.edge.inspect.managed.build import CHALLENGE, Builder
from garrison.edge.inspect.request import WebRequest
from garrison.edge.inspect.state import RateRule

NAME: Final = "AWSManagedRulesAntiDDoSRuleSet"
_ALL: Final = b"*"
_MINUTE: Final = RateRule("anti-ddos:minute", 1_000_000_000, 60)
_BASE: Final = RateRule("anti-ddos:base", 1_000_000_000, 600)
_CLIENT: Final = RateRule("anti-ddos:client", 1_000_000_000, 60)
FLOOR: Final = 1000
"""Requests a minute below which nothing is an event."""
FACTOR: Final = 4.0
"""How many times its ten-minute average the rate of an event is."""
_SHARES: Final = (("high", 0.10), ("medium", 0.03), ("low", 0.01))
_STRICT: Final[Mapping[str, tuple[str, ...]]] = {
    "LOW": ("high",),
    "MEDIUM": ("high", "medium"),
    "HIGH": ("high", "medium", "low"),
}


class _Load:
    """The load at one request: whether an event goes on, and how suspect its client is."""

    def __init__(self, request: WebRequest, context: Context) -> None:
        rates, now = context.state.rates, request.time
        client = request.source_ip.encode()
        for rule, key in ((_MINUTE, _ALL), (_BASE, _ALL), (_CLIENT, client)):
            rates.hit(rule, key, now)
        minute = rates.estimate(_MINUTE, _ALL, now)
        before = max(0.0, rates.estimate(_BASE, _ALL, now) - minute) / 9
        self.event = minute > FLOOR and minute > FACTOR * before
        share = rates.estimate(_CLIENT, client, now) / minute if minute else 0.0
        self.suspicion = next((level for level, least in _SHARES if share >= least), "") if self.event else ""


def _load(request: WebRequest, context: Context) -> _Load:
    known = request.memo.get(NAME)
    if isinstance(known, _Load):
        return known
    made = _Load(request, context)
    request.memo[NAME] = made
    return made


def _config(context: Context) -> Mapping[str, Any]:
    found = context.config.get(NAME)
    return found if isinstance(found, Mapping) else {}


def _challengeable(request: WebRequest, config: Mapping[str, Any]) -> bool:
    """Whether the client can answer a challenge: a page load that no exemption names."""
    spec = (config.get("ClientSideActionConfig") or {}).get("Challenge") or {}
    if spec.get("UsageOfAction") == "DISABLED" or request.method != "GET":
        return False
    path = request.path.decode("utf-8", "replace")[:2048]
    for each in spec.get("ExemptUriRegularExpressions") or ():
        try:
            if re.search(str(each.get("RegexString") or "(?!)"), path):
                return False
        except re.error:
            continue
    return True


def _labels(load: _Load) -> tuple[str, ...]:
    found = ["event-detected"]
    if load.suspicion:
        found += ["ddos-request", f"{load.suspicion}-suspicion-ddos-request"]
    return tuple(found)


def _challenge_all(request: WebRequest, context: Context) -> Finding | None:
    load = _load(request, context)
    if load.event and _challengeable(request, _config(context)):
        return Finding((), (*_labels(load), "challengeable-request"))
    return None


def _suspect(member: str, default: str) -> RequestDetector:
    def detect(request: WebRequest, context: Context) -> Finding | None:
        load, config = _load(request, context), _config(context)
        if member == "Challenge":
            spec = (config.get("ClientSideActionConfig") or {}).get("Challenge") or {}
            level = str(spec.get("Sensitivity") or default)
            if not _challengeable(request, config):
                return None
        else:
            level = str(config.get("SensitivityToBlock") or default)
        return Finding((), _labels(load)) if load.suspicion in _STRICT.get(level, ("high",)) else None

    return detect


def anti_ddos() -> Builder:
    """The group."""
    group = Builder(NAME, "anti-ddos", 50)
    group.detect("ChallengeAllDuringEvent", _challenge_all, None, CHALLENGE)
    group.detect("ChallengeDDoSRequests", _suspect("Challenge", "HIGH"), None, CHALLENGE)
    group.detect("DDoSRequests", _suspect("Block", "LOW"), None)
    return group
