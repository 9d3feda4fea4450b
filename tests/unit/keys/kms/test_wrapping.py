"""Project Wycheproof's vectors of AES key wrap with padding (RFC 5649), through the code that unwraps imported material."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from garrison.keys.kms import wrapping
from tests.support.published import wycheproof

PADDING = OAEP(MGF1(SHA256()), SHA256(), None)


def test_published():
    private = rsa.generate_private_key(65537, 2048)
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    token = wrapping.Token("us-east-1", "k", "RSA_AES_KEY_WRAP_SHA_256", 0.0, der)
    outer: dict[str, bytes] = {}
    seen = set[str]()
    for _, test in wycheproof("Cipher/aes_kwp_test"):
        seen.add(test["result"])
        # One wrapping of each key will do.
        key = outer.setdefault(test["key"], private.public_key().encrypt(bytes.fromhex(test["key"]), PADDING))
        blob = key + bytes.fromhex(test["ct"])
        if test["result"] == "valid":
            assert wrapping.unwrap(token, blob).hex() == test["msg"], test["tcId"]
            continue
        with pytest.raises(wrapping.Unwrappable):
            wrapping.unwrap(token, blob)
    assert seen == {"valid", "invalid"}
