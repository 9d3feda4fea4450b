"""GetSampledRequests, GetRateBasedStatementManagedKeys and GetTopPathStatisticsByTraffic, of what an inspector told."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from garrison.edge import listeners, live, samples
from garrison.edge.inspect import RateTable, State, compile_acl
from garrison.edge.samples import Batch
from tests.support.house import REGION
from tests.support.waf import WordDetectors, request
from tests.support.wafv2 import ANY_ID, SCOPE, Waf, code, match, parameter, rule, visible

API = listeners.api_arn(REGION)
MANAGED = live.Managed(detecting=False)


class Inspector:
    """An inspector of a web ACL in this process, without a network."""

    def __init__(self, waf: Waf, acl: dict[str, Any], name: str = "inspector-1") -> None:
        self.store = waf.house.state.store
        waf.client.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=API)
        found = live.read(self.store.reading(), API, MANAGED)
        assert found is not None
        self.attached, self.name = found, name
        self.acl = compile_acl(found.document, found.resources, detectors=WordDetectors())
        self.rates, self.batch = RateTable(), Batch(os.urandom)

    def see(self, target: str, **more: Any) -> None:
        """Inspect a request."""
        asked = request(target, time=time.time(), **more)
        verdict = self.acl.inspect(asked, State(self.rates))
        metric = self.attached.document["VisibilityConfig"]["MetricName"]
        self.batch.add(self.attached.arn, metric, asked, verdict, samples.silent(self.attached.document))

    def tell(self) -> None:
        """Write what was seen."""
        now = time.time()
        self.batch.limit(self.acl.rates, self.rates, now)
        with self.store.writing() as tx:
            self.batch.flush(tx, self.name, now)
        self.store.commit()


def window(seconds: float = 600) -> dict[str, float]:
    now = time.time()
    return {"StartTime": now - seconds, "EndTime": now + 1}


def sampled(waf: Waf, acl: dict[str, Any], metric: str, most: int = 100, **more: Any) -> dict[str, Any]:
    asked = {"WebAclArn": acl["ARN"], "Scope": SCOPE, "TimeWindow": window(), "MaxItems": most, **more}
    return dict(waf.client.get_sampled_requests(RuleMetricName=metric, **asked))


def test_requests_of_a_rule(waf: Waf):
    acl = waf.acl(
        "sampled",
        rule("blocks", match(b"evil"), RuleLabels=[{"Name": "bad"}]),
        rule("counts", match(b"odd"), 1, Action={"Count": {}}),
    )
    inspector = Inspector(waf, acl)
    secret = [(b"Host", b"app.example"), (b"Cookie", b"session=secret"), (b"User-Agent", b"curl/8")]
    inspector.see("/page?x=evil", sent=secret)
    inspector.see("/other?x=odd")
    inspector.see("/third?x=good")
    inspector.tell()
    found = sampled(waf, acl, "blocks")
    assert found["PopulationSize"] == 1
    (one,) = found["SampledRequests"]
    assert (one["Action"], one["ResponseCodeSent"], one["Weight"]) == ("BLOCK", 403, 1)
    assert one["Labels"] == [{"Name": f"{_namespace(acl)}bad"}]
    assert (one["Request"]["URI"], one["Request"]["Method"], one["Request"]["HTTPVersion"]) == ("/page?x=evil", "GET", "HTTP/1.1")
    headers = {each["Name"]: each["Value"] for each in one["Request"]["Headers"]}
    assert headers == {"Host": "app.example", "Cookie": "REDACTED", "User-Agent": "curl/8"}
    assert abs((datetime.now(UTC) - one["Timestamp"]).total_seconds()) < 300
    assert [each["Request"]["URI"] for each in sampled(waf, acl, "counts")["SampledRequests"]] == ["/other?x=odd"]
    assert sampled(waf, acl, "counts")["SampledRequests"][0]["Action"] == "COUNT"
    default = {each["Request"]["URI"] for each in sampled(waf, acl, "Default_Action")["SampledRequests"]}
    assert default == {"/other?x=odd", "/third?x=good"}
    whole = sampled(waf, acl, "ALL")
    assert whole["PopulationSize"] == 3
    assert sampled(waf, acl, "sampled")["PopulationSize"] == 3  # the web ACL's own metric


def _namespace(acl: dict[str, Any]) -> str:
    return f"awswaf:{acl['ARN'].split(':')[4]}:webacl:{acl['Name']}:"


def test_a_rule_inside_a_group_is_named(waf: Waf):
    group = waf.group("sampled", rule("inner", match(b"evil")))
    reference = rule("group", {"RuleGroupReferenceStatement": {"ARN": group["ARN"]}}, OverrideAction={"None": {}})
    acl = waf.acl("grouped", reference)
    inspector = Inspector(waf, acl)
    inspector.see("/?x=evil")
    inspector.tell()
    (one,) = sampled(waf, acl, "group")["SampledRequests"]
    assert (one["RuleNameWithinRuleGroup"], one["Action"]) == ("inner", "BLOCK")


def test_weights_make_up_for_what_was_not_kept(waf: Waf):
    acl = waf.acl("weighed", rule("all", match(b"x"), Action={"Count": {}}))
    inspector = Inspector(waf, acl)
    for number in range(400):
        inspector.see(f"/{number}?x")
    inspector.tell()
    found = sampled(waf, acl, "all")
    assert found["PopulationSize"] == 400
    assert len(found["SampledRequests"]) <= 2 * samples.PER_BATCH  # of one minute, or of two where it turned
    assert sum(each["Weight"] for each in found["SampledRequests"]) == pytest.approx(400, rel=0.3)
    few = sampled(waf, acl, "all", most=5)["SampledRequests"]
    assert len(few) == 5
    assert sum(each["Weight"] for each in few) == pytest.approx(400, rel=0.3)


def test_what_is_not_to_be_sampled_is_only_counted(waf: Waf):
    quiet = rule("quiet", match(b"x"), Action={"Count": {}}, VisibilityConfig=visible("quiet", sampled=False))
    acl = waf.acl("quiet", quiet)
    inspector = Inspector(waf, acl)
    inspector.see("/?x")
    inspector.tell()
    found = sampled(waf, acl, "quiet")
    assert (found["PopulationSize"], found["SampledRequests"]) == (1, [])
    assert len(sampled(waf, acl, "ALL")["SampledRequests"]) == 1


def test_a_window_lies_within_the_last_three_hours(waf: Waf):
    acl, now = waf.acl("windows"), time.time()
    long = {"StartTime": now - 5 * 3600, "EndTime": now}
    answer = sampled(waf, acl, "ALL", TimeWindow=long)
    assert (now - answer["TimeWindow"]["StartTime"].timestamp()) == pytest.approx(3 * 3600, abs=60)
    for wrong in ({"StartTime": now, "EndTime": now - 60}, {"StartTime": now - 9 * 3600, "EndTime": now - 8 * 3600}):
        assert parameter(sampled, waf, acl, "ALL", TimeWindow=wrong)[1] == "TimeWindow"


def test_samples_of_what_is_not_there(waf: Waf):
    acl = waf.acl("known", rule("known"))
    assert sampled(waf, acl, "known")["PopulationSize"] == 0
    assert code(lambda: sampled(waf, acl, "unknown")) == "WAFNonexistentItemException"
    assert code(lambda: sampled(waf, {"ARN": acl["ARN"][:-36] + ANY_ID}, "known")) == "WAFNonexistentItemException"
    assert code(lambda: sampled(waf, acl, "known", Scope="CLOUDFRONT")) == "WAFNonexistentItemException"


def limited(waf: Waf, acl: dict[str, Any], name: str, **more: str) -> tuple[list[str], list[str]]:
    asked = {"Scope": SCOPE, "WebACLName": acl["Name"], "WebACLId": acl["Id"], **more}
    found = waf.client.get_rate_based_statement_managed_keys(RuleName=name, **asked)
    return found["ManagedKeysIPV4"]["Addresses"], found["ManagedKeysIPV6"]["Addresses"]


def test_limited_addresses_of_several_inspectors(waf: Waf):
    limit = {"RateBasedStatement": {"Limit": 10, "AggregateKeyType": "IP"}}
    group = waf.group("limits", rule("inner", limit))
    reference = rule("group", {"RuleGroupReferenceStatement": {"ARN": group["ARN"]}}, 1, OverrideAction={"None": {}})
    acl = waf.acl("limits", rule("limit", limit, Action={"Count": {}}), reference)
    assert limited(waf, acl, "limit") == ([], [])
    for name, address in (("inspector-1", "192.0.2.7"), ("inspector-2", "2001:db8::7")):
        inspector = Inspector(waf, acl, name)
        for _ in range(11):
            inspector.see("/", source_ip=address)
        inspector.see("/", source_ip="192.0.2.8")
        inspector.tell()
    assert limited(waf, acl, "limit") == (["192.0.2.7/32"], ["2001:db8::7/128"])
    assert limited(waf, acl, "inner", RuleGroupRuleName="group") == (["192.0.2.7/32"], ["2001:db8::7/128"])


def test_limited_addresses_need_a_rule_of_addresses(waf: Waf):
    keys: Any = [{"HTTPMethod": {}}, {"IP": {}}]
    custom = {"RateBasedStatement": {"Limit": 10, "AggregateKeyType": "CUSTOM_KEYS", "CustomKeys": keys}}
    acl = waf.acl("custom", rule("custom", custom), rule("other", priority=1))
    assert code(lambda: limited(waf, acl, "custom")) == "WAFUnsupportedAggregateKeyTypeException"
    for wrong in ({"name": "other"}, {"name": "nobody"}, {"name": "custom", "RuleGroupRuleName": "other"}):
        assert code(limited, waf, acl, **wrong) == "WAFNonexistentItemException"
    lost = {**acl, "Id": ANY_ID}
    assert code(lambda: limited(waf, lost, "custom")) == "WAFNonexistentItemException"


def test_paths_that_bots_ask_for(waf: Waf):
    acl = waf.acl("bots")
    arn, now = acl["ARN"], time.time()
    hour = int(now // 3600)
    rows = [
        ("/a", "search_engine", "google", "googlebot", 30),
        ("/a", "ai", "openai", "gptbot", 10),
        ("/b", "ai", "openai", "gptbot", 60),
        ("/b", "", "", "", 1000),
    ]
    with waf.house.state.store.writing() as tx:
        for path, category, organization, bot, count in rows:
            tx.run("INSERT INTO waf_path VALUES (?, ?, ?, ?, ?, ?, ?)", arn, hour, path, category, organization, bot, count)
    waf.house.state.store.commit()

    def top(**more: Any) -> dict[str, Any]:
        asked = {
            "WebAclArn": arn,
            "Scope": SCOPE,
            "TimeWindow": window(),
            "Limit": 10,
            "NumberOfTopTrafficBotsPerPath": 1,
            **more,
        }
        return dict(waf.client.get_top_path_statistics_by_traffic(**asked))

    whole = top()
    assert whole["TotalRequestCount"] == 100
    assert [(each["Path"], each["RequestCount"], each["Percentage"]) for each in whole["PathStatistics"]] == [
        ("/b", 60, 60.0),
        ("/a", 40, 40.0),
    ]
    assert whole["PathStatistics"][1]["TopBots"] == [{"BotName": "googlebot", "RequestCount": 30, "Percentage": 75.0}]
    categories = {each["Source"]["BotCategory"]: each["Path"] for each in whole["TopCategories"]}
    assert categories == {"ai": "/b", "search_engine": "/a"}
    assert [each["Path"] for each in top(UriPathPrefix="/a")["PathStatistics"]] == ["/a"]
    assert top(BotName="gptbot")["TotalRequestCount"] == 70
    first = top(Limit=1)
    second = top(Limit=1, TimeWindow={"StartTime": now - 600, "EndTime": now})
    assert [each["Path"] for each in first["PathStatistics"]] == ["/b"]
    assert "NextMarker" in second
    again = top(Limit=1, TimeWindow={"StartTime": int(now) - 600, "EndTime": int(now)})
    marker = {"Limit": 1, "TimeWindow": {"StartTime": int(now) - 600, "EndTime": int(now)}, "NextMarker": again["NextMarker"]}
    last = top(**marker)
    assert ([each["Path"] for each in last["PathStatistics"]], "NextMarker" in last) == (["/a"], False)
    assert code(lambda: top(Scope="CLOUDFRONT")) == "WAFNonexistentItemException"
