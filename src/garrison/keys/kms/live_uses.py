"""Uses of keys that this process has seen and not written yet."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import NamedTuple

from garrison.core.ports import Transaction


class Use(NamedTuple):
    """One successful cryptographic operation."""

    operation: str
    at: float
    event_id: str
    request_id: str


Taken = dict[tuple[str, str], Use]
_ROWS = (64, 8, 1)
"""How many uses one statement writes: few texts, and few round trips where each costs one."""


@cache
def _save(rows: int) -> str:
    """What writes so many uses; those of keys that are gone are left out."""
    values = ", ".join(["(?, ?, ?, ?, ?, ?)"] * rows)
    return (
        "INSERT INTO kms_usage (region, key_id, operation, used_at, event_id, request_id)"  # noqa: S608 - marks alone
        " SELECT k.region, k.key_id, v.column3, v.column4, v.column5, v.column6"
        f" FROM (VALUES {values}) AS v JOIN kms_key k ON k.region = v.column1 AND k.key_id = v.column2 WHERE 1 = 1"
        " ON CONFLICT (region, key_id) DO UPDATE SET operation = excluded.operation, used_at = excluded.used_at,"
        " event_id = excluded.event_id, request_id = excluded.request_id WHERE excluded.used_at >= kms_usage.used_at"
    )


class Uses:
    """The newest use of each key since the last time they were taken. Calls beside the event loop note theirs from threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: Taken = {}

    def __bool__(self) -> bool:
        return bool(self._seen)

    def note(self, region: str, key_id: str, use: Use) -> None:
        """Remember a use, unless a newer one of the key is known."""
        with self._lock:
            known = self._seen.get((region, key_id))
            if known is None or known.at <= use.at:
                self._seen[region, key_id] = use

    def take(self) -> Taken:
        """What ``save`` is to write, once; :meth:`give_back` where it could not be."""
        with self._lock:
            taken, self._seen = self._seen, {}
        return taken

    def give_back(self, taken: Taken) -> None:
        """Remember again what could not be written."""
        for (region, key_id), use in taken.items():
            self.note(region, key_id, use)

    @staticmethod
    def save(tx: Transaction, taken: Taken) -> None:
        """Write uses; of keys that are gone there is nothing to tell."""
        # In one order for everybody: two that write at one time never wait for each other.
        rows = [(*key, *use) for key, use in sorted(taken.items())]
        at = 0
        while at < len(rows):
            count = next(size for size in _ROWS if size <= len(rows) - at)
            tx.run(_save(count), *(value for row in rows[at : at + count] for value in row))
            at += count

    def newest(self, tx: Transaction, region: str, key_id: str) -> Use | None:
        """The newest use of a key that this process or the store knows of."""
        seen = self._seen.get((region, key_id))
        row = tx.one(
            "SELECT operation, used_at, event_id, request_id FROM kms_usage WHERE region = ? AND key_id = ?", region, key_id
        )
        stored = None if row is None else Use(*row)
        if seen is None or (stored is not None and stored.at > seen.at):
            return stored
        return seen
