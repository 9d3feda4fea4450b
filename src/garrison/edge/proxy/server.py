"""An inspector's server: asyncio's protocol on a Unix socket, made for one client, which is Envoy.

No library of HTTP stands in between: Envoy frames its questions in one known way, and must have an answer to any method and any
path that a client can send, which general parsers refuse to read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

from garrison.edge.proxy.exchange import BROKEN, END, MAX_HEAD, TOLD, MalformedError, Question, body_length

METRICS: Final = b"GET /metrics HTTP/1.1\r\n"
MAX_BODY: Final = 1024 * 1024
"""Bytes of a body that another proxy sends along; of a longer one it must be told to send none, or a part."""
_BAD: Final = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

Answer = Callable[[Question], bytes | Callable[[], bytes]]
"""Gives an answer, or work for another thread that gives it."""
Page = Callable[[], tuple[bytes, str]]
"""Gives a page and its content type."""


class Connection(asyncio.Protocol):
    """One connection of Envoy's; one question at a time on it."""

    __slots__ = ("_answer", "_envoys", "_have", "_last", "_metrics", "_need", "_parts", "_transport")

    def __init__(self, answer: Answer, metrics: Page, *, envoys: bool = True) -> None:
        """``envoys`` False: of another proxy, which may want one answer only of a connection."""
        self._answer = answer
        self._metrics = metrics
        self._envoys = envoys
        self._last = False
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 0
        """Bytes of the question that is under way, as far as its head is here; else 0."""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # a stream's is one, but for uvloop's class

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        """End."""
        self._transport = None
        self._parts.clear()

    def data_received(self, data: bytes) -> None:
        """Answer each question that is whole."""
        self._have += len(data)
        if self._parts:
            self._parts.append(data)
            if self._have < self._need:
                return
            data = b"".join(self._parts)
            self._parts = []
        try:
            self._questions(data)
        except MalformedError:
            self._close(_BAD)

    def _questions(self, data: bytes) -> None:
        while data:
            end = data.find(END)
            if end < 0 and len(data) <= MAX_HEAD:
                break
            if end < 0 or end > MAX_HEAD:
                raise MalformedError("a head is too long")
            head = data[: end + 2]
            self._need = end + len(END) + (body_length(head) if self._envoys else _announced(head))
            if len(data) < self._need:
                break
            self._one(Question(head, data[end + len(END) : self._need]))
            data = data[self._need :]
            self._need = 0
        self._have = len(data)
        if data:
            self._parts = [data]

    def _one(self, question: Question) -> None:
        if self._transport is None or self._last:
            return
        if not self._envoys:
            self._last = _is_last(question.head)
        if question.head.startswith(METRICS) and TOLD not in question.head:
            page, kind = self._metrics()
            self._send(b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (kind.encode(), len(page)) + page)
            return
        answer = self._answer(question)
        if isinstance(answer, bytes):
            self._send(answer)
        else:
            # Nothing more is asked on this connection before it has its answer.
            asyncio.get_running_loop().run_in_executor(None, answer).add_done_callback(self._late)

    def _late(self, done: asyncio.Future[bytes]) -> None:
        self._send(BROKEN if done.cancelled() or done.exception() else done.result())

    def _send(self, answer: bytes) -> None:
        if self._transport is None:
            return
        self._transport.write(answer)
        if self._last:
            self._transport.close()

    def _close(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)
            self._transport.close()


def _announced(head: bytes) -> int:
    """Bytes of the body that another proxy sends: it writes the header as it likes (RFC 9112, 6.3). Raises MalformedError.

    Read too short, a client's body would be taken for questions of the proxy's.
    """
    found = b""
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip() == b"transfer-encoding" or (name.strip() == b"content-length" and found):
            raise MalformedError("a body has no one length")
        if name.strip() == b"content-length":
            found = value.strip(b" \t")
            if not found.isdigit():
                raise MalformedError("a body has no length")
    length = int(found or b"0")
    if length > MAX_BODY:
        raise MalformedError("a body is too long")
    return length


def _is_last(head: bytes) -> bool:
    """Whether the connection ends with the answer (RFC 9112, 9.3)."""
    lowered = head.lower()
    if b"\r\nconnection: close\r\n" in lowered:
        return True
    return b" http/1.0\r\n" in lowered and b"\r\nconnection: keep-alive\r\n" not in lowered
