"""Sending a partner's message to its URL: bounded in time, over verified TLS, signed, and without following anybody elsewhere.

The body is signed as ``X-Garrison-Signature: t=SECONDS,v1=HEX``: HMAC-SHA-256 over ``SECONDS.BODY`` with the topic's secret,
which the operator was shown once. It stands where SNS's own signature does at AWS.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import ssl
import time
from urllib.parse import SplitResult, urlsplit

from garrison.core.timed import TimedSocket
from garrison.identity.delegation.notices import Notice

SECONDS = 5.0
"""For one message: resolving the server's name apart, everything."""
SIGNATURE = "X-Garrison-Signature"


class NotDeliveredError(Exception):
    """A message that did not arrive, as far as anybody can know."""


def deliver(notice: Notice, secret: bytes, now: float) -> None:
    """Send one message. Raises NotDeliveredError unless the server answers with a status of 200 to 299."""
    parts = urlsplit(notice.url)
    deadline = time.monotonic() + SECONDS
    try:
        status = _posted(
            _connected(parts, notice.authority, deadline), parts, _headers(notice, secret, now), notice.body, deadline
        )
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotDeliveredError(type(error).__name__) from error
    if not 200 <= status < 300:
        raise NotDeliveredError(str(status))


def signature(secret: bytes, body: bytes, now: int) -> str:
    """The value of the signature's header."""
    made = hmac.new(secret, f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={now},v1={made}"


def _headers(notice: Notice, secret: bytes, now: float) -> dict[str, str]:
    return {
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Garrison",
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-topic-arn": notice.topic_arn,
        SIGNATURE: signature(secret, notice.body, int(now)),
        "Connection": "close",
    }


def _connected(parts: SplitResult, authority: str, deadline: float) -> socket.socket:
    port = parts.port or (443 if parts.scheme == "https" else 80)
    sock = socket.create_connection((parts.hostname or "", port), max(deadline - time.monotonic(), 0.001))
    if parts.scheme != "https":
        return sock
    try:
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        return _context(authority).wrap_socket(sock, server_hostname=parts.hostname)
    except BaseException:
        sock.close()
        raise


def _context(authority: str) -> ssl.SSLContext:
    """Trust in the operator's authority alone where one was named, in the system's else."""
    made = ssl.create_default_context(cadata=authority or None)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def _posted(sock: socket.socket, parts: SplitResult, headers: dict[str, str], body: bytes, deadline: float) -> int:
    connection = http.client.HTTPConnection(parts.netloc)
    connection.auto_open = 0
    connection.sock = TimedSocket(sock, deadline)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body=body, headers=headers)
        with connection.getresponse() as response:
            return response.status
    finally:
        connection.close()
