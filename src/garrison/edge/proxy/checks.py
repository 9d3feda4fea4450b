"""The check endpoint: another proxy asks about each of its requests, as nginx, Caddy and Traefik do for authentication.

Sources: nginx, ngx_http_auth_request_module; Caddy, ``forward_auth``; Traefik, ``ForwardAuth``. Such a proxy sends the headers
of a request, without its body unless it is told to, and says in headers of its own what was asked for. Which ones is chosen by
the path: if both kinds were believed, a client could send the other kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, NamedTuple

from garrison.core.http import Response
from garrison.edge.inspect import WebRequest
from garrison.edge.proxy.exchange import MalformedError, Question, allow, header_line
from garrison.edge.proxy.judge import Judge, Passed, Slow, Work

Pairs = list[tuple[bytes, bytes]]


class _Style(NamedTuple):
    """Which headers a proxy says things in."""

    method: bytes
    target: bytes
    address: bytes
    host: bytes
    scheme: bytes
    only_403: bool


STYLES: Final[Mapping[bytes, _Style]] = {
    b"/nginx": _Style(b"x-original-method", b"x-original-uri", b"x-real-ip", b"host", b"x-forwarded-proto", only_403=True),
    b"/forward": _Style(
        b"x-forwarded-method", b"x-forwarded-uri", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", only_403=False
    ),
}
"""By the path of the endpoint. nginx passes on 401 and 403 alone; any other answer it takes for a failure."""
_FRAMING: Final = frozenset({b"connection", b"content-length", b"transfer-encoding", b"keep-alive", b"te", b"upgrade"})
_REFUSED: Final = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
_UNKNOWN: Final = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


def _parsed(head: bytes) -> tuple[bytes, Pairs]:
    """Path and headers of a question. Raises MalformedError."""
    first, *lines = head.rstrip(b"\r\n").split(b"\r\n")
    parts = first.split(b" ")
    if len(parts) != 3:
        raise MalformedError("no request line")
    headers: Pairs = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise MalformedError("no header")
        headers.append((name.lower(), value.strip(b" \t")))
    if any(name == b"transfer-encoding" for name, _ in headers):
        raise MalformedError("a body without a length")
    return parts[1].partition(b"?")[0], headers


def _one(headers: Pairs, name: bytes) -> bytes | None:
    """The header's value. Raises MalformedError where there are two: one of them may be the client's."""
    found = [value for key, value in headers if key == name]
    if len(found) > 1:
        raise MalformedError(f"two headers {name.decode()}")
    return found[0] if found else None


def read_check(style: _Style, headers: Pairs, body: bytes, now: float) -> WebRequest:
    """The request that a proxy asks about. Raises MalformedError where it does not say what was asked for, and by whom."""
    method, target, address = (_one(headers, name) for name in (style.method, style.target, style.address))
    if not method or not target or not address:
        raise MalformedError("the proxy does not say method, URI and address")
    own = {style.method, style.target, style.host, style.scheme, b"host"} | _FRAMING
    kept = [(name, value) for name, value in headers if name not in own and name != style.address]
    before, _, peer = address.rpartition(b",")
    if before:
        kept.append((style.address, before.strip()))  # what the client itself said of its address
    host = _one(headers, style.host) or b""
    scheme = (_one(headers, style.scheme) or b"http").decode("latin-1")
    return WebRequest(
        method.decode("latin-1"),
        target,
        [(b"host", host), *kept],
        body,
        source_ip=peer.strip().decode("latin-1"),
        scheme=scheme,
        host=host.decode("latin-1"),
        time=now,
    )


@dataclass(frozen=True, slots=True)
class Checker:
    """Answers a proxy's questions."""

    judge: Judge
    fail_open: bool

    def answer(self, question: Question) -> bytes | Slow:
        """The answer to one. Never raises."""
        try:
            path, headers = _parsed(question.head)
            style = STYLES.get(path)
            if style is None:
                return _UNKNOWN
            request = read_check(style, headers, question.body, self.judge.clock())
            found = self.judge.decide(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the proxy must have an answer; it is logged
            self.judge.failed(error)
            # Only what the engine fails on may pass; a proxy that says too little is not set up.
            return allow(()) if self.fail_open and not isinstance(error, MalformedError) else _REFUSED
        if isinstance(found, Work):
            return lambda: self._worked(style, found)
        return allow(found.inserted) if isinstance(found, Passed) else _rendered(style, found)

    def _worked(self, style: _Style, work: Work) -> bytes:
        try:
            return _rendered(style, work.run())
        except Exception as error:  # noqa: BLE001 - the same
            self.judge.failed(error)
            return _REFUSED


def _rendered(style: _Style, response: Response) -> bytes:
    status = HTTPStatus.FORBIDDEN.value if style.only_403 else response.status
    if 200 <= status < 300:
        status = HTTPStatus.FORBIDDEN.value  # it would be a permission
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = b"".join(header_line(name, value) for name, value in _sendable(response.headers))
    start = f"HTTP/1.1 {status} {phrase}\r\n".encode()
    return b"%b%bcontent-length: %d\r\n\r\n%b" % (start, lines, len(response.body), response.body)


def _sendable(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower().encode("utf-8", "replace") not in _FRAMING]
