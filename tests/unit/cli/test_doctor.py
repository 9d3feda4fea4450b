"""``garrison doctor`` and ``status``: each finding both ways."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from garrison.cli import doctor
from garrison.config import load_settings
from tests.support.inprocess import InProcess

HEALTH = {"status": "running", "version": "1.2.3", "edition": "garrison", "services": {"iam": "available", "kms": "available"}}


class Stand:
    """A server that answers whatever a test wants."""

    def __init__(self) -> None:
        self.body = json.dumps(HEALTH)
        self.date: str | None = None
        stand = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response_only(200)
                if stand.date:
                    self.send_header("Date", stand.date)
                self.end_headers()
                self.wfile.write(stand.body.encode())

            def log_message(self, *_: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def stand() -> Iterator[Stand]:
    made = Stand()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_status_says_what_answers(stand: Stand, one: InProcess, garrison: Any, data_dir: Path):
    done = garrison("status", "--port", str(stand.port))
    assert done.output.splitlines() == [
        f"running   http://127.0.0.1:{stand.port}  version 1.2.3",
        "services  iam, kms",
        f"state     {data_dir}",
    ]


@pytest.mark.parametrize("body", ["{}", "[]", "not json", '{"status": "running", "edition": "community"}'])
def test_another_server_is_not_taken_for_this_one(stand: Stand, garrison: Any, body: str):
    stand.body = body
    done = garrison("status", "--port", str(stand.port))
    assert done.exit_code == 1
    assert done.stderr.startswith(f"garrison: nothing of Garrison's answers on http://127.0.0.1:{stand.port}")


def test_a_proxy_of_the_environment_is_not_asked(stand: Stand, garrison: Any, monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert garrison("status", "--port", str(stand.port)).exit_code == 0


def test_a_password_in_the_store_is_not_shown():
    def place(store: str) -> str:
        return doctor._place(load_settings({"store": store}, {"GARRISON_CONFIG": ""}))

    assert place("postgresql://user:p@ss@db.example.com/state") == "postgresql://db.example.com/state"
    assert place("postgresql:///state?password=hush&host=/run") == "postgresql:///state"


def test_the_server_is_found_or_not(stand: Stand, garrison: Any):
    settings = load_settings({}, {"GARRISON_CONFIG": ""})
    here = f"http://127.0.0.1:{stand.port}"
    (good,) = doctor._server(settings, here)
    assert good == (True, f"server: answers on {here}", "")
    stand.body = "{}"
    (other,) = doctor._server(settings, here)
    assert (other.good, other.remedy) == (
        False,
        "Another program has the port, or another certificate: choose a port with --port.",
    )
    (nothing,) = doctor._server(settings, "http://127.0.0.1:9")
    assert (nothing.good, nothing.remedy) == (False, "Start it: `garrison serve`.")


def test_the_clock_is_right_or_not(stand: Stand):
    assert doctor._clock(1000.0, 1059.0).good
    assert not doctor._clock(1000.0, 1060.0).good
    assert not doctor._clock(1060.0, 1000.0).good
    stand.date = "Wed, 21 Oct 2015 07:28:00 GMT"
    _, clock = doctor._server(load_settings({}, {"GARRISON_CONFIG": ""}), f"http://127.0.0.1:{stand.port}")
    assert not clock.good
    assert "Set the clock" in clock.remedy


@pytest.mark.parametrize(
    ("mode", "forbidden", "good"),
    [(0o600, 0o177, True), (0o400, 0o177, True), (0o640, 0o177, False), (0o601, 0o177, False), (0o700, 0o077, True), (0o750, 0o077, False)],
)  # fmt: skip
def test_modes(tmp_path: Path, mode: int, forbidden: int, *, good: bool):
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    finding = doctor._mode(path, forbidden, "chmod 600")
    assert finding.good is good
    assert f"mode {mode:04o}, owner {os.geteuid()}" in finding.what
    assert finding.remedy == f"Run `chmod 600 {path}`."


def test_a_file_that_is_not_there(tmp_path: Path):
    finding = doctor._mode(tmp_path / "none", 0o177, "chmod 600")
    assert not finding.good
    assert "No such file" in finding.what


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://localhost:4566", "http://127.0.0.1:4566", True),
        ("http://[::1]:4566", "http://127.0.0.1:4566", True),
        ("http://127.0.0.1:4567", "http://127.0.0.1:4566", False),
        ("https://127.0.0.1:4566", "http://127.0.0.1:4566", False),
        ("https://sts.amazonaws.com", "https://127.0.0.1:4566", False),
        ("https://box:1", "https://box:1", True),
    ],
)
def test_what_is_one_server(one: str, other: str, *, same: bool):
    assert doctor._same(one, other) is same


def test_nothing_is_signed_for_another_server(home: Path, monkeypatch: pytest.MonkeyPatch):
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text("[profile garrison]\nregion = us-east-1\n", encoding="utf-8")
    (home / ".aws" / "credentials").write_text("[garrison]\naws_access_key_id = a\naws_secret_access_key = b\n", encoding="utf-8")
    findings = list(doctor._client("http://127.0.0.1:4566", "garrison"))
    assert [(finding.good, finding.remedy) for finding in findings] == [(False, "Run `garrison init`.")]
    assert "amazonaws.com" in findings[0].what


def test_a_profile_that_is_not_there_and_variables_that_overrule_it(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    overrules, missing = doctor._client("http://127.0.0.1:4566", "garrison")
    assert (overrules.good, "AWS_ENDPOINT_URL is set" in overrules.what) == (True, True)
    assert (missing.good, missing.remedy) == (False, "Run `garrison init`.")
