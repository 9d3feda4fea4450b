"""What only AWS has: each operation says truly that there is none of it here."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.wafv2 import ANY_ID, SCOPE, Waf, code, parameter, refused

WINDOW = {"StartTime": 1_760_000_000, "EndTime": 1_760_003_600}
MONEY = {"TimeWindow": WINDOW, "Scope": SCOPE, "Currency": "USDC"}
SET = {"Name": "offer", "Scope": SCOPE, "Id": ANY_ID}

EMPTY: list[tuple[str, dict[str, Any], str]] = [
    ("list_managed_rule_sets", {"Scope": SCOPE}, "ManagedRuleSets"),
    ("list_mobile_sdk_releases", {"Platform": "ANDROID"}, "ReleaseSummaries"),
    ("get_revenue_statistics", {"StatisticType": "TOP_SOURCES_BY_REVENUE", **MONEY}, "SourceStatistics"),
    ("get_revenue_statistics", {"StatisticType": "TOP_PATHS_BY_REVENUE", **MONEY}, "RevenuePathStatistics"),
    ("get_revenue_statistics_time_series", {"StatisticType": "PAYMENT_TRAFFIC", "Interval": "DAILY", **MONEY}, "DataPoints"),
    ("list_settlement_records", MONEY, "Settlements"),
    ("list_events", {"Scope": SCOPE}, "Events"),
    ("list_event_actors", {"Scope": SCOPE, "TimeWindow": WINDOW}, "EventActors"),
]


@pytest.mark.parametrize(("operation", "asked", "member"), EMPTY, ids=[f"{each[0]}-{each[2]}" for each in EMPTY])
def test_lists_are_empty_and_have_no_second_page(waf: Waf, operation: str, asked: dict[str, Any], member: str):
    call = getattr(waf.client, operation)
    answer = call(**asked)
    assert (answer[member], "NextMarker" in answer) == ([], False)
    wrong = refused(lambda: call(NextMarker="made-up", **asked))
    assert (wrong["Error"]["Code"], wrong["Parameter"]) == ("WAFInvalidParameterException", "NextMarker")


def test_nobody_paid(waf: Waf):
    breakdown = waf.client.get_revenue_statistics_summary(**MONEY)["RevenueBreakdown"]
    assert breakdown == {
        "TotalAmount": "0",
        "VerifiedAmount": "0",
        "UnverifiedAmount": "0",
        "Currency": "USDC",
        "TotalSettled": 0,
        "TotalMonetizeServed": 0,
    }
    backwards = {**MONEY, "TimeWindow": {"StartTime": 2, "EndTime": 1}}
    assert parameter(lambda: waf.client.get_revenue_statistics_summary(**backwards)) == ("MONETIZATION_CONFIG", "TimeWindow")


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("get_managed_rule_set", SET),
        ("put_managed_rule_set_versions", {"LockToken": ANY_ID, **SET}),
        (
            "update_managed_rule_set_version_expiry_date",
            {"LockToken": ANY_ID, "VersionToExpire": "1", "ExpiryTimestamp": 1_760_000_000, **SET},
        ),
        ("get_mobile_sdk_release", {"Platform": "IOS", "ReleaseVersion": "1"}),
        ("generate_mobile_sdk_release_url", {"Platform": "IOS", "ReleaseVersion": "1"}),
        ("get_event_actor", {"Scope": SCOPE, "EventActorId": ANY_ID}),
    ],
)
def test_what_is_named_does_not_exist(waf: Waf, operation: str, asked: dict[str, Any]):
    assert code(lambda: getattr(waf.client, operation)(**asked)) == "WAFNonexistentItemException"


def test_events_of_a_web_acl(waf: Waf):
    acl = waf.acl("watched")["ARN"]
    assert waf.client.list_events_by_web_acl(Scope=SCOPE, WebAclArn=acl)["Events"] == []
    assert code(lambda: waf.client.get_event(Scope=SCOPE, WebAclArn=acl, EventId=ANY_ID)) == "WAFNonexistentItemException"
    lost = acl[:-36] + ANY_ID
    assert code(lambda: waf.client.list_events_by_web_acl(Scope=SCOPE, WebAclArn=lost)) == "WAFNonexistentItemException"
    assert code(lambda: waf.client.get_event(Scope=SCOPE, WebAclArn=lost, EventId=ANY_ID)) == "WAFNonexistentItemException"
