"""The rooms put together: the first start, a worker's housekeeping, its end, and the reset."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from garrison import app
from garrison.config import ConfigError, load_settings
from garrison.core.http import Request
from garrison.keys.keyring import Keyring, RootKeyError
from garrison.store import Conflict, SchemaError, StoreUnavailable
from tests.support.inprocess import HOST, InProcess


@pytest.fixture
def one() -> Iterator[InProcess]:
    made = InProcess()
    yield made
    made.close()


def settings(data_dir: Path, **given: Any) -> Any:
    return load_settings({"data_dir": str(data_dir), **given}, {"GARRISON_CONFIG": ""})


def unavailable(*_: Any) -> None:
    reason = "disk full"
    raise StoreUnavailable(reason)


# The first start


def test_the_first_start_makes_what_later_ones_find(tmp_path: Path):
    state = app.open_state(settings(tmp_path / "data"), 0, first=True)
    first = app.first_start(state)
    assert first.new
    again = app.first_start(state)
    assert (again.account, again.root_key, again.admin_key, again.new) == (first.account, first.root_key, first.admin_key, False)
    state.close()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data.root-key").stat().st_mode) == 0o600


def test_an_account_is_on_record_with_its_first_items(one: InProcess):
    (event,) = one.events()
    assert (event["eventName"], event["eventSource"], event["eventType"]) == (
        "CreateAccount", "organizations.amazonaws.com", "AwsServiceEvent",
    )  # fmt: skip
    assert event["recipientAccountId"] == one.account
    items = one.state.store.reading().all("SELECT resource_type FROM config_item")
    assert {kind for (kind,) in items} >= {"AWS::IAM::User", "AWS::IAM::AccessKey"}


def test_an_account_that_exists_is_not_made_again(one: InProcess):
    with pytest.raises(Conflict):
        app.new_account(one.state, one.account, name="again")
    assert [event["eventName"] for event in one.events()] == ["CreateAccount"]


def test_a_root_key_is_made_only_for_a_first_start(tmp_path: Path):
    data = tmp_path / "data"
    with pytest.raises(ConfigError, match=r"root key .* is missing"):
        app.open_state(settings(data), 0)
    assert not (tmp_path / "data.root-key").exists()
    app.open_state(settings(data), 0, first=True).close()
    (tmp_path / "data.root-key").unlink()
    with pytest.raises(ConfigError, match=r"root key .* is missing"):
        app.open_state(settings(data), 0, first=True)
    assert not (tmp_path / "data.root-key").exists()


def test_state_on_a_database_server_keeps_a_new_root_key_away(tmp_path: Path, postgres_url: str):
    app.open_state(settings(tmp_path / "one", store=postgres_url), 0, first=True).close()
    other = settings(tmp_path / "two", store=postgres_url)
    with pytest.raises(ConfigError, match=r"root key .* is missing, and the state in the database"):
        app.open_state(other, 0, first=True)
    assert not other.root_key_file.exists()


def test_another_root_key_and_an_open_one_are_refused(tmp_path: Path):
    app.open_state(settings(tmp_path / "data"), 0, first=True).close()
    key = tmp_path / "data.root-key"
    key.write_bytes(bytes(32))
    with pytest.raises(SchemaError, match="another root key"):
        app.open_state(settings(tmp_path / "data"), 0, first=True)
    key.chmod(0o640)
    with pytest.raises(RootKeyError, match="mode 0600"):
        app.open_state(settings(tmp_path / "data"), 0, first=True)


def test_a_data_directory_that_cannot_be_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"data directory `.*file/data` cannot be used"):
        app.prepare_data_dir(settings(tmp_path / "file" / "data"))


def test_one_server_a_data_directory(tmp_path: Path):
    refused = pytest.raises(ConfigError, match="another `garrison serve` runs")
    with app.sole_server(tmp_path), refused, app.sole_server(tmp_path):
        pytest.fail("there are two")
    with app.sole_server(tmp_path, 1.0):
        assert stat.S_IMODE((tmp_path / "serving").stat().st_mode) == 0o600


def test_the_credentials_file_is_whole_and_the_owners_alone(tmp_path: Path):
    found = app.FirstCredentials("123456789012", ("AKIAROOT", "r"), ("AKIAADMIN", "a"))
    path = tmp_path / "credentials.json"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o644)
    app.write_credentials_file(path, "http://127.0.0.1:1", settings(tmp_path / "data", region="eu-west-1"), found)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "endpoint": "http://127.0.0.1:1",
        "region": "eu-west-1",
        "account": "123456789012",
        "root": {"access_key_id": "AKIAROOT", "secret_access_key": "r"},
        "admin": {"access_key_id": "AKIAADMIN", "secret_access_key": "a"},
    }
    assert [entry.name for entry in tmp_path.iterdir()] == ["credentials.json"]


def test_keys_that_are_gone_are_left_out(one: InProcess):
    one.iam("UpdateAccessKey", None, UserName="admin", AccessKeyId=one.admin.access_key_id, Status="Inactive")
    found = app.stored_credentials(one.state, one.account)
    assert found.admin_key == ("", "")
    assert found.root_key == (one.root.access_key_id, one.root.secret_access_key)


# Housekeeping


def last_use(one: InProcess) -> Any:
    return one.state.store.reading().one(
        "SELECT last_used_service FROM iam_access_key WHERE access_key_id = ?", one.admin.access_key_id
    )


def test_last_uses_are_written_once_a_second_and_not_lost_by_a_failure(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    one.iam("ListUsers")
    with monkeypatch.context() as patch:
        patch.setattr(one.state.store._engine, "begin", unavailable)
        with pytest.raises(StoreUnavailable):
            one.worker.tick()
    one.state.store.rollback()
    assert last_use(one) == (None,)
    one.worker.tick()
    assert last_use(one) == ("iam",)


def test_a_worker_ends_in_good_order(tmp_path: Path):
    one = InProcess(tmp_path / "data")
    one.iam("ListUsers")
    one.close()
    left = [path.name for path in (tmp_path / "data" / "audit").iterdir() if path.name != "ledger"]
    assert left == [], "spool and head are in the database"
    again = InProcess(tmp_path / "data", slot=1)
    assert last_use(again) == ("iam",)
    assert {event["eventName"] for event in again.events()} == {"CreateAccount", "ListUsers"}
    again.close()


def test_a_worker_closes_its_store_whatever_fails_before(monkeypatch: pytest.MonkeyPatch):
    one = InProcess()
    closed: list[str] = []
    monkeypatch.setattr(one.state.store, "close", lambda: closed.append("store"))

    def fails() -> None:
        closed.append("recorder")
        unavailable()

    monkeypatch.setattr(one.worker.recorder, "close", fails)
    monkeypatch.setattr(app.Worker, "tick", unavailable)
    with pytest.raises(StoreUnavailable):
        one.worker.close()
    assert closed == ["recorder", "store"]


def test_other_nodes_that_cannot_be_heard_stop_the_answers(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch):
    state = app.open_state(settings(tmp_path / "data", store=postgres_url), 0, first=True)
    app.first_start(state)
    worker = app.build_worker(state, 0)
    with monkeypatch.context() as patch:
        patch.setattr(state.store, "poll", unavailable)
        with pytest.raises(StoreUnavailable):
            worker.tick()
    deaf = [worker.gateway.deaf]
    worker.tick()
    assert [*deaf, worker.gateway.deaf] == [True, False]
    worker.close()


# Reset


def test_reset_is_back_at_the_first_start(one: InProcess):
    chain = one.worker.recorder.chain
    heard = len(one.state.store._subscribers._by_kind["audit"])
    key = one.new_user("gone", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    assert one.iam("ListUsers", key).status == 200
    for _ in range(3):
        app._reset(one.worker)
        assert [event["eventName"] for event in one.events()] == ["CreateAccount"], "what a first start has, and no more"
        assert one.iam("ListUsers", key).status == 403
        assert one.iam("CreateUser", None, UserName="gone").status == 200
    assert one.worker.recorder.chain != chain
    assert len(one.state.store._subscribers._by_kind["audit"]) == heard, "nothing heaps up"
    app._reset(one.worker)
    assert not one.worker.principals.has_unsaved_uses
    one.worker.tick()
    assert last_use(one) == (None,)


# Decisions


def decisions(one: InProcess, after: int) -> Any:
    asked = Request("GET", "/_garrison/decisions", f"after={after}", headers=[("host", HOST)])
    return json.loads(one.send(asked).body)


def test_decisions_are_told_with_their_story(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    mark = decisions(one, 10**17)["last"]
    key = one.new_user("ann", {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"})
    assert one.iam("ListUsers", key).status == 200
    assert one.iam("ListRoles", key).status == 403
    found = decisions(one, mark)
    assert [call["event"]["eventName"] for call in found["calls"]] == [event["eventName"] for event in one.events()[1:]]
    assert [call["decision"]["outcome"] for call in found["calls"][-2:]] == ["allowed", "implicitDeny"]
    assert "DENIED: nothing allows it, decided by identity-based policies" in found["calls"][-1]["story"]
    assert found["last"] == found["next"]
    assert decisions(one, found["last"]) == {"last": found["last"], "next": found["last"], "calls": []}
    monkeypatch.setattr(app, "DECISIONS", 2)
    page = decisions(one, mark)
    assert page["calls"] == found["calls"][:2]
    assert decisions(one, page["next"])["calls"] == found["calls"][2:4]


def test_decisions_hold_no_secret(one: InProcess):
    key = one.new_user("ann")
    assert key.secret_access_key not in json.dumps(decisions(one, 0))


def test_only_memory_is_reset(tmp_path: Path):
    reset = Request("POST", "/_garrison/reset", headers=[("host", HOST)])
    on_disk = InProcess(tmp_path / "data")
    assert on_disk.send(reset).status == 404
    on_disk.close()
    in_memory = InProcess()
    assert in_memory.send(reset).status == 200
    in_memory.close()


def test_memory_leaves_nothing_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    one = InProcess()
    one.iam("CreateUser", None, UserName="x")
    one.close()
    assert list(tmp_path.rglob("*")) == []
    assert isinstance(one.state.keyring, Keyring)
