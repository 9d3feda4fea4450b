"""Rules in AWS WAF's own language: the same requests, where it can say them, and a reason where it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from garrison.edge.crs.statements import translate
from garrison.edge.inspect import Action, RateTable, State, check_rule_group, compile_acl
from garrison.edge.inspect.detect.standard import StandardDetectors
from tests.support.secrules import bundle, rule
from tests.support.waf import Things, request, visible

SETTING = 'SecRule &TX:allowed_methods "@eq 0" "id:1,phase:1,pass,nolog,setvar:\'tx.allowed_methods=GET HEAD\'"\n'


def stopped(path: Path, text: str, target: str = "/", sent: Any = (), **more: Any) -> bool:
    made = translate(bundle(path, text), "crs")
    assert made.untold == ()
    check_rule_group(made.document)
    acl = compile_acl(
        {**made.document, "DefaultAction": {"Allow": {}}, "VisibilityConfig": visible("m")},
        Things(),
        detectors=StandardDetectors(),
    )
    return acl.inspect(request(target, sent, **more), State(RateTable())).action is Action.BLOCK


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        (rule("ARGS", "@rx evil"), {"target": "/?a=ev%69l"}, {"target": "/evil"}),
        (rule("ARGS", "@rx evil"), {"sent": {"content-type": "x"}, "body": b"a=ev%69l"}, {"body": b"a=b"}),
        (rule("ARGS:a", "@rx evil").replace("ARGS:a", "ARGS_GET:a"), {"target": "/?a=evil"}, {"target": "/?b=evil"}),
        (rule("ARGS", "@rx a.b"), {"target": "/?a=a%0Ab"}, {"target": "/?a=ab"}),
        (rule("REQUEST_COOKIES|REQUEST_COOKIES_NAMES", "@rx evil"), {"sent": {"cookie": "evil=1"}}, {"sent": {"cookie": "a=b"}}),
        (rule("REQUEST_HEADERS", "@pm evil BAD"), {"sent": {"x": "so bad"}}, {"sent": {"x": "good"}}),
        (rule("REQUEST_HEADERS|!REQUEST_HEADERS:X", "@rx evil"), {"sent": {"y": "evil"}}, {"sent": {"x": "evil"}}),
        (rule("REQUEST_FILENAME", "@endsWith .php"), {"target": "/a.php"}, {"target": "/a.php5"}),
        (rule("REQUEST_FILENAME", "@beginsWith /adm"), {"target": "/adm/x"}, {"target": "/x/adm"}),
        (rule("REQUEST_FILENAME", "@contains adm"), {"target": "/x/adm"}, {"target": "/x"}),
        (rule("REQUEST_METHOD", "@streq TRACE"), {"method": "TRACE"}, {"method": "GET"}),
        (SETTING + rule("REQUEST_METHOD", "!@within %{tx.allowed_methods}"), {"method": "PUT"}, {"method": "HEAD"}),
        (rule("&REQUEST_HEADERS:Host", "@eq 0"), {}, {"sent": {"host": "x"}}),
        (rule("&REQUEST_HEADERS:Host", "!@eq 0"), {"sent": {"host": "x"}}, {}),
        (
            rule("REQUEST_HEADERS:Content-Length", "!@rx ^\\d+$"),
            {"sent": {"content-length": "x"}},
            {"sent": {"content-length": "1"}},
        ),
        (rule("REQUEST_HEADERS:Content-Length", "!@rx ^\\d+$"), {"sent": {"content-length": ""}}, {}),
        (rule("ARGS", "@validateByteRange 32-126"), {"target": "/?a=%00"}, {"target": "/?a=b"}),
        (rule("QUERY_STRING", "@validateUrlEncoding"), {"target": "/?a=%zz"}, {"target": "/?a=%41"}),
        (rule("ARGS", "@detectSQLi"), {"target": "/?a=1%27%20or%201=1--"}, {"target": "/?a=shoes"}),
        (rule("ARGS", "@detectXSS"), {"target": "/?a=%3Cscript%3Ealert(1)%3C/script%3E"}, {"target": "/?a=shoes"}),
        (
            rule("ARGS", "@rx evil", "chain") + 'SecRule REQUEST_METHOD "@streq POST"\n',
            {"target": "/?a=evil", "method": "POST"},
            {"target": "/?a=evil"},
        ),
    ],
)
def test_rules_that_the_language_says(tmp_path: Path, text: str, good: dict[str, Any], bad: dict[str, Any]):
    assert stopped(tmp_path, text, **good)
    assert not stopped(tmp_path, text, **bad)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (rule("ARGS", f"@rx {'a' * 520}"), "has a regular expression of more than 512 characters"),
        (rule("ARGS", "@rx (?<!a)b"), "AWS WAF would refuse it"),
        (rule("ARGS", "@rx a(b)", "capture,chain") + 'SecRule TX:1 "@streq b"\n', "looks at what an earlier condition found"),
        (rule("&ARGS", "@gt 5"), "counts values"),
        (rule("REQUEST_LINE", "@rx a"), "looks at REQUEST_LINE"),
        (rule("ARGS:/^a/", "@rx a"), "selects names by an expression"),
        (rule("ARGS", "!@rx a"), "negates what may have several values"),
        (rule("ARGS", "@gt 5"), "asks by @gt"),
        (rule("ARGS", "@rx a", "t:none,t:length"), "transforms by LENGTH"),
        (rule("ARGS", "@endsWith %{request_headers.host}"), "compares with what the request itself says"),
        (rule("ARGS", f"@contains {'a' * 201}"), "looks for 201 bytes"),
        (rule("ARGS", "@rx a", "t:none" + ",t:lowercase,t:trim" * 5), "has more than 10 transformations"),
        (rule("ARGS:a", "@rx a"), "names one argument of a body"),
    ],
)
def test_what_the_language_cannot_say_has_its_reason(tmp_path: Path, text: str, reason: str):
    made = translate(bundle(tmp_path, text), "crs")
    assert made.document["Rules"] == []
    ((number, told),) = made.untold
    assert number == 942100
    assert told.startswith(reason)


def test_what_is_only_nearly_the_same_has_a_note(tmp_path: Path):
    text = rule("ARGS|ARGS_NAMES|XML:/*", "@rx ^evil$", "multiMatch,t:none,t:lowercase")
    assert {note for _, note in translate(bundle(tmp_path, text), "crs").notes} == {
        "does not look at the names of query arguments: the language has no field for them",
        "looks at the whole body for XML",
        "is anchored, and looks at a body as a whole",
        "looks at the value after all transformations, not after each",
    }


def test_lesser_rules_count(tmp_path: Path):
    made = translate(bundle(tmp_path, rule("ARGS", "@rx a", tail="severity:'WARNING'")), "crs")
    assert made.document["Rules"][0]["Action"] == {"Count": {}}


def test_phrases_fill_as_few_expressions_as_hold_them(tmp_path: Path):
    words = "\n".join(f"word{number:04}" for number in range(200))
    text = rule("REQUEST_METHOD", "@pmFromFile w.data")
    found = bundle(tmp_path, text, w_data=words)
    (made,) = translate(found, "crs").document["Rules"]
    parts = [each["RegexMatchStatement"]["RegexString"] for each in made["Statement"]["OrStatement"]["Statements"]]
    assert all(len(each) <= 512 for each in parts)
    assert sum(each.count("word") for each in parts) == 200
    assert len(parts) == 4


def test_a_rule_group_is_filled_up_to_its_capacity_critical_rules_first(tmp_path: Path):
    words = "\n".join(f"word{number:04}{'x' * 480}" for number in range(800))
    text = (
        rule("REQUEST_METHOD", "@rx lesser", number=1, tail="severity:'NOTICE'")
        + rule("REQUEST_METHOD", "@pmFromFile w.data", number=2)
        + rule("REQUEST_METHOD", "@pmFromFile w.data", number=3)
        + rule("REQUEST_METHOD", "@pmFromFile w.data", number=4)
    )
    made = translate(bundle(tmp_path, text, w_data=words), "crs")
    assert [each["Name"] for each in made.document["Rules"]] == ["CRS_2", "CRS_3", "CRS_1"]
    assert made.untold == ((4, "exceeds the 5000 capacity units of a rule group"),)
    # Twice 800 expressions of 3 units each, and one more.
    assert made.units == made.document["Capacity"] == 4803
    assert [each["Priority"] for each in made.document["Rules"]] == [0, 1, 2]
