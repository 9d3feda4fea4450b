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
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NoReturn

from garrison import app
from garrison.audit import Recorder
from garrison.config import ConfigError, Settings
from garrison.core.errors import CommonError
from garrison.core.net import is_loopback
from garrison.edge.token_keys import keep_rotated
from garrison.edge.wafv2.documents import tell_of
from garrison.identity.delegation.due import due_delegations
from garrison.identity.iam.due import due_reports
from garrison.keys.certificate import ensure_certificate
from garrison.keys.keyring import Keyring
from garrison.keys.kms.due import due_work
from garrison.keys.kms.live import LiveKeys
from garrison.logs import configure_logs
from garrison.wire.metrics import forget_folder, prepare_folder
from garrison.wire.server import GuardedServer, make_server, new_loop

log = logging.getLogger("garrison")

_RESTART_SECONDS = 1.0
_STOP_SECONDS = 10.0
_START_LOOKS = 0.1
"""Seconds between two looks whether a worker that is still starting is to stop."""
_BACKGROUND_SECONDS = 5.0
_PRUNE_ROUNDS = 720
_STEPS_A_ROUND = 500
_SHIPPED_SECONDS = 3.0
"""After so long an event of any worker of this node is brought in: workers let go of their spools each second."""
_STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})


@dataclass(slots=True)
class Listener:
    """Where the server listens."""

    sock: socket.socket
    endpoint: str
    tls: tuple[str, str] | None = None
    authority: Path | None = None


def listen(settings: Settings) -> Listener:
    """Open the socket. Raises ConfigError where the address is taken, or turns out to be reachable from elsewhere without TLS."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((settings.host, settings.port))
        sock.listen(1024)
    except (OSError, UnicodeError) as error:
        sock.close()
        why = error.strerror if isinstance(error, OSError) else "no address"
        msg = f"cannot listen on {settings.host}:{settings.port}: {why}"
        raise ConfigError(msg) from error
    sock.setblocking(False)  # noqa: FBT003 - the socket's own signature
    address, port = sock.getsockname()[:2]
    if not settings.secure and not is_loopback(address):
        sock.close()
        msg = f"host `{settings.host}` is {address}, which is not loopback: beyond it Garrison listens with TLS only (--tls)"
        raise ConfigError(msg)
    scheme = "https" if settings.secure else "http"
    return Listener(sock, f"{scheme}://{settings.host_in_url}:{port}")


def add_certificate(listener: Listener, settings: Settings) -> None:
    """Find or make the certificate, and try it. Raises ConfigError where the server could not use it."""
    if not settings.secure:
        return
    if settings.tls_cert and settings.tls_key:
        cert, key = settings.tls_cert, settings.tls_key
    else:
        cert, key, listener.authority = ensure_certificate(settings.data_dir / "tls", settings.host, time.time())
    try:
        # An empty password: a key that has one is refused, and nobody is asked for it at a terminal that may not be there.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        msg = f"the certificate `{cert}` cannot be used with the key `{key}`: {error}"
        raise ConfigError(msg) from error
    listener.tls = (str(cert), str(key))


def tell_of_imported_rules(settings: Settings) -> None:
    """Let AWS WAF's API know of imported rules, in this process and its children. Raises ConfigError."""
    if settings.waf_lists is None:
        return
    from garrison.edge.crs.group import groups_in  # noqa: PLC0415 - its detectors cost a tenth of a start

    try:
        tell_of(groups_in(settings.waf_lists, compiled=False))
    except ValueError as error:
        raise ConfigError(str(error)) from error


def serve(settings: Settings, announce: Callable[[Listener, app.FirstCredentials], None]) -> int:
    """Serve until told to stop; answers the exit status. ``announce`` is called once the socket is open.

    Raises ConfigError, RootKeyError, SchemaError, StoreUnavailable, OSError: nothing was started then.
    """
    configure_logs(settings.log_level)
    if settings.credentials_file:
        app.check_credentials_file(settings.credentials_file)
    tell_of_imported_rules(settings)
    app.attestation_roots(settings)  # found out before anything is started
    app.beyond(settings)
    app.issuers(settings)
    # The socket first: an address that is taken must not cost the first start's secrets, which are shown once.
    listener = listen(settings)
    if settings.dev:
        return _serve_in_memory(settings, listener, announce)
    app.prepare_data_dir(settings)
    with app.sole_server(settings.data_dir, _STOP_SECONDS):
        return _serve_from_disk(settings, listener, announce)


def _serve_from_disk(settings: Settings, listener: Listener, announce: Callable[[Listener, app.FirstCredentials], None]) -> int:
    add_certificate(listener, settings)
    state = app.open_state(settings, app.BACKGROUND_SLOT, first=True)
    try:
        found = app.first_start(state)
        app.adopt_dead_chains(state)
    finally:
        state.close()
    prepare_folder(settings.data_dir / "metrics")
    app.note_endpoint(settings, listener.endpoint, listener.authority)
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)  # from here on a signal waits for who ends in good order
    announce(listener, found)
    if settings.credentials_file:
        app.write_credentials_file(settings.credentials_file, listener.endpoint, settings, found)
    log.info("serving", extra={"endpoint": listener.endpoint, "account": found.account, "workers": settings.workers})
    with _meeting_place(settings) as shared:
        status = Supervisor(settings, state.keyring, listener, shared).run()
    log.info("stopped", extra={"endpoint": listener.endpoint})
    return status


@contextlib.contextmanager
def _meeting_place(settings: Settings) -> Iterator[Path | None]:
    """A folder for what several workers share. Not in the data directory, whose path may be too long for that of a socket."""
    if settings.workers == 1:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="garrison-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _serve_in_memory(settings: Settings, listener: Listener, announce: Callable[[Listener, app.FirstCredentials], None]) -> int:
    if settings.tls:
        app.prepare_data_dir(settings)
    add_certificate(listener, settings)
    forget_folder()
    state = app.open_state(settings, 0)
    found = app.first_start(state)
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)  # from here on a signal waits for who ends in good order
    announce(listener, found)
    if settings.credentials_file:
        app.write_credentials_file(settings.credentials_file, listener.endpoint, settings, found)
    log.info("serving from memory", extra={"endpoint": listener.endpoint, "account": found.account})
    run_worker(app.build_worker(state, 0), listener, None)
    log.info("stopped", extra={"endpoint": listener.endpoint})
    return 0


def run_worker(worker: app.Worker, listener: Listener, lifeline: int | None) -> None:
    """Serve with one worker until SIGTERM, SIGINT, or until ``lifeline`` (a pipe's reading end) is closed."""
    import uvloop  # noqa: PLC0415 - only a worker needs it

    settings = worker.state.settings
    server = make_server(
        worker.gateway,
        max_head_bytes=settings.max_head_bytes,
        max_body_bytes=settings.max_body_bytes,
        head_timeout=settings.read_timeout,
        max_connections=settings.max_connections,
        tls=listener.tls,
    )
    try:
        loop = partial(new_loop, settings.read_timeout)
        uvloop.run(_serve_until_told(worker, server, listener, lifeline), loop_factory=loop)
    finally:
        worker.close()


async def _serve_until_told(worker: app.Worker, server: GuardedServer, listener: Listener, lifeline: int | None) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.ask_to_stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
    if lifeline is not None:

        def supervisor_is_gone() -> None:
            loop.remove_reader(lifeline)
            server.ask_to_stop()

        loop.add_reader(lifeline, supervisor_is_gone)
    # Until the API's web ACL is in force no call is taken: whoever connects waits.
    starting = asyncio.create_task(worker.stage.start())
    while not starting.done() and not server.should_exit:
        await asyncio.wait([starting], timeout=_START_LOOKS)
    if server.should_exit:
        starting.cancel()
        return
    await starting
    running = [asyncio.create_task(_tick(worker)), asyncio.create_task(worker.stage.run())]
    try:
        await server.serve(sockets=[listener.sock])
    finally:
        for each in running:
            each.cancel()


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
    shared: Path | None = None
    """The folder where workers meet; None where there is one alone."""
    _children: dict[int, int] = field(default_factory=dict)
    """Process id to slot."""
    _stopping: bool = False

    def run(self) -> int:
        """Fork the workers and wait. Answers the exit status."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGALRM, self._kill)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
        reading, writing = os.pipe()
        for slot in (*range(self.settings.workers), app.BACKGROUND_SLOT):
            self._start(slot, reading, writing)
        while self._children:
            pid, status = os.wait()
            slot = self._children.pop(pid, None)
            if slot is None or self._stopping:
                continue
            log.error("a process ended and is started again", extra={"slot": slot, "status": os.waitstatus_to_exitcode(status)})
            time.sleep(_RESTART_SECONDS)
            self._start(slot, reading, writing)
        signal.alarm(0)
        return 0

    def _start(self, slot: int, reading: int, writing: int) -> None:
        # A signal to stop waits until the child is known, and until the child has handlers of its own.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        if not self._stopping:
            pid = os.fork()
            if not pid:
                self._become(slot, reading, writing)
            self._children[pid] = slot
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)

    def _become(self, slot: int, reading: int, writing: int) -> NoReturn:
        """The life of a child."""
        status = 1
        try:
            os.close(writing)
            for number in (*_STOP_SIGNALS, signal.SIGALRM):
                signal.signal(number, signal.SIG_DFL)
            # Signals to stop stay blocked until whoever ends in good order listens for them: one that came in between would
            # end the process with its chain open.
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
            run_worker(app.build_worker(state, slot, self.shared), self.listener, reading)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        self._tell(signal.SIGTERM)
        signal.alarm(int(_STOP_SECONDS))

    def _kill(self, *_: object) -> None:
        """Whoever has not ended by now never will."""
        self._tell(signal.SIGKILL)

    def _tell(self, number: signal.Signals) -> None:
        for pid in list(self._children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def run_background(state: app.State, lifeline: int) -> None:
    """What no request waits for: keys whose waiting period is over, chains of dead processes, old changes."""
    stop = False

    def ask_to_stop(*_: object) -> None:
        nonlocal stop
        stop = True

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
    recorder = Recorder(state.store, state.data_dir, state.keyring, app.BACKGROUND_SLOT)
    keys = LiveKeys(state.store, state.keyring)
    rounds = 0
    try:
        while not stop:
            _background_round(state, recorder, keys, prune=rounds % _PRUNE_ROUNDS == 0)
            rounds += 1
            until = time.monotonic() + _BACKGROUND_SECONDS
            while not stop and time.monotonic() < until:
                if _supervisor_gone(lifeline, 0.25):
                    stop = True  # and never False: the signal may have come while it waited
    finally:
        try:
            recorder.close()
        finally:
            state.close()


def _background_round(state: app.State, recorder: Recorder, keys: LiveKeys, *, prune: bool) -> None:
    try:
        state.store.refresh()
        due_work(state.store, recorder, keys, time.time())
        keep_rotated(state.store, state.keyring, time.time())
        app.adopt_dead_chains(state)
        app.bring_in_events(state)
        due_delegations(state.store, state.keyring, time.time())
        due_reports(state.store, recorder, time.time(), steps=_STEPS_A_ROUND, settled=time.time() - _SHIPPED_SECONDS)
        if prune:
            state.store.prune()
    except CommonError:
        log.warning("the store did not take the background's work; trying again")
    except Exception:
        log.exception("background work failed")


def _supervisor_gone(lifeline: int, seconds: float) -> bool:
    """Wait; True once the pipe's other end is closed."""
    readable, _, _ = select.select([lifeline], [], [], seconds)
    return bool(readable)
