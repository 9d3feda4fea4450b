"""Imported rules match what ModSecurity's reference manual says that they match."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from garrison.edge.crs import evaluate
from garrison.edge.crs.evaluate import CoreRules
from tests.support.secrules import bundle, matches, numbers, rule
from tests.support.waf import request

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
XML = {"content-type": "text/xml"}
PARTS = {"content-type": "multipart/form-data; boundary=xx"}
MULTIPART = (
    b'--xx\r\nContent-Disposition: form-data; name="field"\r\n\r\nevil value\r\n'
    b'--xx\r\nContent-Disposition: form-data; name="upload"; filename="evil.php"\r\nContent-Type: text/x-evil\r\n\r\ncontent\r\n--xx--\r\n'
)


@pytest.mark.parametrize(
    ("variable", "given"),
    [
        ("ARGS", {"target": "/?a=ev%69l"}),
        ("ARGS", {"target": "/?a=b+evil"}),
        ("ARGS:a", {"target": "/?a=evil"}),
        ("ARGS:A", {"target": "/?a=evil"}),
        ("ARGS:/^x/", {"target": "/?xyz=evil"}),
        ("ARGS_GET", {"target": "/?a=evil"}),
        ("ARGS_NAMES", {"target": "/?evil=1"}),
        ("ARGS_GET_NAMES", {"target": "/?evil=1"}),
        ("ARGS", {"sent": FORM, "body": b"a=1&b=ev%69l"}),
        ("ARGS_POST", {"sent": FORM, "body": b"b=evil"}),
        ("ARGS_POST_NAMES", {"sent": FORM, "body": b"evil=1"}),
        ("ARGS", {"sent": JSON, "body": b'{"a": {"b": ["x", "\\u0065vil"]}}'}),
        ("ARGS_NAMES", {"sent": JSON, "body": b'{"evil": 1}'}),
        ("ARGS", {"sent": PARTS, "body": MULTIPART}),
        ("FILES", {"sent": PARTS, "body": MULTIPART}),
        ("MULTIPART_PART_HEADERS", {"sent": PARTS, "body": MULTIPART}),
        ("XML:/*", {"sent": XML, "body": b"<a><b>ev</b><b>il</b></a>"}),
        ("XML:/*", {"sent": XML, "body": b"<a><![CDATA[evil]]></a>"}),
        ("XML://@*", {"sent": XML, "body": b'<a b="evil"/>'}),
        ("REQUEST_BODY", {"sent": JSON, "body": b"evil"}),
        ("REQUEST_COOKIES", {"sent": {"cookie": "a=evil"}}),
        ("REQUEST_COOKIES_NAMES", {"sent": {"cookie": "evil=1"}}),
        ("REQUEST_HEADERS", {"sent": {"x-any": "evil"}}),
        ("REQUEST_HEADERS:X-Any", {"sent": {"x-any": "evil"}}),
        ("REQUEST_HEADERS_NAMES", {"sent": {"x-evil": "1"}}),
        ("REQUEST_URI", {"target": "/evil?a"}),
        ("REQUEST_URI", {"target": "/?evil"}),
        ("REQUEST_URI_RAW", {"target": "/evil"}),
        ("REQUEST_FILENAME", {"target": "/ev%69l/x"}),
        ("REQUEST_BASENAME", {"target": "/x/evil"}),
        ("REQUEST_LINE", {"target": "/evil"}),
        ("QUERY_STRING", {"target": "/?evil"}),
        ("REQUEST_METHOD", {"method": "evil"}),
        ("REQUEST_PROTOCOL", {"http_version": "HTTP/evil"}),
        ("FILES_NAMES", {"sent": PARTS, "body": MULTIPART.replace(b"upload", b"evil")}),
    ],
)
def test_variables(tmp_path: Path, variable: str, given: dict[str, Any]):
    assert numbers(tmp_path, rule(variable, "@rx evil"), **given) == [942100]


@pytest.mark.parametrize(
    ("variable", "given"),
    [
        ("ARGS", {"target": "/evil", "sent": {"cookie": "a=evil", "x": "evil"}}),
        ("ARGS_GET", {"sent": FORM, "body": b"a=evil"}),
        ("ARGS_POST", {"target": "/?a=evil"}),
        ("ARGS:a", {"target": "/?b=evil"}),
        ("REQUEST_BASENAME", {"target": "/evil/x"}),
        ("REQUEST_FILENAME", {"target": "/?evil"}),
        ("ARGS|!ARGS:a", {"target": "/?a=evil"}),
        ("ARGS|!ARGS:/^a/", {"target": "/?abc=evil"}),
        ("REQUEST_HEADERS|!REQUEST_HEADERS:X-Any", {"sent": {"x-any": "evil"}}),
        ("XML:/*", {"sent": XML, "body": b"<a><!-- evil --></a>"}),
    ],
)
def test_variables_that_have_it_not(tmp_path: Path, variable: str, given: dict[str, Any]):
    assert numbers(tmp_path, rule(variable, "@rx evil"), **given) == []


def test_an_exclusion_is_of_its_own_collection(tmp_path: Path):
    text = rule("REQUEST_COOKIES|!REQUEST_COOKIES:/__utm/|REQUEST_COOKIES_NAMES", "@rx evil|__utm")
    assert numbers(tmp_path, text, sent={"cookie": "__utma=evil"}) == [942100]
    assert numbers(tmp_path, text.replace('|__utm"', '"'), sent={"cookie": "__utma=evil"}) == []


@pytest.mark.parametrize(
    ("operator", "good", "bad"),
    [
        ("@contains vi", "evil", "good"),
        ("@beginsWith ev", "evil", "devil"),
        ("@endsWith il", "evil", "evils"),
        ("@streq evil", "evil", "evils"),
        ("@within good evil", "evil", "bad"),
        ("!@within good evil", "bad", "evil"),
        ("@eq 7", "7", "8"),
        ("@gt 7", "8", "7"),
        ("@ge 7", "7", "6"),
        ("@lt 7", "6", "7"),
        ("@le 7", "7x", "8"),
        ("@pm evil bad", "an EVIL", "good"),
        ("@rx ^(?i)evil$", "EVIL", "evils"),
        ("!@rx ^good$", "evil", "good"),
        ("@validateByteRange 32-126", "a%00b", "ab"),
        ("@validateUrlEncoding", "a%25zz", "a%2541"),
        ("@validateUtf8Encoding", "a%ff", "a%c3%a4"),
        ("@detectSQLi", "1%27%20or%201=1--", "shoes"),
        ("@detectXSS", "%3Cscript%3Ealert(1)%3C/script%3E", "shoes"),
        ("@unconditionalMatch", "x", None),
        ("@noMatch", None, "x"),
    ],
)
def test_operators(tmp_path: Path, operator: str, good: str | None, bad: str | None):
    text = rule("ARGS", operator)
    if good is not None:
        assert numbers(tmp_path, text, f"/?a={good}") == [942100]
    if bad is not None:
        assert numbers(tmp_path, text, f"/?a={bad}") == []


def test_addresses(tmp_path: Path):
    text = rule("REMOTE_ADDR", "@ipMatch 192.0.2.0/24,2001:db8::1")
    assert numbers(tmp_path, text, source_ip="192.0.2.9") == [942100]
    assert numbers(tmp_path, text, source_ip="2001:db8::1") == [942100]
    assert numbers(tmp_path, text, source_ip="198.51.100.1") == []


def test_a_negated_operator_needs_a_value(tmp_path: Path):
    assert numbers(tmp_path, rule("REQUEST_HEADERS:Content-Length", "!@rx ^\\d+$"), sent={"content-length": "x"}) == [942100]
    assert numbers(tmp_path, rule("REQUEST_HEADERS:Content-Length", "!@rx ^\\d+$")) == []


def test_values_are_counted(tmp_path: Path):
    text = rule("&REQUEST_HEADERS:Host", "@eq 0")
    assert numbers(tmp_path, text) == [942100]
    assert numbers(tmp_path, text, sent={"host": "x"}) == []


def test_transformations_are_done_in_their_order(tmp_path: Path):
    text = rule("ARGS", "@rx ^<evil>$", "t:none,t:urlDecodeUni,t:htmlEntityDecode,t:lowercase")
    assert numbers(tmp_path, text, "/?a=%2526lt;EVIL%2526gt;") == [942100]
    assert numbers(tmp_path, rule("ARGS", "@gt 3", "t:none,t:length"), "/?a=abcd") == [942100]
    assert numbers(tmp_path, rule("ARGS", "@streq 6162", "t:none,t:hexEncode"), "/?a=ab") == [942100]


def test_a_rule_may_look_after_each_transformation(tmp_path: Path):
    text = rule("ARGS", "@rx \\.\\./", "t:none,t:normalizePath")
    assert numbers(tmp_path, text, "/?a=a/../b") == []
    assert numbers(tmp_path, text.replace("t:none", "multiMatch,t:none"), "/?a=a/../b") == [942100]
    phrases = rule("ARGS", "@pm a/../b", "multiMatch,t:none,t:normalizePath")
    assert numbers(tmp_path, phrases, "/?a=a/../b") == [942100]


def test_a_chain_matches_where_every_condition_does(tmp_path: Path):
    text = rule("ARGS:a", "@rx evil", "chain") + 'SecRule REQUEST_METHOD "@streq POST" "t:none"\n'
    assert numbers(tmp_path, text, "/?a=evil", method="POST") == [942100]
    assert numbers(tmp_path, text, "/?a=evil") == []


def test_captures_are_there_for_the_next_condition(tmp_path: Path):
    """A range whose end is before its start."""
    text = rule("REQUEST_HEADERS:Range", "@rx (\\d+)-(\\d+)", "capture,chain") + 'SecRule TX:2 "@lt %{tx.1}" "t:none"\n'
    assert numbers(tmp_path, text, sent={"range": "bytes=50-5"}) == [942100]
    assert numbers(tmp_path, text, sent={"range": "bytes=5-50"}) == []


def test_what_matched_is_there_for_the_next_condition(tmp_path: Path):
    text = rule("ARGS", "@rx evil", "chain") + 'SecRule MATCHED_VARS "@pm (" "t:none"\n'
    assert numbers(tmp_path, text, "/?a=evil()") == [942100]
    assert numbers(tmp_path, text, "/?a=evil&b=()") == []
    names = rule("ARGS", "@rx evil", "chain") + 'SecRule MATCHED_VARS_NAMES "@streq b" "t:none"\n'
    assert numbers(tmp_path, names, "/?a=1&b=evil") == [942100]
    assert numbers(tmp_path, names, "/?a=evil&b=1") == []


def test_variables_that_a_match_sets(tmp_path: Path):
    """An address of another host, as the rule against remote inclusion asks."""
    text = (
        rule("ARGS", "@rx ^https?://([^/]+)", "capture,setvar:'tx.rfi_%{MATCHED_VAR_NAME}=.%{tx.1}',chain")
        + 'SecRule TX:/^rfi_/ "!@endsWith .%{request_headers.host}" "t:none"\n'
    )
    assert numbers(tmp_path, text, "/?u=http://evil.example/x", {"host": "shop.example"}) == [942100]
    assert numbers(tmp_path, text, "/?u=http://shop.example/x", {"host": "shop.example"}) == []


def test_counters(tmp_path: Path):
    text = 'SecRule ARGS_NAMES "@rx ." "id:1,phase:2,pass,nolog,t:none,setvar:\'tx.count_%{MATCHED_VAR_NAME}=+1\'"\n' + rule(
        "TX:/^count_/", "@gt 1"
    )
    assert numbers(tmp_path, text, "/?a=1&b=2") == []
    assert numbers(tmp_path, text, "/?a=1&a=2") == [942100]


def test_settings_in_arguments(tmp_path: Path):
    text = (
        'SecRule &TX:allowed_methods "@eq 0" "id:1,phase:1,pass,nolog,setvar:\'tx.allowed_methods=GET HEAD\'"\n'
        + rule("REQUEST_METHOD", "!@within %{tx.allowed_methods}")
        + rule("ARGS", "@rx ^%{tx.allowed_methods}$", number=942101)
    )
    assert numbers(tmp_path, text, method="PUT") == [942100]
    assert numbers(tmp_path, text, "/?a=GET+HEAD") == [942101]


def test_rules_of_phase_one_come_first(tmp_path: Path):
    text = rule("ARGS", "@rx a", number=1) + rule("ARGS", "@rx a", number=2).replace("phase:2", "phase:1")
    assert numbers(tmp_path, text, "/?x=a") == [2, 1]


def test_the_bytes_that_matched(tmp_path: Path):
    for text in (rule("ARGS", "@rx e[vw]il"), rule("ARGS", "@pm evil"), rule("ARGS", "@rx (?<=n )evil", "capture")):
        (found,) = matches(tmp_path, text, "/?a=an+evil+one")
        assert (found.matched, found.value.name, found.value.location) == (b"evil", b"a", "ALL_QUERY_ARGS")


@pytest.mark.parametrize("expression", ["^evil", "evil$", "\\Aevil", "evil\\z", "(?<!x)evil(?!x)", "^evil$"])
def test_joining_values_loses_no_match(tmp_path: Path, expression: str):
    rules = CoreRules(bundle(tmp_path, rule("ARGS", f"@rx {expression}")))
    for target in ("/?a=evil", "/?a=x&b=evil", "/?b=evil&a=x", "/?a=x&b=evil&c=y"):
        for _ in range(2):  # the second time from what is remembered
            assert len(rules.matches(request(target), 8192)) == 1, target
    assert rules.matches(request("/?a=xevilx&b=1"), 8192) == []


def test_joining_values_invents_no_match(tmp_path: Path):
    rules = CoreRules(bundle(tmp_path, rule("ARGS", "@rx one\\s+two")))
    for _ in range(2):
        assert rules.matches(request("/?a=one&b=two"), 8192) == []
        assert len(rules.matches(request("/?a=one+two"), 8192)) == 1


def test_an_expression_that_would_run_for_ever_counts_as_a_match(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evaluate, "SECONDS", 0.01)
    text = rule("ARGS", "@rx ^(?=(a|aa)+$)", "capture")
    assert numbers(tmp_path, text, "/?x=" + "a" * 60 + "!") == [942100]


def test_a_body_is_looked_at_up_to_the_limit(tmp_path: Path):
    rules = CoreRules(bundle(tmp_path, rule("ARGS", "@rx evil")))
    given = request("/", FORM, method="POST", body=b"a=" + b"x" * 100 + b"evil")
    assert rules.matches(given, 50) == []
    assert len(rules.matches(given, 200)) == 1


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (JSON, b"[" * 5000),
        (JSON, b"\xff\xfe\x00"),
        (PARTS, b"--xx" * 3000),
        (PARTS, b"--xx\r\n" + b"a" * 8000),
        (XML, b"<" * 8000),
        (XML, b"<a " + b'b="c" ' * 1000),
        (FORM, b"&" * 8000),
        (FORM, b"=" * 8000),
        ({"content-type": "multipart/form-data"}, b"x"),
    ],
)
def test_bodies_that_are_none_of_their_kind_harm_nothing(tmp_path: Path, sent: dict[str, str], body: bytes):
    text = rule("ARGS|ARGS_NAMES|FILES|FILES_NAMES|MULTIPART_PART_HEADERS|XML:/*|XML://@*|REQUEST_BODY", "@rx evil")
    assert numbers(tmp_path, text, sent=sent, body=body, method="POST") == []
