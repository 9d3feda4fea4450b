"""One-time codes: 6 digits, from HMAC-SHA-1 over time steps of 30 seconds (RFC 6238, RFC 4226). Pure: time is an argument.

A *counter* is a time step's number since the epoch; *drift* the steps by which a device's clock is ahead of ours.
"""

from __future__ import annotations

import hmac

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

STEP = 30
DIGITS = 6
WINDOW = 1
"""Time steps before and after the present one whose codes are taken (RFC 6238, section 5.2: at most one for the way)."""
SLACK = 4
"""A drift of so few steps may be the time that somebody took to type: the codes without it are taken too."""
RESYNC = 120
"""Time steps before and after the present one among which two codes in a row are looked for: an hour."""
SEED_BYTES = 20
"""Of a new seed: 160 bits (RFC 4226, section 4, R6)."""
LEAST_SEED_BYTES = 16
"""The shortest seed that RFC 4226 allows."""


def counter_at(now: float) -> int:
    """The number of the time step, since the epoch."""
    return int(now) // STEP


def code_of(seed: bytes, counter: int) -> str:
    """The code of a time step. Raises ValueError for a seed of fewer than 128 bits."""
    return HOTP(seed, DIGITS, SHA1()).generate(counter).decode()  # noqa: S303 - RFC 6238's own; a MAC does not rest on collisions


def accepted(seed: bytes, code: str, now: float, *, drift: int = 0, after: int = -1) -> int | None:
    """The counter whose code this is, among the device's time step and one before and after it; None where it is none of them.

    ``after``: the counter of the last code that was taken; only later ones count.
    """
    found = None
    low, high = (min(drift, 0), max(drift, 0)) if abs(drift) <= SLACK else (drift, drift)
    here = counter_at(now)
    for counter in _between(here + low - WINDOW, here + high + WINDOW, after):
        # No early way out: which of them it was is not to be read off the time.
        if _same(seed, counter, code):
            found = counter
    return found


def consecutive(seed: bytes, first: str, second: str, now: float, *, after: int = -1) -> int | None:
    """The counter of the second of two codes that follow each other, up to an hour away; None where they are no such two."""
    found = None
    here = counter_at(now)
    for counter in _between(here - RESYNC, here + RESYNC, after):
        if _same(seed, counter, first) & _same(seed, counter + 1, second):
            found = counter + 1
    return found


def drift_of(counter: int, now: float) -> int:
    """By how many steps a device is ahead that shows this counter's code now. Kept with each code: a slow clock is followed."""
    return counter - counter_at(now)


def _between(first: int, last: int, after: int) -> range:
    return range(max(first, after + 1, 0), last + 1)


def _same(seed: bytes, counter: int, code: str) -> bool:
    return hmac.compare_digest(code_of(seed, counter).encode(), code.encode("utf-8", "surrogatepass"))
