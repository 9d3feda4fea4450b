"""Amazon's own test suite for Signature Version 4, every case, read backwards: the signed request is what a server gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.wire.sigv4 import Verifier, read_claim
from garrison.wire.sigv4.canonical import (
    canonical_path,
    canonical_query,
    canonical_request,
    sort_headers,
    string_to_sign,
)
from garrison.wire.sigv4.payload import is_digest

SUITE = Path(__file__).parents[3] / "vectors" / "aws4"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = 1440938160.0  # 2015-08-30T12:36:00Z
CASES = sorted(str(path.relative_to(SUITE).with_suffix("")) for path in SUITE.rglob("*.sreq"))


def read_request(text: str) -> Request:
    """Parse a request of the suite: its lines end in LF, and continued header lines start with blanks."""
    head, _, body = text.partition("\n\n")
    first, *lines = head.split("\n")
    method, target = first.rsplit(" ", 1)[0].split(" ", 1)
    headers: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith((" ", "\t")):
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line}")
        else:
            name, _, value = line.partition(":")
            headers.append((name.lower(), value))
    path, _, query = target.partition("?")
    return Request(method=method, path=path, query=query, headers=headers, body=body.encode("latin-1"))


def read_signed(case: str) -> Request:
    """The signed request of a case, with the header of its ``.authz`` file.

    In one case (get-vanilla-with-session-token) the two differ, and only the ``.authz`` is the signature of the ``.sts``.
    """
    request = read_request(load(case, ".sreq"))
    plain = [header for header in request.headers if header[0] != "authorization"]
    request.headers = [*plain, ("authorization", load(case, ".authz"))]
    return request


def load(case: str, suffix: str) -> str:
    return (SUITE / f"{case}{suffix}").read_bytes().decode("latin-1").replace("\r", "")


def test_the_whole_suite_is_there():
    assert len(CASES) == 34


@pytest.mark.parametrize("case", CASES)
def test_signed_request_verifies(case: str):
    request = read_signed(case)
    claim = read_claim(request)
    assert claim is not None
    assert (claim.access_key_id, claim.region, claim.service) == ("AKIDEXAMPLE", "us-east-1", "service")
    Verifier().verify(claim, request, SECRET, now=NOW, service="service")


@pytest.mark.parametrize("case", CASES)
def test_canonical_request_and_string_to_sign_are_the_published_ones(case: str):
    request = read_request(load(case, ".sreq"))
    claim = read_claim(request)
    assert claim is not None
    values, _ = sort_headers(request.headers, claim.signed_headers)
    expected = load(case, ".creq")
    payload = expected.rsplit("\n", 1)[1]
    assert is_digest(payload)
    path, query = canonical_path(request.path, s3=False), canonical_query(request.query)
    canonical = canonical_request(request.method, path, query, values, claim.signed_headers, payload)
    assert canonical == expected
    assert string_to_sign(claim.algorithm, claim.stamp, claim.scope, canonical) == load(case, ".sts")


@pytest.mark.parametrize("case", CASES)
def test_another_secret_or_a_changed_signature_is_refused(case: str):
    request = read_signed(case)
    claim = read_claim(request)
    assert claim is not None
    with pytest.raises(CommonError) as caught:
        Verifier().verify(claim, request, SECRET + "x", now=NOW)
    assert caught.value.kind == "signature_mismatch"
    for place in range(len(claim.signature)):
        digit = "1" if claim.signature[place] == "0" else "0"
        wrong = structs.replace(claim, signature=claim.signature[:place] + digit + claim.signature[place + 1 :])
        with pytest.raises(CommonError):
            Verifier().verify(wrong, request, SECRET, now=NOW)
