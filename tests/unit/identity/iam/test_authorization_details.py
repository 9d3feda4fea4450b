"""GetAccountAuthorizationDetails. Expected answers: AWS's as publicly recorded (IAM, February 2026)."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from garrison.api import iam as api
from tests.support.iam import ACCOUNT, ALLOW_ALL, LIST_USERS, TRUST_EC2, Cloud, decoded, tags, trust

ARN = f"arn:aws:iam::{ACCOUNT}:policy/local"
S3 = "arn:aws:iam::aws:policy/AmazonS3FullAccess"


@pytest.fixture
def full(cloud: Cloud) -> Cloud:
    cloud.create_policy(policy_name="local", policy_document=LIST_USERS, description="said")
    cloud.create_policy_version(policy_arn=ARN, policy_document=ALLOW_ALL)
    cloud.create_group(group_name="g")
    cloud.put_group_policy(group_name="g", policy_name="inline", policy_document=LIST_USERS)
    cloud.attach_group_policy(group_name="g", policy_arn=ARN)
    cloud.create_user(user_name="u", tags=tags(somekey="somevalue"), permissions_boundary=S3)
    cloud.put_user_policy(user_name="u", policy_name="inline", policy_document=LIST_USERS)
    cloud.attach_user_policy(user_name="u", policy_arn=ARN)
    cloud.add_user_to_group(group_name="g", user_name="u")
    cloud.create_user(user_name="bare")
    cloud.create_role(role_name="r", assume_role_policy_document=TRUST_EC2, path="/my-path/", tags=tags(somekey="somevalue"))
    cloud.put_role_policy(role_name="r", policy_name="inline", policy_document=LIST_USERS)
    cloud.attach_role_policy(role_name="r", policy_arn=ARN)
    return cloud


def test_users(full: Cloud):
    answer = full.get_account_authorization_details(filter=["User"])
    assert (answer.group_detail_list, answer.role_detail_list, answer.policies) == ([], [], [])
    bare, user = answer.user_detail_list
    assert user.group_list == ["g"]
    assert user.tags == tags(somekey="somevalue")
    assert user.attached_managed_policies == [api.AttachedPolicy(policy_name="local", policy_arn=ARN)]
    assert user.permissions_boundary.permissions_boundary_arn == S3
    (inline,) = user.user_policy_list
    assert (inline.policy_name, decoded(inline.policy_document)) == ("inline", json.loads(LIST_USERS))
    assert (bare.user_policy_list, bare.group_list, bare.attached_managed_policies, bare.tags) == (None, [], [], [])


def test_groups(full: Cloud):
    (group,) = full.get_account_authorization_details(filter=["Group"]).group_detail_list
    assert group.arn == f"arn:aws:iam::{ACCOUNT}:group/g"
    assert decoded(group.group_policy_list[0].policy_document) == json.loads(LIST_USERS)
    assert group.attached_managed_policies == [api.AttachedPolicy(policy_name="local", policy_arn=ARN)]


def test_roles(full: Cloud):
    (role,) = full.get_account_authorization_details(filter=["Role"]).role_detail_list
    assert role.arn == f"arn:aws:iam::{ACCOUNT}:role/my-path/r"
    assert decoded(role.assume_role_policy_document) == json.loads(TRUST_EC2)
    assert decoded(role.role_policy_list[0].policy_document) == json.loads(LIST_USERS)
    assert (role.instance_profile_list, role.role_last_used) == ([], api.RoleLastUsed())
    assert role.tags == tags(somekey="somevalue")


def test_local_policies(full: Cloud):
    (policy,) = full.get_account_authorization_details(filter=["LocalManagedPolicy"]).policies
    assert (policy.arn, policy.attachment_count, policy.default_version_id, policy.description) == (ARN, 3, "v1", "said")
    assert [(version.version_id, version.is_default_version) for version in policy.policy_version_list] == [
        ("v2", False),
        ("v1", True),
    ]
    assert decoded(policy.policy_version_list[1].document) == json.loads(LIST_USERS)


def test_aws_policies_in_use(full: Cloud):
    (policy,) = full.get_account_authorization_details(filter=["AWSManagedPolicy"]).policies
    assert (policy.arn, policy.attachment_count, policy.permissions_boundary_usage_count) == (S3, 0, 1)
    (version,) = policy.policy_version_list
    assert version.version_id == policy.default_version_id
    assert decoded(version.document)["Statement"][0]["Action"] == ["s3:*", "s3-object-lambda:*"]


def test_all_in_pages(full: Cloud):
    whole = full.get_account_authorization_details()
    assert whole.is_truncated is False
    counts = [len(part) for part in (whole.user_detail_list, whole.group_detail_list, whole.role_detail_list, whole.policies)]
    assert counts == [2, 1, 1, 2]
    seen: list[str | None] = []
    marker = None
    for _ in range(6):
        page = full.get_account_authorization_details(max_items=1, marker=marker)
        parts = (page.user_detail_list, page.group_detail_list, page.role_detail_list, page.policies)
        seen += [entry.arn for part in parts for entry in part]
        marker = page.marker
    assert marker is None
    parts = (whole.user_detail_list, whole.group_detail_list, whole.role_detail_list, whole.policies)
    assert seen == [entry.arn for part in parts for entry in part]


def test_a_page_is_read_at_once_however_much_stands_on_it(cloud: Cloud):
    """No read for each entry: one more of a kind asks the store nothing more."""

    def grow(number: int) -> int:
        user = cloud.create_user(user_name=f"u{number}", tags=tags(somekey="somevalue"), permissions_boundary=S3).user
        cloud.create_group(group_name=f"g{number}")
        cloud.add_user_to_group(group_name=f"g{number}", user_name=f"u{number}")
        cloud.create_role(role_name=f"r{number}", assume_role_policy_document=trust(user.arn))
        policy = cloud.create_policy(policy_name=f"p{number}", policy_document=LIST_USERS).policy
        cloud.put_user_policy(user_name=f"u{number}", policy_name="inline", policy_document=LIST_USERS)
        cloud.attach_user_policy(user_name=f"u{number}", policy_arn=policy.arn)
        cloud.get_account_authorization_details()
        return cloud.reads

    first = grow(0)
    assert [grow(number) for number in range(1, 5)] == [first] * 4


def test_changed_roles_are_read_with_the_names_of_now(cloud: Cloud):
    users = [cloud.create_user(user_name=f"u{number}").user for number in range(3)]
    for number, user in enumerate(users):
        cloud.create_role(role_name=f"r{number}", assume_role_policy_document=trust(user.arn))
    cloud.delete_user(user_name="u0")
    cloud.update_user(user_name="u1", new_user_name="other")
    found = cloud.get_account_authorization_details(filter=["Role"]).role_detail_list
    named = [decoded(role.assume_role_policy_document)["Statement"][0]["Principal"]["AWS"] for role in found]
    assert named == [[users[0].user_id], [f"arn:aws:iam::{ACCOUNT}:user/other"], [users[2].arn]]


def test_ten_thousand_users_take_no_more_memory_than_a_page():
    def peak(users: int) -> int:
        cloud = Cloud()
        with cloud.store.writing() as tx:
            tx.many(
                "INSERT INTO iam_user (account, user_id, name, path, created, name_folded) VALUES (?, ?, ?, '/', 0, ?)",
                ((ACCOUNT, f"AIDA{number:017}", f"user{number}", f"user{number}") for number in range(users)),
            )
            tx.many(
                "INSERT INTO iam_inline_policy (account, owner_id, name, document) VALUES (?, ?, 'own', ?)",
                ((ACCOUNT, f"AIDA{number:017}", LIST_USERS) for number in range(users)),
            )
        cloud.store.commit()
        seen, marker = 0, None
        tracemalloc.start()
        try:
            while True:
                page = cloud.get_account_authorization_details(max_items=1000, marker=marker)
                seen, marker = seen + len(page.user_detail_list), page.marker
                if marker is None:
                    break
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            cloud.store.close()
            assert seen == users

    peak(1000)  # what is read once, is
    assert peak(10_000) < 1.5 * peak(2000)
