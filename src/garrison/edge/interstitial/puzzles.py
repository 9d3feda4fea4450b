"""Puzzles: what a browser has to solve, signed so that nobody can make it easier, and named so that it is solved once.

A puzzle is ``parts`` small searches for a number whose hash begins with ``bits`` zeros: many small ones take every browser about
the same number of hashes, where one large search is a lottery. A CAPTCHA asks for the characters of a picture, or of a recording,
on top. They follow from the puzzle's name under a key of the installation, so they stand in no page and in no memory.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from garrison.core.ids import Random
from garrison.edge.token_keys import TokenKey, TokenKeys
from garrison.edge.tokens import SKEW, decode, encode

SECONDS: Final = 300.0
"""A puzzle's life."""
LONGEST: Final = 1024
"""Characters of a puzzle; ours are shorter."""
LARGEST: Final = 2**32
"""No number of a solution reaches it."""
LETTERS: Final = "ACDEFGHJKLMNPQRTUVWXY34679"
"""Of a picture: without those that look like others."""
LETTERS_LONG: Final = 6
DIGITS_LONG: Final = 8
_VERSION: Final = "1"
_LABEL: Final = b"garrison waf puzzle\n"
_PICTURE: Final = b"garrison waf picture\n"
_RECORDING: Final = b"garrison waf recording\n"


class Kind(StrEnum):
    """The rule action that asks for it."""

    CHALLENGE = "challenge"
    CAPTCHA = "captcha"


class Work(NamedTuple):
    """How many hashes a solution takes: ``parts`` searches of about two to the power of ``bits``."""

    parts: int = 16
    bits: int = 12


WORK: Final = Work()
"""A quarter of a second on a desktop, some seconds on the slowest of telephones."""


class PuzzleError(Exception):
    """A puzzle or its solution is not taken. ``reason`` is a word for the page."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Puzzle(msgspec.Struct, array_like=True, frozen=True):
    """What is signed. Fields are only ever added at the end."""

    kind: Kind
    name: bytes
    """Sixteen random bytes."""
    host: str
    expires: float
    parts: int
    bits: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Puzzle)


def make(keys: TokenKeys, kind: Kind, host: str, work: Work, now: float, random: Random) -> str:
    """A new puzzle for a browser at ``host``."""
    key = keys.signing(now)
    payload = _encoder.encode(Puzzle(kind, random(16), host, now + SECONDS, work.parts, work.bits))
    signed = f"{_VERSION}.{key.id}.{encode(payload)}"
    return f"{signed}.{encode(key.mac(_LABEL, signed.encode()))}"


def read(keys: TokenKeys, text: str, host: str, now: float) -> tuple[Puzzle, TokenKey]:
    """The puzzle that ``text`` is, and the key that signed it.

    Raises PuzzleError: ``invalid`` for what this installation did not make for this host, ``expired``.
    """
    try:
        found = _read(keys, text, now)
    except (ValueError, msgspec.DecodeError):
        found = None
    if found is None or found[0].host != host or found[0].expires > now + SECONDS + SKEW:
        raise PuzzleError("invalid")
    if now >= found[0].expires:
        raise PuzzleError("expired")
    return found


def _read(keys: TokenKeys, text: str, now: float) -> tuple[Puzzle, TokenKey] | None:
    if len(text) > LONGEST or not text.isascii():
        return None
    signed, _, mac = text.rpartition(".")
    version, _, rest = signed.partition(".")
    key_id, _, payload = rest.partition(".")
    key = keys.get(key_id, now)
    if version != _VERSION or key is None or not hmac.compare_digest(encode(key.mac(_LABEL, signed.encode())), mac):
        return None
    return _decoder.decode(decode(payload)), key


def seed(text: str) -> str:
    """What the hashes of a puzzle's work begin with: short, so that each is one block of SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def worked(text: str, puzzle: Puzzle, numbers: Sequence[int]) -> bool:
    """Whether ``numbers`` are the work that the puzzle asks for. Costs one hash for each part."""
    if len(numbers) != puzzle.parts or not all(0 <= each < LARGEST for each in numbers):
        return False
    start = seed(text)
    return all(_zeros(f"{start}:{part}:{number}", puzzle.bits) for part, number in enumerate(numbers))


def _zeros(text: str, bits: int) -> bool:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> (64 - bits) == 0


def letters(key: TokenKey, puzzle: Puzzle) -> str:
    """What the picture of a CAPTCHA shows."""
    raw = int.from_bytes(key.mac(_PICTURE, puzzle.name))
    return "".join(LETTERS[raw // len(LETTERS) ** place % len(LETTERS)] for place in range(LETTERS_LONG))


def digits(key: TokenKey, puzzle: Puzzle) -> str:
    """What the recording of a CAPTCHA says."""
    return f"{int.from_bytes(key.mac(_RECORDING, puzzle.name)) % 10**DIGITS_LONG:0{DIGITS_LONG}}"


def answered(key: TokenKey, puzzle: Puzzle, typed: str) -> bool:
    """Whether ``typed`` are the characters of the picture or of the recording, in either case and with or without blanks."""
    plain = "".join(typed.split()).upper()
    if not plain.isascii() or len(plain) > DIGITS_LONG:
        return False
    right = [hmac.compare_digest(plain, each(key, puzzle)) for each in (letters, digits)]
    return any(right)
