"""Users. Expected texts: AWS's answers as publicly recorded (IAM, February 2026)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from garrison.api import iam as api
from garrison.core.errors import CommonError
from tests.support.iam import ACCOUNT, ALLOW_ALL, NOW, Cloud, tags


def test_create_get_list_delete(cloud: Cloud):
    made = cloud.create_user(user_name="Bob").user
    assert (made.user_name, made.path, made.arn) == ("Bob", "/", f"arn:aws:iam::{ACCOUNT}:user/Bob")
    assert made.user_id.startswith("AIDA")
    assert len(made.user_id) == 21
    assert made.create_date == NOW + 1
    assert made.tags is None
    assert cloud.get_user(user_name="Bob").user == made
    assert cloud.list_users() == api.ListUsersResponse(users=[made], is_truncated=False)
    assert cloud.delete_user(user_name="Bob") is None
    with pytest.raises(api.NoSuchEntityException, match=r"^The user with name Bob cannot be found\.$"):
        cloud.get_user(user_name="Bob")


def test_a_user_with_path_tags_and_boundary(cloud: Cloud):
    boundary = "arn:aws:iam::aws:policy/PowerUserAccess"
    made = cloud.create_user(
        user_name="bob", path="/a/b/", tags=tags(Environment="Test", Team="Platform"), permissions_boundary=boundary
    )
    assert made.user.arn == f"arn:aws:iam::{ACCOUNT}:user/a/b/bob"
    assert made.user.tags == tags(Environment="Test", Team="Platform")
    assert made.user.permissions_boundary == api.AttachedPermissionsBoundary(
        permissions_boundary_type="Policy", permissions_boundary_arn=boundary
    )
    assert cloud.get_user(user_name="bob").user == made.user
    listed = cloud.list_users().users[0]
    assert listed.tags is None
    assert listed.permissions_boundary is None


def test_names_are_unique_regardless_of_case(cloud: Cloud):
    cloud.create_user(user_name="bob")
    with pytest.raises(api.EntityAlreadyExistsException, match=r"^User with name BOB already exists\.$"):
        cloud.create_user(user_name="BOB")
    assert cloud.get_user(user_name="BOB").user.user_name == "bob"


@pytest.mark.parametrize("operation", ["get_user", "update_user", "delete_user"])
def test_a_user_that_is_not_there(cloud: Cloud, operation: str):
    with pytest.raises(api.NoSuchEntityException, match=r"^The user with name nonexistent-user cannot be found\.$"):
        getattr(cloud, operation)(user_name="nonexistent-user")
    assert cloud.targets[0].arn == f"arn:aws:iam::{ACCOUNT}:user/nonexistent-user"
    assert cloud.targets[0].denied_on == "on resource: user nonexistent-user"


def test_rename_keeps_the_identity(cloud: Cloud):
    before = cloud.create_user(user_name="old").user
    key = cloud.create_access_key(user_name="old").access_key
    cloud.update_user(user_name="old", new_user_name="new", new_path="/there/")
    after = cloud.get_user(user_name="new").user
    assert after.user_id == before.user_id
    assert after.arn == f"arn:aws:iam::{ACCOUNT}:user/there/new"
    assert [found.access_key_id for found in cloud.list_access_keys(user_name="new").access_key_metadata] == [key.access_key_id]
    with pytest.raises(api.NoSuchEntityException, match="The user with name old cannot be found"):
        cloud.get_user(user_name="old")


def test_a_rename_is_authorized_on_both_names(cloud: Cloud):
    cloud.create_user(user_name="old", path="/p/")
    cloud.update_user(user_name="old", new_user_name="new")
    assert [target.arn for target in cloud.targets] == [
        f"arn:aws:iam::{ACCOUNT}:user/p/old",
        f"arn:aws:iam::{ACCOUNT}:user/p/new",
    ]


def test_rename_to_a_taken_name(cloud: Cloud):
    cloud.create_user(user_name="a")
    cloud.create_user(user_name="b")
    with pytest.raises(api.EntityAlreadyExistsException, match=r"^User with name B already exists\.$"):
        cloud.update_user(user_name="a", new_user_name="B")
    cloud.update_user(user_name="a", new_user_name="A")
    assert cloud.get_user(user_name="a").user.user_name == "A"


def test_a_user_made_again_inherits_nothing(cloud: Cloud):
    first = cloud.create_user(user_name="bob", tags=tags(team="red")).user
    cloud.delete_user(user_name="bob")
    second = cloud.create_user(user_name="bob").user
    assert second.user_id != first.user_id
    assert cloud.list_user_tags(user_name="bob").tags == []


@pytest.mark.parametrize(
    ("hold", "text"),
    [
        (
            lambda cloud: cloud.attach_user_policy(user_name="bob", policy_arn="arn:aws:iam::aws:policy/ReadOnlyAccess"),
            "Cannot delete entity, must detach all policies first.",
        ),
        (
            lambda cloud: cloud.put_user_policy(user_name="bob", policy_name="p", policy_document=ALLOW_ALL),
            "Cannot delete entity, must delete policies first.",
        ),
        (lambda cloud: cloud.create_access_key(user_name="bob"), "Cannot delete entity, must delete access keys first."),
        (
            lambda cloud: (cloud.create_group(group_name="g"), cloud.add_user_to_group(group_name="g", user_name="bob")),
            "Cannot delete entity, must remove users from group first.",
        ),
    ],
)
def test_a_user_with_something_left_is_not_deleted(cloud: Cloud, hold: Callable[[Cloud], object], text: str):
    cloud.create_user(user_name="bob")
    hold(cloud)
    with pytest.raises(api.DeleteConflictException) as caught:
        cloud.delete_user(user_name="bob")
    assert caught.value.message == text
    assert cloud.get_user(user_name="bob")


def test_the_quota_of_users(cloud: Cloud):
    with cloud.store.writing() as tx:
        for number in range(5000):
            tx.run(
                "INSERT INTO iam_user (account, user_id, name, name_folded, path, created) VALUES (?, ?, ?, ?, '/', 0.0)",
                ACCOUNT, f"AIDA{number}", f"u{number}", f"u{number}",
            )  # fmt: skip
    with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for UsersPerAccount: 5000$"):
        cloud.create_user(user_name="one-more")


def test_pages_of_users(cloud: Cloud):
    for name in ("Delta", "alpha", "Charlie", "bravo"):
        cloud.create_user(user_name=name, path="/team/")
    cloud.create_user(user_name="other", path="/x/")
    first = cloud.list_users(max_items=3, path_prefix="/te")
    assert [user.user_name for user in first.users] == ["alpha", "bravo", "Charlie"]
    assert first.is_truncated is True
    rest = cloud.list_users(max_items=3, path_prefix="/te", marker=first.marker)
    assert [user.user_name for user in rest.users] == ["Delta"]
    assert (rest.is_truncated, rest.marker) == (False, None)
    assert cloud.targets[0].arn == f"arn:aws:iam::{ACCOUNT}:user/te"


@pytest.mark.parametrize("filters", [{"path_prefix": "/x"}, {}])
def test_a_marker_of_another_list_is_refused(cloud: Cloud, filters: dict[str, str]):
    for name in ("a", "b"):
        cloud.create_user(user_name=name, path="/te/")
    marker = cloud.list_users(max_items=1, path_prefix="/te").marker
    with pytest.raises(CommonError) as caught:
        cloud.list_users(max_items=1, marker=marker, **filters)
    assert caught.value.kind == "validation"
    with pytest.raises(CommonError):
        cloud.list_users(marker="AAAA")
    with pytest.raises(CommonError):
        cloud.list_groups(marker=marker)


def test_get_user_means_the_caller(cloud: Cloud):
    cloud.create_user(user_name="bob")
    cloud.as_user("bob")
    assert cloud.get_user().user.user_name == "bob"
    cloud.as_session()
    with pytest.raises(CommonError, match=r"^Must specify userName when calling with non-User credentials$"):
        cloud.get_user()


def test_get_user_of_root():
    cloud = Cloud().with_account()
    user = cloud.get_user().user
    assert (user.arn, user.user_id, user.create_date) == (f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, NOW)


def test_what_a_write_leaves_behind(cloud: Cloud):
    user = cloud.create_user(user_name="bob", tags=tags(team="red")).user
    assert cloud.touched == [("user", user.user_id)]
    (item,) = cloud.items
    assert (item.type, item.id, item.arn, item.name, item.region) == ("AWS::IAM::User", user.user_id, user.arn, "bob", "global")
    assert item.tags == {"team": "red"}
    assert item.configuration["UserName"] == "bob"
    cloud.delete_user(user_name="bob")
    assert cloud.items[0].deleted


def test_condition_keys_of_creation(cloud: Cloud):
    cloud.create_user(user_name="bob", tags=tags(team="red"), permissions_boundary="arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert cloud.keys == {
        "aws:TagKeys": ["team"],
        "aws:RequestTag/team": "red",
        "iam:PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess",
    }
    cloud.get_user(user_name="bob")
    assert cloud.targets[0].tags == {"team": "red"}
    assert cloud.targets[0].keys == {"iam:ResourceTag/team": "red"}
