"""Puzzles that were answered, right or wrong: each is answered once.

Where the table is full the one that expires first gives way. So it is bounded, and whoever would bring back one of his has to
solve tens of thousands of others first.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
from pathlib import Path
from typing import Final, Protocol

_SLOT: Final = struct.Struct("<16sd")
_PER_BUCKET: Final = 8
BUCKETS: Final = 8192
"""With eight slots each: 65,536 puzzles, in 1.5 MB."""


class Spent(Protocol):
    """Remembers puzzles until they expire."""

    def spend(self, name: bytes, until: float, now: float) -> bool:
        """Note a puzzle of 16 random bytes, which expires at ``until``. False where it was noted before."""
        ...


class _Table:
    """The slots: a bucket for each puzzle, by its name."""

    def __init__(self, memory: bytearray | mmap.mmap) -> None:
        self._memory = memory

    def spend(self, name: bytes, until: float, now: float) -> bool:
        """As of :class:`Spent`. For one caller at a time."""
        start = int.from_bytes(name[:4]) % BUCKETS * _PER_BUCKET * _SLOT.size
        taken, earliest = start, float("inf")
        for at in range(start, start + _PER_BUCKET * _SLOT.size, _SLOT.size):
            known, expires = _SLOT.unpack_from(self._memory, at)
            if known == name and expires > now:
                return False
            if expires < earliest:
                taken, earliest = at, expires
        _SLOT.pack_into(self._memory, taken, name, until)
        return True


_SIZE: Final = BUCKETS * _PER_BUCKET * _SLOT.size


class SpentHere:
    """For one process."""

    def __init__(self) -> None:
        self._table = _Table(bytearray(_SIZE))
        self._lock = threading.Lock()

    def spend(self, name: bytes, until: float, now: float) -> bool:
        """As of :class:`Spent`."""
        with self._lock:
            return self._table.spend(name, until, now)


class SpentTogether:
    """For all processes of a node that open the same file, which may be deleted when none runs."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, _SIZE)
        self._memory = mmap.mmap(self._file, _SIZE)
        self._table = _Table(self._memory)
        self._lock = threading.Lock()

    def spend(self, name: bytes, until: float, now: float) -> bool:
        """As of :class:`Spent`."""
        # The file's lock is of the process: threads of this one need their own.
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                return self._table.spend(name, until, now)
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        self._memory.close()
        os.close(self._file)
