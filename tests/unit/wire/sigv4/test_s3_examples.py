"""The examples of the S3 API Reference: "Transferring Payload in a Single Chunk", "Using Query Parameters"."""

from __future__ import annotations

import pytest

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.wire.sigv4 import Verifier, read_claim

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = 1369353600.0  # Fri, 24 May 2013 00:00:00 GMT
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
WELCOME = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
CREDENTIAL = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"


def signed(
    method: str, path: str, query: str, extra: list[tuple[str, str]], payload: str, signature: str, body: bytes = b""
) -> Request:
    headers = [
        ("host", "examplebucket.s3.amazonaws.com"),
        *extra,
        ("x-amz-content-sha256", payload),
        ("x-amz-date", "20130524T000000Z"),
    ]
    names = ";".join(sorted(name for name, _ in headers))
    headers.append(("authorization", f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders={names},Signature={signature}"))
    return Request(method=method, path=path, query=query, headers=headers, body=body)


EXAMPLES = {
    "GET Object": signed(
        "GET", "/test.txt", "", [("range", "bytes=0-9")], EMPTY,
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    "PUT Object": signed(
        "PUT", "/test%24file.text", "",
        [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")], WELCOME,
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd", b"Welcome to Amazon S3.",
    ),
    "PUT Object, the key sent unescaped": signed(
        "PUT", "/test$file.text", "",
        [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")], WELCOME,
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd", b"Welcome to Amazon S3.",
    ),
    "GET Bucket Lifecycle": signed(
        "GET", "/", "lifecycle", [], EMPTY, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    ),
    "List Objects": signed(
        "GET", "/", "prefix=J&max-keys=2", [], EMPTY, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_verifies(name: str):
    request = EXAMPLES[name]
    claim = read_claim(request)
    assert claim is not None
    assert (claim.service, claim.region, claim.timestamp) == ("s3", "us-east-1", NOW)
    Verifier().verify(claim, request, SECRET, now=NOW, service="s3")


def test_another_body_is_refused_by_its_digest():
    request = EXAMPLES["PUT Object"]
    other = Request(request.method, request.path, request.query, request.headers, b"Welcome to Amazon S4.")
    claim = read_claim(other)
    assert claim is not None
    with pytest.raises(CommonError, match="'x-amz-content-sha256' header does not match what was computed") as caught:
        Verifier().verify(claim, other, SECRET, now=NOW)
    assert (caught.value.code, caught.value.status) == ("XAmzContentSHA256Mismatch", 400)


PRESIGNED = Request(
    method="GET",
    path="/test.txt",
    query=(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    ),
    headers=[("host", "examplebucket.s3.amazonaws.com")],
)


@pytest.mark.parametrize("later", [0.0, 1.0, 86400.0])
def test_presigned_example_verifies_until_it_expires(later: float):
    claim = read_claim(PRESIGNED)
    assert claim is not None
    assert (claim.presigned, claim.expires, claim.signed_headers) == (True, 86400, ("host",))
    Verifier().verify(claim, PRESIGNED, SECRET, now=NOW + later)


@pytest.mark.parametrize(("later", "message"), [(86401.0, "Request has expired"), (-901.0, "Request is not valid yet")])
def test_presigned_example_outside_its_time(later: float, message: str):
    claim = read_claim(PRESIGNED)
    assert claim is not None
    with pytest.raises(CommonError, match=message) as caught:
        Verifier().verify(claim, PRESIGNED, SECRET, now=NOW + later)
    assert (caught.value.kind, caught.value.code, caught.value.status) == ("request_expired", "AccessDenied", 403)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("86400", "86401"),
        ("/test.txt", "/test.txT"),
        ("404", "405"),
        ("host", "host%3Brange"),
        ("aws4_request", "aws4_request&versionId=1"),
        ("GET", "PUT"),
        ("examplebucket", "exomplebucket"),
    ],
)
def test_presigned_example_changed(old: str, new: str):
    changed = Request(
        method=PRESIGNED.method.replace(old, new),
        path=PRESIGNED.path.replace(old, new),
        query=PRESIGNED.query.replace(old, new),
        headers=[(name, value.replace(old, new)) for name, value in PRESIGNED.headers],
    )
    claim = read_claim(changed)
    assert claim is not None
    with pytest.raises(CommonError) as caught:
        Verifier().verify(claim, changed, SECRET, now=NOW)
    assert caught.value.kind == "signature_mismatch"
