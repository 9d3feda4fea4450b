"""Requests signed by Amazon's own signers, as a server would get them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import awscrt.auth  # type: ignore[import-untyped] # awscrt publishes no types
import awscrt.http  # type: ignore[import-untyped] # the same
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from garrison.core.http import Request

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = datetime(2015, 8, 30, 12, 36, 0, tzinfo=UTC)
SECONDS = NOW.timestamp()


@contextmanager
def at(moment: datetime = NOW) -> Iterator[None]:
    """Let botocore's clock stand still."""
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=moment):
        yield


def boto_sign(
    signer: type[Any],
    *,
    service: str = "iam",
    method: str = "POST",
    url: str = "https://iam.amazonaws.com/",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    region: str = "us-east-1",
    token: str | None = None,
    moment: datetime = NOW,
    context: dict[str, Any] | None = None,
    **options: Any,
) -> Request:
    """A request signed by one of botocore's signers."""
    request = AWSRequest(method=method, url=url, data=body, headers=headers or {})
    request.context.update(context or {})
    with at(moment):
        signer(Credentials(KEY_ID, SECRET, token), service, region, **options).add_auth(request)
    parts = urlsplit(str(request.url))
    found = [(name.lower(), str(value)) for name, value in request.headers.items()]
    if not any(name == "host" for name, _ in found):
        found.insert(0, ("host", parts.netloc))
    return Request(method=method, path=parts.path or "/", query=parts.query, headers=found, body=body)


def crt_sign(
    *,
    service: str = "iam",
    method: str = "POST",
    path: str = "/",
    headers: list[tuple[str, str]] | None = None,
    body: bytes = b"",
    regions: str = "*",
    token: str | None = None,
    presigned: bool = False,
    payload: str | None = None,
) -> Request:
    """A request signed with Signature Version 4A by Amazon's C library."""
    s3 = service == "s3"
    given = [("Host", "example.amazonaws.com"), *(headers or [])]
    request = awscrt.http.HttpRequest(method, path, awscrt.http.HttpHeaders(given), io.BytesIO(body) if body else None)
    by_header, by_query = (
        awscrt.auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
        awscrt.auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS,
    )
    with_hash, without = awscrt.auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256, awscrt.auth.AwsSignedBodyHeaderType.NONE
    config = awscrt.auth.AwsSigningConfig(
        algorithm=awscrt.auth.AwsSigningAlgorithm.V4_ASYMMETRIC,
        signature_type=by_query if presigned else by_header,
        credentials_provider=awscrt.auth.AwsCredentialsProvider.new_static(KEY_ID, SECRET, token),
        region=regions,
        service=service,
        date=NOW,
        use_double_uri_encode=not s3,
        should_normalize_uri_path=not s3,
        signed_body_value=payload,
        signed_body_header_type=with_hash if s3 and not presigned else without,
        expiration_in_seconds=900 if presigned else None,
    )
    awscrt.auth.aws_sign_request(request, config).result()
    target, _, query = request.path.partition("?")
    found = [(name.lower(), value) for name, value in request.headers]
    return Request(method=method, path=target, query=query, headers=found, body=body)
