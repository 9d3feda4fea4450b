"""Conversations with the HTTP server over real sockets, on this machine alone, and an application behind it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from garrison.core.context import Call
from garrison.core.http import Request, Response
from garrison.wire.server import GuardedProtocol, make_server

Scope = Mapping[str, Any]
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Application:
    """Remembers scopes and bodies; answers 200 with the body, after ``wait`` where it is set.

    ``fails``: it does not even take a request. ``stops``: its server is told to stop while an answer is owed.
    """

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []
        self.wait: asyncio.Event | None = None
        self.fails = self.stops = False
        self.says = "short"

    def enter(self, request: Request, call: Call, answer: Callable[[Response], None]) -> Any:
        if self.fails:
            msg = "it fails"
            raise RuntimeError(msg)
        self.scopes.append(
            {
                "raw_path": request.path.encode(),
                "query_string": request.query.encode(),
                "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers],
                "state": {"tls": call.tls},
                "scheme": "https" if call.secure else "http",
                "short": True,
            }
        )
        self.bodies.append(request.body)
        if self.wait is not None:
            return request.body
        if self.stops:
            connection: GuardedProtocol = answer.__self__  # type: ignore[attr-defined] # a bound method
            connection.shutdown()
        asyncio.get_running_loop().call_soon(answer, Response(200, [("x-way", self.says)], request.body))
        return None

    async def finish_to(self, exchange: Any, send: Any) -> None:
        assert self.wait is not None
        await self.wait.wait()
        await self._send(send, exchange)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        if self.wait is not None:
            await self.wait.wait()
        await self._send(send, body)

    async def _send(self, send: Any, body: bytes) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]


def served(application: Application, *talks: Talk, authority: Path | None = None, **options: Any) -> list[Any]:
    """Run a server, hold these conversations with it at one time, and stop it; what each of them answered."""
    limits: dict[str, Any] = {
        "max_head_bytes": 2000,
        "max_body_bytes": 10_000,
        "head_timeout": 5.0,
        "max_connections": 50,
        "tls": None,
    } | options

    async def run() -> list[Any]:
        listener = socket.create_server(("127.0.0.1", 0))
        where = listener.getsockname()
        server = make_server(application, **limits)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)

        async def one(talk: Talk) -> Any:
            trusted = ssl.create_default_context(cafile=str(authority)) if authority else None
            reader, writer = await asyncio.open_connection(*where, ssl=trusted)
            try:
                return await asyncio.wait_for(talk(reader, writer), 20)
            except ConnectionError:
                return b""  # closed while there was still something to say
            finally:
                writer.close()

        try:
            return [await one(talk) for talk in talks]
        finally:
            server.ask_to_stop()
            await serving

    return asyncio.run(run())


async def until(what: Callable[[], bool]) -> None:
    for _ in range(2000):
        if what():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it did not come to pass")


def saying(data: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(data)
        return await reader.read()

    return talk


def status_of(answer: bytes) -> int:
    return int(answer[9:12]) if answer else 0


def request(*headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST /a%20b?x=1 HTTP/1.1", b"Host: x", b"Connection: close", *headers, b"", b""]) + body


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST /a%20b?x=1 HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body), *headers, b"", b""]
    return b"\r\n".join(lines) + body


def short(application: Application) -> list[bool]:
    """Of each request whether it went the short way."""
    return [scope.get("short", False) for scope in application.scopes]
