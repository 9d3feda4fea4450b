"""The root key changes while two nodes on one PostgreSQL work, and each uses at once what the other just made."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import boto
from tests.support.server import AccessKey, Server, ServerError


def root_key_of(server: Server) -> Path:
    """Where a node keeps the root key without a setting."""
    return server.data_dir.with_name(f"{server.data_dir.name}.root-key")


@pytest.fixture
def nodes(postgres_url: str, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """Two servers with data directories of their own, one database and the same root key."""
    one, two = (Server(tmp_path / name, store=postgres_url, workers=2) for name in ("one", "two"))
    one.start()
    two.directory.mkdir()
    shutil.copy(root_key_of(one), root_key_of(two))
    shutil.copy(one.credentials_file, two.credentials_file)
    two.start()
    yield one, two
    one.kill()
    two.kill()


class Pair:
    """Keys and users made on one node, and used on the other with the next request."""

    def __init__(self, here: Server, there: Server) -> None:
        self.here, self.there = here, there
        self.blobs: list[bytes] = []
        self.failures: list[str] = []
        self._over = threading.Event()
        self._made: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._guarded, args=(work,)) for work in (self._make, self._use)]
        for thread in self._threads:
            thread.start()

    def _guarded(self, work: Any) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure
            self.failures.append(f"{work.__name__} on {self.here.directory.name}: {error!r}")

    def _make(self) -> None:
        kms, iam = boto(self.here, "kms"), boto(self.here, "iam")
        try:
            while not self._over.wait(0.02):
                key = kms.create_key()["KeyMetadata"]["KeyId"]
                blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
                self.blobs.append(blob)
                self._made.put(blob)
                iam.list_users()
        finally:
            self._made.put(None)

    def _use(self) -> None:
        kms = boto(self.there, "kms")
        while (blob := self._made.get()) is not None:
            assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def test_two_nodes_work_on_while_the_root_key_changes(nodes: tuple[Server, Server]):
    one, two = nodes
    old = root_key_of(two).read_bytes()
    access = boto(one, "iam").create_access_key(UserName="admin")["AccessKey"]
    pairs = [Pair(one, two), Pair(two, one)]
    said = one.garrison("keys", "rewrap").stdout
    for pair in pairs:
        pair.end()
    assert "secrets sealed anew" in said
    assert [pair.failures for pair in pairs] == [[], []]
    assert all(len(pair.blobs) > 20 for pair in pairs)
    assert root_key_of(one).read_bytes() != old
    # What either made before and after opens on both, and secrets of access keys do.
    for node in nodes:
        kms = boto(node, "kms", AccessKey(access["AccessKeyId"], access["SecretAccessKey"]))
        for pair in pairs:
            for blob in (*pair.blobs[:5], *pair.blobs[-5:]):
                assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"

    for node in nodes:
        assert "failed inside" not in node.log(), node.log_tail()

    # A node starts again with the new root key alone.
    two.stop()
    with pytest.raises(ServerError, match="another root key"):
        two.start()
    shutil.copy(root_key_of(one), root_key_of(two))
    two.start()
    assert boto(two, "kms").decrypt(CiphertextBlob=pairs[0].blobs[0])["Plaintext"] == b"kept"
