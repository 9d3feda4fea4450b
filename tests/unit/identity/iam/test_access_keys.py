"""Access keys. Expected texts: AWS's answers as publicly recorded (IAM, February 2026)."""

from __future__ import annotations

import re

import pytest

from garrison.api import iam as api
from garrison.core.errors import CommonError
from tests.support.iam import ACCOUNT, TRUST_EC2, Cloud


@pytest.fixture
def bob(cloud: Cloud) -> Cloud:
    cloud.create_user(user_name="bob")
    return cloud


def test_create_list_delete(bob: Cloud):
    assert bob.list_access_keys(user_name="bob").access_key_metadata == []
    key = bob.create_access_key(user_name="bob").access_key
    assert re.fullmatch("AKIA[A-Z2-7]{16}", key.access_key_id)
    assert re.fullmatch("[A-Za-z0-9+/]{40}", key.secret_access_key)
    assert (key.user_name, key.status) == ("bob", "Active")
    assert bob.touched == [("access-key", key.access_key_id)]
    (listed,) = bob.list_access_keys(user_name="bob").access_key_metadata
    assert listed == api.AccessKeyMetadata(
        user_name="bob", access_key_id=key.access_key_id, status="Active", create_date=key.create_date
    )
    bob.delete_access_key(user_name="bob", access_key_id=key.access_key_id)
    assert bob.items[0].deleted
    assert bob.list_access_keys(user_name="bob").access_key_metadata == []


def test_the_secret_is_sealed_to_its_key(bob: Cloud):
    key = bob.create_access_key(user_name="bob").access_key
    assert key.secret_access_key not in repr(bob.items)
    row = bob.row("SELECT secret FROM iam_access_key WHERE access_key_id = ?", key.access_key_id)
    assert row is not None
    assert key.secret_access_key.encode() not in row[0]
    assert bob.sealer.unseal("access-key", row[0], key.access_key_id.encode()).decode() == key.secret_access_key
    with pytest.raises(ValueError):
        bob.sealer.unseal("access-key", row[0], b"AKIAOTHER")


def test_on_and_off(bob: Cloud):
    key = bob.create_access_key(user_name="bob").access_key
    for status in ("Inactive", "Active"):
        bob.update_access_key(user_name="bob", access_key_id=key.access_key_id, status=status)
        assert bob.touched == [("access-key", key.access_key_id)]
        assert bob.list_access_keys(user_name="bob").access_key_metadata[0].status == status
    with pytest.raises(api.InvalidInputException):
        bob.update_access_key(user_name="bob", access_key_id=key.access_key_id, status="Expired")


def test_two_keys_at_most(bob: Cloud):
    bob.create_access_key(user_name="bob")
    bob.create_access_key(user_name="bob")
    with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for AccessKeysPerUser: 2$"):
        bob.create_access_key(user_name="bob")
    page = bob.list_access_keys(user_name="bob", max_items=1)
    assert page.is_truncated
    assert len(bob.list_access_keys(user_name="bob", max_items=1, marker=page.marker).access_key_metadata) == 1


@pytest.mark.parametrize("operation", ["create_access_key", "list_access_keys"])
def test_of_nobody(cloud: Cloud, operation: str):
    with pytest.raises(api.NoSuchEntityException, match=r"^The user with name nonexistent-user cannot be found\.$"):
        getattr(cloud, operation)(user_name="nonexistent-user")


def test_a_key_that_is_not_there(bob: Cloud):
    bob.create_user(user_name="eve")
    theirs = bob.create_access_key(user_name="eve").access_key.access_key_id
    for key in ("AKIAIOSFODNN7EXAMPLE", theirs):
        for operation, more in (("update_access_key", {"status": "Active"}), ("delete_access_key", {})):
            with pytest.raises(api.NoSuchEntityException, match=f"^The Access Key with id {key} cannot be found.$"):
                getattr(bob, operation)(user_name="bob", access_key_id=key, **more)


def test_the_callers_own(bob: Cloud):
    bob.as_user("bob")
    key = bob.create_access_key().access_key
    assert key.user_name == "bob"
    assert bob.targets[0].arn == f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert [found.access_key_id for found in bob.list_access_keys().access_key_metadata] == [key.access_key_id]
    bob.delete_access_key(access_key_id=key.access_key_id)


def test_the_root_users_own():
    cloud = Cloud().with_account()
    assert cloud.bootstrap is not None
    (listed,) = cloud.list_access_keys().access_key_metadata
    assert listed.access_key_id == cloud.bootstrap.root_access_key_id
    assert cloud.targets[0].arn == f"arn:aws:iam::{ACCOUNT}:root"
    second = cloud.create_access_key().access_key
    row = cloud.row("SELECT owner_id FROM iam_access_key WHERE access_key_id = ?", second.access_key_id)
    assert row == (ACCOUNT,)
    assert cloud.get_account_summary().summary_map["AccountAccessKeysPresent"] == 1


@pytest.mark.parametrize("operation", ["create_access_key", "list_access_keys", "delete_access_key"])
def test_a_session_must_name_a_user(cloud: Cloud, operation: str):
    cloud.as_session()
    more = {"access_key_id": "AKIAIOSFODNN7EXAMPLE"} if operation == "delete_access_key" else {"user_name": None}
    with pytest.raises(CommonError, match=r"^Must specify userName when calling with non-User credentials$") as caught:
        getattr(cloud, operation)(**more)
    assert caught.value.kind == "validation"


def test_last_use(bob: Cloud):
    key = bob.create_access_key(user_name="bob").access_key.access_key_id
    unused = bob.get_access_key_last_used(access_key_id=key)
    assert unused == api.GetAccessKeyLastUsedResponse(
        user_name="bob", access_key_last_used=api.AccessKeyLastUsed(service_name="N/A", region="N/A")
    )
    with bob.store.writing() as tx:
        tx.run(
            "UPDATE iam_access_key SET last_used = 5.0, last_used_service = 'iam', last_used_region = 'us-east-1' WHERE access_key_id = ?",
            key,
        )
    used = bob.get_access_key_last_used(access_key_id=key).access_key_last_used
    assert used == api.AccessKeyLastUsed(service_name="iam", region="us-east-1", last_used_date=5.0)


def test_last_use_of_a_key_that_is_not_ours(cloud: Cloud):
    other = Cloud("999999999999", cloud.store, cloud.sealer)
    other.create_user(user_name="eve")
    theirs = other.create_access_key(user_name="eve").access_key.access_key_id
    for key in ("AKIAIOSFODNN7EXAMPLE", theirs):
        with pytest.raises(CommonError) as caught:
            cloud.get_access_key_last_used(access_key_id=key)
        assert caught.value.kind == "access_denied"
        assert caught.value.message == (
            f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform iam:GetAccessKeyLastUsed on resource: access key {key}"
        )


def test_last_use_of_a_role(cloud: Cloud):
    role = cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2).role
    with cloud.store.writing() as tx:
        tx.run("UPDATE iam_role SET last_used = 7.0, last_used_region = 'eu-central-1' WHERE role_id = ?", role.role_id)
    assert cloud.get_role(role_name="work").role.role_last_used == api.RoleLastUsed(last_used_date=7.0, region="eu-central-1")
