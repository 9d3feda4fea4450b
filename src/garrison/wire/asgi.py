"""HTTP as the server hands it over (ASGI 3): the head of a request read, and an answer written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from garrison.core.context import Call
from garrison.core.http import Request, Response

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def read_head(scope: Mapping[str, Any]) -> tuple[Request, Call]:
    """A request without its body, and the call that it is."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    request = Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
    )
    client = scope["client"]
    call = Call(
        source_ip=client[0] if client else "",
        user_agent=request.header("user-agent"),
        host=request.header("host"),
        secure=scope["scheme"] == "https",
        referer=request.header("referer"),
        tls=scope.get("state", {}).get("tls"),
    )
    return request, call


async def write(send: Send, response: Response, *, close: bool = False) -> None:
    """Send an answer; ``close`` where the connection ends with it."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    # An answer to HEAD has no body and may say how long it would be; every other length is that of the body.
    if response.body or not any(name.lower() == b"content-length" for name, _ in headers):
        headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
        headers.append((b"content-length", str(len(response.body)).encode()))
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
