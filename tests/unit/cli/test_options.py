"""Finding the state and the server, and saying plainly when they are not there."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from garrison.cli.options import authority_of, endpoint_of
from garrison.config import load_settings
from tests.support.inprocess import InProcess


def settings(data_dir: Path, **given: Any) -> Any:
    return load_settings({"data_dir": str(data_dir), **given}, {"GARRISON_CONFIG": ""})


def note(data_dir: Path, text: str) -> None:
    data_dir.mkdir(exist_ok=True)
    (data_dir / "endpoint.json").write_text(text, encoding="utf-8")


def test_the_server_says_where_it_is_and_options_overrule_it(home: Path, data_dir: Path):
    note(data_dir, json.dumps({"endpoint": "https://127.0.0.1:1"}))
    assert endpoint_of(settings(data_dir), {}) == "https://127.0.0.1:1"
    assert endpoint_of(settings(data_dir), {"port": None, "store": "x"}) == "https://127.0.0.1:1"
    assert endpoint_of(settings(data_dir, port="2"), {"port": "2"}) == "http://127.0.0.1:2"
    assert endpoint_of(settings(data_dir, tls=True), {"tls": True}) == "https://127.0.0.1:4566"
    assert endpoint_of(settings(data_dir, host="::1"), {"host": "::1"}) == "http://[::1]:4566"


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "\x00"])
def test_a_note_that_cannot_be_read_is_no_note(home: Path, data_dir: Path, text: str):
    note(data_dir, text)
    assert endpoint_of(settings(data_dir), {}) == "http://127.0.0.1:4566"


def test_only_our_own_authority_is_named(home: Path, data_dir: Path):
    (data_dir / "tls").mkdir(parents=True)
    own = data_dir / "tls" / "ca.pem"
    assert authority_of(settings(data_dir), "https://127.0.0.1:1") is None
    own.touch()
    assert authority_of(settings(data_dir), "https://127.0.0.1:1") == own
    assert authority_of(settings(data_dir), "http://127.0.0.1:1") is None
    assert authority_of(settings(data_dir, tls_cert="c", tls_key="k"), "https://127.0.0.1:1") is None


def test_no_state_is_said_and_none_is_made(garrison: Any, data_dir: Path):
    done = garrison("account", "list")
    assert (done.exit_code, done.stderr) == (
        1,
        f"garrison: there is no state in {data_dir}: has `garrison serve` been started?\n",
    )
    assert not data_dir.exists()
    assert not data_dir.with_name("data.root-key").exists()


def test_a_missing_root_key_is_said_and_none_is_made(one: InProcess, garrison: Any, data_dir: Path):
    key = data_dir.with_name("data.root-key")
    key.rename(key.with_suffix(".away"))
    done = garrison("account", "list")
    assert done.exit_code == 1
    assert f"the root key `{key}` is missing" in done.stderr
    assert not key.exists()


def test_another_root_key_is_said(one: InProcess, garrison: Any, data_dir: Path):
    data_dir.with_name("data.root-key").write_bytes(bytes(32))
    done = garrison("account", "list")
    assert (done.exit_code, done.stderr) == (1, "garrison: the state was written under another root key\n")


def test_a_database_that_is_none_is_said(one: InProcess, garrison: Any, data_dir: Path):
    one.close = lambda: None  # type: ignore[method-assign] # its database is about to be lost
    (data_dir / "garrison.db").write_bytes(b"not a database" * 100)
    for name in ("garrison.db-wal", "garrison.db-shm"):
        (data_dir / name).unlink(missing_ok=True)
    done = garrison("account", "list")
    assert done.exit_code == 1
    assert done.stderr.startswith("garrison: ")
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_a_wrong_setting_is_a_usage_error(garrison: Any):
    done = garrison("account", "list", "--store", "mysql://x")
    assert (done.exit_code, done.stderr) == (2, "garrison: store is no postgresql:// URL\n")


def test_memory_is_out_of_reach(garrison: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GARRISON_DEV", "1")
    done = garrison("account", "list")
    assert done.exit_code == 2
    assert "in the server's memory" in done.stderr


def test_commands_at_one_time_have_numbers_of_their_own(home: Path, data_dir: Path, one: InProcess, garrison: Any):
    from garrison import app  # noqa: PLC0415 - as the command does
    from garrison.cli.options import tool_slot  # noqa: PLC0415 - the same

    with tool_slot(data_dir, app.TOOL_SLOTS) as first, tool_slot(data_dir, app.TOOL_SLOTS) as second:
        assert (first, second) == (app.TOOL_SLOTS[0], app.TOOL_SLOTS[1])
        with pytest.raises(SystemExit), tool_slot(data_dir, range(first, second + 1)):
            pytest.fail("there is no number left")
    assert one.iam("ListUsers").status == 200


def test_accounts(one: InProcess, garrison: Any, data_dir: Path):
    made = json.loads(garrison("account", "create", "staging", "--id", "111122223333").stdout)
    assert made["account"] == "111122223333"
    assert f"{one.account}  garrison" in garrison("account", "list").stdout
    assert "111122223333  staging" in garrison("account", "list").stdout
    again = garrison("account", "create", "staging", "--id", "111122223333")
    assert (again.exit_code, again.stderr) == (1, "garrison: account 111122223333 exists already\n")
    for number in ("1", "1111222233334", "١١١١٢٢٢٢٣٣٣٣"):
        assert garrison("account", "create", "x", "--id", number).exit_code == 2
    for name in ("", "x" * 51, "two\nlines"):
        assert garrison("account", "create", name).exit_code == 2
    with sqlite3.connect(data_dir / "garrison.db") as database:
        sealed = [row[0] for row in database.execute("SELECT secret FROM iam_access_key")]
    database.close()
    assert all(made["admin"]["secret_access_key"].encode() not in bytes(blob) for blob in sealed)
    assert garrison("audit", "verify").exit_code == 0
