"""Stores on both engines, and what they need."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
def migrated(cluster: postgres.Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database with every migration applied, to be copied: a tenth of the time that applying them takes."""
    url = cluster.database()
    open_store(url, sealer=TestSealer(), data_dir=tmp_path_factory.mktemp("template")).close()
    return url.partition("?")[0].rpartition("/")[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("cluster").database(request.getfixturevalue("migrated"))
    here = Place(request.param, tmp_path / "data", url)
    yield here
    here.close()


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()
