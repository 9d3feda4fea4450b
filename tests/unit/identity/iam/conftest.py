"""An account for each test, on SQLite and on PostgreSQL: every statement of IAM is to mean the same on both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from garrison.keys.keyring import Keyring
from garrison.store import Store, open_store
from tests.support import postgres
from tests.support.iam import Cloud

_SEALER = Keyring.ephemeral()


@pytest.fixture(scope="session")
def postgres_store(cluster: postgres.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One database for all tests, emptied after each: making one takes longer than a test."""
    store = open_store(cluster.database(), sealer=_SEALER, data_dir=tmp_path_factory.mktemp("iam"))
    yield store
    store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    if request.param == "sqlite":
        made = Cloud()
        yield made
        made.store.close()
        return
    store: Store = request.getfixturevalue("postgres_store")
    yield Cloud(store=store, sealer=_SEALER)
    with store.writing() as tx:
        for (table,) in tx.all(
            "SELECT tablename FROM pg_tables WHERE tablename LIKE 'i%' OR tablename IN ('account', 'audit_event')"
        ):
            tx.run(f"DELETE FROM {table}")  # noqa: S608 - the names of our own tables
    store.commit()
