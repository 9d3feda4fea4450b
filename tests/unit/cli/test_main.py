"""What the first start says, and what it never says again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from garrison.app import FirstCredentials
from garrison.cli.main import _announce
from garrison.config import load_settings

FOUND = FirstCredentials("123456789012", ("AKIAROOT", "rootsecret"), ("AKIAADMIN", "adminsecret"), new=True)


def said(capsys: pytest.CaptureFixture[str], found: FirstCredentials, *, authority: Path | None = None, **given: Any) -> str:
    listener: Any = SimpleNamespace(endpoint="http://127.0.0.1:4566", authority=authority)
    _announce(load_settings(given, {"GARRISON_CONFIG": ""}), listener, found)
    return capsys.readouterr().out


def test_the_first_start_says_all_that_is_needed(capsys: pytest.CaptureFixture[str]):
    out = said(capsys, FOUND)
    for text in (
        "http://127.0.0.1:4566",
        "123456789012",
        "AKIAADMIN",
        "adminsecret",
        "console sign-in",
        "Enforced on every call",
        "garrison init",
    ):
        assert text in out
    assert "rootsecret" not in out


def test_later_starts_say_where_and_no_secret(capsys: pytest.CaptureFixture[str]):
    out = said(capsys, FirstCredentials(FOUND.account, FOUND.root_key, FOUND.admin_key))
    assert out.splitlines()[0].endswith("listens on http://127.0.0.1:4566 for account 123456789012")
    assert "secret" not in out


def test_in_memory_there_is_no_profile_to_write(capsys: pytest.CaptureFixture[str]):
    out = said(capsys, FOUND, dev=True)
    assert "in memory" in out
    assert "garrison init" not in out
    assert "--credentials-file" in out


def test_the_authority_to_trust_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert str(tmp_path / "ca.pem") in said(capsys, FOUND, authority=tmp_path / "ca.pem")


def test_every_command_has_its_help(garrison: Any):
    out = garrison("--help").output
    for name in ("account", "audit", "backup", "doctor", "explain", "export", "import", "init", "restore", "serve", "status"):
        assert f"  {name}" in out
        assert garrison(name, "--help").exit_code == 0


def test_help_needs_no_rooms():
    program = "import sys\nfrom garrison.cli import cli\nprint([name for name in ('garrison.app', 'botocore', 'cryptography', 'structlog') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_start_loads_nothing_that_only_some_calls_need():
    heavy = ["webauthn", "OpenSSL", "jinja2", "segno", "joserfc", "signxml", "Crypto", "psycopg", "garrison.edge.inspect.detect"]
    program = f"import sys\nimport garrison.serve\nprint([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_serve_refuses_it_says_plainly(garrison: Any, tmp_path: Path, data_dir: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = garrison("serve", "--port", str(port))
    assert (done.exit_code, done.stderr) == (1, f"garrison: cannot listen on 127.0.0.1:{port}: Address already in use\n")
    assert not data_dir.exists()
    done = garrison("serve", "--port", "0", "--host", "no.such.host.invalid", "--tls")
    assert done.exit_code == 1
    assert done.stderr.startswith("garrison: cannot listen on no.such.host.invalid:0: ")
    done = garrison("serve", "--port", "0", "--credentials-file", str(tmp_path))
    assert (done.exit_code, done.stderr) == (1, f"garrison: the credentials file `{tmp_path}` cannot be written\n")
    done = garrison("serve", "--dev", "--workers", "2")
    assert (done.exit_code, done.stderr) == (2, "garrison: dev keeps state in memory: it has one worker\n")


def test_serve_ends_with_0_when_it_is_told_to(tmp_path: Path):
    line = [sys.executable, "-m", "garrison", "serve", "--dev", "--port", "0", "--credentials-file", str(tmp_path / "c.json")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GARRISON_")}
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    first = process.stdout.readline()
    assert "listens on http://127.0.0.1:" in first
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert [json.loads(one)["event"] for one in err.splitlines()] == ["serving from memory", "stopped"]
