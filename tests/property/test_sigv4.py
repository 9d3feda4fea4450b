"""Amazon's own signers against the verifier: what they sign is accepted, and nothing else is."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlencode

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.keys.sigv4a import public_key
from garrison.wire.sigv4 import (
    Claim,
    Signatures,
    Verifier,
    missing_authentication,
    payload_decoder,
    read_claim,
    read_post_claim,
    verify_post_form,
)
from garrison.wire.sigv4.canonical import canonical_path, canonical_query
from tests.support.signing import KEY_ID, NOW, SECONDS, SECRET, at, boto_sign, crt_sign

VERIFIER = Verifier(Signatures(public_key))

names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
headers = st.dictionaries(names.map(lambda name: f"x-amz-meta-{name}"), values, max_size=4)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=15)
queries = st.dictionaries(texts.filter(bool), texts, max_size=4)
keys = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/?#"), min_size=1, max_size=8), max_size=4
)
bodies = st.binary(max_size=100)
methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"])
tokens = st.none() | st.text("ABCxyz0189+/=", min_size=1, max_size=40)
regions = st.sampled_from(["us-east-1", "eu-central-1", "us-gov-west-1", "ap-southeast-2"])


def check(request: Request) -> Claim:
    claim = read_claim(request)
    assert claim is not None
    VERIFIER.verify(claim, request, SECRET, now=SECONDS)
    return claim


def refused(request: Request, secret: str = SECRET) -> CommonError:
    """The error that refuses a request; reading and verifying are one to the sender."""
    with pytest.raises(CommonError) as caught:
        _verify(request, secret)
    return caught.value


def _verify(request: Request, secret: str) -> None:
    claim = read_claim(request)
    if claim is None:
        raise missing_authentication()
    if claim.access_key_id != KEY_ID:  # nobody's, so that no secret is found
        raise CommonError(kind="unknown_access_key")
    VERIFIER.verify(claim, request, secret, now=SECONDS)


def path_of(segments: list[str], *, trailing: bool) -> str:
    return "/" + "/".join(quote(segment, safe="~") for segment in segments) + ("/" if trailing and segments else "")


@given(methods, keys, st.booleans(), queries, headers, bodies, regions, tokens)
@settings(max_examples=150)
def test_header_of_any_service(
    method: str,
    segments: list[str],
    trailing: bool,
    query: dict[str, str],
    extra: dict[str, str],
    body: bytes,
    region: str,
    token: str | None,
):
    url = f"https://kms.example.com{path_of(segments, trailing=trailing)}?{urlencode(query, quote_via=quote)}"
    request = boto_sign(
        botocore.auth.SigV4Auth, service="kms", method=method, url=url, headers=extra, body=body, region=region, token=token
    )
    claim = check(request)
    assert (claim.access_key_id, claim.region, claim.service, claim.session_token) == (KEY_ID, region, "kms", token)
    assert refused(request, SECRET + "x").kind == "signature_mismatch"


@given(methods, keys, st.booleans(), queries, headers, bodies, tokens)
@settings(max_examples=150)
def test_header_of_s3(
    method: str, segments: list[str], trailing: bool, query: dict[str, str], extra: dict[str, str], body: bytes, token: str | None
):
    url = f"https://bucket.s3.amazonaws.com{path_of(segments, trailing=trailing)}?{urlencode(query, quote_via=quote)}"
    request = boto_sign(botocore.auth.S3SigV4Auth, service="s3", method=method, url=url, headers=extra, body=body, token=token)
    claim = check(request)
    assert claim.session_token == token
    other = replace(request, body=body + b"x")
    assert refused(other).code == "XAmzContentSHA256Mismatch"


@given(methods, keys, queries, tokens, st.integers(1, 604_800), st.sampled_from(["s3", "kms"]))
@settings(max_examples=150)
def test_presigned(method: str, segments: list[str], query: dict[str, str], token: str | None, expires: int, service: str):
    signer = botocore.auth.S3SigV4QueryAuth if service == "s3" else botocore.auth.SigV4QueryAuth
    assume(not any(name.startswith("X-Amz-") for name in query))
    url = f"https://bucket.example.com{path_of(segments, trailing=False)}?{urlencode(query, quote_via=quote)}"
    request = boto_sign(signer, service=service, method=method, url=url, token=token, expires=expires)
    claim = check(request)
    assert (claim.presigned, claim.expires, claim.session_token) == (True, expires, token)
    VERIFIER.verify(claim, request, SECRET, now=SECONDS + expires)
    with pytest.raises(CommonError) as caught:
        VERIFIER.verify(claim, request, SECRET, now=SECONDS + expires + 1)
    assert caught.value.kind == "request_expired"


@given(
    methods,
    keys,
    bodies,
    tokens,
    st.sampled_from(["*", "us-east-1", "us-*,eu-west-1"]),
    st.sampled_from(["s3", "iam"]),
    st.booleans(),
)
@settings(max_examples=60)
def test_4a(method: str, segments: list[str], body: bytes, token: str | None, region_set: str, service: str, presigned: bool):
    path = path_of(segments, trailing=False)
    body = b"" if presigned else body
    payload = "UNSIGNED-PAYLOAD" if presigned and service == "s3" else None
    request = crt_sign(
        service=service,
        method=method,
        path=path,
        body=body,
        regions=region_set,
        token=token,
        presigned=presigned,
        payload=payload,
    )
    claim = check(request)
    assert claim.algorithm == "AWS4-ECDSA-P256-SHA256"
    assert claim.region_set == tuple(region_set.split(","))
    assert refused(request, SECRET + "x").kind == "signature_mismatch"
    assert refused(replace(request, path=request.path + "x")).kind == "signature_mismatch"


# --- Any change of anything signed ----------------------------------------------------------------------------------

IAM = boto_sign(
    botocore.auth.SigV4Auth,
    url="https://iam.amazonaws.com/a/b?Action=ListUsers&Version=2010-05-08",
    headers={"content-type": "application/x-www-form-urlencoded", "x-amz-target": "Service.Operation"},
    body=b"Action=CreateUser&UserName=bob",
    token="AQoDYXdzEPT",
)
S3 = boto_sign(
    botocore.auth.S3SigV4Auth,
    service="s3",
    method="PUT",
    url="https://bucket.s3.amazonaws.com/some/key?partNumber=1&uploadId=x",
    headers={"content-type": "text/plain", "x-amz-acl": "private", "content-md5": "rL0Y20zC+Fzt72VPzMSk2A=="},
    body=b"hello",
)
S3_PRESIGNED = boto_sign(
    botocore.auth.S3SigV4QueryAuth,
    service="s3",
    method="GET",
    url="https://bucket.s3.amazonaws.com/key?versionId=3",
    token="AQoDY",
)
PRESIGNED = boto_sign(
    botocore.auth.SigV4QueryAuth, service="sts", method="GET", url="https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=1"
)
ECDSA = crt_sign(service="iam", path="/a?b=c", body=b"hello", headers=[("X-Amz-Target", "Service.Operation")])
SAMPLES = {"iam": IAM, "s3": S3, "s3 presigned": S3_PRESIGNED, "presigned": PRESIGNED, "4a": ECDSA}


@st.composite
def changed(draw: st.DrawFn, request: Request) -> Request:
    """The request with one bit of it flipped, header names apart (a flipped name is another header)."""
    part = draw(st.sampled_from(["method", "path", "query", "body", "header", "header"]))
    if part == "header":
        index = draw(st.integers(0, len(request.headers) - 1))
        name, value = request.headers[index]
        new = list(request.headers)
        new[index] = (name, _flip(draw, value.encode("latin-1")).decode("latin-1"))
        return replace(request, headers=new)
    if part == "body":
        return replace(request, body=_flip(draw, request.body) if request.body else b"x")
    text = _flip(draw, getattr(request, part).encode("latin-1")).decode("latin-1")
    if part == "method":
        return replace(request, method=text)
    return replace(request, path=text) if part == "path" else replace(request, query=text)


def _flip(draw: st.DrawFn, data: bytes) -> bytes:
    if not data:
        return b"x"
    bit = draw(st.integers(0, len(data) * 8 - 1))
    return data[: bit // 8] + bytes((data[bit // 8] ^ (1 << bit % 8),)) + data[bit // 8 + 1 :]


def same_meaning(one: Request, two: Request) -> bool:
    """Whether two requests are one in all that the receiver reads."""

    def meaning(request: Request) -> Any:
        claim = read_claim(request)
        assert claim is not None
        signed = [(n, " ".join(v.split())) for n, v in request.headers if n in claim.signed_headers]
        unsigned = [n for n, _ in request.headers if n not in claim.signed_headers]
        query = sorted(part for part in request.query.split("&") if part)
        body = b"" if "Signature" in request.query and claim.service == "s3" else request.body
        return claim, request.method, request.path, query, signed, unsigned, body

    return bool(meaning(one) == meaning(two))


@pytest.mark.parametrize("name", SAMPLES)
@given(st.data())
@settings(max_examples=300)
def test_a_flipped_bit_is_refused(name: str, data: st.DataObject):
    request = SAMPLES[name]
    other = data.draw(changed(request))
    if accepted(other):
        assert same_meaning(request, other) or _same_after_decoding(request, other)


def accepted(request: Request) -> bool:
    try:
        _verify(request, SECRET)
    except CommonError:
        return False
    return True


def _same_after_decoding(one: Request, two: Request) -> bool:
    """A percent-escape's digits in the other case mean the same."""

    def upper(query: str) -> str:
        return re.sub(r"%[0-9A-Fa-f]{2}", lambda match: match[0].upper(), query)

    return replace(one, query=upper(one.query)) == replace(two, query=upper(two.query))


@given(st.sampled_from(sorted(SAMPLES)), names, values)
@settings(max_examples=100)
def test_an_added_amz_header_or_parameter_is_refused(name: str, header: str, value: str):
    request = SAMPLES[name]
    added = replace(request, headers=[*request.headers, (f"x-amz-{header}", value)])
    assume(f"x-amz-{header}" not in {"x-amz-security-token", "x-amz-date", "x-amz-content-sha256"})
    refused(added)
    refused(replace(request, query=f"{request.query}&{header}={quote(value)}"))


@given(st.sampled_from(sorted(SAMPLES)))
def test_a_doubled_header_is_refused(name: str):
    request = SAMPLES[name]
    for header, value in request.headers:
        claim = read_claim(request)
        assert claim is not None
        if header in claim.signed_headers or header == "authorization":
            refused(replace(request, headers=[*request.headers, (header, value)]))


@given(st.sampled_from(sorted(SAMPLES)), st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_order_on_the_wire_does_not_matter(name: str, random: Random):
    request = SAMPLES[name]
    mixed, parameters = list(request.headers), request.query.split("&")
    random.shuffle(mixed)
    random.shuffle(parameters)
    check(replace(request, headers=mixed, query="&".join(parameters)))


# --- Chunked bodies and forms ---------------------------------------------------------------------------------------


@given(st.binary(max_size=3000), st.integers(1, 5000), st.sampled_from(["crc32", "sha256"]))
@settings(max_examples=60)
def test_botocore_aws_chunked_body(data: bytes, step: int, algorithm: str):
    from io import BytesIO  # noqa: PLC0415 - used by this test alone

    from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum, Sha256Checksum  # noqa: PLC0415 - the same

    wrapper = AwsChunkedWrapper(
        BytesIO(data),
        checksum_cls=Crc32Checksum if algorithm == "crc32" else Sha256Checksum,
        checksum_name=f"x-amz-checksum-{algorithm}",
    )
    wire = wrapper.read()
    request = boto_sign(
        botocore.auth.S3SigV4Auth,
        service="s3",
        method="PUT",
        url="https://bucket.s3.amazonaws.com/key",
        headers={"x-amz-trailer": f"x-amz-checksum-{algorithm}", "x-amz-decoded-content-length": str(len(data))},
        context={
            "checksum": {"request_algorithm": {"in": "trailer", "algorithm": algorithm, "name": f"x-amz-checksum-{algorithm}"}}
        },
    )
    claim = check(request)
    decoder = payload_decoder(claim, request, SECRET)
    assert decoder is not None
    assert b"".join(decoder.feed(wire[at : at + step]) for at in range(0, len(wire), step)) == data
    decoder.finish()
    assert list(decoder.trailers) == [f"x-amz-checksum-{algorithm}"]


@given(
    st.dictionaries(names.map(lambda name: f"x-amz-meta-{name}"), texts, max_size=4),
    texts.filter(bool),
    tokens,
    st.integers(0, 1000),
)
@settings(max_examples=100)
def test_botocore_post_form(fields: dict[str, str], key: str, token: str | None, size: int):
    form = sign_form({"key": key, **fields}, [["content-length-range", 0, 999]], token)
    claim = read_post_claim(form)
    assert claim is not None
    assert claim.session_token == token
    bounds = verify_post_form(claim, form, SECRET, now=SECONDS, bucket="bucket")
    assert (bounds.smallest, bounds.largest) == (0, 999)
    if size <= 999:
        bounds.check(size)
    with pytest.raises(CommonError, match="calculated does not match"):
        verify_post_form(claim, form, SECRET + "x", now=SECONDS, bucket="bucket")
    with pytest.raises(CommonError, match="Policy Condition failed"):
        verify_post_form(claim, form, SECRET, now=SECONDS, bucket="other")
    with pytest.raises(CommonError, match="Extra input fields: acl"):
        verify_post_form(claim, [*form, ("acl", "public-read")], SECRET, now=SECONDS, bucket="bucket")
    for index, (name, value) in enumerate(form):
        if name not in {"policy", "x-amz-signature", "x-amz-credential", "x-amz-date", "x-amz-algorithm"}:
            other = [*form[:index], (name, value + "x"), *form[index + 1 :]]
            with pytest.raises(CommonError, match="Policy Condition failed"):
                verify_post_form(claim, other, SECRET, now=SECONDS, bucket="bucket")


def sign_form(fields: dict[str, str], conditions: list[Any], token: str | None) -> list[tuple[str, str]]:
    request = AWSRequest(method="POST", url="https://bucket.s3.amazonaws.com/")
    expiration = (NOW + timedelta(hours=1)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    policy = {"expiration": expiration, "conditions": [{"bucket": "bucket"}, *({n: v} for n, v in fields.items()), *conditions]}
    request.context["s3-presign-post-fields"] = dict(fields)
    request.context["s3-presign-post-policy"] = policy
    with at():
        botocore.auth.S3SigV4PostAuth(Credentials(KEY_ID, SECRET, token), "s3", "us-east-1").add_auth(request)
    return list(request.context["s3-presign-post-fields"].items())


# --- The canonical request's short cuts ------------------------------------------------------------------------------

escaped = st.lists(
    st.sampled_from(["a", "Z", "0", "-", ".", "_", "~", "/", "+", "%", "%2", "%2f", "%2F", "%7e", "%7E", "%41", "%5B", "%5F", " ", "\xe9"])
    | st.integers(0, 255).map(lambda byte: f"%{byte:02X}"),
    max_size=12,
).map("".join)  # fmt: skip


@given(escaped)
@settings(max_examples=500)
def test_short_cuts_say_what_decoding_and_encoding_say(text: str):
    slow = quote(unquote_to_bytes(text.encode("latin-1")), safe="/-._~")
    assert canonical_path(text, s3=True) == (slow or "/")
    slow = quote(unquote_to_bytes(text.replace("+", " ").encode("latin-1")), safe="-._~")
    assert canonical_query(f"a={text}") == f"a={slow}"


# --- Noise ----------------------------------------------------------------------------------------------------------

wire = st.text(st.characters(max_codepoint=0xFF), max_size=60)
seasoned = st.lists(
    st.sampled_from(
        ["AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", " ", "Credential=", "SignedHeaders=", "Signature=", ",", "/", "host", ";",
         "AKIA", "20150830", "us-east-1", "s3", "iam", "aws4_request", "20150830T123600Z", "X-Amz-Algorithm=", "X-Amz-Credential=",
         "X-Amz-Signature=", "X-Amz-Date=", "X-Amz-Expires=", "X-Amz-SignedHeaders=", "&", "%2F", "%", "=", "\x00", "\xff", "0" * 64]
    ),
    max_size=25,
).map("".join)  # fmt: skip


@given(wire, wire | seasoned, wire | seasoned, st.lists(st.tuples(st.sampled_from(["host", "x-amz-date", "date", "authorization", "x-amz-content-sha256", "x-amz-security-token", "x-amz-region-set", "x"]), wire | seasoned), max_size=5), bodies)  # fmt: skip
@settings(max_examples=400)
def test_noise_is_refused_and_nothing_else(path: str, query: str, authorization: str, found: list[tuple[str, str]], body: bytes):
    request = Request("GET", path, query, [("authorization", authorization), *found], body)
    refused(request)
    assert not accepted(replace(request, headers=found))


@given(wire, st.text(max_size=20), st.text(max_size=20))
def test_a_well_formed_claim_on_noise_is_refused(path: str, query: str, header: str):
    for sample in SAMPLES.values():
        refused(replace(sample, path=path + "x", headers=[*sample.headers, ("x-amz-noise", header)]))
        refused(replace(sample, method="PATCH", query=f"{query}&{sample.query}"))


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5), st.booleans())
@settings(max_examples=200)
def test_chunked_noise(data: bytes, cuts: list[int], signed: bool):
    payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" if signed else "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    request = replace(
        S3, headers=[("x-amz-content-sha256", payload), ("x-amz-decoded-content-length", "100"), ("x-amz-trailer", "a")]
    )
    claim = read_claim(S3)
    assert claim is not None
    decoder = payload_decoder(claim, request, SECRET)
    assert decoder is not None
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    with pytest.raises(CommonError):
        _decode(decoder, [data[a:b] for a, b in pairwise(edges)])


def _decode(decoder: Any, pieces: list[bytes]) -> None:
    for piece in pieces:
        decoder.feed(piece)
    decoder.finish()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.sampled_from(["eq", "starts-with", "content-length-range", "$key"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | st.sampled_from(["key", "bucket"]), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(
    json_values | st.fixed_dictionaries({"expiration": json_values | st.just("2030-01-01T00:00:00Z"), "conditions": json_values})
)
@settings(max_examples=200)
def test_any_policy_document_is_refused_or_read(document: object):
    policy = base64.b64encode(json.dumps(document).encode()).decode()
    form = sign_form({"key": "k"}, [], None)
    values = dict(form) | {"policy": policy}
    values["x-amz-signature"] = _signature(policy)
    claim = read_post_claim(list(values.items()))
    assert claim is not None
    with pytest.raises(CommonError) as caught:
        verify_post_form(claim, list(values.items()), SECRET, now=SECONDS, bucket="bucket")
    assert caught.value.kind in {"malformed", "access_denied", "request_expired"}


def _signature(text: str) -> str:
    signer = botocore.auth.SigV4Auth(Credentials(KEY_ID, SECRET), "s3", "us-east-1")
    request = AWSRequest()
    request.context["timestamp"] = NOW.strftime("%Y%m%dT%H%M%SZ")
    return str(signer.signature(text, request))


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.integers(-2000, 2000))
@settings(max_examples=60)
def test_clock_window(moment: datetime, off: int):
    signed = moment.replace(microsecond=0, tzinfo=UTC)
    for service, window in (("iam", 900), ("sts", 900), ("kms", 300)):
        request = boto_sign(botocore.auth.SigV4Auth, service=service, moment=signed)
        claim = read_claim(request)
        assert claim is not None
        if abs(off) <= window:
            VERIFIER.verify(claim, request, SECRET, now=signed.timestamp() + off)
        else:
            with pytest.raises(CommonError) as caught:
                VERIFIER.verify(claim, request, SECRET, now=signed.timestamp() + off)
            assert caught.value.kind == "request_expired"
