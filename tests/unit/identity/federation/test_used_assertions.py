"""Assertions are taken once, on either database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from garrison.api import sts as api
from garrison.identity.federation.providers import SamlProvider
from garrison.identity.federation.saml import Assertion
from garrison.identity.federation.used_assertions import MARGIN, use_up
from garrison.keys.keyring import Keyring
from garrison.store import Store, open_store
from tests.support import postgres

PROVIDER = SamlProvider("111122223333", "corp", "SAMLONE", "", "https://idp.example.com", (), 1e12, None, 0.0)
ASSERTION = Assertion("_one", "https://idp.example.com", "someone", "persistent", "", 1000.0, None, {})


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    sealer = Keyring.ephemeral()
    if request.param == "sqlite":
        made = open_store("", sealer=sealer, memory=True)
    else:
        cluster: postgres.Cluster = request.getfixturevalue("cluster")
        made = open_store(cluster.database(), sealer=sealer, data_dir=tmp_path)
    yield made
    made.close()


def take(store: Store, provider: SamlProvider = PROVIDER, assertion: Assertion = ASSERTION, now: float = 900.0) -> bool:
    try:
        with store.writing() as tx:
            use_up(tx, provider, assertion, now)
    except api.InvalidIdentityTokenException:
        return False
    store.commit()
    return True


def test_once(store: Store):
    assert take(store)
    assert not take(store)
    assert not take(store, now=999.0)


def test_a_unit_of_work_that_fails_uses_nothing_up(store: Store):
    class FailedError(Exception):
        pass

    def failing() -> None:
        with store.writing() as tx:
            use_up(tx, PROVIDER, ASSERTION, 900.0)
            raise FailedError

    with pytest.raises(FailedError):
        failing()
    assert take(store)


def test_other_providers_have_ids_of_their_own(store: Store):
    assert take(store)
    assert take(store, PROVIDER._replace(uuid="SAMLTWO"))
    assert take(store, PROVIDER._replace(account="444455556666"))


def test_it_is_forgotten_long_after_it_is_too_old(store: Store):
    assert take(store)
    assert not take(store, now=1000.0 + MARGIN - 1)
    assert take(store, now=1000.0 + MARGIN)
