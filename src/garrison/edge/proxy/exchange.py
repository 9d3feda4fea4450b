"""What Envoy tells an inspector of a request, and what the inspector answers, in bytes.

Envoy asks by ext_authz over HTTP/1.1 on a Unix socket. Of the question only its header ``x-garrison-request``, which our script
in Envoy writes (``request.lua``), and its body count: they have the request as it came, headers in order with their
duplicates and all their bytes. Only Envoy can reach the socket; what it passes on is still the client's.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Final, NamedTuple

from garrison.edge.inspect import WebRequest

TOLD: Final = b"\r\nx-garrison-request: "
_ANSWERED: Final = b"POST /answered HTTP/1.1\r\n"
_RESPONSE: Final = b"\r\nx-garrison-response: "
PARTIAL: Final = b"\r\nx-envoy-auth-partial-body: true"
LENGTH: Final = b"\r\ncontent-length: "
END: Final = b"\r\n\r\n"
MAX_HEAD: Final = 1024 * 1024
"""Bytes of a question's head: the largest head that Envoy takes of a client, told twice over and in base64, is well below."""
_ADDED: Final = frozenset({b"x-forwarded-proto", b"x-request-id", b"x-envoy-external-address"})
"""Headers that Envoy sets itself, whatever the client sent: neither the application nor a rule sees the client's.

Rules see any other, also of those that begin with ``x-envoy-``: Envoy drops the orders that it knows, the rest reaches the
application.
"""
_OURS: Final = b"x-garrison-"
"""The beginning of names that are ours: what a client sends under them reaches nobody."""
_VERSIONS: Final = {b"HTTP/2": "HTTP/2.0", b"HTTP/3": "HTTP/3.0"}
"""HTTP versions in the spelling of AWS WAF's logs."""
_NONE: Final = frozenset({b"", b"-"})
ALLOWED: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
BROKEN: Final = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
"""A failure, which Envoy treats as the listener's fail mode says."""


class MalformedError(ValueError):
    """A question that Envoy never asks."""


class Question(NamedTuple):
    """One question: its head without the last empty line, and the body."""

    head: bytes
    body: bytes


def body_length(head: bytes) -> int:
    """Bytes of the question's body. Raises MalformedError."""
    start = head.find(LENGTH)
    if start < 0:
        return 0
    start += len(LENGTH)
    end = head.find(b"\r\n", start)
    text = head[start : end if end >= 0 else len(head)]
    if not text.isdigit():
        raise MalformedError("a body has no length")
    return int(text)


def told(head: bytes) -> bytes:
    """What our script wrote of the request. Raises MalformedError."""
    return _unpacked(head, TOLD)


def _unpacked(head: bytes, name: bytes) -> bytes:
    """A header's value, out of base64. Raises MalformedError."""
    start = head.find(name)
    if start < 0:
        raise MalformedError("a question tells of no request")
    start += len(name)
    end = head.find(b"\r\n", start)
    try:
        return a2b_base64(head[start : end if end >= 0 else len(head)])
    except Base64Error as error:
        raise MalformedError("a question is no base64") from error


def read_request(question: Question, *, scheme: str, now: float) -> WebRequest:
    """The request that a question is about. ``now`` is in seconds since the epoch. Raises MalformedError."""
    protocol, address, ja3, ja4, *rest = told(question.head).split(b"\n")
    if len(rest) % 2 or len(rest) < 4:
        raise MalformedError("a request is not whole")
    known = Known(protocol, address, ja3, ja4)
    return request_of(zip(rest[::2], rest[1::2], strict=True), question.body, PARTIAL in question.head, known, scheme, now)


class Known(NamedTuple):
    """What Envoy knows of a request beside its headers and body, in Envoy's own spelling."""

    protocol: bytes
    address: bytes
    """The client's, with its port."""
    ja3: bytes
    ja4: bytes


def request_of(
    pairs: Iterable[tuple[bytes, bytes]],
    body: bytes,
    partial: bool,  # noqa: FBT001 - by position, as all of them
    known: Known,
    scheme: str,
    now: float,
) -> WebRequest:
    """The request that Envoy has: ``pairs`` are its headers in order. ``partial``: more follows than the body that is here."""
    pseudo: dict[bytes, bytes] = {}
    headers: list[tuple[bytes, bytes]] = []
    request_id = b""
    for pair in pairs:
        name, value = pair
        if name[:1] == b":":
            pseudo[name] = value
        elif name not in _ADDED and not name.startswith(_OURS):
            headers.append(pair)
        elif name == b"x-request-id":
            request_id = value
    host = pseudo.get(b":authority", b"")
    return WebRequest(
        pseudo.get(b":method", b"").decode("latin-1"),
        pseudo.get(b":path", b""),
        [(b"host", host), *headers] if host else headers,
        body,
        source_ip=_address(known.address),
        body_size=_size(body, partial, headers),
        http_version=_VERSIONS.get(known.protocol) or known.protocol.decode("latin-1"),
        scheme=scheme,
        host=host.decode("latin-1"),
        ja3="" if known.ja3 in _NONE else known.ja3.decode("latin-1"),
        ja4="" if known.ja4 in _NONE else known.ja4.decode("latin-1"),
        request_id=request_id.decode("latin-1"),
        time=now,
    )


def answered(question: Question) -> tuple[bytes, int, list[tuple[bytes, bytes]], bytes] | None:
    """What the application answered to a request with a mark: mark, status, headers, first bytes of the body. None: a question.

    Our script in Envoy tells it. A client's request always has what the script tells of it, whatever else it has.
    Raises MalformedError.
    """
    if not question.head.startswith(_ANSWERED) or TOLD in question.head:
        return None
    marked, *rest = _unpacked(question.head, _RESPONSE).split(b"\n")
    pairs = list(zip(rest[::2], rest[1::2], strict=False))
    status = next((value for name, value in pairs if name == b":status"), b"")
    if not status.isdigit():
        raise MalformedError("an answer has no status")
    return marked, int(status), [pair for pair in pairs if pair[0] != b":status"], question.body


def _address(text: bytes) -> str:
    """The address of ``127.0.0.1:80`` or ``[::1]:80``."""
    return text.rpartition(b":")[0].strip(b"[]").decode("latin-1")


def _size(body: bytes, partial: bool, headers: Sequence[tuple[bytes, bytes]]) -> int:  # noqa: FBT001 - private
    """The size of the whole body: as the client declared it, where more is to come than is here."""
    here = len(body)
    if not partial:
        return here
    declared = next((value for name, value in headers if name == b"content-length"), b"")
    # Chunked: all that is known is that more follows.
    return max(int(declared), here) if declared.isdigit() else here + 1


def _clean(text: str) -> bytes:
    """A header's name or value that ends no line. Values are a customer's own text, in whatever characters."""
    return text.replace("\r", "").replace("\n", "").replace("\0", "").encode("utf-8", "replace")


def header_line(name: str, value: str) -> bytes:
    """One header, and the end of its line."""
    return b"%b: %b\r\n" % (_clean(name), _clean(value))


def allow(inserted: Iterable[tuple[str, str]], watch: bytes = b"") -> bytes:
    """Let the request pass, with headers for the application. ``watch``: what its answer comes back with, if at all."""
    lines = b"".join(header_line(name, value) for name, value in inserted)
    if watch:
        lines += b"x-garrison-watch: %b\r\n" % watch
    return b"HTTP/1.1 200 OK\r\n%bcontent-length: 0\r\n\r\n" % lines if lines else ALLOWED


def framed_by_envoy(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of an answer without those that say where it ends, which are Envoy's to choose."""
    return [(name, value) for name, value in headers if name.lower() not in _FRAMING]


def clean_pairs(headers: Iterable[tuple[str, str]]) -> tuple[tuple[bytes, bytes], ...]:
    """Headers as bytes."""
    return tuple((_clean(name), _clean(value)) for name, value in headers)


def refuse(status: int, headers: Iterable[tuple[str, str]], body: bytes, *, head_only: bool) -> bytes:
    """Answer the request in the application's place. ``head_only``: to ``HEAD``, which has an answer without a body."""
    sent = framed_by_envoy(headers)
    if head_only:
        # Envoy forgets both where there is no body; the script tells them again.
        kinds = [(_TOLD_AGAIN[name.lower()], value) for name, value in sent if name.lower() in _TOLD_AGAIN]
        sent += [("x-garrison-content-length", str(len(body))), *kinds] if body else []
    lines = b"".join(header_line(name, value) for name, value in sent)
    refused = HTTPStatus.FORBIDDEN
    start = b"HTTP/1.1 %d %b\r\nx-garrison-status: %d\r\n" % (refused, refused.phrase.encode(), status)
    return b"%b%bcontent-length: %d\r\n\r\n%b" % (start, lines, len(body), b"" if head_only else body)


_TOLD_AGAIN: Final = {"content-type": "x-garrison-content-type"}
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer", "te"})
