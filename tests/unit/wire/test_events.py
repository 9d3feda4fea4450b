"""What a call leaves in the trail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from msgspec import structs

from garrison.core.context import Call
from garrison.core.http import Request
from garrison.wire import events
from tests.support.inprocess import CALL, HOST, InProcess, between
from tests.support.server import AccessKey


@pytest.fixture
def one() -> Iterator[InProcess]:
    made = InProcess()
    yield made
    made.close()


def test_a_write_keeps_what_was_asked_and_what_was_answered(one: InProcess):
    one.iam("CreateUser", None, UserName="alice", Path="/a/")
    event = one.last_event()
    assert (event["eventName"], event["readOnly"]) == ("CreateUser", False)
    assert event["requestParameters"] == {"userName": "alice", "path": "/a/"}
    assert event["responseElements"]["user"]["arn"] == f"arn:aws:iam::{one.account}:user/a/alice"
    assert event["resources"] == [
        {"ARN": f"arn:aws:iam::{one.account}:user/a/alice", "accountId": one.account, "type": "AWS::IAM::User"}
    ]
    assert "errorCode" not in event


def test_a_read_keeps_no_answer(one: InProcess):
    one.iam("GetUser", None, UserName="admin")
    assert one.last_event()["responseElements"] is None


def test_no_secret_is_in_any_event(one: InProcess):
    made = one.iam("CreateAccessKey", None, UserName="admin").body.decode()
    secret = between(made, "SecretAccessKey")
    assert len(secret) == 40
    session = one.send(
        one.signed("sts", b"Action=GetSessionToken&Version=2011-06-15", {"content-type": "application/x-www-form-urlencoded"})
    ).body.decode()
    key = json.loads(one.kms("CreateKey").body)["KeyMetadata"]["KeyId"]
    data_key = json.loads(one.kms("GenerateDataKey", None, KeyId=key, KeySpec="AES_256").body)
    one.kms("Encrypt", None, KeyId=key, Plaintext="bWFya2VyLWluLWNsZWFy")
    trail = json.dumps(one.events())
    for text in (
        secret,
        between(session, "SecretAccessKey"),
        between(session, "SessionToken"),
        data_key["Plaintext"],
        "bWFya2VyLWluLWNsZWFy",
    ):
        assert text
        assert text not in trail
    assert data_key["CiphertextBlob"] not in trail
    assert between(made, "AccessKeyId") in trail, "ids are no secrets"


def test_global_services_are_recorded_where_cloudtrail_records_them(one: InProcess):
    one.iam("ListUsers")
    assert one.last_event()["awsRegion"] == "us-east-1"
    one.kms("ListKeys")
    assert one.last_event()["awsRegion"] == "us-east-1"


def test_a_refusal_before_the_signature_was_proven_proves_nothing(one: InProcess):
    body = urlencode({"Action": "ListUsers", "Version": "2010-05-08"}).encode()
    request = one.signed(
        "iam", body, {"content-type": "application/x-www-form-urlencoded"}, AccessKey(one.admin.access_key_id, "wrong")
    )
    assert one.send(request).status == 403
    event = one.last_event()
    assert event["userIdentity"] == {"type": "AWSAccount", "accountId": "anonymous"}
    assert event["recipientAccountId"] == ""
    assert event["decision"] is None
    assert event["requestParameters"] is None


def test_what_a_stranger_calls_an_operation_is_cut(one: InProcess):
    target = "TrentService." + "x" * 5000
    one.send(Request("POST", "/", headers=[("host", HOST), ("x-amz-target", target)]))
    assert len(one.last_event()["eventName"]) == 128


def test_a_failure_of_the_handler_keeps_the_decision(one: InProcess):
    one.iam("GetUser", None, UserName="nobody")
    event = one.last_event()
    assert (event["errorCode"], event["decision"]["outcome"]) == ("NoSuchEntity", "allowed")
    assert event["requestParameters"] == {"userName": "nobody"}


def test_the_event_source_is_the_services(one: InProcess):
    assert events.event_source("kms") == "kms.amazonaws.com"
    assert events.event_source("") == "unknown.amazonaws.com"


def test_tls_details_are_those_of_the_connection():
    assert events._tls(CALL) is None
    call = structs.replace(CALL, secure=True, tls=("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256"))
    # CloudTrail User Guide, record contents: tlsDetails.
    assert events._tls(call) == {
        "tlsVersion": "TLSv1.2",
        "cipherSuite": "ECDHE-RSA-AES128-GCM-SHA256",
        "clientProvidedHostHeader": HOST,
    }
    assert events._tls(Call(source_ip="192.0.2.1", secure=True)) is None, "what is not known is not said"


def test_the_other_decisions_of_a_call_are_bounded(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    from garrison.core.operation import REGISTRY, Check, Target  # noqa: PLC0415 - here alone

    declaration = REGISTRY["iam", "listusers"]

    def many(ctx: Any, _req: Any) -> list[Check]:
        return [Check("iam:ListUsers", Target(f"arn:aws:iam::{ctx.account}:user/{number}", ctx.account)) for number in range(50)]

    monkeypatch.setitem(REGISTRY, declaration.key, replace(declaration, checks=many))
    assert one.iam("ListUsers").status == 200
    assert len(one.last_event()["decision"]["further"]) == events.MAX_FURTHER
