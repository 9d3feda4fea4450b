"""What tests of AWS WAF's control plane share: a house of their own, and documents in the API's shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from garrison import app
from garrison.edge import listeners
from garrison.edge.listeners import Listener
from tests.support.house import ACCOUNT, REGION, House
from tests.support.server import AccessKey

SCOPE = "REGIONAL"
NONE = [{"Priority": 0, "Type": "NONE"}]
ALLOW: dict[str, Any] = {"Allow": {}}
OTHER_ACCOUNT = "222233334444"
MISSING = "AWS WAF couldn’t perform the operation because your resource doesn’t exist."  # noqa: RUF001 - AWS's own apostrophes
ANY_ID = "a1b2c3d4-0000-4000-8000-a1b2c3d4e5f6"


def visible(metric: str = "metric", *, sampled: bool = True) -> dict[str, Any]:
    """A VisibilityConfig."""
    return {"SampledRequestsEnabled": sampled, "CloudWatchMetricsEnabled": True, "MetricName": metric}


def match(text: bytes = b"x", constraint: str = "CONTAINS", field: str = "QueryString") -> dict[str, Any]:
    """A ByteMatchStatement."""
    return {
        "ByteMatchStatement": {
            "SearchString": text,
            "PositionalConstraint": constraint,
            "FieldToMatch": {field: {}},
            "TextTransformations": NONE,
        }
    }


def rule(name: str, statement: dict[str, Any] | None = None, priority: int = 0, **more: Any) -> dict[str, Any]:
    """A rule that blocks, unless ``more`` gives it an action."""
    made: dict[str, Any] = {"Name": name, "Priority": priority, "VisibilityConfig": visible(name), **more}
    made["Statement"] = match() if statement is None else statement
    if not {"Action", "OverrideAction"} & set(more):
        made["Action"] = {"Block": {}}
    return made


def managed(name: str, priority: int = 0, **more: Any) -> dict[str, Any]:
    """A rule that refers to a managed rule group."""
    spec = {"VendorName": "AWS", "Name": name, **more}
    return rule(name, {"ManagedRuleGroupStatement": spec}, priority, OverrideAction={"None": {}})


class Waf:
    """A house, and its wafv2 as an account's administrator sees it."""

    def __init__(self, house: House | None = None) -> None:
        self.house = house or House()
        self.client = self.house.client("wafv2")

    def close(self) -> None:
        """Let go of the house."""
        self.house.close()

    def acl(self, name: str, *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Make a web ACL; its summary."""
        settings = {"Scope": SCOPE, "DefaultAction": ALLOW, "VisibilityConfig": visible(name), "Rules": list(rules), **more}
        made: dict[str, Any] = self.client.create_web_acl(Name=name, **settings)
        return dict(made["Summary"])

    def ip_set(self, name: str, *addresses: str, version: str = "IPV4") -> dict[str, Any]:
        """Make an IP set; its summary."""
        made = self.client.create_ip_set(Name=name, Scope=SCOPE, IPAddressVersion=version, Addresses=list(addresses))
        return dict(made["Summary"])

    def group(self, name: str, *rules: dict[str, Any], capacity: int = 100, **more: Any) -> dict[str, Any]:
        """Make a rule group; its summary."""
        settings = {"Capacity": capacity, "VisibilityConfig": visible(name), "Rules": list(rules), **more}
        return dict(self.client.create_rule_group(Name=name, Scope=SCOPE, **settings)["Summary"])

    def listener(self, name: str) -> str:
        """Let a proxy listen; the ARN that stands for it."""
        arn = listeners.listener_arn(ACCOUNT, REGION, name)
        with self.house.state.store.writing() as tx:
            listeners.register(tx, Listener(arn, name, "127.0.0.1:8080", "http://127.0.0.1:3000"))
        self.house.state.store.commit()
        return arn

    def other_account(self) -> Any:
        """The client of another account's administrator."""
        made = app.new_account(self.house.state, OTHER_ACCOUNT, name="other", email="other@example.test")
        return self.house.client("wafv2", AccessKey(*made.admin_key))

    def user(self, name: str, *statements: dict[str, Any]) -> Any:
        """The client of a user with these statements."""
        return self.house.client("wafv2", new_user(self.house, name, *statements))


def new_user(house: House, name: str, *statements: dict[str, Any]) -> AccessKey:
    """A user with these statements as its policy; its key."""

    iam = house.client("iam")
    iam.create_user(UserName=name)
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return AccessKey(made["AccessKeyId"], made["SecretAccessKey"])


def named(summary: dict[str, Any]) -> dict[str, Any]:
    """How calls name an entity."""
    return {"Name": summary["Name"], "Scope": SCOPE, "Id": summary["Id"]}


def refused(call: Callable[..., Any], *arguments: Any, **members: Any) -> dict[str, Any]:
    """The whole answer to a call that is refused."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **members)
    return dict(caught.value.response)


def code(call: Callable[..., Any], *arguments: Any, **members: Any) -> str:
    """The code of a refusal."""
    return str(refused(call, *arguments, **members)["Error"]["Code"])


def parameter(call: Callable[..., Any], *arguments: Any, **members: Any) -> tuple[str, str]:
    """Field and parameter of a WAFInvalidParameterException, whose message says the same."""
    found = refused(call, *arguments, **members)
    assert found["Error"]["Code"] == "WAFInvalidParameterException", found["Error"]
    whole = f"Error reason: {found['Reason']}, field: {found['Field']}, parameter: {found['Parameter']}"
    assert found["Error"]["Message"] == whole
    return found["Field"], found["Parameter"]
