"""What a client may send, and how much of what strangers do is put on record."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Limits:
    """Bounds on what a client may send."""

    body_bytes: int
    read_seconds: float
    all_bodies_bytes: int = 256 * 1024 * 1024
    """Of all bodies that are being read at once: nobody has signed for them yet, so that strangers could fill the memory."""
    small_bytes: int = 64 * 1024
    """What a body may have however much the others hold."""


@dataclass(slots=True)
class Allowance:
    """So many a second: whoever has no credentials cannot fill the disk with events of failed calls."""

    per_second: int = 50
    suppressed: int = 0
    """Calls that were counted and not recorded, since the start."""
    _second: int = 0
    _used: int = 0

    def admit(self, now: float) -> bool:
        """Whether one more may be recorded in this second."""
        if int(now) != self._second:
            self._second, self._used = int(now), 0
        self._used += 1
        if self._used > self.per_second:
            self.suppressed += 1
            return False
        return True
