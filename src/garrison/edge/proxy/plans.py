"""The web ACL that a few words on the command line make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Document = Mapping[str, Any]
MANAGED: Final[Mapping[str, str]] = {
    "common": "AWSManagedRulesCommonRuleSet",
    "admin": "AWSManagedRulesAdminProtectionRuleSet",
    "known-bad-inputs": "AWSManagedRulesKnownBadInputsRuleSet",
    "sqli": "AWSManagedRulesSQLiRuleSet",
    "linux": "AWSManagedRulesLinuxRuleSet",
    "posix": "AWSManagedRulesUnixRuleSet",
    "windows": "AWSManagedRulesWindowsRuleSet",
    "php": "AWSManagedRulesPHPRuleSet",
    "wordpress": "AWSManagedRulesWordPressRuleSet",
    "ip-reputation": "AWSManagedRulesAmazonIpReputationList",
    "anonymous-ip": "AWSManagedRulesAnonymousIpList",
    "bot-control": "AWSManagedRulesBotControlRuleSet",
}
"""Short names of managed rule groups that need no more than their name."""
_CONFIGS: Final[Mapping[str, Sequence[Document]]] = {
    "AWSManagedRulesBotControlRuleSet": [{"AWSManagedRulesBotControlRuleSet": {"InspectionLevel": "COMMON"}}],
}
RATE_WINDOW: Final = 300


def parse_managed(text: str) -> list[str]:
    """The AWS names of a comma-separated list of short or AWS names. Raises ValueError for what is none."""
    found = []
    for each in filter(None, (part.strip() for part in text.split(","))):
        name = MANAGED.get(each, each)
        if name not in MANAGED.values():
            raise ValueError(f"`{each}` is no managed rule group of: {', '.join(MANAGED)}")
        found.append(name)
    return list(dict.fromkeys(found))


def planned(name: str, managed: Sequence[str], rate: int | None, *, on_loopback: bool) -> dict[str, Any]:
    """What CreateWebACL takes, for these rule groups and this many requests of an address in five minutes.

    ``on_loopback``: clients call the application ``localhost``, so the rule that takes this for an attack only counts.
    """
    rules: list[Document] = []
    if rate is not None:
        statement: Document = {
            "RateBasedStatement": {"Limit": rate, "AggregateKeyType": "IP", "EvaluationWindowSec": RATE_WINDOW}
        }
        rules.append(_rule("rate", 0, statement, {"Action": {"Block": {}}}))
    for number, group in enumerate(managed, 1):
        statement = {"ManagedRuleGroupStatement": _group(group, on_loopback=on_loopback)}
        rules.append(_rule(group, number, statement, {"OverrideAction": {"None": {}}}))
    return {
        "Name": name,
        "Scope": "REGIONAL",
        "DefaultAction": {"Allow": {}},
        "Description": "Made by garrison protect",
        "Rules": rules,
        "VisibilityConfig": _visible(name),
    }


def _group(name: str, *, on_loopback: bool) -> Document:
    found: dict[str, Any] = {"VendorName": "AWS", "Name": name}
    if name in _CONFIGS:
        found["ManagedRuleGroupConfigs"] = _CONFIGS[name]
    if on_loopback and name == MANAGED["known-bad-inputs"]:
        found["RuleActionOverrides"] = [{"Name": "Host_localhost_HEADER", "ActionToUse": {"Count": {}}}]
    return found


def _rule(name: str, priority: int, statement: Document, action: Document) -> Document:
    return {"Name": name, "Priority": priority, "Statement": statement, **action, "VisibilityConfig": _visible(name)}


def _visible(name: str) -> Document:
    return {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}
