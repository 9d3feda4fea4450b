"""A database that cannot take a write says so, and keeps nothing of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pytest

from garrison.core.errors import CommonError
from garrison.store import StoreUnavailable, open_store, postgres, sqlite
from tests.support.stores import Place, TestSealer

INSERT = "INSERT INTO account (id, name, created_at) VALUES (?, ?, 1)"


def test_a_full_disk(tmp_path_factory: pytest.TempPathFactory):
    place = Place("sqlite", tmp_path_factory.mktemp("data"), None)
    store = place.open()
    with store.writing() as tx:
        tx.run(INSERT, "before", "x")
    store.commit()
    pages = store._engine.one("PRAGMA page_count", ())
    assert pages is not None
    store._engine.one(f"PRAGMA max_page_count = {pages[0] + 3}", ())

    def fill() -> None:
        with store.writing() as tx:
            tx.run(INSERT, "small", "x")
            tx.run(INSERT, "large", "x" * 100_000)

    with pytest.raises(StoreUnavailable, match="full"):
        fill()
    with pytest.raises(StoreUnavailable), store.writing() as tx:
        tx.run(INSERT, "same tick", "x")
    with pytest.raises(StoreUnavailable):
        store.commit()
    assert store.reading().all("SELECT id FROM account") == [("before",)]
    with store.writing() as tx:
        tx.run(INSERT, "after", "x")
    store.commit()
    assert store.reading().all("SELECT id FROM account ORDER BY id") == [("after",), ("before",)]
    place.close()


def test_a_read_only_database(place: Place):
    store = place.open()
    store._engine.run("PRAGMA query_only = ON" if place.url is None else "SET default_transaction_read_only = on", ())
    with pytest.raises(StoreUnavailable), store.writing() as tx:
        tx.run(INSERT, "a", "x")
    store.rollback()
    assert store.reading().all("SELECT id FROM account") == []


def test_a_server_that_is_gone_and_comes_back(shared: str, tmp_path: Path):
    store = open_store(shared, sealer=TestSealer(), data_dir=tmp_path)
    process = store.reading().one("SELECT pg_backend_pid()")
    with psycopg.connect(shared, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", process)
    with pytest.raises(StoreUnavailable):
        store.reading().one("SELECT 1")
    assert store.reading().one("SELECT 1") == (1,)
    with store.writing() as tx:
        tx.run(INSERT, "a", "x")
    store.commit()
    assert store.reading().all("SELECT id FROM account") == [("a",)]
    store.close()


def test_a_server_that_never_was(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("none")
    with pytest.raises(StoreUnavailable):
        Place("postgresql", folder, f"postgresql:///x?host={folder}").open()
    (folder / "garrison.db").mkdir()
    with pytest.raises(StoreUnavailable):
        Place("sqlite", folder, None).open()


def test_a_null_character_is_the_callers_fault_on_postgresql(shared: str, tmp_path: Path):
    store = open_store(shared, sealer=TestSealer(), data_dir=tmp_path)
    with pytest.raises(CommonError) as caught, store.writing() as tx:
        tx.run(INSERT, "a", "x\0y")
    assert caught.value.kind == "validation"
    store.close()


@pytest.mark.parametrize(
    ("name", "unavailable"),
    [
        ("SQLITE_BUSY", True),
        ("SQLITE_BUSY_SNAPSHOT", True),
        ("SQLITE_FULL", True),
        ("SQLITE_IOERR_FSYNC", True),
        ("SQLITE_READONLY_DBMOVED", True),
        ("SQLITE_CORRUPT", True),
        ("SQLITE_CANTOPEN", True),
        ("SQLITE_ERROR", False),
        ("SQLITE_MISUSE", False),
        ("SQLITE_RANGE", False),
    ],
)
def test_what_sqlite_says(name: str, *, unavailable: bool):
    error = sqlite3.OperationalError("x")
    error.sqlite_errorcode = getattr(sqlite3, name)
    assert isinstance(sqlite.translated(error), StoreUnavailable) is unavailable


@pytest.mark.parametrize(
    ("error", "unavailable"),
    [
        (psycopg.errors.LockNotAvailable(), True),
        (psycopg.errors.DiskFull(), True),
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.errors.ReadOnlySqlTransaction(), True),
        (psycopg.errors.DeadlockDetected(), True),
        (psycopg.OperationalError("gone"), True),
        (psycopg.errors.SyntaxError(), False),
        (psycopg.errors.UndefinedTable(), False),
        (psycopg.errors.InFailedSqlTransaction(), False),
    ],
)
def test_what_postgresql_says(error: psycopg.Error, *, unavailable: bool):
    assert isinstance(postgres.translated(error), StoreUnavailable) is unavailable
