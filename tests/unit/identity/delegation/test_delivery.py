"""Messages to a partner's URL, over real sockets: signed, bounded, and never to anybody else."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from garrison.identity.delegation import delivery
from garrison.identity.delegation.delivery import NotDeliveredError, deliver, signature
from garrison.identity.delegation.notices import Notice
from tests.support.tls import context, issue

BODY = b'{"Type":"Notification"}'
SECRET = b"0" * 64
NOW = 1_700_000_000.5
TOPIC = "arn:aws:sns:us-east-1:444455556666:delegations"


class Hook(BaseHTTPRequestHandler):
    """A partner's end."""

    got: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []
    status: ClassVar[int] = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.status)
        if self.status == 302:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def served(context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Hook)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    Hook.got, Hook.status = [], 200
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def notice(url: str, authority: str = "") -> Notice:
    return Notice(1, TOPIC, BODY, NOW, 0, url, authority, b"sealed")


def test_a_message_is_posted_and_signed():
    with served() as port:
        deliver(notice(f"http://127.0.0.1:{port}/hook?a=b"), SECRET, NOW)
    ((path, headers, body),) = Hook.got
    assert (path, body) == ("/hook?a=b", BODY)
    assert headers["x-amz-sns-topic-arn"] == TOPIC
    assert headers["x-amz-sns-message-type"] == "Notification"
    wanted = hmac.new(SECRET, b"1700000000." + BODY, hashlib.sha256).hexdigest()
    assert headers["x-garrison-signature"] == f"t=1700000000,v1={wanted}"
    assert signature(SECRET, BODY, 1_700_000_000) == headers["x-garrison-signature"]


@pytest.mark.parametrize("status", [199, 302, 400, 403, 500, 503])
def test_only_a_good_status_is_an_arrival(status: int):
    with served() as port:
        Hook.status = status
        with pytest.raises(NotDeliveredError):
            deliver(notice(f"http://127.0.0.1:{port}/"), SECRET, NOW)
    assert len(Hook.got) == 1, "nobody is followed elsewhere"


def test_a_server_is_proven_by_the_operators_authority(tmp_path: Path):
    root, other = issue("hooks", authority=True), issue("other", authority=True)
    with served(context(tmp_path, issue("server", root))) as port:
        here, named = f"https://127.0.0.1:{port}/", f"https://localhost:{port}/"
        deliver(notice(here, root.pem.decode()), SECRET, NOW)
        for url, pem in ((here, other.pem), (here, b""), (named, root.pem)):
            with pytest.raises(NotDeliveredError):
                deliver(notice(url, pem.decode()), SECRET, NOW)
    assert len(Hook.got) == 1


def test_nobody_there_and_nothing_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(delivery, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(NotDeliveredError):
            deliver(notice(f"http://127.0.0.1:{silent.getsockname()[1]}/"), SECRET, NOW)
        port = silent.getsockname()[1]
    with pytest.raises(NotDeliveredError):
        deliver(notice(f"http://127.0.0.1:{port}/"), SECRET, NOW)


def test_an_answer_that_is_no_http():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NotDeliveredError):
            deliver(notice(f"http://127.0.0.1:{server.getsockname()[1]}/"), SECRET, NOW)
        thread.join()
    assert json.loads(BODY)["Type"] == "Notification"
