"""What AWS WAF refuses, with the field that it names."""

from __future__ import annotations

from typing import Any

import pytest

from garrison.core.model import load_model
from garrison.edge.inspect import InvalidParameter
from garrison.edge.inspect.countries import COUNTRIES
from garrison.edge.inspect.validate import check_rule_group, check_rules, check_web_acl, references
from tests.support.waf import (
    ALLOW,
    ARGS,
    ARN,
    BLOCK,
    BODY,
    URI,
    Document,
    byte_match,
    cookies,
    headers,
    json_body,
    regex,
    rule,
    size,
    types,
    web_acl,
)

FIELDS = load_model("wafv2").shape("ParameterExceptionField").enum
OK = byte_match(b"x")
GROUP = {"RuleGroupReferenceStatement": {"ARN": f"{ARN}/rulegroup/g/1"}}
NONE: Document = {"OverrideAction": {"None": {}}}


def refused(document: Document, *, group: bool = False) -> tuple[str, str, str]:
    with pytest.raises(InvalidParameter) as raised:
        (check_rule_group if group else check_web_acl)(document)
    error = raised.value
    assert error.field in FIELDS
    assert str(error) == f"Error reason: {error.reason}, field: {error.field}, parameter: {error.parameter}"
    return error.field, error.parameter, error.reason


def field_of(statement: Document) -> str:
    return refused(web_acl(rule("r", 0, statement)))[0]


def spec(statement: Document, **changes: Any) -> Document:
    """The statement with members changed; None takes one away."""
    kind, inner = next(iter(statement.items()))
    return {kind: {name: value for name, value in {**inner, **changes}.items() if value is not None}}


SQLI = {"SqliMatchStatement": {"FieldToMatch": ARGS, "TextTransformations": types()}}
RATE = {"RateBasedStatement": {"Limit": 100, "AggregateKeyType": "IP"}}
GEO = {"GeoMatchStatement": {"CountryCodes": ["DE"]}}
ASN = {"AsnMatchStatement": {"AsnList": [1]}}
LABEL = {"LabelMatchStatement": {"Scope": "LABEL", "Key": "a:b"}}
IPS = {"IPSetReferenceStatement": {"ARN": f"{ARN}/ipset/s/1"}}
FORWARDED = {"HeaderName": "XFF", "FallbackBehavior": "MATCH"}


@pytest.mark.parametrize(
    "statement",
    [
        OK, SQLI, RATE, GEO, ASN, LABEL, IPS, regex("a+"), size("GT", 0), {"NotStatement": {"Statement": OK}},
        byte_match(b"x" * 200), byte_match(b"x", json_body("KEY", ["/", "/a~1b/0"], InvalidFallbackBehavior="MATCH")),
        byte_match(b"x", headers(pattern={"IncludedHeaders": ["h"] * 199})), byte_match(b"x", URI, "CONTAINS", *["LOWERCASE"] * 10),
        spec(RATE, Limit=10, EvaluationWindowSec=600), spec(GEO, ForwardedIPConfig=FORWARDED), spec(LABEL, Scope="NAMESPACE"),
        spec(IPS, IPSetForwardedIPConfig={**FORWARDED, "Position": "ANY"}), spec(SQLI, SensitivityLevel="HIGH"),
        spec(RATE, AggregateKeyType="CUSTOM_KEYS", CustomKeys=[{"IP": {}}, {"HTTPMethod": {}}]),
    ],
)  # fmt: skip
def test_what_is_taken(statement: Document):
    check_web_acl(web_acl(rule("r", 0, statement)))


@pytest.mark.parametrize(
    ("statement", "field"),
    [
        ({}, "STATEMENT"),
        ({**OK, **SQLI}, "STATEMENT"),
        ({"NoSuchStatement": {}}, "STATEMENT"),
        ({"ByteMatchStatement": 7}, "STATEMENT"),
        (byte_match(b""), "BYTE_MATCH_STATEMENT"),
        (byte_match(b"x" * 201), "BYTE_MATCH_STATEMENT"),
        (byte_match(b"two words", URI, "CONTAINS_WORD"), "BYTE_MATCH_STATEMENT"),
        (byte_match(b"x", URI, "SOMEWHERE"), "BYTE_MATCH_STATEMENT"),
        (spec(OK, SearchString="not base64!"), "BYTE_MATCH_STATEMENT"),
        (spec(OK, SearchString=None), "BYTE_MATCH_STATEMENT"),
        (spec(OK, Unknown=1), "BYTE_MATCH_STATEMENT"),
        (spec(OK, FieldToMatch=None), "FIELD_TO_MATCH"),
        (spec(OK, FieldToMatch={**URI, **ARGS}), "FIELD_TO_MATCH"),
        (spec(OK, FieldToMatch={"Trailers": {}}), "FIELD_TO_MATCH"),
        (spec(OK, FieldToMatch={"UriPath": {"Name": "x"}}), "FIELD_TO_MATCH"),
        (spec(OK, TextTransformations=[]), "TEXT_TRANSFORMATION"),
        (spec(OK, TextTransformations=types(*["NONE"] * 11)), "TEXT_TRANSFORMATION"),
        (spec(OK, TextTransformations=types("ROT13")), "TEXT_TRANSFORMATION"),
        (spec(OK, TextTransformations=types("NONE") * 2), "TEXT_TRANSFORMATION"),
        (spec(OK, PreParseTextTransformations=types("URL_DECODE")), "PRE_PARSE_TEXT_TRANSFORMATION"),
        (byte_match(b"x", ARGS, PreParseTextTransformations=types("LOWERCASE")), "PRE_PARSE_TEXT_TRANSFORMATION"),
        (byte_match(b"x", {"SingleHeader": {"Name": "h" * 65}}), "SINGLE_HEADER"),
        (byte_match(b"x", {"SingleHeader": {"Name": " "}}), "SINGLE_HEADER"),
        (byte_match(b"x", {"SingleQueryArgument": {"Name": "a" * 31}}), "SINGLE_QUERY_ARGUMENT"),
        (byte_match(b"x", {"Body": {"OversizeHandling": "STOP"}}), "OVERSIZE_HANDLING"),
        (byte_match(b"x", json_body("BOTH")), "JSON_MATCH_SCOPE"),
        (byte_match(b"x", json_body("ALL", [])), "JSON_MATCH_PATTERN"),
        (byte_match(b"x", json_body("ALL", ["a/b"])), "JSON_MATCH_PATTERN"),
        (byte_match(b"x", json_body("ALL", ["/a~2"])), "JSON_MATCH_PATTERN"),
        (byte_match(b"x", json_body(InvalidFallbackBehavior="MAYBE")), "BODY_PARSING_FALLBACK_BEHAVIOR"),
        (byte_match(b"x", headers(pattern={"IncludedHeaders": ["h"] * 200})), "HEADER_MATCH_PATTERN"),
        (byte_match(b"x", headers(pattern={"All": {}, "ExcludedHeaders": ["h"]})), "HEADER_MATCH_PATTERN"),
        (byte_match(b"x", cookies(pattern={"IncludedCookies": ["c" * 61]})), "COOKIE_MATCH_PATTERN"),
        (byte_match(b"x", headers("BOTH")), "MAP_MATCH_SCOPE"),
        (byte_match(b"x", {"HeaderOrder": {}}), "OVERSIZE_HANDLING"),
        (byte_match(b"x", {"JA3Fingerprint": {}}), "FALLBACK_BEHAVIOR"),
        (spec(SQLI, FieldToMatch={"JA3Fingerprint": {"FallbackBehavior": "MATCH"}}), "FIELD_TO_MATCH"),
        (spec(SQLI, SensitivityLevel="MEDIUM"), "SQLI_MATCH_STATEMENT"),
        (size("ABOUT", 1), "SIZE_CONSTRAINT_STATEMENT"),
        (size("GT", -1), "SIZE_CONSTRAINT_STATEMENT"),
        (size("GT", 21_474_836_481), "SIZE_CONSTRAINT_STATEMENT"),
        (regex("a" * 513), "STATEMENT"),
        (regex("(a"), "STATEMENT"),
        (regex(r"(a)\1"), "STATEMENT"),
        (regex("(?=a)b"), "STATEMENT"),
        (regex("(?R)"), "STATEMENT"),
        (regex("(?>a)"), "STATEMENT"),
        (regex("a++"), "STATEMENT"),
        (regex(r"\Ra"), "STATEMENT"),
        (regex("(*UTF8)a"), "STATEMENT"),
        (spec(GEO, CountryCodes=[]), "GEO_MATCH_STATEMENT"),
        (spec(GEO, CountryCodes=["XX"]), "GEO_MATCH_STATEMENT"),
        (spec(GEO, ForwardedIPConfig={"HeaderName": "a b", "FallbackBehavior": "MATCH"}), "HEADER_NAME"),
        (spec(GEO, ForwardedIPConfig={"HeaderName": "a"}), "FALLBACK_BEHAVIOR"),
        (spec(ASN, AsnList=[]), "STATEMENT"),
        (spec(ASN, AsnList=list(range(101))), "STATEMENT"),
        (spec(ASN, AsnList=[2**32]), "STATEMENT"),
        (spec(LABEL, Key="a b"), "LABEL_MATCH_STATEMENT"),
        (spec(LABEL, Scope="ALL"), "LABEL_MATCH_STATEMENT"),
        (spec(IPS, IPSetForwardedIPConfig={**FORWARDED, "Position": "MIDDLE"}), "POSITION"),
        ({"AndStatement": {"Statements": [OK]}}, "AND_STATEMENT"),
        ({"OrStatement": {"Statements": []}}, "OR_STATEMENT"),
        ({"NotStatement": {}}, "NOT_STATEMENT"),
        ({"NotStatement": {"Statement": RATE}}, "STATEMENT"),
        ({"NotStatement": {"Statement": GROUP}}, "STATEMENT"),
        (spec(RATE, Limit=9), "RATE_BASED_STATEMENT"),
        (spec(RATE, Limit=2_000_000_001), "RATE_BASED_STATEMENT"),
        (spec(RATE, EvaluationWindowSec=61), "RATE_BASED_STATEMENT"),
        (spec(RATE, AggregateKeyType="COOKIE"), "RATE_BASED_STATEMENT"),
        (spec(RATE, AggregateKeyType="CONSTANT"), "SCOPE_DOWN"),
        (spec(RATE, AggregateKeyType="FORWARDED_IP"), "FORWARDED_IP_CONFIG"),
        (spec(RATE, AggregateKeyType="CUSTOM_KEYS"), "CUSTOM_KEYS"),
        (spec(RATE, AggregateKeyType="CUSTOM_KEYS", CustomKeys=[{"IP": {}}]), "CUSTOM_KEYS"),
        (spec(RATE, AggregateKeyType="CUSTOM_KEYS", CustomKeys=[{"HTTPMethod": {}}] * 6), "CUSTOM_KEYS"),
        (spec(RATE, AggregateKeyType="CUSTOM_KEYS", CustomKeys=[{"LabelNamespace": {"Namespace": "a"}}]), "CUSTOM_KEYS"),
        (spec(RATE, CustomKeys=[{"HTTPMethod": {}}]), "CUSTOM_KEYS"),
        (spec(RATE, ScopeDownStatement=RATE), "STATEMENT"),
    ],
)
def test_what_is_refused_in_a_statement(statement: Document, field: str):
    assert field_of(statement) == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"Name": "a b"}, "RULE"),
        ({"Name": "a" * 129}, "RULE"),
        ({"Priority": -1}, "RULE"),
        ({"Priority": True}, "RULE"),
        ({"Priority": "1"}, "RULE"),
        ({"Action": None}, "RULE"),
        ({"OverrideAction": {"None": {}}}, "RULE"),
        ({"Action": {}}, "RULE_ACTION"),
        ({"Action": {"Allow": {}, "Block": {}}}, "RULE_ACTION"),
        ({"Action": {"Monetize": {}}}, "RULE_ACTION"),
        ({"Action": {"Block": {"CustomResponse": {"ResponseCode": 199}}}}, "CUSTOM_RESPONSE"),
        ({"Action": {"Block": {"CustomResponse": {"ResponseCode": 418}}}}, "CUSTOM_RESPONSE"),
        ({"Action": {"Block": {"CustomResponse": {"ResponseCode": 200, "CustomResponseBodyKey": "x"}}}}, "CUSTOM_RESPONSE_BODY"),
        (
            {
                "Action": {
                    "Block": {"CustomResponse": {"ResponseCode": 200, "ResponseHeaders": [{"Name": "a", "Value": "b\r\nc"}]}}
                }
            },
            "CUSTOM_RESPONSE",
        ),
        ({"Action": {"Count": {"CustomRequestHandling": {"InsertHeaders": []}}}}, "CUSTOM_REQUEST_HANDLING"),
        (
            {"Action": {"Count": {"CustomRequestHandling": {"InsertHeaders": [{"Name": "a b", "Value": "v"}]}}}},
            "CUSTOM_REQUEST_HANDLING",
        ),
        ({"RuleLabels": [{"Name": "a b"}]}, "RULE"),
        ({"RuleLabels": [{"Name": "aws:x"}]}, "RULE"),
        ({"RuleLabels": [{"Name": "a:b:c:d:e:f:g"}]}, "RULE"),
        ({"RuleLabels": [{"Name": "a::b"}]}, "RULE"),
        ({"RuleLabels": [{"Name": "a" * 129}]}, "RULE"),
        ({"CaptchaConfig": {"ImmunityTimeProperty": {"ImmunityTime": 59}}}, "CHALLENGE_CONFIG"),
        ({"ChallengeConfig": {"ImmunityTimeProperty": {"ImmunityTime": 299}}}, "CHALLENGE_CONFIG"),
        ({"Unknown": 1}, "RULE"),
    ],
)
def test_what_is_refused_in_a_rule(changes: Document, field: str):
    assert refused(web_acl({**rule("r", 0, OK), **changes}))[0] == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"Name": ""}, "WEB_ACL"),
        ({"DefaultAction": {}}, "DEFAULT_ACTION"),
        ({"DefaultAction": {"Count": {}}}, "DEFAULT_ACTION"),
        ({"DefaultAction": None}, "DEFAULT_ACTION"),
        ({"Rules": "r"}, "RULE"),
        ({"Rules": ["r"]}, "RULE"),
        ({"Rules": [rule("r", 0, OK), rule("r", 1, OK)]}, "RULE"),
        ({"Rules": [rule("a", 1, OK), rule("b", 1, OK)]}, "RULE"),
        ({"Rules": [rule(f"r{number}", number, RATE) for number in range(11)]}, "ENTITY_LIMIT"),
        ({"CustomResponseBodies": {"a b": {"ContentType": "TEXT_PLAIN", "Content": "x"}}}, "CUSTOM_RESPONSE_BODY"),
        ({"CustomResponseBodies": {"a": {"ContentType": "TEXT_CSS", "Content": "x"}}}, "RESPONSE_CONTENT_TYPE"),
        ({"CustomResponseBodies": {"a": {"ContentType": "TEXT_PLAIN", "Content": "x" * 10_241}}}, "CUSTOM_RESPONSE_BODY"),
        ({"TokenDomains": ["a b"]}, "TOKEN_DOMAIN"),
        ({"VisibilityConfig": {"MetricName": "a b"}}, "METRIC_NAME"),
        (
            {"AssociationConfig": {"RequestBody": {"CLOUDFRONT": {"DefaultSizeInspectionLimit": "KB_9"}}}},
            "ASSOCIATED_RESOURCE_TYPE",
        ),
        ({"AssociationConfig": {"RequestBody": {"PRINTER": {"DefaultSizeInspectionLimit": "KB_8"}}}}, "ASSOCIATED_RESOURCE_TYPE"),
        ({"PreProcessFirewallManagerRuleGroups": [{}]}, "FIREWALL_MANAGER_STATEMENT"),
    ],
)
def test_what_is_refused_in_a_web_acl(changes: Document, field: str):
    assert refused({**web_acl(), **changes})[0] == field


def test_rules_of_groups_in_a_web_acl():
    check_web_acl(web_acl(rule("g", 0, GROUP, **NONE)))
    assert refused(web_acl(rule("g", 0, GROUP)))[0] == "RULE"
    assert refused(web_acl(rule("g", 0, GROUP, OverrideAction={"Block": {}})))[0] == "OVERRIDE_ACTION"
    assert refused(web_acl(rule("g", 0, GROUP, labels=["x"], **NONE)))[0] == "RULE"
    managed = {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": "G", "ExcludedRules": [{"Name": "a"}] * 2}}
    assert refused(web_acl(rule("g", 0, managed, **NONE)))[0] == "EXCLUDED_RULE"


def test_a_rule_group_holds_no_rule_group_and_four_rates():
    group = {"Name": "g", "Rules": [rule("g", 0, GROUP, **NONE)]}
    assert refused(group, group=True)[0] == "STATEMENT"
    rates = [rule(f"r{number}", number, RATE) for number in range(5)]
    assert refused({"Name": "g", "Rules": rates}, group=True)[0] == "ENTITY_LIMIT"
    check_rule_group({"Name": "g", "Rules": rates[:4]})


def test_statements_nest_fifty_levels():
    deep = OK
    for _ in range(49):
        deep = {"NotStatement": {"Statement": deep}}
    check_web_acl(web_acl(rule("r", 0, deep)))
    assert field_of({"NotStatement": {"Statement": deep}}) == "STATEMENT"
    for _ in range(5000):
        deep = {"NotStatement": {"Statement": deep}}
    assert field_of(deep) == "STATEMENT"


def test_what_rules_refer_to():
    nested = {"AndStatement": {"Statements": [IPS, {"NotStatement": {"Statement": IPS}}]}}
    rules = [rule("a", 0, nested), rule("b", 1, GROUP, **NONE), rule("c", 2, spec(RATE, ScopeDownStatement=IPS))]
    assert sorted(references(rules)) == [f"{ARN}/ipset/s/1", f"{ARN}/rulegroup/g/1"]
    many = [rule(f"r{number}", number, spec(IPS, ARN=f"{ARN}/ipset/s{number}/1")) for number in range(51)]
    with pytest.raises(InvalidParameter) as raised:
        check_rules(many, "WEB_ACL")
    assert raised.value.field == "ENTITY_LIMIT"


def test_the_countries_are_the_apis():
    assert set(load_model("wafv2").shape("CountryCode").enum) == COUNTRIES


def test_actions_are_the_apis_but_for_those_of_cloudfront():
    members = set(load_model("wafv2").shape("RuleAction").members)
    assert members - {"Monetize"} == {"Block", "Allow", "Count", "Captcha", "Challenge"}
    for each in members - {"Monetize"}:
        check_web_acl(web_acl(rule("r", 0, OK, {each: {}}), default=ALLOW))
    check_web_acl(web_acl(default=BLOCK))
    assert BODY
