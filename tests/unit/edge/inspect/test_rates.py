"""Rate-based rules: whom they count together, when they limit, and that many senders do not hide one."""

from __future__ import annotations

from typing import Any

import pytest

from garrison.edge.inspect import Location, RateRule, RateTable
from garrison.edge.inspect.tables import LIMITED, TRACKED
from tests.support.waf import COUNT, Document, Things, byte_match, compiled, inspect, request, rule, types

LIMIT = 10


def rate(kind: str = "IP", **more: Any) -> Document:
    return {"RateBasedStatement": {"Limit": LIMIT, "AggregateKeyType": kind, **more}}


def key(kind: str, **spec: Any) -> Document:
    return {kind: {**spec, "TextTransformations": types("LOWERCASE")}}


def custom(*keys: Document, **more: Any) -> Document:
    return rate("CUSTOM_KEYS", CustomKeys=list(keys), **more)


class Sender:
    """Asks one web ACL with one table of rates, and tells whether the rate-based rule acted."""

    def __init__(self, statement: Document, *before: Document, things: Things | None = None) -> None:
        self.acl = compiled(*before, rule("rate", 100, statement), things=things)
        self.table = RateTable()

    def ask(self, target: str = "/", **more: Any) -> bool:
        return inspect(self.acl, request(target, **more), rates=self.table).rule == "rate"

    def fill(self, target: str = "/", **more: Any) -> None:
        """Requests up to the limit, none of which is limited."""
        assert [self.ask(target, **more) for _ in range(LIMIT)] == [False] * LIMIT


def test_the_request_after_the_limit_is_limited():
    sender = Sender(rate())
    sender.fill()
    assert sender.ask()
    assert not sender.ask(source_ip="192.0.2.45")


@pytest.mark.parametrize("window", [60, 120, 300, 600])
def test_counts_leave_the_window(window: int):
    sender = Sender(rate(EvaluationWindowSec=window))
    sender.fill(time=1_000_000.0)
    assert sender.ask(time=1_000_000.0 + window - 1 - window / 6)
    assert not sender.ask(time=1_000_000.0 + window * 7 / 6 + 1)


def test_the_default_window_is_five_minutes():
    assert Sender(rate()).acl.rates[0].window == 300


@pytest.mark.parametrize(
    ("statement", "same", "other"),
    [
        (custom(key("Header", Name="X-Key")), {"sent": {"x-key": "A"}}, {"sent": {"X-Key": "b"}}),
        (custom(key("Cookie", Name="sid")), {"sent": {"Cookie": "sid=A"}}, {"sent": {"Cookie": "sid=b"}}),
        (custom(key("QueryArgument", Name="city")), {"target": "/?city=A"}, {"target": "/?city=b"}),
        (custom(key("QueryString")), {"target": "/?A"}, {"target": "/?b"}),
        (custom(key("UriPath")), {"target": "/A"}, {"target": "/b"}),
        (custom({"HTTPMethod": {}}), {"method": "GET"}, {"method": "POST"}),
        (custom({"JA3Fingerprint": {"FallbackBehavior": "MATCH"}}), {"ja3": "1"}, {"ja3": "2"}),
        (custom({"JA4Fingerprint": {"FallbackBehavior": "MATCH"}}), {"ja4": "1"}, {"ja4": "2"}),
        (custom({"ASN": {}}), {"asn": 64496}, {"asn": 64497}),
        (custom({"IP": {}}, {"HTTPMethod": {}}), {"source_ip": "192.0.2.1"}, {"source_ip": "192.0.2.2"}),
    ],
)
def test_custom_keys(statement: Document, same: Document, other: Document):
    sender = Sender(statement)
    sender.fill(**same)
    assert sender.ask(**same)
    assert not sender.ask(**other)


def test_a_request_without_the_key_is_not_counted():
    sender = Sender(custom(key("Header", Name="X-Key")))
    assert [sender.ask() for _ in range(3 * LIMIT)] == [False] * 3 * LIMIT


def test_keys_are_transformed():
    sender = Sender(custom(key("UriPath")))
    for each in ("/Login", "/LOGIN") * 5:
        sender.ask(each)
    assert sender.ask("/login")


def test_no_two_lists_of_values_share_a_key():
    sender = Sender(custom(key("Header", Name="a"), key("Header", Name="b")))
    sender.fill(sent={"a": "x1:y", "b": "z"})
    assert not sender.ask(sent={"a": "x", "b": "1:yz"})


def test_a_label_namespace_as_key():
    labelled = [
        rule(name, number, byte_match(name.encode()), COUNT, labels=[f"kind:{name}"])
        for number, name in enumerate(("one", "two"))
    ]
    namespace = "awswaf:111122223333:webacl:testWebACL:kind:"
    sender = Sender(custom({"LabelNamespace": {"Namespace": namespace}}), *labelled)
    sender.fill("/one")
    assert sender.ask("/one")
    assert not sender.ask("/two")
    assert not sender.ask("/else")


FORWARDED: Document = {"ForwardedIPConfig": {"HeaderName": "X-Forwarded-For", "FallbackBehavior": "NO_MATCH"}}


def test_a_forwarded_address_as_key():
    sender = Sender(rate("FORWARDED_IP", **FORWARDED))
    sender.fill(sent={"X-Forwarded-For": "198.51.100.1, 10.0.0.1"})
    assert sender.ask(sent={"X-Forwarded-For": "198.51.100.1"})
    assert not sender.ask(sent={"X-Forwarded-For": "198.51.100.2"})
    assert not sender.ask()


def test_an_invalid_forwarded_address_falls_back_and_is_not_counted():
    falls = {"ForwardedIPConfig": {"HeaderName": "xff", "FallbackBehavior": "MATCH"}}
    assert Sender(rate("FORWARDED_IP", **falls)).ask(sent={"xff": "nonsense"})
    assert not Sender(rate("FORWARDED_IP", **falls)).ask()
    kept = {"ForwardedIPConfig": {"HeaderName": "xff", "FallbackBehavior": "NO_MATCH"}}
    assert not Sender(rate("FORWARDED_IP", **kept)).ask(sent={"xff": "nonsense"})


def test_the_as_number_of_a_forwarded_address():
    things = Things(places={"198.51.100.1": Location(asn=64500), "198.51.100.2": Location(asn=64500)})
    sender = Sender(custom({"ASN": {}}, **FORWARDED), things=things)
    sender.fill(sent={"X-Forwarded-For": "198.51.100.1"})
    assert sender.ask(sent={"X-Forwarded-For": "198.51.100.2"})


def test_only_requests_in_scope_are_counted_and_limited():
    sender = Sender(rate("CONSTANT", ScopeDownStatement=byte_match(b"/login")))
    for number in range(3 * LIMIT):
        assert not sender.ask("/", source_ip=f"192.0.2.{number}")
    sender.fill("/login")
    assert sender.ask("/login", source_ip="192.0.2.99")
    assert not sender.ask("/")


def test_the_verdict_names_the_rule_and_the_instance():
    sender = Sender(custom({"IP": {}}, key("Header", Name="X-Key"), EvaluationWindowSec=60))
    sender.fill(sent={"X-Key": "V"})
    (found,) = inspect(sender.acl, request(sent={"X-Key": "V"}), rates=sender.table).rates
    assert (found.rule, found.limit_key, found.limit, found.window) == ("rate", "CUSTOMKEYS", LIMIT, 60)
    assert found.custom == (("IP", "", "192.0.2.44"), ("HEADER", "X-Key", "v"))
    plain = Sender(rate())
    plain.fill()
    (found,) = inspect(plain.acl, request(), rates=plain.table).rates
    assert (found.limit_key, found.limit_value, found.custom) == ("IP", "192.0.2.44", ())


def test_a_changed_setting_counts_anew():
    one, two, three = (Sender(rate(EvaluationWindowSec=window)).acl.rates[0] for window in (60, 60, 120))
    assert one.id == two.id != three.id


RULE = RateRule("r", 100, 60)


def test_the_estimate_slides_with_the_window():
    table = RateTable()
    for second in range(600):
        for _ in range(2):
            table.hit(RULE, b"k", 1_000_000.0 + second)
        if second > 80:
            assert abs(table.estimate(RULE, b"k", 1_000_000.0 + second) - 120) <= 2
    assert table.estimate(RULE, b"other", 1_000_600.0) == 0
    assert table.estimate(RULE, b"k", 1_000_700.0) == 0


def test_limited_instances_are_listed_by_their_requests():
    table = RateTable()
    for count, name in ((150, b"a"), (300, b"b"), (50, b"c")):
        for _ in range(count):
            table.hit(RULE, name, 1000.0)
    assert table.limited(RULE, 1000.0) == [b"b", b"a"]
    assert table.limited(RULE, 2000.0) == []


def test_many_senders_do_not_hide_one_and_memory_is_bounded():
    table = RateTable()
    now = 1_000_000.0
    for number in range(TRACKED + 50_000):
        table.hit(RULE, b"%d" % number, now)
        if number % 100 == 0:
            table.hit(RULE, b"heavy", now)
    assert table.estimate(RULE, b"heavy", now) > 1000
    assert table.hit(RULE, b"heavy", now)
    assert len(table._tables["r"]._instances) == TRACKED == len(table._tables["r"]._order)


def test_at_most_ten_thousand_are_limited_at_a_time():
    table = RateTable()
    single = RateRule("s", 1, 60)
    keys = [b"%d" % number for number in range(LIMITED + 5)]
    for each in keys:
        table.hit(single, each, 1000.0)
    assert sum(table.hit(single, each, 1000.0) for each in keys) == LIMITED
    later = 1000.0 + 71
    table.hit(single, b"new", later)
    assert table.hit(single, b"new", later)


def test_rules_that_are_gone_are_forgotten():
    table = RateTable()
    table.hit(RULE, b"k", 1.0)
    table.keep_only(frozenset({"other"}))
    assert table.estimate(RULE, b"k", 1.0) == 0


def test_a_long_value_is_counted_under_a_digest():
    sender = Sender(custom(key("QueryString")))
    long = "/?" + "a" * 4000
    sender.fill(long)
    assert sender.ask(long)
    assert not sender.ask(long + "b")
    (held,) = sender.table.limited(sender.acl.rates[0], 1_700_000_000.0)
    assert len(held) < 40
