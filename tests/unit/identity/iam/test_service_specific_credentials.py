"""Service-specific credentials. Texts: AWS's answers as publicly recorded; forms: IAM API Reference and Bedrock User Guide."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from garrison.api import iam as api
from garrison.core.errors import CommonError
from garrison.identity.iam.service_specific_credentials import PURPOSE
from tests.support.iam import ACCOUNT, NOW, Cloud

GIT, CASSANDRA, BEDROCK, LOGS = (f"{name}.amazonaws.com" for name in ("codecommit", "cassandra", "bedrock", "logs"))


@pytest.fixture
def user(cloud: Cloud) -> Cloud:
    cloud.create_user(user_name="ann")
    return cloud


def made(cloud: Cloud, service: str = GIT, user_name: str = "ann", **members: Any) -> api.ServiceSpecificCredential:
    answer = cloud.create_service_specific_credential(user_name=user_name, service_name=service, **members)
    found: api.ServiceSpecificCredential = answer.service_specific_credential
    return found


@pytest.mark.parametrize("service", [GIT, CASSANDRA])
def test_a_password(user: Cloud, service: str):
    first = made(user, service)
    assert user.keys == {"iam:ServiceSpecificCredentialServiceName": service}
    assert first.service_specific_credential_id.startswith("ACCA")
    assert len(first.service_specific_credential_id) == 21
    assert (first.user_name, first.service_name, first.status) == ("ann", service, "Active")
    assert (first.service_user_name, first.create_date, first.expiration_date) == (f"ann-at-{ACCOUNT}", NOW + 2, None)
    assert len(base64.b64decode(first.service_password or "", validate=True)) == 32
    assert (first.service_credential_alias, first.service_credential_secret) == (None, None)
    second = made(user, service)
    assert second.service_user_name == f"ann+1-at-{ACCOUNT}"
    assert second.service_password != first.service_password
    with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for ServiceSpecificCredentialsPerUser: 2$"):
        made(user, service)


@pytest.mark.parametrize(("service", "prefix"), [(BEDROCK, "ABSK"), (LOGS, "ACWL")])
def test_a_long_term_key(user: Cloud, service: str, prefix: str):
    key = made(user, service, credential_age_days=30)
    assert user.keys == {"iam:ServiceSpecificCredentialServiceName": service, "iam:ServiceSpecificCredentialAgeDays": 30}
    assert (key.service_user_name, key.service_password) == (None, None)
    assert (key.service_credential_alias, key.expiration_date) == (f"ann-at-{ACCOUNT}", NOW + 2 + 30 * 86_400)
    assert key.service_credential_secret is not None
    assert key.service_credential_secret.startswith(prefix)
    alias, _, secret = base64.b64decode(key.service_credential_secret[4:]).decode().partition(":")
    assert (alias, len(base64.b64decode(secret))) == (key.service_credential_alias, 32)
    (listed,) = user.list_service_specific_credentials(user_name="ann").service_specific_credentials
    assert (listed.status, listed.service_credential_alias) == ("Active", alias)
    user.now += 30 * 86_400
    (listed,) = user.list_service_specific_credentials(user_name="ann").service_specific_credentials
    assert listed.status == "Expired"


def test_a_secret_is_kept_as_its_sealed_hash_alone(user: Cloud):
    key = made(user)
    secret = (key.service_password or "").encode()
    assert "ServicePassword" not in str(user.items)
    assert secret.decode() not in str(user.items)
    (proof,) = user.row("SELECT proof FROM iam_service_credential") or (b"",)
    associated = f"{ACCOUNT}/{key.service_specific_credential_id}".encode()
    assert secret not in bytes(proof)
    assert user.sealer.unseal(PURPOSE, bytes(proof), associated) == hashlib.sha256(secret).digest()
    (listed,) = user.list_service_specific_credentials(user_name="ann").service_specific_credentials
    assert not hasattr(listed, "service_password")


def test_reset_gives_another_secret(user: Cloud):
    key = made(user)
    named = {"user_name": "ann", "service_specific_credential_id": key.service_specific_credential_id}
    (before,) = user.row("SELECT proof FROM iam_service_credential") or (b"",)
    again = user.reset_service_specific_credential(**named).service_specific_credential
    assert (again.service_user_name, again.create_date) == (key.service_user_name, key.create_date)
    assert again.service_password not in {None, key.service_password}
    (after,) = user.row("SELECT proof FROM iam_service_credential") or (b"",)
    associated = f"{ACCOUNT}/{key.service_specific_credential_id}".encode()
    hashes = [user.sealer.unseal(PURPOSE, bytes(proof), associated) for proof in (before, after)]
    assert hashes[1] == hashlib.sha256((again.service_password or "").encode()).digest() != hashes[0]
    assert user.keys == {"iam:ServiceSpecificCredentialServiceName": GIT}


def test_switch_and_delete(user: Cloud):
    key = made(user)
    named = {"user_name": "ann", "service_specific_credential_id": key.service_specific_credential_id}
    user.update_service_specific_credential(status="Inactive", **named)
    assert user.keys == {"iam:ServiceSpecificCredentialServiceName": GIT}
    (listed,) = user.list_service_specific_credentials(user_name="ann").service_specific_credentials
    assert listed.status == "Inactive"
    with pytest.raises(api.InvalidInputException, match="Invalid Status value"):
        user.update_service_specific_credential(status="Expired", **named)
    with pytest.raises(api.DeleteConflictException, match="must delete service-specific credentials first"):
        user.delete_user(user_name="ann")
    user.delete_service_specific_credential(**named)
    assert user.items[0].deleted
    user.delete_user(user_name="ann")


@pytest.mark.parametrize("service", ["s3.amazonaws.com", "codecommit", ""])
def test_services_that_take_none(user: Cloud, service: str):
    message = f"^No such service {service} is supported for Service Specific Credentials$"
    with pytest.raises(api.NoSuchEntityException, match=message):
        made(user, service)
    with pytest.raises(api.NoSuchEntityException, match=message):
        user.list_service_specific_credentials(user_name="ann", service_name=service)


def test_a_password_has_no_days(user: Cloud):
    with pytest.raises(CommonError, match="CredentialAgeDays"):
        made(user, GIT, credential_age_days=30)


def test_a_credential_of_another_user_is_not_found(user: Cloud):
    key = made(user)
    user.create_user(user_name="bob")
    named = {"user_name": "bob", "service_specific_credential_id": key.service_specific_credential_id}
    message = f"^No such credential {key.service_specific_credential_id} exists$"
    for call, members in (
        (user.update_service_specific_credential, {"status": "Inactive"}),
        (user.reset_service_specific_credential, {}),
        (user.delete_service_specific_credential, {}),
    ):
        with pytest.raises(api.NoSuchEntityException, match=message):
            call(**named, **members)


def test_whose_are_listed(user: Cloud):
    user.create_user(user_name="bob")
    for name, service in (("ann", GIT), ("ann", BEDROCK), ("bob", BEDROCK)):
        made(user, service, name)
    everyones = user.list_service_specific_credentials(all_users=True, service_name=BEDROCK).service_specific_credentials
    assert {one.user_name for one in everyones} == {"ann", "bob"}
    assert user.targets[0].arn == f"arn:aws:iam::{ACCOUNT}:user/*", "the permission on one user is not one on all"
    first = user.list_service_specific_credentials(all_users=True, max_items=2)
    second = user.list_service_specific_credentials(all_users=True, max_items=2, marker=first.marker)
    assert len(first.service_specific_credentials + second.service_specific_credentials) == 3
    with pytest.raises(CommonError, match="UserName and AllUsers"):
        user.list_service_specific_credentials(all_users=True, user_name="ann")
    with pytest.raises(api.NoSuchEntityException, match="The user with name nobody cannot be found"):
        user.list_service_specific_credentials(user_name="nobody")
    user.as_user("ann")
    assert len(user.list_service_specific_credentials().service_specific_credentials) == 2
    user.as_session()
    with pytest.raises(CommonError, match="Must specify userName"):
        user.list_service_specific_credentials()


def test_a_name_that_another_user_has_got_by_renaming(user: Cloud):
    """What a user is called may change hands; what the services know it by may not."""
    made(user)
    user.update_user(user_name="ann", new_user_name="older")
    user.create_user(user_name="ann")
    assert made(user).service_user_name == f"ann+1-at-{ACCOUNT}"
