"""Imported rules as a managed rule group of a web ACL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from garrison.edge.crs.group import NAME, VENDOR, group, groups_in
from garrison.edge.crs.rules import BundleError, dump
from garrison.edge.inspect import Action, CompiledAcl, MissingDetector, RateTable, State, Verdict, compile_acl
from garrison.edge.live import Managed
from tests.support.secrules import bundle, rule
from tests.support.waf import COUNT, Things, request, web_acl
from tests.support.waf import rule as acl_rule

RULES = (
    'SecComponentSignature "OWASP_CRS/3.3.4"\n'
    + rule("ARGS", "@rx evil")
    + rule("REQUEST_HEADERS:User-Agent", "@rx odd", number=1, tail="severity:'WARNING'")
    + rule("REQUEST_HEADERS:Accept", "@rx odd", number=2, tail="severity:'WARNING'")
    + rule("REQUEST_HEADERS:X-A", "@rx odd", number=3, tail="severity:'NOTICE'")
)


def compiled(path: Path, text: str = RULES, **reference: Any) -> CompiledAcl:
    found = group(bundle(path, text))
    statement = {"ManagedRuleGroupStatement": {"VendorName": VENDOR, "Name": NAME, **reference}}
    document = web_acl(acl_rule("crs", 0, statement, OverrideAction={"None": {}}))
    return compile_acl(document, Things(managed={(VENDOR, NAME): found}))


def verdict(acl: CompiledAcl, target: str = "/", **sent: str) -> Verdict:
    return acl.inspect(request(target, {name.replace("_", "-"): value for name, value in sent.items()}), State(RateTable()))


def test_a_critical_rule_blocks_and_labels(tmp_path: Path):
    found = verdict(compiled(tmp_path), "/?a=evil")
    assert (found.action, found.rule, found.rule_in_group) == (Action.BLOCK, "crs", "CRS_942100")
    assert found.labels == ("awswaf:managed:owasp:core-rule-set:942100",)
    (detail,) = found.details
    assert (detail.location, detail.field, detail.matched) == ("ALL_QUERY_ARGS", "a", (b"evil",))


def test_lesser_rules_count_until_they_reach_the_threshold(tmp_path: Path):
    """3 for a warning, 2 for a notice; 5 blocks (Core Rule Set documentation, anomaly scoring)."""
    acl = compiled(tmp_path)
    one = verdict(acl, user_agent="odd")
    assert one.action is Action.ALLOW
    assert [each.rule for each in one.groups[0].non_terminating] == ["CRS_1"]
    both = verdict(acl, user_agent="odd", x_a="odd")
    assert (both.action, both.rule_in_group) == (Action.BLOCK, "AnomalyScore")


def test_the_threshold_is_that_of_the_setup(tmp_path: Path):
    setting = 'SecAction "id:9,phase:1,nolog,pass,setvar:tx.inbound_anomaly_score_threshold=10"\n'
    assert verdict(compiled(tmp_path, setting + RULES), user_agent="odd", accept="odd").action is Action.ALLOW


def test_a_web_acl_may_override_each_rule(tmp_path: Path):
    acl = compiled(tmp_path, RuleActionOverrides=[{"Name": "CRS_942100", "ActionToUse": COUNT}])
    found = verdict(acl, "/?a=evil")
    assert found.action is Action.ALLOW
    assert found.groups[0].non_terminating[0].overridden is Action.BLOCK


def test_the_version_is_of_release_and_level(tmp_path: Path):
    assert group(bundle(tmp_path, RULES)).version == "Version_3_3_4-1"


def test_who_only_tells_of_the_group_compiles_nothing(tmp_path: Path):
    found = group(bundle(tmp_path, RULES), compiled=False)
    assert len(found.rules) == 5
    statement = {"ManagedRuleGroupStatement": {"VendorName": VENDOR, "Name": NAME}}
    document = web_acl(acl_rule("crs", 0, statement, OverrideAction={"None": {}}))
    acl = compile_acl(document, Things(managed={(VENDOR, NAME): found}))
    with pytest.raises(MissingDetector):
        verdict(acl, "/")


def test_lists_that_change_bring_other_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("garrison.edge.inspect.managed.catalog.prepare", lambda _cache: None)
    managed = Managed(tmp_path)
    with pytest.raises(KeyError):
        managed.catalog.get(VENDOR, NAME)
    (tmp_path / "crs.json").write_bytes(dump(bundle(tmp_path / "rules", RULES)))
    assert managed.refresh()
    assert len(managed.catalog.get(VENDOR, NAME).rules) == 5
    assert managed.catalog.get(VENDOR, NAME, "Version_3_3_4-1").capacity == 1000
    with pytest.raises(KeyError):
        managed.catalog.get(VENDOR, NAME, "Version_1")


def test_a_directory_of_lists_may_have_a_bundle(tmp_path: Path):
    assert groups_in(None) == ()
    assert groups_in(tmp_path) == ()
    (tmp_path / "crs.json").write_bytes(dump(bundle(tmp_path / "rules", RULES)))
    (found,) = groups_in(tmp_path)
    assert (found.vendor, found.name, len(found.rules)) == ("OWASP", "CoreRuleSet", 5)
    (tmp_path / "crs.json").write_bytes(b"{}")
    with pytest.raises(BundleError):
        groups_in(tmp_path)
