"""Identifiers in AWS's forms. Randomness is an argument, so that each has a fixed test.

Source: IAM User Guide, "IAM identifiers", table of unique ID prefixes.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable

Random = Callable[[int], bytes]
"""Gives that many random bytes."""

system_random: Random = secrets.token_bytes

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def unique_id(prefix: str, random: Random = system_random, length: int = 17) -> str:
    """An IAM unique id: ``AIDA`` + 17 characters of base32 (21 in all), ``AKIA`` + 16 for access keys."""
    return prefix + "".join(_BASE32[byte & 31] for byte in random(length))


def uuid4(random: Random = system_random) -> str:
    """A version 4 UUID (RFC 9562)."""
    return str(uuid.UUID(bytes=random(16), version=4))


def account_id(random: Random = system_random) -> str:
    """Twelve digits, the first not zero, so that no tool drops it."""
    return str(10**11 + int.from_bytes(random(16)) % (9 * 10**11))
