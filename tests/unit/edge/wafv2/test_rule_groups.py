"""CreateRuleGroup, GetRuleGroup, UpdateRuleGroup, DeleteRuleGroup, ListRuleGroups, and their permission policies.

PutPermissionPolicy, GetPermissionPolicy, DeletePermissionPolicy: AWS WAF API Reference, PutPermissionPolicy.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.house import ACCOUNT
from tests.support.wafv2 import ALLOW, ANY_ID, OTHER_ACCOUNT, SCOPE, Waf, code, match, named, parameter, refused, rule, visible

ACTIONS = ["wafv2:CreateWebACL", "wafv2:UpdateWebACL", "wafv2:PutFirewallManagerRuleGroups"]


def policy(**changes: Any) -> str:
    """A policy as a rule group takes it, with these changes of its statement; None takes a member away."""
    statement = {"Effect": "Allow", "Principal": {"AWS": OTHER_ACCOUNT}, "Action": ACTIONS, **changes}
    kept = {name: value for name, value in statement.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [kept]})


def test_a_rule_group_reads_as_it_was_made(waf: Waf):
    known = {"LabelMatchStatement": {"Scope": "LABEL", "Key": "awswaf:managed:aws:bot-control:bot:verified"}}
    rules = [rule("labels", RuleLabels=[{"Name": "seen"}]), rule("matches", known, 1)]
    made = waf.group("whole", *rules, capacity=50, Description="of a test")
    found = waf.client.get_rule_group(**named(made))
    assert found["LockToken"] == made["LockToken"]
    group = found["RuleGroup"]
    assert group["Rules"] == rules
    assert (group["Capacity"], group["LabelNamespace"]) == (50, f"awswaf:{ACCOUNT}:rulegroup:whole:")
    assert group["AvailableLabels"] == [{"Name": f"awswaf:{ACCOUNT}:rulegroup:whole:seen"}]
    assert group["ConsumedLabels"] == [{"Name": "awswaf:managed:aws:bot-control:bot:verified"}]
    assert waf.client.get_rule_group(ARN=made["ARN"])["RuleGroup"] == group
    assert "whole" in [each["Name"] for each in waf.client.list_rule_groups(Scope=SCOPE)["RuleGroups"]]


def test_a_rule_group_stays_within_its_capacity(waf: Waf):
    assert parameter(lambda: waf.group("small", rule("one"), capacity=9)) == ("RULE_GROUP", "10")
    answer = refused(lambda: waf.group("large", capacity=5001))
    assert (answer["Error"]["Code"], answer["SourceType"]) == ("WAFLimitsExceededException", "RULE_GROUP")
    made = waf.group("fits", rule("one"), capacity=10)
    change = {"VisibilityConfig": visible(), "LockToken": made["LockToken"], **named(made)}
    two = [rule("one"), rule("two", match(b"y"), 1)]
    assert parameter(lambda: waf.client.update_rule_group(Rules=two, **change)) == ("RULE_GROUP", "20")
    token = waf.client.update_rule_group(Rules=[rule("other", match(b"z", "EXACTLY"))], **change)["NextLockToken"]
    assert waf.client.get_rule_group(**named(made))["RuleGroup"]["Capacity"] == 10
    assert code(lambda: waf.client.update_rule_group(**change)) == "WAFOptimisticLockException"
    waf.client.delete_rule_group(LockToken=token, **named(made))
    assert code(lambda: waf.client.get_rule_group(**named(made))) == "WAFNonexistentItemException"


def test_a_rule_group_refers_to_no_group(waf: Waf):
    inner = waf.group("inner", rule("one"))
    nested = rule("nested", {"RuleGroupReferenceStatement": {"ARN": inner["ARN"]}}, OverrideAction={"None": {}})
    assert parameter(lambda: waf.group("outer", nested)) == ("STATEMENT", "RuleGroupReferenceStatement")


def test_a_rule_group_in_use_stays(waf: Waf):
    made = waf.group("used", rule("one"))
    acl = waf.acl("user", rule("group", {"RuleGroupReferenceStatement": {"ARN": made["ARN"]}}, OverrideAction={"None": {}}))

    def delete() -> object:
        return waf.client.delete_rule_group(LockToken=made["LockToken"], **named(made))

    assert code(delete) == "WAFAssociatedItemException"
    waf.client.delete_web_acl(LockToken=acl["LockToken"], **named(acl))
    delete()


def test_a_set_that_a_group_refers_to_stays(waf: Waf):
    addresses = waf.ip_set("held", "192.0.2.0/24")
    waf.group("holder", rule("one", {"IPSetReferenceStatement": {"ARN": addresses["ARN"]}}))
    delete = {"LockToken": addresses["LockToken"], **named(addresses)}
    assert code(lambda: waf.client.delete_ip_set(**delete)) == "WAFAssociatedItemException"


def test_what_is_not_there(waf: Waf):
    missing = {"Name": "nobody", "Scope": SCOPE, "Id": ANY_ID}
    arn = waf.group("there")["ARN"]
    for call in (
        lambda: waf.client.get_rule_group(**missing),
        lambda: waf.client.update_rule_group(VisibilityConfig=visible(), LockToken=ANY_ID, **missing),
        lambda: waf.client.delete_rule_group(LockToken=ANY_ID, **missing),
        lambda: waf.client.get_permission_policy(ResourceArn=arn),
        lambda: waf.client.delete_permission_policy(ResourceArn=arn),
        lambda: waf.client.put_permission_policy(ResourceArn=arn[:-36] + ANY_ID, Policy=policy()),
    ):
        assert code(call) == "WAFNonexistentItemException"
    acl = waf.acl("no-group")["ARN"]
    assert parameter(lambda: waf.client.put_permission_policy(ResourceArn=acl, Policy=policy())) == ("RESOURCE_ARN", acl)


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        json.dumps({"Version": "2008-10-17", "Statement": []}),
        policy(Effect="Deny"),
        policy(Principal=None),
        policy(Action=ACTIONS[:2]),
        policy(Action="wafv2:*"),
        policy(Action=[*ACTIONS, "wafv2:DeleteRuleGroup"]),
        policy(Resource="*"),
        policy(NotPrincipal={"AWS": ACCOUNT}, Principal=None),
        policy(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"}),
    ],
)
def test_a_permission_policy_allows_what_sharing_needs_and_no_more(waf: Waf, text: str):
    made = waf.group(f"policy-{abs(hash(text))}")
    answer = refused(lambda: waf.client.put_permission_policy(ResourceArn=made["ARN"], Policy=text))
    assert answer["Error"]["Code"] == "WAFInvalidPermissionPolicyException"


def test_another_account_uses_a_shared_group_and_no_other(waf: Waf):
    other = waf.other_account()
    shared = waf.group("shared", rule("one"), capacity=30)
    spec = {"RuleGroupReferenceStatement": {"ARN": shared["ARN"]}}
    settings = {
        "Name": "borrower",
        "Scope": SCOPE,
        "DefaultAction": ALLOW,
        "VisibilityConfig": visible(),
        "Rules": [rule("borrowed", spec, OverrideAction={"None": {}})],
    }
    assert code(lambda: other.create_web_acl(**settings)) == "AccessDeniedException"
    waf.client.put_permission_policy(ResourceArn=shared["ARN"], Policy=policy(Action=[*ACTIONS, "wafv2:GetRuleGroup"]))
    assert waf.client.get_permission_policy(ResourceArn=shared["ARN"])["Policy"] == policy(
        Action=[*ACTIONS, "wafv2:GetRuleGroup"]
    )
    acl = other.create_web_acl(**settings)["Summary"]
    assert other.get_web_acl(ARN=acl["ARN"])["WebACL"]["Capacity"] == 30
    assert other.get_rule_group(ARN=shared["ARN"])["RuleGroup"]["Name"] == "shared"
    # What the policy does not allow stays the owner's: changes, and the group in lists.
    assert [each["Name"] for each in other.list_rule_groups(Scope=SCOPE)["RuleGroups"]] == []
    assert code(lambda: other.get_permission_policy(ResourceArn=shared["ARN"])) == "AccessDeniedException"
    assert (
        code(lambda: other.tag_resource(ResourceARN=shared["ARN"], Tags=[{"Key": "a", "Value": "b"}])) == "AccessDeniedException"
    )
    gone = {"LockToken": shared["LockToken"], **named(shared)}
    assert code(lambda: waf.client.delete_rule_group(**gone)) == "WAFAssociatedItemException"
    waf.client.delete_permission_policy(ResourceArn=shared["ARN"])
    late = {**settings, "Id": acl["Id"], "LockToken": acl["LockToken"]}
    assert code(lambda: other.update_web_acl(**late)) == "AccessDeniedException"
    assert code(lambda: other.get_rule_group(ARN=shared["ARN"])) == "AccessDeniedException"


def test_sets_are_not_shared(waf: Waf):
    """Another account's IP set has no policy that could allow it."""
    addresses = waf.ip_set("own", "192.0.2.0/24")
    other = waf.house.client("wafv2", _other_key(waf))
    spec = rule("foreign", {"IPSetReferenceStatement": {"ARN": addresses["ARN"]}})
    settings = {"Name": "thief", "Scope": SCOPE, "DefaultAction": ALLOW, "VisibilityConfig": visible(), "Rules": [spec]}
    assert code(lambda: other.create_web_acl(**settings)) == "AccessDeniedException"
    assert code(lambda: other.check_capacity(Scope=SCOPE, Rules=[spec])) == "WAFInvalidParameterException"


def _other_key(waf: Waf) -> Any:
    from garrison import app  # noqa: PLC0415 - of this test alone
    from tests.support.server import AccessKey  # noqa: PLC0415 - the same

    return AccessKey(*app.stored_credentials(waf.house.state, OTHER_ACCOUNT).admin_key)
