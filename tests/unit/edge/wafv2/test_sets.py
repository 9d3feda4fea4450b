"""IP sets and regex pattern sets: CreateIPSet, GetIPSet, UpdateIPSet, DeleteIPSet, ListIPSets, and the same of RegexPatternSet."""

from __future__ import annotations

import pytest

from tests.support.wafv2 import ANY_ID, NONE, SCOPE, Waf, code, named, parameter, refused, rule


def regex_set(waf: Waf, name: str, *patterns: str) -> dict[str, str]:
    listed = [{"RegexString": each} for each in patterns]
    made = waf.client.create_regex_pattern_set(Name=name, Scope=SCOPE, RegularExpressionList=listed)
    return dict(made["Summary"])


def test_an_ip_set_reads_as_it_was_made(waf: Waf):
    made = waf.ip_set("four", "192.0.2.0/24", "198.51.100.7/32", "192.0.2.0/24")
    found = waf.client.get_ip_set(**named(made))
    assert found["LockToken"] == made["LockToken"]
    assert found["IPSet"] == {
        "Name": "four",
        "Id": made["Id"],
        "ARN": made["ARN"],
        "IPAddressVersion": "IPV4",
        "Addresses": ["192.0.2.0/24", "198.51.100.7/32"],
    }
    six = waf.ip_set("six", "2001:db8::/32", version="IPV6")
    assert waf.client.get_ip_set(**named(six))["IPSet"]["Addresses"] == ["2001:db8::/32"]
    assert waf.client.get_ip_set(**named(waf.ip_set("empty")))["IPSet"]["Addresses"] == []


@pytest.mark.parametrize(
    ("version", "address"),
    [
        ("IPV4", "192.0.2.1"),
        ("IPV4", "0.0.0.0/0"),
        ("IPV6", "fe80::1%eth0/64"),
        ("IPV6", "::/0"),
        ("IPV4", "192.0.2.0/33"),
        ("IPV4", "192.0.2.0/255.255.255.0"),
        ("IPV4", "2001:db8::/32"),
        ("IPV6", "192.0.2.0/24"),
        ("IPV4", "192.0.2.256/32"),
        ("IPV4", "nonsense"),
    ],
)
def test_an_address_is_a_network_of_the_version(waf: Waf, version: str, address: str):
    """Source: AWS WAF API Reference, IPSet: CIDR notation, every range except for /0."""

    def make() -> object:
        return waf.ip_set("bad", address, version=version)

    assert parameter(make) == ("IP_ADDRESS", address)
    assert refused(make)["Reason"] == "The parameter contains formatting that is not valid."


def test_an_ip_set_holds_ten_thousand(waf: Waf):
    addresses = [f"10.{high}.{low}.0/24" for high in range(40) for low in range(250)]
    made = waf.ip_set("many", *addresses)
    assert len(waf.client.get_ip_set(**named(made))["IPSet"]["Addresses"]) == 10_000
    answer = refused(lambda: waf.ip_set("more", *addresses, "192.0.2.0/24"))
    assert (answer["Error"]["Code"], answer["SourceType"]) == ("WAFLimitsExceededException", "IP_SET")


def test_an_update_replaces_the_addresses_and_keeps_the_version(waf: Waf):
    made = waf.ip_set("changing", "192.0.2.0/24")
    six = {"Addresses": ["2001:db8::/32"], "LockToken": made["LockToken"], **named(made)}
    assert parameter(lambda: waf.client.update_ip_set(**six)) == ("IP_ADDRESS", "2001:db8::/32")
    answer = waf.client.update_ip_set(Addresses=["203.0.113.0/24"], LockToken=made["LockToken"], **named(made))
    found = waf.client.get_ip_set(**named(made))
    assert found["IPSet"]["Addresses"] == ["203.0.113.0/24"]
    assert found["LockToken"] == answer["NextLockToken"] != made["LockToken"]
    late = {"Addresses": [], "LockToken": made["LockToken"], **named(made)}
    assert code(lambda: waf.client.update_ip_set(**late)) == "WAFOptimisticLockException"


def test_a_set_in_use_stays(waf: Waf):
    made = waf.ip_set("used", "192.0.2.0/24")
    acl = waf.acl("user", rule("one", {"IPSetReferenceStatement": {"ARN": made["ARN"]}}))
    assert code(lambda: waf.client.delete_ip_set(LockToken=ANY_ID, **named(made))) == "WAFOptimisticLockException"

    def delete() -> object:
        return waf.client.delete_ip_set(LockToken=made["LockToken"], **named(made))

    assert code(delete) == "WAFAssociatedItemException"
    waf.client.delete_web_acl(LockToken=acl["LockToken"], **named(acl))
    delete()
    assert code(lambda: waf.client.get_ip_set(**named(made))) == "WAFNonexistentItemException"
    assert "used" not in [each["Name"] for each in waf.client.list_ip_sets(Scope=SCOPE)["IPSets"]]


def test_what_is_not_there(waf: Waf):
    missing = {"Name": "nobody", "Scope": SCOPE, "Id": ANY_ID}
    late = {"LockToken": ANY_ID, **missing}
    patterns = {"RegularExpressionList": [{"RegexString": "a"}]}
    for call in (
        lambda: waf.client.get_ip_set(**missing),
        lambda: waf.client.update_ip_set(Addresses=[], **late),
        lambda: waf.client.delete_ip_set(**late),
        lambda: waf.client.get_regex_pattern_set(**missing),
        lambda: waf.client.update_regex_pattern_set(**patterns, **late),
        lambda: waf.client.delete_regex_pattern_set(**late),
    ):
        assert code(call) == "WAFNonexistentItemException"


def test_names_of_sets_are_free_once(waf: Waf):
    waf.ip_set("twice")
    assert code(lambda: waf.ip_set("twice")) == "WAFDuplicateItemException"
    regex_set(waf, "twice", "a")
    assert code(lambda: regex_set(waf, "twice", "a")) == "WAFDuplicateItemException"


def test_a_regex_pattern_set_reads_as_it_was_made(waf: Waf):
    made = regex_set(waf, "patterns", "^/admin", r"\.php$")
    found = waf.client.get_regex_pattern_set(**named(made))
    assert found["LockToken"] == made["LockToken"]
    listed = found["RegexPatternSet"]["RegularExpressionList"]
    assert [each["RegexString"] for each in listed] == ["^/admin", r"\.php$"]
    change = {"RegularExpressionList": [{"RegexString": "^/x"}], "Description": "changed", **named(made)}
    answer = waf.client.update_regex_pattern_set(LockToken=made["LockToken"], **change)
    late = refused(lambda: waf.client.update_regex_pattern_set(LockToken=made["LockToken"], **change))
    assert late["Error"]["Code"] == "WAFOptimisticLockException"
    (summary,) = [
        each for each in waf.client.list_regex_pattern_sets(Scope=SCOPE)["RegexPatternSets"] if each["Id"] == made["Id"]
    ]
    assert (summary["Description"], summary["LockToken"]) == ("changed", answer["NextLockToken"])
    waf.client.delete_regex_pattern_set(LockToken=answer["NextLockToken"], **named(made))
    assert code(lambda: waf.client.get_regex_pattern_set(**named(made))) == "WAFNonexistentItemException"


def test_patterns_are_what_the_engine_runs(waf: Waf):
    """Sources: AWS WAF Developer Guide, "Regex match": no back-references, no look-around; "AWS WAF quotas": 10 of 200 characters."""
    for wrong in (r"(a)\1", "(?=a)b", "(a", "x" * 201):
        assert parameter(regex_set, waf, "wrong", wrong)[0] == "REGEX_PATTERN_SET"
    regex_set(waf, "ten", *(f"a{number}" for number in range(10)))
    answer = refused(lambda: regex_set(waf, "eleven", *(f"a{number}" for number in range(11))))
    assert (answer["Error"]["Code"], answer["SourceType"]) == ("WAFLimitsExceededException", "REGEX_PATTERN_SET")


def test_a_regex_pattern_set_in_use_stays(waf: Waf):
    made = regex_set(waf, "in-use", "^/admin")
    spec = {"ARN": made["ARN"], "FieldToMatch": {"UriPath": {}}, "TextTransformations": NONE}
    acl = waf.acl("regexes", rule("one", {"RegexPatternSetReferenceStatement": spec}))
    assert waf.client.get_web_acl(**named(acl))["WebACL"]["Capacity"] == 25

    def delete() -> object:
        return waf.client.delete_regex_pattern_set(LockToken=made["LockToken"], **named(made))

    assert code(delete) == "WAFAssociatedItemException"
    # A reference that is gone from the web ACL holds the set no more.
    settings = {"DefaultAction": {"Allow": {}}, "VisibilityConfig": {**_visible()}}
    waf.client.update_web_acl(LockToken=acl["LockToken"], **named(acl), **settings)
    delete()


def _visible() -> dict[str, object]:
    return {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "m"}
