"""What is wrapped twice, where the outer half is sound and the inner is not. Published vectors: ``test_published.py``."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from garrison.keys.kms import wrapping

PADDING = OAEP(MGF1(SHA256()), SHA256(), None)
PKCS8 = (Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def test_an_aes_key_of_another_length_unwraps_nothing():
    private = rsa.generate_private_key(65537, 2048)
    token = wrapping.Token("us-east-1", "k", "RSA_AES_KEY_WRAP_SHA_256", 0.0, private.private_bytes(*PKCS8))
    for length in (0, 8, 15, 17, 31, 33, 64):
        with pytest.raises(wrapping.Unwrappable):
            wrapping.unwrap(token, private.public_key().encrypt(bytes(length), PADDING) + bytes(24))
    for wrapped in (b"", bytes(255), bytes(256), private.public_key().encrypt(bytes(32), PADDING)):
        with pytest.raises(wrapping.Unwrappable):
            wrapping.unwrap(token, wrapped)


def test_a_wrapping_key_is_an_rsa_key():
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(*PKCS8)
    with pytest.raises(wrapping.Unwrappable):
        wrapping.unwrap(wrapping.Token("us-east-1", "k", "RSAES_OAEP_SHA_256", 0.0, other), bytes(256))
