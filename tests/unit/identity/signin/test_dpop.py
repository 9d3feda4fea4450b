"""Proofs of a client's key, against the examples of RFC 9449 and everything that its section 4.3 refuses."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from garrison.identity.signin import dpop as module
from garrison.identity.signin.dpop import BadProofError, encoded, verify
from tests.support.inprocess import HOST
from tests.support.signing_in import b64, dpop, jwk_of, new_key

RFC = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR"
    "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwia"
    "HRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLv"
    "qRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
"""RFC 9449, figure 1."""
THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
"""Of its key: RFC 9449, section 6.1."""
NOW = 1_750_000_000.0
OWN = f"http://{HOST}/v1/token"


def check(text: str, now: float = NOW) -> module.Proof:
    return verify(text, method="POST", is_own=lambda uri: uri == OWN, now=now)


def test_the_example_of_the_rfc():
    found = verify(RFC, method="POST", is_own=lambda uri: uri == "https://server.example.com/token", now=1562262616 + 5)
    assert encoded(found.thumbprint) == THUMBPRINT
    assert found.until == 1562262616 + module.SECONDS + 1


def test_a_proof_of_a_new_key_and_one_of_the_same_key_are_told_apart():
    key = new_key()
    first, second, again = dpop(key, NOW), dpop(key, NOW), dpop(key, NOW, jti="the same")
    assert check(first).thumbprint == check(second).thumbprint
    assert check(first).unique != check(second).unique
    assert check(again).unique == check(dpop(key, NOW + 9, jti="the same")).unique
    assert check(dpop(new_key(), NOW, jti="the same")).unique != check(again).unique


@pytest.mark.parametrize(
    "wrong",
    [
        {"header": {"alg": "none"}},
        {"header": {"alg": "HS256"}},
        {"header": {"alg": "ES384"}},
        {"header": {"alg": None}},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": None}},
        {"header": {"jwk": None}},
        {"header": {"jwk": {}}},
        {"header": {"jwk": "key"}},
        {"header": {"crit": ["x"]}},
        {"htm": "GET"},
        {"htm": None},
        {"htu": "http://elsewhere/v1/token"},
        {"htu": None},
        {"htu": 5},
        {"iat": None},
        {"iat": True},
        {"iat": str(int(NOW))},
        {"iat": int(NOW) - module.SECONDS - 1},
        {"iat": int(NOW) + module.SECONDS + 1},
        {"iat": 1e400},
        {"iat": 10**400},
        {"iat": -(10**400)},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 257},
        {"x": "y" * 5000},
    ],
)
def test_what_a_proof_must_say(wrong: dict[str, Any]):
    with pytest.raises(BadProofError):
        check(dpop(new_key(), NOW, **wrong))


def test_a_key_that_is_private_foreign_or_no_point_is_refused():
    key, other = new_key(), new_key()
    for jwk in (
        {**jwk_of(key), "d": "AAAA"},
        jwk_of(other),
        {**jwk_of(key), "crv": "P-384"},
        {**jwk_of(key), "kty": "oct"},
        {**jwk_of(key), "x": b64(bytes(32)), "y": b64(bytes(32))},
        {**jwk_of(key), "x": b64(b"\xff" * 32)},
        {**jwk_of(key), "x": "!" * 43},
        {**jwk_of(key), "y": b64(bytes(31))},
    ):
        with pytest.raises(BadProofError):
            check(dpop(key, NOW, header={"jwk": jwk}))


def test_an_altered_proof_is_refused_wherever_it_was_altered():
    proof = dpop(new_key(), NOW)
    # The last character of a base64url text has bits that say nothing.
    ends = {place - 1 for place, letter in enumerate(proof + ".") if letter == "."}
    for place in sorted(set(range(0, len(proof), 7)) - ends):
        letter = "A" if proof[place] != "A" else "B"
        with pytest.raises(BadProofError):
            check(proof[:place] + letter + proof[place + 1 :])


def test_a_name_that_occurs_twice_is_refused():
    key = new_key()
    proof = dpop(key, NOW)
    body = json.loads(base64.urlsafe_b64decode(proof.split(".")[1] + "=="))
    assert body["htm"] == "POST"
    with pytest.raises(BadProofError):
        module._document(b64(b'{"htm":"GET","htm":"POST"}'))


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b", "a.b.c.d", "é.é.é", "=.=.=", "a" * 5000, "\x00.\x00.\x00", "W10.W10.W10", "x.y.z"]
)
def test_what_is_no_proof(text: str):
    with pytest.raises(BadProofError):
        check(text)
