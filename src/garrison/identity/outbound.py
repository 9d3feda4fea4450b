"""Outbound identity federation as IAM and STS share it: an account's issuer, its keys, and what is published of them.

Sources: IAM User Guide, "Federating AWS identities to external services"; OpenID Connect Discovery 1.0; RFC 7517. The documents
have the members that AWS's own have.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from garrison.core.ports import NewTokenKey, Transaction

ALGORITHMS = ("RS256", "ES384")
CLAIMS = ("sub", "iss", "aud", "exp", "iat", "jti", "https://sts.amazonaws.com/")
PATH = "/_garrison/issuers/"
"""Where issuers are published; the issuer's id follows."""


class Federation(NamedTuple):
    """An account's settings."""

    issuer_id: str
    issuer: str
    """The issuer's URL."""
    enabled: bool


class TokenKey(NamedTuple):
    """A key that signs an account's tokens, its private half sealed."""

    key_id: str
    sealed: bytes


def find(tx: Transaction, account: str) -> Federation | None:
    """An account's settings; None where the feature was never enabled."""
    row = tx.one("SELECT issuer_id, issuer, enabled FROM iam_outbound_federation WHERE account = ?", account)
    return None if row is None else Federation(row[0], row[1], bool(row[2]))


def signing_key(tx: Transaction, account: str, algorithm: str) -> TokenKey | None:
    """The newest key of an account for an algorithm."""
    sql = "SELECT key_id, sealed FROM iam_outbound_key WHERE account = ? AND algorithm = ? ORDER BY created DESC, key_id LIMIT 1"
    row = tx.one(sql, account, algorithm)
    return None if row is None else TokenKey(row[0], bytes(row[1]))


def put_key(tx: Transaction, account: str, algorithm: str, key: NewTokenKey, now: float) -> None:
    """Keep a new key."""
    sql = "INSERT INTO iam_outbound_key (account, key_id, algorithm, sealed, jwk, created) VALUES (?, ?, ?, ?, ?, ?)"
    tx.run(sql, account, key.key_id, algorithm, key.sealed, key.jwk, now)


def published(tx: Transaction, issuer_id: str) -> Mapping[str, Mapping[str, Any]] | None:
    """What is published under an issuer, by path below it; None where there is no such issuer.

    Also of an account that has switched the feature off: tokens that were issued before stay valid until they end.
    """
    row = tx.one("SELECT account, issuer FROM iam_outbound_federation WHERE issuer_id = ?", issuer_id)
    if row is None:
        return None
    account, issuer = row
    keys = tx.all("SELECT jwk FROM iam_outbound_key WHERE account = ? ORDER BY created, key_id", account)
    return {
        "/.well-known/openid-configuration": {
            "issuer": issuer,
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": list(ALGORITHMS),
            "claims_supported": list(CLAIMS),
        },
        "/.well-known/jwks.json": {"keys": [json.loads(jwk) for (jwk,) in keys]},
    }
