from __future__ import annotations

import json
from typing import Any

import pytest

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.core.model import OperationModel, load_model
from garrison.wire.protocols.base import MAX_DEPTH
from garrison.wire.protocols.restjson import RestJsonProtocol

PROTOCOL = RestJsonProtocol()
ANALYZER = load_model("accessanalyzer")
HUB = load_model("securityhub")
EBS = load_model("ebs")
ARTIFACT = load_model("artifact")


def operation(name: str) -> OperationModel:
    found = next(one for one in (model.operation(name) for model in (ANALYZER, HUB, EBS, ARTIFACT)) if one is not None)
    assert found is not None
    return found


def parse(name: str, body: bytes = b"", query: str = "", headers: dict[str, str] | None = None, **labels: str) -> dict[str, Any]:
    return PROTOCOL.parse(operation(name), Request("POST", "/", query, list((headers or {}).items()), body), labels)


def test_members_come_from_path_query_and_body():
    read = parse(
        "UpdateFindings", b'{"status": "ARCHIVED", "analyzerArn": "arn", "ids": ["a"], "unknown": 1, "resourceArn": null}'
    )
    assert read == {"status": "ARCHIVED", "analyzerArn": "arn", "ids": ["a"]}
    assert parse("GetFinding", query="analyzerArn=arn%3Aaws", id="x") == {"analyzerArn": "arn:aws", "id": "x"}


def test_a_streamed_body_is_the_payload():
    headers = {"x-amz-Data-Length".lower(): "3", "x-amz-checksum": "c", "x-amz-checksum-algorithm": "SHA256"}
    read = parse("PutSnapshotBlock", b"\x00{}", headers=headers, snapshotId="snap", blockIndex="7")
    assert read == {
        "SnapshotId": "snap",
        "BlockIndex": 7,
        "BlockData": b"\x00{}",
        "DataLength": 3,
        "Checksum": "c",
        "ChecksumAlgorithm": "SHA256",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"text"',
        b"{",
        b"\xff",
        b'{"status": 1}',
        b'{"ids": "a"}',
        b'{"ids": [1]}',
        b'{"ids": ' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}",
    ],
)
def test_bodies_that_do_not_fit_are_refused(body: bytes):
    with pytest.raises(CommonError) as caught:
        parse("UpdateFindings", body)
    assert caught.value.kind == "malformed"


def test_a_label_of_the_wrong_type_is_refused():
    with pytest.raises(CommonError) as caught:
        parse("PutSnapshotBlock", snapshotId="snap", blockIndex="seven")
    assert caught.value.kind == "malformed"


def test_an_answer_is_an_object_even_when_empty():
    answer = PROTOCOL.serialize(operation("TagResource"), None, "id")
    assert (answer.status, answer.body) == (200, b"{}")
    assert dict(answer.headers) == {"x-amzn-requestid": "id", "content-type": "application/json"}


def test_a_stream_goes_out_as_it_is_with_its_headers():
    answer = PROTOCOL.serialize(operation("GetSnapshotBlock"), {"BlockData": b"\x00\xff", "DataLength": 2, "Checksum": "c"}, "id")
    headers = dict(answer.headers)
    assert answer.body == b"\x00\xff"
    assert (headers["x-amz-Data-Length"], headers["x-amz-Checksum"], headers["content-type"]) == (
        "2",
        "c",
        "application/octet-stream",
    )


def test_the_models_status_is_the_answers():
    assert PROTOCOL.serialize(operation("StartSnapshot"), {"SnapshotId": "snap"}, "id").status == 201


def test_times_are_in_the_members_own_form():
    # Access Analyzer's are ISO 8601 (API Reference, AnalyzerSummary); the protocol's default are seconds.
    answer = PROTOCOL.serialize(
        operation("GetAnalyzer"),
        {"analyzer": {"arn": "a", "name": "n", "type": "ACCOUNT", "createdAt": 1577934245.0, "status": "ACTIVE"}},
        "id",
    )
    assert json.loads(answer.body)["analyzer"]["createdAt"] == "2020-01-02T03:04:05Z"


def error(model: Any, name: str | None, code: str, message: str, status: int, **members: Any) -> Any:
    return PROTOCOL.serialize_error(
        model, operation(name) if name else None, code, message, status, "id", members, sender_fault=True
    )


def test_an_error_has_its_code_in_a_header_and_its_members_in_the_body():
    answer = error(ANALYZER, "GetAnalyzer", "ResourceNotFoundException", "No.", 404, resourceId="x", resourceType="analyzer")
    assert (answer.status, dict(answer.headers)["x-amzn-errortype"]) == (404, "ResourceNotFoundException")
    assert json.loads(answer.body) == {"message": "No.", "resourceId": "x", "resourceType": "analyzer"}


def test_an_errors_own_headers():
    answer = error(ANALYZER, "GetAnalyzer", "InternalServerException", "Later.", 500, retryAfterSeconds=3)
    assert dict(answer.headers)["Retry-After"] == "3"
    assert json.loads(answer.body) == {"message": "Later."}


def test_the_message_has_the_models_spelling():
    assert json.loads(error(HUB, "GetMembers", "InternalException", "Oops.", 500, Code="c").body) == {
        "Message": "Oops.",
        "Code": "c",
    }


def test_an_error_outside_the_model():
    answer = error(ANALYZER, None, "UnrecognizedClientException", "The security token included in the request is invalid.", 403)
    assert json.loads(answer.body) == {"message": "The security token included in the request is invalid."}
