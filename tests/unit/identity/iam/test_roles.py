"""Roles and trust policies. Expected texts: AWS's answers as publicly recorded (IAM, February 2026)."""

from __future__ import annotations

import json

import pytest

from garrison.api import iam as api
from tests.support.iam import ACCOUNT, ALLOW_ALL, TRUST_EC2, Cloud, decoded, tags, trust


def test_what_creation_and_get_tell(cloud: Cloud):
    made = cloud.create_role(
        role_name="work", assume_role_policy_document=TRUST_EC2, path="/p/", description="for work", tags=tags(test="value")
    ).role
    assert (made.arn, made.path) == (f"arn:aws:iam::{ACCOUNT}:role/p/work", "/p/")
    assert made.role_id.startswith("AROA")
    assert decoded(made.assume_role_policy_document) == json.loads(TRUST_EC2)
    assert made.tags == tags(test="value")
    assert (made.description, made.max_session_duration, made.role_last_used) == (None, None, None)
    got = cloud.get_role(role_name="WORK").role
    assert (got.description, got.max_session_duration, got.role_last_used) == ("for work", 3600, api.RoleLastUsed())
    assert got.tags == tags(test="value")
    (listed,) = cloud.list_roles().roles
    assert (listed.description, listed.max_session_duration) == ("for work", 3600)
    assert (listed.tags, listed.role_last_used, listed.permissions_boundary) == (None, None, None)


def test_names_are_unique_regardless_of_case(cloud: Cloud):
    cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2)
    with pytest.raises(api.EntityAlreadyExistsException, match=r"^Role with name WORK already exists\.$"):
        cloud.create_role(role_name="WORK", assume_role_policy_document=TRUST_EC2)


@pytest.mark.parametrize("operation", ["get_role", "update_role", "delete_role"])
def test_a_role_that_is_not_there(cloud: Cloud, operation: str):
    with pytest.raises(api.NoSuchEntityException, match=r"^The role with name test-nonexistent-role cannot be found\.$"):
        getattr(cloud, operation)(role_name="test-nonexistent-role")
    assert cloud.targets[0].denied_on == "on resource: role test-nonexistent-role"


def test_update_role(cloud: Cloud):
    cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2, description="initial description")
    cloud.update_role(role_name="work", description="updated description", max_session_duration=7200)
    got = cloud.get_role(role_name="work").role
    assert (got.description, got.max_session_duration) == ("updated description", 7200)
    answer = cloud.update_role_description(role_name="work", description="by description").role
    assert (answer.description, answer.max_session_duration, answer.role_last_used) == ("by description", None, None)
    cloud.update_role(role_name="work")
    got = cloud.get_role(role_name="work").role
    assert (got.description, got.max_session_duration) == ("by description", 7200)


def test_signin_sessions(cloud: Cloud):
    cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2, max_signin_session_duration=7200)
    assert cloud.get_role(role_name="work").role.max_signin_session_duration == 7200
    cloud.update_role(role_name="work", reset_max_signin_session_duration=True)
    assert cloud.get_role(role_name="work").role.max_signin_session_duration is None


def test_delete_conflicts(cloud: Cloud):
    cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2)
    cloud.put_role_policy(role_name="work", policy_name="p", policy_document=ALLOW_ALL)
    cloud.attach_role_policy(role_name="work", policy_arn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    with pytest.raises(api.DeleteConflictException, match=r"^Cannot delete entity, must detach all policies first\.$"):
        cloud.delete_role(role_name="work")
    cloud.detach_role_policy(role_name="work", policy_arn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    with pytest.raises(api.DeleteConflictException, match=r"^Cannot delete entity, must delete policies first\.$"):
        cloud.delete_role(role_name="work")
    cloud.delete_role_policy(role_name="work", policy_name="p")
    role_id = cloud.get_role(role_name="work").role.role_id
    cloud.delete_role(role_name="work")
    assert cloud.touched == [("role", role_id)]
    assert cloud.items[0].deleted


def test_pages_and_paths(cloud: Cloud):
    for name in ("c", "A", "b"):
        cloud.create_role(role_name=name, assume_role_policy_document=TRUST_EC2, path="/p/")
    first = cloud.list_roles(path_prefix="/p/", max_items=2)
    assert [role.role_name for role in first.roles] == ["A", "b"]
    assert [role.role_name for role in cloud.list_roles(path_prefix="/p/", max_items=2, marker=first.marker).roles] == ["c"]
    assert cloud.list_roles(path_prefix="/none/").roles == []


def test_the_quota_of_roles(cloud: Cloud):
    columns = (
        "account, role_id, name, name_folded, path, created, max_session_duration, trust_policy, trust_resolved, trust_principals"
    )
    with cloud.store.writing() as tx:
        for number in range(1000):
            tx.run(
                f"INSERT INTO iam_role ({columns}) VALUES (?, ?, ?, ?, '/', 0.0, 3600, '', '', '')",  # noqa: S608 - a constant list of columns
                ACCOUNT, f"AROA{number}", f"r{number}", f"r{number}",
            )  # fmt: skip
    with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for RolesPerAccount: 1000$"):
        cloud.create_role(role_name="one-more", assume_role_policy_document=TRUST_EC2)


@pytest.mark.parametrize("path", ["/aws-service-role/x.amazonaws.com/", "/aws-reserved/sso.amazonaws.com/"])
def test_paths_of_services(cloud: Cloud, path: str):
    with pytest.raises(api.InvalidInputException):
        cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2, path=path)


# Trust policies


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{not json}", "This policy contains invalid Json"),
        (TRUST_EC2.replace("sts:AssumeRole", "s3:GetObject"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (TRUST_EC2.replace('"Action"', '"Resource":"*","Action"'), "Has prohibited field Resource"),
    ],
)
def test_malformed_trust_policies(cloud: Cloud, document: str, reason: str):
    with pytest.raises(api.MalformedPolicyDocumentException) as caught:
        cloud.create_role(role_name="work", assume_role_policy_document=document)
    assert caught.value.message == reason
    cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2)
    with pytest.raises(api.MalformedPolicyDocumentException) as caught:
        cloud.update_assume_role_policy(role_name="work", policy_document=document)
    assert caught.value.message == reason


@pytest.mark.parametrize(
    "principal",
    [
        f"arn:aws:iam::{ACCOUNT}:user/nobody",
        f"arn:aws:iam::{ACCOUNT}:role/nobody",
        "arn:aws:iam::999999999999:user/nobody",
        f"arn:aws:iam::{ACCOUNT}:group/g",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/nobody/session",
        f"arn:aws:iam::{ACCOUNT}:user/wrong/path/bob",
        "bob",
    ],
)
def test_a_principal_that_nobody_is(cloud: Cloud, principal: str):
    cloud.create_user(user_name="bob")
    cloud.create_group(group_name="g")
    with pytest.raises(api.MalformedPolicyDocumentException) as caught:
        cloud.create_role(role_name="work", assume_role_policy_document=trust(principal))
    assert caught.value.message == f'Invalid principal in policy: "AWS":"{principal}"'


@pytest.mark.parametrize("principal", ["*", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", "arn:aws:iam::999999999999:root"])
def test_accounts_and_everybody(cloud: Cloud, principal: str):
    made = cloud.create_role(role_name="work", assume_role_policy_document=trust(principal)).role
    assert decoded(made.assume_role_policy_document) == json.loads(trust(principal))


def test_a_service_that_is_none(cloud: Cloud):
    with pytest.raises(
        api.MalformedPolicyDocumentException, match=r'^Invalid principal in policy: "SERVICE":"ec2\.example\.com"$'
    ):
        cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2.replace("ec2.amazonaws.com", "ec2.example.com"))


def test_a_user_made_again_is_not_trusted(cloud: Cloud):
    bob = cloud.create_user(user_name="bob").user
    other = cloud.create_role(role_name="other", assume_role_policy_document=TRUST_EC2).role
    document = trust(bob.arn, other.arn, ACCOUNT)
    role = cloud.create_role(role_name="work", assume_role_policy_document=document).role
    resolved = cloud.row("SELECT trust_resolved FROM iam_role WHERE role_id = ?", role.role_id)
    assert resolved is not None
    assert json.loads(resolved[0]) == json.loads(trust(bob.user_id, other.role_id, ACCOUNT))
    cloud.delete_user(user_name="bob")
    cloud.create_user(user_name="bob")
    shown = decoded(cloud.get_role(role_name="work").role.assume_role_policy_document)
    assert shown == json.loads(trust(bob.user_id, other.arn, ACCOUNT))
    again = cloud.row("SELECT trust_resolved FROM iam_role WHERE role_id = ?", role.role_id)
    assert again == resolved
    with pytest.raises(api.MalformedPolicyDocumentException) as caught:
        cloud.update_assume_role_policy(role_name="work", policy_document=json.dumps(shown))
    assert caught.value.message == f'Invalid principal in policy: "AWS":"{bob.user_id}"'


def test_a_renamed_user_stays_trusted(cloud: Cloud):
    bob = cloud.create_user(user_name="bob").user
    cloud.create_role(role_name="work", assume_role_policy_document=trust(bob.arn))
    cloud.update_user(user_name="bob", new_user_name="robert")
    shown = decoded(cloud.get_role(role_name="work").role.assume_role_policy_document)
    assert shown == json.loads(trust(f"arn:aws:iam::{ACCOUNT}:user/robert"))


def test_a_session_is_trusted_by_its_role(cloud: Cloud):
    other = cloud.create_role(role_name="other", assume_role_policy_document=TRUST_EC2).role
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/other/me"
    cloud.create_role(role_name="work", assume_role_policy_document=trust(session))
    row = cloud.row("SELECT trust_resolved FROM iam_role WHERE name = 'work'")
    assert row is not None
    assert json.loads(row[0]) == json.loads(trust(f"{other.role_id}:me"))
    assert decoded(cloud.get_role(role_name="work").role.assume_role_policy_document) == json.loads(trust(session))


def test_a_trust_policy_is_2048_characters_at_most(cloud: Cloud):
    statements = [json.loads(TRUST_EC2)["Statement"][0] | {"Sid": f"S{number:03}"} for number in range(30)]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
    with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for ACLSizePerRole: 2048$"):
        cloud.create_role(role_name="work", assume_role_policy_document=document)
    spaced = json.dumps({"Version": "2012-10-17", "Statement": statements[:19]}, indent=60)
    assert cloud.create_role(role_name="work", assume_role_policy_document=spaced)


def test_update_of_the_trust_policy_is_seen(cloud: Cloud):
    role = cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2).role
    cloud.update_assume_role_policy(role_name="work", policy_document=trust(ACCOUNT))
    assert cloud.touched == [("role", role.role_id)]
    assert decoded(cloud.get_role(role_name="work").role.assume_role_policy_document) == json.loads(trust(ACCOUNT))
