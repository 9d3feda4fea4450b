"""Wrong guesses: counted, locked, forgotten. Bound: NIST SP 800-63B-4, section 3.2.2 (100 consecutive failures)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from garrison.identity import attempts
from garrison.identity.attempts import ADDRESS, CODE, PASSWORD, Rule, Subject
from garrison.keys.keyring import Keyring
from garrison.store import Store, open_store

SEALER = Keyring(bytes(32))
NOW = 1_700_000_000.0


@pytest.fixture
def store() -> Iterator[Store]:
    found = open_store("", sealer=SEALER, memory=True)
    yield found
    found.close()


def fail(store: Store, now: float, *subjects: Subject) -> None:
    with store.writing() as tx:
        attempts.failed(tx, now, *subjects)


def locked(store: Store, now: float, *subjects: Subject) -> float:
    return attempts.wait(store.reading(), now, *subjects)


def test_the_lock_comes_after_the_free_guesses_and_doubles(store: Store):
    one = attempts.about(SEALER, Rule(free=3, first=60, longest=200, forgotten_after=1000), "x")
    seen = []
    for _ in range(6):
        fail(store, NOW, one)
        seen.append(locked(store, NOW, one))
    assert seen == [0, 0, 60, 120, 200, 200]
    assert locked(store, NOW + 199, one) == 1
    assert locked(store, NOW + 200, one) == 0


def test_one_subject_is_not_another(store: Store):
    rule = Rule(free=1, first=60, longest=60, forgotten_after=1000)
    one, other = attempts.about(SEALER, rule, "a", "b"), attempts.about(SEALER, rule, "a,b")
    fail(store, NOW, one)
    assert (locked(store, NOW, one), locked(store, NOW, other), locked(store, NOW, other, one)) == (60, 0, 60)


def test_a_success_clears_it(store: Store):
    one = attempts.about(SEALER, Rule(free=1, first=60, longest=60, forgotten_after=1000), "x")
    fail(store, NOW, one)
    with store.writing() as tx:
        attempts.cleared(tx, one)
    assert locked(store, NOW, one) == 0
    assert store.reading().all("SELECT * FROM identity_attempt") == []


def test_time_clears_it_and_nothing_is_left(store: Store):
    rule = Rule(free=2, first=60, longest=60, forgotten_after=1000)
    one, other = attempts.about(SEALER, rule, "x"), attempts.about(SEALER, rule, "y")
    fail(store, NOW, one)
    fail(store, NOW + 999, one)
    assert locked(store, NOW + 999, one) == 60
    fail(store, NOW + 3000, other)
    assert len(store.reading().all("SELECT * FROM identity_attempt")) == 1
    fail(store, NOW + 3000, one)
    assert locked(store, NOW + 3000, one) == 0


@pytest.mark.parametrize("rule", [PASSWORD, CODE])
def test_fewer_than_a_hundred_guesses_in_a_row_before_the_longest_lock(store: Store, rule: Rule):
    one = attempts.about(SEALER, rule, "x")
    now, guesses = NOW, 0
    while now < NOW + 86_400:
        fail(store, now, one)
        guesses += 1
        now += max(locked(store, now, one), 0.01)
    assert guesses <= 115
    assert locked(store, now - 0.001, one) <= rule.longest


def test_a_name_is_kept_as_a_keyed_hash(store: Store):
    fail(store, NOW, attempts.about(SEALER, PASSWORD, "my password typed as a name"))
    ((subject,),) = store.reading().all("SELECT subject FROM identity_attempt")
    assert "password" not in subject
    assert subject != attempts.about(Keyring(bytes([1] * 32)), PASSWORD, "my password typed as a name").key


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("", "", True),
        ("unix", "", False),
    ],
)
def test_an_address(one: str, other: str, same: bool):
    assert (attempts.from_address(SEALER, one) == attempts.from_address(SEALER, other)) is same
    assert attempts.from_address(SEALER, one).rule is ADDRESS
