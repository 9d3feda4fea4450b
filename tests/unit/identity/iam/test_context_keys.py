"""Which condition keys policies read."""

from __future__ import annotations

import json

import pytest

from garrison.api import iam as api
from garrison.identity.iam.context_keys import keys_of
from garrison.policy import parse_policy
from tests.support.iam import ACCOUNT, ALLOW_ALL, TRUST_EC2, Cloud


def policy(resource: str = "*", condition: object = None) -> str:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource, "Condition": condition or {}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def custom(cloud: Cloud, *policies: str) -> list[str]:
    answer = cloud.get_context_keys_for_custom_policy(policy_input_list=list(policies))
    return list(answer.context_key_names)


def test_keys_of_conditions_and_variables(cloud: Cloud):
    document = policy(
        "arn:aws:s3:::bucket/${aws:username}/${aws:PrincipalTag/team, 'none'}/${*}${?}${$}",
        {"DateGreaterThan": {"aws:CurrentTime": "2015-07-16T12:00:00Z"}, "StringLike": {"s3:prefix": "${aws:userid}"}},
    )
    assert custom(cloud, document) == ["aws:CurrentTime", "s3:prefix", "aws:username", "aws:PrincipalTag/team", "aws:userid"]


def test_each_key_once_regardless_of_case(cloud: Cloud):
    first = policy(condition={"Bool": {"aws:SecureTransport": "true"}})
    second = policy(condition={"Bool": {"AWS:securetransport": "true"}})
    assert custom(cloud, first, second) == ["aws:SecureTransport"]


def test_old_policies_have_no_variables(cloud: Cloud):
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/${aws:username}"}
    for version, keys in (("2008-10-17", []), ("2012-10-17", ["aws:username"])):
        document = parse_policy(json.dumps({"Version": version, "Statement": [statement]}), "resource")
        assert list(keys_of(document)) == keys
    assert custom(cloud, ALLOW_ALL) == []


def test_a_policy_that_is_none(cloud: Cloud):
    with pytest.raises(api.InvalidInputException):
        custom(cloud, "{")


def test_of_a_user_with_its_groups(cloud: Cloud):
    cloud.create_user(user_name="u", path="/p/")
    cloud.create_group(group_name="g")
    cloud.add_user_to_group(group_name="g", user_name="u")
    cloud.put_user_policy(user_name="u", policy_name="p", policy_document=policy(condition={"Null": {"aws:a": "true"}}))
    cloud.put_group_policy(group_name="g", policy_name="p", policy_document=policy(condition={"Null": {"aws:b": "true"}}))
    more = policy(condition={"Null": {"aws:c": "true"}})
    arn = f"arn:aws:iam::{ACCOUNT}:user/p/u"
    answer = cloud.get_context_keys_for_principal_policy(policy_source_arn=arn, policy_input_list=[more])
    assert answer.context_key_names == ["aws:a", "aws:b", "aws:c"]
    assert cloud.targets[0].arn == arn
    group = cloud.get_context_keys_for_principal_policy(policy_source_arn=f"arn:aws:iam::{ACCOUNT}:group/g")
    assert group.context_key_names == ["aws:b"]


def test_of_a_role_with_a_managed_policy(cloud: Cloud):
    cloud.create_role(role_name="r", assume_role_policy_document=TRUST_EC2)
    cloud.create_policy(policy_name="m", policy_document=policy(condition={"Null": {"aws:m": "true"}}))
    cloud.attach_role_policy(role_name="r", policy_arn=f"arn:aws:iam::{ACCOUNT}:policy/m")
    answer = cloud.get_context_keys_for_principal_policy(policy_source_arn=f"arn:aws:iam::{ACCOUNT}:role/r")
    assert answer.context_key_names == ["aws:m"]


@pytest.mark.parametrize("kind", ["user", "group", "role"])
def test_of_nobody(cloud: Cloud, kind: str):
    with pytest.raises(api.NoSuchEntityException, match=f"^The {kind} with name nobody cannot be found.$"):
        cloud.get_context_keys_for_principal_policy(policy_source_arn=f"arn:aws:iam::{ACCOUNT}:{kind}/nobody")


@pytest.mark.parametrize(
    "arn", [f"arn:aws:iam::{ACCOUNT}:policy/p", "arn:aws:iam::999999999999:user/u", f"arn:aws:sts::{ACCOUNT}:x/y"]
)
def test_of_something_else(cloud: Cloud, arn: str):
    with pytest.raises(api.InvalidInputException, match=f"^ARN {arn} is not valid.$"):
        cloud.get_context_keys_for_principal_policy(policy_source_arn=arn)
