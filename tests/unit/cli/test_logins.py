"""What a command line takes from a browser and from a token endpoint, and what it does not."""

from __future__ import annotations

import json
import stat
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from garrison.cli import credentials, logins
from garrison.cli.logins import LoginError, SignedOutError, TokenEndpoint, Tokens
from garrison.identity.signin import dpop
from garrison.keys.proofs import ProofKey

STATE = "a-state"


class Server:
    """A token endpoint that answers what a test says."""

    def __init__(self, status: int, document: Any) -> None:
        outer = self
        self.seen: list[tuple[str, dict[str, Any]]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.seen.append((self.headers["dpop"], json.loads(body)))
                answer = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.listener = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.listener.handle_request)
        self.thread.start()
        self.endpoint = TokenEndpoint(f"http://127.0.0.1:{self.listener.server_port}/")

    def close(self) -> None:
        self.thread.join(10)
        self.listener.server_close()


def ask(status: int, document: Any) -> tuple[Tokens, Server]:
    server = Server(status, document)
    try:
        return logins.refresh(server.endpoint, ProofKey.new(), "ASORtoken"), server
    finally:
        server.close()


GOOD = {
    "accessToken": {"accessKeyId": "ASIAX", "secretAccessKey": "s", "sessionToken": "t"},
    "expiresIn": 900,
    "refreshToken": "ASORnext",
}


def test_tokens_are_asked_for_with_a_proof_of_the_key():
    tokens, server = ask(200, GOOD)
    assert (tokens.access_key_id, tokens.refresh_token) == ("ASIAX", "ASORnext")
    proof, body = server.seen[0]
    found = dpop.verify(proof, method="POST", is_own=lambda uri: uri == server.endpoint.address, now=time.time())
    assert len(found.thumbprint) == 32
    assert body == {"clientId": logins.CLIENT, "grantType": "refresh_token", "refreshToken": "ASORtoken"}


@pytest.mark.parametrize("reason", ["TOKEN_EXPIRED", "USER_CREDENTIALS_CHANGED", "INSUFFICIENT_PERMISSIONS"])
def test_a_session_that_is_over_is_told_from_a_failure(reason: str):
    with pytest.raises(SignedOutError, match="over"):
        ask(400, {"error": reason, "message": "it is over"})


@pytest.mark.parametrize("document", [b"", b"[", {}, [], {"accessToken": {}}, {"accessToken": None}, {**GOOD, "expiresIn": "x"}])
def test_an_answer_of_another_kind_is_a_failure(document: Any):
    with pytest.raises(LoginError):
        ask(200, document)


@pytest.mark.parametrize("document", [b"<html>", [], {"error": "INVALID_REQUEST", "message": "no"}])
def test_a_refusal_of_another_kind_is_a_failure(document: Any):
    with pytest.raises(LoginError) as caught:
        ask(400, document)
    assert not isinstance(caught.value, SignedOutError)


def test_a_code_is_taken_with_our_state_alone():
    """What else reaches the port, from a page of another site or a curious program, is not heard."""
    with HTTPServer(("127.0.0.1", 0), logins._Callback) as listener:
        base = f"http://127.0.0.1:{listener.server_port}"

        def knock() -> None:
            for path in (
                "/",
                "/oauth/callback",
                "/oauth/callback?code=evil",
                "/oauth/callback?code=evil&state=other",
                f"/x?code=evil&state={STATE}",
            ):
                try:
                    urllib.request.urlopen(base + path, timeout=10).close()
                except urllib.error.HTTPError as error:
                    error.close()
            urllib.request.urlopen(f"{base}/oauth/callback?code=good&state={STATE}", timeout=10).close()

        thread = threading.Thread(target=knock)
        thread.start()
        assert logins._code(listener, STATE) == "good"
        thread.join(10)


def test_nobody_comes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logins, "WAIT_SECONDS", 0)
    with HTTPServer(("127.0.0.1", 0), logins._Callback) as listener, pytest.raises(LoginError, match="in time"):
        logins._code(listener, STATE)


def test_what_is_kept_is_its_owners_alone_and_comes_back(tmp_path: Path):
    path = tmp_path / "one.json"
    key = ProofKey.new()
    tokens = Tokens("ASIAX", "s", "t", 1_750_000_000.0, "ASORx")
    document = credentials._keep(path, key, tokens)
    assert document == {
        "Version": 1,
        "AccessKeyId": "ASIAX",
        "SecretAccessKey": "s",
        "SessionToken": "t",
        "Expiration": "2025-06-15T15:06:40Z",
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = credentials._kept(path)
    assert kept is not None
    assert kept[1] == tokens
    assert kept[0].pem() == key.pem()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key":"x","tokens":{}}', '{"key":5}'])
def test_a_file_that_is_no_session_is_none(tmp_path: Path, text: str):
    path = tmp_path / "one.json"
    path.write_text(text, encoding="utf-8")
    assert credentials._kept(path) is None
