"""HTTPS to a proxy, bounded in time as a whole: connecting, the handshake, sending and every byte of the answer.

The names that customers give are of public proxies on port 443; :class:`Routes` says where a name really leads, for proxies
within a house, and whom to trust beside the public authorities.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from garrison.core.timed import TimedSocket

LARGEST = 64 * 1024
"""Bytes of an answer: 4,300 bytes of ciphertext in Base64 and a margin, many times over."""
_IDLE_SECONDS = 20.0
_IDLE_CONNECTIONS = 16


class ConnectError(Exception):
    """No TCP connection: the proxy is not there, or its name leads nowhere."""


class TlsError(Exception):
    """No TLS connection: no common version or cipher, or a certificate that is not that of the name."""


class SlowError(Exception):
    """The time was up before the answer was whole."""


class BrokenError(Exception):
    """What came is no HTTP answer, or ended before its end, or is too long."""


@dataclass(frozen=True, slots=True)
class Routes:
    """Where names lead, and who vouches for them."""

    addresses: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Host name to address and port; a name that is not here is looked up, and means port 443."""
    authorities: Path | None = None
    """Certificate authorities, PEM; None: those of the system."""

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or later, certificate and name checked. Raises OSError, ssl.SSLError where the file is no PEM."""
        made = ssl.create_default_context(cafile=str(self.authorities) if self.authorities else None)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        return made


@dataclass(slots=True)
class _Connection:
    http: http.client.HTTPConnection
    timed: TimedSocket
    used: float
    """When it was last used, in monotonic seconds."""


class Https:
    """Sends requests; keeps connections open for the next ones. Threads may share it."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._lock = threading.Lock()
        self._idle: dict[str, list[_Connection]] = {}
        self._context: ssl.SSLContext | None = None

    def post(self, host: str, path: str, headers: Mapping[str, str], body: bytes, seconds: float) -> tuple[int, bytes]:
        """Status and body of the answer, ``seconds`` from now at the latest.

        Raises ConnectError, TlsError, SlowError, BrokenError. A request whose kept connection turns out to be dead before a byte
        of its answer came is sent once more, on a new one.
        """
        deadline = time.monotonic() + seconds
        kept = self._take(host)
        if kept is not None:
            try:
                return self._exchange(host, kept, path, headers, body, deadline)
            except BrokenError:
                if time.monotonic() >= deadline:
                    raise
        return self._exchange(host, self._connect(host, deadline), path, headers, body, deadline)

    def close(self) -> None:
        """Close what is kept open."""
        with self._lock:
            kept = [connection for connections in self._idle.values() for connection in connections]
            self._idle.clear()
        for connection in kept:
            connection.http.close()

    def _exchange(
        self, host: str, connection: _Connection, path: str, headers: Mapping[str, str], body: bytes, deadline: float
    ) -> tuple[int, bytes]:
        connection.timed.deadline = deadline
        try:
            status, answer, reusable = _exchanged(connection.http, path, headers, body)
        except TimeoutError:
            connection.http.close()
            raise SlowError from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.http.close()
            raise BrokenError from error
        if reusable:
            self._keep(host, connection)
        else:
            connection.http.close()
        return status, answer

    def _connect(self, host: str, deadline: float) -> _Connection:
        address = self._routes.addresses.get(host, (host, 443))
        try:
            sock = socket.create_connection(address, max(deadline - time.monotonic(), 0.001))
        except TimeoutError:
            raise SlowError from None
        except OSError as error:
            raise ConnectError from error
        timed = TimedSocket(self._secured(sock, host, deadline))
        made = http.client.HTTPConnection(host)
        made.auto_open = 0
        made.sock = timed
        return _Connection(made, timed, 0.0)

    def _secured(self, sock: socket.socket, host: str, deadline: float) -> ssl.SSLSocket:
        try:
            if self._context is None:
                self._context = self._routes.context()
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._context.wrap_socket(sock, server_hostname=host)
        except TimeoutError:
            sock.close()
            raise SlowError from None
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            sock.close()
            raise TlsError from error

    def _take(self, host: str) -> _Connection | None:
        oldest = time.monotonic() - _IDLE_SECONDS
        with self._lock:
            kept = self._idle.get(host, [])
            while kept:
                connection = kept.pop()
                if connection.used >= oldest:
                    return connection
                connection.http.close()
        return None

    def _keep(self, host: str, connection: _Connection) -> None:
        connection.used = time.monotonic()
        with self._lock:
            kept = self._idle.setdefault(host, [])
            if len(kept) < _IDLE_CONNECTIONS:
                kept.append(connection)
                return
        connection.http.close()


def _exchanged(
    connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, bytes, bool]:
    """Status, body, and whether the connection can be used again."""
    connection.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    with connection.getresponse() as response:
        answer = response.read(LARGEST + 1)
        if len(answer) > LARGEST:
            msg = f"an answer of more than {LARGEST} bytes"
            raise ValueError(msg)
        # With a length given, `read` takes a body that ended early for a whole one.
        if response.length:
            msg = "an answer that ended early"
            raise ValueError(msg)
        return response.status, answer, not response.will_close
