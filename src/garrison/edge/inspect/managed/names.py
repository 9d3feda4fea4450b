"""What the managed rule groups are called. Apart from the groups, whose detectors cost a start a tenth of its time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

VENDOR: Final = "AWS"
DEFAULT_VERSION: Final = "Version_2.0"
DESCRIPTIONS: Final[Mapping[str, str]] = {
    "AWSManagedRulesCommonRuleSet": (
        "Attacks that any application meets: scripting, file inclusion, requests into the own network, bad bots."
    ),
    "AWSManagedRulesAdminProtectionRuleSet": "Access to consoles of servers and databases from outside.",
    "AWSManagedRulesKnownBadInputsRuleSet": "Exploits of known holes: Log4Shell, deserialization, expressions and code.",
    "AWSManagedRulesSQLiRuleSet": "SQL injection in every dialect, and injection into document databases.",
    "AWSManagedRulesLinuxRuleSet": "Access to files of Linux.",
    "AWSManagedRulesUnixRuleSet": "Commands of Unix shells.",
    "AWSManagedRulesWindowsRuleSet": "Commands of cmd and PowerShell.",
    "AWSManagedRulesPHPRuleSet": "PHP code, wrappers, serialized objects and uploads.",
    "AWSManagedRulesWordPressRuleSet": "Exploits of WordPress and its plugins.",
    "AWSManagedRulesAmazonIpReputationList": "Addresses on the operator's lists of bad reputation.",
    "AWSManagedRulesAnonymousIpList": "Addresses on the operator's lists of anonymizers and hosting providers.",
    "AWSManagedRulesBotControlRuleSet": "Bots by their names and behaviour.",
    "AWSManagedRulesATPRuleSet": "Account takeover: abuse of a login page.",
    "AWSManagedRulesACFPRuleSet": "Account creation fraud: abuse of a sign-up page.",
    "AWSManagedRulesAntiDDoSRuleSet": "Floods of requests.",
}
"""What each group is for, in a sentence."""
