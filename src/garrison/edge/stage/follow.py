"""Follows which web ACL Garrison's own API has, and puts it in force. While it has none the engine is neither loaded nor asked.

Reading is done in the thread of the event loop, which owns the store; whatever takes long is done on another one, and meanwhile
what was in force goes on. What is associated when a worker starts is in force before it takes its first call.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from garrison.core.ports import Sealer
from garrison.edge import token_keys
from garrison.edge.entities import CHANGED
from garrison.edge.stage.rulings import Inspect, Setup, refuse_all
from garrison.store import Store, StoreUnavailable

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from garrison.edge.stage.inspecting import Inspecting

LOG = logging.getLogger("garrison.edge")
POLL_SECONDS: Final = 0.2
OTHERS_SECONDS: Final = 0.5
"""Between two looks at what other nodes changed, and at files of lists."""
AGAIN_SECONDS: Final = 5.0
"""Before the engine is loaded again that could not be."""
_TYPE: Final = "API_GATEWAY"
T = TypeVar("T")


class Stage:
    """The API's web ACL in one worker. ``install`` is told who inspects calls from now on; None: nobody."""

    def __init__(self, store: Store, sealer: Sealer, setup: Setup, install: Callable[[Inspect | None], None]) -> None:
        self._store = store
        self._sealer = sealer
        self._setup = setup
        self._install = install
        self._stale = True
        self._in_force = False
        self._resources: tuple[str, ...] = ()
        self._inspecting: Inspecting | None = None
        self._work: asyncio.Task[None] | None = None
        self._sharing: asyncio.Task[None] | None = None
        self._others_at = self._again_at = 0.0
        for kind in (CHANGED, token_keys.KIND):
            store.on_change(kind, self._dropped)

    def _dropped(self, _key: str | None) -> None:
        self._stale = True

    async def start(self) -> None:
        """Put in force what is associated now. Raises StoreUnavailable."""
        self._advance()
        while self._work is not None:
            await self._work
            self._advance()

    async def run(self) -> None:
        """Follow for ever; cancelled to end."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                self._hear()
                self._advance()
            except StoreUnavailable as error:
                LOG.warning("the store does not answer, changes of the API's web ACL are not heard: %s", error.reason)
            except Exception:
                self._stale = True
                LOG.exception("the API's web ACL cannot be followed")

    def _hear(self) -> None:
        """Other processes of the node at once, other nodes twice a second."""
        self._store.refresh()
        now = time.monotonic()
        if self._setup.many_nodes and now - self._others_at >= OTHERS_SECONDS:
            self._others_at = now
            self._store.poll()

    def _advance(self) -> None:
        """Do the next thing that is to be done, if there is one."""
        if self._stale:
            self._read()
        if self._work is not None or not self._resources:
            return
        now = time.monotonic()
        if self._inspecting is None:
            if now >= self._again_at:
                self._begin(self._load)
        elif self._inspecting.due:
            self._begin(self._compile)
        elif self._setup.lists is not None and now >= self._again_at:
            self._again_at = now + OTHERS_SECONDS
            self._begin(self._look_at_files)

    def _read(self) -> None:
        """What is associated, and with what. Without a web ACL nothing is asked from this moment on."""
        reader = self._store.reading()
        rows = reader.all("SELECT resource FROM waf_association WHERE type = ? ORDER BY resource", _TYPE)
        self._resources = tuple(row[0] for row in rows)
        if not self._resources:
            self._install_now(None)
        try:
            if self._inspecting is not None:
                self._inspecting.read(reader, self._sealer, self._resources)
        except ValueError as error:
            LOG.error("the API's web ACL cannot be read: %s", error)  # noqa: TRY400 - whose text says it all
            if not self._in_force:
                self._refuse()
        self._stale = False

    # On a thread

    def _begin(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = asyncio.ensure_future(self._finish(work))

    async def _finish(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        finally:
            self._work = None

    async def _load(self) -> None:
        try:
            self._inspecting = await _beside(lambda: _inspecting(self._setup))
        except Exception:
            LOG.exception("the API's web ACL cannot be put in force")
            self._again_at = time.monotonic() + AGAIN_SECONDS
            self._refuse()
            return
        self._stale = True
        self._sharing = asyncio.ensure_future(self._share(self._inspecting))

    async def _share(self, inspecting: Inspecting) -> None:
        try:
            await inspecting.share()
        except OSError:
            LOG.exception("rates are counted by each worker alone")

    async def _compile(self) -> None:
        assert self._inspecting is not None  # noqa: S101 - who calls it looked
        self._inspecting.take(await _beside(self._inspecting.prepare))
        if self._resources:
            self._install_now(self._inspecting.inspect)

    async def _look_at_files(self) -> None:
        assert self._inspecting is not None  # noqa: S101 - who calls it looked
        self._stale |= await _beside(self._inspecting.look_at_files)

    def _refuse(self) -> None:
        """There is a web ACL, and nobody who could hold a call against it."""
        if self._resources and not self._setup.fail_open:
            self._install_now(refuse_all)

    def _install_now(self, inspect: Inspect | None) -> None:
        self._in_force = inspect is not None
        self._install(inspect)

    # Each second

    def report(self, now: float) -> None:
        """Write what was seen into the group of this turn, for whoever owns the store to commit. Never raises."""
        if self._inspecting is None or not self._inspecting.pending(now):
            return
        try:
            with self._store.writing() as tx:
                self._inspecting.write(tx, now)
        except StoreUnavailable as error:
            LOG.warning("samples of calls are not written: %s", error.reason)

    def hand_over(self, registry: CollectorRegistry) -> None:
        """Bring Prometheus' counters up to date."""
        if self._inspecting is not None:
            self._inspecting.hand_over(registry)


def _inspecting(setup: Setup) -> Inspecting:
    from garrison.edge.stage.inspecting import Inspecting  # noqa: PLC0415 - only who has a web ACL needs the engine's detectors

    return Inspecting(setup)


async def _beside(work: Callable[[], T]) -> T:
    """Run on a thread of its own that no stop of the process waits for: a compilation may take a minute."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(found: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(found)  # type: ignore[arg-type] # it is what `work` gave

    def run() -> None:
        found, failed = None, None
        try:
            found = work()
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            failed = error
        # A loop that is closed waits no more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, found, failed)

    threading.Thread(target=run, name="web-acl", daemon=True).start()
    return await done
