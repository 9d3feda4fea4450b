"""One inspector process: serves its socket, follows its web ACL, and ends when told or when its supervisor is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from garrison.edge.inspect import EngineFault, InvalidParameter, PatternCache
from garrison.edge.proxy.judge import Judge
from garrison.edge.proxy.policies import Loaded, Policy, Source
from garrison.edge.proxy.server import Answer, Connection, Page

LOG = logging.getLogger("garrison.edge")
POLL_SECONDS: Final = 0.2
CHORES_SECONDS: Final = 1.0
STUCK_SECONDS: Final = 5.0
"""CPU time that may pass without a sign of life."""
STOP_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT})


def _from_outside(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    loop.call_soon_threadsafe(stop.set)


def nothing() -> None:
    """Do nothing."""


async def stay_awake(threads: int = 1) -> None:
    """Have the kernel end this process where the loop stands still and uses CPU time.

    Whatever made one request cost that much would do it again: a successor serves the others. CPU time, because a machine that
    has none to give is no fault of the process's; a signal that Python does not handle, because it could not. ``threads`` are
    those that may be at work while all is well.
    """
    try:
        while True:
            signal.setitimer(signal.ITIMER_VIRTUAL, STUCK_SECONDS * threads)
            await asyncio.sleep(POLL_SECONDS)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


@dataclass(frozen=True, slots=True)
class Inspector:
    """What one process works with."""

    sock: socket.socket
    """On a Unix socket or on TCP, bound and listening."""
    judge: Judge
    answer: Answer
    source: Source
    cache: PatternCache | None
    metrics: Page
    chores: Callable[[], None] = nothing
    """Called each second in the thread of the loop. May raise: it is logged, and called again."""
    tasks: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
    """What runs beside, for as long as it serves."""

    def run(self, lifeline: int) -> None:
        """Serve until SIGTERM, SIGINT, or until ``lifeline`` (a pipe's reading end) is closed."""
        import uvloop  # noqa: PLC0415 - only an inspector needs it

        uvloop.run(self._serve(lifeline))

    def run_within(self, ready: Callable[[Callable[[], None]], None]) -> None:
        """Serve in this thread of a process that is another program's; ``ready`` is given what ends it, from any thread."""
        import uvloop  # noqa: PLC0415 - only an inspector needs it

        async def serve() -> None:
            loop, stop = asyncio.get_running_loop(), asyncio.Event()
            ready(lambda: _from_outside(loop, stop))
            await self._until(stop, os.cpu_count() or 1)

        uvloop.run(serve())

    async def _serve(self, lifeline: int) -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, stop.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

        def supervisor_is_gone() -> None:
            loop.remove_reader(lifeline)
            stop.set()

        loop.add_reader(lifeline, supervisor_is_gone)
        await self._until(stop)

    async def _until(self, stop: asyncio.Event, threads: int = 1) -> None:
        loop = asyncio.get_running_loop()
        envoys = self.sock.family == socket.AF_UNIX
        serve = loop.create_unix_server if envoys else loop.create_server
        server = await serve(lambda: Connection(self.answer, self.metrics, envoys=envoys), sock=self.sock)
        awake = partial(stay_awake, threads)
        beside: list[Callable[[], Coroutine[Any, Any, None]]] = [self._follow, self._keep_house, awake, *self.tasks]
        running = [asyncio.create_task(each()) for each in beside]
        for each in running:
            each.add_done_callback(lambda _: stop.set())  # who hears of no change any more must not go on
        try:
            await stop.wait()
        finally:
            server.close()
            for each in running:
                each.cancel()
            for each in running:
                with contextlib.suppress(asyncio.CancelledError):
                    await each  # raises what ended it, and so the process

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(CHORES_SECONDS)
            try:
                self.chores()
            except Exception:
                LOG.exception("an inspector's own housekeeping failed")

    async def _follow(self) -> None:
        """Take each change of the web ACL. It is compiled beside the loop; until it is ready the old one inspects."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            loaded = self.source.poll()
            if loaded is not None:
                policy = await loop.run_in_executor(None, compiled, loaded, self.cache)
                if policy is not None:
                    self.judge.policy = policy


def compiled(loaded: Loaded, cache: PatternCache | None) -> Policy | None:
    """What was read, ready to inspect; None where it cannot be, which is told."""
    try:
        return loaded.compile(cache)
    except (InvalidParameter, EngineFault) as error:
        LOG.error("the web ACL is not taken: %s", error)  # noqa: TRY400 - whose text says it all
    except Exception:
        # A file's document is checked by nobody before: whatever is wrong in its structure, the old one goes on.
        LOG.exception("the web ACL is not taken")
    return None
