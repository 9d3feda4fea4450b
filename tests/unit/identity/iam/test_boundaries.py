"""Permissions boundaries. Expected texts: AWS's answers as publicly recorded (IAM, February 2026)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from garrison.api import iam as api
from tests.support.iam import ACCOUNT, TRUST_EC2, Cloud

BOUNDARY = "arn:aws:iam::aws:policy/PowerUserAccess"
SHOWN = api.AttachedPermissionsBoundary(permissions_boundary_type="Policy", permissions_boundary_arn=BOUNDARY)


def test_of_a_user(cloud: Cloud):
    user = cloud.create_user(user_name="bob").user
    cloud.put_user_permissions_boundary(user_name="bob", permissions_boundary=BOUNDARY)
    assert cloud.keys == {"iam:PermissionsBoundary": BOUNDARY}
    assert cloud.touched == [("user", user.user_id)]
    assert cloud.items[0].configuration["PermissionsBoundary"]["PermissionsBoundaryArn"] == BOUNDARY
    assert cloud.get_user(user_name="bob").user.permissions_boundary == SHOWN
    cloud.delete_user_permissions_boundary(user_name="bob")
    assert cloud.keys == {"iam:PermissionsBoundary": BOUNDARY}
    assert cloud.get_user(user_name="bob").user.permissions_boundary is None


def test_of_a_role(cloud: Cloud):
    role = cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2, permissions_boundary=BOUNDARY).role
    assert role.permissions_boundary == SHOWN
    assert cloud.get_role(role_name="work").role.permissions_boundary == SHOWN
    cloud.delete_role_permissions_boundary(role_name="work")
    assert cloud.touched == [("role", role.role_id)]
    assert cloud.get_role(role_name="work").role.permissions_boundary is None
    cloud.put_role_permissions_boundary(role_name="work", permissions_boundary=BOUNDARY)
    assert cloud.get_role(role_name="work").role.permissions_boundary == SHOWN


def test_what_is_no_boundary(cloud: Cloud):
    cloud.create_user(user_name="bob")
    cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2)
    other = f"arn:aws:iam::{ACCOUNT}:not_a_policy/invalid"
    nowhere = f"arn:aws:iam::{ACCOUNT}:policy/nonexistent-policy"
    calls: tuple[Callable[[str], object], ...] = (
        lambda arn: cloud.put_user_permissions_boundary(user_name="bob", permissions_boundary=arn),
        lambda arn: cloud.put_role_permissions_boundary(role_name="work", permissions_boundary=arn),
        lambda arn: cloud.create_user(user_name="new", permissions_boundary=arn),
        lambda arn: cloud.create_role(role_name="new", assume_role_policy_document=TRUST_EC2, permissions_boundary=arn),
    )
    for call in calls:
        with pytest.raises(api.InvalidInputException) as invalid:
            call(other)
        assert invalid.value.message == f"ARN {other} is not valid."
        with pytest.raises(api.NoSuchEntityException) as missing:
            call(nowhere)
        assert missing.value.message == f"Scope ARN: {nowhere} does not exist or is not attachable."


def test_nobody_to_bear_it(cloud: Cloud):
    with pytest.raises(api.NoSuchEntityException, match=r"^The role with name nonexistent-role cannot be found\.$"):
        cloud.put_role_permissions_boundary(role_name="nonexistent-role", permissions_boundary=BOUNDARY)
    with pytest.raises(api.NoSuchEntityException, match=r"^The role with name nonexistent-role cannot be found\.$"):
        cloud.delete_role_permissions_boundary(role_name="nonexistent-role")
    with pytest.raises(api.NoSuchEntityException, match=r"^The user with name nobody cannot be found\.$"):
        cloud.put_user_permissions_boundary(user_name="nobody", permissions_boundary=BOUNDARY)
    with pytest.raises(api.NoSuchEntityException, match=r"^The user with name nobody cannot be found\.$"):
        cloud.delete_user_permissions_boundary(user_name="nobody")
