"""The root keys of one installation in memory that forked processes share: when one of them turns to a new root, all have it.

Layout: turns (8 bytes, counts up with each change), number of roots (1), the root of the MACs (32), then the roots (32 each), the
one that seals first. The memory is anonymous: it is in no file, no core dump, and gone with its last process.
"""

from __future__ import annotations

import contextlib
import mmap

ROOT_BYTES = 32
MOST = 4
"""Roots at one time: the one that seals, and those whose blobs may still be about."""
_COUNT = 8
_MAC = _COUNT + 1
_ROOTS = _MAC + ROOT_BYTES


class Ring:
    """What :class:`garrison.keys.keyring.Keyring` seals and opens with."""

    __slots__ = ("_memory",)

    def __init__(self, root: bytes) -> None:
        self._memory = mmap.mmap(-1, _ROOTS + MOST * ROOT_BYTES)
        with contextlib.suppress(AttributeError, OSError):  # not every system has it
            self._memory.madvise(mmap.MADV_DONTDUMP)  # type: ignore[attr-defined,unused-ignore] # Linux alone
        self.turn([root], root)

    @property
    def turns(self) -> bytes:
        """Another value after each :meth:`turn`."""
        return self._memory[:_COUNT]

    @property
    def roots(self) -> list[bytes]:
        """The one that seals first."""
        count = self._memory[_COUNT]
        return [self._memory[_ROOTS + at * ROOT_BYTES : _ROOTS + (at + 1) * ROOT_BYTES] for at in range(count)]

    @property
    def mac_root(self) -> bytes:
        """What the MACs are made under: it stays when roots turn, since they must verify for years."""
        return self._memory[_MAC:_ROOTS]

    def turn(self, roots: list[bytes], mac_root: bytes) -> None:
        """Take these roots for all processes; the first one seals from now on."""
        if not 1 <= len(roots) <= MOST or any(len(root) != ROOT_BYTES for root in (*roots, mac_root)):
            msg = f"1 to {MOST} roots of {ROOT_BYTES} bytes"
            raise ValueError(msg)
        whole = b"".join(roots).ljust(MOST * ROOT_BYTES, b"\0")
        # The count last: whoever looks in between sees roots that are all good.
        self._memory[_ROOTS:] = whole
        self._memory[_MAC:_ROOTS] = mac_root
        self._memory[_COUNT] = len(roots)
        self._memory[:_COUNT] = (int.from_bytes(self.turns) + 1).to_bytes(_COUNT)

    def forget(self) -> None:
        """Overwrite everything."""
        self._memory[:] = bytes(len(self._memory))
