"""Effective policies through the API. Source: AWS Organizations API Reference, DescribeEffectivePolicy and its neighbours."""

from __future__ import annotations

import json

from tests.support.organizations import MANAGEMENT, Org, refused

KIND = "TAG_POLICY"


def tags(**found: object) -> str:
    return json.dumps({"tags": found})


def of(org: Org, account: str) -> object:
    found = org.client.describe_effective_policy(PolicyType=KIND, TargetId=account)["EffectivePolicy"]
    assert (found["TargetId"], found["PolicyType"]) == (account, KIND)
    return json.loads(found["PolicyContent"])


def attached(org: Org, target: str, text: str, kind: str = KIND) -> str:
    policy = org.policy(text, kind)
    org.client.attach_policy(PolicyId=policy, TargetId=target)
    return policy


def test_describe_effective_policy_follows_the_tree(org: Org):
    org.enable(KIND)
    account, unit = org.account(), org.unit()
    org.client.move_account(AccountId=account, SourceParentId=org.root, DestinationParentId=unit)
    attached(org, org.root, tags(a={"tag_key": {"@@assign": "a"}, "tag_value": {"@@assign": ["x"]}}))
    attached(org, unit, tags(a={"tag_value": {"@@append": ["y"]}}))
    own = attached(org, account, tags(b={"tag_key": {"@@assign": "b"}}))
    assert of(org, account) == {"tags": {"a": {"tag_key": "a", "tag_value": ["x", "y"]}, "b": {"tag_key": "b"}}}
    assert of(org, MANAGEMENT) == {"tags": {"a": {"tag_key": "a", "tag_value": ["x"]}}}
    member = org.of("organizations", org.administrator(account))
    mine = member.describe_effective_policy(PolicyType=KIND)["EffectivePolicy"]
    assert json.loads(mine["PolicyContent"]) == of(org, account)
    with refused("AccessDeniedException", "You don't have permissions to access this resource."):
        member.describe_effective_policy(PolicyType=KIND, TargetId=MANAGEMENT)
    before = mine["LastUpdatedTimestamp"]
    org.client.update_policy(PolicyId=own, Content=tags(b={"tag_key": {"@@assign": "B"}}))
    after = member.describe_effective_policy(PolicyType=KIND)["EffectivePolicy"]
    assert json.loads(after["PolicyContent"])["tags"]["b"] == {"tag_key": "B"}
    assert after["LastUpdatedTimestamp"] >= before
    org.client.move_account(AccountId=account, SourceParentId=unit, DestinationParentId=org.root)
    assert of(org, account) == {"tags": {"a": {"tag_key": "a", "tag_value": ["x"]}, "b": {"tag_key": "B"}}}


def test_where_there_is_none(org: Org):
    with refused("EffectivePolicyNotFoundException", "this policy type is not enabled"):
        org.client.describe_effective_policy(PolicyType=KIND)
    with refused("EffectivePolicyNotFoundException"):
        org.client.list_accounts_with_invalid_effective_policy(PolicyType=KIND)
    org.enable(KIND)
    with refused("EffectivePolicyNotFoundException"):
        org.client.describe_effective_policy(PolicyType=KIND)
    with refused("EffectivePolicyNotFoundException"):
        org.client.list_effective_policy_validation_errors(PolicyType=KIND, AccountId=MANAGEMENT)
    with refused("TargetNotFoundException"):
        org.client.describe_effective_policy(PolicyType=KIND, TargetId="999999999999")
    for target in (org.root, org.unit()):
        with refused("InvalidInputException", reason="TARGET_NOT_SUPPORTED"):
            org.client.describe_effective_policy(PolicyType=KIND, TargetId=target)
    assert org.client.list_accounts_with_invalid_effective_policy(PolicyType=KIND)["Accounts"] == []


def test_what_is_wrong_with_one(org: Org):
    kind = "BACKUP_POLICY"
    org.enable(kind)
    account = org.account()
    rule = {"schedule_expression": {"@@assign": "cron(0 5 ? * * *)"}}
    text = json.dumps({"plans": {"p": {"regions": {"@@assign": ["us-east-1"]}, "rules": {"r": rule}}}})
    policy = attached(org, account, text, kind)
    found = org.client.list_accounts_with_invalid_effective_policy(PolicyType=kind)
    assert ([each["Id"] for each in found["Accounts"]], found["PolicyType"]) == ([account], kind)
    errors = org.client.list_effective_policy_validation_errors(PolicyType=kind, AccountId=account, MaxResults=1)
    assert errors["Path"] == f"{org.id}/{org.root}/{account}/"
    (first,) = errors["EffectivePolicyValidationErrors"]
    assert (first["ErrorCode"], first["PathToError"]) == ("KEY_REQUIRED", "plans/p/selections")
    assert first["ContributingPolicies"] == [policy]
    rest = org.client.list_effective_policy_validation_errors(PolicyType=kind, AccountId=account, NextToken=errors["NextToken"])
    assert len(rest["EffectivePolicyValidationErrors"]) == 1
    org.client.detach_policy(PolicyId=policy, TargetId=account)
    assert org.client.list_accounts_with_invalid_effective_policy(PolicyType=kind)["Accounts"] == []
