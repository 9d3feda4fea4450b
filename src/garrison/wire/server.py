"""The HTTP server: uvicorn with llhttp and uvloop, and the bounds that it lacks.

uvicorn has no limit on the size of a head, none on the number of headers, no time within which a head must
have arrived, and connections that ask nothing count for nothing. This subclass adds all that, on the bytes as they come,
before a request exists, and drops trailers, which uvicorn would take for headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server, ServerState

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
MAX_HEADERS = 256
WRITE_SECONDS = 60.0
"""How long a client may take nothing of its answer."""
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
        if data:
            self._transport.write(data)

    def flush(self) -> None:
        """Send a head that nothing follows."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Send what waits, and end."""
        self.flush()
        self._transport.close()


class GuardedProtocol(HttpToolsProtocol):
    """One connection, with bounds on its request heads."""

    max_head_bytes: ClassVar[int] = 64 * 1024
    head_timeout: ClassVar[float] = 20.0
    max_connections: ClassVar[int] = 1000

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head_bytes = 0
        self._tail = b""
        self._in_head = True
        self._received = self._body_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._tls: tuple[str, str] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        """Start the clock of the first head; one connection too many is told so and ended."""
        self._one_write = OneWrite(transport)
        super().connection_made(self._one_write)  # type: ignore[arg-type] # it is one, but for its class
        _bound_writing(transport, WRITE_SECONDS)
        self._tls = _tls_of(transport)
        if len(self.connections) > self.max_connections:
            self._refuse(_BUSY)
            return
        self._head_timer = self.loop.call_later(self.head_timeout, self._head_too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head before the parser keeps them."""
        if not self._in_head:
            self._body_received(data)
            return
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout, self._head_too_slow)
        # The empty line that ends a head may be cut in two by the network.
        end = (self._tail + data).find(b"\r\n\r\n")
        self._head_bytes += len(data) if end < 0 else end
        self._tail = data[-3:]
        if self._head_bytes > self.max_head_bytes:
            self._refuse(_TOO_LARGE)
            return
        super().data_received(data)

    def _body_received(self, data: bytes) -> None:
        """Bound what frames a body: sizes and extensions of chunks, and trailers, which the parser gathers whole."""
        self._received += len(data)
        super().data_received(data)
        # Chunks of a few bytes are allowed to cost as much again as they bring.
        if not self._in_head and self._received > self.max_head_bytes + 2 * self._body_bytes:
            self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._in_head = True
        super().on_message_begin()
        self.scope["state"][TLS] = self._tls

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count the headers; raises ValueError, hence a 400, beyond MAX_HEADERS.

        A trailer is dropped: it may not stand among them (RFC 9110, section 6.5.1).
        """
        if not self._in_head:
            return
        if len(self.headers) >= MAX_HEADERS:
            msg = "too many headers"
            raise ValueError(msg)  # httptools makes it an error of the parser, uvicorn a 400
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: its clock and its count begin anew with the next one."""
        self._check_framing()
        self._in_head = False
        self._received = self._body_bytes = 0
        self._head_bytes = 0
        self._tail = b""
        self._stop_head_timer()
        super().on_headers_complete()

    def _check_framing(self) -> None:
        """Raises ValueError, hence a 400, on a head that two readers could understand differently (RFC 9112, 3.2 and 6.1)."""
        names = [name for name, _ in self.headers]
        if self.parser.get_http_version() == "1.0":
            if b"transfer-encoding" in names:
                msg = "HTTP/1.0 has no transfer codings"
                raise ValueError(msg)
        elif names.count(b"host") != 1:
            msg = "one Host header is needed"
            raise ValueError(msg)

    def on_body(self, body: bytes) -> None:
        """Count what is body and no framing."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The next bytes are a head again."""
        self._in_head = True
        self.scope["state"][WHOLE] = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is whole: to HEAD, it is its head alone."""
        self._one_write.flush()
        super().on_response_complete()

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
        if self._answering:
            self._refuse(b"")
        else:
            super().send_400_response(msg)

    @property
    def _answering(self) -> bool:
        """Whether a request is whole, and not yet answered, while these bytes belong to the next."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete and not cycle.more_body

    def _refuse(self, answer: bytes) -> None:
        """End the connection. A request that came whole before is answered first: this must not be taken for its answer."""
        if self._answering:
            self.cycle.keep_alive = False
            self.pipeline.clear()
            self.flow.pause_reading()
            return
        if answer:
            self.transport.write(answer)
        self.transport.close()


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
    app: Any,  # noqa: ANN401 - an ASGI application
    *,
    max_head_bytes: int,
    head_timeout: float,
    max_connections: int,
    tls: tuple[str, str] | None,
) -> GuardedServer:
    """A server for one worker; the caller gives it sockets. ``tls`` is (certificate file, key file)."""
    limits = {"max_head_bytes": max_head_bytes, "head_timeout": head_timeout, "max_connections": max_connections}
    protocol = type("Protocol", (GuardedProtocol,), limits)
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
        timeout_keep_alive=75,
        backlog=1024,
        ssl_certfile=tls[0] if tls else None,
        ssl_keyfile=tls[1] if tls else None,
        timeout_graceful_shutdown=5,
    )
    return GuardedServer(config)
