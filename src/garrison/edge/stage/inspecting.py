"""The web ACLs of Garrison's own API at work in one worker. Importing this imports detectors, pages and databases of places."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from garrison.core.context import Call
from garrison.core.http import Request, Response
from garrison.core.ids import system_random
from garrison.core.ports import Sealer, Transaction
from garrison.edge import live, token_keys
from garrison.edge.inspect import PatternCache, RateTable, WebRequest
from garrison.edge.interstitial import Spent, SpentHere, SpentTogether
from garrison.edge.interstitial.answers import ATTEMPTS, PICTURES
from garrison.edge.places import Places
from garrison.edge.proxy.inspector import compiled
from garrison.edge.proxy.judge import Judge, Passed, Work
from garrison.edge.proxy.logbook import LogBook, log_book, writer_of
from garrison.edge.proxy.metrics import Metrics
from garrison.edge.proxy.policies import FolderCache, Loaded, Policy
from garrison.edge.proxy.settings import INSPECTED_BYTES
from garrison.edge.proxy.watcher import Watcher
from garrison.edge.samples import Batch
from garrison.edge.sharing import EVERY_SECONDS, HubPool, HubServer, Pool, Sharer, ValkeyPool
from garrison.edge.stage.rulings import Refusal, Ruling, Setup, Slow

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

LOG = logging.getLogger("garrison.edge")
RESOURCE_TYPE: Final = "API_GATEWAY"
_HUB: Final = "hub"
LIMITED_SECONDS: Final = 5.0
_PAGES: Final = frozenset({ATTEMPTS.id, PICTURES.id})
_FORBIDDEN: Final = Response(403)
"""In the place of an answer that is written in the caller's protocol."""


def _forbidden() -> Response:
    return _FORBIDDEN


@dataclass(slots=True)
class _Stage:
    """The API in one Region, with the web ACL that it has there."""

    judge: Judge
    watcher: Watcher
    version: str = ""
    """Of what is in force; empty where nothing is yet."""
    wanted: tuple[str, Loaded] | None = None
    """What is to be in force, with its version; None where that is so."""
    failed: str = ""
    """The version that could not be compiled: it is not tried again."""

    @property
    def in_force(self) -> bool:
        return bool(self.version)


class Inspecting:
    """Inspects calls. Used by the thread of one event loop, but for what says otherwise."""

    def __init__(self, setup: Setup) -> None:
        """Reads lists and databases: for a thread. Raises ValueError naming one that is none, OSError."""
        self._setup = setup
        self._cache = _cache(setup.patterns)
        # What all detectors share is compiled when a web ACL first needs it: without a cache that takes a minute.
        self._managed = live.Managed(setup.lists, self._cache, detecting=False)
        self._detecting = False
        self._places = Places(setup.lists)
        pool = _pool(setup)
        self._table = RateTable(shared=pool is not None)
        self._sharer = None if pool is None else Sharer(self._table, pool)
        self._spent: Spent = SpentHere() if setup.shared is None else SpentTogether(setup.shared / "spent")
        self._batch = Batch(system_random)
        self._counts: dict[tuple[str, ...], float] = defaultdict(float)
        self._metrics: Metrics | None = None
        self._known: dict[str, _Stage] = {}
        self._active: tuple[_Stage, ...] = ()
        self._told = 0
        self._limited_at = 0.0

    # What is in force

    def read(self, reader: Transaction, sealer: Sealer, resources: Sequence[str]) -> None:
        """Read the web ACLs of these. Raises ValueError, StoreUnavailable."""
        found = [(each, self._read(reader, sealer, each)) for each in resources]
        active = tuple(self._wanting(resource, wanted) for resource, wanted in found if wanted is not None)
        for stage in self._active:
            if all(stage is not each for each in active):
                # Should it come back it is compiled anew: until then nothing of it is in force.
                stage.watcher.flush()
                stage.version, stage.wanted, stage.failed = "", None, ""
        self._active = active

    def _read(self, reader: Transaction, sealer: Sealer, resource: str) -> tuple[str, Loaded] | None:
        attached = live.read(reader, resource, self._managed, self._places.locate)
        if attached is None:
            return None
        keys = token_keys.load(reader, sealer)
        known = sorted(row[0] for row in reader.all("SELECT key_id FROM waf_token_key"))
        version = f"{attached.version} {known} {self._places.version}"
        return version, Loaded(attached.document, attached.resources, attached.logging, keys, RESOURCE_TYPE)

    def _wanting(self, resource: str, wanted: tuple[str, Loaded]) -> _Stage:
        stage = self._known.get(resource) or self._new(resource)
        stage.wanted = wanted if wanted[0] not in {stage.version, stage.failed} else None
        return stage

    def _new(self, resource: str) -> _Stage:
        watcher = Watcher(partial(self._book, resource), self._batch, self._counts)
        nothing = Policy(Loaded(None, live.of({}, self._managed.catalog)), None)
        judge = Judge(nothing, self._table, "", undo_codings=False, observer=watcher, spent=self._spent, forbidden=_forbidden)
        made = self._known[resource] = _Stage(judge, watcher)
        return made

    @property
    def due(self) -> bool:
        """Whether something is to be compiled."""
        return any(each.wanted is not None for each in self._active)

    def prepare(self) -> list[tuple[_Stage, str, Policy | None]]:
        """Compile what is due; may take long, for a thread, while calls go on being inspected. None: it cannot be."""
        todo = [(each, each.wanted) for each in self._active]
        return [(each, wanted[0], self._compiled(wanted[1])) for each, wanted in todo if wanted is not None]

    def _compiled(self, loaded: Loaded) -> Policy | None:
        if not _detects(loaded):
            return compiled(loaded, self._cache)
        if not self._detecting:
            self._managed, self._detecting = live.Managed(self._setup.lists, self._cache), True
        resources = replace(cast("live.Snapshot", loaded.resources), catalog=self._managed.catalog)
        return compiled(replace(loaded, resources=resources), self._cache)

    def take(self, made: Sequence[tuple[_Stage, str, Policy | None]]) -> None:
        """Put in force what was compiled, where it is still wanted."""
        for stage, version, policy in made:
            if stage.wanted is None or stage.wanted[0] != version:
                continue
            stage.wanted = None
            if policy is None:
                # What was in force goes on; where nothing was, nothing passes.
                stage.failed = version
            else:
                stage.version, stage.failed, stage.judge.policy = version, "", policy

    def look_at_files(self) -> bool:
        """See whether lists or databases changed, and read those that did: for a thread. Whether something is another."""
        return self._managed.refresh() | self._places.refresh()

    # Calls

    def inspect(self, request: Request, call: Call, now: float, request_id: str) -> Ruling:
        """As of ``Inspect``: the web ACLs of all Regions, in order, until one does not let it pass."""
        try:
            asked = web_request(request, call, now, request_id)
        except ValueError as error:
            LOG.error("a call cannot be read: %s", error)  # noqa: TRY400 - whose text says it all
            return Refusal.FAILED
        for stage in self._active:
            ruling = self._of(stage, asked)
            if ruling is not None:
                return ruling
        return None

    def _of(self, stage: _Stage, asked: WebRequest) -> Ruling:
        if not stage.in_force:
            # What was just associated is in force once it is compiled; what cannot be compiled lets nothing pass.
            return Refusal.FAILED if stage.failed and not self._setup.fail_open else None
        try:
            found = stage.judge.decide(asked)
        except Exception as error:  # noqa: BLE001 - whatever it is, the call must have an answer; it is logged
            stage.judge.failed(error)
            return None if self._setup.fail_open else Refusal.FAILED
        if isinstance(found, Passed):
            return None
        if isinstance(found, Work):
            return Slow(found.run)
        return Refusal.BLOCKED if found is _FORBIDDEN else found

    # What is told of them

    def _book(self, resource: str, policy: Policy) -> LogBook | None:
        document, configuration = policy.loaded.document, policy.loaded.logging
        if document is None or configuration is None:
            return None
        write = writer_of(configuration["LogDestinationConfigs"][0], self._setup.logs)
        return None if write is None else log_book(write, document, resource, configuration)

    def pending(self, now: float) -> bool:
        """Write log records, and forget rates of rules that are no more; whether there is something for the store."""
        policies = [each.judge.policy.acl for each in self._active if each.in_force]
        rates = [rate for acl in policies if acl is not None for rate in acl.rates]
        self._table.keep_only(frozenset(each.id for each in rates) | _PAGES)
        for each in self._active:
            each.watcher.flush()
        due = bool(rates) and now - self._limited_at >= LIMITED_SECONDS
        if due:
            self._batch.limit(rates, self._table, now)
            self._limited_at = now
        seen = sum(each.watcher.seen for each in self._known.values())
        pending = due or seen != self._told
        self._told = seen
        return pending

    def write(self, tx: Transaction, now: float) -> None:
        """Write what was seen since the last time."""
        self._batch.flush(tx, self._setup.name, now)

    def hand_over(self, registry: CollectorRegistry) -> None:
        """Bring Prometheus' counters up to date."""
        counts = self._counts
        counts["events", "inspection_failed"] = sum(each.judge.failures for each in self._known.values())
        if self._sharer is not None:
            counts["events", "rates_not_shared"] = self._sharer.failures
        if self._metrics is None:
            self._metrics = Metrics(registry)
        self._metrics.hand_over(counts)

    async def share(self) -> None:
        """Tell other workers and nodes of rates, for ever; returns at once where there are none."""
        if self._sharer is None:
            return
        place = None if self._setup.shared is None or self._setup.valkey else self._setup.shared / _HUB
        if place is None or not self._setup.first:
            while place is not None and not place.exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(EVERY_SECONDS)
            await self._sharer.run()
            return
        hub = await _hub(place)
        try:
            await self._sharer.run()
        finally:
            hub.close()


def web_request(request: Request, call: Call, now: float, request_id: str) -> WebRequest:
    """A call as the engine sees it: the bytes as they came. Raises UnicodeEncodeError, a ValueError, for what no server reads."""
    target = f"{request.path}?{request.query}" if request.query else request.path
    return WebRequest(
        request.method,
        target.encode("latin-1"),
        [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers],
        request.body[:INSPECTED_BYTES],
        source_ip=call.source_ip,
        body_size=len(request.body),
        scheme="https" if call.secure else "http",
        host=call.host,
        request_id=request_id,
        time=now,
    )


_DETECTING: Final = ('"ManagedRuleGroupStatement"', '"SqliMatchStatement"', '"XssMatchStatement"')


def _detects(loaded: Loaded) -> bool:
    """Whether a web ACL, or a rule group of it, asks detectors of attacks. A word of its own that reads so costs time alone."""
    groups = cast("live.Snapshot", loaded.resources).rule_groups
    text = json.dumps([loaded.document, *groups.values()])
    return any(each in text for each in _DETECTING)


def _cache(folder: Path) -> PatternCache | None:
    try:
        return FolderCache(folder)
    except OSError as error:
        LOG.warning("compiled patterns are not kept, each change takes its time: %s", error)
        return None


def _pool(setup: Setup) -> Pool | None:
    if setup.valkey:
        return ValkeyPool(setup.valkey)
    return None if setup.shared is None else HubPool(setup.shared / _HUB)


async def _hub(place: Path) -> HubServer:
    """The hub of a node's workers, which one of them keeps. In a folder that is its owner's alone, and so is the socket."""
    beside = place.with_name(f".{_HUB}")
    beside.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(beside))
    made = HubServer(sock)
    await made.start()
    # It has its name once it answers: whoever waits for it finds nobody silent there.
    beside.replace(place)
    return made
