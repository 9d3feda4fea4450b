"""``garrison serve``: a supervisor, its API workers and one background worker.

The supervisor opens the socket and forks; a process that dies is started again. Each worker watches a pipe whose
other end the supervisor holds: when the supervisor is gone, however it went, its workers end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from garrison import app
from garrison.audit import Recorder
from garrison.config import Settings
from garrison.core.errors import CommonError
from garrison.keys.certificate import ensure_certificate
from garrison.keys.keyring import Keyring
from garrison.keys.kms.deletion import due_deletions
from garrison.logs import configure_logs
from garrison.wire.metrics import prepare_folder
from garrison.wire.server import make_server

log = logging.getLogger("garrison")

_RESTART_SECONDS = 1.0
_STOP_SECONDS = 10.0
_BACKGROUND_SECONDS = 5.0


@dataclass(slots=True)
class Listener:
    """Where the server listens."""

    sock: socket.socket
    endpoint: str
    tls: tuple[str, str] | None
    authority: Path | None = None


def listen(settings: Settings) -> Listener:
    """Open the socket and find the certificate. Raises OSError where the address is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((settings.host, settings.port))
    sock.listen(1024)
    sock.setblocking(False)  # noqa: FBT003 - the socket's own signature
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    port = sock.getsockname()[1]
    if settings.tls_cert and settings.tls_key:
        return Listener(sock, f"https://{host}:{port}", (str(settings.tls_cert), str(settings.tls_key)))
    if settings.tls:
        cert, key, authority = ensure_certificate(settings.data_dir / "tls", settings.host, time.time())
        return Listener(sock, f"https://{host}:{port}", (str(cert), str(key)), authority)
    return Listener(sock, f"http://{host}:{port}", None)


def serve(settings: Settings, announce: Callable[[Listener, app.FirstCredentials], None]) -> int:
    """Serve until told to stop; answers the exit status. ``announce`` is called once the socket is open."""
    configure_logs(settings.log_level)
    if settings.dev:
        return _serve_in_memory(settings, announce)
    keyring = app.open_keyring(settings)
    state = app.open_state(settings, app.BACKGROUND_SLOT, keyring)
    try:
        found = app.first_start(state)
        app.adopt_dead_chains(state)
    finally:
        state.close()
    listener = listen(settings)
    prepare_folder(settings.data_dir / "metrics")
    if settings.credentials_file:
        app.write_credentials_file(settings.credentials_file, listener.endpoint, settings, found)
    announce(listener, found)
    return Supervisor(settings, keyring, listener).run()


def _serve_in_memory(settings: Settings, announce: Callable[[Listener, app.FirstCredentials], None]) -> int:
    state = app.open_state(settings, 0)
    found = app.first_start(state)
    listener = listen(settings)
    if settings.credentials_file:
        app.write_credentials_file(settings.credentials_file, listener.endpoint, settings, found)
    announce(listener, found)
    run_worker(app.build_worker(state, 0), listener, None)
    return 0


def run_worker(worker: app.Worker, listener: Listener, lifeline: int | None) -> None:
    """Serve with one worker until SIGTERM, SIGINT, or until ``lifeline`` (a pipe's reading end) is closed."""
    import uvloop  # noqa: PLC0415 - only a worker needs it

    settings = worker.state.settings
    server = make_server(
        worker.gateway,
        max_head_bytes=settings.max_head_bytes,
        head_timeout=settings.read_timeout,
        max_connections=settings.max_connections,
        tls=listener.tls,
    )

    async def main() -> None:
        loop = asyncio.get_running_loop()
        if lifeline is not None:
            loop.add_reader(lifeline, lambda: os.kill(os.getpid(), signal.SIGTERM))
        ticking = asyncio.create_task(_tick(worker))
        try:
            await server.serve(sockets=[listener.sock])
        finally:
            ticking.cancel()

    try:
        uvloop.run(main())
    except KeyboardInterrupt:
        pass
    finally:
        worker.close()


async def _tick(worker: app.Worker) -> None:
    while True:
        await asyncio.sleep(1.0)
        try:
            worker.tick()
        except CommonError:
            log.warning("the store did not take the worker's own notes; trying again")
        except Exception:
            log.exception("the worker's own housekeeping failed")


@dataclass(slots=True)
class Supervisor:
    """Starts processes and starts them again."""

    settings: Settings
    keyring: Keyring
    listener: Listener
    _children: dict[int, int] = field(default_factory=dict)
    """Process id to slot."""
    _stopping: bool = False

    def run(self) -> int:
        """Fork the workers and wait. Answers the exit status."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        reading, writing = os.pipe()
        for slot in (*range(self.settings.workers), app.BACKGROUND_SLOT):
            self._start(slot, reading, writing)
        while self._children:
            try:
                pid, status = os.wait()
            except InterruptedError:
                continue
            slot = self._children.pop(pid, None)
            if slot is None or self._stopping:
                continue
            log.error("a process ended and is started again", extra={"slot": slot, "status": os.waitstatus_to_exitcode(status)})
            time.sleep(_RESTART_SECONDS)
            self._start(slot, reading, writing)
        return 0

    def _start(self, slot: int, reading: int, writing: int) -> None:
        pid = os.fork()
        if pid:
            self._children[pid] = slot
            return
        status = 1
        try:
            os.close(writing)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            self._child(slot, reading)
            status = 0
        except BaseException:
            log.exception("a process could not go on", extra={"slot": slot})
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _child(self, slot: int, reading: int) -> None:
        state = app.open_state(self.settings, slot, self.keyring)
        if slot == app.BACKGROUND_SLOT:
            self.listener.sock.close()
            run_background(state, reading)
        else:
            run_worker(app.build_worker(state, slot), self.listener, reading)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        for pid in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def run_background(state: app.State, lifeline: int) -> None:
    """What no request waits for: keys whose waiting period is over, chains of dead processes, old changes."""
    stop = False

    def ask_to_stop(*_: object) -> None:
        nonlocal stop
        stop = True

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    recorder = Recorder(state.store, state.data_dir, state.keyring, app.BACKGROUND_SLOT)
    rounds = 0
    while not stop:
        try:
            due_deletions(state.store, recorder, time.time())
            app.adopt_dead_chains(state)
            if rounds % 720 == 0:
                state.store.prune()
        except CommonError:
            log.warning("the store did not take the background's work; trying again")
        except Exception:
            log.exception("background work failed")
        rounds += 1
        until = time.monotonic() + _BACKGROUND_SECONDS
        while not stop and time.monotonic() < until:
            if _supervisor_gone(lifeline, 0.25):
                stop = True  # and never False: the signal may have come while it waited
    recorder.close()
    state.close()


def _supervisor_gone(lifeline: int, seconds: float) -> bool:
    """Wait; True once the pipe's other end is closed."""
    readable, _, _ = select.select([lifeline], [], [], seconds)
    return bool(readable)
