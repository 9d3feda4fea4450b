"""Which services policies reach. Expected from the grammar of policies (IAM User Guide) and IAM API Reference."""

from __future__ import annotations

import json
from typing import Any

import pytest

from garrison.identity.iam.service_access import Reach, reach, reachable, reachable_actions
from garrison.identity.iam.services import actions_of, service_names


def policy(*statements: dict[str, Any]) -> Reach:
    return reach(
        json.dumps({"Version": "2012-10-17", "Statement": [{"Resource": "*", "Effect": "Allow", **one} for one in statements]})
    )


def test_names_are_awss():
    assert service_names()["kms"] == "AWS Key Management Service"
    assert service_names()["dynamodb"] == "Amazon DynamoDB"
    assert len(service_names()) > 400
    assert "Decrypt" in actions_of("kms")
    assert actions_of("dynamodb") == ()


@pytest.mark.parametrize(
    ("action", "services"),
    [
        ("kms:Decrypt", {"kms"}),
        ("KMS:decrypt", {"kms"}),
        (["s3:Get*", "dynamodb:GetItem"], {"s3", "dynamodb"}),
        ("iam:NoSuchAction*", set()),
        ("nosuchservice:*", set()),
    ],
)
def test_what_is_named(action: Any, services: set[str]):
    assert reachable([policy({"Action": action})]) == services


def test_everything_and_everything_but():
    assert reachable([policy({"Action": "*"})]) == set(service_names())
    assert reachable([policy({"NotAction": ["iam:*", "dynamodb:*"]})]) == set(service_names()) - {"iam", "dynamodb"}
    assert "iam" in reachable([policy({"NotAction": "iam:CreateUser"})])
    assert reachable([policy({"NotAction": "*"})]) == set()


def test_a_resource_and_a_condition_narrow_nothing():
    narrow = {"Resource": "arn:aws:s3:::one/*", "Condition": {"StringEquals": {"aws:PrincipalTag/a": "b"}}}
    assert reachable([policy({"Action": "s3:GetObject", **narrow})]) == {"s3"}


@pytest.mark.parametrize(
    ("denied", "services"),
    [
        ({"Action": "kms:*"}, {"s3"}),
        ({"Action": "*"}, set()),
        ({"NotAction": "s3:*"}, {"s3"}),
        ({"NotAction": "s3:GetObject"}, {"s3"}),
        ({"Action": "kms:Decrypt"}, {"kms", "s3"}),
        ({"Action": "kms:*", "Resource": "arn:aws:kms:*:*:key/*"}, {"kms", "s3"}),
        ({"Action": "kms:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}, {"kms", "s3"}),
    ],
)
def test_what_is_denied_everywhere_is_out_of_reach(denied: dict[str, Any], services: set[str]):
    assert reachable([policy({"Action": ["kms:*", "s3:*"]}), policy({"Effect": "Deny", **denied})]) == services


def test_actions():
    policies = [policy({"Action": ["kms:De*", "kms:Encrypt"]}), policy({"Effect": "Deny", "Action": "kms:Delete*"})]
    found = reachable_actions(policies, "kms")
    assert {"Decrypt", "DescribeKey", "Encrypt"} <= set(found)
    assert not {"DeleteAlias", "CreateKey"} & set(found)
    assert reachable_actions([policy({"Action": "dynamodb:*"})], "dynamodb") == []


def test_what_is_no_policy_reaches_nothing():
    assert reachable([reach("no policy")]) == set()
    assert reachable([]) == set()
