"""What finding the operation of a request costs: ``python -m bench.routing`` from the repository, or ``python bench/routing.py``.

CPU microseconds, best of several rounds.
"""

from __future__ import annotations

import time

from garrison.core.http import Request
from garrison.wire.routing import Router

ROUNDS, CALLS = 7, 20_000

HEADERS = [
    ("host", "localhost:4566"),
    ("user-agent", "Boto3/1.44"),
    ("accept-encoding", "identity"),
    ("content-type", "application/x-amz-json-1.1"),
    ("x-amz-date", "20260101T000000Z"),
    ("authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/kms/aws4_request"),
    ("content-length", "3"),
]
CBOR = [*HEADERS, ("smithy-protocol", "rpc-v2-cbor")]
VIRTUAL = [("host", "bucket.s3.eu-west-1.localhost:4566"), *HEADERS[1:]]

CASES = [
    ("json, kms Encrypt", "kms", Request("POST", "/", "", [*HEADERS, ("x-amz-target", "TrentService.Encrypt")], b"{}")),
    ("query, iam GetUser", "iam", Request("POST", "/", "", HEADERS, b"Action=GetUser&Version=2010-05-08&UserName=bob")),
    ("cbor, shield ListAttacks", "shield", Request("POST", "/service/AWSShield_20160616/operation/ListAttacks", "", CBOR)),
    ("rest-json, securityhub", "securityhub", Request("POST", "/findings", "", HEADERS, b"{}")),
    ("s3 PutObject, path style", "s3", Request("PUT", "/bucket/a/b%20c//d", "", HEADERS)),
    ("s3 GetObject, virtual host", "s3", Request("GET", "/b%20c//d", "partNumber=3&versionId=abc", VIRTUAL)),
    ("s3 GetBucketPolicy", "s3", Request("GET", "/bucket", "policy", HEADERS)),
]


def main() -> None:
    """Print one line for each kind of request."""
    router = Router()
    for name, service, request in CASES:
        router.route(request, service)
        rounds = []
        for _ in range(ROUNDS):
            start = time.process_time()
            for _ in range(CALLS):
                router.route(request, service)
            rounds.append((time.process_time() - start) / CALLS * 1e6)
        print(f"{name:28} {min(rounds):6.2f}")


if __name__ == "__main__":
    main()
