from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from garrison.edge.inspect import InvalidParameter
from garrison.edge.inspect.managed.catalog import Catalog
from garrison.edge.live import Managed
from garrison.edge.places import Places
from garrison.edge.proxy.plans import MANAGED, parse_managed, planned
from garrison.edge.proxy.policies import FileSource, FolderCache, read_acl
from garrison.edge.proxy.settings import parse_upstream
from tests.support.places import write

VISIBLE = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "m"}
ACL: dict[str, Any] = {"Name": "mine", "DefaultAction": {"Allow": {}}, "VisibilityConfig": VISIBLE, "Rules": []}
CATALOG = Catalog(compiled=False)


def test_both_forms_of_a_web_acl_are_read():
    for document in (ACL, {"WebACL": ACL, "LockToken": "x"}):
        found = read_acl(json.dumps(document), CATALOG)
        assert found.document is not None
        assert found.document["Name"] == "mine"
        assert found.document["ARN"] == "arn:aws:wafv2:us-east-1:000000000000:regional/webacl/mine/mine"


def test_what_it_refers_to_may_stand_beside_it():
    whole = {
        "WebACL": ACL,
        "IPSets": [{"ARN": "arn:ip", "Addresses": ["192.0.2.0/24"]}],
        "RegexPatternSets": [{"ARN": "arn:re", "RegularExpressionList": [{"RegexString": "a+"}]}],
        "RuleGroups": [{"ARN": "arn:group", "Rules": [], "Name": "g"}],
        "LoggingConfiguration": {"ResourceArn": "arn:acl"},
    }
    found = read_acl(json.dumps(whole), CATALOG)
    assert found.resources.ip_set("arn:ip") == ["192.0.2.0/24"]
    assert found.resources.regex_set("arn:re") == ["a+"]
    assert found.resources.rule_group("arn:group")["Name"] == "g"
    assert found.logging == {"ResourceArn": "arn:acl"}
    with pytest.raises(KeyError):
        found.resources.ip_set("arn:other")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", "{}", '{"WebACL": []}', '{"Name": 1}', '{"Name": "a", "IPSets": [1]}', "[" * 100_000]
)
def test_what_is_no_web_acl_is_refused(text: str):
    with pytest.raises(ValueError):
        read_acl(text, CATALOG)


def test_a_file_is_read_when_it_changes_and_a_broken_one_changes_nothing(tmp_path: Path):
    path = tmp_path / "acl.json"
    source = FileSource(path, Managed(detecting=False), Places())
    assert source.poll() is None
    path.write_text(json.dumps(ACL))
    first = source.poll()
    assert first is not None
    assert source.poll() is None
    path.write_text("{")
    assert source.poll() is None
    beside = tmp_path / "new"
    beside.write_text(json.dumps({**ACL, "Name": "other"}))
    beside.replace(path)
    second = source.poll()
    assert second is not None
    assert second.document is not None
    assert second.document["Name"] == "other"


def test_lists_and_places_are_read_when_they_change(tmp_path: Path):
    lists = tmp_path / "lists"
    lists.mkdir()
    path = tmp_path / "acl.json"
    path.write_text(json.dumps(ACL))
    source = FileSource(path, Managed(lists, detecting=False), Places(lists))
    first = source.poll()
    assert first is not None
    assert source.poll() is None
    (lists / "reputation.txt").write_text("198.51.100.0/24\n")
    second = source.poll()
    assert second is not None
    assert source.poll() is None
    assert first.resources.locate("192.0.2.1").country == ""
    write(lists / "country.mmdb", {"192.0.2.0/24": {"country": {"iso_code": "JP"}}})
    source.poll()
    assert second.resources.locate("192.0.2.1").country == "JP"


def test_a_cache_keeps_what_it_is_given_and_trusts_no_folder_of_others(tmp_path: Path):
    cache = FolderCache(tmp_path / "patterns")
    assert cache.get("a1") is None
    cache.put("a1", b"compiled")
    assert cache.get("a1") == b"compiled"
    assert (tmp_path / "patterns").stat().st_mode & 0o777 == 0o700
    os.chmod(tmp_path / "patterns", 0o777)  # noqa: PTH101, S103 - what must not be
    with pytest.raises(PermissionError):
        FolderCache(tmp_path / "patterns")


def test_every_short_name_makes_a_web_acl_that_the_engine_takes():
    names = parse_managed(",".join(MANAGED))
    assert len(names) == len(MANAGED)
    document = planned("protect", names, 500, on_loopback=True)
    loaded = read_acl(json.dumps(document), CATALOG)
    policy = loaded.compile(None)
    assert policy.acl is not None
    assert [each.limit for each in policy.acl.rates] == [500]


def test_a_name_of_no_group_is_refused():
    with pytest.raises(ValueError, match="`nosuch` is no managed rule group of: common"):
        parse_managed("common,nosuch")
    assert parse_managed(" sqli , AWSManagedRulesSQLiRuleSet,,") == ["AWSManagedRulesSQLiRuleSet"]


def test_a_rule_that_aws_refuses_is_refused():
    broken = {
        **ACL,
        "Rules": [{"Name": "a", "Priority": 0, "Statement": {}, "Action": {"Block": {}}, "VisibilityConfig": VISIBLE}],
    }
    with pytest.raises(InvalidParameter):
        read_acl(json.dumps(broken), CATALOG).compile(None)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://shop.example.com/", "https://shop.example.com:443"),
        ("http://[::1]", "http://[::1]:80"),
    ],
)
def test_urls_of_applications(url: str, text: str):
    assert str(parse_upstream(url)) == text


@pytest.mark.parametrize(
    "url", ["localhost:3000", "ftp://a", "http://", "http://a/base", "http://a?x", "http://u@a", "http://a:0x"]
)
def test_what_is_no_url_of_an_application(url: str):
    with pytest.raises(ValueError):
        parse_upstream(url)
