"""Clients of HTTP/2 and HTTP/3 that send what they are told, well-formed or not."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration

Pairs = Sequence[tuple[bytes, bytes]]


@dataclass
class Reply:
    """What came back; a status of 0: the stream or the connection was reset."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def pseudo(target: bytes = b"/", method: bytes = b"GET", authority: bytes = b"localhost") -> list[tuple[bytes, bytes]]:
    """The first headers of a request."""
    return [(b":method", method), (b":path", target), (b":scheme", b"https"), (b":authority", authority)]


def tls(authority: Path, *protocols: str) -> ssl.SSLContext:
    """A context that trusts one authority."""
    found = ssl.create_default_context(cafile=str(authority))
    found.set_alpn_protocols(list(protocols))
    return found


class Http2:
    """One connection of HTTP/2, without any check of what is sent."""

    def __init__(self, port: int, authority: Path) -> None:
        raw = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.sock = tls(authority, "h2").wrap_socket(raw, server_hostname="localhost")
        settings = h2.config.H2Configuration(
            client_side=True, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.connection = h2.connection.H2Connection(settings)
        self.connection.initiate_connection()
        self._flush()

    def _flush(self) -> None:
        self.sock.sendall(self.connection.data_to_send())

    def send(self, headers: Pairs, body: bytes | None = None, *, end: bool = True) -> int:
        """Begin a request; its stream."""
        stream = self.connection.get_next_available_stream_id()
        self.connection.send_headers(stream, list(headers), end_stream=body is None and end)
        if body is not None:
            self.connection.send_data(stream, body, end_stream=end)
        self._flush()
        return stream

    def data(self, stream: int, body: bytes, *, end: bool = False) -> None:
        """More of a request's body."""
        self.connection.send_data(stream, body, end_stream=end)
        self._flush()

    def reply(self, stream: int, *, until: bytes | None = None) -> Reply:
        """The answer on a stream, whole, or as far as ``until``."""
        found = Reply()
        while True:
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                raise
            except OSError:
                return found
            if not data:
                return found
            try:
                events = self.connection.receive_data(data)
            except h2.exceptions.ProtocolError:
                return found
            for event in events:
                if self._took(event, stream, found):
                    return found
            self._flush()
            if until is not None and until in found.body:
                return found

    def _took(self, event: h2.events.Event, stream: int, found: Reply) -> bool:
        """Take an event of the stream; whether it is the last."""
        if isinstance(event, h2.events.ConnectionTerminated):
            return True
        if getattr(event, "stream_id", None) != stream:
            return False
        if isinstance(event, h2.events.ResponseReceived):
            pairs = {bytes(name).decode(): bytes(value).decode() for name, value in event.headers or ()}
            found.status, found.headers = int(pairs.pop(":status")), pairs
        elif isinstance(event, h2.events.DataReceived):
            found.body += event.data or b""
            self.connection.acknowledge_received_data(event.flow_controlled_length or 0, stream)
        return isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset))

    def ask(self, headers: Pairs, body: bytes | None = None) -> Reply:
        """One request and its answer."""
        return self.reply(self.send(headers, body))

    def close(self) -> None:
        """End the connection."""
        self.sock.close()


class _Http3(QuicConnectionProtocol):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.http = H3Connection(self._quic)
        self.found = Reply()
        self.done = asyncio.get_running_loop().create_future()

    def quic_event_received(self, event: Any) -> None:
        for each in self.http.handle_event(event):
            if isinstance(each, HeadersReceived):
                pairs = {name.decode(): value.decode() for name, value in each.headers}
                self.found.status, self.found.headers = int(pairs.pop(":status")), pairs
            elif isinstance(each, DataReceived):
                self.found.body += each.data
            if getattr(each, "stream_ended", False) and not self.done.done():
                self.done.set_result(None)
        if type(event).__name__ in {"StreamReset", "ConnectionTerminated"} and not self.done.done():
            self.done.set_result(None)


async def _ask3(port: int, authority: Path, headers: Pairs, body: bytes | None) -> Reply:
    settings = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name="localhost")
    settings.load_verify_locations(str(authority))
    async with connect("127.0.0.1", port, configuration=settings, create_protocol=_Http3) as client:
        assert isinstance(client, _Http3)
        stream = client._quic.get_next_available_stream_id()
        client.http.send_headers(stream, list(headers), end_stream=body is None)
        if body is not None:
            client.http.send_data(stream, body, end_stream=True)
        client.transmit()
        async with asyncio.timeout(20):
            await client.done
        return client.found


def ask3(port: int, authority: Path, headers: Pairs, body: bytes | None = None) -> Reply:
    """One request over HTTP/3, and its answer."""
    return asyncio.run(_ask3(port, authority, headers, body))
