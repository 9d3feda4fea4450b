"""AssumeRole from one role to the next. Source: IAM User Guide, "Pass session tags in AWS STS"."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.case_files import allow, policy
from tests.support.house import ACCOUNT, House
from tests.support.server import AccessKey

ROLE = f"arn:aws:iam::{ACCOUNT}:role/work"


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    iam = made.client("iam")
    trust = policy(
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    )
    iam.create_role(RoleName="work", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName="work", PolicyName="p", PolicyDocument=json.dumps(policy(allow("sts:*"))))
    yield made
    made.close()


def assumed(house: House, key: AccessKey | None = None, **more: Any) -> AccessKey:
    made = house.client("sts", key).assume_role(RoleArn=ROLE, RoleSessionName="me", **more)["Credentials"]
    return AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


@pytest.mark.parametrize(("written", "asked"), [("Team", "team"), ("team", "TEAM")])
def test_a_tag_goes_on_in_whatever_case_that_was_asked(house: House, written: str, asked: str):
    """Tag keys differ by more than case: a condition on sts:TransitiveTagKeys is not met by a key that then goes nowhere."""
    first = assumed(house, Tags=[{"Key": written, "Value": "blue"}], TransitiveTagKeys=[asked])
    with pytest.raises(ClientError, match="conflicts with a transitive tag key"):
        assumed(house, first, Tags=[{"Key": "tEAM", "Value": "red"}])
    second = assumed(house, first)
    for key in (second, assumed(house, second)):
        principal = house.worker.gateway.principals.credential(key.access_key_id, key.session_token, 0.0).principal
        assert principal.tags == {written: "blue"}
