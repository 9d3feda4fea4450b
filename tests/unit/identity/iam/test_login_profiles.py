"""Login profiles and ChangePassword. Expected texts: AWS's answers as publicly recorded; rules: IAM API Reference."""

from __future__ import annotations

from dataclasses import replace

import pytest

from garrison.api import iam as api
from garrison.core.errors import CommonError
from garrison.core.principal import Principal, Session
from garrison.identity import attempts, passwords
from tests.support.iam import ACCOUNT, Cloud, root
from tests.support.secrets import cheap_passwords

assert cheap_passwords is not None  # a fixture

FIRST, SECOND, THIRD = "Correct1horse", "Battery2staple", "Another3word"


@pytest.fixture
def bob(cloud: Cloud, cheap_passwords: None) -> Cloud:
    cloud.create_user(user_name="bob")
    with cloud.store.writing() as tx:
        tx.run("INSERT INTO account (id, name, email, created_at) VALUES (?, 'a', 'root@example.com', 1)", ACCOUNT)
    cloud.store.commit()
    return cloud


def user_id(cloud: Cloud) -> str:
    row = cloud.row("SELECT user_id FROM iam_user WHERE name = 'bob'")
    assert row is not None
    return str(row[0])


def right(cloud: Cloud, password: str) -> bool:
    return passwords.prove(passwords.user_signs_in(cloud.store.reading(), cloud.sealer, ACCOUNT, "bob", ""), password)


def assumed_root() -> Principal:
    session = Session(issued_at=0, expires_at=9e9, kind="assume-root")
    return replace(root(ACCOUNT), session=session)


def test_create_get_update_delete(bob: Cloud):
    made = bob.create_login_profile(
        user_name="BOB", password=FIRST, password_reset_required=True, max_signin_session_duration=7200
    )
    profile = made.login_profile
    assert profile == api.LoginProfile(
        user_name="bob", create_date=bob.now, password_reset_required=True, max_signin_session_duration=7200
    )
    assert bob.touched == [("user", user_id(bob))]
    assert FIRST not in repr(bob.items)
    assert bob.get_login_profile(user_name="bob").login_profile == profile
    assert right(bob, FIRST)
    bob.update_login_profile(user_name="bob", password=SECOND)
    assert bob.touched == [("user", user_id(bob))]
    found = bob.get_login_profile(user_name="bob").login_profile
    assert found == api.LoginProfile(
        user_name="bob", create_date=profile.create_date, password_reset_required=False, max_signin_session_duration=7200
    )
    assert right(bob, SECOND)
    assert not right(bob, FIRST)
    bob.delete_login_profile(user_name="bob")
    assert bob.touched == [("user", user_id(bob))]
    assert not right(bob, SECOND)


def test_what_else_an_update_sets(bob: Cloud):
    bob.create_login_profile(user_name="bob", password=FIRST)

    def shown() -> tuple[bool | None, int | None]:
        found = bob.get_login_profile(user_name="bob").login_profile
        return found.password_reset_required, found.max_signin_session_duration

    assert shown() == (False, None)
    bob.update_login_profile(user_name="bob", password_reset_required=True)
    assert shown() == (True, None)
    bob.update_login_profile(user_name="bob", max_signin_session_duration=3600)
    assert shown() == (True, 3600)
    bob.update_login_profile(user_name="bob", reset_max_signin_session_duration=True)
    assert shown() == (True, None)
    bob.update_login_profile(user_name="bob", password=SECOND, password_reset_required=True, max_signin_session_duration=9000)
    assert shown() == (True, 9000)
    with pytest.raises(api.InvalidInputException):
        bob.update_login_profile(user_name="bob", max_signin_session_duration=3600, reset_max_signin_session_duration=True)
    assert right(bob, SECOND)


@pytest.mark.parametrize(
    "operation", ["create_login_profile", "get_login_profile", "update_login_profile", "delete_login_profile"]
)
def test_of_nobody(bob: Cloud, operation: str):
    more = {"password": FIRST} if operation in {"create_login_profile", "update_login_profile"} else {}
    with pytest.raises(api.NoSuchEntityException, match=r"^The user with name eve cannot be found\.$"):
        getattr(bob, operation)(user_name="eve", **more)
    if operation == "create_login_profile":
        return
    with pytest.raises(api.NoSuchEntityException, match=r"^Login Profile for User bob cannot be found\.$"):
        getattr(bob, operation)(user_name="bob", **more)


def test_a_second_one(bob: Cloud):
    bob.create_login_profile(user_name="bob", password=FIRST)
    with pytest.raises(api.EntityAlreadyExistsException, match=r"^Login Profile for user bob already exists\.$"):
        bob.create_login_profile(user_name="bob", password=SECOND)
    assert right(bob, FIRST)


def test_a_weak_password(bob: Cloud):
    text = r"^Password does not conform to the account password policy\.$"
    with pytest.raises(api.PasswordPolicyViolationException, match=text):
        bob.create_login_profile(user_name="bob", password="weak")
    bob.create_login_profile(user_name="bob", password=FIRST)
    bob.update_account_password_policy(minimum_password_length=20)
    with pytest.raises(api.PasswordPolicyViolationException, match=text):
        bob.update_login_profile(user_name="bob", password=SECOND)
    bob.as_user("bob")
    with pytest.raises(api.PasswordPolicyViolationException, match=text):
        bob.change_password(old_password=FIRST, new_password=SECOND)


def test_without_a_password(bob: Cloud):
    with pytest.raises(CommonError, match="Value null at 'password'"):
        bob.create_login_profile(user_name="bob")


def test_an_earlier_password_by_an_administrator(bob: Cloud):
    bob.update_account_password_policy(password_reuse_prevention=2)
    bob.create_login_profile(user_name="bob", password=FIRST)
    bob.update_login_profile(user_name="bob", password=SECOND)
    with pytest.raises(api.PasswordPolicyViolationException, match="reuse prevention"):
        bob.update_login_profile(user_name="bob", password=FIRST)


def test_the_callers_own(bob: Cloud):
    bob.as_user("bob")
    bob.create_login_profile(password=FIRST)
    assert bob.targets[0].arn == f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert bob.get_login_profile(user_name=None).login_profile.user_name == "bob"
    bob.delete_login_profile(user_name=None)


@pytest.mark.parametrize("operation", ["create_login_profile", "get_login_profile", "delete_login_profile"])
def test_a_session_and_the_root_user_must_name_a_user(bob: Cloud, operation: str):
    more = {"password": FIRST} if operation == "create_login_profile" else {"user_name": None}
    for principal in (root(ACCOUNT), replace(root(ACCOUNT), session=Session(0, 9e9, kind="session-token"))):
        bob.principal = principal
        with pytest.raises(CommonError, match=r"^Must specify userName when calling with non-User credentials$"):
            getattr(bob, operation)(**more)
    bob.as_session()
    with pytest.raises(CommonError, match=r"^Must specify userName when calling with non-User credentials$"):
        getattr(bob, operation)(**more)


def test_the_root_users_password_in_a_session_of_assume_root(bob: Cloud):
    change = passwords.look_up(bob.store.reading(), bob.sealer, ACCOUNT, ACCOUNT)
    with bob.store.writing() as tx:
        passwords.keep(tx, bob.sealer, change, passwords.make(change, FIRST, bob.random), bob.now)
    bob.store.commit()
    assert bob.get_account_summary().summary_map["AccountPasswordPresent"] == 1
    bob.principal = assumed_root()
    assert bob.get_login_profile(user_name=None).login_profile.user_name == ACCOUNT
    assert bob.targets[0].arn == f"arn:aws:iam::{ACCOUNT}:root"
    bob.delete_login_profile(user_name=None)
    assert bob.items[0].arn == f"arn:aws:iam::{ACCOUNT}:root"
    assert bob.get_account_summary().summary_map["AccountPasswordPresent"] == 0
    with pytest.raises(api.NoSuchEntityException):
        bob.get_login_profile(user_name=None)
    with pytest.raises(CommonError, match="operator"):
        bob.create_login_profile(user_name=None)


# ChangePassword


@pytest.fixture
def owner(bob: Cloud) -> Cloud:
    bob.create_login_profile(user_name="bob", password=FIRST, password_reset_required=True)
    return bob.as_user("bob")


def test_a_user_changes_the_password(owner: Cloud):
    owner.change_password(old_password=FIRST, new_password=SECOND)
    assert owner.targets[0].arn == f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert owner.touched == [("user", owner.principal.id)]
    assert right(owner, SECOND)
    assert not right(owner, FIRST)
    assert owner.get_login_profile(user_name="bob").login_profile.password_reset_required is False


def test_the_old_one_is_wrong(owner: Cloud):
    with pytest.raises(CommonError, match=r"^The old password was incorrect\.$") as caught:
        owner.change_password(old_password=SECOND, new_password=THIRD)
    assert caught.value.kind == "access_denied"
    assert right(owner, FIRST)
    assert owner.row("SELECT failures FROM identity_attempt") == (1,)


def test_the_same_again_and_earlier_ones(owner: Cloud):
    text = r"^Policy constraint violation with password reuse prevention during password change\.$"
    with pytest.raises(api.PasswordPolicyViolationException, match=text):
        owner.change_password(old_password=FIRST, new_password=FIRST)
    owner.change_password(old_password=FIRST, new_password=SECOND)
    owner.update_account_password_policy(password_reuse_prevention=24)
    with pytest.raises(api.PasswordPolicyViolationException, match=text):
        owner.change_password(old_password=SECOND, new_password=FIRST)
    owner.change_password(old_password=SECOND, new_password=THIRD)


def test_a_flood_of_guesses_is_locked_out(owner: Cloud):
    for _ in range(attempts.PASSWORD.free):
        with pytest.raises(CommonError):
            owner.change_password(old_password="Wrong1guess", new_password=THIRD)
    with pytest.raises(api.EntityTemporarilyUnmodifiableException):
        owner.change_password(old_password=FIRST, new_password=THIRD)
    signing_in = passwords.user_signs_in(owner.store.reading(), owner.sealer, ACCOUNT, "bob", "192.0.2.1")
    with owner.store.writing() as tx:
        assert passwords.conclude(tx, signing_in, owner.now, right=True).wait > 0, "the console counts with it"
    owner.principal = root(ACCOUNT)
    owner.update_login_profile(user_name="bob", password=SECOND)
    owner.as_user("bob").change_password(old_password=SECOND, new_password=THIRD)


def test_who_has_no_password_and_who_is_no_user(bob: Cloud):
    bob.principal = root(ACCOUNT)
    with pytest.raises(api.InvalidUserTypeException, match=r"^Only IAM Users can change their own password\.$"):
        bob.change_password(old_password=FIRST, new_password=SECOND)
    bob.as_session()
    with pytest.raises(api.InvalidUserTypeException):
        bob.change_password(old_password=FIRST, new_password=SECOND)
    bob.principal = root(ACCOUNT)
    bob.as_user("bob")
    with pytest.raises(api.NoSuchEntityException, match=r"^Login Profile for User bob cannot be found\.$"):
        bob.change_password(old_password=FIRST, new_password=SECOND)


def test_the_accounts_policy_may_let_every_user(owner: Cloud):
    owner.change_password(old_password=FIRST, new_password=SECOND)
    assert owner.targets[0].policy is None
    owner.update_account_password_policy(allow_users_to_change_password=True)
    owner.change_password(old_password=SECOND, new_password=THIRD)
    assert owner.targets[0].policy is not None


def test_a_user_with_a_password_cannot_be_deleted(bob: Cloud):
    bob.create_login_profile(user_name="bob", password=FIRST)
    with pytest.raises(api.DeleteConflictException, match=r"^Cannot delete entity, must delete login profile first\.$"):
        bob.delete_user(user_name="bob")
    bob.delete_login_profile(user_name="bob")
    bob.delete_user(user_name="bob")


def test_the_last_use_is_shown(bob: Cloud):
    bob.create_login_profile(user_name="bob", password=FIRST)
    assert bob.get_user(user_name="bob").user.password_last_used is None
    with bob.store.writing() as tx:
        passwords.signed_in(tx, ACCOUNT, user_id(bob), 1_700_000_123.0)
    bob.store.commit()
    assert bob.get_user(user_name="bob").user.password_last_used == 1_700_000_123.0
