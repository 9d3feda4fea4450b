"""``garrison waf test``: what it prints, and how it ends."""

from __future__ import annotations

import base64
import json
import xml.etree.ElementTree as ET
from typing import Any

from tests.support.waf import ARN, COUNT, byte_match, header, rule, types, web_acl

IP = f"{ARN}/ipset/office/1"
LOG = '198.51.100.7 - - [10/Oct/2025:13:55:36 +0000] "GET {} HTTP/1.1" 200 1 "-" "{}"\n'


def in_json(document: Any) -> Any:
    """The document with search strings in base64, as the API has them."""
    if isinstance(document, dict):
        return {
            key: base64.b64encode(value).decode() if isinstance(value, bytes) else in_json(value)
            for key, value in document.items()
        }
    return [in_json(each) for each in document] if isinstance(document, list) else document


def shop(*more: Any) -> Any:
    match = byte_match(b"<script", {"AllQueryArguments": {}})
    match["ByteMatchStatement"]["TextTransformations"] = types("URL_DECODE", "LOWERCASE")
    return in_json(
        web_acl(
            rule("scripts", 0, match),
            rule("bots", 1, byte_match(b"bot", header("User-Agent")), COUNT),
            rule("admin", 2, byte_match(b"/admin", position="STARTS_WITH"), {"Captcha": {}}),
            *more,
        )
    )


def log(folder: Any) -> str:
    lines = (
        LOG.format("/?id=1", "browser"),
        LOG.format("/search?page=2&q=a%3CScript%3E", "browser"),
        LOG.format("/", "a bot"),
        LOG.format("/admin/", "browser"),
    )
    return str(folder.write("access.log", "".join(lines)))


GOLDEN = """\
access.log:2: BLOCK GET /search?page=2&q=a%3CScript%3E   expected: allow
    by scripts
    BYTE_MATCH in ALL_QUERY_ARGS q: `<script`, bytes 10-19 of the query string
access.log:3: ALLOW GET /
    counted: bots
access.log:4: CAPTCHA GET /admin/   expected: allow
    by admin
    BYTE_MATCH in URI: `/admin`, bytes 0-6 of the path
4 requests: 2 ALLOW, 1 BLOCK, 1 CAPTCHA
        1 BLOCK scripts
        1 CAPTCHA admin
        1 COUNT bots
2 requests not as expected
"""


def test_what_is_stopped_by_which_rule_on_which_bytes(folder: Any):
    done = folder.test(folder.write("acl.json", shop()), "--access-log", log(folder))
    assert done.stdout == GOLDEN
    assert done.exit_code == 1
    assert "an access log has no body" in done.stderr


def test_json_for_programs(folder: Any):
    done = folder.test(folder.write("acl.json", shop()), "--access-log", log(folder), "--json")
    found = json.loads(done.stdout)
    assert {key: found[key] for key in ("requests", "actions", "notAsExpected")} == {
        "requests": 4,
        "actions": {"ALLOW": 2, "BLOCK": 1, "CAPTCHA": 1},
        "notAsExpected": 2,
    }
    first = found["outcomes"][0]
    assert first["where"] == "access.log:2"
    assert first["matches"] == [
        {
            "condition": "BYTE_MATCH",
            "sensitivity": None,
            "location": "ALL_QUERY_ARGS",
            "field": "q",
            "matchedData": ["<script"],
            "bytes": {"part": "query string", "start": 10, "end": 19, "exact": True},
        }
    ]
    assert len(found["outcomes"]) == 3
    everything = json.loads(folder.test("acl.json", "--access-log", "access.log", "--json", "-v").stdout)
    assert len(everything["outcomes"]) == 4


def test_junit_for_ci(folder: Any):
    folder.test(folder.write("acl.json", shop()), "--access-log", log(folder), "--junit", "out.xml")
    root = ET.parse(folder.path / "out.xml").getroot()
    assert {key: root.attrib[key] for key in ("tests", "failures")} == {"tests": "4", "failures": "2"}
    failed = [case for case in root.iter("testcase") if case.find("failure") is not None]
    assert [(case.attrib["file"], case.attrib["line"]) for case in failed] == [("access.log", "2"), ("access.log", "4")]
    failure = failed[0].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "BLOCK, expected: allow"
    assert "by scripts" in str(failure.text)


def test_the_exit_status_is_of_what_is_expected(folder: Any):
    acl = folder.write("acl.json", shop())
    good = folder.write("good.log", LOG.format("/", "browser"))
    bad = folder.write("bad.log", LOG.format("/?q=<script>", "browser"))
    assert folder.test(acl, "--access-log", good).exit_code == 0
    assert folder.test(acl, "--access-log", bad).exit_code == 1
    assert folder.test(acl, "--access-log", bad, "--expect", "block").exit_code == 0
    assert folder.test(acl, "--access-log", good, "--expect", "block").exit_code == 1
    assert folder.test(acl, "--access-log", good, "--access-log", bad, "--expect", "any").exit_code == 0


def test_folders_say_what_is_expected(folder: Any):
    acl = folder.write("acl.json", shop())
    folder.write("requests/block/attack.http", "GET /?q=%3cscript%3e HTTP/1.1\nHost: x\n")
    folder.write("requests/allow/search.http", "GET /?q=script HTTP/1.1\nHost: x\n")
    assert folder.test(acl, "--requests", "requests").exit_code == 0
    folder.write("requests/block/missed.http", "GET /?q=nothing HTTP/1.1\nHost: x\n")
    done = folder.test(acl, "--requests", "requests")
    assert done.exit_code == 1
    assert "requests/block/missed.http: ALLOW GET /?q=nothing   expected: block" in done.stdout


COMPARED = """\
access.log:2: let through now: GET /search?page=2&q=a%3CScript%3E
    old: BLOCK by scripts
         BYTE_MATCH in ALL_QUERY_ARGS q: `<script`, bytes 10-19 of the query string
    new: ALLOW
access.log:3: stopped now: GET /
    old: ALLOW
    new: BLOCK by bots
         BYTE_MATCH in HEADER user-agent: `bot`, bytes 2-5 of the header User-Agent
access.log:4: stopped by another rule: GET /admin/
    old: CAPTCHA by admin
         BYTE_MATCH in URI: `/admin`, bytes 0-6 of the path
    new: CAPTCHA by humans
         BYTE_MATCH in URI: `/admin`, bytes 0-6 of the path
4 requests: 1 let through now, 1 stopped by another rule, 1 stopped now
"""


def test_two_web_acls_compared(folder: Any):
    new = in_json(
        web_acl(
            rule("bots", 1, byte_match(b"bot", header("User-Agent"))),
            rule("humans", 2, byte_match(b"/admin", position="STARTS_WITH"), {"Captcha": {}}),
        )
    )
    arguments = ("--compare", folder.write("old.json", shop()), folder.write("new.json", new), "--access-log", log(folder))
    done = folder.test(*arguments, "--junit", "out.xml")
    assert done.stdout == COMPARED
    assert done.exit_code == 1
    assert ET.parse(folder.path / "out.xml").getroot().attrib["failures"] == "3"
    kinds = [each["kind"] for each in json.loads(folder.test(*arguments, "--json").stdout)["changes"]]
    assert kinds == ["let through now", "stopped now", "stopped by another rule"]
    same = folder.test("--compare", "old.json", "old.json", "--access-log", "access.log")
    assert (same.exit_code, same.stdout) == (0, "4 requests: no difference\n")


def test_rates_are_counted_at_the_times_of_the_log(folder: Any):
    spec = {"Limit": 10, "EvaluationWindowSec": 60, "AggregateKeyType": "IP"}
    acl = folder.write("acl.json", web_acl(rule("rate", 0, {"RateBasedStatement": spec})))
    line = '198.51.100.7 - - [10/Oct/2025:13:{:02}:{:02} +0000] "GET / HTTP/1.1" 200 1 "-" "-"\n'
    fast = folder.write("fast.log", "".join(line.format(0, second) for second in range(15)))
    slow = folder.write("slow.log", "".join(line.format(minute, 0) for minute in range(15)))
    assert "5 BLOCK" in folder.test(acl, "--access-log", fast).stdout
    assert folder.test(acl, "--access-log", slow).exit_code == 0


def test_solved_requests_pass_captchas(folder: Any):
    acl = folder.write("acl.json", shop())
    admin = folder.write("admin.log", LOG.format("/admin/", "browser"))
    assert folder.test(acl, "--access-log", admin).exit_code == 1
    assert folder.test(acl, "--access-log", admin, "--solved").exit_code == 0


def test_files_of_what_is_referred_to(folder: Any):
    acl = folder.write("acl.json", web_acl(rule("office", 0, {"IPSetReferenceStatement": {"ARN": IP}})))
    office = folder.write("office.txt", "198.51.100.0/24\n")
    good = folder.write("good.log", LOG.format("/", "browser"))
    assert folder.refused(acl, "--access-log", good).splitlines()[1] == f"  --ip-set {IP}=FILE"
    assert folder.test(acl, "--access-log", good, "--ip-set", f"{IP}={office}").exit_code == 1
    folder.write("resources/office.json", {"IPSet": {"ARN": IP, "Addresses": ["192.0.2.0/24"]}})
    assert folder.test(acl, "--access-log", good, "--resources", "resources").exit_code == 0


def test_places_that_nobody_told_are_warned_of(folder: Any):
    acl = folder.write("acl.json", web_acl(rule("geo", 0, {"GeoMatchStatement": {"CountryCodes": ["DE"]}})))
    done = folder.test(acl, "--access-log", folder.write("good.log", LOG.format("/", "browser")))
    assert "there is no database of places" in done.stderr


def test_what_cannot_be_used_is_said_and_nothing_is_tested(folder: Any):
    acl = folder.write("acl.json", shop())
    good = folder.write("good.log", LOG.format("/", "browser"))
    assert folder.refused("--access-log", good) == "give one web ACL, or two with --compare"
    assert folder.refused(acl) == "give requests: --har, --access-log or --requests"
    assert folder.refused(acl, "--requests", "none") == "none: this is no folder"
    assert folder.refused(acl, "--access-log", folder.write("empty.log", "")) == "there is no request in what was given"
    assert folder.refused(acl, "--access-log", good, "--source-ip", "x") == "`--source-ip x` is no address"
    assert "good.log" in folder.refused(acl, "--har", good)


def test_what_aws_would_refuse_is_refused_with_its_reason(folder: Any):
    good = folder.write("good.log", LOG.format("/", "browser"))
    bad = web_acl(
        rule(
            "r", 0, {"RegexMatchStatement": {"RegexString": "(", "FieldToMatch": {"UriPath": {}}, "TextTransformations": types()}}
        )
    )
    said = folder.refused(folder.write("acl.json", bad), "--access-log", good)
    assert said.startswith("acl.json: AWS WAF would refuse it: Error reason: The regular expression is not valid")
    del bad["Rules"][0]["Statement"]
    assert "AWS WAF would refuse it" in folder.refused(folder.write("acl.json", bad), "--access-log", good)
    many = [rule(f"r{number}", number, byte_match(f"x{number}".encode())) for number in range(501)]
    said = folder.refused(folder.write("acl.json", in_json(web_acl(*many))), "--access-log", good)
    assert said == "acl.json: AWS WAF would refuse it: it takes 5010 capacity units, and may take 5000"
