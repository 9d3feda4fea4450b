"""The HTTP server: uvicorn with llhttp and uvloop, the bounds that it lacks, and a short way for what waits for nothing.

uvicorn has no limit on the size of a head, none on the number of headers, no time within which a head must
have arrived, and connections that ask nothing count for nothing. This subclass adds all that, on the bytes as they come,
before a request exists, and drops trailers, which uvicorn would take for headers.

A request that came whole in one piece, on a connection that stays, is answered where its last byte is read: without a task,
an event and the messages of ASGI, which together cost more than its signature. Whatever is otherwise goes uvicorn's way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server, ServerState

from garrison.core.context import Call
from garrison.core.http import Request, Response
from garrison.wire.exchange import Exchange
from garrison.wire.messages import answer_bytes, read_call, request_of

if TYPE_CHECKING:
    import uvloop

log = logging.getLogger("garrison.wire")

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 34\r\n\r\n"
    b"The request's head is over a limit"
)
_TIMEOUT = (
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 39\r\n\r\n"
    b"The request's head did not come in time"
)
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
"""Without a body: no protocol is known yet, and every AWS client takes such an answer for a reason to try again."""
_BROKEN = b"HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
MAX_HEADERS = 256
WRITE_SECONDS = 60.0
"""How long a client may take nothing of its answer."""
KEEP_ALIVE_SECONDS = 75
"""How long a connection may ask nothing between two requests."""
RESTED_SECONDS = 1.0
"""How long a connection must have asked nothing to make room for another one."""
WHOLE = "whole"
"""Where a request's scope state says that its body is here already: nothing of it is waited for."""
TLS = "tls"
"""Where a request's scope state has version and cipher suite of its connection; None without TLS."""


class OneWrite:
    """A transport that sends the head of an answer together with what follows it.

    uvicorn writes them one by one: two system calls, two segments and two wake-ups of the client for each answer, which cost
    more than the answer's authorization.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a transport has
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send ``data``, with the head that waits before it; a final answer's head alone waits."""
        if not self._head and data.endswith(b"\r\n\r\n") and data.startswith(b"HTTP/1.1 ") and data[9:10] != b"1":
            self._head = data
            return
        if self._head:
            data, self._head = self._head + data, b""
        # uvicorn tells only the newest request of a connection that its client has gone.
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def write_whole(self, answer: bytes) -> None:
        """Send an answer that is whole."""
        self._transport.write(answer)

    def flush(self) -> None:
        """Send a head that nothing follows."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Send what waits, and end."""
        self.flush()
        self._transport.close()


class Application(Protocol):
    """An ASGI application that can also answer without waiting."""

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's own
        """Answer one HTTP request."""

    def enter(self, request: Request, call: Call, answer: Callable[[Response], None]) -> Exchange | None:
        """Take a request; ``answer`` is called in this turn of the loop, or the exchange comes back that has to wait."""

    async def finish_to(self, exchange: Exchange, send: Any) -> None:  # noqa: ANN401 - ASGI's own
        """Wait for it and send its answer."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection, with bounds on its request heads."""

    max_head_bytes: ClassVar[int] = 64 * 1024
    max_body_bytes: ClassVar[int] = 1024 * 1024
    """What a request may have to be answered the short way."""
    head_timeout: ClassVar[float] = 20.0
    max_connections: ClassVar[int] = 1000
    application: ClassVar[Application]

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head_bytes = 0
        self._tail = b""
        self._in_head = True
        self._received = self._body_bytes = 0
        self._hosts = 0
        self._encoded = False
        self._parts: list[bytes] | None = None
        """The body so far of a request that has no cycle yet; None where it has one."""
        self._target = b"/", b""
        self._owed = self._last = self._deaf = False
        """Whether an answer comes at the end of this turn; whether it is the connection's last; whether no more is read."""
        self._current: RequestResponseCycle | None = None
        """The request that has a task; ``cycle`` is the newest one, which may still wait for its turn."""
        self._resting_since: float | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._tls: tuple[str, str] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        """Start the clock of the first head; one connection too many is told so and ended."""
        self._one_write = OneWrite(transport)
        super().connection_made(self._one_write)  # type: ignore[arg-type] # it is one, but for its class
        _bound_writing(transport, WRITE_SECONDS)
        self._tls = _tls_of(transport)
        self._resting_since = self.loop.time()
        if len(self.connections) > self.max_connections and not self._take_a_resting_ones_place():
            self._refuse(_BUSY)
            return
        self._head_timer = self.loop.call_later(self.head_timeout, self._head_too_slow)

    def _take_a_resting_ones_place(self) -> bool:
        """End the connection that has asked nothing for longest: or whoever keeps many open could keep everybody else out."""
        longest, since = None, self.loop.time() - RESTED_SECONDS
        for other in self.connections:
            resting = other._resting_since if isinstance(other, GuardedProtocol) else None  # noqa: SLF001 - one of this class
            if resting is not None and resting < since and not other.transport.is_closing():
                longest, since = other, resting
        if longest is None:
            return False
        longest.transport.close()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._stop_head_timer()
        self._stop_rest_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head before the parser keeps them."""
        if self._deaf:
            return
        if not self._in_head:
            self._body_received(data)
            return
        # The empty line that ends a head may be cut in two by the network.
        end = (self._tail + data).find(b"\r\n\r\n") if self._tail else data.find(b"\r\n\r\n")
        self._head_bytes += len(data) if end < 0 else end
        self._tail = data[-3:]
        if self._head_bytes > self.max_head_bytes:
            self._refuse(_TOO_LARGE)
            return
        super().data_received(data)
        # Empty lines before a request begin none, and are no rest either.
        idle = self._resting_since is None and not self._owed and not self._busy
        if self._head_timer is None and (self._head_bytes or idle):
            self._head_timer = self.loop.call_later(self.head_timeout, self._head_too_slow)
        self._give_cycle()

    def _body_received(self, data: bytes) -> None:
        """Bound what frames a body: sizes and extensions of chunks, and trailers, which the parser gathers whole."""
        self._received += len(data)
        super().data_received(data)
        # Chunks of a few bytes are allowed to cost as much again as they bring.
        if not self._in_head and self._received > self.max_head_bytes + 2 * self._body_bytes:
            self._refuse(_TOO_LARGE)
            return
        self._give_cycle()

    # One request

    def on_message_begin(self) -> None:
        """Begin a head. What uvicorn makes for each request here is made when it is needed."""
        self._in_head = True
        self._hosts, self._encoded = 0, False
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count the headers; raises ValueError, hence a 400, beyond MAX_HEADERS.

        A trailer is dropped: it may not stand among them (RFC 9110, section 6.5.1).
        """
        if not self._in_head:
            return
        if len(self.headers) >= MAX_HEADERS:
            msg = "too many headers"
            raise ValueError(msg)  # httptools makes it an error of the parser, uvicorn a 400
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"transfer-encoding":
            self._encoded = True
            if value.strip().lower() != b"chunked":
                msg = "no other transfer coding is known"
                raise ValueError(msg)
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole: its clock and its count begin anew with the next one."""
        version = self.parser.get_http_version()
        self._check_framing(version)
        self._in_head = False
        self._received = self._body_bytes = 0
        self._head_bytes = 0
        self._tail = b""
        self._stop_head_timer()
        self._parts = []
        if self._is_plain(version):
            self._target = _split(self.url)
        else:
            self._give_cycle()
            if self.parser.should_upgrade() and self.cycle is not None:
                # The parser lets go of the bytes that follow: what they are cut into would be anybody's guess.
                self.cycle.keep_alive = False

    def _check_framing(self, version: str) -> None:
        """Raises ValueError, hence a 400, on a head that two readers could understand differently (RFC 9112, 2 to 6)."""
        if version not in {"1.0", "1.1"}:
            msg = "HTTP/1.0 and HTTP/1.1 are known"
            raise ValueError(msg)
        if self.parser.should_upgrade() and (self._encoded or dict(self.headers).get(b"content-length", b"0") != b"0"):
            msg = "the parser does not read the body of what asks for an upgrade"
            raise ValueError(msg)
        if self._encoded and version == "1.0":
            msg = "HTTP/1.0 has no transfer codings"
            raise ValueError(msg)
        if self._hosts > 1 or (self._hosts == 0 and version == "1.1"):
            msg = "one Host header is needed"
            raise ValueError(msg)
        if self.url[:1] != b"/" and b"://" in self.url:
            authority = re.split(rb"[/?#]", self.url.partition(b"://")[2])[0]
            if authority.lower() != dict(self.headers).get(b"host", b"").lower():
                msg = "the target names another host"
                raise ValueError(msg)

    def _is_plain(self, version: str) -> bool:
        """Whether the request can be answered the short way, should its body be here too."""
        cycle: RequestResponseCycle | None = self.cycle
        parser = self.parser
        return (
            not self._owed
            and (cycle is None or cycle.response_complete)
            and version == "1.1"
            and not self.expect_100_continue
            and parser.should_keep_alive()
            and not parser.should_upgrade()
            and parser.get_method() != b"HEAD"
            and not self.flow.write_paused
        )

    def on_body(self, body: bytes) -> None:
        """Count what is body and no framing."""
        self._body_bytes += len(body)
        if self._parts is None:
            super().on_body(body)
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """The next bytes are a head again."""
        self._in_head = True
        self._deaf = self._deaf or self.parser.should_upgrade()
        if self._last:
            return  # the answer before it says that nothing behind it is taken
        if self._parts is not None and self._body_bytes <= self.max_body_bytes:
            self._take(self._parts)
            return
        self._give_cycle()
        if self.transport.is_closing():
            return  # it may never have got a cycle
        self.scope["state"][WHOLE] = True
        super().on_message_complete()

    def _give_cycle(self) -> None:
        """Hand a request over to uvicorn, with what is here of its body; nothing to do where it was."""
        parts, self._parts = self._parts, None
        if parts is None or self._last or self.transport.is_closing():
            return
        self._begin_cycle()
        for part in parts:
            super().on_body(part)

    def _begin_cycle(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        self.scope["state"][TLS] = self._tls
        super().on_headers_complete()

    # The short way

    def _take(self, parts: list[bytes]) -> None:
        """Hand a request that is here whole to the application; its answer comes in this turn of the loop."""
        self._parts = None
        if self.transport.is_closing():
            return
        self._owed = True
        try:
            exchange = self._enter(b"".join(parts))
        except Exception:
            self._owed = False
            log.exception("a request could not be answered")
            self._refuse(_BROKEN)
            return
        if exchange is not None:
            self._owed = False
            self._wait_for(exchange)

    def _enter(self, body: bytes) -> Exchange | None:
        request = request_of(self.parser.get_method().decode("ascii"), *self._target, self.headers)
        request.body = body
        call = read_call(request, self.client, secure=self.scheme == "https", tls=self._tls)
        return self.application.enter(request, call, self._answer)

    def _answer(self, response: Response) -> None:
        """Send an answer that was owed."""
        self._owed = False
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self._last:
            response.headers.append(("connection", "close"))
        try:
            whole = answer_bytes(response, self._first_lines())
        except ValueError:
            log.exception("an answer cannot be sent")
            self._last, whole = True, _BROKEN
        self._one_write.write_whole(whole)
        if self._last:
            self.transport.close()
        elif not self._busy:
            self._rest()

    def _wait_for(self, exchange: Exchange) -> None:
        """Let a call that has to wait have a task, and what comes behind it wait its turn."""
        asgi, self.app = self.app, _Finish(self.application, exchange)
        try:
            self._begin_cycle()
        finally:
            self.app = asgi
        super().on_message_complete()

    def _first_lines(self) -> bytes:
        """The lines that stand in every answer: its date, which uvicorn renews each second."""
        return b"".join([b"%b: %b\r\n" % header for header in self.server_state.default_headers])

    def on_response_complete(self) -> None:
        """The answer is whole: to HEAD, it is its head alone."""
        self._one_write.flush()
        self._stop_rest_timer()
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None:
            self._resting_since = self.loop.time()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - uvicorn's
        self._current = cycle
        super()._start_asgi_task(cycle, app)

    @property
    def _busy(self) -> bool:
        """Whether a request that went uvicorn's way is not yet answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    # Rest between requests

    def _rest(self) -> None:
        """A connection that asks nothing is ended after a while. One timer serves all its pauses."""
        self._resting_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _unset_keepalive_if_required(self) -> None:
        self._resting_since = None

    def _stop_rest_timer(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def timeout_keep_alive_handler(self) -> None:
        """End the connection, if it has rested for as long as it may."""
        self.timeout_keep_alive_task = None
        if self._resting_since is None:
            return
        left = self._resting_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            super().timeout_keep_alive_handler()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)

    def shutdown(self) -> None:
        """End, but not before what is owed is sent."""
        if self._owed and not self._busy:
            self._last = self._deaf = True
        else:
            super().shutdown()

    # Refusals

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self._refuse(_TIMEOUT if self._head_bytes else b"")

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._parts = None
        if not self._ends_with_an_answer():
            super().send_400_response(msg)

    def _refuse(self, answer: bytes) -> None:
        """End the connection. Requests that came whole before are answered first: this must not be taken for one's answer."""
        self._parts = None
        if self._ends_with_an_answer():
            return
        if answer:
            self.transport.write(answer)
        self.transport.close()

    def _ends_with_an_answer(self) -> bool:
        """Let the connection end with the last answer that is owed; False where none is."""
        if self.pipeline and self.cycle.more_body:
            self.pipeline.popleft()  # the newest never came whole
        last = self.pipeline[0][0] if self.pipeline else self._current
        if last is not None and not last.response_complete and (last.response_started or not last.more_body):
            last.keep_alive = False
        elif self._owed:
            self._last = True
        else:
            return False
        self._deaf = True
        self.flow.pause_reading()
        return True


class _Finish:
    """An ASGI application that sends the answer to one call that had to wait."""

    def __init__(self, application: Application, exchange: Exchange) -> None:
        self._application = application
        self._exchange = exchange

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's own
        await self._application.finish_to(self._exchange, send)


def _split(url: bytes) -> tuple[bytes, bytes]:
    """Path and query of a request's target. Raises httptools.HttpParserInvalidURLError, UnicodeDecodeError, hence a 400."""
    if url == b"/":
        return url, b""
    parsed = httptools.parse_url(url)
    parsed.path.decode("ascii")
    return parsed.path, parsed.query or b""


class GuardedServer(Server):
    """uvicorn's server, told by its process when to stop.

    uvicorn would catch the signals itself and raise them again at the end: the process would end before its state is closed.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield

    def ask_to_stop(self) -> None:
        """Take no more connections, answer what is under way, and return from ``serve``."""
        self.should_exit = True


def _tls_of(transport: asyncio.BaseTransport) -> tuple[str, str] | None:
    """Version and cipher suite, as OpenSSL names them; None without TLS."""
    connection = transport.get_extra_info("ssl_object")
    cipher = connection.cipher() if connection is not None else None
    return (connection.version() or "", cipher[0]) if cipher else None


def _bound_writing(transport: asyncio.Transport, seconds: float) -> None:
    """Let the kernel end a connection whose client takes nothing of its answer for so long (``tcp(7)``, TCP_USER_TIMEOUT)."""
    sock = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if sock is not None and option is not None and sock.family in {socket.AF_INET, socket.AF_INET6}:
        sock.setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))


def new_loop(handshake_seconds: float) -> uvloop.Loop:
    """An event loop of uvloop whose TLS servers give a client so long for its handshake.

    A connection counts only once its handshake is done; until then, and for a minute, uvicorn would let any number wait.
    """
    import uvloop  # noqa: PLC0415 - imported for its types alone above: only a worker needs it

    class Loop(uvloop.Loop):
        async def create_server(  # type: ignore[override] # its many parameters are passed on as they are
            self,
            *arguments: Any,  # noqa: ANN401 - the loop's own
            **options: Any,  # noqa: ANN401 - the same
        ) -> asyncio.AbstractServer:
            if options.get("ssl") is not None:
                options["ssl_handshake_timeout"] = handshake_seconds
            server: asyncio.AbstractServer = await super().create_server(*arguments, **options)
            return server

    return Loop()


def make_server(
    app: Application,
    *,
    max_head_bytes: int,
    max_body_bytes: int,
    head_timeout: float,
    max_connections: int,
    tls: tuple[str, str] | None,
) -> GuardedServer:
    """A server for one worker; the caller gives it sockets. ``tls`` is (certificate file, key file)."""
    members = {
        "max_head_bytes": max_head_bytes,
        "max_body_bytes": max_body_bytes,
        "head_timeout": head_timeout,
        "max_connections": max_connections,
        "application": app,
    }
    protocol = type("Protocol", (GuardedProtocol,), members)
    config = Config(
        app,
        http=protocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        backlog=1024,
        ssl_certfile=tls[0] if tls else None,
        ssl_keyfile=tls[1] if tls else None,
        timeout_graceful_shutdown=5,
    )
    return GuardedServer(config)
