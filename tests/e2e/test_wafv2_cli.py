"""The AWS CLI, in both versions, against a server: a web ACL from nothing to what protects Garrison's own API, and back."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import AwsCli, Done, aws_cli
from tests.support.server import Server

SCOPE = ("--scope", "REGIONAL")
VISIBLE = "SampledRequestsEnabled=true,CloudWatchMetricsEnabled=true,MetricName="


@pytest.fixture(params=[1, 2], ids=["cli-1", "cli-2"])
def aws(request: pytest.FixtureRequest, fresh_server: Server, tmp_path: Path) -> AwsCli:
    """On a server of its own: what protects its API stands before every call."""
    return aws_cli(request.param, fresh_server, tmp_path / "home")


class Waf:
    """``aws wafv2 ...``"""

    def __init__(self, aws: AwsCli) -> None:
        self.aws = aws

    def run(self, operation: str, *arguments: str) -> Done:
        return self.aws("wafv2", operation, *arguments)

    def __call__(self, operation: str, *arguments: str) -> Any:
        return self.run(operation, *arguments).json()

    def refused(self, operation: str, *arguments: str) -> str:
        done = self.run(operation, *arguments)
        assert done.code != 0
        return done.err


ENCODED = "L2FkbWlu"
"""``/admin`` as the CLI shows bytes, and as its second version takes them; the first takes them as they are."""


def rules(addresses: str, search: str = ENCODED) -> list[dict[str, Any]]:
    """As a file for ``--rules``."""

    def visible(name: str) -> dict[str, Any]:
        return {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}

    managed = {"VendorName": "AWS", "Name": "AWSManagedRulesSQLiRuleSet"}
    text = {
        "SearchString": search,
        "PositionalConstraint": "STARTS_WITH",
        "FieldToMatch": {"UriPath": {}},
        "TextTransformations": [{"Priority": 0, "Type": "LOWERCASE"}],
    }
    return [
        {
            "Name": "bad",
            "Priority": 0,
            "Statement": {"IPSetReferenceStatement": {"ARN": addresses}},
            "Action": {"Block": {}},
            "VisibilityConfig": visible("bad"),
        },
        {
            "Name": "sqli",
            "Priority": 1,
            "Statement": {"ManagedRuleGroupStatement": managed},
            "OverrideAction": {"None": {}},
            "VisibilityConfig": visible("sqli"),
        },
        {
            "Name": "admin",
            "Priority": 2,
            "Statement": {"ByteMatchStatement": text},
            "Action": {"Block": {"CustomResponse": {"ResponseCode": 404}}},
            "VisibilityConfig": visible("admin"),
        },
    ]


def test_a_web_acl_from_nothing_and_back(aws: AwsCli, fresh_server: Server, tmp_path: Path):
    waf, name = Waf(aws), f"cli-{tmp_path.name}"[:60]
    addresses = ("--ip-address-version", "IPV4", "--addresses", "192.0.2.0/24")
    bad = waf("create-ip-set", "--name", name, *SCOPE, *addresses, "--tags", "Key=team,Value=blue")["Summary"]
    assert waf("get-ip-set", "--name", name, *SCOPE, "--id", bad["Id"])["IPSet"]["Addresses"] == ["192.0.2.0/24"]

    file = tmp_path / "rules.json"
    search = "/admin" if "awscli-v2" not in aws.program[0] else ENCODED
    file.write_text(json.dumps(rules(bad["ARN"], search)), encoding="utf-8")
    # 1 for the addresses, 200 for the group, 2 and 10 for the text and its transformation.
    assert waf("check-capacity", *SCOPE, "--rules", f"file://{file}")["Capacity"] == 213
    settings = ("--default-action", "Allow={}", "--visibility-config", VISIBLE + "cli", "--rules", f"file://{file}")
    made = waf("create-web-acl", "--name", name, *SCOPE, *settings)["Summary"]
    named = ("--name", name, *SCOPE, "--id", made["Id"])
    shown = waf("get-web-acl", *named)
    assert shown["WebACL"]["Rules"] == rules(bad["ARN"])
    assert waf.refused("create-web-acl", "--name", name, *SCOPE, *settings).count("WAFDuplicateItemException") == 1

    # The lock token of the last change, and no other.
    changed = (*settings, "--description", "changed")
    token = waf("update-web-acl", *named, *changed, "--lock-token", shown["LockToken"])["NextLockToken"]
    late = waf.refused("update-web-acl", *named, *changed, "--lock-token", shown["LockToken"])
    assert "(WAFOptimisticLockException) when calling the UpdateWebACL operation" in late

    api = f"arn:aws:apigateway:{fresh_server.credentials.region}::/restapis/garrison/stages/api"
    assert waf("associate-web-acl", "--web-acl-arn", made["ARN"], "--resource-arn", api) is None
    assert waf("get-web-acl-for-resource", "--resource-arn", api)["WebACL"]["Description"] == "changed"
    listed = ("--web-acl-arn", made["ARN"], "--resource-type", "API_GATEWAY")
    assert waf("list-resources-for-web-acl", *listed)["ResourceArns"] == [api]
    now = int(time.time())
    window = ("--time-window", f"StartTime={now - 600},EndTime={now}", "--max-items", "10")
    metric = ("--web-acl-arn", made["ARN"], "--rule-metric-name", "bad", *SCOPE)
    assert waf("get-sampled-requests", *metric, *window)["PopulationSize"] == 0

    assert "WAFAssociatedItemException" in waf.refused("delete-web-acl", *named, "--lock-token", token)
    waf("disassociate-web-acl", "--resource-arn", api)
    waf("delete-web-acl", *named, "--lock-token", token)
    waf("delete-ip-set", "--name", name, *SCOPE, "--id", bad["Id"], "--lock-token", bad["LockToken"])
    gone = waf.refused("get-web-acl", *named)
    assert "(WAFNonexistentItemException) when calling the GetWebACL operation" in gone
    assert "your resource doesn’t exist" in gone  # noqa: RUF001 - AWS's own apostrophe
