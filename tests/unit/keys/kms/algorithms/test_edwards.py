"""Ed25519 and Ed25519ph beside each other. Published vectors: ``test_published.py``."""

from __future__ import annotations

import pytest

from garrison.keys.kms.algorithms import edwards
from garrison.keys.kms.algorithms.base import DIGEST, RAW, Refused
from tests.support import rfc

ID = "00" * 32
PURE, PREHASHED = rfc.ED25519[1], rfc.ED25519[-1]
ORDER = 2**252 + 27742317777372353535851937790883648493


def key(seed: str) -> edwards.EdwardsKey:
    return edwards.EdwardsKey(ID, bytes.fromhex("302e020100300506032b657004220420" + seed))  # RFC 8410, section 7


def test_the_two_are_not_one():
    seed, message, signature = PREHASHED.seed, PREHASHED.message, PREHASHED.signature
    with pytest.raises(Refused):
        key(seed).verify(edwards.PURE, RAW, bytes.fromhex(message), bytes.fromhex(signature))
    seed, message, signature = PURE.seed, PURE.message, PURE.signature
    with pytest.raises(Refused):
        key(seed).verify(edwards.PREHASHED, DIGEST, bytes.fromhex(message), bytes.fromhex(signature))


def test_prehashed_signatures_cannot_be_bent():
    """The same faults that Wycheproof tries on pure signatures: S + order, other lengths, and a point that is none."""
    seed, message, signature = PREHASHED.seed, bytes.fromhex(PREHASHED.message), bytes.fromhex(PREHASHED.signature)
    high = (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
    for bad in (
        signature[:32] + high,
        signature[:-1],
        signature + b"\0",
        b"",
        b"\xff" * 64,
        bytes(64),
        bytes(32) + signature[32:],
        signature[:32] + bytes(32),
    ):
        with pytest.raises(Refused):
            key(seed).verify(edwards.PREHASHED, DIGEST, message, bad)
