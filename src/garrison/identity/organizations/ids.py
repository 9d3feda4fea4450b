"""Identifiers of Organizations. Source: the patterns of the API's model."""

from __future__ import annotations

from garrison.core.context import Context
from garrison.core.ids import Random

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_FAIR = 252
"""The largest multiple of 36 below 256: bytes from there on are passed over, so that every letter is as likely."""


def letters(random: Random, length: int) -> str:
    """So many small letters and digits, each as likely as the others."""
    found = ""
    while len(found) < length:
        found += "".join(_LETTERS[byte % 36] for byte in random(length) if byte < _FAIR)
    return found[:length]


def organization_id(ctx: Context) -> str:
    """``o-a1b2c3d4e5``."""
    return "o-" + letters(ctx.random, 10)


def root_id(ctx: Context) -> str:
    """``r-ab12``."""
    return "r-" + letters(ctx.random, 4)


def unit_id(ctx: Context, root: str) -> str:
    """``ou-ab12-a1b2c3d4``: the root's letters stand in it."""
    return f"ou-{root.removeprefix('r-')}-{letters(ctx.random, 8)}"


def policy_id(ctx: Context) -> str:
    """``p-a1b2c3d4``."""
    return "p-" + letters(ctx.random, 10)


def resource_policy_id(ctx: Context) -> str:
    """``rp-a1b2c3d4``."""
    return "rp-" + letters(ctx.random, 8)


def handshake_id(ctx: Context) -> str:
    """``h-`` and 32 letters."""
    return "h-" + letters(ctx.random, 32)


def request_id(ctx: Context) -> str:
    """``car-`` and 32 letters: a request to make an account."""
    return "car-" + letters(ctx.random, 32)


def transfer_id(ctx: Context) -> str:
    """``rt-`` and 8 letters."""
    return "rt-" + letters(ctx.random, 8)
