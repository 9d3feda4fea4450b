"""Tokens and the keys that sign them, held against RFC 7638's example and another implementation of JOSE."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from garrison.core.ports import NewTokenKey
from garrison.keys.keyring import Keyring
from garrison.keys.web_tokens import TokenKeys, thumbprint

ACCOUNT = "111122223333"


@pytest.fixture(scope="module")
def tokens() -> TokenKeys:
    return TokenKeys(Keyring.ephemeral())


@pytest.fixture(scope="module", params=["RS256", "ES384"])
def pair(tokens: TokenKeys, request: pytest.FixtureRequest) -> tuple[str, NewTokenKey]:
    return request.param, tokens.make(request.param, ACCOUNT)


def verified(token: str, *keys: NewTokenKey) -> Any:
    known = KeySet.import_key_set({"keys": [json.loads(key.jwk) for key in keys]})
    registry = JWSRegistry(algorithms=["RS256", "ES384"])
    return jwt.decode(token, known, algorithms=["RS256", "ES384"], registry=registry)


def test_thumbprint_of_the_example():
    """RFC 7638, 3.1."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W"
        "-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08q"
        "NLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    assert thumbprint({"kty": "RSA", "n": n, "e": "AQAB"}) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_another_implementation_verifies(tokens: TokenKeys, pair: tuple[str, NewTokenKey]):
    algorithm, key = pair
    claims = {"iss": "https://x", "sub": "é/ünï", "exp": 1_700_000_000, "nested": {"tags": {"a": ""}}}
    found = verified(tokens.sign(ACCOUNT, key.key_id, key.sealed, algorithm, claims), key)
    assert found.claims == claims
    assert found.header == {"alg": algorithm, "kid": key.key_id, "typ": "JWT"}


def test_what_is_published_has_no_private_half(pair: tuple[str, NewTokenKey]):
    algorithm, key = pair
    jwk = json.loads(key.jwk)
    public = {"RS256": {"kty", "n", "e"}, "ES384": {"kty", "crv", "x", "y"}}[algorithm]
    assert jwk.keys() == {*public, "use", "alg", "kid"}
    assert (jwk["use"], jwk["alg"], jwk["kid"]) == ("sig", algorithm, key.key_id)
    assert jwk["kid"] == thumbprint({name: jwk[name] for name in public})


def test_a_key_signs_for_its_own_account_name_and_algorithm_alone(tokens: TokenKeys, pair: tuple[str, NewTokenKey]):
    algorithm, key = pair
    other = "ES384" if algorithm == "RS256" else "RS256"
    for account, key_id, sealed, asked in (
        ("444455556666", key.key_id, key.sealed, algorithm),
        (ACCOUNT, "another", key.sealed, algorithm),
        (ACCOUNT, key.key_id, key.sealed[:-1] + bytes([key.sealed[-1] ^ 1]), algorithm),
        (ACCOUNT, key.key_id, key.sealed, other),
        (ACCOUNT, key.key_id, key.sealed, "none"),
        (ACCOUNT, key.key_id, key.sealed, "HS256"),
    ):
        with pytest.raises(ValueError):
            tokens.sign(account, key_id, sealed, asked, {})


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS512", ""])
def test_no_other_algorithm_has_keys(tokens: TokenKeys, algorithm: str):
    with pytest.raises(ValueError):
        tokens.make(algorithm, ACCOUNT)


def test_every_coordinate_has_its_full_length(tokens: TokenKeys):
    """RFC 7518, 3.4 and 6.2.1.2: leading zeros stay, which one in 128 keys and signatures has."""
    key = tokens.make("ES384", ACCOUNT)
    for number in range(300):
        token = tokens.sign(ACCOUNT, key.key_id, key.sealed, "ES384", {"n": number})
        assert len(token.rpartition(".")[2]) == 128
    assert {len(json.loads(tokens.make("ES384", ACCOUNT).jwk)[name]) for name in "xy" for _ in range(150)} == {64}
