"""Last uses: how often they are noted, and where they are written."""

from __future__ import annotations

import pytest

from garrison.core.principal import Principal, Session
from garrison.identity.iam import managed
from garrison.identity.principals import USE_SECONDS, Credential, Principals
from tests.support.iam import ACCOUNT, NOW, TRUST_EC2, Cloud

KEY = "AKIAIOSFODNN7EXAMPLE"


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def principals(cloud: Cloud) -> Principals:
    return Principals(cloud.store, cloud.sealer, managed.document)


def session(kind: str, owner: str, name: str = "me") -> Credential:
    """A temporary credential of a role (``assumed-role``) or a user."""
    proof = Session(NOW, NOW + 3600, session_name=name)
    arn = f"arn:aws:sts::{ACCOUNT}:{kind}/x/{name}"
    principal = Principal(kind=kind, account=ACCOUNT, arn=arn, id=owner, access_key_id=f"ASIA{name}", session=proof)  # type: ignore[arg-type] # a kind
    return Credential("", principal, owner)


def long_term() -> Credential:
    return Credential("", Principal(kind="user", account=ACCOUNT, arn="", id="AIDA", access_key_id=KEY), "AIDA")


def saved(cloud: Cloud, principals: Principals) -> int:
    """Write down what is to be written; how much it was."""
    taken = principals.take_uses()
    with cloud.store.writing() as tx:
        principals.save_uses(tx, taken)
    cloud.store.commit()
    return len(taken)


def test_a_role_is_written_once_a_minute_whichever_of_its_sessions_calls(cloud: Cloud, principals: Principals):
    role = cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2).role
    other = cloud.create_role(role_name="other", assume_role_policy_document=TRUST_EC2).role
    principals.used(session("assumed-role", role.role_id), "kms", "eu-central-1", NOW)
    assert saved(cloud, principals) == 1
    principals.used(session("assumed-role", role.role_id, "you"), "iam", "us-east-1", NOW + USE_SECONDS - 1)
    assert not principals.has_unsaved_uses
    used = cloud.get_role(role_name="work").role.role_last_used
    assert (used.last_used_date, used.region) == (NOW, "eu-central-1")
    principals.used(session("assumed-role", role.role_id), "iam", "us-east-1", NOW + USE_SECONDS)
    assert saved(cloud, principals) == 1
    used = cloud.get_role(role_name="work").role.role_last_used
    assert (used.last_used_date, used.region) == (NOW + USE_SECONDS, "us-east-1")
    assert cloud.get_role(role_name=other.role_name).role.role_last_used.last_used_date is None


def test_a_key_is_written_again_for_another_service_or_region(principals: Principals):
    for service, region, noted in (
        ("kms", "eu-central-1", True),
        ("kms", "eu-central-1", False),
        ("iam", "eu-central-1", True),
        ("iam", "us-east-1", True),
    ):
        principals.used(long_term(), service, region, NOW)
        assert bool(principals.take_uses()) is noted


@pytest.mark.parametrize("kind", ["user", "root", "federated-user"])
def test_users_sessions_are_neither_keys_nor_roles(principals: Principals, kind: str):
    principals.used(session(kind, "AIDA0123456789ABCDEFG"), "kms", "eu-central-1", NOW)
    assert not principals.has_unsaved_uses


def test_a_use_of_what_is_gone_is_written_nowhere(cloud: Cloud, principals: Principals):
    role = cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2).role
    principals.used(session("assumed-role", role.role_id), "kms", "eu-central-1", NOW)
    principals.used(long_term(), "kms", "eu-central-1", NOW)
    cloud.delete_role(role_name="work")
    assert saved(cloud, principals) == 2
    assert cloud.row("SELECT COUNT(*) FROM iam_role") == (0,)
