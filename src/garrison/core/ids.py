"""Identifiers in AWS's forms. Randomness is an argument, so that each has a fixed test.

Source: IAM User Guide, "IAM identifiers", table of unique ID prefixes.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable

Random = Callable[[int], bytes]
"""Gives that many random bytes."""

system_random: Random = os.urandom

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SECRET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"  # noqa: S105 - the alphabet of secrets, not one
_SECRET_LENGTH = 40
# Written out once: the ids and secrets of a role's credentials are made anew for each session.
_BASE32_OF_BYTES = bytes(ord(_BASE32[byte & 31]) for byte in range(256))
_SECRET_OF_BYTES = bytes(ord(_SECRET[byte & 63]) for byte in range(256))
_BASE32_PAIRS = [first + second for first in _BASE32 for second in _BASE32]
"""Two characters for each 10 bits."""
_PAIRS_OF_80_BITS = range(70, -10, -10)


def unique_id(prefix: str, random: Random = system_random, length: int = 17) -> str:
    """An IAM unique id: ``AIDA`` + 17 characters of base32 (21 in all), ``AKIA`` + 16 for access keys."""
    return prefix + random(length).translate(_BASE32_OF_BYTES).decode()


def uuid4(random: Random = system_random) -> str:
    """A version 4 UUID (RFC 9562). Two are made for each call: written out by hand it costs a third of ``uuid.UUID``."""
    raw = bytearray(random(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def uuid7(now: float, random: Random = system_random) -> str:
    """A version 7 UUID (RFC 9562, section 5.7): milliseconds since the epoch, then 74 random bits.

    For what is stored once a call: an index on ids that begin with their time grows at its end, while random ones dirty a page
    each. ``now`` is in seconds since the epoch.
    """
    bits = int.from_bytes(random(10)) & 0x0FFF_3FFF_FFFF_FFFF_FFFF | 0x7000_8000_0000_0000_0000
    text = f"{int(now * 1000) << 80 | bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def account_id(random: Random = system_random) -> str:
    """Twelve digits, the first not zero, so that no tool drops it."""
    return str(10**11 + int.from_bytes(random(16)) % (9 * 10**11))


def access_key_id(prefix: str, account: str, random: Random = system_random) -> str:
    """An access key id, ``AKIA`` or ``ASIA`` and 16 characters, that carries its account as AWS's do.

    The 80 bits behind the prefix begin with a one and the account's 40 bits; the other 39 are random. So the account of
    any key, AWS's own included, is read off the id without a look-up (sts:GetAccessKeyInfo).
    """
    bits = (1 << 79) | (int(account) << 39) | (int.from_bytes(random(5)) >> 1)
    return prefix + "".join([_BASE32_PAIRS[bits >> shift & 1023] for shift in _PAIRS_OF_80_BITS])


def secret_access_key(random: Random = system_random) -> str:
    """A secret access key: 40 characters of 6 bits each, 240 bits."""
    return random(_SECRET_LENGTH).translate(_SECRET_OF_BYTES).decode()


def account_of_access_key(key: str) -> str:
    """The account that an access key id carries. Raises ValueError where the text has not the form of one."""
    if len(key) < 20 or key[:4] not in {"AKIA", "ASIA"}:
        msg = "not an access key id"
        raise ValueError(msg)
    try:
        raw = base64.b32decode(key[4:20])
    except binascii.Error as error:
        msg = "not an access key id"
        raise ValueError(msg) from error
    return f"{(int.from_bytes(raw) >> 39) & (2**40 - 1):012d}"
