"""An external service that trusts Garrison's issuer: it knows the URL alone, and asks over the network."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from joserfc import jwt
from joserfc.errors import BadSignatureError, ExpiredTokenError, InvalidClaimError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from tests.support.clients import boto
from tests.support.server import Server

AUDIENCE = "https://api.example.com"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("outbound"), workers=2) as running:
        yield running


class External:
    """A relying party by OpenID Connect Discovery 1.0: issuer, keys, signature, audience and time."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def admit(self, token: str, *, now: int | None = None, audience: str = AUDIENCE) -> Any:
        discovery = self._fetch(f"{self.issuer}/.well-known/openid-configuration")
        assert discovery["issuer"] == self.issuer
        keys = KeySet.import_key_set(self._fetch(discovery["jwks_uri"]))
        algorithms = discovery["id_token_signing_alg_values_supported"]
        found = jwt.decode(token, keys, algorithms=algorithms, registry=JWSRegistry(algorithms=algorithms))
        wanted = jwt.JWTClaimsRegistry(
            now=now,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )
        wanted.validate(found.claims)
        return found.claims

    @staticmethod
    def _fetch(url: str) -> Any:
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert answer.headers["content-type"] == "application/json"
            return json.loads(answer.read())


def test_an_external_service_admits_who_proves_itself(server: Server):
    iam, sts = boto(server, "iam"), boto(server, "sts")
    external = External(iam.enable_outbound_web_identity_federation()["IssuerIdentifier"])
    tokens = []
    for algorithm in ("RS256", "ES384"):
        token = sts.get_web_identity_token(Audience=[AUDIENCE], SigningAlgorithm=algorithm)["WebIdentityToken"]
        claims = external.admit(token)
        assert claims["sub"] == f"arn:aws:iam::{server.account_id}:user/admin"
        with pytest.raises(ExpiredTokenError):
            external.admit(token, now=claims["exp"] + 1)
        with pytest.raises(InvalidClaimError):
            external.admit(token, audience="https://other.example.com")
        head, body, signature = token.split(".")
        with pytest.raises(BadSignatureError):
            external.admit(f"{head}.{body[:-2]}AA.{signature}")
        tokens.append(token)
    server.restart()
    for token in tokens:
        assert external.admit(token)["iss"] == external.issuer
    iam.disable_outbound_web_identity_federation()
    with pytest.raises(ClientError, match="OutboundWebIdentityFederationDisabled"):
        sts.get_web_identity_token(Audience=[AUDIENCE], SigningAlgorithm="RS256")
    for token in tokens:
        assert external.admit(token)["iss"] == external.issuer


def test_the_issuer_keeps_its_key_in_the_database_sealed(server: Server):
    raw = b"".join(path.read_bytes() for path in Path(server.data_dir).glob("garrison.db*"))
    assert b"PRIVATE KEY" not in raw
    assert b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x04\x82" not in raw  # rsaEncryption in PKCS #8, unsealed
