"""Middleware for ASGI 3 applications.

Source: the ASGI specification, HTTP and WebSocket connection scopes. The body is read up to the inspected size before the
application is called, and given to it again; what follows streams.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from garrison.core.http import Response
from garrison.edge.inspect import WebRequest
from garrison.edge.middleware.firewall import Firewall
from garrison.edge.proxy.judge import Passed, Work

Scope = MutableMapping[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
_SCHEMES: Final = {"ws": "http", "wss": "https"}
_POLICY_VIOLATION: Final = 1008
_HTTP_VERSIONS: Final = {"2": "2.0", "3": "3.0"}


class AsgiFirewall:
    """An ASGI application behind a firewall."""

    def __init__(self, app: Application, firewall: Firewall) -> None:
        self._app = app
        self._firewall = firewall

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Inspect, and let the application answer, or answer in its place."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        scope = _unambiguous(scope)
        read = _Body(receive)
        if scope["type"] == "http":
            await read.up_to(self._firewall.body_bytes)
        request = _request(self._firewall, scope, read)
        found = self._firewall.decide(request)
        if isinstance(found, Work):
            found = await asyncio.to_thread(self._firewall.worked, found)
        if isinstance(found, Passed):
            await self._app(_with(scope, found.inserted), read.again, send)
        elif scope["type"] == "http":
            await _answer(found, send, head_only=request.method == "HEAD")
        else:
            await _deny(found, scope, receive, send)


def _unambiguous(scope: Scope) -> Scope:
    """The scope without headers that have ``_`` in their names: frameworks that read it as ``-`` would get what no rule saw."""
    if not any(b"_" in name for name, _ in scope["headers"]):
        return scope
    return {**scope, "headers": [each for each in scope["headers"] if b"_" not in each[0]]}


class _Body:
    """A body that was read in part, and is read again from its beginning."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self.data = b""
        self.whole = True

    async def up_to(self, limit: int) -> None:
        """Read until so many bytes are here, or the end."""
        parts: list[bytes] = []
        have = 0
        while have < limit:
            message = await self._receive()
            self._messages.append(message)
            if message["type"] != "http.request":
                break
            parts.append(message.get("body", b""))
            have += len(parts[-1])
            if not message.get("more_body", False):
                break
        else:
            self.whole = False
        self.data = b"".join(parts)

    async def again(self) -> Message:
        """The messages that were read, then those that follow."""
        return self._messages.pop(0) if self._messages else await self._receive()


def _request(firewall: Firewall, scope: Scope, body: _Body) -> WebRequest:
    headers: Sequence[tuple[bytes, bytes]] = [(bytes(name), bytes(value)) for name, value in scope["headers"]]
    path = scope.get("raw_path") or quote(scope["path"], safe="/%:@!$&'()*+,;=~-._").encode()
    query = scope.get("query_string") or b""
    target = path.partition(b"?")[0] + (b"?" + query if query else b"")
    peer = scope.get("client") or ("", 0)
    host = b",".join(value for name, value in headers if name == b"host")
    scheme = str(scope.get("scheme") or "http")
    version = str(scope.get("http_version", "1.1"))
    limit = firewall.body_bytes
    return WebRequest(
        str(scope.get("method", "GET")),
        target,
        headers,
        body.data[:limit],
        source_ip=firewall.address(headers, str(peer[0] or "")),
        body_size=_size(headers, body),
        http_version=f"HTTP/{_HTTP_VERSIONS.get(version, version)}",
        scheme=_SCHEMES.get(scheme, scheme),
        host=host.decode("latin-1"),
        time=time.time(),
    )


def _size(headers: Sequence[tuple[bytes, bytes]], body: _Body) -> int:
    """The whole body's: as declared, where more is to come than is here."""
    here = len(body.data)
    if body.whole:
        return here
    declared = next((value for name, value in headers if name == b"content-length"), b"")
    return max(int(declared), here) if declared.isdigit() else here + 1


def _with(scope: Scope, inserted: Sequence[tuple[str, str]]) -> Scope:
    """The scope with headers for the application, in the place of the client's own of these names."""
    if not inserted:
        return scope
    names = {name.lower().encode() for name, _ in inserted}
    kept = [(name, value) for name, value in scope["headers"] if bytes(name).lower() not in names]
    return {**scope, "headers": [*kept, *((name.lower().encode(), value.encode()) for name, value in inserted)]}


def _pairs(response: Response) -> list[tuple[bytes, bytes]]:
    found = [(name.lower().encode("latin-1"), value.encode("utf-8", "replace")) for name, value in response.headers]
    return [*found, (b"content-length", str(len(response.body)).encode())]


async def _answer(response: Response, send: Send, *, head_only: bool) -> None:
    await send({"type": "http.response.start", "status": response.status, "headers": _pairs(response)})
    await send({"type": "http.response.body", "body": b"" if head_only else response.body})


async def _deny(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a WebSocket: with the answer where the server can send it, else with its own 403."""
    await receive()  # `websocket.connect`, which comes first
    if "websocket.http.response" in (scope.get("extensions") or {}):
        start = {"status": response.status, "headers": _pairs(response)}
        await send({"type": "websocket.http.response.start", **start})
        await send({"type": "websocket.http.response.body", "body": response.body})
    else:
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
