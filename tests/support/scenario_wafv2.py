"""The steps of the scenario that are AWS WAF's: one valid call of each of its operations."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.support.house import ACCOUNT, REGION

if TYPE_CHECKING:
    from tests.support.scenario import Answers, Step, Wanted

Members = dict[str, Any]
TAGS = {"team": "blue"}
TAG_LIST = [{"Key": "team", "Value": "blue"}]
MORE = {"Key": "more", "Value": "x"}
KINDS = {
    "webacl": "AWS::WAFv2::WebACL",
    "rulegroup": "AWS::WAFv2::RuleGroup",
    "ipset": "AWS::WAFv2::IPSet",
    "regexpatternset": "AWS::WAFv2::RegexPatternSet",
}
API = f"arn:aws:apigateway:{REGION}::/restapis/garrison/stages/api"
LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:aws-waf-logs-web"
MISSING = "WAFNonexistentItemException"
NOBODYS: Members = {"Name": "offer", "Scope": "REGIONAL", "Id": "a1b2c3d4-0000-4000-8000-a1b2c3d4e5f6"}
TOKEN = "a1b2c3d4-0000-4000-8000-000000000000"
SHARED = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": ["wafv2:CreateWebACL", "wafv2:UpdateWebACL", "wafv2:PutFirewallManagerRuleGroups"],
        }
    ],
}


def visible(metric: str) -> Members:
    """What a rule, rule group or web ACL shows of itself."""
    return {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": metric}


def rule(name: str, statement: dict[str, Any], **more: Any) -> Members:
    """A rule that blocks, unless ``more`` says otherwise."""
    action: Members = {} if "OverrideAction" in more else {"Action": {"Block": {}}}
    return {"Name": name, "Priority": 0, "Statement": statement, "VisibilityConfig": visible(name), **action, **more}


def steps(answers: Answers) -> Iterator[Step]:
    """Make one of everything, use it, and leave nothing behind."""
    yield from _sets(answers)
    yield from _groups(answers)
    yield from _acls(answers)
    yield from _logs(answers)
    yield from _seen(answers)
    yield from _managed()
    yield from _keys(answers)
    yield from _elsewhere(answers)
    yield from _ends(answers)


def _step(operation: str, item: Wanted | None = None, fails: str = "", **members: Any) -> Step:
    from tests.support.scenario import Step  # noqa: PLC0415 - the scenario imports its parts

    return Step("wafv2", operation, members, item, fails)


def _item(kind: str, arn: str = "", tags: dict[str, str] | None = None, *, deleted: bool = False) -> Wanted:
    from tests.support.scenario import Wanted  # noqa: PLC0415 - the same

    return Wanted(KINDS[kind], arn, REGION, {} if deleted else TAGS if tags is None else tags, deleted)


def _named(summary: Members) -> Members:
    return {"Name": summary["Name"], "Scope": "REGIONAL", "Id": summary["Id"]}


def _sets(answers: Answers) -> Iterator[Step]:
    scope: Members = {"Scope": "REGIONAL"}
    addresses: Members = {"IPAddressVersion": "IPV4", "Addresses": ["192.0.2.0/24"]}
    yield _step("CreateIPSet", _item("ipset"), Name="bad", Tags=TAG_LIST, **scope, **addresses)
    made = answers["ipset"] = answers["CreateIPSet"]["Summary"]
    item = _item("ipset", made["ARN"])
    yield _step("GetIPSet", **_named(made))
    yield _step("UpdateIPSet", item, Addresses=["198.51.100.0/24"], LockToken=made["LockToken"], **_named(made))
    made["LockToken"] = answers["UpdateIPSet"]["NextLockToken"]
    yield _step("ListIPSets", **scope)
    yield _step("TagResource", _item("ipset", made["ARN"], {**TAGS, "more": "x"}), ResourceARN=made["ARN"], Tags=[MORE])
    yield _step("ListTagsForResource", ResourceARN=made["ARN"])
    yield _step("UntagResource", item, ResourceARN=made["ARN"], TagKeys=["more"])
    patterns: Members = {"RegularExpressionList": [{"RegexString": "^/admin"}]}
    yield _step("CreateRegexPatternSet", _item("regexpatternset"), Name="paths", Tags=TAG_LIST, **scope, **patterns)
    made = answers["regexes"] = answers["CreateRegexPatternSet"]["Summary"]
    item = _item("regexpatternset", made["ARN"])
    yield _step("GetRegexPatternSet", **_named(made))
    yield _step("UpdateRegexPatternSet", item, LockToken=made["LockToken"], **_named(made), **patterns)
    made["LockToken"] = answers["UpdateRegexPatternSet"]["NextLockToken"]
    yield _step("ListRegexPatternSets", **scope)


def _groups(answers: Answers) -> Iterator[Step]:
    rules = [rule("addresses", {"IPSetReferenceStatement": {"ARN": answers["ipset"]["ARN"]}})]
    settings: Members = {"Rules": rules, "VisibilityConfig": visible("group")}
    yield _step("CheckCapacity", Scope="REGIONAL", Rules=rules)
    yield _step("CreateRuleGroup", _item("rulegroup"), Name="group", Scope="REGIONAL", Capacity=50, Tags=TAG_LIST, **settings)
    made = answers["group"] = answers["CreateRuleGroup"]["Summary"]
    item = _item("rulegroup", made["ARN"])
    yield _step("GetRuleGroup", ARN=made["ARN"])
    yield _step("UpdateRuleGroup", item, LockToken=made["LockToken"], **_named(made), **settings)
    made["LockToken"] = answers["UpdateRuleGroup"]["NextLockToken"]
    yield _step("ListRuleGroups", Scope="REGIONAL")
    yield _step("PutPermissionPolicy", item, ResourceArn=made["ARN"], Policy=json.dumps(SHARED))
    yield _step("GetPermissionPolicy", ResourceArn=made["ARN"])
    yield _step("DeletePermissionPolicy", item, ResourceArn=made["ARN"])


def _acls(answers: Answers) -> Iterator[Step]:
    limit: Members = {"RateBasedStatement": {"Limit": 100, "AggregateKeyType": "IP"}}
    group: Members = {"RuleGroupReferenceStatement": {"ARN": answers["group"]["ARN"]}}
    settings: Members = {
        "DefaultAction": {"Allow": {}},
        "VisibilityConfig": visible("acl"),
        "Rules": [rule("limit", limit), rule("group", group, Priority=1, OverrideAction={"None": {}})],
    }
    yield _step("CreateWebACL", _item("webacl"), Name="acl", Scope="REGIONAL", Tags=TAG_LIST, **settings)
    made = answers["acl"] = answers["CreateWebACL"]["Summary"]
    item = _item("webacl", made["ARN"])
    yield _step("GetWebACL", ARN=made["ARN"])
    yield _step("UpdateWebACL", item, LockToken=made["LockToken"], **_named(made), **settings)
    token = answers["UpdateWebACL"]["NextLockToken"]
    yield _step("ListWebACLs", Scope="REGIONAL")
    yield _step("DeleteFirewallManagerRuleGroups", item, WebACLArn=made["ARN"], WebACLLockToken=token)
    made["LockToken"] = answers["DeleteFirewallManagerRuleGroups"]["NextWebACLLockToken"]
    yield _step("AssociateWebACL", item, WebACLArn=made["ARN"], ResourceArn=API)
    yield _step("GetWebACLForResource", ResourceArn=API)
    yield _step("ListResourcesForWebACL", WebACLArn=made["ARN"], ResourceType="API_GATEWAY")
    yield _step("DisassociateWebACL", item, ResourceArn=API)


def _logs(answers: Answers) -> Iterator[Step]:
    arn = answers["acl"]["ARN"]
    config: Members = {"ResourceArn": arn, "LogDestinationConfigs": [LOGS]}
    yield _step("PutLoggingConfiguration", _item("webacl", arn), LoggingConfiguration=config)
    yield _step("GetLoggingConfiguration", ResourceArn=arn)
    yield _step("ListLoggingConfigurations", Scope="REGIONAL")
    yield _step("DeleteLoggingConfiguration", _item("webacl", arn), ResourceArn=arn)


def _window() -> dict[str, float]:
    now = time.time()
    return {"StartTime": now - 600, "EndTime": now}


def _seen(answers: Answers) -> Iterator[Step]:
    made = answers["acl"]
    asked: Members = {"WebAclArn": made["ARN"], "Scope": "REGIONAL", "TimeWindow": _window()}
    yield _step("GetSampledRequests", RuleMetricName="limit", MaxItems=10, **asked)
    named: Members = {"Scope": "REGIONAL", "WebACLName": made["Name"], "WebACLId": made["Id"]}
    yield _step("GetRateBasedStatementManagedKeys", RuleName="limit", **named)
    yield _step("GetTopPathStatisticsByTraffic", Limit=10, NumberOfTopTrafficBotsPerPath=3, **asked)


def _managed() -> Iterator[Step]:
    group: Members = {"VendorName": "AWS", "Name": "AWSManagedRulesCommonRuleSet", "Scope": "REGIONAL"}
    yield _step("ListAvailableManagedRuleGroups", Scope="REGIONAL")
    yield _step("ListAvailableManagedRuleGroupVersions", **group)
    yield _step("DescribeManagedRuleGroup", **group)
    yield _step("DescribeAllManagedProducts", Scope="REGIONAL")
    yield _step("DescribeManagedProductsByVendor", VendorName="AWS", Scope="REGIONAL")


def _keys(answers: Answers) -> Iterator[Step]:
    yield _step("CreateAPIKey", Scope="REGIONAL", TokenDomains=["app.example"])
    key = answers["CreateAPIKey"]["APIKey"]
    yield _step("GetDecryptedAPIKey", Scope="REGIONAL", APIKey=key)
    yield _step("ListAPIKeys", Scope="REGIONAL")
    yield _step("DeleteAPIKey", Scope="REGIONAL", APIKey=key)


def _elsewhere(answers: Answers) -> Iterator[Step]:
    """What only AWS has: lists are empty, and nothing that is named exists."""
    scope: Members = {"Scope": "REGIONAL"}
    yield _step("ListManagedRuleSets", **scope)
    yield _step("GetManagedRuleSet", fails=MISSING, **NOBODYS)
    yield _step("PutManagedRuleSetVersions", fails=MISSING, LockToken=TOKEN, **NOBODYS)
    expiry: Members = {"VersionToExpire": "1", "ExpiryTimestamp": time.time()}
    yield _step("UpdateManagedRuleSetVersionExpiryDate", fails=MISSING, LockToken=TOKEN, **NOBODYS, **expiry)
    yield _step("ListMobileSdkReleases", Platform="IOS")
    yield _step("GetMobileSdkRelease", fails=MISSING, Platform="IOS", ReleaseVersion="1.0")
    yield _step("GenerateMobileSdkReleaseUrl", fails=MISSING, Platform="IOS", ReleaseVersion="1.0")
    money: Members = {"TimeWindow": _window(), "Currency": "USDC", **scope}
    yield _step("GetRevenueStatistics", StatisticType="TOP_PATHS_BY_REVENUE", **money)
    yield _step("GetRevenueStatisticsSummary", **money)
    yield _step("GetRevenueStatisticsTimeSeries", StatisticType="DATE_HISTOGRAM", Interval="HOURLY", **money)
    yield _step("ListSettlementRecords", **money)
    arn = answers["acl"]["ARN"]
    yield _step("ListEvents", **scope)
    yield _step("ListEventsByWebACL", WebAclArn=arn, **scope)
    yield _step("GetEvent", fails=MISSING, WebAclArn=arn, EventId=NOBODYS["Id"], **scope)
    yield _step("ListEventActors", TimeWindow=_window(), **scope)
    yield _step("GetEventActor", fails=MISSING, EventActorId=NOBODYS["Id"], **scope)


def _ends(answers: Answers) -> Iterator[Step]:
    for operation, kind, made in (
        ("DeleteWebACL", "webacl", answers["acl"]),
        ("DeleteRuleGroup", "rulegroup", answers["group"]),
        ("DeleteRegexPatternSet", "regexpatternset", answers["regexes"]),
        ("DeleteIPSet", "ipset", answers["ipset"]),
    ):
        gone = _item(kind, made["ARN"], deleted=True)
        yield _step(operation, gone, LockToken=made["LockToken"], **_named(made))
