"""The record is CloudTrail's. Expected forms: CloudTrail User Guide, "Record contents" and "userIdentity element"."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from garrison.audit import Resource, UserIdentity, user_identity
from garrison.audit.event import decode, encode, encode_decision, encode_plain, user_name
from garrison.audit.mask import HIDDEN
from garrison.core.context import Call
from garrison.core.principal import ANONYMOUS, Principal, Session
from tests.support.events import ACCOUNT, ALICE, decision, event, write_event

# 2 November 2013, 01:06:28 UTC: the guide's example.
ISSUED = 1383354388.0


def shown(identity: UserIdentity) -> Any:
    return json.loads(encode_identity(identity))


def encode_identity(identity: UserIdentity) -> bytes:
    return msgspec.json.encode(identity)


def test_a_user():
    assert shown(user_identity(ALICE)) == {
        "type": "IAMUser",
        "principalId": "AIDAJ45Q7YFFAREXAMPLE",
        "arn": "arn:aws:iam::123456789012:user/Alice",
        "accountId": "123456789012",
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "userName": "Alice",
    }


def test_a_role_session():
    session = Session(
        ISSUED,
        ISSUED + 3600,
        "arn:aws:iam::123456789012:role/RoleToBeAssumed",
        "AROAIDPPEZS35WEXAMPLE",
        "RoleToBeAssumed",
        "MySessionName",
        source_identity="Alice",
    )
    principal = Principal(
        "assumed-role",
        ACCOUNT,
        "arn:aws:sts::123456789012:assumed-role/RoleToBeAssumed/MySessionName",
        "AROAIDPPEZS35WEXAMPLE:AssumedRoleSessionName",
        "RoleToBeAssumed",
        "ASIAIOSFODNN7EXAMPLE",
        session,
    )
    identity = user_identity(principal)
    assert shown(identity) == {
        "type": "AssumedRole",
        "principalId": "AROAIDPPEZS35WEXAMPLE:AssumedRoleSessionName",
        "arn": "arn:aws:sts::123456789012:assumed-role/RoleToBeAssumed/MySessionName",
        "accountId": "123456789012",
        "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROAIDPPEZS35WEXAMPLE",
                "arn": "arn:aws:iam::123456789012:role/RoleToBeAssumed",
                "accountId": "123456789012",
                "userName": "RoleToBeAssumed",
            },
            "attributes": {"mfaAuthenticated": "false", "creationDate": "2013-11-02T01:06:28Z"},
            "sourceIdentity": "Alice",
        },
    }
    assert user_name(identity) == "AssumedRoleSessionName"


def test_a_user_with_session_token_and_mfa():
    session = Session(ISSUED, ISSUED + 3600, mfa_at=ISSUED, kind="session-token")
    identity = user_identity(Principal("user", ACCOUNT, ALICE.arn, ALICE.id, "Alice", "ASIAIOSFODNN7EXAMPLE", session))
    assert shown(identity)["sessionContext"] == {
        "attributes": {"mfaAuthenticated": "true", "creationDate": "2013-11-02T01:06:28Z"}
    }


def test_root():
    identity = user_identity(Principal("root", ACCOUNT, "arn:aws:iam::123456789012:root", ACCOUNT))
    assert shown(identity) == {
        "type": "Root",
        "principalId": "123456789012",
        "arn": "arn:aws:iam::123456789012:root",
        "accountId": "123456789012",
    }
    assert user_name(identity) == "root"


def test_a_federated_user():
    session = Session(ISSUED, ISSUED + 3600, ALICE.arn, ALICE.id, "Alice", kind="federation-token")
    principal = Principal(
        "federated-user", ACCOUNT, "arn:aws:sts::123456789012:federated-user/Bob", "123456789012:Bob", "Bob", "ASIA", session
    )
    identity = user_identity(principal)
    answer = shown(identity)
    assert answer["type"] == "FederatedUser"
    assert answer["principalId"] == "123456789012:Bob"
    assert answer["sessionContext"]["sessionIssuer"]["type"] == "IAMUser"
    assert answer["sessionContext"]["sessionIssuer"]["userName"] == "Alice"
    assert user_name(identity) == "Bob"


def test_a_service_and_nobody():
    service = user_identity(Principal("service", "", "", "", service="cloudtrail.amazonaws.com"))
    assert shown(service) == {"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"}
    assert shown(user_identity(ANONYMOUS)) == {"type": "AWSAccount", "accountId": "anonymous"}


def test_a_read():
    one = event(now=ISSUED + 0.999)
    assert json.loads(encode(one)) == {
        "eventVersion": "1.11",
        "userIdentity": json.loads(encode_identity(user_identity(ALICE))),
        "eventTime": "2013-11-02T01:06:28Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "GetUser",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.7",
        "userAgent": "aws-cli/2.17.9",
        "requestParameters": {"userName": "Bob"},
        "responseElements": None,
        "requestID": one.request_id,
        "eventID": one.event_id,
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "123456789012",
        "eventCategory": "Management",
    }


def test_a_failed_call_with_everything_optional():
    one = event(
        error=("AccessDenied", "User is not authorized"),
        resources=[Resource("arn:aws:s3:::b", ACCOUNT, "AWS::S3::Bucket")],
        additional={"bytesTransferredIn": 0},
        tls={"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "clientProvidedHostHeader": "s3.amazonaws.com"},
        data_event=True,
    )
    record = json.loads(encode(one))
    assert record["errorCode"] == "AccessDenied"
    assert record["errorMessage"] == "User is not authorized"
    assert record["resources"] == [{"ARN": "arn:aws:s3:::b", "accountId": ACCOUNT, "type": "AWS::S3::Bucket"}]
    assert record["additionalEventData"] == {"bytesTransferredIn": 0}
    assert record["tlsDetails"]["tlsVersion"] == "TLSv1.3"
    assert (record["managementEvent"], record["eventCategory"]) == (False, "Data")


def test_what_was_encoded_is_decoded():
    one = write_event()
    again = decode(encode(one))
    assert encode(again) == encode(one)


def test_the_guides_limits():
    one = event(error=("X", "m" * 3000), call=Call("::1", "u" * 3000))
    record = json.loads(encode(one))
    assert len(record["userAgent"]) == 1024
    assert len(record["errorMessage"]) == 1024
    long = write_event(request={"document": "d" * 102_400}, response={"small": 1})
    record = json.loads(encode(long))
    assert record["requestParameters"] is None
    assert record["responseElements"] == {"small": 1}


@pytest.mark.parametrize(
    "value",
    ["\ud800", "a\x00b", {"k\udfff": ["\ud800"]}, float("nan"), object(), {1, 2}, b"\xff", 2**80, "\u2028"],
    ids=lambda value: "object" if type(value) is object else repr(value),  # whose repr is an address, another in each process
)
def test_any_value_becomes_a_line_of_json(value: object):
    record = encode(event(request={"v": value}))
    assert b"\n" not in record
    json.loads(record)


def test_an_unknown_object_is_named_by_its_type_only():
    class Secretive:
        def __repr__(self) -> str:
            return "hunter2"

    assert json.loads(encode(event(request={"v": Secretive()})))["requestParameters"] == {"v": "<Secretive>"}


def test_forgotten_secrets_are_masked_at_any_depth():
    one = write_event(
        request={"userName": "Bob", "password": "hunter2"},
        response={"accessKey": {"accessKeyId": "AKIA", "secretAccessKey": "hunter3"}, "list": [{"SessionToken": "hunter4"}]},
    )
    record = encode(one)
    assert b"hunter" not in record
    assert json.loads(record)["responseElements"]["accessKey"] == {"accessKeyId": "AKIA", "secretAccessKey": HIDDEN}
    assert "hunter" not in encode_plain({"MasterUserPassword": "hunter5"})


def test_a_decision_beside_the_event():
    assert json.loads(encode_decision(decision())) == {
        "outcome": "allow",
        "action": "iam:GetUser",
        "resource": "arn:aws:iam::123456789012:user/Bob",
        "policy_type": "identity",
        "matched": [{"policy": "arn:aws:iam::aws:policy/IAMFullAccess", "statement": 0, "sid": "All", "effect": "Allow"}],
        "considered": ["arn:aws:iam::aws:policy/IAMFullAccess", "inline"],
        "keys": {"aws:username": "Alice", "aws:SourceIp": "192.0.2.7"},
    }
    assert encode_decision(None) == b"null"
