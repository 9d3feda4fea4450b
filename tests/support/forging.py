"""What a forger tries: bytes near good ones, and others."""

from __future__ import annotations

import random

SEED = 20_261_125
WAYS = 8


def bent(chance: random.Random, good: bytes, other: bytes = b"") -> bytes:
    """Bytes near ``good`` and never the same; ``other``: something equally good, whose parts may stand in the place of good's."""
    raw = bytearray(good)
    how = chance.randrange(WAYS if other else WAYS - 1)
    at = chance.randrange(len(raw))
    if how == 0:
        raw[at] ^= 1 << chance.randrange(8)
    elif how == 1:
        raw[at] = chance.randrange(256)
    elif how == 2:
        del raw[at:]
    elif how == 3:
        raw += chance.randbytes(chance.randrange(1, 9))
    elif how == 4:
        raw[at : at + 8] = bytes(min(8, len(raw) - at))
    elif how == 5:
        raw = raw[at:] + raw[:at]
    elif how == 6:
        raw[at:] = chance.randbytes(len(raw) - at)
    else:
        raw[at:] = other[at:]
    found = bytes(raw)
    return found if found not in {good, other} else found + b"\0"
