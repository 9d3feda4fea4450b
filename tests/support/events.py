"""Events, decisions and items for tests of the trail."""

from __future__ import annotations

import itertools
from typing import Any

from garrison.audit import DecisionRecord, Event, Matched, Resource, make_event
from garrison.core.context import Call, ConfigurationItem
from garrison.core.principal import Principal

ACCOUNT = "123456789012"
ALICE = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/Alice", "AIDAJ45Q7YFFAREXAMPLE", "Alice", "AKIAIOSFODNN7EXAMPLE")
CALL = Call("192.0.2.7", "aws-cli/2.17.9")
_numbers = itertools.count(1)


def event(name: str = "GetUser", *, read_only: bool = True, **changes: Any) -> Event:
    number = next(_numbers)
    values: dict[str, Any] = {
        "event_id": f"event-{number}",
        "request_id": f"request-{number}",
        "now": 1_700_000_000.9 + number,
        "principal": ALICE,
        "call": CALL,
        "account": ACCOUNT,
        "region": "us-east-1",
        "source": "iam.amazonaws.com",
        "name": name,
        "read_only": read_only,
        "request": {"userName": "Bob"},
    }
    return make_event(**(values | changes))


def write_event(**changes: Any) -> Event:
    resource = Resource(f"arn:aws:iam::{ACCOUNT}:user/Bob", ACCOUNT, "AWS::IAM::User")
    return event(
        "CreateUser", read_only=False, **({"response": {"user": {"userName": "Bob"}}, "resources": [resource]} | changes)
    )


def decision() -> DecisionRecord:
    return DecisionRecord(
        outcome="allow",
        action="iam:GetUser",
        resource=f"arn:aws:iam::{ACCOUNT}:user/Bob",
        policy_type="identity",
        matched=[Matched("arn:aws:iam::aws:policy/IAMFullAccess", 0, "All", "Allow")],
        considered=["arn:aws:iam::aws:policy/IAMFullAccess", "inline"],
        keys={"aws:username": "Alice", "aws:SourceIp": "192.0.2.7"},
    )


def item(name: str = "Bob", **changes: Any) -> ConfigurationItem:
    values: dict[str, Any] = {
        "type": "AWS::IAM::User",
        "id": f"AIDA{name}",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "account": ACCOUNT,
        "region": "global",
        "name": name,
        "tags": {"team": "blue"},
        "configuration": {"UserName": name},
        "facts": {"mfa": False},
    }
    return ConfigurationItem(**(values | changes))
