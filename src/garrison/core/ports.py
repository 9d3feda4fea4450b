"""What one room asks of another without importing it. The composition root fills them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

Value = str | int | float | bytes | None
"""What a database column holds."""


class Transaction(Protocol):
    """One unit of work on the store. SQL uses ``?`` for parameters and the subset that SQLite and PostgreSQL share."""

    def all(self, sql: str, *parameters: Value) -> list[tuple[Any, ...]]:
        """Every row."""
        ...

    def one(self, sql: str, *parameters: Value) -> tuple[Any, ...] | None:
        """The first row, or None."""
        ...

    def run(self, sql: str, *parameters: Value) -> int:
        """Change rows; answers how many. Raises ``store.Conflict`` where a uniqueness rule is broken."""
        ...

    def changed(self, kind: str, key: str) -> None:
        """Note in the change log that what caches hold under ``(kind, key)`` is stale once this commits."""
        ...


class Sealer(Protocol):
    """Seals secret columns and tokens under the root key (AES-256-GCM, one derived key a purpose)."""

    def seal(self, purpose: str, plaintext: bytes, associated: bytes = b"") -> bytes:
        """A versioned blob that only this root key opens, for this purpose and these associated bytes."""
        ...

    def unseal(self, purpose: str, blob: bytes, associated: bytes = b"") -> bytes:
        """The plaintext. Raises ValueError where the blob was altered, is of another purpose or another root."""
        ...

    def sealed_now(self, purpose: str, blob: bytes, associated: bytes = b"") -> bool:
        """Whether the present root key made the blob, and not one that it took the place of. Raises ValueError as unseal."""
        ...

    def mac(self, purpose: str, message: bytes) -> bytes:
        """HMAC-SHA-256 (32 bytes) under a key derived for the purpose."""
        ...

    def follow(self, record: bytes) -> None:
        """Learn from the store's record which root keys there are. Raises ValueError where the record is damaged."""
        ...


class Events(Protocol):
    """Reads the audit trail (CloudTrail LookupEvents, explain)."""

    def lookup(self, account: str, **criteria: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - criteria are of any type
        """Events of an account, newest first."""
        ...


class Accounts(Protocol):
    """Makes accounts, with the identities that they begin with."""

    def create(self, ctx: Any, account: str, *, name: str, email: str, role: str, management: str) -> None:  # noqa: ANN401 - a Context
        """Make a member account with a role that ``management`` may assume. Raises ``store.Conflict`` when repeated."""
        ...

    def link(self, ctx: Any, account: str) -> None:  # noqa: ANN401 - a Context
        """Make the service-linked role of Organizations in an account, where it has none yet."""
        ...


class NewTokenKey(NamedTuple):
    """A new key pair that signs tokens."""

    key_id: str
    """``kid``"""
    sealed: bytes
    """The private half."""
    jwk: str
    """The public half as JSON (RFC 7517)."""


class TokenKeys(Protocol):
    """Keys whose private halves never leave the keys room, that sign tokens for others to verify."""

    def make(self, algorithm: str, account: str) -> NewTokenKey:
        """A new key pair of an account, for ``RS256`` or ``ES384``."""
        ...

    def sign(self, account: str, key_id: str, sealed: bytes, algorithm: str, claims: Mapping[str, Any]) -> str:
        """A JSON Web Token with these claims."""
        ...


class KeyPairs(Protocol):
    """Reads private keys that callers bring, which the keys room alone may do."""

    def public_half(self, pem: str) -> bytes:
        """The public key (DER, SubjectPublicKeyInfo) of an RSA or EC private key (PEM), which is proven sound.

        Takes up to a quarter of a second. Raises ValueError, whose text says what is wrong.
        """
        ...


class Encrypted(NamedTuple):
    """The parts of an element that is encrypted by W3C's XML Encryption; algorithms by their URIs."""

    transport: str
    """How the content key is wrapped."""
    digest: str
    """Of OAEP; empty: SHA-1."""
    mask: str
    """The mask generation function of OAEP; empty: with SHA-1."""
    wrapped: bytes
    cipher: str
    content: bytes


class Assertions(Protocol):
    """Private keys that open encrypted SAML assertions. In the clear they are in the keys room alone."""

    def keep(self, pem: str, associated: bytes) -> bytes:
        """A private RSA key (PEM, unencrypted), sealed. Takes up to a quarter of a second. Raises ValueError."""
        ...

    def decrypt(self, sealed: Sequence[bytes], associated: bytes, encrypted: Encrypted) -> bytes:
        """What one of the sealed keys opens. Raises ValueError, the same one whatever is wrong."""
        ...


@dataclass(slots=True)
class Ports:
    """The ports of this process."""

    sealer: Sealer
    keys: Any = None
    """keys.kms: live keys by id."""
    principals: Any = None
    """identity: credentials and policies of principals."""
    accounts: Accounts | None = None
    """identity: makes accounts for an organization."""
    events: Any = None
    """audit: the trail."""
    config: Any = None
    attestation_roots: Any = None
    """keys.attestation: the root certificates of attestation documents; None: AWS's own."""
    tokens: Any = None
    """keys.web_tokens: signs tokens for external services (``TokenKeys``)."""
    key_pairs: KeyPairs | None = None
    """keys.key_pairs: reads private keys that callers bring."""
    issuers: Any = None
    """identity.federation: the keys of OpenID Connect issuers (``Issuers``)."""
    assertions: Assertions | None = None
    """keys.assertions: opens encrypted SAML assertions."""
    public_url: str = ""
    """Where others reach this server, without a slash at the end; empty: where a call came to."""
