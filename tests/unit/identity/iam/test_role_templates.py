"""AcquireRole and GetRoleTemplateVersion: authorized as AWS does it, and honest that no template is here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.delegation import refusal
from tests.support.house import House
from tests.support.server import AccessKey

TEMPLATE = "arn:aws:iam::aws:role-template/iam.amazonaws.com/PowerUserRoleTemplate:1"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    found = House()
    yield found
    found.close()


def user(house: House, name: str, **statement: Any) -> Any:
    iam = house.client("iam")
    iam.create_user(UserName=name)
    policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Resource": "*", **statement}}
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return house.client("iam", AccessKey(made["AccessKeyId"], made["SecretAccessKey"]))


@pytest.mark.parametrize("operation", ["acquire_role", "get_role_template_version"])
def test_there_is_no_template(house: House, operation: str):
    call = getattr(house.client("iam"), operation)
    assert refusal(call, TemplateArn=TEMPLATE) == "NoSuchEntity"
    assert refusal(call, TemplateArn="arn:aws:iam::111122223333:role/name") == "InvalidInput"


def test_acquire_role_takes_what_looks_for_the_role(house: House):
    """IAM User Guide, "Permissions for role manager", and the deny list that it gives on iam:RoleTemplateARN."""
    assert refusal(user(house, "nobody", Action="iam:GetUser").acquire_role, TemplateArn=TEMPLATE) == "AccessDenied"
    assert refusal(user(house, "looks", Action="iam:GetRole").acquire_role, TemplateArn=TEMPLATE) == "NoSuchEntity"
    outside = {"Action": "iam:*", "Condition": {"Null": {"iam:RoleTemplateARN": "true"}}}
    assert refusal(user(house, "untemplated", **outside).acquire_role, TemplateArn=TEMPLATE) == "AccessDenied"


def test_get_role_template_version_is_a_permission_of_its_own(house: House):
    mine = user(house, "reads", Action="iam:GetRoleTemplateVersion")
    assert refusal(mine.get_role_template_version, TemplateArn=TEMPLATE) == "NoSuchEntity"
    assert refusal(user(house, "other", Action="iam:GetRole").get_role_template_version, TemplateArn=TEMPLATE) == "AccessDenied"
