"""The rows of identity providers, which IAM keeps and STS reads."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import Any, NamedTuple

from garrison.core.ports import Transaction
from garrison.identity.federation.issuers import Issuer

OIDC = "account, name, url, client_ids, thumbprints, created"
SAML = "account, name, uuid, metadata, issuer, certificates, valid_until, encryption, created"
_ARN = re.compile(r"arn:aws:iam::(\d{12}):(oidc|saml)-provider/(.+)", re.ASCII | re.DOTALL)


class ProviderArn(NamedTuple):
    """The parts of a provider's ARN that differ."""

    account: str
    kind: str
    """``oidc`` or ``saml``"""
    name: str


class OidcProvider(NamedTuple):
    """A row of iam_oidc_provider."""

    account: str
    name: str
    url: str
    client_ids: tuple[str, ...]
    thumbprints: tuple[str, ...]
    created: float

    @property
    def arn(self) -> str:
        """``arn:aws:iam::123456789012:oidc-provider/server.example.com/path``."""
        return oidc_arn(self.account, self.name)

    @property
    def issuer(self) -> Issuer:
        """What its keys are fetched by."""
        return Issuer(self.url, self.thumbprints)


class SamlProvider(NamedTuple):
    """A row of iam_saml_provider."""

    account: str
    name: str
    uuid: str
    metadata: str
    issuer: str
    certificates: tuple[bytes, ...]
    """DER."""
    valid_until: float
    encryption: str | None
    created: float

    @property
    def arn(self) -> str:
        """``arn:aws:iam::123456789012:saml-provider/name``."""
        return saml_arn(self.account, self.name)

    @property
    def sealed_with(self) -> bytes:
        """What its private keys are sealed together with."""
        return f"{self.account}/{self.uuid}".encode()


def oidc_arn(account: str, name: str) -> str:
    """The ARN of an OpenID Connect provider; ``name``: its URL without the scheme."""
    return f"arn:aws:iam::{account}:oidc-provider/{name}"


def saml_arn(account: str, name: str) -> str:
    """The ARN of a SAML provider."""
    return f"arn:aws:iam::{account}:saml-provider/{name}"


def parse_provider_arn(arn: str) -> ProviderArn | None:
    """The parts of a provider's ARN; None where it is not one."""
    found = _ARN.fullmatch(arn)
    return ProviderArn(*found.groups()) if found is not None else None


def find_oidc(tx: Transaction, account: str, name: str) -> OidcProvider | None:
    """An OpenID Connect provider by its URL without the scheme."""
    row = tx.one(f"SELECT {OIDC} FROM iam_oidc_provider WHERE account = ? AND name = ?", account, name)  # noqa: S608 - constant columns
    if row is None:
        return None
    owner, named, url, clients, thumbprints, created = row
    return OidcProvider(owner, named, url, tuple(json.loads(clients)), tuple(json.loads(thumbprints)), created)


def find_oidc_by_issuer(tx: Transaction, account: str, issuer: str) -> OidcProvider | None:
    """The provider whose tokens have this claim ``iss``, to the letter."""
    found = find_oidc(tx, account, issuer.partition("://")[2])
    return found if found is not None and found.url == issuer else None


def find_saml(tx: Transaction, account: str, name: str) -> SamlProvider | None:
    """A SAML provider by name."""
    row = tx.one(f"SELECT {SAML} FROM iam_saml_provider WHERE account = ? AND name = ?", account, name)  # noqa: S608 - constant columns
    return None if row is None else _saml(row)


def find_saml_by_uuid(tx: Transaction, uuid: str) -> SamlProvider | None:
    """A SAML provider by its SAMLProviderUUID, in any account."""
    row = tx.one(f"SELECT {SAML} FROM iam_saml_provider WHERE uuid = ?", uuid)  # noqa: S608 - constant columns
    return None if row is None else _saml(row)


def find_saml_by_arn(tx: Transaction, arn: str) -> SamlProvider | None:
    """A SAML provider by its ARN, in any account."""
    named = parse_provider_arn(arn)
    return find_saml(tx, named.account, named.name) if named is not None and named.kind == "saml" else None


def private_keys(tx: Transaction, provider: SamlProvider) -> list[tuple[str, bytes, float]]:
    """Id, sealed PKCS #8 and time of upload of each of a provider's private keys, the oldest first."""
    sql = "SELECT key_id, sealed, created FROM iam_saml_private_key WHERE account = ? AND provider = ? ORDER BY created, key_id"
    return [(key_id, bytes(sealed), created) for key_id, sealed, created in tx.all(sql, provider.account, provider.name)]


def _saml(row: tuple[Any, ...]) -> SamlProvider:
    account, name, uuid, metadata, issuer, certificates, until, encryption, created = row
    ders = tuple(b64decode(each) for each in json.loads(certificates))
    return SamlProvider(account, name, uuid, metadata, issuer, ders, until, encryption, created)
