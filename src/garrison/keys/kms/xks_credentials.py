"""Credentials with which another KMS uses keys of ours: each calls as a user, with all that user's policies say and no more."""

from __future__ import annotations

from dataclasses import dataclass, field

from garrison.core.ids import Random
from garrison.core.ports import Sealer, Transaction

PURPOSE = "kms-xks-credential"
KIND = "xks-credential"
"""Of the change log: its key is the access key id."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_ID_LENGTH = 24
_SECRET_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"  # noqa: S105 - what secrets are made of
_SECRET_LENGTH = 64
"""Source: XKS Proxy API Specification, appendix A: at least 256 bits, 43 to 64 characters of Base64."""


@dataclass(frozen=True, slots=True)
class XksCredential:
    """One of them."""

    access_key_id: str
    secret: str = field(repr=False)
    account: str
    region: str
    """Where the keys are."""
    owner_id: str
    prefix: str
    """What its requests have before ``/kms/xks/v1``."""
    created_at: float


def create(
    tx: Transaction, sealer: Sealer, random: Random, *, account: str, region: str, owner_id: str, prefix: str, now: float
) -> XksCredential:
    """Make one; its secret is shown once."""
    access_key_id = "XKS" + "".join(_LETTERS[byte & 31] for byte in random(_ID_LENGTH - 3))
    secret = "".join(_SECRET_LETTERS[byte & 63] for byte in random(_SECRET_LENGTH))
    made = XksCredential(access_key_id, secret, account, region, owner_id, prefix, now)
    tx.run(
        "INSERT INTO kms_xks_credential (access_key_id, account, region, owner_id, prefix, sealed, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        access_key_id,
        account,
        region,
        owner_id,
        prefix,
        sealer.seal(PURPOSE, secret.encode(), access_key_id.encode()),
        now,
    )
    tx.changed(KIND, access_key_id)
    return made


def find(tx: Transaction, sealer: Sealer, access_key_id: str) -> XksCredential | None:
    """One by its access key id."""
    row = tx.one(
        "SELECT sealed, account, region, owner_id, prefix, created_at FROM kms_xks_credential WHERE access_key_id = ?",
        access_key_id,
    )
    if row is None:
        return None
    secret = sealer.unseal(PURPOSE, row[0], access_key_id.encode()).decode()
    return XksCredential(access_key_id, secret, *row[1:])


def delete(tx: Transaction, access_key_id: str) -> bool:
    """Whether there was one."""
    tx.run("UPDATE kms_xks_credential SET sealed = ? WHERE access_key_id = ?", b"", access_key_id)
    gone = tx.run("DELETE FROM kms_xks_credential WHERE access_key_id = ?", access_key_id)
    tx.changed(KIND, access_key_id)
    return gone > 0
