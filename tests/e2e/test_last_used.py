"""When keys and roles were last used, as IAM tells it. Source: IAM API reference, RoleLastUsed and AccessKeyLastUsed."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.support.clients import boto, new_user, temporary
from tests.support.server import Server

PATIENCE = 30.0
"""Seconds until a use must have been written down: the server does it once a second, and machines are slow."""


def awaited(read: Callable[[], Any]) -> Any:
    """What ``read`` tells, once it tells something."""
    until = time.monotonic() + PATIENCE
    while not (found := read()) and time.monotonic() < until:
        time.sleep(0.1)
    return found


def document(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def test_a_roles_last_use_is_that_of_its_sessions(server: Server) -> None:
    iam = boto(server, "iam")
    name = f"role-{uuid.uuid4().hex[:10]}"
    trust = document(Principal={"AWS": f"arn:aws:iam::{server.account_id}:root"}, Action="sts:AssumeRole")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
    key = temporary(boto(server, "sts").assume_role(RoleArn=role["Arn"], RoleSessionName="me"))

    def last_used() -> Any:
        return iam.get_role(RoleName=name)["Role"]["RoleLastUsed"]

    assert last_used() == {}
    boto(server, "sts", key, region="eu-north-1").get_caller_identity()
    used = awaited(last_used)
    assert used["Region"] == "eu-north-1"
    assert isinstance(used["LastUsedDate"], datetime)
    assert used["LastUsedDate"] >= role["CreateDate"]
    (listed,) = [
        found for found in iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"] if found["RoleName"] == name
    ]
    assert listed["RoleLastUsed"] == used


def test_a_keys_last_use_tells_service_and_region(server: Server) -> None:
    key = new_user(server, f"user-{uuid.uuid4().hex[:10]}")

    def last_used() -> Any:
        used = boto(server, "iam").get_access_key_last_used(AccessKeyId=key.access_key_id)["AccessKeyLastUsed"]
        return used if "LastUsedDate" in used else None

    assert last_used() is None
    boto(server, "sts", key, region="eu-north-1").get_caller_identity()
    used = awaited(last_used)
    assert (used["ServiceName"], used["Region"]) == ("sts", "eu-north-1")
