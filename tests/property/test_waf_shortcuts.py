"""What the engine skips or remembers decides nothing: the long way, asked anew, gives the same verdict and the same words."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from garrison.edge.inspect import CompiledAcl, Location, ManagedGroup, RateTable, State, WebRequest, compile_acl
from garrison.edge.inspect.detect.standard import StandardDetectors
from garrison.edge.inspect.groups import Context, Finding, RequestDetector
from garrison.edge.inspect.managed import bots
from garrison.edge.inspect.managed.baseline import scanner
from garrison.edge.inspect.managed.catalog import Catalog
from garrison.edge.inspect.managed.feeds import Feeds, addresses
from garrison.edge.inspect.remember import LONGEST, remembered
from garrison.edge.inspect.request import parse_ip
from tests.support.waf import web_acl

GROUPS = (
    "BotControlRuleSet", "CommonRuleSet", "AdminProtectionRuleSet", "KnownBadInputsRuleSet", "SQLiRuleSet", "LinuxRuleSet",
    "UnixRuleSet", "WindowsRuleSet", "PHPRuleSet", "WordPressRuleSet", "AmazonIpReputationList", "AnonymousIpList",
)  # fmt: skip
FEEDS = Feeds(reputation=addresses(["198.51.100.0/24"]), anonymous=addresses(["2001:db8::/32"]))


class Plain:
    """The managed groups; ``asked_one_by_one``: with detectors that say nothing of when they need not be asked."""

    def __init__(self, *, asked_one_by_one: bool) -> None:
        self.catalog = Catalog(FEEDS)
        self.asked_one_by_one = asked_one_by_one

    def managed_group(self, vendor: str, name: str, version: str | None) -> ManagedGroup:
        found = self.catalog.get(vendor, name, version)
        if not self.asked_one_by_one:
            return found
        return replace(found, request_detectors={each: plain(detect) for each, detect in found.request_detectors.items()})

    def ip_set(self, arn: str) -> list[str]:
        raise KeyError(arn)

    regex_set = ip_set

    def rule_group(self, arn: str) -> dict[str, Any]:
        raise KeyError(arn)

    def locate(self, _ip: str) -> Location:
        return Location()


def plain(detect: RequestDetector) -> RequestDetector:
    """The detector, and nothing but that."""

    def ask(request: WebRequest, context: Context) -> Finding | None:
        return detect(request, context)

    return ask


@cache
def acl(*, counting: bool, asked_one_by_one: bool) -> CompiledAcl:
    """All groups. ``counting``: their rules only count, so each of them is asked."""
    resources = Plain(asked_one_by_one=asked_one_by_one)
    rules = []
    for number, name in enumerate(GROUPS):
        spec: dict[str, Any] = {"VendorName": "AWS", "Name": f"AWSManagedRules{name}"}
        if counting:
            listed = resources.catalog.get("AWS", spec["Name"]).rules
            spec["RuleActionOverrides"] = [{"Name": each["Name"], "ActionToUse": {"Count": {}}} for each in listed]
        visible = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}
        rule = {"Name": name, "Priority": number, "OverrideAction": {"None": {}}, "VisibilityConfig": visible}
        rules.append({**rule, "Statement": {"ManagedRuleGroupStatement": spec}})
    return compile_acl(web_acl(*rules), resources, detectors=StandardDetectors())


TEXTS = st.sampled_from(
    [
        b"", b"42", b"union", b"blue shoes", b"1' or 1=1-- ", b"<script>alert(1)</script>", b"../../etc/passwd", b"${jndi:ldap://x/a}",
        b";cat /etc/passwd", b"http://169.254.169.254/latest", b"<?php system($_GET[1]);", b"/wp-config.php", b"/phpmyadmin/",
        b"cmd.exe /c dir", b'{"id": "7", "note": "it is"}', b'{"id": "1 union select 2,3"}', b"caf\xc3\xa9%20au%20lait", b"a.ini",
        b"it's", b"%24%7bjndi:x%7d", b"author=1", b"*/*", b"text/html;q=0.9",
    ]
)  # fmt: skip
AGENTS = st.sampled_from(
    [
        b"", b"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", b"curl/8.5.0", b"sqlmap/1.8", b"GPTBot/1.2",
        b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", b"Mozilla/5.0 HeadlessChrome/131.0",
        b"Mozilla/5.0 <script>alert(1)</script>", b"python-requests/2.31 scrapy java/17",
    ]
)  # fmt: skip
NAMES = st.sampled_from(
    [
        b"Accept",
        b"Accept-Language",
        b"Referer",
        b"X-Filename",
        b"X-Forwarded-For",
        b"If-None-Match",
        b"X-Note",
        b"Host",
        b"cookie",
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> WebRequest:
    """A request of a few texts, harmless ones and attacks, at all places."""
    path, query, body = b"/" + draw(TEXTS), draw(TEXTS), draw(TEXTS)
    headers = [(b"User-Agent", draw(AGENTS)), *draw(st.lists(st.tuples(NAMES, TEXTS), max_size=4))]
    headers.append((b"Referer", b"https://shop.example.com" + path + b"?q=" + draw(TEXTS) + b"#" + draw(TEXTS)))
    target = path.replace(b"?", b"") + (b"?q=" + query if query else b"")
    source = draw(st.sampled_from(["192.0.2.1", "198.51.100.7", "2001:db8::1", "none"]))
    return WebRequest("POST" if body else "GET", target, headers, body, source_ip=source)


def again(request: WebRequest) -> WebRequest:
    """The same request, nothing of it read yet."""
    return WebRequest(request.method, request.target, request.headers, request.body, source_ip=request.source_ip)


@settings(max_examples=150, deadline=None)
@given(requests(), st.booleans())
def test_rules_that_are_not_asked_would_have_said_nothing(request: WebRequest, counting: bool) -> None:
    short = acl(counting=counting, asked_one_by_one=False).inspect(request, State(RateTable()))
    long = acl(counting=counting, asked_one_by_one=True).inspect(again(request), State(RateTable()))
    assert short == long
    assert acl(counting=counting, asked_one_by_one=False).inspect(again(request), State(RateTable())) == short


WORDS = st.lists(
    st.one_of(AGENTS, st.binary(max_size=12), st.sampled_from([b" ", b"\n", b"java/", b"HTTP.RB", b"9"])), max_size=6
)


@settings(max_examples=300, deadline=None)
@given(WORDS.map(b"".join))
def test_a_user_agent_names_what_each_pattern_alone_finds_in_it(agent: bytes) -> None:
    found = {category: pattern.search(agent) for category, pattern in bots.PATTERNS.items()}
    assert bots.named(agent) == {category: match.group() for category, match in found.items() if match is not None}


@settings(max_examples=200, deadline=None)
@given(WORDS.map(b"".join), st.booleans())
def test_the_same_answer_comes_again(agent: bytes, longer: bool) -> None:
    value = agent + b" " * LONGEST if longer else agent
    for ask in (bots.named, scanner):
        assert ask(value) == ask(value) == ask.__wrapped__(value)  # type: ignore[union-attr] # what `wraps` leaves


def test_long_values_are_not_kept() -> None:
    asked: list[int] = []
    ask = remembered(lambda value: asked.append(len(value)))
    for _ in range(2):
        ask(b"a" * LONGEST)
        ask(b"a" * (LONGEST + 1))
    assert asked == [LONGEST, LONGEST + 1, LONGEST + 1]


def test_an_address_is_read_whatever_its_length() -> None:
    assert parse_ip("192.0.2.1") == parse_ip("::ffff:192.0.2.1")
    assert parse_ip("fe80::1%" + "a" * 5000) is None
    assert parse_ip("0" * 5000) is None
