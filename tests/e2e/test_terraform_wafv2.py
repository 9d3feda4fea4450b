"""Terraform's resources of the firewall: apply, a plan without drift, a change, destroy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_terraform import PREFIX, Terraform, at_work
from tests.support.clients import boto
from tests.support.server import Server

QUIET = ("-input=false", "-no-color")


@pytest.fixture
def terraform(fresh_server: Server, tmp_path: Path) -> Iterator[Terraform]:
    """On a server of its own: what protects its API stands before every call."""
    yield from at_work(fresh_server, tmp_path / "terraform", "wafv2/main.tf")


def rules(acl: dict[str, Any]) -> dict[str, Any]:
    """By name: Terraform sends them in no order of its own."""
    return {each["Name"]: each for each in acl["Rules"]}


def test_a_web_acl_with_all_that_belongs_to_it(terraform: Terraform, fresh_server: Server):
    applied = terraform("apply", "-auto-approve", *QUIET)
    assert applied.code == 0, applied.err
    plan = terraform("plan", "-detailed-exitcode", *QUIET)
    assert plan.code == 0, f"drift right after apply:\n{plan.out}\n{plan.err}"
    outputs = {name: one["value"] for name, one in terraform("output", "-json").json().items()}
    waf = boto(fresh_server, "wafv2")
    acl = waf.get_web_acl(ARN=outputs["acl"])["WebACL"]
    assert acl["Capacity"] == outputs["capacity"]
    assert set(rules(acl)) == {"bad", "common", "bots", "own", "rate", "sizes", "labels"}
    assert waf.get_web_acl_for_resource(ResourceArn=outputs["association"])["WebACL"]["ARN"] == outputs["acl"]
    logging = waf.get_logging_configuration(ResourceArn=outputs["acl"])["LoggingConfiguration"]
    assert logging["LoggingFilter"]["DefaultBehavior"] == "DROP"

    # One number changes, and nothing else does.
    changed = terraform("apply", "-auto-approve", "-var", "limit=1000", *QUIET)
    assert changed.code == 0, changed.err
    assert "0 added, 1 changed, 0 destroyed" in changed.out
    rate = rules(waf.get_web_acl(ARN=outputs["acl"])["WebACL"])["rate"]
    assert rate["Statement"]["RateBasedStatement"]["Limit"] == 1000

    destroyed = terraform("destroy", "-auto-approve", *QUIET)
    assert destroyed.code == 0, destroyed.err
    for listed in (
        waf.list_web_acls(Scope="REGIONAL")["WebACLs"],
        waf.list_rule_groups(Scope="REGIONAL")["RuleGroups"],
        waf.list_ip_sets(Scope="REGIONAL")["IPSets"],
        waf.list_regex_pattern_sets(Scope="REGIONAL")["RegexPatternSets"],
        waf.list_logging_configurations(Scope="REGIONAL")["LoggingConfigurations"],
    ):
        names = [each.get("Name", each.get("ResourceArn", "")) for each in listed]
        assert not [name for name in names if PREFIX in name]
