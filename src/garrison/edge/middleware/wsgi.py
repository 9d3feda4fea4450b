"""Middleware for WSGI applications.

Source: PEP 3333. WSGI hands headers over in a mapping: their order is lost, duplicates are joined, and ``a_b`` cannot be told
from ``a-b``; rules on these see what the application sees. The path is raw where the server says it (``RAW_URI``,
``REQUEST_URI``), else quoted anew.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import IO, Any, Final
from urllib.parse import quote

from garrison.core.http import Response
from garrison.edge.inspect import WebRequest
from garrison.edge.middleware.firewall import Firewall
from garrison.edge.proxy.judge import Passed, Work

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]
_PLAIN: Final = [("content-type", "text/plain")]
_BARE: Final = {"CONTENT_TYPE": b"content-type", "CONTENT_LENGTH": b"content-length"}


class WsgiFirewall:
    """A WSGI application behind a firewall."""

    def __init__(self, app: Application, firewall: Firewall) -> None:
        self._app = app
        self._firewall = firewall

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Inspect, and let the application answer, or answer in its place."""
        unfit = _unfit(environ)
        if unfit is not None:
            return _answer(unfit, start_response, head_only=environ["REQUEST_METHOD"] == "HEAD")
        request = self._request(environ)
        found = self._firewall.decide(request)
        if isinstance(found, Work):
            found = self._firewall.worked(found)
        if isinstance(found, Passed):
            for name, value in found.inserted:
                environ["HTTP_" + name.upper().replace("-", "_")] = value
            return self._app(environ, start_response)
        return _answer(found, start_response, head_only=request.method == "HEAD")

    def _request(self, environ: Environ) -> WebRequest:
        headers = _headers(environ)
        body, size = self._body(environ)
        return WebRequest(
            str(environ["REQUEST_METHOD"]),
            _target(environ),
            headers,
            body,
            source_ip=self._firewall.address(headers, str(environ.get("REMOTE_ADDR") or "")),
            body_size=size,
            http_version=str(environ.get("SERVER_PROTOCOL") or "HTTP/1.1"),
            scheme=str(environ["wsgi.url_scheme"]),
            host=str(environ.get("HTTP_HOST") or ""),
            time=time.time(),
        )

    def _body(self, environ: Environ) -> tuple[bytes, int]:
        """The body as far as it is looked at, and its whole size; the application reads it again from its beginning."""
        declared = str(environ.get("CONTENT_LENGTH") or "")
        length = int(declared) if declared else None
        if length is None and not environ.get("wsgi.input_terminated"):
            return b"", 0  # PEP 3333: without a length there is no body to read
        limit = self._firewall.body_bytes
        stream: IO[bytes] = environ["wsgi.input"]
        wanted = limit if length is None else min(length, limit)
        here = _exactly(stream, wanted)
        environ["wsgi.input"] = io.BufferedReader(_Again(here, stream, length))
        if length is not None:
            return here, length
        return here, len(here) + (len(here) == limit)


def _unfit(environ: Mapping[str, Any]) -> Response | None:
    """The answer to a body of which nobody can say how an application will read it; some servers let such through."""
    declared = str(environ.get("CONTENT_LENGTH") or "")
    if declared and not (declared.isascii() and declared.isdigit()):
        return Response(400, _PLAIN, b"The length of the body is no number.\n")
    if not declared and environ.get("HTTP_TRANSFER_ENCODING") and not environ.get("wsgi.input_terminated"):
        return Response(411, _PLAIN, b"A body must have a length here.\n")
    return None


def _exactly(stream: IO[bytes], wanted: int) -> bytes:
    """So many bytes, or what there is."""
    parts = []
    while wanted > 0 and (part := stream.read(wanted)):
        parts.append(part)
        wanted -= len(part)
    return b"".join(parts)


class _Again(io.RawIOBase):
    """What was read of a stream, then the rest of it, up to its length."""

    def __init__(self, here: bytes, stream: IO[bytes], length: int | None) -> None:
        self._here = memoryview(here)
        self._stream = stream
        self._left = None if length is None else length - len(here)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any buffer that can be written to
        """As of ``io.RawIOBase``."""
        wanted = len(buffer)
        if self._here:
            part = self._here[:wanted]
            self._here = self._here[wanted:]
        else:
            left = wanted if self._left is None else min(wanted, self._left)
            part = memoryview(self._stream.read(left) if left else b"")
            if self._left is not None:
                self._left -= len(part)
        buffer[: len(part)] = part
        return len(part)


def _headers(environ: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    found = []
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            found.append((name[5:].lower().replace("_", "-").encode("latin-1"), str(value).encode("latin-1")))
        elif name in _BARE and value:
            found.append((_BARE[name], str(value).encode("latin-1")))
    return found


def _target(environ: Mapping[str, Any]) -> bytes:
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if raw:
        return str(raw).encode("latin-1")
    path = quote(
        str(environ.get("SCRIPT_NAME") or "") + str(environ.get("PATH_INFO") or ""), encoding="latin-1", safe="/:@!$&'()*+,;=~"
    )
    query = str(environ.get("QUERY_STRING") or "")
    return f"{path or '/'}?{query}".encode("latin-1") if query else (path or "/").encode("latin-1")


def _answer(response: Response, start_response: StartResponse, *, head_only: bool) -> Iterable[bytes]:
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Unknown"
    headers = [(name, value.encode("utf-8", "replace").decode("latin-1")) for name, value in response.headers]
    start_response(f"{response.status} {phrase}", [*headers, ("Content-Length", str(len(response.body)))])
    return [b"" if head_only else response.body]
