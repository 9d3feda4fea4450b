"""CreateWebACL, GetWebACL, UpdateWebACL, DeleteWebACL, ListWebACLs, CheckCapacity, DeleteFirewallManagerRuleGroups.

Texts of errors: as reported from AWS. Capacities: AWS WAF Developer Guide, rule statements.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.support.house import ACCOUNT, REGION
from tests.support.wafv2 import (
    ALLOW,
    ANY_ID,
    MISSING,
    NONE,
    SCOPE,
    Waf,
    code,
    managed,
    match,
    named,
    parameter,
    refused,
    rule,
    visible,
)


def test_a_web_acl_reads_as_it_was_made(waf: Waf):
    rules = [
        rule("bytes", match(b"\xff\x00raw"), Action={"Count": {}}, RuleLabels=[{"Name": "seen"}]),
        rule("limit", {"RateBasedStatement": {"Limit": 10, "AggregateKeyType": "IP"}}, 1),
        managed("AWSManagedRulesCommonRuleSet", 2),
    ]
    made = waf.acl("whole", *rules, Description="of a test", Tags=[{"Key": "team", "Value": "blue"}], TokenDomains=["a.example"])
    assert re.fullmatch(rf"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl/whole/{made['Id']}", made["ARN"])
    assert made["Description"] == "of a test"
    found = waf.client.get_web_acl(**named(made))
    assert found["LockToken"] == made["LockToken"]
    acl = found["WebACL"]
    assert {key: acl[key] for key in ("Name", "Id", "ARN", "DefaultAction", "Description", "TokenDomains")} == {
        "Name": "whole",
        "Id": made["Id"],
        "ARN": made["ARN"],
        "DefaultAction": ALLOW,
        "Description": "of a test",
        "TokenDomains": ["a.example"],
    }
    assert acl["Rules"] == rules
    # 10 for CONTAINS, 2 for the rate, 700 for the group.
    assert acl["Capacity"] == 712
    assert acl["LabelNamespace"] == f"awswaf:{ACCOUNT}:webacl:whole:"
    assert (acl["ManagedByFirewallManager"], acl["RetrofittedByFirewallManager"]) == (False, False)
    assert waf.client.get_web_acl(ARN=made["ARN"])["WebACL"] == acl


def test_a_web_acl_without_rules_has_an_empty_list(waf: Waf):
    made = waf.client.create_web_acl(Name="bare", Scope=SCOPE, DefaultAction={"Block": {}}, VisibilityConfig=visible())
    acl = waf.client.get_web_acl(**named(made["Summary"]))["WebACL"]
    assert (acl["Rules"], acl["Capacity"], acl["DefaultAction"]) == ([], 0, {"Block": {}})


def test_a_name_is_free_once_in_a_scope(waf: Waf):
    waf.acl("taken")
    answer = refused(lambda: waf.acl("taken"))
    assert answer["Error"]["Code"] == "WAFDuplicateItemException"
    assert answer["Error"]["Message"].startswith("AWS WAF couldn’t perform the operation because some resource")  # noqa: RUF001 - AWS's


def test_a_change_needs_the_present_lock_token(waf: Waf):
    made = waf.acl("locked")
    settings = {"DefaultAction": {"Block": {}}, "VisibilityConfig": visible()}
    changed = waf.client.update_web_acl(LockToken=made["LockToken"], **named(made), **settings)
    assert changed["NextLockToken"] != made["LockToken"]
    for late in (
        lambda: waf.client.update_web_acl(LockToken=made["LockToken"], **named(made), **settings),
        lambda: waf.client.delete_web_acl(LockToken=made["LockToken"], **named(made)),
        lambda: waf.client.delete_firewall_manager_rule_groups(WebACLArn=made["ARN"], WebACLLockToken=made["LockToken"]),
    ):
        assert code(late) == "WAFOptimisticLockException"
    assert waf.client.get_web_acl(**named(made))["WebACL"]["DefaultAction"] == {"Block": {}}
    waf.client.delete_web_acl(LockToken=changed["NextLockToken"], **named(made))
    assert refused(lambda: waf.client.get_web_acl(**named(made)))["Error"]["Message"] == MISSING


def test_an_update_replaces_everything(waf: Waf):
    made = waf.acl("replaced", rule("one"), Description="first of all")
    waf.client.update_web_acl(LockToken=made["LockToken"], DefaultAction=ALLOW, VisibilityConfig=visible("other"), **named(made))
    acl = waf.client.get_web_acl(**named(made))["WebACL"]
    assert (acl["Rules"], acl["Capacity"], acl["VisibilityConfig"]["MetricName"]) == ([], 0, "other")
    assert "Description" not in acl


def test_no_rule_groups_of_firewall_manager_are_left(waf: Waf):
    made = waf.acl("fms", rule("own"))
    answer = waf.client.delete_firewall_manager_rule_groups(WebACLArn=made["ARN"], WebACLLockToken=made["LockToken"])
    acl = waf.client.get_web_acl(**named(made))
    assert acl["LockToken"] == answer["NextWebACLLockToken"] != made["LockToken"]
    assert [each["Name"] for each in acl["WebACL"]["Rules"]] == ["own"]


def test_what_is_not_there(waf: Waf):
    missing = {"Name": "nobody", "Scope": SCOPE, "Id": ANY_ID}
    settings = {"DefaultAction": ALLOW, "VisibilityConfig": visible(), "LockToken": ANY_ID}
    foreign = f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl/nobody/{ANY_ID}"
    for call in (
        lambda: waf.client.get_web_acl(**missing),
        lambda: waf.client.get_web_acl(ARN=foreign),
        lambda: waf.client.update_web_acl(**missing, **settings),
        lambda: waf.client.delete_web_acl(LockToken=ANY_ID, **missing),
        lambda: waf.client.delete_firewall_manager_rule_groups(WebACLArn=foreign, WebACLLockToken=ANY_ID),
    ):
        answer = refused(call)["Error"]
        assert (answer["Code"], answer["Message"]) == ("WAFNonexistentItemException", MISSING)


def test_name_and_id_must_be_of_one_web_acl(waf: Waf):
    one, two = waf.acl("one"), waf.acl("two")
    assert code(lambda: waf.client.get_web_acl(Name="one", Scope=SCOPE, Id=two["Id"])) == "WAFNonexistentItemException"
    assert waf.client.get_web_acl(Name="one", Scope=SCOPE, Id=one["Id"])["WebACL"]["Name"] == "one"


def test_a_web_acl_is_named_whole(waf: Waf):
    assert parameter(lambda: waf.client.get_web_acl(Name="half", Scope=SCOPE)) == ("WEB_ACL", "ARN")
    arn = f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/ipset/name/{ANY_ID}"
    assert parameter(lambda: waf.client.get_web_acl(ARN=arn)) == ("RESOURCE_ARN", arn)


def test_the_scope_of_cloudfront_is_in_one_region(waf: Waf):
    for call in (
        lambda: waf.acl("global", Scope="CLOUDFRONT"),
        lambda: waf.client.list_web_acls(Scope="CLOUDFRONT"),
        lambda: waf.client.check_capacity(Scope="CLOUDFRONT", Rules=[rule("one")]),
    ):
        assert parameter(call) == ("SCOPE_VALUE", "CLOUDFRONT")
        assert refused(call)["Reason"] == "The scope is not valid."


def test_the_engine_says_what_no_web_acl_may_be(waf: Waf):
    both: Any = {"DefaultAction": {"Allow": {}, "Block": {}}}
    assert parameter(lambda: waf.acl("no", **both)) == ("DEFAULT_ACTION", "DefaultAction")
    none = rule("none", {})
    assert parameter(lambda: waf.acl("no", none)) == ("STATEMENT", "Statement")
    single = {"AndStatement": {"Statements": [match()]}}
    field, _ = parameter(lambda: waf.acl("no", rule("and", single)))
    assert field == "AND_STATEMENT"
    twice = (rule("same"), rule("same", priority=1))
    assert parameter(lambda: waf.acl("no", *twice))[0] == "RULE"
    long = match(b"x" * 201)
    assert parameter(lambda: waf.acl("no", rule("long", long))) == ("BYTE_MATCH_STATEMENT", "SearchString")
    back = {"RegexMatchStatement": {"RegexString": r"(a)\1", "FieldToMatch": {"Method": {}}, "TextTransformations": NONE}}
    assert parameter(lambda: waf.acl("no", rule("back", back))) == ("STATEMENT", r"(a)\1")
    assert code(lambda: waf.client.get_web_acl(Name="no", Scope=SCOPE, Id=ANY_ID)) == "WAFNonexistentItemException"


def test_rules_refer_to_what_exists(waf: Waf):
    arn = f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/ipset/none/{ANY_ID}"
    lost = rule("lost", {"IPSetReferenceStatement": {"ARN": arn}})
    assert code(lambda: waf.acl("lost", lost)) == "WAFNonexistentItemException"
    wrong = rule("wrong", {"IPSetReferenceStatement": {"ARN": arn.replace("regional", "global")}})
    assert parameter(lambda: waf.acl("wrong", wrong)) == ("RULE", "Statement")
    assert code(lambda: waf.acl("no-group", managed("AWSKnownBadInputs"))) == "WAFNonexistentItemException"
    version = managed("AWSManagedRulesCommonRuleSet", Version="Version_9.0")
    assert code(lambda: waf.acl("no-version", version)) == "WAFNonexistentItemException"


def test_overrides_name_rules_that_are_there(waf: Waf):
    misspelt = [{"Name": "SizeRestrictions_Body", "ActionToUse": {"Count": {}}}]
    acl = managed("AWSManagedRulesCommonRuleSet", RuleActionOverrides=misspelt)
    assert parameter(lambda: waf.acl("misspelt", acl)) == ("MANAGED_RULE_SET_STATEMENT", "SizeRestrictions_Body")
    excluded = managed("AWSManagedRulesCommonRuleSet", ExcludedRules=[{"Name": "Nothing"}])
    assert parameter(lambda: waf.acl("excluded", excluded)) == ("EXCLUDED_RULE", "Nothing")
    group = waf.group("overridden", rule("inner"))
    spec = {"ARN": group["ARN"], "RuleActionOverrides": [{"Name": "outer", "ActionToUse": {"Count": {}}}]}
    own = rule("own", {"RuleGroupReferenceStatement": spec}, OverrideAction={"None": {}})
    assert parameter(lambda: waf.acl("outer", own)) == ("RULE_GROUP_REFERENCE_STATEMENT", "outer")


def test_capacity_is_bounded(waf: Waf):
    names = (
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "AWSManagedRulesSQLiRuleSet",
    )
    several = [rule(f"xss-{number}", _xss(number), number) for number in range(100)]
    within = [managed(name, 200 + index) for index, name in enumerate(names)]
    assert waf.client.check_capacity(Scope=SCOPE, Rules=within)["Capacity"] == 700 + 200 + 200
    answer = refused(lambda: waf.acl("too-much", *several, *within))
    assert answer["Error"]["Code"] == "WAFInvalidParameterException"
    # 40 for each statement and 10 for each transformation of each header.
    assert answer["Error"]["Message"] == (
        "Error reason: You exceeded the capacity limit for a rule group or web ACL., field: WEB_ACL, parameter: 6100"
    )


def _xss(number: int) -> dict[str, object]:
    where = {"SingleHeader": {"Name": f"header-{number}"}}
    return {"XssMatchStatement": {"FieldToMatch": where, "TextTransformations": [{"Priority": 0, "Type": "URL_DECODE"}]}}


def test_check_capacity_counts_and_refuses(waf: Waf):
    def capacity(*rules: dict[str, object]) -> int:
        return int(waf.client.check_capacity(Scope=SCOPE, Rules=list(rules))["Capacity"])

    assert capacity(rule("one")) == 10
    assert capacity(rule("one", match(b"x", "EXACTLY"))) == 2
    group = waf.group("counted", rule("inner"), capacity=77)
    reference = rule("group", {"RuleGroupReferenceStatement": {"ARN": group["ARN"]}}, OverrideAction={"None": {}})
    assert capacity(reference) == 77
    assert parameter(lambda: capacity(rule("none", {}))) == ("STATEMENT", "Statement")
    lost = rule("lost", {"RuleGroupReferenceStatement": {"ARN": group["ARN"][:-1] + "0"}}, OverrideAction={"None": {}})
    assert code(lambda: capacity(lost)) in {"WAFNonexistentItemException", "WAFInvalidParameterException"}
    assert code(lambda: capacity(managed("Nothing"))) == "WAFNonexistentItemException"


def test_an_account_has_a_hundred_web_acls(waf: Waf):
    there = len(waf.client.list_web_acls(Scope=SCOPE, Limit=100)["WebACLs"])
    for number in range(100 - there):
        waf.acl(f"z-{number:03}")
    answer = refused(lambda: waf.acl("one-more"))
    assert answer["Error"]["Code"] == "WAFLimitsExceededException"
    assert answer["SourceType"] == "WEB_ACL"


def test_lists_come_in_pages(waf: Waf):
    names, marker = [], None
    while True:
        more: dict[str, str] = {} if marker is None else {"NextMarker": marker}
        page = waf.client.list_web_acls(Scope=SCOPE, Limit=7, **more)
        assert len(page["WebACLs"]) <= 7
        assert all(set(each) == {"Name", "Id", "ARN", "LockToken", "Description"} for each in page["WebACLs"])
        names += [each["Name"] for each in page["WebACLs"]]
        marker = page.get("NextMarker")
        if marker is None:
            break
    assert names == sorted(names)
    assert len(names) == len(set(names)) == 100
    first = waf.client.list_web_acls(Scope=SCOPE, Limit=1)["NextMarker"]
    for call in (
        lambda: waf.client.list_ip_sets(Scope=SCOPE, NextMarker=first),
        lambda: waf.client.list_web_acls(Scope=SCOPE, NextMarker=first[:-1]),
        lambda: waf.client.list_web_acls(Scope=SCOPE, NextMarker="1"),
    ):
        answer = refused(call)
        assert (answer["Error"]["Code"], answer["Parameter"]) == ("WAFInvalidParameterException", "NextMarker")


def test_data_protection_names_each_field_once(waf: Waf):
    def protect(kind: str, *keys: str) -> dict[str, object]:
        return {"Field": {"FieldType": kind, **({"FieldKeys": list(keys)} if keys else {})}, "Action": "SUBSTITUTION"}

    def check(*protections: dict[str, object]) -> tuple[str, str]:
        return parameter(lambda: waf.acl("protected", DataProtectionConfig={"DataProtections": list(protections)}))

    assert check(protect("BODY", "a")) == ("DATA_PROTECTION_CONFIG", "BODY")
    assert check(protect("SINGLE_HEADER")) == ("DATA_PROTECTION_CONFIG", "SINGLE_HEADER")
    assert check(protect("SINGLE_HEADER", "Cookie"), protect("SINGLE_HEADER", "cookie")) == ("DATA_PROTECTION_CONFIG", "cookie")
    assert check(protect("BODY"), protect("BODY")) == ("DATA_PROTECTION_CONFIG", "BODY")


def test_what_is_not_here_is_refused(waf: Waf):
    """Payments for access and analyses across Regions are AWS's own: a web ACL that asks for them would not do what it says."""
    network = {"Chain": "BASE", "WalletAddress": "0x" + "a" * 40, "Prices": [{"Amount": "1", "Currency": "USDC"}]}
    money = {"CryptoConfig": {"PaymentNetworks": [network]}, "CurrencyMode": "TEST"}
    for more in ({"MonetizationConfig": money}, {"AnalyticsConfig": {"Mode": "CROSS_REGION"}}):
        assert code(waf.acl, "elsewhere", **more) == "WAFInvalidOperationException"


def test_a_change_leaves_an_item_that_compliance_can_ask(waf: Waf):
    made = waf.client.list_web_acls(Scope=SCOPE, Limit=1)["WebACLs"][0]
    current = waf.client.get_web_acl(**named(made))
    answer = waf.client.update_web_acl(
        LockToken=current["LockToken"],
        DefaultAction={"Block": {}},
        VisibilityConfig=visible(),
        Rules=[rule("one"), managed("AWSManagedRulesSQLiRuleSet", 1)],
        **named(made),
    )
    (item,) = waf.house.items(answer["ResponseMetadata"]["RequestId"])
    assert (item.type, item.name, item.arn) == ("AWS::WAFv2::WebACL", made["Name"], made["ARN"])
    facts = json.loads(item.facts)
    assert facts == {
        "ruleCount": 2,
        "everyRuleHasMetrics": True,
        "rateBased": False,
        "managedRuleGroups": ["AWS#AWSManagedRulesSQLiRuleSet"],
        "associatedResources": [],
        "logging": False,
        "defaultAction": "Block",
    }
