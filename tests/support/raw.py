"""Requests byte by byte: what no AWS client would send."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.server import Server

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""What a client that sent ``Expect: 100-continue`` hears before the answer."""
SECONDS = 20.0
"""How long an answer may take before the server is said to hang."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back until the server closed the connection or the body was whole."""

    status: int
    """0 where the connection was closed without an answer."""
    head: bytes
    body: bytes


def exchange(server: Server, request: bytes, *, half_close: bool = True) -> Answer:
    """Send these bytes on a new connection and read one answer. Raises TimeoutError where the server hangs."""
    where = urlsplit(server.endpoint)
    with socket.create_connection((where.hostname, where.port), SECONDS) as connection:
        # It may have heard enough; its answer may still be there.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        if half_close:
            with contextlib.suppress(OSError):  # the same: not connected any more
                connection.shutdown(socket.SHUT_WR)
        return read_answer(connection)


def read_answer(connection: socket.socket) -> Answer:
    """One answer, or what there is of it when the connection ends."""
    seen = b""
    while not complete(seen):
        try:
            chunk = connection.recv(65536)
        except ConnectionResetError:
            break
        if not chunk:
            break
        seen = (seen + chunk).removeprefix(CONTINUE)
    head, _, body = seen.partition(b"\r\n\r\n")
    status = int(head[9:12]) if head.startswith(b"HTTP/1.1 ") else 0
    return Answer(status, head, body)


def complete(seen: bytes) -> bool:
    """Whether head and body are all there."""
    head, found, body = seen.partition(b"\r\n\r\n")
    _, length, rest = head.lower().partition(b"content-length:")
    return bool(found and length) and len(body) >= int(rest.split(b"\r\n", 1)[0])


def signed(server: Server, service: str, body: bytes, headers: Mapping[str, str], path: str = "/") -> bytes:
    """A request of the admin with a good signature over whatever it carries."""
    admin = server.credentials.admin
    request = AWSRequest("POST", server.endpoint + path, headers=dict(headers), data=body)
    signer = SigV4Auth(Credentials(admin.access_key_id, admin.secret_access_key), service, server.credentials.region)
    signer.add_auth(request)
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    head = [f"POST {path} HTTP/1.1", f"Host: {urlsplit(server.endpoint).netloc}", *lines, f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode("latin-1") + body


def json_call(server: Server, operation: str, body: bytes) -> Answer:
    """A call of KMS with any body."""
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{operation}"}
    return exchange(server, signed(server, "kms", body, headers), half_close=False)


def form_call(server: Server, body: bytes, service: str = "iam") -> Answer:
    """A call of a query service with any body."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return exchange(server, signed(server, service, body, headers), half_close=False)
