"""What ``garrison protect`` protects with: a web ACL of a file, or of a server of Garrison that runs on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import platformdirs

from garrison import app
from garrison.cli.calling import Caller, CallError, caller_keys
from garrison.cli.options import authority_of, endpoint_of, opened, tool_slot
from garrison.config import Settings
from garrison.core.ids import account_of_access_key, system_random
from garrison.core.net import is_loopback
from garrison.edge import listeners, live, token_keys
from garrison.edge.inspect import InvalidParameter, RateTable
from garrison.edge.interstitial import SpentTogether
from garrison.edge.listeners import Listener
from garrison.edge.places import Places
from garrison.edge.proxy import metrics
from garrison.edge.proxy.checks import Checker
from garrison.edge.proxy.embedded import Embedded
from garrison.edge.proxy.inspector import Inspector, compiled
from garrison.edge.proxy.judge import Judge
from garrison.edge.proxy.logbook import LineFile, LogBook, Write, log_book, to_stdout, writer_of
from garrison.edge.proxy.plans import parse_managed, planned
from garrison.edge.proxy.policies import FileSource, FolderCache, Policy, Source
from garrison.edge.proxy.settings import Front
from garrison.edge.proxy.stored import Reporter, StoreSource
from garrison.edge.proxy.supervisor import unix_socket
from garrison.edge.proxy.watcher import Watcher
from garrison.edge.samples import Batch
from garrison.edge.sharing import HubPool, HubServer, Pool, Sharer, ValkeyPool
from garrison.edge.token_keys import TokenKey, TokenKeys
from garrison.keys.keyring import Keyring

Given = Mapping[str, Any]
SERVICE = "AWSWAF_20190729"


@dataclass(slots=True)
class Opened:
    """What one inspector has of its web ACL's place; used in its own process."""

    source: Source
    open_book: Callable[[Policy], LogBook | None]
    batch: Batch | None = None
    reporter: Reporter | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """What a place is opened by. Handed to no one but an inspector."""

    arn: str = ""
    root: bytes = field(default=b"", repr=False)
    """The root key of the server's state."""
    key: tuple[str, bytes, float] | None = field(default=None, repr=False)
    """The key of tokens, where there is no server."""


class Place(Protocol):
    """Where the web ACL is."""

    @property
    def title(self) -> str:
        """For the first words."""
        ...

    def secret(self) -> Secret:
        """What another process needs to open it, beside the command line."""
        ...

    def open(self, guard: threading.Lock | None = None) -> contextlib.AbstractContextManager[Opened]:
        """Open it, in the process that uses it. ``guard``: held while its judge and watcher are used."""
        ...


def cache() -> FolderCache:
    """Compiled patterns, kept for the user. Raises OSError."""
    return FolderCache(platformdirs.user_cache_path("garrison") / "patterns")


# A file


class FilePlace:
    """A web ACL in a file, or made of the options; no server of Garrison is needed."""

    def __init__(self, front: Front, given: Given, kept: FolderCache, secret: Secret | None = None) -> None:
        """``secret``: of the same place in another process."""
        self._front = front
        self._path: Path = given["acl"] or self._planned(given)
        self.title = str(given["acl"] or given["managed"] or "a rate alone")
        self._managed = live.Managed(given["lists"], kept)
        self._places = Places(given["lists"])
        # A token is worth nothing after a restart: its browser solves another challenge.
        made = TokenKey("local", system_random(32), time.time() - 2 * token_keys.SETTLING)
        self._key = made if secret is None or secret.key is None else TokenKey(*secret.key)
        self._keys = TokenKeys([self._key])
        self._write = _writer(given["log"])

    def secret(self) -> Secret:
        """As of ``Place``."""
        return Secret(key=(self._key.id, self._key.secret, self._key.created))

    def _planned(self, given: Given) -> Path:
        path = self._front.folder / "acl.json"
        if path.exists():
            return path
        path.write_text(json.dumps(plan("protect", self._front, given), indent=2), encoding="utf-8")
        return path

    @contextlib.contextmanager
    def open(self, guard: threading.Lock | None = None) -> Iterator[Opened]:  # noqa: ARG002 - a file takes nothing back
        """As of ``Place``."""
        source = FileSource(self._path, self._managed, self._places, self._keys)
        yield Opened(source, self._book)

    def _book(self, policy: Policy) -> LogBook | None:
        document = policy.loaded.document
        if self._write is None or document is None:
            return None
        source = listeners.listener_arn("000000000000", "us-east-1", "protect")
        return log_book(self._write, document, source, policy.loaded.logging)


def plan(name: str, front: Front, given: Given) -> dict[str, Any]:
    """The web ACL of ``--managed`` and ``--rate``. Raises ValueError where there is neither."""
    if given["managed"] is None and given["rate"] is None:
        raise ValueError("nothing to inspect for: give --managed, --rate or --acl")
    return planned(name, parse_managed(given["managed"] or ""), given["rate"], on_loopback=is_loopback(front.listen.host))


def _writer(log: str | None) -> Write | None:
    if log is None:
        return None
    return to_stdout if log == "-" else LineFile(Path(log).absolute())


# A server of Garrison


class StorePlace:
    """A web ACL of the API: made by it with the caller's own permissions, and followed in the store."""

    def __init__(self, front: Front, given: Given, settings: Settings, kept: FolderCache, secret: Secret | None = None) -> None:
        """Registers the listener, makes the web ACL and associates it. Raises ValueError, CallError, OSError.

        ``secret``: of the same place in another process, which did all this.
        """
        self._settings = settings
        self._lists: Path | None = given["lists"]
        self._managed = live.Managed(self._lists, kept)
        if secret is not None:
            self.arn, self.title, self._keyring = secret.arn, "", Keyring(secret.root)
            return
        keys = caller_keys(given["profile"])
        endpoint = given["endpoint"] or endpoint_of(settings, {})
        caller = Caller(endpoint, settings.region, keys, authority_of(settings, endpoint))
        name = given["name"] or f"protect-{front.listen.port}"
        self.arn = listeners.listener_arn(account_of_access_key(keys.access_key_id), settings.region, name)
        self._keyring = self._register(front, name)
        self.title = self._associated(caller, name, front, given)

    def secret(self) -> Secret:
        """As of ``Place``."""
        roots: list[bytes] = []
        self._keyring.entrust(roots.append)
        return Secret(self.arn, roots[0])

    def _register(self, front: Front, name: str) -> Keyring:
        listener = Listener(
            self.arn,
            name,
            str(front.listen),
            str(front.upstream or ""),
            front.certificate is not None,
            front.fail_open,
            time.time(),
        )
        with opened(self._settings) as state:
            token_keys.keep_rotated(state.store, state.keyring, time.time())
            with state.store.writing() as tx:
                listeners.register(tx, listener)
            state.store.commit()
            keyring: Keyring = state.keyring
            return keyring

    def _associated(self, caller: Caller, name: str, front: Front, given: Given) -> str:
        """What protects it from now on. Without rules of the command line: what is associated, now and later."""
        if given["managed"] is None and given["rate"] is None:
            return "what is associated with the listener"
        document = plan(name, front, given)
        arn = _make(caller, document)
        caller.call("wafv2", f"{SERVICE}.AssociateWebACL", {"WebACLArn": arn, "ResourceArn": self.arn})
        return arn

    @contextlib.contextmanager
    def open(self, guard: threading.Lock | None = None) -> Iterator[Opened]:
        """As of ``Place``."""
        settings = self._settings
        with (
            tool_slot(settings.data_dir, app.TOOL_SLOTS) as slot,
            contextlib.closing(app.open_state(settings, slot, self._keyring)) as state,
        ):
            source = StoreSource(
                state.store, state.keyring, self.arn, self._managed, Places(self._lists), many_nodes=bool(settings.store)
            )
            batch = Batch(system_random)
            reporter = Reporter(state.store, batch, f"{socket.gethostname()}:{slot}", guard=guard)
            yield Opened(source, self._book, batch, reporter)

    def _book(self, policy: Policy) -> LogBook | None:
        document, configuration = policy.loaded.document, policy.loaded.logging
        if document is None or configuration is None:
            return None
        write = writer_of(configuration["LogDestinationConfigs"][0], self._settings.data_dir / "waf-logs")
        return None if write is None else log_book(write, document, self.arn, configuration)


def _make(caller: Caller, document: Mapping[str, Any]) -> str:
    """Create the web ACL, or update the one of this name; its ARN."""
    try:
        made = caller.call("wafv2", f"{SERVICE}.CreateWebACL", document)
    except CallError as error:
        if error.code != "WAFDuplicateItemException":
            raise
    else:
        return str(made["Summary"]["ARN"])
    summary = _named(caller, str(document["Name"]))
    known = caller.call("wafv2", f"{SERVICE}.GetWebACL", {name: summary[name] for name in ("Name", "Id")} | {"Scope": "REGIONAL"})
    update = {**document, "Id": summary["Id"], "LockToken": known["LockToken"]}
    caller.call("wafv2", f"{SERVICE}.UpdateWebACL", update)
    return str(summary["ARN"])


def _named(caller: Caller, name: str) -> dict[str, Any]:
    marker: dict[str, Any] = {}
    while True:
        page = caller.call("wafv2", f"{SERVICE}.ListWebACLs", {"Scope": "REGIONAL", **marker})
        for each in page["WebACLs"]:
            if each["Name"] == name:
                found: dict[str, Any] = each
                return found
        if not page.get("NextMarker"):
            raise CallError("WAFNonexistentItemException", f"the web ACL `{name}` exists and is not listed")
        marker = {"NextMarker": page["NextMarker"]}


# An inspector


def place_of(front: Front, given: Given, settings: Settings, kept: FolderCache, secret: Secret | None = None) -> Place:
    """Where the web ACL is: a file is its own truth; else it is the server's, where there is one."""
    served = not (given["local"] or given["acl"]) and bool(settings.store or (settings.data_dir / "garrison.db").exists())
    return StorePlace(front, given, settings, kept, secret) if served else FilePlace(front, given, kept, secret)


def first_policy(place: Place, kept: FolderCache) -> Policy:
    """The web ACL to begin with, read and compiled; it must be sound. Raises ValueError where it is not."""
    with place.open() as here:
        loaded = here.source.poll()
    if loaded is None:
        raise ValueError("there is no web ACL to begin with: the reason is above")
    try:
        return loaded.compile(kept)
    except InvalidParameter as error:
        raise ValueError(f"the web ACL is not valid: {error}") from error


def worker(
    front: Front, place: Place, kept: FolderCache, valkey: str | None, first: Policy
) -> Callable[[int, socket.socket, int], None]:
    """An inspector's life. The first web ACL was compiled once for all of them."""
    hub = front.folder / "hub"

    def work(number: int, sock: socket.socket, lifeline: int) -> None:
        with place.open() as own:
            # It may have changed since, when this is the successor of an inspector that ended.
            now = own.source.poll()
            newest = compiled(now, kept) if now is not None else None
            Working(front, own, newest or first, kept, _pool(front, hub, valkey)).run(
                sock, lifeline, hub if number == 0 and valkey is None and front.inspectors > 1 else None
            )

    return work


def run_inside(
    front: Front,
    own: Opened,
    kept: FolderCache,
    valkey: str | None,
    guard: threading.Lock,
    ready: Callable[[Embedded], None],
) -> None:
    """An inspector's life within Envoy's process, in a thread of its own. Raises ValueError, ProxyError where it cannot begin."""
    loaded = own.source.poll()
    if loaded is None:
        raise ValueError("there is no web ACL to begin with: the reason is above")
    pool = None if valkey is None else ValkeyPool(valkey)
    Working(front, own, loaded.compile(kept), kept, pool, guard).run_inside(unix_socket(front.socket(0)), ready)


def _pool(front: Front, hub: Path, valkey: str | None) -> Pool | None:
    if valkey is not None:
        return ValkeyPool(valkey)
    return HubPool(hub) if front.inspectors > 1 else None


class Working:
    """One inspector with all that it keeps."""

    def __init__(
        self,
        front: Front,
        own: Opened,
        policy: Policy,
        kept: FolderCache,
        pool: Pool | None,
        guard: threading.Lock | None = None,
    ) -> None:
        """``guard``: where other threads than the loop's ask the judge."""
        self._front = front
        self._own = own
        self._kept = kept
        self._guard = guard
        self._held: contextlib.AbstractContextManager[Any] = guard or contextlib.nullcontext()
        self._table = RateTable(shared=pool is not None)
        self._sharer = None if pool is None else Sharer(self._table, pool, guard=guard)
        self._watcher = Watcher(own.open_book, own.batch)
        spent = SpentTogether(front.folder / "spent")
        self._judge = Judge(policy, self._table, front.scheme, front.undo_codings, self._watcher, spent)
        self._answer = self._judge.answer if front.upstream is not None else Checker(self._judge, front.fail_open).answer
        self._metrics = metrics.Metrics()

    def run(self, sock: socket.socket, lifeline: int, hub: Path | None) -> None:
        """Serve until told to stop. ``hub``: where it serves the hub of rates too."""
        try:
            self._inspector(sock, hub).run(lifeline)
        finally:
            self._chores()

    def run_inside(self, sock: socket.socket, ready: Callable[[Embedded], None]) -> None:
        """Serve metrics, and follow the web ACL, while Envoy's threads ask what ``ready`` is given."""
        guard = self._guard
        assert guard is not None  # noqa: S101 - they are several
        inspector = self._inspector(sock, None)
        try:
            inspector.run_within(lambda stop: ready(Embedded(self._judge, guard, stop, fail_open=self._front.fail_open)))
        finally:
            self._chores()

    def _inspector(self, sock: socket.socket, hub: Path | None) -> Inspector:
        return Inspector(
            sock, self._judge, self._answer, self._own.source, self._kept, metrics.page, self._chores, self._tasks(hub)
        )

    def _tasks(self, hub: Path | None) -> list[Callable[[], Any]]:
        found: list[Callable[[], Any]] = []
        if hub is not None:
            sock = _hub_socket(hub)
            found.append(lambda: _serve_hub(sock))
        if self._sharer is not None:
            found.append(self._sharer.run)
        return found

    def _chores(self) -> None:
        """Each second, and at the end."""
        judge, watcher = self._judge, self._watcher
        with self._held:
            if judge.policy.acl is not None:
                self._table.keep_only(frozenset(each.id for each in judge.policy.acl.rates))
            watcher.flush()
            counts = dict(watcher.counts)
        if self._own.reporter is not None:
            self._own.reporter.report(judge, watcher)
        counts["events", "inspection_failed"] = judge.failures
        counts["events", "coded_body_refused"] = judge.unreadable
        if self._sharer is not None:
            counts["events", "rates_not_shared"] = self._sharer.failures
        self._metrics.hand_over(counts)


def _hub_socket(path: Path) -> socket.socket:
    """In a folder that is its owner's alone, and so is the socket."""
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    return sock


async def _serve_hub(sock: socket.socket) -> None:
    server = HubServer(sock)
    await server.start()
    try:
        await asyncio.Event().wait()
    finally:
        server.close()
