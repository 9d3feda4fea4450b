"""Authorization codes: what a browser's session hands to a command line, once and for ten minutes at most (RFC 6749, 4.1.2)."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import NamedTuple

from garrison.core.ids import Random
from garrison.core.ports import Transaction
from garrison.identity.signin.dpop import encoded

CODE_SECONDS = 300
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""A SHA-256 digest in base64url (RFC 7636, section 4.2)."""
METHOD = "SHA-256"
"""What the AWS CLI calls PKCE's S256. There is no other: ``plain`` would prove nothing to whoever saw the first request."""
_BYTES = 32


class Code(NamedTuple):
    """A row of signin_code."""

    code_hash: bytes
    origin: str
    client: str
    redirect_uri: str
    challenge: str
    proof_key: str
    expires_at: float
    used_at: float | None
    opened: str | None

    def is_for(self, client: str, redirect_uri: str, verifier: str, thumbprint: bytes) -> bool:
        """Whether it was made for this client, address, verifier and key."""
        challenge = encoded(hashlib.sha256(verifier.encode()).digest())
        same = hmac.compare_digest(challenge, self.challenge)
        same &= self.client == client and self.redirect_uri == redirect_uri
        return same and (not self.proof_key or hmac.compare_digest(self.proof_key, encoded(thumbprint)))


_COLUMNS = ", ".join(Code._fields)


def issue(
    tx: Transaction, *, origin: str, client: str, redirect_uri: str, challenge: str, proof_key: str, random: Random, now: float
) -> str:
    """A new code, which the session ``origin`` allows."""
    code = encoded(random(_BYTES))
    tx.run("DELETE FROM signin_code WHERE expires_at <= ?", now - 3600)
    made = Code(_hash(code), origin, client, redirect_uri, challenge, proof_key, now + CODE_SECONDS, None, None)
    tx.run(f"INSERT INTO signin_code ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *made)  # noqa: S608 - constants
    return code


def find(tx: Transaction, code: str) -> Code | None:
    """A code, used or not; None where it is unknown."""
    row = tx.one(f"SELECT {_COLUMNS} FROM signin_code WHERE code_hash = ?", _hash(code))  # noqa: S608 - constants
    return None if row is None else Code(*row)._replace(code_hash=bytes(row[0]))


def use(tx: Transaction, code: Code, opened: str | None, now: float) -> bool:
    """Use a code up, for the session that it opens or for nothing. False where it was used before, on whichever worker."""
    sql = "UPDATE signin_code SET used_at = ?, opened = ? WHERE code_hash = ? AND used_at IS NULL"
    return tx.run(sql, now, opened, code.code_hash) == 1


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "replace")).digest()
