"""Each statement of the rule language, alone and combined."""

from __future__ import annotations

import ipaddress

import pytest

from garrison.edge.inspect import InvalidParameter, Location, MissingDetector, compile_acl
from garrison.edge.inspect.ipset import IpSet
from tests.support.waf import (
    ARGS,
    ARN,
    BODY,
    COUNT,
    QUERY,
    URI,
    Document,
    Things,
    byte_match,
    compiled,
    header,
    headers,
    inspect,
    matches,
    regex,
    request,
    rule,
    size,
    types,
    web_acl,
)

SET = f"{ARN}/ipset/s/1"
REGEXES = f"{ARN}/regexpatternset/r/1"


@pytest.mark.parametrize(
    ("position", "text", "value", "expected"),
    [
        ("EXACTLY", b"abc", b"abc", True),
        ("EXACTLY", b"abc", b"abcd", False),
        ("EXACTLY", b"abc", b"ABC", False),
        ("STARTS_WITH", b"abc", b"abcd", True),
        ("STARTS_WITH", b"abc", b"xabc", False),
        ("ENDS_WITH", b"abc", b"xabc", True),
        ("ENDS_WITH", b"abc", b"abcx", False),
        ("CONTAINS", b"abc", b"xabcx", True),
        ("CONTAINS", b"abc", b"ab c", False),
        ("CONTAINS", b"a.c", b"abc", False),
        ("CONTAINS", b"\x00\xff", b"a\x00\xffb", True),
        # The examples of the developer guide.
        ("CONTAINS_WORD", b"BadBot", b"BadBot", True),
        ("CONTAINS_WORD", b"BadBot", b"BadBot;", True),
        ("CONTAINS_WORD", b"BadBot", b";BadBot", True),
        ("CONTAINS_WORD", b"BadBot", b"-BadBot;", True),
        ("CONTAINS_WORD", b"BadBot", b"BadBots", False),
        ("CONTAINS_WORD", b"BadBot", b"_BadBot", False),
        ("CONTAINS_WORD", b"BadBot", b"BadBots BadBot", True),
    ],
)
def test_byte_match(position: str, text: bytes, value: bytes, expected: bool):
    assert matches(byte_match(text, header("x"), position), request(sent=[(b"X", value)])) is expected


def test_a_search_string_of_json_is_base64():
    statement = byte_match(b"", URI)
    statement["ByteMatchStatement"]["SearchString"] = "YXR0YWNr"
    assert matches(statement, request("/attack"))


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        (r"^/admin(/.*)?$", b"/admin/x", True),
        (r"^/admin$", b"/admin/x", False),
        (r"(?i)SELECT\s+\w+\s+from", b"select a FROM b", True),
        (r"a{2,3}b", b"aab", True),
        (r"[^a-z]", b"abc", False),
        (r".", b"\n", False),
        (r"(?s).", b"\n", True),
        (r"^$", b"", True),
        (r"\bcat\b", b"concat", False),
        (r"x*", b"y", True),
        ("é", "caf\u00e9".encode(), True),
    ],
)
def test_regex_match(expression: str, value: bytes, expected: bool):
    assert matches(regex(expression, header("x")), request(sent=[(b"X", value)])) is expected


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        (r"^b$", [b"a", b"b", b"c"]),
        (r"\Ab\z", [b"a", b"b", b"c"]),
        (r"(?-m)^b", [b"a", b"b"]),
        (r"^$", [b"a", b""]),
        (r"a\nb", [b"x", b"a\nb"]),
        (r"\Bb", [b"x", b"ab"]),
    ],
)
def test_anchors_hold_for_each_of_several_values(expression: str, values: list[bytes]):
    sent = [(b"n%d" % number, value) for number, value in enumerate(values)]
    assert matches(regex(expression, headers("VALUE")), request(sent=sent))


@pytest.mark.parametrize(("expression", "values"), [(r"a\nb", [b"a", b"b"]), (r"(?s)a.b", [b"a", b"b"]), (r"a\sb", [b"a", b"b"])])
def test_no_match_spans_several_values(expression: str, values: list[bytes]):
    sent = [(b"n%d" % number, value) for number, value in enumerate(values)]
    assert not matches(regex(expression, headers("VALUE")), request(sent=sent))


def test_regex_pattern_set():
    things = Things(regex_sets={REGEXES: ["^/a", "evil[0-9]+"]})
    statement = {
        "RegexPatternSetReferenceStatement": {"ARN": REGEXES, "FieldToMatch": URI, "TextTransformations": types("LOWERCASE")}
    }
    assert matches(statement, request("/x/EVIL7"), things)
    assert matches(statement, request("/A"), things)
    assert not matches(statement, request("/x/evil"), things)


@pytest.mark.parametrize(
    ("comparison", "found"),
    [("EQ", {4}), ("NE", {3, 5}), ("LE", {3, 4}), ("LT", {3}), ("GE", {4, 5}), ("GT", {5})],
)
def test_size_constraint(comparison: str, found: set[int]):
    asked = {number: request(sent=[(b"x", b"v" * number)]) for number in (3, 4, 5)}
    assert {number for number, each in asked.items() if matches(size(comparison, 4, header("x")), each)} == found


def test_size_is_after_transformation_and_a_slash_counts():
    assert matches(size("EQ", 9, URI), request("/logo.jpg"))
    assert matches(size("EQ", 2, QUERY, "URL_DECODE"), request("/?%41%42"))


def test_attacks_are_asked_of_the_detectors():
    sqli = {"SqliMatchStatement": {"FieldToMatch": ARGS, "TextTransformations": types("URL_DECODE")}}
    asked = request("/?id=7&q=1%20or%201=1")
    verdict = inspect(compiled(rule("sqli", 0, sqli)), asked)
    found = verdict.details[0]
    assert (verdict.rule, found.condition, found.location, found.field) == ("sqli", "SQL_INJECTION", "ALL_QUERY_ARGS", "q")
    assert (found.matched, found.sensitivity) == ((b"or", b"1=1"), "LOW")
    high = {"SqliMatchStatement": {**sqli["SqliMatchStatement"], "SensitivityLevel": "HIGH"}}
    assert not matches(sqli, request("/?q=union"))
    assert matches(high, request("/?q=union"))
    xss = {"XssMatchStatement": {"FieldToMatch": BODY, "TextTransformations": types("HTML_ENTITY_DECODE")}}
    assert matches(xss, request(method="POST", body=b"&lt;script>"))


def test_without_detectors_a_web_acl_that_needs_them_is_not_compiled():
    statement = {"XssMatchStatement": {"FieldToMatch": BODY, "TextTransformations": types()}}
    with pytest.raises(MissingDetector):
        compile_acl(web_acl(rule("x", 0, statement)), Things())


def ip_set(forwarded: Document | None = None) -> Document:
    return {"IPSetReferenceStatement": {"ARN": SET, **({"IPSetForwardedIPConfig": forwarded} if forwarded else {})}}


ADDRESSES = Things(ip_sets={SET: ["192.0.2.0/24", "203.0.113.7/32", "2001:db8::/32"]})


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("192.0.2.44", True),
        ("192.0.3.0", False),
        ("203.0.113.7", True),
        ("203.0.113.8", False),
        ("2001:db8:ffff::1", True),
        ("2001:db9::", False),
        ("::ffff:192.0.2.1", True),
        ("unix:", False),
        ("", False),
    ],
)
def test_ip_set(ip: str, expected: bool):
    assert matches(ip_set(), request(source_ip=ip), ADDRESSES) is expected


@pytest.mark.parametrize(
    ("position", "value", "expected"),
    [
        ("FIRST", "192.0.2.1, 198.51.100.1", True),
        ("FIRST", "198.51.100.1, 192.0.2.1", False),
        ("LAST", "198.51.100.1, 192.0.2.1", True),
        ("LAST", "192.0.2.1, 198.51.100.1", False),
        ("ANY", "198.51.100.1, 192.0.2.1, 198.51.100.2", True),
        ("ANY", "192.0.2.1," + ",".join(["198.51.100.1"] * 10), False),
        ("ANY", "198.51.100.1", False),
    ],
)
def test_ip_set_of_a_forwarded_address(position: str, value: str, expected: bool):
    forwarded = {"HeaderName": "X-Forwarded-For", "FallbackBehavior": "NO_MATCH", "Position": position}
    asked = request(sent={"X-Forwarded-For": value}, source_ip="192.0.2.9")
    assert matches(ip_set(forwarded), asked, ADDRESSES) is expected


@pytest.mark.parametrize("value", ["", "unknown", "1.2.3.4.5, 192.0.2.1", "192.0.2.1:80", "01.2.3.4"])
@pytest.mark.parametrize("fallback", ["MATCH", "NO_MATCH"])
def test_an_invalid_forwarded_address_falls_back_as_configured(value: str, fallback: str):
    forwarded = {"HeaderName": "xff", "FallbackBehavior": fallback, "Position": "FIRST"}
    assert matches(ip_set(forwarded), request(sent={"XFF": value}), ADDRESSES) is (fallback == "MATCH")


def test_without_the_header_the_statement_does_not_apply_at_all():
    """Neither it nor its negation matches; another statement beside it does as ever."""
    statement = ip_set({"HeaderName": "xff", "FallbackBehavior": "MATCH", "Position": "ANY"})
    negated = {"NotStatement": {"Statement": statement}}
    attack = byte_match(b"attack")
    asked = request("/attack")
    assert not matches(statement, asked, ADDRESSES)
    assert not matches(negated, asked, ADDRESSES)
    assert matches({"OrStatement": {"Statements": [negated, attack]}}, asked, ADDRESSES)
    assert not matches({"AndStatement": {"Statements": [negated, attack]}}, asked, ADDRESSES)


def test_a_network_of_mapped_addresses_is_one_of_ipv4():
    found = IpSet(["::ffff:192.0.2.0/120", "::ffff:203.0.113.7/128"])
    asked = ("192.0.2.9", "::ffff:192.0.2.9", "203.0.113.7", "203.0.113.8", "::c000:209")
    assert [bool((address := request(source_ip=each).ip) and address in found) for each in asked] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_sets_of_addresses_are_merged_ranges():
    found = IpSet(["10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16", "255.255.255.255/32", "0.0.0.0/32", "::/1"])
    for ip, expected in [
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("255.255.255.255", True),
        ("0.0.0.1", False),
        ("0.0.0.1", False),
    ]:
        assert (ipaddress.ip_address(ip) in found) is expected
    assert ipaddress.ip_address("7fff::") in found
    assert ipaddress.ip_address("8000::") not in found


def geo(*countries: str, **more: Document) -> Document:
    return {"GeoMatchStatement": {"CountryCodes": list(countries), **more}}


def test_geo_match_labels_whether_or_not_it_matches():
    acl = compiled(rule("geo", 0, geo("DE")))
    verdict = inspect(acl, request(country="US", region="CA"))
    assert verdict.rule == "Default_Action"
    assert verdict.labels == ("awswaf:clientip:geo:country:US", "awswaf:clientip:geo:region:US-CA")
    assert inspect(acl, request(country="DE")).rule == "geo"


def test_geo_match_of_a_forwarded_address():
    things = Things(places={"198.51.100.1": Location("FR", "IDF", 64500)})
    forwarded = {"HeaderName": "XFF", "FallbackBehavior": "MATCH"}
    acl = compiled(rule("geo", 0, geo("FR", ForwardedIPConfig=forwarded)), things=things)
    verdict = inspect(acl, request(sent={"XFF": "198.51.100.1, 192.0.2.1"}, country="US"))
    assert verdict.rule == "geo"
    assert "awswaf:forwardedip:geo:country:FR" in verdict.labels
    assert inspect(acl, request(sent={"XFF": "?"})).rule == "geo"
    assert inspect(acl, request(country="FR")).rule == "Default_Action"


def test_asn_match():
    things = Things(places={"198.51.100.1": Location(asn=64500)})
    assert matches({"AsnMatchStatement": {"AsnList": [64496, 64500]}}, request(asn=64496))
    assert not matches({"AsnMatchStatement": {"AsnList": [64500]}}, request(asn=64496))
    assert matches({"AsnMatchStatement": {"AsnList": [0]}}, request())
    spec = {"AsnList": [64500], "ForwardedIPConfig": {"HeaderName": "XFF", "FallbackBehavior": "NO_MATCH"}}
    assert matches({"AsnMatchStatement": spec}, request(sent={"XFF": "198.51.100.1"}), things)


NAMESPACE = "awswaf:111122223333:webacl:testWebACL:"


@pytest.mark.parametrize(
    ("labels", "scope", "key", "expected"),
    [
        # The examples of the developer guide's page of label matches.
        (["header:encoding:utf8"], "LABEL", "header:encoding:utf8", True),
        (["testNS1:testNS2:header:encoding:utf8"], "LABEL", "header:encoding:utf8", True),
        (["header:encoding2:utf8"], "LABEL", "header:encoding:utf8", False),
        (["header:encoding:utf8"], "NAMESPACE", "header:encoding:", True),
        (["header:encoding:utf8"], "LABEL", "utf8", True),
        (["header:encoding:utf8"], "LABEL", "tf8", False),
        (["header:encoding:utf8"], "LABEL", "encoding", False),
        (["header:encoding:utf8"], "LABEL", f"{NAMESPACE}header:encoding:utf8", True),
        (["header:encoding:utf8"], "LABEL", f"{NAMESPACE}header:encoding", False),
        (["header:encoding:utf8"], "NAMESPACE", f"{NAMESPACE}header:", True),
        (["header:encoding:utf8"], "NAMESPACE", "awswaf:444455556666:webacl:testWebACL:header:", False),
        (["header:encoding:utf8"], "NAMESPACE", "utf8:", False),
        (["header:encoding:utf8"], "NAMESPACE", "header:enc", False),
    ],
)
def test_label_match(labels: list[str], scope: str, key: str, expected: bool):
    adds = rule("adds", 0, byte_match(b"/"), COUNT, labels=labels)
    looks = rule("looks", 1, {"LabelMatchStatement": {"Scope": scope, "Key": key}})
    assert (inspect(compiled(adds, looks), request()).rule == "looks") is expected
    assert inspect(compiled({**looks, "Priority": 0}, {**adds, "Priority": 1}), request()).rule == "Default_Action"


def test_logic():
    a, b = byte_match(b"a"), byte_match(b"b")
    both = {"AndStatement": {"Statements": [a, b]}}
    either = {"OrStatement": {"Statements": [a, b]}}
    neither = {"NotStatement": {"Statement": either}}
    asked = {path: request(path) for path in ("/a", "/b", "/ab", "/")}
    assert [matches(both, each) for each in asked.values()] == [False, False, True, False]
    assert [matches(either, each) for each in asked.values()] == [True, True, True, False]
    assert [matches(neither, each) for each in asked.values()] == [False, False, False, True]


def test_only_what_made_the_rule_match_is_a_detail():
    a, b, c = byte_match(b"a"), byte_match(b"b"), byte_match(b"c")
    statement = {"OrStatement": {"Statements": [{"AndStatement": {"Statements": [a, b]}}, {"NotStatement": {"Statement": b}}, c]}}
    verdict = inspect(compiled(rule("r", 0, statement)), request("/ac"))
    assert verdict.details == ()


@pytest.mark.parametrize(
    ("statement", "field"),
    [
        (ip_set(), "IP_SET_REFERENCE_STATEMENT"),
        (
            {"RegexPatternSetReferenceStatement": {"ARN": REGEXES, "FieldToMatch": URI, "TextTransformations": types()}},
            "REGEX_PATTERN_REFERENCE_STATEMENT",
        ),
    ],
)
def test_what_a_rule_refers_to_must_exist(statement: Document, field: str):
    with pytest.raises(InvalidParameter) as raised:
        compiled(rule("r", 0, statement))
    assert raised.value.field == field
