"""AES-256-GCM in its one size. Published vectors: ``kms/test_published.py``."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from garrison.keys.gcm import Forged, Gcm

KEY, IV = bytes(range(32)), bytes(12)


@pytest.mark.parametrize("length", [0, 16, 24, 31, 33, 64])
def test_a_shorter_key_is_not_a_weaker_cipher(length: int):
    with pytest.raises(ValueError, match="32 bytes"):
        Gcm(bytes(length))


@pytest.mark.parametrize("length", [0, 8, 11, 13, 16, 128])
def test_another_iv_is_none(length: int):
    iv = os.urandom(length)
    with pytest.raises(ValueError, match="12 bytes"):
        Gcm(KEY).seal(iv, b"x", b"")
    if length >= 8:  # the library takes these
        with pytest.raises(Forged):
            Gcm(KEY).open(iv, AESGCM(KEY).encrypt(iv, b"x", b""), b"")


def test_every_altered_bit_and_every_cut_is_forged():
    sealed = Gcm(KEY).seal(IV, b"plain", b"with")
    assert Gcm(KEY).open(IV, sealed, b"with") == b"plain"
    for position in range(8 * len(sealed)):
        altered = bytearray(sealed)
        altered[position // 8] ^= 1 << position % 8
        with pytest.raises(Forged):
            Gcm(KEY).open(IV, bytes(altered), b"with")
    for end in range(len(sealed)):
        with pytest.raises(Forged):
            Gcm(KEY).open(IV, sealed[:end], b"with")
    for iv, associated in ((b"\1" + IV[1:], b"with"), (IV, b"without"), (IV, b"")):
        with pytest.raises(Forged):
            Gcm(KEY).open(iv, sealed, associated)
