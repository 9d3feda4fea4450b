"""A new account: root key, administrator, and what the store remembers."""

from __future__ import annotations

import pytest

from garrison.identity.bootstrap import create_account
from garrison.keys.keyring import Keyring
from garrison.store import Conflict, open_store
from tests.support.iam import ACCOUNT, NOW, Cloud


def test_what_an_account_begins_with():
    cloud = Cloud().with_account()
    first = cloud.bootstrap
    assert first is not None
    assert [user.user_name for user in cloud.list_users().users] == ["admin"]
    (policy,) = cloud.list_attached_user_policies(user_name="admin").attached_policies
    assert policy.policy_arn == "arn:aws:iam::aws:policy/AdministratorAccess"
    keys = cloud.list_access_keys(user_name="admin").access_key_metadata
    assert [key.access_key_id for key in keys] == [first.admin_access_key_id]
    assert cloud.row("SELECT name, email FROM account WHERE id = ?", ACCOUNT) == ("test", "root@example.com")
    assert {item.type for item in first.items} == {"AWS::::Account", "AWS::IAM::AccessKey", "AWS::IAM::User"}


def test_secrets_are_nowhere_else():
    first = Cloud().with_account().bootstrap
    assert first is not None
    for secret in (first.root_secret_access_key, first.admin_secret_access_key):
        assert len(secret) == 40
        assert secret not in repr(first)
        assert secret not in repr(first.items)


def test_an_account_is_made_once():
    sealer = Keyring.ephemeral()
    store = open_store("", sealer=sealer, memory=True)
    with store.writing() as tx:
        create_account(tx, sealer, account=ACCOUNT, name="one", email="", now=NOW)
    with pytest.raises(Conflict), store.writing() as tx:
        create_account(tx, sealer, account=ACCOUNT, name="two", email="", now=NOW)
    store.close()


def test_two_accounts_have_different_secrets():
    one = Cloud("111111111111").with_account().bootstrap
    two = Cloud("222222222222").with_account().bootstrap
    assert one is not None
    assert two is not None
    secrets = {one.root_secret_access_key, one.admin_secret_access_key, two.root_secret_access_key, two.admin_secret_access_key}
    assert len(secrets) == 4
