"""Between the bytes of HTTP and the gateway's values: the head of a request, the whole of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from http.client import responses

from garrison.core.context import Call
from garrison.core.http import Request, Response

Headers = Sequence[tuple[bytes, bytes]]

TOKEN_PATH = "/v1/token"  # noqa: S105 - the path of signin:CreateOAuth2Token


def request_of(method: str, path: bytes, query: bytes, headers: Headers) -> Request:
    """A request without its body. The path stays percent-encoded; names are in lower case already."""
    return Request(
        method,
        path.decode("latin-1"),
        query.decode("latin-1"),
        [(_name(name), value.decode("latin-1")) for name, value in headers],
    )


def read_call(request: Request, client: tuple[str, int] | None, *, secure: bool, tls: tuple[str, str] | None) -> Call:
    """What the network says of a request. ``tls`` is version and cipher suite of its connection."""
    return Call(
        source_ip=client[0] if client else "",
        user_agent=request.header("user-agent"),
        host=request.header("host"),
        secure=secure,
        referer=request.header("referer"),
        tls=tls,
        proofs=tuple(request.header_list("dpop")) if request.path == TOKEN_PATH else (),
    )


def answer_headers(response: Response, *, close: bool = False) -> list[tuple[str, str]]:
    """The headers as they are sent: with the body's length, and where the connection ends with it with the word for that.

    An answer to HEAD has no body and may say how long it would be; every other length is that of the body.
    """
    headers = response.headers
    if response.body or not any(name.lower() == "content-length" for name, _ in headers):
        headers = [header for header in headers if header[0].lower() != "content-length"]
        headers.append(("content-length", str(len(response.body))))
    if close:
        headers = [*headers, ("connection", "close")]
    return headers


def answer_bytes(response: Response, first: bytes) -> bytes:
    """The whole answer. ``first`` are header lines that stand in every answer, each with its end."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in answer_headers(response)])
    return b"%b%b%b\r\n%b" % (_status_line(response.status), first, lines.encode("latin-1"), response.body)


@lru_cache(maxsize=256)  # clients use few names, and strangers may send any
def _name(name: bytes) -> str:
    return name.decode("latin-1")


@lru_cache(maxsize=64)
def _status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} {responses.get(status, '')}\r\n".encode("ascii")
