"""The HTTP server: uvicorn with llhttp and uvloop, and the bounds that it lacks.

uvicorn has no limit on the size of a head, none on the number of headers and no time within which a head must
have arrived. This subclass adds the three, on the bytes as they come, before a request exists.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import Server, ServerState

log = logging.getLogger("garrison.wire")

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 34\r\n\r\n"
    b"The request's head is over a limit"
)
_TIMEOUT = (
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 39\r\n\r\n"
    b"The request's head did not come in time"
)
MAX_HEADERS = 256


class GuardedProtocol(HttpToolsProtocol):
    """One connection, with bounds on its request heads."""

    max_head_bytes: ClassVar[int] = 64 * 1024
    head_timeout: ClassVar[float] = 20.0

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head_bytes = 0
        self._tail = b""
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        """Start the clock of the first head."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self.head_timeout, self._head_too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head before the parser keeps them."""
        if self._in_head:
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

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count the headers."""
        if len(self.headers) >= MAX_HEADERS:
            msg = "too many headers"
            raise ValueError(msg)  # httptools makes it an error of the parser, uvicorn a 400
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: its clock and its count begin anew with the next one."""
        self._in_head = False
        self._head_bytes = 0
        self._tail = b""
        self._stop_head_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The next bytes are a head again."""
        self._in_head = True
        super().on_message_complete()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self._refuse(_TIMEOUT if self._head_bytes else b"")

    def _refuse(self, answer: bytes) -> None:
        if answer:
            self.transport.write(answer)
        self.transport.close()


def make_server(
    app: Any,  # noqa: ANN401 - an ASGI application
    *,
    max_head_bytes: int,
    head_timeout: float,
    max_connections: int,
    tls: tuple[str, str] | None,
) -> Server:
    """A server for one worker; the caller gives it sockets. ``tls`` is (certificate file, key file)."""
    protocol = type("Protocol", (GuardedProtocol,), {"max_head_bytes": max_head_bytes, "head_timeout": head_timeout})
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
        limit_concurrency=max_connections,
        backlog=1024,
        ssl_certfile=tls[0] if tls else None,
        ssl_keyfile=tls[1] if tls else None,
        timeout_graceful_shutdown=5,
    )
    return Server(config)
