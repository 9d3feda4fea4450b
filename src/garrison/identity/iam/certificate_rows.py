"""Server certificates as rows, without their private keys."""

from __future__ import annotations

from typing import NamedTuple

from garrison.core.ports import Transaction
from garrison.identity.iam import errors
from garrison.identity.iam.rows import iam_arn

CERTIFICATE = "account, certificate_id, name, path, body, chain, uploaded, expires"
KIND = "Server Certificate"


class CertificateRow(NamedTuple):
    """A row of iam_server_certificate."""

    account: str
    id: str
    name: str
    path: str
    body: str
    chain: str | None
    uploaded: float
    expires: float

    @property
    def arn(self) -> str:
        """Its ARN, with the path."""
        return iam_arn(self.account, "server-certificate", self.path, self.name)


def find_certificate(tx: Transaction, account: str, name: str) -> CertificateRow | None:
    """A server certificate by name."""
    sql = f"SELECT {CERTIFICATE} FROM iam_server_certificate WHERE account = ? AND name_folded = ?"  # noqa: S608 - constant columns
    row = tx.one(sql, account, name.lower())
    return CertificateRow(*row) if row else None


def certificate_named(tx: Transaction, account: str, name: str) -> CertificateRow:
    """A server certificate by name. Raises NoSuchEntity."""
    row = find_certificate(tx, account, name)
    if row is None:
        raise errors.not_found(KIND, name)
    return row
