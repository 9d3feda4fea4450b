"""What is told of managed rule groups: ListAvailableManagedRuleGroups, ListAvailableManagedRuleGroupVersions,
DescribeManagedRuleGroup, DescribeAllManagedProducts, DescribeManagedProductsByVendor.

Capacities, rules and labels: AWS WAF Developer Guide, "AWS Managed Rules rule groups list".
"""

from __future__ import annotations

from tests.support.wafv2 import SCOPE, Waf, code, parameter

GROUPS = {
    "AWSManagedRulesCommonRuleSet": 700,
    "AWSManagedRulesAdminProtectionRuleSet": 100,
    "AWSManagedRulesKnownBadInputsRuleSet": 200,
    "AWSManagedRulesSQLiRuleSet": 200,
    "AWSManagedRulesLinuxRuleSet": 200,
    "AWSManagedRulesUnixRuleSet": 100,
    "AWSManagedRulesWindowsRuleSet": 200,
    "AWSManagedRulesPHPRuleSet": 100,
    "AWSManagedRulesWordPressRuleSet": 100,
    "AWSManagedRulesAmazonIpReputationList": 25,
    "AWSManagedRulesAnonymousIpList": 50,
    "AWSManagedRulesBotControlRuleSet": 50,
    "AWSManagedRulesATPRuleSet": 50,
    "AWSManagedRulesACFPRuleSet": 50,
    "AWSManagedRulesAntiDDoSRuleSet": 50,
}


def describe(waf: Waf, name: str, **more: str) -> dict[str, object]:
    return dict(waf.client.describe_managed_rule_group(VendorName="AWS", Name=name, Scope=SCOPE, **more))


def test_every_group_is_listed_with_its_capacity(waf: Waf):
    listed = waf.client.list_available_managed_rule_groups(Scope=SCOPE)["ManagedRuleGroups"]
    assert {each["Name"] for each in listed} == set(GROUPS)
    assert all(each["VendorName"] == "AWS" and each["Description"] for each in listed)
    assert {name: describe(waf, name)["Capacity"] for name in GROUPS} == GROUPS


def test_a_group_tells_its_rules_and_labels(waf: Waf):
    found = describe(waf, "AWSManagedRulesCommonRuleSet")
    assert found["LabelNamespace"] == "awswaf:managed:aws:core-rule-set:"
    assert {"Name": "NoUserAgent_HEADER", "Action": {"Block": {}}} in found["Rules"]  # type: ignore[operator] # a list
    assert {"Name": "awswaf:managed:aws:core-rule-set:NoUserAgent_Header"} in found["AvailableLabels"]  # type: ignore[operator]
    captcha = describe(waf, "AWSManagedRulesBotControlRuleSet")["Rules"]
    assert {"Name": "TGT_SignalAutomatedBrowser", "Action": {"Captcha": {}}} in captcha  # type: ignore[operator] # a list


def test_versions(waf: Waf):
    versions = waf.client.list_available_managed_rule_group_versions(
        VendorName="AWS", Name="AWSManagedRulesSQLiRuleSet", Scope=SCOPE
    )
    names = [each["Name"] for each in versions["Versions"]]
    assert names == ["Version_1.0", "Version_2.0"]
    assert versions["CurrentDefaultVersion"] == describe(waf, "AWSManagedRulesSQLiRuleSet")["VersionName"] == "Version_2.0"
    old = describe(waf, "AWSManagedRulesSQLiRuleSet", VersionName="Version_1.0")
    new = describe(waf, "AWSManagedRulesSQLiRuleSet", VersionName="Version_2.0")
    assert len(old["Rules"]) < len(new["Rules"])  # type: ignore[arg-type] # lists


def test_what_is_not_there(waf: Waf):
    assert code(lambda: describe(waf, "Nothing")) == "WAFNonexistentItemException"
    assert code(lambda: describe(waf, "AWSManagedRulesSQLiRuleSet", VersionName="Version_9.9")) == "WAFNonexistentItemException"
    versions = waf.client.list_available_managed_rule_group_versions
    assert code(lambda: versions(VendorName="Other", Name="x", Scope=SCOPE)) == "WAFNonexistentItemException"
    by_vendor = waf.client.describe_managed_products_by_vendor
    assert parameter(lambda: by_vendor(VendorName="Other", Scope=SCOPE)) == ("MANAGED_RULE_SET", "Other")


def test_lists_come_in_pages(waf: Waf):
    first = waf.client.list_available_managed_rule_groups(Scope=SCOPE, Limit=10)
    second = waf.client.list_available_managed_rule_groups(Scope=SCOPE, NextMarker=first["NextMarker"])
    names = [each["Name"] for page in (first, second) for each in page["ManagedRuleGroups"]]
    assert names == sorted(GROUPS)
    group = {"VendorName": "AWS", "Name": "AWSManagedRulesSQLiRuleSet", "Scope": SCOPE}
    one = waf.client.list_available_managed_rule_group_versions(Limit=1, **group)
    two = waf.client.list_available_managed_rule_group_versions(NextMarker=one["NextMarker"], **group)
    assert [each["Name"] for each in one["Versions"] + two["Versions"]] == ["Version_1.0", "Version_2.0"]


def test_products(waf: Waf):
    products = waf.client.describe_all_managed_products(Scope=SCOPE)["ManagedProducts"]
    assert {each["ManagedRuleSetName"] for each in products} == set(GROUPS)
    assert products == waf.client.describe_managed_products_by_vendor(VendorName="AWS", Scope=SCOPE)["ManagedProducts"]
    advanced = {each["ManagedRuleSetName"] for each in products if each["IsAdvancedManagedRuleSet"]}
    assert advanced == {f"AWSManagedRules{name}RuleSet" for name in ("ACFP", "ATP", "AntiDDoS", "BotControl")}
