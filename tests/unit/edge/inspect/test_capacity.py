"""Web ACL capacity units of the documentation's statements."""

from __future__ import annotations

import pytest

from garrison.edge.inspect import InvalidParameter, ManagedGroup
from garrison.edge.inspect.capacity import capacity
from tests.support.waf import ARGS, ARN, BODY, URI, Document, Things, byte_match, header, json_body, regex, rule, size, types

GROUP = f"{ARN}/rulegroup/g/1"
THINGS = Things(
    groups={GROUP: {"Name": "g", "Capacity": 321}},
    managed={("AWS", "Common"): ManagedGroup("AWS", "Common", "1", 700, "awswaf:managed:aws:core-rule-set:", [])},
)


def detect(kind: str, **more: str) -> Document:
    return {kind: {"FieldToMatch": URI, "TextTransformations": types(), **more}}


def forwarded(position: str) -> Document:
    config = {"HeaderName": "xff", "FallbackBehavior": "MATCH", "Position": position}
    return {"IPSetReferenceStatement": {"ARN": "a", "IPSetForwardedIPConfig": config}}


def rate(*keys: Document, scope: Document | None = None) -> Document:
    return {"RateBasedStatement": {"Limit": 100, "AggregateKeyType": "IP", "CustomKeys": list(keys), "ScopeDownStatement": scope}}


@pytest.mark.parametrize(
    ("statement", "units"),
    [
        (byte_match(b"x", URI, "EXACTLY"), 2),
        (byte_match(b"x", URI, "STARTS_WITH"), 2),
        (byte_match(b"x", URI, "ENDS_WITH"), 2),
        (byte_match(b"x", URI, "CONTAINS"), 10),
        (byte_match(b"x", URI, "CONTAINS_WORD"), 10),
        (byte_match(b"x", ARGS, "EXACTLY"), 12),
        (byte_match(b"x", json_body(), "CONTAINS"), 20),
        (byte_match(b"x", URI, "CONTAINS", "LOWERCASE", "URL_DECODE"), 30),
        (byte_match(b"x", URI, "CONTAINS", "NONE"), 10),
        (regex("a"), 3),
        (regex("a", json_body(), "LOWERCASE"), 16),
        ({"RegexPatternSetReferenceStatement": {"ARN": "a", "FieldToMatch": ARGS, "TextTransformations": types()}}, 35),
        (size("GT", 1, BODY), 1),
        (detect("SqliMatchStatement"), 20),
        (detect("SqliMatchStatement", SensitivityLevel="LOW"), 20),
        (detect("SqliMatchStatement", SensitivityLevel="HIGH"), 30),
        (detect("XssMatchStatement"), 40),
        ({"GeoMatchStatement": {"CountryCodes": ["DE"]}}, 1),
        ({"AsnMatchStatement": {"AsnList": [1]}}, 1),
        ({"LabelMatchStatement": {"Scope": "LABEL", "Key": "a"}}, 1),
        ({"IPSetReferenceStatement": {"ARN": "a"}}, 1),
        (forwarded("FIRST"), 1),
        (forwarded("ANY"), 5),
        (rate(), 2),
        (rate({"IP": {}}, {"HTTPMethod": {}}), 62),
        (rate(scope=byte_match(b"x")), 12),
        ({"NotStatement": {"Statement": byte_match(b"x")}}, 10),
        ({"AndStatement": {"Statements": [byte_match(b"x"), size("GT", 1)]}}, 11),
        ({"OrStatement": {"Statements": [byte_match(b"x"), size("GT", 1)]}}, 11),
        ({"RuleGroupReferenceStatement": {"ARN": GROUP}}, 321),
        ({"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": "Common"}}, 700),
        ({"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": "Common", "ScopeDownStatement": byte_match(b"x")}}, 710),
    ],
)
def test_units(statement: Document, units: int):
    assert capacity([rule("r", 0, statement)], THINGS) == units


def test_rules_share_a_transformation_of_a_component():
    lower = [rule(str(number), number, byte_match(b"x%d" % number, URI, "CONTAINS", "LOWERCASE")) for number in range(3)]
    assert capacity(lower) == 3 * 10 + 10
    other = rule("o", 9, byte_match(b"x", header("Referer"), "CONTAINS", "LOWERCASE"))
    same = rule("s", 10, byte_match(b"x", header("REFERER"), "CONTAINS", "URL_DECODE", "LOWERCASE"))
    assert capacity([*lower, other, same]) == 3 * 10 + 10 + 10 + 10 + 10 + 10


@pytest.mark.parametrize(
    "statement",
    [
        {"RuleGroupReferenceStatement": {"ARN": "nope"}},
        {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": "Nope"}},
        {"NoSuchStatement": {}},
    ],
)
@pytest.mark.parametrize("things", [THINGS, None])
def test_what_is_unknown_has_no_capacity(statement: Document, things: Things | None):
    with pytest.raises(InvalidParameter):
        capacity([rule("r", 0, statement)], things)
