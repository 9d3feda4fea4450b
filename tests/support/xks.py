"""A proxy that does what a test tells it to, over real TLS on loopback."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from garrison.keys.certificate import ensure_certificate
from garrison.keys.xks.http import Routes

Reply = tuple[int, bytes] | None
"""Status and body; None closes the connection without a word."""
HOST = "localhost"


class FakeProxy:
    """Answers as ``reply`` says; keeps what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.reply: Callable[[str, Any], Reply] = lambda _path, _document: (500, b"")
        certificate, key, self.authority = ensure_certificate(folder, "127.0.0.1", time.time())
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def routes(self) -> Routes:
        return Routes({HOST: ("127.0.0.1", self.port)}, self.authority)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                document = json.loads(self.rfile.read(int(self.headers["content-length"])))
                proxy.asked.append((self.path, dict(self.headers), document))
                reply = proxy.reply(self.path, document)
                if reply is None:
                    self.close_connection = True
                    return
                self.send_response(reply[0])
                self.send_header("content-length", str(len(reply[1])))
                self.end_headers()
                self.wfile.write(reply[1])

            def log_message(self, *_: object) -> None:
                """Not a word."""

        return Handler


@pytest.fixture
def fake_proxy(tmp_path: Path) -> Iterator[FakeProxy]:
    made = FakeProxy(tmp_path / "tls")
    yield made
    made.close()
