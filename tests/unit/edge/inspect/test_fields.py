"""What each request component is, and what AWS does where it is too large, broken or absent."""

from __future__ import annotations

import pytest

from garrison.edge.inspect import WebRequest
from tests.support.waf import (
    ARGS,
    BODY,
    COUNT,
    QUERY,
    URI,
    Document,
    byte_match,
    compiled,
    cookies,
    header,
    headers,
    inspect,
    json_body,
    matches,
    regex,
    request,
    rule,
    size,
)


def exactly(text: bytes, where: Document, *transformations: str) -> Document:
    return byte_match(text, where, "EXACTLY", *transformations)


@pytest.mark.parametrize(
    ("where", "text", "asked"),
    [
        (URI, b"/images/daily-ad.jpg", request("/images/daily-ad.jpg?x=1")),
        (URI, b"/a%2e%2e//b", request("/a%2e%2e//b")),
        (URI, b"/x", request("http://example.com/x?y")),
        (QUERY, b"a=%41&b?c", request("/p?a=%41&b?c")),
        ({"Method": {}}, b"PUT", request(method="PUT")),
        (header("User-Agent"), b"curl/8", request(sent={"user-AGENT": "curl/8"})),
        (header("x-two"), b"a,b", request(sent=[(b"X-Two", b"a"), (b"X-Two", b"b")])),
        ({"SingleQueryArgument": {"Name": "SalesRegion"}}, b"seattle", request("/?SalesRegion=boston&salesregion=seattle")),
        (ARGS, b"abc", request("/?UserName=abc&SalesRegion=seattle")),
        (ARGS, b"a=b", request("/?x=a=b")),
        (BODY, b"plain", request(body=b"plain", method="POST")),
        ({"HeaderOrder": {"OversizeHandling": "CONTINUE"}}, b"host:user-agent", request(sent={"Host": "h", "User-Agent": "u"})),
        ({"JA3Fingerprint": {"FallbackBehavior": "NO_MATCH"}}, b"e7d705a3", request(ja3="e7d705a3")),
        ({"JA4Fingerprint": {"FallbackBehavior": "NO_MATCH"}}, b"t13d", request(ja4="t13d")),
        ({"UriFragment": {}}, b"top", request("/#top")),
        (cookies("VALUE"), b"dark", request(sent={"Cookie": "s=1; theme=dark"})),
        (cookies("KEY"), b"theme", request(sent=[(b"cookie", b"s=1"), (b"cookie", b"theme=dark")])),
        (headers("KEY"), b"x-key", request(sent={"X-Key": "v"})),
        (headers("VALUE"), b"v", request(sent={"X-Key": "v"})),
    ],
)
def test_component(where: Document, text: bytes, asked: WebRequest):
    assert matches(exactly(text, where), asked)
    assert not matches(exactly(text + b"!", where), asked)


@pytest.mark.parametrize(
    "where",
    [
        QUERY,
        ARGS,
        BODY,
        header("x"),
        json_body(),
        headers(),
        cookies(),
        {"SingleQueryArgument": {"Name": "q"}},
        {"UriFragment": {}},
        {"HeaderOrder": {"OversizeHandling": "MATCH"}},
        {"JA3Fingerprint": {"FallbackBehavior": "NO_MATCH"}},
    ],
)
def test_an_absent_component_does_not_match(where: Document):
    assert not matches(size("GE", 0, where), request("/"))
    assert not matches(regex(".*", where), request("/"))


@pytest.mark.parametrize("where", [{"JA3Fingerprint": {}}, {"JA4Fingerprint": {}}, {"UriFragment": {}}])
def test_absent_fingerprints_and_fragments_fall_back_as_configured(where: Document):
    kind = next(iter(where))
    assert matches(exactly(b"x", {kind: {"FallbackBehavior": "MATCH"}}), request("/"))
    assert not matches(exactly(b"x", {kind: {"FallbackBehavior": "NO_MATCH"}}), request("/"))


def test_names_of_headers_fold_and_names_of_cookies_do_not():
    only = {"IncludedHeaders": ["X-KEY"]}
    assert matches(exactly(b"v", headers("VALUE", pattern=only)), request(sent={"x-Key": "v"}))
    sent = {"Cookie": "Session=v"}
    assert matches(exactly(b"v", cookies("VALUE", pattern={"IncludedCookies": ["Session"]})), request(sent=sent))
    assert not matches(exactly(b"v", cookies("VALUE", pattern={"IncludedCookies": ["session"]})), request(sent=sent))
    assert not matches(exactly(b"v", cookies("VALUE", pattern={"ExcludedCookies": ["Session"]})), request(sent=sent))
    assert not matches(exactly(b"v", headers("VALUE", pattern={"ExcludedHeaders": ["x-KEY"]})), request(sent={"X-key": "v"}))


@pytest.mark.parametrize(
    "sent",
    [
        [(b"x-%d" % number, b"v") for number in range(200)] + [(b"x-last", b"attack")],
        [(b"x-big", b"v" * 8190), (b"x-last", b"attack")],
    ],
)
def test_more_than_8_kb_or_200_headers(sent: list[tuple[bytes, bytes]]):
    asked = request(sent=sent)
    assert not matches(exactly(b"attack", headers("VALUE")), asked)
    assert matches(exactly(b"attack", headers("VALUE", "MATCH")), asked)
    assert not matches(exactly(b"v", headers("VALUE", "NO_MATCH")), asked)
    assert matches(exactly(b"attack", header("x-last")), asked)
    assert inspect(compiled(rule("r", 0, exactly(b"-", headers()))), asked).oversize == {"REQUEST_HEADERS"}


def test_more_than_200_cookies():
    asked = request(sent={"Cookie": "; ".join(f"c{number}=v" for number in range(201))})
    assert matches(exactly(b"c199", cookies("KEY")), asked)
    assert not matches(exactly(b"c200", cookies("KEY")), asked)
    assert matches(exactly(b"-", cookies("KEY", "MATCH")), asked)
    assert inspect(compiled(rule("r", 0, exactly(b"-", cookies()))), asked).oversize == {"REQUEST_COOKIES"}


def test_exactly_the_limits_are_no_oversize():
    whole = [(b"n%03d" % number, b"") for number in range(200)]
    assert not matches(exactly(b"-", headers("KEY", "MATCH")), request(sent=whole))
    assert not matches(exactly(b"-", headers("KEY", "MATCH")), request(sent=[(b"n", b"v" * 8191)]))


def test_a_body_over_the_limit():
    asked = request(body=b"x" * 8192 + b"attack", method="POST")
    assert not matches(byte_match(b"attack", BODY), asked)
    assert matches(byte_match(b"attack", BODY), asked, limit=16384)
    assert matches(byte_match(b"-", {"Body": {"OversizeHandling": "MATCH"}}), asked)
    assert not matches(byte_match(b"x", {"Body": {"OversizeHandling": "NO_MATCH"}}), asked)
    verdict = inspect(compiled(rule("r", 0, byte_match(b"-", BODY))), asked)
    assert verdict.oversize == {"REQUEST_BODY"}
    assert verdict.body_inspected == 8192


def test_the_size_of_a_body_is_its_whole_size():
    asked = request(body=b"x" * 100, body_size=20_000, method="POST")
    assert matches(size("EQ", 20_000, BODY), asked)
    assert matches(size("GT", 8192, BODY), asked)
    assert not matches(size("GT", 8192, BODY), request(body=b"x" * 8192, method="POST"))


def test_the_limit_of_a_body_is_that_of_the_association():
    body = {"RequestBody": {"APPLICATION_LOAD_BALANCER": {"DefaultSizeInspectionLimit": "KB_64"}}}
    acl = compiled(rule("r", 0, byte_match(b"attack", BODY)), AssociationConfig=body)
    assert acl.body_limit == 65_536
    assert inspect(acl, request(body=b"x" * 60_000 + b"attack", method="POST")).rule == "r"


NESTED = b'{"a":{"c":"d","b":{"e":{"f":"g"}}}}'


@pytest.mark.parametrize(("scope", "found"), [("ALL", b"efg"), ("KEY", b"ef"), ("VALUE", b"g")])
def test_included_paths_of_json(scope: str, found: bytes):
    """The example of the developer guide: the key of the path itself is not evaluated."""
    asked = request(body=NESTED, method="POST")
    for each in b"abcdefg":
        letter = bytes((each,))
        assert matches(exactly(letter, json_body(scope, ["/a/b"])), asked) is (letter in found)


def test_elements_of_arrays_of_json():
    asked = request(body=b'{"dogs":[{"name":"rex"},{"name":"fido"},{"name":"bo"}]}', method="POST")
    where = json_body("VALUE", ["/dogs/0/name", "/dogs/1/name"])
    assert [matches(exactly(each, where), asked) for each in (b"rex", b"fido", b"bo")] == [True, True, False]


@pytest.mark.parametrize(
    "body", [b'{"key1":"value1""key2":"value2"}', b'{"key1":"value1","key2""value2"}', b'{"key1"::"value1","key2""value2"}']
)
def test_broken_json_that_aws_reads_as_two_pairs(body: bytes):
    """The examples of the developer guide."""
    where = json_body("ALL", InvalidFallbackBehavior="MATCH")
    asked = request(body=body, method="POST")
    for each in (b"key1", b"value1", b"key2", b"value2"):
        assert matches(exactly(each, where), asked)
    assert not matches(exactly(b"-", where), asked)


@pytest.mark.parametrize("body", [b'{"a":"b","c":', b'{"a":"b","a":"c"}', b'"a"', b"a=b", b'{"a":"b"} trailing', b"\xff", b"[1}"])
def test_json_that_cannot_be_parsed(body: bytes):
    asked = request(body=body, method="POST")
    assert matches(exactly(b"-", json_body(InvalidFallbackBehavior="MATCH")), asked)
    assert not matches(exactly(b"b", json_body(InvalidFallbackBehavior="NO_MATCH")), asked)
    assert matches(exactly(body, json_body(InvalidFallbackBehavior="EVALUATE_AS_STRING")), asked)


def test_without_fallback_json_is_read_up_to_its_failure():
    asked = request(body=b'{"a":"evil","c":', method="POST")
    assert matches(exactly(b"evil", json_body("VALUE")), asked)
    assert not matches(exactly(b"c", json_body("VALUE")), asked)


def test_both_values_of_a_duplicate_key_are_seen():
    asked = request(body=b'{"q":"attack","q":"fine"}', method="POST")
    assert matches(exactly(b"attack", json_body("VALUE")), asked)
    assert matches(exactly(b"fine", json_body("VALUE")), asked)


@pytest.mark.parametrize(
    "body", [rb'{"q":"\u0061ttack"}', "\ufeff".encode() + b'{"q":"attack"}', '{"q":"attack"}'.encode("utf-16"), b'\n[["attack"]]']
)
def test_spellings_of_json(body: bytes):
    assert matches(exactly(b"attack", json_body("VALUE")), request(body=body, method="POST"))


@pytest.mark.parametrize("body", [b"[" * 8000, b'{"a":' * 1600, b'{"' + b"\\" * 8000, b'"' * 8000, b"[1," * 2000])
def test_hostile_json_is_read_in_bounds(body: bytes):
    assert not matches(exactly(b"x", json_body()), request(body=body, method="POST"))


def test_numbers_and_literals_of_json_are_as_written():
    asked = request(body=b'{"n":1.50e3,"t":true,"z":null,"i":-7}', method="POST")
    for each in (b"1.50e3", b"true", b"null", b"-7"):
        assert matches(exactly(each, json_body("VALUE")), asked)


def test_query_arguments_are_raw_unless_transformed_before_parsing():
    argument = {"SingleQueryArgument": {"Name": "id"}}
    asked = request("/?%69d=attack;x=1")
    assert not matches(byte_match(b"attack", argument), asked)
    before = [{"Priority": 0, "Type": "URL_DECODE"}, {"Priority": 1, "Type": "REPLACE_SEMICOLONS_WITH_AMPERSANDS"}]
    assert matches(byte_match(b"attack", argument, "EXACTLY", PreParseTextTransformations=before), asked)
    combined = [{"Priority": 0, "Type": "COMBINE_DUPLICATE_QUERY_ARGS_BY_COMMA"}]
    split = request("/?id=union&id=select")
    assert matches(byte_match(b"union,select", argument, "EXACTLY", PreParseTextTransformations=combined), split)


def test_a_counted_rule_says_where_it_matched():
    acl = compiled(
        rule("r", 0, byte_match(b"ttac", ARGS), COUNT), rule("j", 1, regex("b[ou]+m", header("x-h"), "LOWERCASE"), COUNT)
    )
    verdict = inspect(acl, request("/?a=1&name=attack", {"X-H": "BOUM"}))
    first, second = (each.details[0] for each in verdict.matches)
    assert (first.condition, first.location, first.field, first.matched) == ("BYTE_MATCH", "ALL_QUERY_ARGS", "name", (b"ttac",))
    assert (second.condition, second.location, second.field, second.matched) == ("REGEX", "HEADER", "x-h", (b"boum",))
