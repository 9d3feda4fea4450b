"""Stores on both engines, and what they need."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from garrison.store import Store, open_store
from tests.support import postgres


class TestSealer:
    """A sealer as ``core.ports`` describes it, under a root key of its own."""

    __test__ = False

    def __init__(self, root: bytes = bytes(32)) -> None:
        self._root = root

    def seal(self, purpose: str, plaintext: bytes, associated: bytes = b"") -> bytes:
        nonce = secrets.token_bytes(12)
        return b"\x01" + nonce + self._cipher(purpose).encrypt(nonce, plaintext, associated)

    def sealed_now(self, purpose: str, blob: bytes, associated: bytes = b"") -> bool:
        self.unseal(purpose, blob, associated)
        return True

    def follow(self, record: bytes) -> None:
        raise AssertionError(record)

    def unseal(self, purpose: str, blob: bytes, associated: bytes = b"") -> bytes:
        try:
            return self._cipher(purpose).decrypt(blob[1:13], blob[13:], associated)
        except (InvalidTag, ValueError) as error:
            msg = "not sealed by this key"
            raise ValueError(msg) from error

    def mac(self, purpose: str, message: bytes) -> bytes:
        return hmac.digest(self._key(purpose), message, "sha256")

    def _key(self, purpose: str) -> bytes:
        return hmac.digest(self._root, purpose.encode(), "sha256")

    def _cipher(self, purpose: str) -> AESGCM:
        return AESGCM(self._key("seal " + purpose))


class Place:
    """Where one test's state lies: opened as often as the test likes, by as many workers."""

    def __init__(self, engine: str, data_dir: Path, url: str | None) -> None:
        self.engine = engine
        self.data_dir = data_dir
        self.url = url
        self.sealer = TestSealer()
        self._opened: list[Store] = []

    def open(self, slot: int = 0, **options: Any) -> Store:
        options.setdefault("sealer", self.sealer)
        store = open_store(self.url or self.data_dir, slot=slot, data_dir=self.data_dir, **options)
        self._opened.append(store)
        return store

    def close(self) -> None:
        for store in self._opened:
            store.close()


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.Cluster(postgres.require()) as running:
        yield running


@pytest.fixture(scope="session")
def migrated(cluster: postgres.Cluster) -> str:
    """The URL of the one database that tests share: migrated by the first, emptied before each."""
    return cluster.database()


def emptied(url: str) -> str:
    """The same URL, no row left in any table but what says which migrations were applied, numbers from 1 again."""
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'migration'")
        numbers = "SELECT table_name, column_name FROM information_schema.columns WHERE is_identity = 'YES'"
        script = [f'DELETE FROM "{table}"' for (table,) in tables.fetchall()]  # noqa: S608 - the database's own names
        script += [f'ALTER TABLE "{table}" ALTER "{column}" RESTART' for table, column in connection.execute(numbers.encode())]
        # No order among the tables to keep.
        connection.execute("; ".join(["BEGIN", "SET LOCAL session_replication_role = replica", *script, "COMMIT"]).encode())
    return url


@pytest.fixture
def shared(migrated: str) -> str:
    """The shared database, emptied."""
    return emptied(migrated)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """For tests that add and change rows."""
    url = request.getfixturevalue("shared") if request.param == "postgresql" else None
    here = Place(request.param, tmp_path / "data", url)
    yield here
    here.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """For tests that change tables."""
    url = request.getfixturevalue("cluster").database() if request.param == "postgresql" else None
    here = Place(request.param, tmp_path / "data", url)
    yield here
    here.close()


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()
