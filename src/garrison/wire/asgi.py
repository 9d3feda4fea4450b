"""HTTP as the server hands it over (ASGI 3): the head of a request read, and an answer written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from garrison.core.context import Call
from garrison.core.http import Request, Response
from garrison.wire.messages import answer_headers, read_call, request_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def read_head(scope: Mapping[str, Any]) -> tuple[Request, Call]:
    """A request without its body, and the call that it is."""
    request = request_of(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"])
    tls = scope.get("state", {}).get("tls")
    return request, read_call(request, scope["client"], secure=scope["scheme"] == "https", tls=tls)


async def write(send: Send, response: Response, *, close: bool = False) -> None:
    """Send an answer; ``close`` where the connection ends with it."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer_headers(response, close=close)]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
