"""Things that count once: a proof, a sign-in token, a challenge. What was used is kept until it would have ended anyway."""

from __future__ import annotations

from garrison.core.ports import Transaction


def use_up(tx: Transaction, digest: bytes, until: float, now: float) -> bool:
    """Use a thing up, known by its SHA-256. False where it was used before, on whichever worker."""
    tx.run("DELETE FROM signin_used WHERE expires_at <= ?", now)
    # One statement, so that of two that come at once one finds the other's row.
    sql = "INSERT INTO signin_used (id, expires_at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"
    return tx.run(sql, digest, until) == 1
