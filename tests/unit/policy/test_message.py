"""The shape of STS API Reference, DecodeAuthorizationMessage, example."""

from __future__ import annotations

import json

from garrison.core.principal import Principal
from garrison.policy import PolicyInputs, PolicySet, Request, authorization_message, authorize, compile_policy

BOB = Principal("user", "123456789012", "arn:aws:iam::123456789012:user/Bob", "AIDACKCEVSQ6C2EXAMPLE", "Bob")
INSTANCE = "arn:aws:ec2:us-east-1:123456789012:instance/i-dd01c9bd"


def test_the_documented_example() -> None:
    request = Request("ec2:StopInstances", INSTANCE, BOB.account, BOB, {"ec2:tenancy": "default", "ec2:roots": ["a", "b"]})
    assert authorization_message(authorize(request, PolicyInputs())) == {
        "allowed": False,
        "explicitDeny": False,
        "matchedStatements": {"items": []},
        "failures": {"items": []},
        "context": {
            "principal": {"id": "AIDACKCEVSQ6C2EXAMPLE", "name": "Bob", "arn": "arn:aws:iam::123456789012:user/Bob"},
            "action": "ec2:StopInstances",
            "resource": INSTANCE,
            "conditions": {
                "items": [
                    {"key": "ec2:tenancy", "values": {"items": [{"value": "default"}]}},
                    {"key": "ec2:roots", "values": {"items": [{"value": "a"}, {"value": "b"}]}},
                ],
            },
        },
    }


def test_the_statement_that_denied_is_shown() -> None:
    statement = {"Sid": "Stop", "Effect": "Deny", "Action": "ec2:*", "NotResource": "arn:aws:ec2:*:*:volume/*"}
    statement["Condition"] = {"StringEquals": {"ec2:Tenancy": "default"}}  # type: ignore[assignment]  # JSON of any shape
    guard = compile_policy(json.dumps({"Version": "2012-10-17", "Statement": statement}), "identity")
    request = Request("ec2:StopInstances", INSTANCE, BOB.account, BOB, {"ec2:tenancy": "default"})
    message = authorization_message(authorize(request, PolicyInputs(PolicySet([guard]))))
    assert message["explicitDeny"] is True
    assert message["matchedStatements"]["items"] == [
        {
            "statementId": "Stop",
            "effect": "DENY",
            "principals": {"items": []},
            "principalGroups": {"items": []},
            "actions": {"items": [{"value": "ec2:*"}]},
            "notResources": {"items": [{"value": "arn:aws:ec2:*:*:volume/*"}]},
            "conditions": {
                "items": [{"operator": "StringEquals", "key": "ec2:Tenancy", "values": {"items": [{"value": "default"}]}}],
            },
        },
    ]
