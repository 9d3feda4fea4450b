"""Backup, restore, export and import, from either engine to either engine."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from garrison.store import SchemaError, Store, open_store
from tests.support.postgres import Cluster
from tests.support.stores import Place, TestSealer, emptied

INSERT = "INSERT INTO account (id, name, created_at) VALUES (?, ?, ?)"
HEAD = "INSERT INTO audit_head (chain, seq, hash, state, mac) VALUES ('c', 1, ?, 0, ?)"
EVENT = (
    "INSERT INTO audit_event (chain, seq, hash, event_time, event_id, request_id, event_source, event_name, account, region, "
    "user_name, access_key_id, read_only, error_code, record, decision) "
    "VALUES ('c', ?, ?, 1, 'e', 'r', 's', 'n', 'a', 'g', 'u', 'k', 0, '', '{}', 'null')"
)


def fill(store: Store) -> None:
    with store.writing() as tx:
        tx.many(INSERT, [(str(number), f"n\u00e4me \u2028 {number}", number / 3) for number in range(1200)])
        tx.run(HEAD, bytes(range(256)), b"")
        tx.run(EVENT, 1, b"\0\xff")
        tx.changed("account", "1")
    store.commit()


def content(store: Store) -> dict[str, list[tuple[object, ...]]]:
    reading = store.reading()
    return {
        table: [tuple(bytes(value) if isinstance(value, memoryview) else value for value in row) for row in reading.all(sql)]
        for table, sql in {
            "account": "SELECT * FROM account ORDER BY id",
            "audit_head": "SELECT * FROM audit_head ORDER BY chain",
            "audit_event": "SELECT * FROM audit_event ORDER BY id",
        }.items()
    }


@pytest.fixture(scope="module")
def second(cluster: Cluster) -> str:
    """A second database, for copies from PostgreSQL to PostgreSQL."""
    return cluster.database()


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request: pytest.FixtureRequest, tmp_path: Path):
    url = emptied(request.getfixturevalue("second")) if request.param == "postgresql" else None
    here = Place(request.param, tmp_path / "other", url)
    yield here
    here.close()


def test_an_export_is_taken_back_by_either_engine(place: Place, other: Place, tmp_path: Path):
    source, target = place.open(), other.open()
    fill(source)
    before = content(source)
    source.export(tmp_path / "state.jsonl")
    with target.writing() as tx:
        tx.run(INSERT, "old", "gone after the restore", 1.0)
    target.commit()
    target.restore(tmp_path / "state.jsonl")
    assert content(target) == before
    with target.writing() as tx:
        tx.run(EVENT, 2, b"")
    target.commit()
    rows = target.reading().all("SELECT id FROM audit_event ORDER BY id")
    assert rows[-1][0] > rows[0][0], "numbers go on after those that came with the file"


def test_a_backup_is_restored_and_every_cache_dropped(place: Place, tmp_path: Path):
    store, beside = place.open(0), place.open(1)
    heard: list[str | None] = []
    near: list[str | None] = []
    beside.on_change("account", heard.append)
    store.on_change("account", near.append)
    fill(store)
    before = content(store)
    beside.backup(tmp_path / "copy")
    for number in range(3):
        with store.writing() as tx:
            tx.run("DELETE FROM account WHERE id = ?", str(number))
            tx.changed("account", str(number))
        store.commit()
    beside.refresh()
    heard.clear()
    near.clear()
    store.restore(tmp_path / "copy")
    assert content(store) == before
    assert near[-1] is None
    beside.refresh()
    assert heard == [None]
    assert content(beside) == before
    with store.writing() as tx:
        tx.changed("account", "after")
    store.commit()
    beside.refresh()
    assert heard == [None, "after"], "changes after the restore are told although their numbers were used before"


def test_a_backup_of_a_running_store_holds_only_what_was_committed(place: Place, tmp_path: Path):
    store, beside = place.open(0), place.open(1)
    fill(store)
    before = content(store)
    with store.writing() as tx:
        tx.run(INSERT, "open", "not yet", 1.0)
    beside.backup(tmp_path / "copy")
    with pytest.raises(RuntimeError, match="a group is open"):
        store.backup(tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
    store.rollback()
    store.restore(tmp_path / "copy")
    assert content(store) == before


def test_copies_are_for_their_owner_only_and_whole_or_not_there(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = place.open()
    store.backup(tmp_path / "copy")
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600

    def fail(_: str) -> None:
        msg = "disk full"
        raise OSError(msg)

    monkeypatch.setattr(store._engine, "each", fail)
    with pytest.raises(OSError, match="disk full"):
        store.export(tmp_path / "state.jsonl")
    assert [path.name for path in tmp_path.iterdir() if "state" in path.name] == []


@pytest.mark.parametrize("damage", ["cut", "altered", "a line taken out", "no trailer", "not ours"])
def test_a_damaged_file_is_refused_before_anything_is_touched(place: Place, tmp_path: Path, damage: str):
    store = place.open()
    fill(store)
    before = content(store)
    path = tmp_path / "state.jsonl"
    store.export(path)
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = {
        "cut": b"".join(lines)[:-200],
        "altered": b"".join(lines).replace(b'me \xe2\x80\xa8 7"', b'me \xe2\x80\xa8 8"'),
        "a line taken out": b"".join([*lines[:20], *lines[21:]]),
        "no trailer": b"".join(lines[:-1]),
        "not ours": b"hello\n",
    }[damage]
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    with pytest.raises(SchemaError, match=r"not whole|not a state file"):
        store.restore(path)
    assert content(store) == before


def test_a_file_of_another_root_key_is_refused(place: Place, tmp_path: Path):
    store = place.open()
    for name, write in (("state.jsonl", Store.export), ("copy", Store.backup)):
        foreign = open_store(tmp_path / name, sealer=TestSealer(b"x" * 32))
        write(foreign, tmp_path / f"{name}.file")
        foreign.close()
        with pytest.raises(SchemaError, match=r"another root key|can only be restored into SQLite"):
            store.restore(tmp_path / f"{name}.file")


def test_a_damaged_database_file_is_refused(tmp_path: Path):
    store = open_store(tmp_path / "data", sealer=TestSealer())
    fill(store)
    before = content(store)
    store.backup(tmp_path / "copy")
    data = bytearray((tmp_path / "copy").read_bytes())
    for start in range(4096 * 3, len(data), 4096):
        data[start : start + 64] = b"\x5a" * 64
    (tmp_path / "copy").write_bytes(data)
    with pytest.raises(SchemaError, match=r"damaged|usable"):
        store.restore(tmp_path / "copy")
    assert content(store) == before
    store.close()


def test_postgresql_takes_no_sqlite_file(shared: str, tmp_path: Path):
    source = open_store(tmp_path / "data", sealer=TestSealer())
    source.backup(tmp_path / "copy")
    target = open_store(shared, sealer=TestSealer(), data_dir=tmp_path / "node")
    with pytest.raises(SchemaError, match="export it first"):
        target.restore(tmp_path / "copy")
    source.close()
    target.close()


def test_memory_goes_back_to_its_snapshot():
    store = open_store("", sealer=TestSealer(), memory=True)
    heard: list[str | None] = []
    store.on_change("account", heard.append)
    fill(store)
    before = content(store)
    store.snapshot()
    for turn in range(3):
        with store.writing() as tx:
            tx.run(INSERT, f"more{turn}", "more", 1.0)
            tx.run("DELETE FROM account WHERE id = '7'")
        store.commit()
        with store.writing() as tx:
            tx.run(INSERT, "open", "an open group is undone too", 1.0)
        store.reset()
        assert content(store) == before
        assert heard[-1] is None
        store.refresh()
    store.close()


def test_only_memory_has_snapshots(place: Place):
    with pytest.raises(RuntimeError, match="in memory"):
        place.open().snapshot()


def test_postgresql_needs_a_data_directory(shared: str):
    with pytest.raises(ValueError, match="needs a data directory"):
        open_store(shared, sealer=TestSealer())


def test_files_are_for_their_owner_only(tmp_path: Path):
    store = open_store(tmp_path / "data", sealer=TestSealer())
    fill(store)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    store.close()
