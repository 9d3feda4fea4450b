"""GetAccountProperties and PutAccountProperties.

Sources: IAM API Reference, both operations; IAM User Guide, "Control role manager in an organization".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.delegation import refusal
from tests.support.house import House
from tests.support.server import AccessKey

ENABLED = "RoleManager/Enabled"


@pytest.fixture
def house() -> Iterator[House]:
    found = House()
    yield found
    found.close()


def user(house: House, name: str, *statements: dict[str, Any]) -> Any:
    iam = house.client("iam")
    iam.create_user(UserName=name)
    policy = {"Version": "2012-10-17", "Statement": [{"Resource": "*", **each} for each in statements]}
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return house.client("iam", AccessKey(made["AccessKeyId"], made["SecretAccessKey"]))


def test_put_account_properties_is_read_again(house: House):
    iam = house.client("iam")
    assert iam.get_account_properties()["Properties"] == {ENABLED: "false"}
    for value in ("true", "true", "false"):
        iam.put_account_properties(Properties={ENABLED: value})
        assert iam.get_account_properties()["Properties"] == {ENABLED: value}


@pytest.mark.parametrize(
    "properties",
    [
        {ENABLED: "yes"},
        {"RoleManager/Other": "true"},
        {"Other/Enabled": "true"},
        {ENABLED: "true", "Other/Enabled": "true"},
        {"RoleManager": "true"},
        {"RoleManager/Enabled/": "true"},
    ],
)
def test_put_account_properties_refuses_what_it_does_not_know(house: House, properties: dict[str, str]):
    iam = house.client("iam")
    assert refusal(iam.put_account_properties, Properties=properties) == "InvalidInput"
    assert iam.get_account_properties()["Properties"] == {ENABLED: "false"}


def test_a_policy_keeps_role_manager_off(house: House):
    allow = {"Effect": "Allow", "Action": "iam:*"}
    condition = {"ForAnyValue:StringEquals": {"iam:AccountPropertyNamespaces": "RoleManager"}}
    denied = user(house, "denied", allow, {"Effect": "Deny", "Action": "iam:PutAccountProperties", "Condition": condition})
    assert refusal(denied.put_account_properties, Properties={ENABLED: "true"}) == "AccessDenied"
    assert denied.get_account_properties()["Properties"] == {ENABLED: "false"}


def test_enabling_takes_the_permission_to_make_its_role(house: House):
    only = user(house, "only", {"Effect": "Allow", "Action": "iam:PutAccountProperties"})
    assert refusal(only.put_account_properties, Properties={ENABLED: "true"}) == "AccessDenied"
    only.put_account_properties(Properties={ENABLED: "false"})
