from __future__ import annotations

from typing import Any

import pytest

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.core.model import OperationModel, load_model
from garrison.wire.protocols.restxml import ROOTS, RestXmlProtocol

PROTOCOL = RestXmlProtocol()
S3 = load_model("s3")
CONTROL = load_model("s3control")
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def operation(name: str) -> OperationModel:
    found = S3.operation(name)
    assert found is not None
    return found


def parse(name: str, body: bytes = b"", query: str = "", headers: dict[str, str] | None = None, **labels: str) -> dict[str, Any]:
    return PROTOCOL.parse(operation(name), Request("PUT", "/", query, list((headers or {}).items()), body), labels)


def body(name: str, result: dict[str, Any]) -> str:
    return PROTOCOL.serialize(operation(name), result, "id").body.decode()


def test_an_object_put_with_its_metadata():
    headers = {
        "x-amz-meta-colour": "blue",
        "x-amz-meta-a-b": "c",
        "content-type": "text/plain",
        "expires": "Thu, 01 Dec 1994 16:00:00 GMT",
    }
    read = parse("PutObject", b"\x00<", headers=headers, Bucket="b", Key="k/é")
    assert read == {
        "Bucket": "b",
        "Key": "k/é",
        "Body": b"\x00<",
        "ContentType": "text/plain",
        "Metadata": {"colour": "blue", "a-b": "c"},
        "Expires": 786297600.0,
    }


def test_the_tagging_example_of_the_api_reference():
    # Amazon S3 API Reference, PutBucketTagging, "Sample Request".
    sent = b"""<Tagging>
     <TagSet>
        <Tag>
          <Key>Project</Key>
          <Value>Project One</Value>
        </Tag>
        <Tag>
          <Key>User</Key>
          <Value>jsmith</Value>
        </Tag>
     </TagSet>
    </Tagging>"""
    tags = [{"Key": "Project", "Value": "Project One"}, {"Key": "User", "Value": "jsmith"}]
    assert parse("PutBucketTagging", sent, Bucket="b") == {"Bucket": "b", "Tagging": {"TagSet": tags}}


@pytest.mark.parametrize(
    "sent",
    [
        b"<VersioningConfiguration><Status>Enabled</Status>",
        b"<Versioning><Status>Enabled</Status></Versioning>",
        b"<VersioningConfiguration><State>Enabled</State></VersioningConfiguration>",
        b"<VersioningConfiguration><Status>Enabled</Status><Status>Suspended</Status></VersioningConfiguration>",
        b'{"Status": "Enabled"}',
    ],
)
def test_s3_holds_bodies_against_its_schema(sent: bytes):
    with pytest.raises(CommonError) as caught:
        parse("PutBucketVersioning", sent, Bucket="b")
    assert caught.value.kind == "malformed"
    assert caught.value.message == "The XML you provided was not well-formed or did not validate against our published schema"


def test_a_parameter_of_the_wrong_type_is_no_malformed_xml():
    with pytest.raises(CommonError) as caught:
        parse("UploadPart", query="partNumber=one&uploadId=x", Bucket="b", Key="k")
    assert (caught.value.kind, caught.value.code) == ("malformed", "InvalidArgument")


def test_a_policy_is_the_body_itself():
    assert parse("PutBucketPolicy", b'{"Version": "2012-10-17"}', Bucket="b")["Policy"] == '{"Version": "2012-10-17"}'
    assert body("GetBucketPolicy", {"Policy": '{"a": "<&>"}'}) == '{"a": "<&>"}'


def test_a_list_of_buckets():
    # Amazon S3 API Reference, ListBuckets, "Sample Response" (its root element and namespace).
    text = body(
        "ListBuckets",
        {"Owner": {"ID": "bcaf1ffd86f41161ca5fb16fd081034f"}, "Buckets": [{"Name": "b", "CreationDate": 1577934245.0}]},
    )
    assert text == (
        f'{DECLARATION}<ListAllMyBucketsResult xmlns="{NAMESPACE}"><Buckets><Bucket><Name>b</Name>'
        "<CreationDate>2020-01-02T03:04:05Z</CreationDate></Bucket></Buckets>"
        "<Owner><ID>bcaf1ffd86f41161ca5fb16fd081034f</ID></Owner></ListAllMyBucketsResult>"
    )


@pytest.mark.parametrize(
    ("name", "result", "root"),
    [
        # Amazon S3 API Reference, "Response Syntax" of each.
        ("GetBucketVersioning", {"Status": "Enabled"}, "VersioningConfiguration"),
        ("GetBucketTagging", {"TagSet": []}, "Tagging"),
        ("GetObjectLegalHold", {"LegalHold": {"Status": "ON"}}, "LegalHold"),
        ("GetObjectRetention", {"Retention": {"Mode": "GOVERNANCE"}}, "Retention"),
        ("CopyObject", {"CopyObjectResult": {"ETag": "x"}}, "CopyObjectResult"),
        ("GetPublicAccessBlock", {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}}, "PublicAccessBlockConfiguration"),
        ("ListObjectsV2", {"Name": "b"}, "ListBucketResult"),
        ("DeleteObjects", {"Deleted": [{"Key": "k"}]}, "DeleteResult"),
    ],
)
def test_roots(name: str, result: dict[str, Any], root: str):
    assert body(name, result).startswith(f'{DECLARATION}<{root} xmlns="{NAMESPACE}"')


def test_every_named_root_belongs_to_an_operation_that_answers():
    for name in ROOTS:
        assert operation(name).output is not None


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({}, f'<LocationConstraint xmlns="{NAMESPACE}"/>'),
        ({"LocationConstraint": "eu-west-1"}, f'<LocationConstraint xmlns="{NAMESPACE}">eu-west-1</LocationConstraint>'),
    ],
)
def test_a_bucket_location_is_the_bare_element(result: dict[str, Any], text: str):
    # Amazon S3 API Reference, GetBucketLocation: of us-east-1 the element is empty.
    assert body("GetBucketLocation", result) == DECLARATION + text


def test_no_body_where_http_allows_none():
    deleted = PROTOCOL.serialize(operation("DeleteObject"), {"VersionId": "v"}, "id")
    assert (deleted.status, deleted.body, dict(deleted.headers)["x-amz-version-id"]) == (204, b"", "v")
    head = PROTOCOL.serialize(operation("HeadObject"), {"ContentLength": 3, "Metadata": {"a": "b"}}, "id")
    assert head.body == b""
    assert dict(head.headers) == {"x-amz-request-id": "id", "Content-Length": "3", "x-amz-meta-a": "b"}


def test_an_event_stream_is_refused_clearly():
    with pytest.raises(CommonError) as caught:
        body("SelectObjectContent", {"Payload": {"End": {}}})
    assert caught.value.kind == "not_implemented"


def error(name: str | None, code: str, message: str, status: int, model: Any = S3, **members: Any) -> Any:
    return PROTOCOL.serialize_error(
        model, operation(name) if name else None, code, message, status, "id", members, sender_fault=True
    )


def test_an_s3_error_has_no_envelope():
    # Amazon S3 API Reference, "Error responses", REST error responses.
    answer = error("GetObject", "NoSuchKey", "The specified key does not exist.", 404, Key="a<b")
    assert (answer.status, answer.body.decode()) == (
        404,
        (
            f"{DECLARATION}<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>a&lt;b</Key>"
            "<RequestId>id</RequestId><HostId>id</HostId></Error>"
        ),
    )


def test_a_modelled_s3_error_has_its_members():
    answer = error("GetObject", "InvalidObjectState", "No.", 403, StorageClass="GLACIER", AccessTier="ARCHIVE_ACCESS")
    assert b"<StorageClass>GLACIER</StorageClass><AccessTier>ARCHIVE_ACCESS</AccessTier>" in answer.body


def test_an_error_of_a_head_has_no_body():
    assert error("HeadObject", "NoSuchKey", "No.", 404).body == b""


def test_an_s3_control_error_has_an_envelope():
    answer = error(None, "AccessDenied", "Access Denied", 403, CONTROL)
    assert answer.body.decode() == (
        f'{DECLARATION}<ErrorResponse xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"><Error><Type>Sender</Type>'
        "<Code>AccessDenied</Code><Message>Access Denied</Message></Error><RequestId>id</RequestId></ErrorResponse>"
    )
