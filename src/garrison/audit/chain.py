"""The hash chain of a process's life, and the head that says how far it reached.

``hash(n) = SHA-256(hash(n-1) || length of the event in 8 bytes || event || decision)``; the first one follows a value made of the
chain's id. The chain alone shows an altered, removed or reordered event in the middle. Its *head*, sealed with a key that is not
in the database, shows a tail that was cut.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import mmap
import os
from pathlib import Path
from typing import NamedTuple

from garrison.core.ports import Sealer
from garrison.store.changes import reserve

OPEN, CLOSED, RESTORED = 0, 1, 2
"""States of a chain: its process lives; final; ended by a restore of an older copy."""

_RECORD = 80  # seq 8, hash 32, MAC 32, and 8 of nothing, to stay aligned
_SIZE = 2 * _RECORD
_PURPOSE = "audit-head"
_CHAIN_PURPOSE = "audit-chain"


class Head(NamedTuple):
    """The last event of a chain: its number from 1 (0: none yet) and its hash."""

    seq: int
    hash: bytes


def genesis(chain: str) -> bytes:
    """What the first event of a chain follows."""
    return hashlib.sha256(b"garrison audit chain " + chain.encode()).digest()


def link(previous: bytes, event: bytes, decision: bytes) -> bytes:
    """The hash of an event that follows ``previous``."""
    return hashlib.sha256(previous + len(event).to_bytes(8) + event + decision).digest()


def head_mac(sealer: Sealer, chain: str, head: Head, state: int) -> bytes:
    """Proves that a head was written by someone who holds the root key."""
    return sealer.mac(_PURPOSE, b"\0".join((chain.encode(), head.seq.to_bytes(8), head.hash, bytes([state]))))


def chain_mac(sealer: Sealer, number: int, chain: str, previous: bytes) -> bytes:
    """Ties a chain to the one registered before it."""
    return sealer.mac(_CHAIN_PURPOSE, number.to_bytes(8) + chain.encode() + b"\0" + previous)


def head_path(folder: Path, chain: str) -> Path:
    """Where a living chain keeps its head."""
    return folder / f"head-{chain}"


class HeadFile:
    """The head of a living chain: a memory-mapped file that survives the death of its process.

    Two records take turns, so that a death in the middle of one leaves the other. The lock on the file says that its
    process lives.
    """

    def __init__(self, folder: Path, chain: str, sealer: Sealer) -> None:
        self._chain = chain
        self._sealer = sealer
        self._turn = 0
        self._path = head_path(folder, chain)
        # Locked before it has its name: nobody may take a newborn for dead.
        unborn = folder / f".head-{chain}"
        self._file = os.open(unborn, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        reserve(self._file, _SIZE)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._map = mmap.mmap(self._file, _SIZE)
        self.write(Head(0, genesis(chain)))
        unborn.rename(self._path)

    def write(self, head: Head) -> None:
        """Note how far the chain reached."""
        self._turn = _RECORD - self._turn
        record = head.seq.to_bytes(8) + head.hash + head_mac(self._sealer, self._chain, head, OPEN) + bytes(8)
        self._map[self._turn : self._turn + _RECORD] = record

    def close(self, *, remove: bool) -> None:
        """Let go of the file; ``remove`` once the database holds the final head."""
        self._map.close()
        if remove:
            self._path.unlink(missing_ok=True)
        os.close(self._file)


def read_head(path: Path, chain: str, sealer: Sealer) -> Head | None:
    """The newest genuine record of a head file; None where there is none."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    best: Head | None = None
    for start in (0, _RECORD):
        record = data[start : start + _RECORD]
        head = Head(int.from_bytes(record[:8]), record[8:40])
        genuine = hmac.compare_digest(record[40:72], head_mac(sealer, chain, head, OPEN))
        if genuine and (best is None or head.seq > best.seq):
            best = head
    return best
