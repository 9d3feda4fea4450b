"""A web ACL in Garrison's store: what is associated with a listener, as the API keeps it; and what goes back there."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from garrison.core.ids import system_random
from garrison.core.ports import Sealer
from garrison.edge import live, token_keys
from garrison.edge.inspect import Location
from garrison.edge.places import Places
from garrison.edge.proxy.judge import Judge
from garrison.edge.proxy.policies import Loaded
from garrison.edge.proxy.watcher import Watcher
from garrison.edge.samples import Batch
from garrison.store import Store, StoreUnavailable

LOG = logging.getLogger("garrison.edge")
OTHERS_SECONDS: Final = 0.5
"""Between two looks at what other nodes changed, and at files of lists."""
LIMITED_SECONDS: Final = 5.0


class StoreSource:
    """Follows the web ACL of one resource. The store is this process's own."""

    def __init__(
        self, store: Store, sealer: Sealer, resource: str, managed: live.Managed, places: Places, *, many_nodes: bool
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._resource = resource
        self._managed = managed
        self._places = places
        self._many_nodes = many_nodes
        self._stale = True
        self._version = ""
        self._keys = token_keys.TokenKeys(())
        self._others_at = 0.0
        for kind in (live.CHANGED, token_keys.KIND):
            store.on_change(kind, self._dropped)

    def _dropped(self, _key: str | None) -> None:
        self._stale = True

    def poll(self) -> Loaded | None:
        """As of ``Source``. While the store does not answer, the web ACL that was read last goes on."""
        try:
            return self._poll()
        except StoreUnavailable as error:
            LOG.warning("the store does not answer, changes of the web ACL are not heard: %s", error)
        except ValueError as error:
            LOG.error("the web ACL cannot be read: %s", error)  # noqa: TRY400 - whose text says it all
        return None

    def _poll(self) -> Loaded | None:
        self._hear()
        if not self._stale:
            return None
        reading = self._store.reading()
        attached = live.read(reading, self._resource, self._managed, self._locate)
        keys = token_keys.load(reading, self._sealer)
        self._stale = False
        known = sorted(row[0] for row in reading.all("SELECT key_id FROM waf_token_key"))
        version = f"{attached.version if attached else ''} {known} {self._places.version}"
        if version == self._version:
            return None
        self._version, self._keys = version, keys
        if attached is None:
            LOG.warning("no web ACL is associated with %s: every request passes", self._resource)
            return Loaded(None, live.of({}, self._managed.catalog, self._locate), None, keys)
        return Loaded(attached.document, attached.resources, attached.logging, keys)

    def _hear(self) -> None:
        """Other processes of the node at once, other nodes and files twice a second."""
        self._store.refresh()
        now = time.monotonic()
        if now - self._others_at < OTHERS_SECONDS:
            return
        self._others_at = now
        if self._many_nodes:
            self._store.poll()
        if self._managed.refresh():
            self._stale = True
        if self._places.refresh():
            self._stale = True

    def _locate(self, ip: str) -> Location:
        return self._places.locate(ip)


class Reporter:
    """Writes what an inspector saw, about each second, and never for a single request."""

    def __init__(
        self,
        store: Store,
        batch: Batch,
        name: str,
        clock: Callable[[], float] = time.time,
        guard: contextlib.AbstractContextManager[Any] | None = None,
    ) -> None:
        """``guard`` is held while judge and watcher are touched, where other threads use them too; never while it writes."""
        self._store = store
        self._batch = batch
        self._spare = Batch(system_random)
        self._guard = guard or contextlib.nullcontext()
        self._unwritten = False
        self._name = name
        self._clock = clock
        self._seen = 0
        self._limited_at = 0.0

    def report(self, judge: Judge, watcher: Watcher) -> None:
        """Write, where there is something new. What cannot be written now is written with the next time."""
        now = self._clock()
        with self._guard:
            if not self._unwritten and not self._take(judge, watcher, now):
                return
        self._unwritten = True
        try:
            with self._store.writing() as tx:
                self._spare.flush(tx, self._name, now)
            self._store.commit()
            self._unwritten = False
        except StoreUnavailable as error:
            LOG.warning("samples of requests are not written: %s", error)

    def _take(self, judge: Judge, watcher: Watcher, now: float) -> bool:
        """Give the watcher the empty batch, and have its full one to write. Whether there is anything in it."""
        acl = judge.policy.acl
        due = now - self._limited_at >= LIMITED_SECONDS and acl is not None and bool(acl.rates)
        if watcher.seen == self._seen and not due:
            return False
        if acl is not None and due:
            self._batch.limit(acl.rates, judge.rates, now)
            self._limited_at = now
        self._seen = watcher.seen
        self._batch, self._spare = self._spare, self._batch
        watcher.batch = self._batch
        return True
