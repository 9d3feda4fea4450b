"""A call that a grant allowed says so in the trail, and GetKeyLastUsage names the event that the trail has."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.inprocess import InProcess
from tests.support.server import AccessKey


@pytest.fixture
def one() -> Iterator[InProcess]:
    made = InProcess()
    yield made
    made.close()


def answer(one: InProcess, operation: str, key: AccessKey | None = None, /, **members: Any) -> dict[str, Any]:
    response = one.kms(operation, key, **members)
    assert response.status == 200, response.body
    one.gateway.flush()
    found: dict[str, Any] = json.loads(response.body or b"{}")
    return found


def test_the_decision_names_its_grant_and_the_use_its_event(one: InProcess):
    one.iam("CreateUser", UserName="ann")
    made = one.iam("CreateAccessKey", UserName="ann")
    text = made.body.decode()
    ann = AccessKey(*(text.split(f"<{name}>")[1].split("<")[0] for name in ("AccessKeyId", "SecretAccessKey")))
    key = answer(one, "CreateKey")["KeyMetadata"]["KeyId"]
    grant = answer(one, "CreateGrant", KeyId=key, GranteePrincipal=f"arn:aws:iam::{one.account}:user/ann", Operations=["Encrypt"])
    answer(one, "Encrypt", ann, KeyId=key, Plaintext=b64encode(b"x").decode())
    one.worker.tick()
    rows = one.state.store.reading().all(
        "SELECT event_id, decision FROM audit_event WHERE event_name = 'Encrypt' ORDER BY id DESC LIMIT 1"
    )
    ((event_id, decision),) = rows
    found = json.loads(decision)
    assert (found["policy_type"], found["grant"]) == ("grant", grant["GrantId"])
    used = answer(one, "GetKeyLastUsage", KeyId=key)["KeyLastUsage"]
    assert (used["Operation"], used["CloudTrailEventId"]) == ("Encrypt", event_id)
    assert one.state.store.reading().all("SELECT operation FROM kms_usage") == [("Encrypt",)]
