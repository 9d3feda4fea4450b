from __future__ import annotations

import http.server
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from bench import identity, run
from bench.identity import Memory, Report, SignIns, Visitor
from garrison.identity.passwords import HASHER
from garrison.store import open_store
from tests.support.stores import TestSealer


class Form(http.server.BaseHTTPRequestHandler):
    """A sign-in page: its form has a token, and is taken with its cookies and that token alone."""

    def do_GET(self) -> None:
        self._say(200, b'<input type="hidden" name="csrf" value="c0ffee">', ("a=1; Path=/", "b=2; Secure"))

    def do_POST(self) -> None:
        fields = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        good = self.headers["Cookie"] == "a=1; b=2" and fields["csrf"] == ["c0ffee"] and fields["password"] == ["p&=w"]
        self._say(303 if good and self.headers["Origin"] == f"http://{self.headers['Host']}" else 403, b"", ())

    def _say(self, status: int, body: bytes, cookies: tuple[str, ...]) -> None:
        self.send_response(status)
        for cookie in cookies:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Nothing on the terminal."""


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Form) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_visitor_brings_back_what_the_form_gave(port: int):
    (visitor,) = identity.visitors(port, 1)
    assert visitor.sign_in("1", "ann", "p&=w") == 303
    assert visitor.sign_in("1", "ann", "other") == 403
    visitor.close()
    stranger = Visitor(port)
    assert stranger.sign_in("1", "ann", "p&=w") == 403
    stranger.close()


def test_what_a_process_takes_at_the_most_is_seen():
    def work() -> None:
        taken = bytearray(64 * 1024 * 1024)
        taken[::4096] = b"x" * len(taken[::4096])

    seen = identity.watched(os.getpid(), work)
    assert seen.peak - seen.before > 50
    assert seen.after < seen.peak - 50
    assert identity.status_of(2**22 + 1) == {}


def test_the_hash_is_the_servers(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    monkeypatch.setattr(type(HASHER), "verify", lambda _self, kept, _password: asked.append(kept))
    assert identity.hash_cpu_ms(2) >= 0
    assert len(asked) == 2
    assert asked[0].startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_as_many_users_as_wanted(tmp_path: Path):
    store = open_store(tmp_path, sealer=TestSealer())
    store.close()
    for wanted in (3, 10):
        identity.fill(tmp_path / "garrison.db", "111122223333", wanted)
        with closing(sqlite3.connect(tmp_path / "garrison.db")) as database:
            for table in ("iam_user", "iam_inline_policy", "iam_attachment"):
                assert database.execute(f"SELECT count(*) FROM {table}").fetchall() == [(wanted,)]  # noqa: S608 - as listed


def test_the_section_shows_medians_and_ratios():
    found = SignIns([100.0, 130.0, 900.0], [125.0, 80.0, 100.0], Memory(70.4, 198.6, 71.0), {503: 24, 303: 8})
    made = [Report(10_000, "credential report, bytes", 1_234_567, 5.04, Memory(60, 64.6, 61))]
    text = identity.section(found, {"GetCallerIdentity": [0.08, 0.1, 0.09], "AssumeRole": [0.16, 0.18, 0.2]}, made, 3)
    assert text.startswith(identity.BEGIN)
    assert text.endswith(identity.END)
    assert "| one / its calculation | 1.30 |" in text
    assert "| 70 / 199 / 71 |" in text
    assert "| 8 times 303, 24 times 503 |" in text
    assert "| AssumeRole / GetCallerIdentity | 2.00 |" in text
    assert "| credential report, bytes | 10,000 | 1,234,567 | 5.0 | 60 / 65 / 61 |" in text
    page = run.PAGE.read_text(encoding="utf-8")
    assert page.count(identity.BEGIN) == page.count(identity.END) == 1
