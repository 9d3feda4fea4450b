"""Groups. Expected texts: AWS's answers as publicly recorded (IAM, February 2026)."""

from __future__ import annotations

import pytest

from garrison.api import iam as api
from tests.support.iam import ACCOUNT, ALLOW_ALL, Cloud


def test_create_get_update_delete(cloud: Cloud):
    made = cloud.create_group(group_name="Admins", path="/some/location/").group
    assert made.arn == f"arn:aws:iam::{ACCOUNT}:group/some/location/Admins"
    assert made.group_id.startswith("AGPA")
    assert cloud.touched == [("group", made.group_id)]
    assert cloud.get_group(group_name="admins") == api.GetGroupResponse(group=made, users=[], is_truncated=False)
    cloud.update_group(group_name="Admins", new_group_name="Ops", new_path="/new-path/")
    assert [target.arn for target in cloud.targets] == [made.arn, f"arn:aws:iam::{ACCOUNT}:group/new-path/Ops"]
    after = cloud.get_group(group_name="Ops").group
    assert (after.group_id, after.arn) == (made.group_id, f"arn:aws:iam::{ACCOUNT}:group/new-path/Ops")
    cloud.delete_group(group_name="Ops")
    assert cloud.list_groups().groups == []


def test_names_are_unique_regardless_of_case(cloud: Cloud):
    cloud.create_group(group_name="a")
    cloud.create_group(group_name="b")
    with pytest.raises(api.EntityAlreadyExistsException, match=r"^Group with name A already exists\.$"):
        cloud.create_group(group_name="A")
    with pytest.raises(api.EntityAlreadyExistsException, match=r"^Group with name B already exists\.$"):
        cloud.update_group(group_name="a", new_group_name="B")


@pytest.mark.parametrize("operation", ["get_group", "update_group", "delete_group"])
def test_a_group_that_is_not_there(cloud: Cloud, operation: str):
    with pytest.raises(api.NoSuchEntityException, match=r"^The group with name unknown-group cannot be found\.$"):
        getattr(cloud, operation)(group_name="unknown-group")
    assert cloud.targets[0].denied_on == "on resource: group unknown-group"


def test_membership(cloud: Cloud):
    user = cloud.create_user(user_name="bob").user
    for name in ("g1", "g2"):
        cloud.create_group(group_name=name)
        cloud.add_user_to_group(group_name=name, user_name="bob")
    assert cloud.touched == [("user", user.user_id)]
    cloud_group = cloud.get_group(group_name="g1")
    assert cloud_group.users == [user]
    assert [group.group_name for group in cloud.list_groups_for_user(user_name="bob").groups] == ["g1", "g2"]
    cloud.remove_user_from_group(group_name="g1", user_name="bob")
    assert cloud.get_group(group_name="g1").users == []
    assert [group.group_name for group in cloud.list_groups_for_user(user_name="bob").groups] == ["g2"]


def test_adding_twice_changes_nothing(cloud: Cloud):
    cloud.create_user(user_name="bob")
    cloud.create_group(group_name="g")
    cloud.add_user_to_group(group_name="g", user_name="bob")
    assert cloud.items
    cloud.add_user_to_group(group_name="g", user_name="bob")
    assert (cloud.items, cloud.touched) == ([], [])
    assert len(cloud.get_group(group_name="g").users) == 1


@pytest.mark.parametrize("operation", ["add_user_to_group", "remove_user_from_group"])
def test_who_is_missing_is_told_user_first(cloud: Cloud, operation: str):
    with pytest.raises(api.NoSuchEntityException, match=r"^The user with name any-user cannot be found\.$"):
        getattr(cloud, operation)(group_name="nonexistent-group", user_name="any-user")
    cloud.create_user(user_name="any-user")
    with pytest.raises(api.NoSuchEntityException, match=r"^The group with name nonexistent-group cannot be found\.$"):
        getattr(cloud, operation)(group_name="nonexistent-group", user_name="any-user")


def test_a_user_is_in_ten_groups_at_most(cloud: Cloud):
    cloud.create_user(user_name="bob")
    for number in range(11):
        cloud.create_group(group_name=f"g{number}")
    for number in range(10):
        cloud.add_user_to_group(group_name=f"g{number}", user_name="bob")
    with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for GroupsPerUser: 10$"):
        cloud.add_user_to_group(group_name="g10", user_name="bob")


def test_the_quota_of_groups(cloud: Cloud):
    with cloud.store.writing() as tx:
        for number in range(300):
            tx.run(
                "INSERT INTO iam_group (account, group_id, name, name_folded, path, created) VALUES (?, ?, ?, ?, '/', 0.0)",
                ACCOUNT, f"AGPA{number}", f"g{number}", f"g{number}",
            )  # fmt: skip
    with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for GroupsPerAccount: 300$"):
        cloud.create_group(group_name="one-more")


def test_delete_conflicts_in_aws_order(cloud: Cloud):
    cloud.create_user(user_name="bob")
    cloud.create_group(group_name="g")
    cloud.put_group_policy(group_name="g", policy_name="p", policy_document=ALLOW_ALL)
    cloud.attach_group_policy(group_name="g", policy_arn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    cloud.add_user_to_group(group_name="g", user_name="bob")

    def refusal() -> str:
        with pytest.raises(api.DeleteConflictException) as caught:
            cloud.delete_group(group_name="g")
        return caught.value.message

    assert refusal() == "Cannot delete entity, must remove users from group first."
    cloud.remove_user_from_group(group_name="g", user_name="bob")
    assert refusal() == "Cannot delete entity, must detach all policies first."
    cloud.detach_group_policy(group_name="g", policy_arn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert refusal() == "Cannot delete entity, must delete policies first."
    cloud.delete_group_policy(group_name="g", policy_name="p")
    cloud.delete_group(group_name="g")


def test_pages(cloud: Cloud):
    for name in ("c", "A", "b"):
        cloud.create_group(group_name=name)
        cloud.create_user(user_name=name)
        cloud.add_user_to_group(group_name="c", user_name=name) if name != "c" else None
    first = cloud.list_groups(max_items=2)
    assert [group.group_name for group in first.groups] == ["A", "b"]
    assert [group.group_name for group in cloud.list_groups(max_items=2, marker=first.marker).groups] == ["c"]
    members = cloud.get_group(group_name="c", max_items=1)
    assert ([user.user_name for user in members.users], members.is_truncated) == (["A"], True)
    rest = cloud.get_group(group_name="c", max_items=1, marker=members.marker)
    assert ([user.user_name for user in rest.users], rest.is_truncated) == (["b"], False)
    assert cloud.list_groups_for_user(user_name="b", max_items=1).is_truncated is False
