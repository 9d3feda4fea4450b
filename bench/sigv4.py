"""What one verified signature costs: ``python -m bench.sigv4`` from the repository, or ``python bench/sigv4.py``.

CPU microseconds of one request, best of several rounds, for the forms that the gateway meets. botocore's pure Python
signer stands beside them as the measure of the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from garrison.core.http import Request
from garrison.wire.sigv4 import Verifier, payload_decoder, read_claim
from garrison.wire.sigv4.signing_keys import signing_key

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 - the published example
CREDENTIALS = Credentials("AKIAIOSFODNN7EXAMPLE", SECRET)
ROUNDS, CALLS = 7, 5000


def best(call: Callable[[], object], calls: int = CALLS) -> float:
    """CPU microseconds of one call in the quietest round."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(calls):
            call()
        rounds.append((time.process_time() - start) / calls)
    return min(rounds) * 1e6


def sign(signer: SigV4Auth, url: str, body: bytes, headers: dict[str, str]) -> tuple[Request, AWSRequest]:
    """A request as it comes to the server, and as the client holds it."""
    request = AWSRequest("POST" if body else "GET", url, headers, body)
    signer.add_auth(request)
    host, _, target = str(request.url).removeprefix("https://").partition("/")
    path, _, query = target.partition("?")
    found = [("host", host), *((name.lower(), value) for name, value in request.headers.items())]
    return Request(str(request.method), f"/{path}", query, found, body), request


def measure(name: str, request: Request) -> None:
    """Print the cost of reading and verifying a request."""
    verifier, now = Verifier(), datetime.now(UTC).timestamp()

    def verify() -> None:
        claim = read_claim(request)
        assert claim is not None
        verifier.verify(claim, request, SECRET, now=now)

    print(f"{name:<48}{best(verify):>8.1f}")


def decode(size: int, chunk: int) -> None:
    """Print the cost of an aws-chunked body without chunk signatures."""
    head, _ = sign(S3SigV4Auth(CREDENTIALS, "s3", "us-east-1"), "https://b.example/key", b"", {})
    changed = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length": str(size)}
    request = Request("PUT", "/key", headers=list(changed.items()))
    claim = read_claim(head)
    assert claim is not None
    wire = b"".join(b"%x\r\n%b\r\n" % (chunk, bytes(chunk)) for _ in range(size // chunk)) + b"0\r\n\r\n"

    def run() -> None:
        decoder = payload_decoder(claim, request, SECRET)
        assert decoder is not None
        for start in range(0, len(wire), 65536):
            decoder.feed(wire[start : start + 65536])
        decoder.finish()

    print(f"{f'aws-chunked, 1 MiB in chunks of {chunk >> 10} KiB':<48}{best(run, 50):>8.1f}")


def main() -> None:
    """Print the table."""
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "User-Agent": "Boto3/1.44.8"}
    target = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.Encrypt", "User-Agent": "Boto3/1.44.8"}
    sts, client = sign(
        SigV4Auth(CREDENTIALS, "sts", "us-east-1"), "https://sts.example/", b"Action=GetCallerIdentity&Version=2011-06-15", form
    )
    kms, _ = sign(
        SigV4Auth(CREDENTIALS, "kms", "us-east-1"), "https://kms.example/", b'{"KeyId":"k","Plaintext":"aGVsbG8="}', target
    )
    s3, _ = sign(S3SigV4Auth(CREDENTIALS, "s3", "us-east-1"), "https://b.example/some/key?versionId=3", b"", {})
    url, _ = sign(S3SigV4QueryAuth(CREDENTIALS, "s3", "us-east-1"), "https://b.example/some/key", b"", {})
    print(f"{'':<48}{'us CPU':>8}")
    measure("verify sts GetCallerIdentity (query)", sts)
    measure("verify kms Encrypt (json)", kms)
    measure("verify s3 GetObject (header)", s3)
    measure("verify s3 GetObject (presigned)", url)
    print(f"{'derive a signing key':<48}{best(lambda: signing_key(SECRET, '20150830', 'us-east-1', 'sts')):>8.1f}")
    decode(1 << 20, 64 << 10)
    signer = SigV4Auth(CREDENTIALS, "sts", "us-east-1")
    print(f"{'sign the first, by botocore':<48}{best(lambda: signer.add_auth(client), 500):>8.1f}")


if __name__ == "__main__":
    main()
