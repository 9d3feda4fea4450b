"""Expected records are those of the AWS WAF Developer Guide, "Log fields for web ACL traffic" and "Log examples ..."."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from garrison.edge.inspect import Action, GroupResult, MatchDetail, RateResult, RuleKind, RuleMatch, Verdict, WebRequest
from garrison.edge.inspect.verdict import Response, TokenAnswer
from garrison.edge.listeners import listener_arn
from garrison.edge.privacy import Privacy, privacy
from garrison.edge.proxy.logbook import LineFile, LogBook, kept, log_book, writer_of
from garrison.edge.proxy.records import record

ARN = "arn:aws:wafv2:us-east-1:111122223333:regional/webacl/shop/4eede063-e611-44f5-b357-ffc9d7b7fed5"
SOURCE = listener_arn("111122223333", "us-east-1", "shop")
HEADERS = [(b"host", b"shop.example.com"), (b"user-agent", b"okhttp/3.12.1"), (b"authorization", b"Bearer s3cret")]


def request(query: bytes = b"a=1", headers: list[tuple[bytes, bytes]] | None = None, **more: Any) -> WebRequest:
    values: dict[str, Any] = {"source_ip": "192.0.2.44", "time": 1_683_355_579.981, "host": "shop.example.com", **more}
    return WebRequest("GET", b"/CanaryTest?" + query, headers or HEADERS, request_id="Ed0AiHF", **values)


def shown(verdict: Verdict, asked: WebRequest | None = None, masks: Privacy | None = None) -> dict[str, Any]:
    return record(asked or request(), verdict, SOURCE, ARN, masks or Privacy())


def test_a_request_that_no_rule_decided_has_every_field():
    found = shown(Verdict(Action.ALLOW))
    digest = SOURCE.rpartition("/")[2]
    assert found == {
        "timestamp": 1683355579981,
        "formatVersion": 1,
        "webaclId": ARN,
        "terminatingRuleId": "Default_Action",
        "terminatingRuleType": "REGULAR",
        "action": "ALLOW",
        "terminatingRuleMatchDetails": [],
        "httpSourceName": "ALB",
        "httpSourceId": f"111122223333-app/shop/{digest}",
        "ruleGroupList": [],
        "rateBasedRuleList": [],
        "nonTerminatingMatchingRules": [],
        "requestHeadersInserted": None,
        "responseCodeSent": None,
        "httpRequest": {
            "clientIp": "192.0.2.44",
            "country": "-",
            "headers": [
                {"name": "host", "value": "shop.example.com"},
                {"name": "user-agent", "value": "okhttp/3.12.1"},
                {"name": "authorization", "value": "REDACTED"},
            ],
            "uri": "/CanaryTest",
            "args": "a=1",
            "httpVersion": "HTTP/1.1",
            "httpMethod": "GET",
            "requestId": "Ed0AiHF",
            "scheme": "http",
            "host": "shop.example.com",
        },
        "requestBodySize": 0,
        "requestBodySizeInspectedByWAF": 0,
    }


def test_an_injection_is_detailed():
    detail = MatchDetail("SQL_INJECTION", "SINGLE_QUERY_ARG", "id", (b"10", b"AND", b"1"), "HIGH")
    found = shown(Verdict(Action.BLOCK, "STMTest_SQLi_XSS", details=(detail, MatchDetail("BYTE_MATCH", "URI", "", (b"x",)))))
    assert found["terminatingRuleMatchDetails"] == [
        {
            "conditionType": "SQL_INJECTION",
            "sensitivityLevel": "HIGH",
            "location": "SINGLE_QUERY_ARG",
            "matchedData": ["10", "AND", "1"],
            "matchedFieldName": "id",
        }
    ]


def test_a_rate_based_rule_is_told_with_its_keys():
    rate = RateResult("r1", "RateBasedRule", "CUSTOMKEYS", 100, 120, custom=(("HEADER", "dogname", "ella"),), limited=True)
    found = shown(Verdict(Action.BLOCK, "RateBasedRule", RuleKind.RATE_BASED, rates=(rate,)))
    assert found["terminatingRuleType"] == "RATE_BASED"
    assert found["rateBasedRuleList"] == [
        {
            "rateBasedRuleId": "r1",
            "rateBasedRuleName": "RateBasedRule",
            "limitKey": "CUSTOMKEYS",
            "maxRateAllowed": 100,
            "evaluationWindowSec": "120",
            "customValues": [{"key": "HEADER", "name": "dogname", "value": "ella"}],
        }
    ]


def test_a_rule_group_is_told_with_what_it_did():
    group = GroupResult(
        "AWS#AWSManagedRulesSQLiRuleSet",
        RuleMatch("SQLi_QUERYARGUMENTS", Action.BLOCK),
        (RuleMatch("SQLi_BODY", Action.COUNT, Action.BLOCK),),
        ("SQLi_COOKIE",),
    )
    found = shown(Verdict(Action.BLOCK, "sqli", RuleKind.MANAGED_RULE_GROUP, groups=(group,), labels=("a:b",)))
    assert found["ruleGroupList"] == [
        {
            "ruleGroupId": "AWS#AWSManagedRulesSQLiRuleSet",
            "terminatingRule": {"ruleId": "SQLi_QUERYARGUMENTS", "action": "BLOCK", "ruleMatchDetails": None},
            "nonTerminatingMatchingRules": [
                {"ruleId": "SQLi_BODY", "action": "COUNT", "ruleMatchDetails": [], "overriddenAction": "BLOCK"}
            ],
            "excludedRules": [{"exclusionType": "EXCLUDED_AS_COUNT", "ruleId": "SQLi_COOKIE"}],
            "customerConfig": None,
        }
    ]
    assert found["labels"] == [{"name": "a:b"}]


def test_a_captcha_is_told_where_it_ends_the_inspection_and_where_it_does_not():
    ended = shown(Verdict(Action.CAPTCHA, "captcha-rule", captcha=TokenAnswer(405, None, "TOKEN_MISSING")))
    assert ended["captchaResponse"] == {"responseCode": 405, "failureReason": "TOKEN_MISSING"}
    assert ended["responseCodeSent"] == 405
    good = TokenAnswer(0, 1_632_420_429.0)
    passed = shown(Verdict(Action.ALLOW, matches=(RuleMatch("captcha-rule", Action.CAPTCHA),), captcha=good))
    assert passed["nonTerminatingMatchingRules"] == [
        {
            "ruleId": "captcha-rule",
            "action": "CAPTCHA",
            "ruleMatchDetails": [],
            "captchaResponse": {"responseCode": 0, "solveTimestamp": 1632420429},
        }
    ]


def test_inserted_headers_custom_responses_and_sizes():
    allowed = shown(Verdict(Action.ALLOW, "mark", inserted=(("x-amzn-waf-seen", "yes"),), oversize=frozenset({"REQUEST_BODY"})))
    assert allowed["requestHeadersInserted"] == [{"name": "x-amzn-waf-seen", "value": "yes"}]
    assert allowed["oversizeFields"] == ["REQUEST_BODY"]
    assert shown(Verdict(Action.BLOCK, "r", response=Response(503, body="x")))["responseCodeSent"] == 503
    assert shown(Verdict(Action.BLOCK, "r", response=Response()))["responseCodeSent"] is None
    big = request(body=b"x" * 10, body_size=70_000, ja3="j3", ja4="j4", asn=64500, country="DE")
    found = shown(Verdict(Action.ALLOW, body_inspected=10), big)
    assert (found["requestBodySize"], found["requestBodySizeInspectedByWAF"]) == (70_000, 10)
    assert (found["ja3Fingerprint"], found["ja4Fingerprint"], found["clientAsn"]) == ("j3", "j4", 64500)
    assert found["httpRequest"]["country"] == "DE"


# What is not shown


@pytest.mark.parametrize(
    "name",
    ["Authorization", "cookie", "proxy-authorization", "X-Api-Key", "x-amz-security-token", "x-aws-waf-token", "X-Auth-Token"],
)
def test_credentials_are_masked_though_nobody_asked(name: str):
    asked = request(b"q=1&Token=s3cret&x-amz-signature=s3cret", [(name.encode(), b"s3cret")])
    assert b"s3cret" not in repr(shown(Verdict(Action.ALLOW), asked)).encode()
    assert shown(Verdict(Action.ALLOW), asked)["httpRequest"]["args"] == "q=1&Token=REDACTED&x-amz-signature=REDACTED"


@pytest.mark.parametrize(
    "name",
    ["p%61ssword", "%70assword", "user[password]", "user%5Bpassword%5D", "new_password", "Client%5fSecret", "jwt", "a.token"],
)
def test_an_argument_is_a_credential_however_its_name_is_written(name: str):
    shown_as = shown(Verdict(Action.ALLOW), request(f"q=1&{name}=s3cret&r=2".encode()))["httpRequest"]["args"]
    assert shown_as == f"q=1&{name}=REDACTED&r=2"


def test_what_a_web_acl_protects_is_masked_however_its_name_is_written():
    masks = privacy(protection("SINGLE_QUERY_ARGUMENT", "hoppy"), (), "1")
    assert shown(Verdict(Action.ALLOW), request(b"h%6Fppy=a"), masks)["httpRequest"]["args"] == "h%6Fppy=REDACTED"


def test_the_query_of_a_referring_page_is_masked_too():
    asked = request(headers=[(b"Referer", b"https://a.example/reset?page=1&token=s3cret")])
    found = shown(Verdict(Action.ALLOW), asked)["httpRequest"]["headers"][0]
    assert found == {"name": "Referer", "value": "https://a.example/reset?page=1&token=REDACTED"}


@pytest.mark.parametrize(
    "detail",
    [
        MatchDetail("SQL_INJECTION", "HEADER", "authorization", (b"s3cret",)),
        MatchDetail("SQL_INJECTION", "ALL_HEADERS", "", (b"s3cret",)),
        MatchDetail("XSS", "ALL_COOKIES", "session", (b"s3cret",)),
        MatchDetail("XSS", "ALL_QUERY_ARGS", "password", (b"s3cret",)),
    ],
)
def test_what_matched_in_a_credential_is_masked(detail: MatchDetail):
    found = shown(Verdict(Action.BLOCK, "r", details=(detail,)))
    assert found["terminatingRuleMatchDetails"][0]["matchedData"] == ["REDACTED"]


def test_redacted_fields_of_a_logging_configuration():
    masks = privacy({}, [{"SingleHeader": {"Name": "User-Agent"}}, {"UriPath": {}}, {"QueryString": {}}, {"Method": {}}], "1")
    detail = MatchDetail("SQL_INJECTION", "ALL_QUERY_ARGS", "id", (b"or",))
    found = shown(Verdict(Action.BLOCK, "r", details=(detail,)), masks=masks)
    asked = found["httpRequest"]
    assert (asked["uri"], asked["args"], asked["httpMethod"]) == ("REDACTED", "REDACTED", "REDACTED")
    assert asked["headers"][1] == {"name": "user-agent", "value": "REDACTED"}
    assert found["terminatingRuleMatchDetails"][0]["matchedData"] == ["REDACTED"]


def protection(kind: str, *keys: str, action: str = "SUBSTITUTION", **more: bool) -> dict[str, Any]:
    return {
        "DataProtectionConfig": {"DataProtections": [{"Field": {"FieldType": kind, "FieldKeys": keys}, "Action": action, **more}]}
    }


def test_a_hash_is_of_the_account_and_the_content():
    masks = privacy(protection("SINGLE_QUERY_ARGUMENT", "hoppy", action="HASH"), (), "111122223333")
    hashed = b64encode(hashlib.sha256(b"111122223333" + b"10 AND 1").digest()).decode()
    detail = MatchDetail("SQL_INJECTION", "SINGLE_QUERY_ARG", "hoppy", (b"10 AND 1",), "HIGH")
    found = shown(Verdict(Action.BLOCK, "r", details=(detail,)), request(b"hoppy=10 AND 1&yellow=hello&flag"), masks)
    assert found["httpRequest"]["args"] == f"hoppy={hashed}&yellow=hello&flag"
    assert found["terminatingRuleMatchDetails"][0]["matchedData"] == [hashed]


def test_data_protection_and_its_exceptions():
    rate = RateResult("r1", "r", "CUSTOMKEYS", 100, 120, custom=(("HEADER", "dogname", "ella"),))
    detail = MatchDetail("XSS", "HEADER", "dogname", (b"<script",))
    verdict = Verdict(Action.BLOCK, "r", RuleKind.RATE_BASED, rates=(rate,), details=(detail,))
    asked = request(headers=[(b"dogname", b"ella")])
    strict = shown(verdict, asked, privacy(protection("SINGLE_HEADER", "DogName"), (), "1"))
    assert strict["httpRequest"]["headers"][0]["value"] == "REDACTED"
    assert strict["rateBasedRuleList"][0]["customValues"][0]["value"] == "REDACTED"
    assert strict["terminatingRuleMatchDetails"][0]["matchedData"] == ["REDACTED"]
    loose = protection("SINGLE_HEADER", "dogname", ExcludeRuleMatchDetails=True, ExcludeRateBasedDetails=True)
    found = shown(verdict, asked, privacy(loose, (), "1"))
    assert found["httpRequest"]["headers"][0]["value"] == "REDACTED"
    assert found["rateBasedRuleList"][0]["customValues"][0]["value"] == "ella"
    assert found["terminatingRuleMatchDetails"][0]["matchedData"] == ["<script"]


def test_cookies_are_masked_one_by_one_where_the_web_acl_names_some():
    masks = privacy(protection("SINGLE_COOKIE", "tracking", action="HASH"), (), "1")
    found = shown(Verdict(Action.ALLOW), request(headers=[(b"cookie", b"tracking=a; session=s3cret; flag")]), masks)
    hashed = b64encode(hashlib.sha256(b"1a").digest()).decode()
    assert found["httpRequest"]["headers"][0]["value"] == f"tracking={hashed}; session=REDACTED; flag"


# Which records are kept, and where


def condition(**more: str) -> dict[str, Any]:
    return (
        {"ActionCondition": {"Action": more["action"]}}
        if "action" in more
        else {"LabelNameCondition": {"LabelName": more["label"]}}
    )


@pytest.mark.parametrize(
    ("requirement", "conditions", "kept_now"),
    [
        ("MEETS_ANY", [condition(action="BLOCK")], True),
        ("MEETS_ANY", [condition(action="COUNT")], True),
        ("MEETS_ANY", [condition(action="ALLOW")], False),
        ("MEETS_ANY", [condition(action="ALLOW"), condition(label="awswaf:a")], True),
        ("MEETS_ALL", [condition(action="ALLOW"), condition(label="awswaf:a")], False),
        ("MEETS_ALL", [condition(action="BLOCK"), condition(label="awswaf:a")], True),
    ],
)
def test_filters_keep_what_meets_their_conditions(requirement: str, conditions: list[Any], kept_now: bool):
    verdict = Verdict(Action.BLOCK, "r", matches=(RuleMatch("c", Action.COUNT),), labels=("awswaf:a",))
    keep = {"DefaultBehavior": "DROP", "Filters": [{"Behavior": "KEEP", "Requirement": requirement, "Conditions": conditions}]}
    assert kept(keep, verdict) is kept_now
    drop = {"DefaultBehavior": "KEEP", "Filters": [{"Behavior": "DROP", "Requirement": requirement, "Conditions": conditions}]}
    assert kept(drop, verdict) is not kept_now


def test_the_first_filter_that_is_met_decides():
    verdict = Verdict(Action.BLOCK, "r")
    met = {"Requirement": "MEETS_ANY", "Conditions": [condition(action="BLOCK")]}
    both = {"DefaultBehavior": "DROP", "Filters": [{"Behavior": "KEEP", **met}, {"Behavior": "DROP", **met}]}
    assert kept(both, verdict)
    assert kept(None, verdict)


def test_lines_go_to_a_file_that_may_be_moved_away(tmp_path: Path):
    write = LineFile(tmp_path / "logs" / "waf.jsonl")
    write(b"1\n")
    write(b"2\n")
    os.rename(tmp_path / "logs" / "waf.jsonl", tmp_path / "old")  # noqa: PTH104 - as logrotate does
    write(b"3\n")
    assert (tmp_path / "old").read_text() == "1\n2\n"
    assert (tmp_path / "logs" / "waf.jsonl").read_text() == "3\n"
    assert (tmp_path / "logs" / "waf.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_destination_stands_for_a_file_of_its_account_and_region(tmp_path: Path):
    write = writer_of("arn:aws:logs:eu-west-1:111122223333:log-group:aws-waf-logs-a", tmp_path)
    assert write is not None
    write(b"x\n")
    assert (tmp_path / "111122223333" / "eu-west-1" / "aws-waf-logs-a.jsonl").read_text() == "x\n"
    assert writer_of("arn:aws:s3:::aws-waf-logs-b", tmp_path) is None


def test_records_wait_while_they_cannot_be_written_and_are_dropped_in_the_end(monkeypatch: pytest.MonkeyPatch):
    written: list[bytes] = []
    full = True

    def write(lines: bytes) -> None:
        if full:
            raise OSError(28, "No space left on device")
        written.append(lines)

    monkeypatch.setattr("garrison.edge.proxy.logbook.LOST", 2_000)
    book = log_book(write, {"ARN": ARN}, SOURCE, None)
    for _ in range(10):
        book.add(request(), Verdict(Action.ALLOW))
        book.flush()
    assert written == []
    assert 0 < book.lost < 10
    full = False
    book.flush()
    assert b"".join(written).count(b"\n") == 10 - book.lost
    assert isinstance(book, LogBook)
