"""What inspectors saw, for the control plane: some requests of each rule, counts, paths, and the addresses that are limited.

An inspector collects in a :class:`Batch` and writes it about each second; nothing is written for a single request. Everything is
bounded: in the batch, in each slot of a minute, and in time. Source: AWS WAF API reference, GetSampledRequests: a sample of the
requests of the last three hours.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from garrison.core.ids import Random
from garrison.core.ports import Transaction
from garrison.edge.inspect import RateRule, Rates, Verdict, WebRequest
from garrison.edge.inspect.request import parse_ip
from garrison.edge.inspect.verdict import DEFAULT_ACTION, Action, TokenAnswer
from garrison.edge.privacy import METHOD, PATH, Privacy, shown_header, shown_query

KEPT: Final = 3 * 3600
"""Seconds that samples and counts are kept."""
SLOT: Final = 60
"""Seconds of a slot."""
HOUR: Final = 3600
PER_BATCH: Final = 20
"""Requests of a rule that one batch keeps, chosen at random."""
PER_SLOT: Final = 500
"""Requests of a rule that are kept of one slot: as many as one call can ask for."""
PATHS: Final = 1000
"""Paths that one batch tells apart."""
PATHS_PER_HOUR: Final = 10_000
PATHS_KEPT: Final = 14 * 24 * 3600
"""Seconds that counts of paths are kept."""
FRESH: Final = 30.0
"""Seconds after which an inspector that tells no more is not believed any longer."""
ALL: Final = "ALL"
"""The metric of every request of a web ACL."""
VALUE: Final = 2048
"""Characters of a header's value that a sample keeps."""
HEADERS: Final = 200
UNMASKED: Final = Privacy()
"""Only credentials are masked."""
_STATUS: Final[Mapping[Action, int]] = {Action.BLOCK: 403, Action.CAPTCHA: 405, Action.CHALLENGE: 202}
_BOT: Final = "awswaf:managed:aws:bot-control:bot:"


def record(
    request: WebRequest, verdict: Verdict, action: Action, rule_in_group: str | None = None, masks: Privacy = UNMASKED
) -> dict[str, Any]:
    """A ``SampledHTTPRequest`` without its weight, for a rule that did ``action``.

    ``masks`` are the web ACL's: its data protection counts for samples as for logs.
    """
    deciding = action is verdict.action
    found: dict[str, Any] = {
        "Request": {
            "ClientIP": request.source_ip,
            "Country": request.country or "-",
            "URI": _uri(request, masks),
            "Method": masks.shown(METHOD, request.method),
            "HTTPVersion": request.http_version,
            "Headers": [_header(name, value, masks) for name, value in request.headers[:HEADERS]],
        },
        "Timestamp": request.time,
        "Action": str(action),
    }
    if rule_in_group:
        found["RuleNameWithinRuleGroup"] = rule_in_group
    if verdict.inserted:
        found["RequestHeadersInserted"] = [{"Name": name, "Value": value} for name, value in verdict.inserted]
    if deciding and action in _STATUS:
        found["ResponseCodeSent"] = verdict.response.status if verdict.response else _STATUS[action]
    if verdict.labels:
        found["Labels"] = [{"Name": label} for label in verdict.labels[:100]]
    for member, answer in (("CaptchaResponse", verdict.captcha), ("ChallengeResponse", verdict.challenge)):
        if answer is not None:
            found[member] = _answer(answer)
    if deciding and verdict.overridden is not None:
        found["OverriddenAction"] = str(verdict.overridden)
    return found


def _header(name: bytes, value: bytes, masks: Privacy) -> dict[str, str]:
    title = name.decode("latin-1")
    return {"Name": title, "Value": shown_header(title, _text(value), masks)}


def _uri(request: WebRequest, masks: Privacy) -> str:
    path = masks.shown(PATH, _text(request.path))
    return f"{path}?{shown_query(_text(request.query), masks)}" if b"?" in request.target else path


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")[:VALUE]


def _answer(answer: TokenAnswer) -> dict[str, Any]:
    found: dict[str, Any] = {"ResponseCode": answer.status}
    if answer.solved is not None:
        found["SolveTimestamp"] = int(answer.solved)
    if answer.failure is not None:
        found["FailureReason"] = answer.failure
    return found


def silent(document: Mapping[str, Any]) -> frozenset[str]:
    """The metrics of a web ACL whose requests are not sampled (``SampledRequestsEnabled`` is false)."""
    parts = (document, *(document.get("Rules") or ()))
    configs = [each.get("VisibilityConfig") or {} for each in parts]
    own = configs[0]
    found = {config["MetricName"] for config in configs if not config.get("SampledRequestsEnabled", True)}
    if not own.get("SampledRequestsEnabled", True):
        found |= {DEFAULT_ACTION, ALL}
    return frozenset(found)


@dataclass(slots=True)
class _Few:
    """A fair choice of at most ``PER_BATCH`` among those seen (reservoir sampling)."""

    seen: int = 0
    kept: list[dict[str, Any]] | None = None

    def place(self, random: Random) -> int | None:
        """Where the next one is kept; None where it is not."""
        self.seen += 1
        if self.seen <= PER_BATCH:
            return self.seen - 1
        drawn = int.from_bytes(random(6)) % self.seen
        return drawn if drawn < PER_BATCH else None


class Batch:
    """What one inspector saw since it last wrote. Not safe for several threads."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._counts: dict[tuple[str, str, str, int], int] = {}
        self._few: dict[tuple[str, str, int], _Few] = {}
        self._paths: dict[tuple[str, int, str, str, str, str], int] = {}
        self._limited: dict[str, list[str]] = {}
        self._told: dict[str, tuple[list[str], float]] = {}
        self._pruned = 0

    def add(
        self,
        web_acl: str,
        own_metric: str,
        request: WebRequest,
        verdict: Verdict,
        silent: Collection[str] = (),
        masks: Privacy = UNMASKED,
    ) -> None:
        """One inspected request. ``own_metric`` and ``masks`` are the web ACL's, ``silent`` what :func:`silent` says of it."""
        slot = int(request.time // SLOT)
        last = len(verdict.metrics) - 1 if verdict.rule == DEFAULT_ACTION else -1
        for index, (metric, action) in enumerate(verdict.metrics):
            # A rule may have the metric of its web ACL.
            name = DEFAULT_ACTION if index == last and metric == own_metric else metric
            self._count(web_acl, name, action, slot)
            if name not in silent and metric not in silent:
                self._keep((web_acl, name, slot), request, verdict, action, masks)
        self._count(web_acl, ALL, verdict.action, slot)
        if ALL not in silent:
            self._keep((web_acl, ALL, slot), request, verdict, verdict.action, masks)
        self._path(web_acl, request, verdict)

    def limit(self, rules: Iterable[RateRule], rates: Rates, now: float) -> None:
        """What the rate-based rules of this inspector limit at this moment: the addresses, as AWS tells of no other keys."""
        for rule in rules:
            keys = [key.decode("ascii", "replace") for key in rates.limited(rule, now)]
            found = [key for key in keys if parse_ip(key) is not None]
            before, told = self._told.get(rule.id, ([], 0.0))
            # Told anew now and then though nothing changed: whoever falls silent is not believed any longer.
            if found != before or (found and now - told > FRESH / 3):
                self._limited[rule.id] = found
                self._told[rule.id] = found, now

    def flush(self, tx: Transaction, inspector: str, now: float) -> None:
        """Write everything, and begin anew. ``inspector`` names who tells. In the caller's unit of work, which may fail whole."""
        for (web_acl, metric, action, slot), count in self._counts.items():
            tx.run(
                "INSERT INTO waf_count (web_acl, metric, slot, action, requests) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (web_acl, metric, slot, action) DO UPDATE SET requests = waf_count.requests + excluded.requests",
                web_acl, metric, slot, action, count,
            )  # fmt: skip
        for (web_acl, metric, slot), few in self._few.items():
            _put(tx, (web_acl, metric, slot), few.kept or ())
        self._flush_paths(tx)
        for rule, addresses in self._limited.items():
            tell_limited(tx, rule, inspector, addresses, now)
        if int(now // SLOT) != self._pruned:
            self._pruned = int(now // SLOT)
            prune(tx, now)
        self._counts, self._few, self._paths, self._limited = {}, {}, {}, {}

    def _count(self, web_acl: str, metric: str, action: Action, slot: int) -> None:
        key = web_acl, metric, str(action), slot
        self._counts[key] = self._counts.get(key, 0) + 1

    def _keep(self, key: tuple[str, str, int], request: WebRequest, verdict: Verdict, action: Action, masks: Privacy) -> None:
        few = self._few.setdefault(key, _Few())
        place = few.place(self._random)
        if place is None:
            return
        if few.kept is None:
            few.kept = []
        made = record(request, verdict, action, _within(verdict, key[1]), masks)
        if place == len(few.kept):
            few.kept.append(made)
        else:
            few.kept[place] = made

    def _path(self, web_acl: str, request: WebRequest, verdict: Verdict) -> None:
        category, organization, bot = _bot_of(verdict.labels)
        path = request.path.decode("utf-8", "replace")[:512] or "/"
        key = web_acl, int(request.time // HOUR), path, category, organization, bot
        if key in self._paths or len(self._paths) < PATHS:
            self._paths[key] = self._paths.get(key, 0) + 1

    def _flush_paths(self, tx: Transaction) -> None:
        room: dict[tuple[str, int], int] = {}
        for key, count in self._paths.items():
            web_acl, slot = key[:2]
            if (web_acl, slot) not in room:
                row = tx.one("SELECT count(*) FROM waf_path WHERE web_acl = ? AND slot = ?", web_acl, slot)
                room[web_acl, slot] = PATHS_PER_HOUR - (row[0] if row else 0)
            where = "web_acl = ? AND slot = ? AND path = ? AND category = ? AND organization = ? AND bot = ?"
            if tx.run(f"UPDATE waf_path SET requests = requests + ? WHERE {where}", count, *key):  # noqa: S608 - a constant
                continue
            if room[web_acl, slot] > 0:
                room[web_acl, slot] -= 1
                tx.run(
                    "INSERT INTO waf_path (web_acl, slot, path, category, organization, bot, requests)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    *key,
                    count,
                )


def _within(verdict: Verdict, metric: str) -> str | None:
    """The rule inside its group, where the rule of this metric is the reference to a group that decided."""
    return verdict.rule_in_group if verdict.metrics and verdict.metrics[-1][0] == metric else None


def _bot_of(labels: Sequence[str]) -> tuple[str, str, str]:
    found = {"category": "", "organization": "", "name": ""}
    for label in labels:
        if label.startswith(_BOT):
            kind, _, value = label.removeprefix(_BOT).partition(":")
            if kind in found and value:
                found[kind] = value
    return found["category"], found["organization"], found["name"]


def _put(tx: Transaction, key: tuple[str, str, int], kept: Sequence[Mapping[str, Any]]) -> None:
    row = tx.one("SELECT count(*) FROM waf_sample WHERE web_acl = ? AND metric = ? AND slot = ?", *key)
    first = row[0] if row else 0
    for number, made in enumerate(kept[: max(0, PER_SLOT - first)], first):
        tx.run(
            "INSERT INTO waf_sample (web_acl, metric, slot, number, at, request) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (web_acl, metric, slot, number) DO NOTHING",
            *key,
            number,
            made["Timestamp"],
            json.dumps(made, separators=(",", ":")),
        )


def tell_limited(tx: Transaction, rule: str, inspector: str, addresses: Sequence[str], now: float) -> None:
    """Take what an inspector tells of a rule in the place of what it told before."""
    tx.run("DELETE FROM waf_limited WHERE rule = ? AND inspector = ?", rule, inspector)
    for address in dict.fromkeys(addresses):
        tx.run("INSERT INTO waf_limited (rule, inspector, address, told) VALUES (?, ?, ?, ?)", rule, inspector, address, now)


def prune(tx: Transaction, now: float) -> None:
    """Forget what is too old."""
    oldest = int((now - KEPT) // SLOT)
    tx.run("DELETE FROM waf_count WHERE slot < ?", oldest)
    tx.run("DELETE FROM waf_sample WHERE slot < ?", oldest)
    tx.run("DELETE FROM waf_path WHERE slot < ?", int((now - PATHS_KEPT) // HOUR))
    tx.run("DELETE FROM waf_limited WHERE told < ?", now - FRESH)


# What the control plane reads


def sampled(tx: Transaction, web_acl: str, metric: str, window: tuple[float, float]) -> tuple[int, list[dict[str, Any]]]:
    """How many requests a rule matched within the window (seconds since the epoch), and those that were kept, with weights.

    A weight says for how many requests of its minute one stands.
    """
    start, end = window
    slots = int(start // SLOT), int(end // SLOT)
    counted = tx.all(
        "SELECT slot, sum(requests) FROM waf_count WHERE web_acl = ? AND metric = ? AND slot BETWEEN ? AND ? GROUP BY slot",
        web_acl, metric, *slots,
    )  # fmt: skip
    population = {slot: int(count) for slot, count in counted}
    rows = tx.all(
        "SELECT slot, at, request FROM waf_sample WHERE web_acl = ? AND metric = ? AND slot BETWEEN ? AND ?"
        " ORDER BY slot, number",
        web_acl,
        metric,
        *slots,
    )
    kept: dict[int, int] = {}
    for slot, _, _ in rows:
        kept[slot] = kept.get(slot, 0) + 1
    found = [
        {**json.loads(text), "Weight": max(1, round(population.get(slot, 0) / kept[slot]))}
        for slot, at, text in rows
        if start <= at <= end
    ]
    return sum(population.values()), found


def limited(tx: Transaction, rule: str, now: float) -> list[str]:
    """The addresses that the inspectors limit by a rule at this moment, in order, at most AWS's 10,000."""
    rows = tx.all("SELECT DISTINCT address FROM waf_limited WHERE rule = ? AND told >= ? ORDER BY address", rule, now - FRESH)
    return [row[0] for row in rows[:10_000]]


@dataclass(frozen=True, slots=True)
class PathCount:
    """Requests for one path by one bot; the three names are empty for what is no bot."""

    path: str
    category: str
    organization: str
    bot: str
    requests: int


def paths(tx: Transaction, web_acl: str, window: tuple[float, float]) -> list[PathCount]:
    """Requests by path and bot in the hours of the window."""
    rows = tx.all(
        "SELECT path, category, organization, bot, sum(requests) FROM waf_path WHERE web_acl = ? AND slot BETWEEN ? AND ?"
        " GROUP BY path, category, organization, bot ORDER BY path, category, organization, bot",
        web_acl,
        int(window[0] // HOUR),
        int(window[1] // HOUR),
    )
    return [PathCount(path, category, organization, bot, int(count)) for path, category, organization, bot, count in rows]
