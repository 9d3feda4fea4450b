"""The keys that sign the firewall's tokens and puzzles: made at random, sealed in the store, a new one each week.

Several are valid at a time: the newest that every inspector has had time to read signs, and each verifies for as long as a
browser keeps a token that it signed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final, NamedTuple

from garrison.core.ids import Random, system_random
from garrison.core.ports import Sealer, Transaction
from garrison.store import Store

LIFETIME: Final = 345_600
"""Seconds that a browser keeps a token: four days, more than the longest immunity time, which is three."""
ROTATION: Final = 7 * 86_400.0
"""Seconds after which a new key signs."""
KEPT: Final = ROTATION + LIFETIME + 86_400.0
"""Seconds for which a key verifies."""
SETTLING: Final = 60.0
"""Seconds before a new key signs: by then every inspector knows it."""
PURPOSE: Final = "waf-token-key"
KIND: Final = "waf-token-key"
"""What the store's change log calls the keys."""
_KEY_BYTES: Final = 32


class TokenKey(NamedTuple):
    """A key that signs tokens and puzzles. ``created`` is in seconds since the epoch."""

    id: str
    secret: bytes
    created: float

    def mac(self, label: bytes, message: bytes) -> bytes:
        """HMAC-SHA-256 of a message, of a kind that its label names."""
        return hmac.digest(self.secret, label + message, hashlib.sha256)

    def __repr__(self) -> str:
        return f"<TokenKey {self.id}>"


class TokenKeys:
    """The keys of an installation that are known now. Immutable."""

    __slots__ = ("_by_id", "_newest_first")

    def __init__(self, keys: Sequence[TokenKey]) -> None:
        self._newest_first = sorted(keys, key=lambda key: (key.created, key.id), reverse=True)
        self._by_id = {key.id: key for key in keys}

    def signing(self, now: float) -> TokenKey:
        """The key that signs at ``now``. Raises LookupError where there is none."""
        if not self._newest_first:
            raise LookupError("there is no key yet that signs tokens")
        settled = [key for key in self._newest_first if key.created + SETTLING <= now]
        return settled[0] if settled else self._newest_first[-1]

    def get(self, key_id: str, now: float) -> TokenKey | None:
        """The key of this id, None where there is none that still verifies."""
        key = self._by_id.get(key_id)
        return key if key is not None and now < key.created + KEPT else None


def load(reader: Transaction, sealer: Sealer) -> TokenKeys:
    """The keys in the store. Raises ValueError where one does not unseal."""
    rows = reader.all("SELECT key_id, sealed, created FROM waf_token_key")
    return TokenKeys([TokenKey(key_id, sealer.unseal(PURPOSE, bytes(blob), key_id.encode()), at) for key_id, blob, at in rows])


def rotation_due(reader: Transaction, now: float) -> bool:
    """Whether :func:`rotate` has something to do."""
    row = reader.one("SELECT MAX(created), MIN(created) FROM waf_token_key")
    if row is None or row[0] is None:
        return True
    newest, oldest = row
    return bool(now >= newest + ROTATION or now >= oldest + KEPT)


def rotate(tx: Transaction, sealer: Sealer, now: float, random: Random = system_random) -> None:
    """Make a key where none is young enough, and drop those that verify nothing any more."""
    dropped = tx.run("DELETE FROM waf_token_key WHERE created <= ?", now - KEPT)
    row = tx.one("SELECT MAX(created) FROM waf_token_key")
    if row is None or row[0] is None or now >= row[0] + ROTATION:
        key_id = random(4).hex()
        sealed = sealer.seal(PURPOSE, random(_KEY_BYTES), key_id.encode())
        tx.run("INSERT INTO waf_token_key (key_id, sealed, created) VALUES (?, ?, ?)", key_id, sealed, now)
        tx.changed(KIND, key_id)
    elif dropped:
        tx.changed(KIND, "")


def keep_rotated(store: Store, sealer: Sealer, now: float, random: Random = system_random) -> None:
    """Do what :func:`rotate` does where it is due. Costs one small read where it is not. Raises StoreUnavailable."""
    if not rotation_due(store.reading(), now):
        return
    with store.writing() as tx:
        # Another process may have been first.
        if rotation_due(tx, now):
            rotate(tx, sealer, now, random)
    store.commit()
