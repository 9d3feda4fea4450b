"""Imported rules are a managed rule group of the API: ListAvailableManagedRuleGroups, ListAvailableManagedRuleGroupVersions,
DescribeManagedRuleGroup, CreateWebACL.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from garrison.config import ConfigError, load_settings
from garrison.edge.crs.group import group
from garrison.edge.crs.rules import dump
from garrison.edge.wafv2 import documents
from garrison.serve import tell_of_imported_rules
from tests.support.secrules import bundle, rule
from tests.support.waf import COUNT, visible
from tests.support.waf import rule as acl_rule
from tests.support.wafv2 import SCOPE, Waf, code

OWASP = {"VendorName": "OWASP", "Name": "CoreRuleSet", "Scope": SCOPE}
RULES = 'SecComponentSignature "OWASP_CRS/3.3.4"\n' + rule("ARGS", "@rx evil")


@pytest.fixture
def imported(tmp_path: Path) -> Iterator[None]:
    documents.tell_of([group(bundle(tmp_path, RULES), compiled=False)])
    yield
    documents.tell_of(())


def create(waf: Waf, name: str, **reference: Any) -> Any:
    statement = {"ManagedRuleGroupStatement": {"VendorName": "OWASP", "Name": "CoreRuleSet", **reference}}
    return waf.client.create_web_acl(
        Name=name,
        Scope=SCOPE,
        DefaultAction={"Allow": {}},
        Rules=[acl_rule("crs", 0, statement, OverrideAction={"None": {}})],
        VisibilityConfig=visible(name),
    )


def test_nobody_knows_the_group_without_rules(waf: Waf):
    assert code(lambda: waf.client.describe_managed_rule_group(**OWASP)) == "WAFNonexistentItemException"
    assert code(lambda: create(waf, "none")) == "WAFNonexistentItemException"


@pytest.mark.usefixtures("imported")
def test_the_group_is_listed_with_its_rules(waf: Waf):
    listed = waf.client.list_available_managed_rule_groups(Scope=SCOPE)["ManagedRuleGroups"]
    (mine,) = [each for each in listed if each["VendorName"] == "OWASP"]
    assert (mine["Name"], mine["VersioningSupported"]) == ("CoreRuleSet", False)
    versions = waf.client.list_available_managed_rule_group_versions(**OWASP)
    assert versions["CurrentDefaultVersion"] == "Version_3_3_4-1"
    told = waf.client.describe_managed_rule_group(**OWASP)
    assert told["Capacity"] == 1000
    assert [each["Name"] for each in told["Rules"]] == ["CRS_942100", "AnomalyScore"]
    assert told["LabelNamespace"] == "awswaf:managed:owasp:core-rule-set:"


@pytest.mark.usefixtures("imported")
def test_a_web_acl_refers_to_it(waf: Waf):
    made = create(waf, "crs", RuleActionOverrides=[{"Name": "CRS_942100", "ActionToUse": COUNT}])
    found = waf.client.get_web_acl(Name="crs", Id=made["Summary"]["Id"], Scope=SCOPE)["WebACL"]
    assert found["Capacity"] == 1000
    wrong = [{"Name": "CRS_1", "ActionToUse": COUNT}]
    assert code(lambda: create(waf, "wrong", RuleActionOverrides=wrong)) == "WAFInvalidParameterException"


def test_the_setting_brings_them(waf: Waf, tmp_path: Path):
    (tmp_path / "crs.json").write_bytes(dump(bundle(tmp_path / "rules", RULES)))
    try:
        tell_of_imported_rules(load_settings({"waf_lists": str(tmp_path)}))
        assert waf.client.describe_managed_rule_group(**OWASP)["Capacity"] == 1000
        (tmp_path / "crs.json").write_bytes(b"{}")
        with pytest.raises(ConfigError, match="this is no bundle"):
            tell_of_imported_rules(load_settings({"waf_lists": str(tmp_path)}))
    finally:
        documents.tell_of(())
