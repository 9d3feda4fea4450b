"""Managed policies and their versions. Expected texts: AWS's answers as publicly recorded (IAM, February 2026)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from garrison.api import iam as api
from garrison.core.errors import CommonError
from garrison.identity.iam import managed
from tests.support.iam import ACCOUNT, ALLOW_ALL, LIST_USERS, TRUST_EC2, Cloud, decoded, tags

ARN = f"arn:aws:iam::{ACCOUNT}:policy/p"
NOWHERE = f"arn:aws:iam::{ACCOUNT}:policy/TestNonExistingPolicy"


def create(cloud: Cloud, name: str = "p", **more: object) -> api.Policy:
    policy: api.Policy = cloud.create_policy(policy_name=name, policy_document=LIST_USERS, **more).policy
    return policy


def test_create_get_list_delete(cloud: Cloud):
    made = create(cloud, path="/test/path/", description="testing", tags=tags(a="1"))
    arn = f"arn:aws:iam::{ACCOUNT}:policy/test/path/p"
    assert (made.arn, made.path, made.default_version_id) == (arn, "/test/path/", "v1")
    assert (made.attachment_count, made.permissions_boundary_usage_count, made.is_attachable) == (0, 0, True)
    assert (made.description, made.tags) == (None, tags(a="1"))
    assert cloud.touched == [("policy", arn)]
    got = cloud.get_policy(policy_arn=arn).policy
    assert (got.description, got.tags) == ("testing", tags(a="1"))
    (listed,) = cloud.list_policies(scope="Local").policies
    assert (listed.arn, listed.description, listed.tags) == (arn, None, None)
    cloud.delete_policy(policy_arn=arn)
    with pytest.raises(api.NoSuchEntityException, match=f"^Policy {arn} was not found.$"):
        cloud.get_policy(policy_arn=arn)


def test_a_policy_without_tags_has_an_empty_list(cloud: Cloud):
    assert create(cloud).tags is None
    assert cloud.get_policy(policy_arn=ARN).policy.tags == []


def test_names_are_unique_regardless_of_case_and_path(cloud: Cloud):
    create(cloud)
    with pytest.raises(api.EntityAlreadyExistsException) as caught:
        create(cloud, "P", path="/x/")
    assert caught.value.message == "A policy called P already exists. Duplicate names are not allowed."


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{", "Syntax errors in policy."),
        (
            LIST_USERS.replace("iam:ListUsers", "ListUsers"),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (LIST_USERS.replace('"*"', '"x"'), 'Resource x must be in ARN format or "*".'),
        (
            LIST_USERS.replace('"Resource":"*"', '"Principal":"*","Resource":"*"'),
            "Policy document should not specify a principal.",
        ),
    ],
)
def test_malformed_documents(cloud: Cloud, document: str, reason: str):
    with pytest.raises(api.MalformedPolicyDocumentException) as caught:
        cloud.create_policy(policy_name="p", policy_document=document)
    assert caught.value.message == reason
    create(cloud)
    with pytest.raises(api.MalformedPolicyDocumentException) as caught:
        cloud.create_policy_version(policy_arn=ARN, policy_document=document)
    assert caught.value.message == reason


def test_white_space_does_not_count(cloud: Cloud):
    actions = [f"iam:Get{number:05}" for number in range(430)]
    document: Any = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for PolicySize: 6144$"):
        cloud.create_policy(policy_name="p", policy_document=json.dumps(document))
    document["Statement"][0]["Action"] = actions[:390]
    spaced = json.dumps(document, indent=20)
    assert len(spaced) > 6144
    cloud.create_policy(policy_name="p", policy_document=spaced)


def test_a_policy_in_use_is_not_deleted(cloud: Cloud):
    create(cloud)
    cloud.create_user(user_name="bob")
    cloud.attach_user_policy(user_name="bob", policy_arn=ARN)
    assert cloud.get_policy(policy_arn=ARN).policy.attachment_count == 1
    with pytest.raises(api.DeleteConflictException, match=r"^Cannot delete a policy attached to entities\.$"):
        cloud.delete_policy(policy_arn=ARN)
    cloud.detach_user_policy(user_name="bob", policy_arn=ARN)
    cloud.put_user_permissions_boundary(user_name="bob", permissions_boundary=ARN)
    assert cloud.get_policy(policy_arn=ARN).policy.permissions_boundary_usage_count == 1
    with pytest.raises(api.DeleteConflictException, match=r"^Cannot delete a policy attached to entities\.$"):
        cloud.delete_policy(policy_arn=ARN)


def test_a_policy_with_versions_is_not_deleted(cloud: Cloud):
    create(cloud)
    cloud.create_policy_version(policy_arn=ARN, policy_document=ALLOW_ALL)
    with pytest.raises(api.DeleteConflictException) as caught:
        cloud.delete_policy(policy_arn=ARN)
    assert caught.value.message == (
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions."
        " The default version is deleted with the policy."
    )


def test_the_quota_of_policies(cloud: Cloud):
    with cloud.store.writing() as tx:
        for number in range(1500):
            tx.run(
                "INSERT INTO iam_policy (account, policy_id, arn, name, name_folded, path, created, updated, default_version, last_version)"
                " VALUES (?, ?, ?, ?, ?, '/', 0.0, 0.0, 1, 1)",
                ACCOUNT, f"ANPA{number}", f"arn:{number}", f"p{number}", f"p{number}",
            )  # fmt: skip
    with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for PoliciesPerAccount: 1500$"):
        create(cloud, "one-more")


def test_how_a_denial_names_policies(cloud: Cloud):
    create(cloud)
    assert (cloud.targets[0].arn, cloud.targets[0].denied_on) == (ARN, "on resource: policy p")
    cloud.get_policy(policy_arn=ARN)
    assert cloud.targets[0].denied_on == f"on resource: policy {ARN}"
    cloud.list_policies(scope="Local")
    assert (cloud.targets[0].arn, cloud.targets[0].denied_on) == ("*", "on resource: policy path /")


# Versions


def test_versions(cloud: Cloud):
    create(cloud)
    second = cloud.create_policy_version(policy_arn=ARN, policy_document=ALLOW_ALL, set_as_default=True).policy_version
    assert (second.version_id, second.is_default_version, second.document) == ("v2", True, None)
    assert cloud.touched == [("policy", ARN)]
    third = cloud.create_policy_version(policy_arn=ARN, policy_document=LIST_USERS).policy_version
    assert (third.version_id, third.is_default_version) == ("v3", False)
    cloud.delete_policy_version(policy_arn=ARN, version_id="v1")
    listed = cloud.list_policy_versions(policy_arn=ARN).versions
    assert [(version.version_id, version.is_default_version) for version in listed] == [("v3", False), ("v2", True)]
    got = cloud.get_policy_version(policy_arn=ARN, version_id="v2").policy_version
    assert got.document == quote(ALLOW_ALL, safe="")
    cloud.set_default_policy_version(policy_arn=ARN, version_id="v3")
    assert cloud.touched == [("policy", ARN)]
    assert cloud.get_policy(policy_arn=ARN).policy.default_version_id == "v3"


def test_five_versions_at_most_and_no_number_twice(cloud: Cloud):
    create(cloud)
    for _ in range(4):
        cloud.create_policy_version(policy_arn=ARN, policy_document=ALLOW_ALL)
    with pytest.raises(api.LimitExceededException) as caught:
        cloud.create_policy_version(policy_arn=ARN, policy_document=ALLOW_ALL)
    assert caught.value.message == (
        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version."
    )
    cloud.delete_policy_version(policy_arn=ARN, version_id="v5")
    assert cloud.create_policy_version(policy_arn=ARN, policy_document=ALLOW_ALL).policy_version.version_id == "v6"


def test_the_version_in_force_is_not_deleted(cloud: Cloud):
    create(cloud)
    with pytest.raises(api.DeleteConflictException, match=r"^Cannot delete the default version of a policy\.$"):
        cloud.delete_policy_version(policy_arn=ARN, version_id="v1")


@pytest.mark.parametrize("operation", ["get_policy_version", "delete_policy_version", "set_default_policy_version"])
def test_a_version_that_is_not_there(cloud: Cloud, operation: str):
    create(cloud)
    with pytest.raises(api.NoSuchEntityException) as caught:
        getattr(cloud, operation)(policy_arn=ARN, version_id="v9")
    assert caught.value.message == f"Policy {ARN} version v9 does not exist or is not attachable."
    with pytest.raises(api.NoSuchEntityException):
        getattr(cloud, operation)(policy_arn=ARN, version_id="v" + "9" * 400)


@pytest.mark.parametrize("operation", ["get_policy_version", "set_default_policy_version"])
def test_a_version_of_no_policy(cloud: Cloud, operation: str):
    with pytest.raises(api.NoSuchEntityException) as caught:
        getattr(cloud, operation)(policy_arn=NOWHERE, version_id="v1")
    assert caught.value.message == f"Policy {NOWHERE} version v1 does not exist or is not attachable."


@pytest.mark.parametrize("operation", ["get_policy", "delete_policy", "list_policy_versions"])
def test_a_policy_that_is_not_there(cloud: Cloud, operation: str):
    with pytest.raises(api.NoSuchEntityException, match=f"^Policy {NOWHERE} was not found.$"):
        getattr(cloud, operation)(policy_arn=NOWHERE)


def test_what_is_no_policys_arn(cloud: Cloud):
    with pytest.raises(api.InvalidInputException, match=f"^ARN arn:aws:iam::{ACCOUNT}:not_a_policy/invalid is not valid.$"):
        cloud.get_policy(policy_arn=f"arn:aws:iam::{ACCOUNT}:not_a_policy/invalid")
    with pytest.raises(CommonError, match=r"^ARN longpolicynamebutnoarn is not valid.$") as caught:
        cloud.get_policy(policy_arn="longpolicynamebutnoarn")
    assert caught.value.kind == "validation"


def test_another_accounts_policy_is_out_of_reach(cloud: Cloud):
    other = Cloud("999999999999", cloud.store, cloud.sealer)
    create(other)
    theirs = "arn:aws:iam::999999999999:policy/p"
    for operation in ("get_policy", "delete_policy", "list_policy_versions"):
        with pytest.raises(api.NoSuchEntityException):
            getattr(cloud, operation)(policy_arn=theirs)
    cloud.create_user(user_name="bob")
    with pytest.raises(api.NoSuchEntityException):
        cloud.attach_user_policy(user_name="bob", policy_arn=theirs)
    with pytest.raises(api.NoSuchEntityException):
        cloud.put_user_permissions_boundary(user_name="bob", permissions_boundary=theirs)


# Lists


def test_scopes_of_the_list(cloud: Cloud):
    create(cloud, "mine", path="/team/")
    ours = len(managed.everything())
    assert [policy.policy_name for policy in cloud.list_policies(scope="Local", max_items=1000).policies] == ["mine"]
    seen: list[str] = []
    marker = None
    while True:
        page = cloud.list_policies(scope="All", max_items=1000, marker=marker)
        seen += [policy.arn for policy in page.policies]
        marker = page.marker
        if not page.is_truncated:
            break
    assert len(seen) == len(set(seen)) == ours + 1
    aws = cloud.list_policies(scope="AWS", max_items=1000, path_prefix="/job-function/").policies
    assert {policy.path for policy in aws} == {"/job-function/"}
    assert "arn:aws:iam::aws:policy/job-function/SystemAdministrator" in {policy.arn for policy in aws}


def test_only_what_is_in_use(cloud: Cloud):
    create(cloud, "as-policy")
    create(cloud, "as-boundary")
    create(cloud, "idle")
    cloud.create_user(user_name="bob", permissions_boundary=f"arn:aws:iam::{ACCOUNT}:policy/as-boundary")
    cloud.attach_user_policy(user_name="bob", policy_arn=f"arn:aws:iam::{ACCOUNT}:policy/as-policy")
    cloud.attach_user_policy(user_name="bob", policy_arn="arn:aws:iam::aws:policy/ReadOnlyAccess")

    def names(**filters: object) -> list[str | None]:
        return [policy.policy_name for policy in cloud.list_policies(**filters).policies]

    assert names(only_attached=True) == ["as-boundary", "as-policy", "ReadOnlyAccess"]
    assert names(only_attached=True, scope="Local") == ["as-boundary", "as-policy"]
    assert names(policy_usage_filter="PermissionsBoundary") == ["as-boundary"]
    assert names(policy_usage_filter="PermissionsPolicy", scope="AWS") == ["ReadOnlyAccess"]
    (policy,) = cloud.list_policies(policy_usage_filter="PermissionsBoundary").policies
    assert (policy.attachment_count, policy.permissions_boundary_usage_count) == (0, 1)


def test_entities_of_a_policy(cloud: Cloud):
    create(cloud)
    assert cloud.list_entities_for_policy(policy_arn=ARN) == api.ListEntitiesForPolicyResponse(
        policy_groups=[], policy_users=[], policy_roles=[], is_truncated=False
    )
    user = cloud.create_user(user_name="u", path="/x/").user
    group = cloud.create_group(group_name="g").group
    role = cloud.create_role(role_name="r", assume_role_policy_document=TRUST_EC2, permissions_boundary=ARN).role
    cloud.attach_user_policy(user_name="u", policy_arn=ARN)
    cloud.attach_group_policy(group_name="g", policy_arn=ARN)
    cloud.attach_role_policy(role_name="r", policy_arn=ARN)
    everyone = cloud.list_entities_for_policy(policy_arn=ARN)
    assert everyone.policy_users == [api.PolicyUser(user_name="u", user_id=user.user_id)]
    assert everyone.policy_groups == [api.PolicyGroup(group_name="g", group_id=group.group_id)]
    assert everyone.policy_roles == [api.PolicyRole(role_name="r", role_id=role.role_id)]

    def found(**filters: object) -> tuple[int, int, int]:
        answer = cloud.list_entities_for_policy(policy_arn=ARN, **filters)
        return len(answer.policy_groups), len(answer.policy_roles), len(answer.policy_users)

    assert found(entity_filter="Role") == (0, 1, 0)
    assert found(entity_filter="User") == (0, 0, 1)
    assert found(entity_filter="Group") == (1, 0, 0)
    assert found(entity_filter="LocalManagedPolicy") == (0, 0, 0)
    assert found(policy_usage_filter="PermissionsBoundary") == (0, 1, 0)
    assert found(path_prefix="/x/") == (0, 0, 1)
    page = cloud.list_entities_for_policy(policy_arn=ARN, max_items=1)
    assert (page.is_truncated, len(page.policy_groups)) == (True, 1)
    rest = cloud.list_entities_for_policy(policy_arn=ARN, max_items=2, marker=page.marker)
    assert (rest.is_truncated, len(rest.policy_roles), len(rest.policy_users)) == (False, 1, 1)


def test_entities_in_pages(cloud: Cloud):
    """Whatever the size of the page: groups, roles and users, each by name, once; and the same few reads."""
    cloud.create_policy(policy_name="p", policy_document=LIST_USERS)
    for name in ("b", "A", "c"):
        cloud.create_user(user_name=name, permissions_boundary=ARN)
        cloud.attach_user_policy(user_name=name, policy_arn=ARN)
        cloud.create_group(group_name=name)
        cloud.attach_group_policy(group_name=name, policy_arn=ARN)
        cloud.create_role(role_name=name, assume_role_policy_document=TRUST_EC2, permissions_boundary=ARN)
        cloud.create_user(user_name=f"other-{name}")
    wanted = [f"{kind} {name}" for kind in ("group", "role", "user") for name in ("A", "b", "c")]
    for size in range(1, 11):
        found: list[str] = []
        marker = None
        while True:
            page = cloud.list_entities_for_policy(policy_arn=ARN, max_items=size, marker=marker)
            found += [f"group {one.group_name}" for one in page.policy_groups]
            found += [f"role {one.role_name}" for one in page.policy_roles]
            found += [f"user {one.user_name}" for one in page.policy_users]
            assert cloud.reads <= 5
            marker = page.marker
            if marker is None:
                break
        assert found == wanted


def test_entities_of_no_policy(cloud: Cloud):
    with pytest.raises(api.NoSuchEntityException, match=f"^Policy {NOWHERE} does not exist or is not attachable.$"):
        cloud.list_entities_for_policy(policy_arn=NOWHERE)


# AWS's own


def test_an_aws_policy(cloud: Cloud):
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    policy = cloud.get_policy(policy_arn=arn).policy
    assert (policy.default_version_id, policy.path, policy.attachment_count) == ("v1", "/", 0)
    assert policy.create_date == 1423247986  # 2015-02-06T18:39:46Z, as AWS tells
    version = cloud.get_policy_version(policy_arn=arn, version_id="v1").policy_version
    assert decoded(version.document) == json.loads(ALLOW_ALL)
    assert [found.version_id for found in cloud.list_policy_versions(policy_arn=arn).versions] == ["v1"]
    assert cloud.list_entities_for_policy(policy_arn=arn).policy_users == []
    with pytest.raises(api.NoSuchEntityException, match="version v2 does not exist or is not attachable"):
        cloud.get_policy_version(policy_arn=arn, version_id="v2")


def test_an_aws_policy_that_is_not_there(cloud: Cloud):
    arn = "arn:aws:iam::aws:policy/Nonexistent"
    for operation in ("get_policy", "list_policy_versions"):
        with pytest.raises(api.NoSuchEntityException, match=f"^Policy {arn} was not found.$"):
            getattr(cloud, operation)(policy_arn=arn)


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("delete_policy", {}),
        ("create_policy_version", {"policy_document": ALLOW_ALL}),
        ("set_default_policy_version", {"version_id": "v1"}),
        ("delete_policy_version", {"version_id": "v1"}),
        ("tag_policy", {"tags": []}),
        ("untag_policy", {"tag_keys": []}),
    ],
)
def test_nobody_changes_an_aws_policy(cloud: Cloud, operation: str, members: dict[str, object]):
    with pytest.raises(CommonError) as caught:
        getattr(cloud, operation)(policy_arn="arn:aws:iam::aws:policy/AdministratorAccess", **members)
    assert caught.value.kind == "access_denied"
    assert "on resource: policy arn:aws:iam::aws:policy/AdministratorAccess" in caught.value.message
