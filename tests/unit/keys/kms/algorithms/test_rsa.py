"""RSA keys, as they are made here. Published vectors: ``test_published.py``."""

from __future__ import annotations

import pytest
from Crypto.Hash import SHA256, SHA512
from Crypto.PublicKey import RSA
from Crypto.Signature import pss

from garrison.keys.kms.algorithms import rsa
from garrison.keys.kms.algorithms.base import DIGEST, RAW, Refused

ID = "00" * 32


@pytest.mark.parametrize(
    ("bits", "sha1", "sha256"),
    [(2048, 214, 190), (3072, 342, 318), (4096, 470, 446)],  # KMS API Reference, "Encrypt"
)
def test_the_most_that_oaep_takes(bits: int, sha1: int, sha256: int):
    assert rsa.most_plaintext("RSAES_OAEP_SHA_1", bits) == sha1
    assert rsa.most_plaintext("RSAES_OAEP_SHA_256", bits) == sha256
    key = rsa.RsaKey(ID, rsa.make(2048)) if bits == 2048 else None
    if key is not None:
        for algorithm, most in (("RSAES_OAEP_SHA_1", sha1), ("RSAES_OAEP_SHA_256", sha256)):
            assert key.decrypt(algorithm, key.encrypt(algorithm, b"\1" * most)) == b"\1" * most
            with pytest.raises(ValueError, match="Encryption"):
                key.encrypt(algorithm, b"\1" * (most + 1))


def test_material_of_another_kind_is_no_rsa_key():
    other = bytes.fromhex("302e020100300506032b657004220420" + "11" * 32)  # RFC 8410's form of an Ed25519 key
    with pytest.raises(TypeError):
        rsa.RsaKey(ID, other).public()


def test_two_libraries_agree_where_no_valid_signature_is_published():
    """PSS of 3,072 bits under SHA-512, the salt as long as the hash."""
    der = rsa.make(3072)
    ours, theirs = rsa.RsaKey(ID, der), pss.new(RSA.import_key(der), salt_bytes=64)
    hashed = SHA512.new(b"message")
    signature = theirs.sign(hashed)
    for kind, message in ((RAW, b"message"), (DIGEST, hashed.digest())):
        ours.verify("RSASSA_PSS_SHA_512", kind, message, signature)
        theirs.verify(hashed, ours.sign("RSASSA_PSS_SHA_512", kind, message))
    for bad in (
        signature[:-1] + bytes([signature[-1] ^ 1]),
        signature[:-1],
        b"",
        pss.new(RSA.import_key(der)).sign(SHA256.new(b"message")),
    ):
        with pytest.raises(Refused):
            ours.verify("RSASSA_PSS_SHA_512", RAW, b"message", bad)
