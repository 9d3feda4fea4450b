"""POST forms. The signed example is the S3 API Reference's; refusals are S3's answers as published by those who got them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from garrison.core.errors import CommonError
from garrison.wire.sigv4 import Bounds, read_post_claim, verify_post_form
from garrison.wire.sigv4.post_policy import parse_policy
from garrison.wire.sigv4.signing_keys import SigningKeys

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CREDENTIAL = "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"
NOW = 1451347200.0  # 2015-12-29T00:00:00Z
POLICY = (
    "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4"
    "YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9"
    "LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3Nm"
    "dWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1"
    "aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMt"
    "d2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEy"
    "MjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7Ingt"
    "YW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9"
)
EXAMPLE = [
    ("key", "user/user1/photo.jpg"),
    ("acl", "public-read"),
    ("success_action_redirect", "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"),
    ("Content-Type", "image/jpeg"),
    ("x-amz-meta-uuid", "14365123651274"),
    ("x-amz-server-side-encryption", "AES256"),
    ("X-Amz-Credential", CREDENTIAL),
    ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
    ("X-Amz-Date", "20151229T000000Z"),
    ("x-amz-meta-tag", ""),
    ("Policy", POLICY),
    ("X-Amz-Signature", "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"),
]
AUTH: list[Any] = [
    {"x-amz-algorithm": "AWS4-HMAC-SHA256"}, {"x-amz-credential": CREDENTIAL}, {"x-amz-date": "20151229T000000Z"}, {"bucket": "b"},
]  # fmt: skip

Fields = list[tuple[str, str]]


def sign(policy: str, *fields: tuple[str, str]) -> Fields:
    mac = SigningKeys().mac(SECRET, "20151229", "us-east-1", "s3")
    mac.update(policy.encode())
    return [
        *fields,
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", CREDENTIAL),
        ("x-amz-date", "20151229T000000Z"),
        ("policy", policy),
        ("x-amz-signature", mac.hexdigest()),
    ]


def form(conditions: list[Any], *fields: tuple[str, str], expiration: str = "2015-12-30T00:00:00Z") -> Fields:
    document = {"expiration": expiration, "conditions": [*AUTH, *conditions]}
    return sign(base64.b64encode(json.dumps(document).encode()).decode(), *fields)


def verify(fields: Fields, *, now: float = NOW, bucket: str = "b", secret: str = SECRET) -> Bounds:
    claim = read_post_claim(fields)
    assert claim is not None
    return verify_post_form(claim, fields, secret, now=now, bucket=bucket)


def fault(fields: Fields, *, now: float = NOW, bucket: str = "b", secret: str = SECRET) -> CommonError:
    with pytest.raises(CommonError) as caught:
        verify(fields, now=now, bucket=bucket, secret=secret)
    return caught.value


def read_fault(fields: Fields) -> CommonError:
    with pytest.raises(CommonError) as caught:
        read_post_claim(fields)
    return caught.value


def test_published_example():
    claim = read_post_claim(EXAMPLE)
    assert claim is not None
    assert (claim.access_key_id, claim.region, claim.service) == ("AKIAIOSFODNN7EXAMPLE", "us-east-1", "s3")
    assert verify(EXAMPLE, bucket="sigv4examplebucket") == Bounds(None, None)


@pytest.mark.parametrize("name", [name for name, _ in EXAMPLE if name != "x-amz-meta-tag"])
def test_each_field_of_the_example_counts(name: str):
    changed = [(n, f"{'x' if n != 'Content-Type' else 'text/'}{v}" if n == name else v) for n, v in EXAMPLE]
    with pytest.raises(CommonError):
        verify(changed, bucket="sigv4examplebucket")


def test_wrong_secret_bucket_and_time():
    error = fault(EXAMPLE, bucket="sigv4examplebucket", secret="other")
    expected = "The request signature we calculated does not match the signature you provided. Check your key and signing method."
    assert (error.kind, error.message) == ("signature_mismatch", expected)
    error = fault(EXAMPLE, bucket="another")
    assert error.message == 'Invalid according to Policy: Policy Condition failed: ["eq", "$bucket", "sigv4examplebucket"]'
    verify(EXAMPLE, bucket="sigv4examplebucket", now=NOW + 36 * 3600 - 1)
    error = fault(EXAMPLE, bucket="sigv4examplebucket", now=NOW + 36 * 3600)
    assert (error.code, error.status, error.message) == ("AccessDenied", 403, "Invalid according to Policy: Policy expired.")


def test_truncated_policy_is_a_mismatch():
    changed = [(n, v[:-2] if n == "Policy" else v) for n, v in EXAMPLE]
    assert fault(changed).kind == "signature_mismatch"
    changed = [(n, v + "é" if n == "Policy" else v) for n, v in EXAMPLE]
    assert fault(changed).kind == "signature_mismatch"


@pytest.mark.parametrize("name", ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "Policy"])
def test_missing_field(name: str):
    error = read_fault([field for field in EXAMPLE if field[0] != name])
    assert (error.code, error.status) == ("InvalidArgument", 400)
    assert error.message == (
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    )


def test_form_without_a_signature_is_anonymous():
    assert read_post_claim([("key", "k"), ("policy", POLICY)]) is None
    assert read_post_claim([]) is None


def test_version_2_is_refused():
    error = read_fault([("key", "k"), ("policy", POLICY), ("AWSAccessKeyId", "A"), ("signature", "s")])
    assert error.message == "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "X-Amz-Credential",
            "/20151229/us-east-1/s3/aws4_request",
            "a non-empty Access Key (AKID) must be provided in the credential.",
        ),
        ("X-Amz-Credential", "A", 'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'),
        ("X-Amz-Date", "20151229", "X-Amz-Date must be formated via ISO8601 Long format"),
        ("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256", 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"'),
        ("X-Amz-Algorithm", "AWS4", 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"'),
    ],
)
def test_field_that_cannot_be_read(name: str, value: str, message: str):
    error = read_fault([(n, value if n == name else v) for n, v in EXAMPLE])
    assert (error.code, error.status, error.message) == ("InvalidArgument", 400, message)


def test_field_twice():
    error = read_fault([*EXAMPLE, ("KEY", "other")])
    assert (error.code, error.message) == ("InvalidArgument", "Bucket POST may contain only one field named 'KEY'.")


def test_names_match_in_any_case_and_values_only_in_theirs():
    conditions: list[Any] = [["StArTs-WiTh", "$KeY", "foo"], {"AcL": "private"}]
    verify(form(conditions, ("kEy", "foo.txt"), ("aCl", "private")))
    error = fault(form(conditions, ("key", "Foo.txt"), ("acl", "private")))
    assert error.message == 'Invalid according to Policy: Policy Condition failed: ["starts-with", "$KeY", "foo"]'
    error = fault(form(conditions, ("key", "foo.txt"), ("acl", "Private")))
    assert error.message == 'Invalid according to Policy: Policy Condition failed: ["eq", "$AcL", "private"]'


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        (
            ["starts-with", "$success_action_redirect", "http://localhost"],
            '["starts-with", "$success_action_redirect", "http://localhost"]',
        ),
        (["eq", "success_action_redirect", "http://x"], '["eq", "success_action_redirect", "http://x"]'),
        (["starts-with", "$Content-Type", ""], '["starts-with", "$Content-Type", ""]'),
        (["eq", "$Content-Disposition", 'filename="test.png"'], '["eq", "$Content-Disposition", "filename=\\"test.png\\""]'),
        (["content-length-range", "test", "10"], '["content-length-range", "test", "10"]'),
    ],
)
def test_failed_conditions_are_shown(condition: list[str], shown: str):
    fields = [("success_action_redirect", "http://x")]
    error = fault(form([condition], *fields))
    assert (error.kind, error.code, error.status) == ("access_denied", "AccessDenied", 403)
    assert error.message == f"Invalid according to Policy: Policy Condition failed: {shown}"


def test_every_field_needs_a_condition():
    error = fault(form([], ("StorageClass", "x")))
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.message == "Invalid according to Policy: Extra input fields: StorageClass"
    verify(form([], ("x-ignore-me", "x"), ("X-Ignore-You", "x")))
    error = fault(form([], ("x-amz-security-token", "x")))
    assert error.message.endswith("Extra input fields: x-amz-security-token")


def test_list_of_content_types_is_checked_item_by_item():
    conditions: list[Any] = [["starts-with", "$Content-Type", "image/"]]
    verify(form(conditions, ("Content-Type", "image/jpeg, image/png")))
    assert "Policy Condition failed" in fault(form(conditions, ("Content-Type", "image/jpeg,text/plain"))).message


@pytest.mark.parametrize("condition", [["content-length-range", 5, 10], ["content-length-range", "5", "10"]])
def test_size(condition: list[Any]):
    bounds = verify(form([condition]))
    for size in (5, 10):
        bounds.check(size)
    with pytest.raises(CommonError, match="Your proposed upload exceeds the maximum allowed size") as caught:
        bounds.check(12)
    assert (caught.value.code, caught.value.status) == ("EntityTooLarge", 400)
    with pytest.raises(CommonError, match="Your proposed upload is smaller than the minimum allowed size") as caught:
        bounds.check(1)
    assert (caught.value.code, caught.value.status) == ("EntityTooSmall", 400)


def test_several_ranges_all_hold_and_none_allows_all():
    assert verify(form([["content-length-range", 0, 10], ["content-length-range", 5, 20]])) == Bounds(5, 10)
    verify(form([])).check(10**12)


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        ("[]", "Invalid JSON."),
        ("", "Invalid JSON."),
        ("{", "Invalid JSON."),
        ("\xff", "Invalid JSON."),
        ('{"expiration": "2015-12-30T00:00:00Z", "conditions": [["content-length-range", 0, 512.0]]}', "Invalid JSON."),
        ('{"expiration": "2015-12-30T00:00:00Z", "conditions": [{"a": null}]}', "Invalid JSON."),
        ('{"expiration": "2015-12-30T00:00:00Z", "conditions": [{"a": "1", "a": "2"}]}', "Invalid JSON."),
        ('{"expiration": "2015-12-30T00:00:00Z", "conditions": [["eq", "$a", 1]]}', "Invalid JSON."),
        ('{"expiration": "2015-12-30T00:00:00Z", "conditions": [["content-length-range", true, 2]]}', "Invalid JSON."),
        ('{"expiration": "2015-12-30T00:00:00Z", "conditions": ' + "[" * 9000, "Invalid JSON."),
        ('{"conditions": []}', "Policy missing expiration."),
        ('{"expiration": "2015-12-30T00:00:00Z"}', "Policy missing conditions."),
        ('{"expiration": "2015-12-30T00:00:00Z", "conditions": {}}', "Invalid 'conditions' value: must be a List."),
        ('{"EXPIRATION": "2015-12-30T00:00:00Z", "conditions": []}', "Unexpected: 'expiration'"),
        ('{"Statement": [], "expiration": "2015-12-30T00:00:00Z"}', "Unexpected: 'statement'"),
        (
            '{"expiration": "2011-09-13T07:52:58+02:00", "conditions": []}',
            "Invalid 'expiration' value: '2011-09-13T07:52:58+02:00'",
        ),
        ('{"expiration": "2015-10-17 03:15:59 UTC", "conditions": []}', "Invalid 'expiration' value: '2015-10-17 03:15:59 UTC'"),
        ('{"expiration": "2015-13-17T03:15:59Z", "conditions": []}', "Invalid 'expiration' value: '2015-13-17T03:15:59Z'"),
        (
            '{"expiration": "2015-12-30T00:00:00Z", "conditions": [{}]}',
            "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
        ),
        (
            '{"expiration": "2015-12-30T00:00:00Z", "conditions": [{"a": "1", "b": "2"}]}',
            "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
        ),
        (
            '{"expiration": "2015-12-30T00:00:00Z", "conditions": [{"Content-Length": 6199034}]}',
            "Invalid Simple-Condition: value must be a string.",
        ),
        ('{"expiration": "2015-12-30T00:00:00Z", "conditions": [[]]}', "Invalid Condition: missing operation identifier."),
        (
            '{"expiration": "2015-12-30T00:00:00Z", "conditions": [["in", "$a", "b"]]}',
            "Invalid Condition: unknown operation 'in'.",
        ),
        ('{"expiration": "2015-12-30T00:00:00Z", "conditions": [["eq", "$a"]]}', "Invalid eq: wrong number of arguments."),
        (
            '{"expiration": "2015-12-30T00:00:00Z", "conditions": [["content-length-range", 0]]}',
            "Invalid content-length-range: wrong number of arguments.",
        ),
        ('{"expiration": "2015-12-30T00:00:00Z", "conditions": ["eq"]}', "Invalid condition test: must be a List or Object."),
    ],
)
def test_policy_that_is_none(document: str, detail: str):
    policy = base64.b64encode(document.encode("latin-1")).decode()
    error = fault(sign(policy)) if policy else _parse_fault(policy)
    assert (error.kind, error.code, error.status) == ("malformed", "InvalidPolicyDocument", 400)
    assert error.message == f"Invalid Policy: {detail}"


def _parse_fault(policy: str) -> CommonError:
    with pytest.raises(CommonError) as caught:
        parse_policy(policy)
    return caught.value


@pytest.mark.parametrize("policy", ["!", "YWJ", "YW J!"])
def test_policy_that_is_no_base64(policy: str):
    assert fault(sign(policy)).message == "Invalid Policy: invalid Base64 encoding."


def test_policy_longer_than_the_fields_may_be():
    assert fault(sign("A" * 20_484)).message == "Invalid Policy: Invalid JSON."


def test_fractions_of_a_second():
    verify(form([], expiration="2015-12-29T00:00:00.250Z"), now=NOW + 0.2)
    assert fault(form([], expiration="2015-12-29T00:00:00.250Z"), now=NOW + 0.25).kind == "request_expired"


def test_bucket_is_the_one_of_the_url_whatever_the_form_says():
    fields = form([], ("bucket", "b"))
    verify(fields, bucket="b")
    error = fault(fields, bucket="other")
    assert error.message == 'Invalid according to Policy: Policy Condition failed: ["eq", "$bucket", "b"]'
