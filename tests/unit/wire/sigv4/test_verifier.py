from __future__ import annotations

import hashlib
from dataclasses import replace

import botocore.auth
import pytest

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.keys.sigv4a import public_key
from garrison.wire.sigv4 import Signatures, Verifier, missing_authentication, read_claim
from tests.support.signing import NOW, SECONDS, SECRET, boto_sign, crt_sign

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and "
    "signing method. Consult the service documentation for details."
)


def verify(
    request: Request,
    *,
    secret: str = SECRET,
    now: float = SECONDS,
    service: str | None = None,
    verifier: Verifier | None = None,
    body_sha256: str | None = None,
) -> None:
    claim = read_claim(request)
    assert claim is not None
    (verifier or Verifier()).verify(claim, request, secret, now=now, service=service, body_sha256=body_sha256)


def fault(
    request: Request,
    *,
    secret: str = SECRET,
    now: float = SECONDS,
    service: str | None = None,
    verifier: Verifier | None = None,
    body_sha256: str | None = None,
) -> CommonError:
    claim = read_claim(request)
    assert claim is not None
    with pytest.raises(CommonError) as caught:
        (verifier or Verifier()).verify(claim, request, secret, now=now, service=service, body_sha256=body_sha256)
    return caught.value


def iam(service: str = "iam", **options: object) -> Request:
    return boto_sign(botocore.auth.SigV4Auth, service=service, **options)  # type: ignore[arg-type] # options are of the helper


def s3(**options: object) -> Request:
    defaults: dict[str, object] = {"method": "PUT", "url": "https://bucket.s3.amazonaws.com/key", "body": b"hello"}
    return boto_sign(botocore.auth.S3SigV4Auth, service="s3", **(defaults | options))  # type: ignore[arg-type] # the same


def without_signing(request: Request, *names: str) -> Request:
    """The request with names taken out of the list of its signed headers (its signature is no longer right)."""
    headers = []
    for name, value in request.headers:
        text = value
        for gone in names if name == "authorization" else ():
            text = text.replace(f"{gone};", "").replace(f";{gone},", ",")
        headers.append((name, text))
    return replace(request, headers=headers)


def test_wrong_secret():
    error = fault(iam(), secret="wrong")
    assert (error.kind, error.message) == ("signature_mismatch", MISMATCH)
    error = fault(s3(), secret="wrong")
    expected = "The request signature we calculated does not match the signature you provided. Check your key and signing method."
    assert (error.kind, error.message) == ("signature_mismatch", expected)


def test_missing_authentication():
    error = missing_authentication()
    assert (error.kind, error.message) == ("missing_authentication", "Request is missing Authentication Token")
    error = missing_authentication(s3=True)
    assert (error.code, error.status, error.message) == ("AccessDenied", 403, "Access Denied")


@pytest.mark.parametrize(
    ("service", "now", "message"),
    [
        ("sts", 901, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"),
        ("iam", 901, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"),
        ("kms", 301, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"),
        (
            "sts",
            -901,
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T122059Z + 15 min.)",
        ),
        (
            "kms",
            -301,
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)",
        ),
    ],
)
def test_clock(service: str, now: int, message: str):
    request = iam(service)
    verify(request, now=SECONDS + now - (1 if now > 0 else -1))
    error = fault(request, now=SECONDS + now)
    assert (error.kind, error.message, error.code) == ("request_expired", message, None)


@pytest.mark.parametrize("off", [-901, 901])
def test_s3_clock(off: int):
    verify(s3(), now=SECONDS + off - (1 if off > 0 else -1))
    error = fault(s3(), now=SECONDS + off)
    assert (error.kind, error.code, error.status) == ("request_expired", "RequestTimeTooSkewed", 403)
    assert error.message == "The difference between the request time and the current time is too large."


def presigned(service: str, expires: int) -> Request:
    signer = botocore.auth.S3SigV4QueryAuth if service == "s3" else botocore.auth.SigV4QueryAuth
    return boto_sign(signer, service=service, method="GET", url="https://h.example/?Action=X", expires=expires)


def test_presigned_time():
    request = presigned("kms", 60)
    verify(request, now=SECONDS + 60)
    error = fault(request, now=SECONDS + 61)
    assert error.message == "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T123701Z - 1 min.)"
    assert fault(request, now=SECONDS - 301).message.startswith("Signature not yet current: ")
    verify(presigned("kms", 3600), now=SECONDS + 3600)


def test_presigned_of_sts_lives_fifteen_minutes():
    for expires in (1, 60, 3600):
        verify(presigned("sts", expires), now=SECONDS + 900)
        assert fault(presigned("sts", expires), now=SECONDS + 901).kind == "request_expired"


@pytest.mark.parametrize("service", ["s3", "kms"])
def test_presigned_for_no_time_at_all(service: str):
    assert fault(presigned(service, 0)).kind == "request_expired"


def test_presigned_without_expires_lives_as_long_as_a_header():
    request = presigned("kms", 60)
    request.query = request.query.replace("&X-Amz-Expires=60", "")
    assert fault(request, now=SECONDS + 300).kind == "signature_mismatch"
    assert fault(request, now=SECONDS + 301).kind == "request_expired"


def test_other_service():
    error = fault(iam("kms"), service="iam")
    assert (error.kind, error.message) == ("signature_mismatch", "Credential should be scoped to correct service: 'iam'.")
    error = fault(iam("kms"), service="s3")
    assert error.message == 'The authorization header is malformed; incorrect service "kms". This endpoint belongs to "s3".'
    error = fault(presigned("kms", 60), service="s3")
    assert (
        error.message == 'Error parsing the X-Amz-Credential parameter; incorrect service "kms". This endpoint belongs to "s3".'
    )


def test_other_region():
    verifier = Verifier(regions={"us-east-1", "eu-west-1"})
    verify(iam(region="eu-west-1"), verifier=verifier)
    error = fault(iam(region="us-west-2"), verifier=verifier)
    assert (error.kind, error.message) == ("signature_mismatch", "Credential should be scoped to a valid region.")
    error = fault(s3(region="aws-global"), verifier=Verifier(regions={"us-east-1"}))
    assert error.message == "The authorization header is malformed; the region 'aws-global' is wrong; expecting 'us-east-1'"


def test_regions_of_4a():
    for asked, served in (("*", "us-east-1"), ("us-*", "us-east-1"), ("eu-west-1,us-east-1", "us-east-1")):
        verify(crt_sign(regions=asked), verifier=Verifier(Signatures(public_key), regions={served}))
    error = fault(crt_sign(regions="eu-*"), verifier=Verifier(Signatures(public_key), regions={"us-east-1"}))
    assert error.message == "Credential should be scoped to a valid region."


def test_4a_needs_the_keys_room():
    error = fault(crt_sign())
    assert (error.kind, error.message) == ("incomplete_signature", "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'.")


def test_host_has_to_be_signed():
    error = fault(without_signing(iam(), "host"))
    assert error.message == "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    error = fault(without_signing(s3(), "host"))
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.message == "There were headers present in the request which were not signed"


@pytest.mark.parametrize("name", ["x-amz-acl", "x-amz-meta-a", "x-amz-security-token", "x-amz-copy-source", "x-amz-date"])
def test_s3_amz_headers_have_to_be_signed(name: str):
    request = s3()
    if name == "x-amz-date":
        request = without_signing(request, name)
    else:
        request.headers.append((name, "x"))
    assert fault(request).message == "There were headers present in the request which were not signed"


def test_amz_headers_have_to_be_signed_elsewhere_too():
    request = iam("kms")
    request.headers.append(("x-amz-target", "TrentService.Encrypt"))
    error = fault(request)
    assert error.message == "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."
    other = iam("kms")
    other.headers += [("x-amz-security-token", "t"), ("user-agent", "x"), ("x-amzn-trace-id", "Root=1")]
    verify(other)


def test_digest_may_stay_out_of_the_list_and_still_counts():
    """S3 takes it so: it is the last line of the canonical request all the same."""
    signed = boto_sign(
        botocore.auth.SigV4Auth, service="s3", method="PUT", url="https://bucket.s3.amazonaws.com/key", body=b"hello"
    )
    digest = hashlib.sha256(b"hello").hexdigest()
    verify(replace(signed, headers=[*signed.headers, ("x-amz-content-sha256", digest)]))
    other = replace(signed, headers=[*signed.headers, ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")])
    assert fault(other).kind == "signature_mismatch"
    twice = replace(signed, headers=[*signed.headers, *[("x-amz-content-sha256", digest)] * 2])
    assert fault(twice).code == "AccessDenied"


def test_presigned_refuses_a_digest_that_was_not_signed():
    request = presigned("s3", 60)
    request.headers.append(("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"))
    assert fault(request).message == "There were headers present in the request which were not signed"


def test_signed_header_that_was_not_sent():
    request = iam(headers={"x-amz-extra": "1"})
    request.headers = [header for header in request.headers if header[0] != "x-amz-extra"]
    assert fault(request).kind == "signature_mismatch"


def test_s3_needs_a_digest():
    request = s3()
    request.headers = [header for header in request.headers if header[0] != "x-amz-content-sha256"]
    error = fault(request)
    assert (error.code, error.status) == ("InvalidRequest", 400)
    assert error.message == "Missing required header for this request: x-amz-content-sha256"


@pytest.mark.parametrize("value", ["x", "A" * 64, "0" * 63, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "UNSIGNED"])
def test_s3_digest_that_is_none(value: str):
    request = s3()
    request.headers = [(n, value if n == "x-amz-content-sha256" else v) for n, v in request.headers]
    error = fault(request)
    assert (error.code, error.status) == ("InvalidArgument", 400)
    assert error.message.startswith("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, ")


UNSIGNED = {"payload_signing_enabled": False}


def test_unsigned_payload():
    signed = boto_sign(
        botocore.auth.S3SigV4Auth,
        service="s3",
        method="PUT",
        url="https://bucket.s3.amazonaws.com/key",
        body=b"hello",
        headers={"content-md5": "x"},
        context={"has_streaming_input": True},
    )
    assert signed.header("x-amz-content-sha256") == "UNSIGNED-PAYLOAD"
    verify(replace(signed, body=b"another"))
    block = iam("ebs", method="PUT", url="https://ebs.example/snapshots/s/blocks/1", body=b"block", context=UNSIGNED)
    assert block.header("x-amz-content-sha256") == "UNSIGNED-PAYLOAD"
    verify(block)


@pytest.mark.parametrize("service", ["iam", "sts", "kms", "ec2", "unknown"])
def test_unsigned_payload_is_refused_elsewhere(service: str):
    assert fault(iam(service, body=b"x", context=UNSIGNED)).kind == "signature_mismatch"


def test_body_written_elsewhere():
    digest = hashlib.sha256(b"hello").hexdigest()
    verify(replace(s3(), body=b""), body_sha256=digest)
    verify(replace(iam(body=b"hello"), body=b""), body_sha256=digest)
    other = hashlib.sha256(b"other").hexdigest()
    assert fault(replace(s3(), body=b""), body_sha256=other).code == "XAmzContentSHA256Mismatch"
    assert fault(replace(iam(body=b"hello"), body=b""), body_sha256=other).kind == "signature_mismatch"


def test_plus_is_a_space_in_a_query():
    request = iam(method="GET", url="https://iam.amazonaws.com/?a=b%20c")
    verify(replace(request, query="a=b+c"))
    assert fault(replace(request, query="a=b%2Bc")).kind == "signature_mismatch"


def test_token_appended_after_presigning_where_the_service_does_so():
    for service, good in (("iotdevicegateway", True), ("kms", False)):
        request = presigned(service, 60)
        request.query += "&X-Amz-Security-Token=t"
        if good:
            verify(request)
        else:
            assert fault(request).kind == "signature_mismatch"


def test_header_that_is_no_latin_1():
    request = iam()
    request.headers.append(("x-note", "\u20ac"))
    verify(request)
    request.headers = [(n, v + "\u20ac" if n == "host" else v) for n, v in request.headers]
    assert fault(request).kind == "signature_mismatch"


def test_error_holds_nothing_of_the_secret():
    error = fault(iam(), secret="a-very-secret-value")
    assert "a-very-secret-value" not in repr(error) + str(error.__context__) + str(error.__cause__)
    assert NOW.strftime("%Y") not in error.message


def test_presigned_digest_in_the_query():
    """The JavaScript SDK puts the digest among the parameters of a presigned URL."""
    digest = hashlib.sha256(b"hello").hexdigest()

    class Hoisted(botocore.auth.S3SigV4QueryAuth):
        def payload(self, request: object) -> str:
            return digest

    request = boto_sign(
        Hoisted, service="s3", method="PUT", url=f"https://bucket.s3.amazonaws.com/key?X-Amz-Content-Sha256={digest}"
    )
    verify(replace(request, body=b"hello"))
    assert fault(replace(request, body=b"other")).code == "XAmzContentSHA256Mismatch"
    other = replace(request, query=request.query.replace(digest, "UNSIGNED-PAYLOAD"))
    assert fault(other).kind == "signature_mismatch"
    other = replace(request, query=request.query.replace(digest, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"))
    assert fault(other).code == "InvalidArgument"


def test_signed_header_that_said_none_cannot_be_dropped():
    request = iam(headers={"x-amz-extra": "None"})
    verify(request)
    request.headers = [header for header in request.headers if header[0] != "x-amz-extra"]
    assert fault(request).kind == "signature_mismatch"
