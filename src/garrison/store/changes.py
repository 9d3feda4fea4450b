"""Tells every process of a node that something committed: one memory-mapped slot a process.

A slot is eight bytes that only its owner writes, after its COMMIT and before its answer leaves. A reader compares all slots as
bytes with what it saw last, which costs a fraction of a microsecond and no system call. What changed stands in the
``change`` table; the slots only say that it is worth a look.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path

SLOTS = 128
"""Processes that may share a data directory at one time."""
_WIDTH = 8


def reserve(descriptor: int, size: int) -> None:
    """Make room on the disk now, or raise OSError now: a full disk must not kill a process that writes to its mapping."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.ftruncate(descriptor, size)


Drop = Callable[[str | None], None]
"""Called with the key whose cached entry is stale, or None: drop everything of this kind."""


class Counter:
    """The slots of a data directory, as seen by the owner of one of them.

    A read that catches another process in the middle of its eight bytes sees a value unlike the last one, and the
    finished value unlike that: at worst the log is read twice, never once too few.
    """

    __slots__ = ("_map", "_offset", "seen", "slots")

    def __init__(self, path: Path, slot: int) -> None:
        if not 0 <= slot < SLOTS:
            msg = f"slot must be 0 to {SLOTS - 1}, was {slot}"
            raise ValueError(msg)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size < SLOTS * _WIDTH:
                reserve(descriptor, SLOTS * _WIDTH)
            self._map = mmap.mmap(descriptor, SLOTS * _WIDTH)
        finally:
            os.close(descriptor)
        self._offset = slot * _WIDTH
        self.slots = self._map
        self.seen = self._map[:]

    def publish(self) -> None:
        """Move our own slot: every other process will look at the change log before its next request."""
        start, end = self._offset, self._offset + _WIDTH
        value = (int.from_bytes(self._map[start:end], "little") + 1) % (1 << 64)
        moved = value.to_bytes(_WIDTH, "little")
        self._map[start:end] = moved
        self.seen = self.seen[:start] + moved + self.seen[end:]

    def close(self) -> None:
        """Unmap the file."""
        self._map.close()


class Subscribers:
    """Who holds cached entries of which kind."""

    __slots__ = ("_by_kind", "missed")

    def __init__(self) -> None:
        self._by_kind: dict[str, list[Drop]] = {}
        self.missed: list[Drop] = []
        """Who could not drop everything when told to, and still holds what may be stale."""

    def add(self, kind: str, drop: Drop) -> None:
        """Call ``drop`` for each change of this kind."""
        self._by_kind.setdefault(kind, []).append(drop)

    def tell(self, kind: str, key: str) -> None:
        """One entry is stale. Raises what a subscriber raised, who is told again by ``tell_missed``."""
        for drop in self._by_kind.get(kind, ()):
            try:
                drop(key)
            except Exception:
                self.missed.append(drop)
                raise

    def tell_all(self) -> None:
        """Everything may be stale. Whoever fails is told again by ``tell_missed``, and keeps none of the others from hearing it.

        Raises what the first of them raised.
        """
        self.missed = [drop for drops in self._by_kind.values() for drop in drops]
        self.tell_missed()

    def tell_missed(self) -> None:
        """Tell those again who failed. Raises what the first of them raised."""
        told, self.missed = self.missed, []
        failed: Exception | None = None
        for drop in told:
            try:
                drop(None)
            except Exception as error:  # noqa: BLE001 - raised below, once all were told
                self.missed.append(drop)
                failed = failed or error
        if failed is not None:
            raise failed
