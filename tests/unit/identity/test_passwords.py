"""Passwords: how they are kept, proven, changed and refused. Rules: IAM User Guide, "Setting an account password policy"; the
parameters of argon2id: RFC 9106, section 4."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from argon2 import extract_parameters

from garrison.api import iam as api
from garrison.core.errors import CommonError
from garrison.core.ids import system_random
from garrison.identity import attempts, passwords
from garrison.identity.passwords import DAY, Gate, Outcome, Rules, SignIn
from garrison.keys.keyring import Keyring
from garrison.store import Store, open_store
from tests.support.secrets import CHEAP, Calculations, cheap_passwords

assert cheap_passwords is not None  # a fixture

SEALER = Keyring(bytes(32))
ACCOUNT, BOB = "111122223333", "AIDABOB"
NOW = 1_700_000_000.0
ADDRESS = "192.0.2.1"
RIGHT = "Correct1horse"


@pytest.fixture
def store(cheap_passwords: None) -> Iterator[Store]:
    found = open_store("", sealer=SEALER, memory=True)
    with found.writing() as tx:
        tx.run("INSERT INTO account (id, name, email, created_at) VALUES (?, 'Garrison1x', 'Root1@example.com', 1)", ACCOUNT)
        tx.run("INSERT INTO iam_account (account, alias, created) VALUES (?, 'my-Alias1', 1)", ACCOUNT)
        tx.run(
            "INSERT INTO iam_user (account, user_id, name, name_folded, path, created) VALUES (?, ?, 'Bob', 'bob', '/', 1)",
            ACCOUNT,
            BOB,
        )
    found.commit()
    yield found
    found.close()


def set_password(
    store: Store, new: str, owner: str = BOB, now: float = NOW, *, old: str | None = None, **more: Any
) -> passwords.Login:
    change = passwords.look_up(store.reading(), SEALER, ACCOUNT, owner)
    made = passwords.make(change, new, system_random, old=old)
    with store.writing() as tx:
        return passwords.keep(tx, SEALER, change, made, now, **more)


def rule(store: Store, **given: int) -> None:
    columns = {
        "minimum_length": 6, "require_symbols": 0, "require_numbers": 0, "require_uppercase": 0, "require_lowercase": 0,
        "allow_users_to_change": 0, "max_age": 0, "reuse_prevention": 0, "hard_expiry": None, **given,
    }  # fmt: skip
    with store.writing() as tx:
        tx.run("DELETE FROM iam_password_policy")
        marks = ",".join("?" * len(columns))
        sql = f"INSERT INTO iam_password_policy (account, {', '.join(columns)}) VALUES (?, {marks})"  # noqa: S608 - constants
        tx.run(sql, ACCOUNT, *columns.values())


def sign_in(store: Store, password: str, now: float = NOW, *, name: str = "bob", address: str = ADDRESS) -> Outcome:
    return finish(store, passwords.user_signs_in(store.reading(), SEALER, ACCOUNT, name, address), password, now)


def finish(store: Store, who: SignIn, password: str, now: float = NOW) -> Outcome:
    right = passwords.prove(who, password)
    with store.writing() as tx:
        return passwords.conclude(tx, who, now, right=right)


# How they are kept


def test_the_cost_is_that_of_rfc_9106():
    kept = extract_parameters(passwords._NOBODY)
    assert (kept.type.name, kept.memory_cost, kept.time_cost, kept.parallelism) == ("ID", 65_536, 3, 4)
    assert (kept.salt_len, kept.hash_len, kept.version) == (16, 32, 19)
    hasher = passwords.HASHER
    assert (hasher.type.name, hasher.memory_cost, hasher.time_cost, hasher.parallelism) == ("ID", 65_536, 3, 4)
    assert (hasher.salt_len, hasher.hash_len) == (16, 32)


def test_a_password_is_kept_hashed_and_sealed_to_its_owner(store: Store):
    login = set_password(store, RIGHT)
    assert RIGHT.encode() not in login.hash
    assert b"argon2" not in login.hash
    assert SEALER.unseal("password", login.hash, f"{ACCOUNT}/{BOB}".encode()).startswith(b"$argon2id$v=19$m=8,t=1,p=1$")
    with pytest.raises(ValueError):
        SEALER.unseal("password", login.hash, f"{ACCOUNT}/{ACCOUNT}".encode())
    assert RIGHT not in repr(passwords.look_up(store.reading(), SEALER, ACCOUNT, BOB))
    assert "argon2" not in repr(passwords.user_signs_in(store.reading(), SEALER, ACCOUNT, "bob", ADDRESS))


def test_what_is_kept_is_what_the_library_itself_verifies(store: Store):
    login = set_password(store, RIGHT)
    kept = SEALER.unseal("password", login.hash, f"{ACCOUNT}/{BOB}".encode()).decode()
    assert CHEAP.verify(kept, RIGHT)


def test_two_owners_have_two_salts_and_one_owner_has_one(store: Store):
    def salts(owner: str) -> set[str]:
        return {each.split("$")[4] for each in passwords.look_up(store.reading(), SEALER, ACCOUNT, owner).kept}

    for number in range(4):
        set_password(store, f"{RIGHT}{number}")
        set_password(store, f"{RIGHT}{number}", ACCOUNT)
    assert len(salts(BOB)) == len(salts(ACCOUNT)) == 1
    assert salts(BOB) != salts(ACCOUNT)


# What an account asks


@pytest.mark.parametrize(
    ("password", "good"),
    [
        ("Abcdefg1", True),
        ("Abcdef1", False),
        ("abcdefgh1", False),
        ("ABCDEFGH1", False),
        ("abcdefg-1", True),
        ("ABCDEFG-1", True),
        ("Abcdefg-", True),
        ("12345678", False),
        ("Abcdefg§", False),
        ("Äbcdefg1", False),
        ("Garrison1X", False),
        ("ROOT1@EXAMPLE.COM", False),
        ("my-alias1", False),
        ("A1-" + "x" * 125, True),
    ],
)
def test_the_default_policy(store: Store, password: str, good: bool):
    rules = passwords.rules_of(store.reading(), ACCOUNT)
    assert passwords.root_rules(store.reading(), ACCOUNT) == rules
    if good:
        rules.check(password)
        return
    with pytest.raises(
        api.PasswordPolicyViolationException, match=r"^Password does not conform to the account password policy\.$"
    ):
        rules.check(password)


@pytest.mark.parametrize(
    ("asked", "bad", "good"),
    [
        ("minimum_length", "abcdefghijklm", "abcdefghijklmn"),
        ("require_symbols", "abcdefghijklmn", "abcdefghijklm!"),
        ("require_numbers", "abcdefghijklmn", "abcdefghijklm1"),
        ("require_uppercase", "abcdefghijklmn", "abcdefghijklmN"),
        ("require_lowercase", "ABCDEFGHIJKLMN", "ABCDEFGHIJKLMn"),
    ],
)
def test_an_own_policy(store: Store, asked: str, bad: str, good: str):
    rule(store, **{"minimum_length": 14, asked: 14 if asked == "minimum_length" else 1})
    rules = passwords.rules_of(store.reading(), ACCOUNT)
    rules.check(good)
    with pytest.raises(api.PasswordPolicyViolationException):
        rules.check(bad)


def test_an_accounts_policy_is_not_for_its_root_user(store: Store):
    rule(store, minimum_length=6, max_age=1, reuse_prevention=5)
    assert passwords.look_up(store.reading(), SEALER, ACCOUNT, ACCOUNT).rules == Rules(
        names=frozenset({"garrison1x", "root1@example.com", "my-alias1"})
    )
    login = set_password(store, RIGHT, ACCOUNT)
    assert not login.expired(passwords.rules_of(store.reading(), ACCOUNT), NOW + 10 * DAY)


# New passwords


def test_an_earlier_password_may_not_come_again(store: Store):
    rule(store, reuse_prevention=3)
    used = [f"{RIGHT}{number}" for number in range(5)]
    for password in used:
        set_password(store, password)
    for password in used[-3:]:
        with pytest.raises(api.PasswordPolicyViolationException, match="reuse prevention during password change"):
            set_password(store, password)
    set_password(store, used[1])


def test_twenty_four_earlier_ones_cost_one_calculation(store: Store, monkeypatch: pytest.MonkeyPatch):
    rule(store, reuse_prevention=24)
    for number in range(26):
        set_password(store, f"{RIGHT}{number}")
    calculations = Calculations(monkeypatch)
    with pytest.raises(api.PasswordPolicyViolationException):
        set_password(store, f"{RIGHT}2")
    assert calculations.taken() == 1
    set_password(store, f"{RIGHT}1")
    assert calculations.taken() == 2
    assert len(passwords.look_up(store.reading(), SEALER, ACCOUNT, BOB).kept) == 25


def test_passwords_of_other_parameters_are_known_too(store: Store, monkeypatch: pytest.MonkeyPatch):
    rule(store, reuse_prevention=5)
    set_password(store, RIGHT)
    dearer = type(CHEAP)(time_cost=2, memory_cost=16, parallelism=1, hash_len=32, salt_len=16)
    monkeypatch.setattr(passwords, "HASHER", dearer)
    assert sign_in(store, RIGHT).accepted
    set_password(store, f"{RIGHT}2")
    with pytest.raises(api.PasswordPolicyViolationException):
        set_password(store, RIGHT)


def test_a_change_takes_the_old_password(store: Store):
    set_password(store, RIGHT)
    change = passwords.look_up(store.reading(), SEALER, ACCOUNT, BOB)
    assert not passwords.make(change, "Another1horse", system_random, old="Wrong1horse").old_right
    assert passwords.make(change, RIGHT, system_random, old=RIGHT).reused, "the same again is no change"
    set_password(store, "Another1horse", old=RIGHT)
    assert sign_in(store, "Another1horse").accepted
    assert not sign_in(store, RIGHT).accepted


def test_what_is_not_calculated_is_never_kept(store: Store):
    set_password(store, RIGHT)
    change = passwords.look_up(store.reading(), SEALER, ACCOUNT, BOB)
    wrong = passwords.make(change, "Another1horse", system_random, old="Wrong1horse")
    with pytest.raises(api.PasswordPolicyViolationException), store.writing() as tx:
        passwords.keep(tx, SEALER, change, wrong, NOW)
    assert sign_in(store, RIGHT).accepted


def test_of_two_changes_at_one_time_the_second_is_refused(store: Store):
    set_password(store, RIGHT)
    change = passwords.look_up(store.reading(), SEALER, ACCOUNT, BOB)
    made = passwords.make(change, "Another1horse", system_random, old=RIGHT)
    set_password(store, "Third1horse")
    with pytest.raises(api.EntityTemporarilyUnmodifiableException), store.writing() as tx:
        passwords.keep(tx, SEALER, change, made, NOW)
    assert sign_in(store, "Third1horse").accepted


def test_the_day_of_the_first_password_stays(store: Store):
    set_password(store, RIGHT, now=NOW)
    later = set_password(store, "Another1horse", now=NOW + 5, reset_required=True)
    assert (later.created, later.changed, later.reset_required) == (NOW, NOW + 5, True)


# Signing in


def test_right_and_wrong(store: Store):
    set_password(store, RIGHT)
    assert sign_in(store, RIGHT) == Outcome(accepted=True)
    assert sign_in(store, "Wrong1horse") == Outcome(accepted=False)
    assert sign_in(store, "", name="BOB") == Outcome(accepted=False)
    assert sign_in(store, RIGHT, name="BOB").accepted
    for account in (ACCOUNT, "my-Alias1".lower()):
        with store.writing() as tx:
            tx.run("UPDATE iam_account SET alias = 'my-alias1'")
        assert finish(store, passwords.user_signs_in(store.reading(), SEALER, account, "bob", ADDRESS), RIGHT).accepted
    assert not finish(store, passwords.user_signs_in(store.reading(), SEALER, "444455556666", "bob", ADDRESS), RIGHT).accepted


@pytest.mark.parametrize("password", ["x" * 129, "x" * 1_000_000, "\ud800", "", "\0"])
def test_what_no_password_can_be_is_wrong_and_costs_the_same(store: Store, password: str, monkeypatch: pytest.MonkeyPatch):
    set_password(store, RIGHT)
    calculations = Calculations(monkeypatch)
    assert not sign_in(store, password).accepted
    assert calculations.taken() == 1


def test_the_root_user_signs_in_by_its_address(store: Store):
    set_password(store, RIGHT, ACCOUNT)
    for email, right in (("Root1@example.com", True), ("ROOT1@EXAMPLE.COM", True), ("", False), ("other@example.com", False)):
        who = passwords.root_signs_in(store.reading(), SEALER, email, ADDRESS)
        assert finish(store, who, RIGHT).accepted is right
    with store.writing() as tx:
        tx.run("UPDATE account SET email = ''")
    assert not finish(store, passwords.root_signs_in(store.reading(), SEALER, "", ADDRESS), RIGHT).accepted


class Counted:
    """A transaction that counts its statements."""

    def __init__(self, tx: Any) -> None:
        self.tx = tx
        self.statements: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(sql: str, *parameters: Any) -> Any:
            self.statements.append(sql)
            return getattr(self.tx, name)(sql, *parameters)

        return call


@pytest.mark.parametrize("account", [ACCOUNT, "my-alias1", "444455556666"])
def test_nobody_costs_as_much_as_somebody(store: Store, monkeypatch: pytest.MonkeyPatch, account: str):
    """Attack: names are told apart by the work that they make. The same calculations, and the same statements, in their order."""
    with store.writing() as tx:
        tx.run(
            "INSERT INTO iam_user (account, user_id, name, name_folded, path, created) VALUES (?, 'AIDAKEY', 'key', 'key', '/', 1)",
            ACCOUNT,
        )
    set_password(store, RIGHT)
    calculations = Calculations(monkeypatch)
    seen = []
    for number, name in enumerate(("bob", "nobody", "key")):
        with store.writing() as tx:
            counted = Counted(tx)
            who = passwords.user_signs_in(counted, SEALER, account, name, f"192.0.2.{number}")
            outcome = passwords.conclude(counted, who, NOW, right=passwords.prove(who, "Wrong1horse"))
        seen.append((outcome, calculations.taken(), counted.statements, extract_parameters(who.kept)))
    assert seen[0][:2] == (Outcome(accepted=False), 1)
    assert seen[1] == seen[2] == seen[0]


def test_no_root_user_costs_as_much_as_one(store: Store, monkeypatch: pytest.MonkeyPatch):
    set_password(store, RIGHT, ACCOUNT)
    calculations = Calculations(monkeypatch)
    seen = []
    for email in ("root1@example.com", "nobody@example.com"):
        with store.writing() as tx:
            counted = Counted(tx)
            who = passwords.root_signs_in(counted, SEALER, email, ADDRESS)
            outcome = passwords.conclude(counted, who, NOW, right=passwords.prove(who, "Wrong1horse"))
        seen.append((outcome, calculations.taken(), counted.statements))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", ["bob", "nobody"])
def test_a_flood_of_guesses_is_locked_out_whoever_it_is_about(store: Store, name: str):
    set_password(store, RIGHT)
    for number in range(attempts.PASSWORD.free):
        assert sign_in(store, "Wrong1horse", name=name, address=f"192.0.2.{number}") == Outcome(accepted=False)
    locked = sign_in(store, RIGHT, name=name, address="198.51.100.1")
    assert locked == Outcome(accepted=False, wait=attempts.PASSWORD.first)
    later = sign_in(store, RIGHT, NOW + attempts.PASSWORD.first, name=name)
    assert later.accepted is (name == "bob")


def test_a_flood_from_one_address_is_locked_out_whomever_it_is_about(store: Store):
    set_password(store, RIGHT)
    for number in range(attempts.ADDRESS.free):
        sign_in(store, "Wrong1horse", name=f"user{number}")
    assert sign_in(store, RIGHT).wait > 0
    assert sign_in(store, RIGHT, address="198.51.100.1").accepted


def test_a_success_does_not_clear_the_address(store: Store):
    """Attack: guesses about others between sign-ins of one's own."""
    set_password(store, RIGHT)
    for number in range(attempts.ADDRESS.free):
        sign_in(store, "Wrong1horse", name=f"user{number}")
        if number < attempts.ADDRESS.free - 1:
            assert sign_in(store, RIGHT).accepted
    assert sign_in(store, RIGHT).wait > 0


def test_a_password_that_was_changed_meanwhile_is_refused(store: Store):
    set_password(store, RIGHT)
    who = passwords.user_signs_in(store.reading(), SEALER, ACCOUNT, "bob", ADDRESS)
    assert passwords.prove(who, RIGHT)
    set_password(store, "Another1horse")
    with store.writing() as tx:
        assert not passwords.conclude(tx, who, NOW, right=True).accepted


def test_a_password_must_be_changed(store: Store):
    login = set_password(store, RIGHT, reset_required=True)
    assert sign_in(store, RIGHT) == Outcome(accepted=True, must_change=True)
    with store.writing() as tx:
        passwords.require_reset(tx, login, required=False)
    assert sign_in(store, RIGHT) == Outcome(accepted=True)


def test_a_password_expires_on_its_day(store: Store):
    set_password(store, RIGHT)
    rule(store, max_age=90)
    assert sign_in(store, RIGHT, NOW + 90 * DAY - 1) == Outcome(accepted=True)
    assert sign_in(store, RIGHT, NOW + 90 * DAY) == Outcome(accepted=True, must_change=True)
    rule(store, max_age=90, hard_expiry=1)
    assert sign_in(store, RIGHT, NOW + 90 * DAY) == Outcome(accepted=False, shut_out=True)
    assert sign_in(store, "Wrong1horse", NOW + 90 * DAY) == Outcome(accepted=False), "only who knows it learns that it expired"


def test_the_last_use_is_noted(store: Store):
    for owner in (BOB, ACCOUNT):
        with store.writing() as tx:
            passwords.signed_in(tx, ACCOUNT, owner, NOW)
    assert store.reading().one("SELECT password_last_used FROM iam_user") == (NOW,)
    assert store.reading().one("SELECT root_password_last_used FROM iam_account") == (NOW,)


def test_what_a_report_tells(store: Store):
    rule(store, max_age=90)
    assert passwords.facts_of(store.reading(), ACCOUNT) == {BOB: (False, None, None, None), ACCOUNT: (False, None, None, None)}
    set_password(store, RIGHT)
    set_password(store, RIGHT, ACCOUNT)
    with store.writing() as tx:
        passwords.signed_in(tx, ACCOUNT, BOB, NOW + 1)
    facts = passwords.facts_of(store.reading(), ACCOUNT)
    assert facts[BOB] == (True, NOW + 1, NOW, NOW + 90 * DAY)
    assert facts[ACCOUNT] == (True, None, NOW, None)


# Few at a time


def test_so_many_run_so_many_wait_and_the_rest_is_told_to_come_back():
    gate = Gate(running=1, waiting=1)
    inside, leave = threading.Event(), threading.Event()
    done: list[str] = []

    def work(name: str) -> None:
        with gate.entered():
            inside.set()
            leave.wait()
            done.append(name)

    first = threading.Thread(target=work, args=("first",))
    first.start()
    inside.wait()
    second = threading.Thread(target=work, args=("second",))
    second.start()
    while gate._room._value:
        threading.Event().wait(0.001)
    with pytest.raises(CommonError) as caught, gate.entered():
        pass
    assert caught.value.kind == "throttled"
    leave.set()
    first.join()
    second.join()
    assert sorted(done) == ["first", "second"]
    with gate.entered():
        done.append("third")


def test_every_calculation_goes_through_the_gate(store: Store, monkeypatch: pytest.MonkeyPatch):
    set_password(store, RIGHT)
    monkeypatch.setattr(passwords, "GATE", Gate(running=0, waiting=0))
    change = passwords.look_up(store.reading(), SEALER, ACCOUNT, BOB)
    who = passwords.user_signs_in(store.reading(), SEALER, ACCOUNT, "bob", ADDRESS)
    calls = (lambda: passwords.make(change, "Another1horse", system_random), lambda: passwords.prove(who, RIGHT))
    for call in calls:
        with pytest.raises(CommonError) as caught:
            call()
        assert caught.value.kind == "throttled"
