from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from garrison.keys.sigv4a import public_key
from garrison.wire.sigv4.asymmetric import PublicKeys, verify_ecdsa

# aws-c-auth's key derivation example: the scalar that belongs to the credential.
KEY = derive_private_key(0x7FD3BD010C0D9C292141C2B77BFBDE1042C92E6836FFF749D1269EC890FCA1BD, SECP256R1())
ID, SECRET = "AKISORANDOMAASORANDOM", "q+jcrXGc+0zWN6uzclKVhvMmUsIfRPa4rlRandom"


def test_signature_of_the_published_private_key():
    verify_ecdsa(public_key(ID, SECRET), KEY.sign(b"text", ECDSA(SHA256())).hex(), b"text")


@pytest.mark.parametrize("signature", ["", "zz", "30", "00" * 64, "3045" * 30, "é", "30 45"])
def test_what_is_no_signature(signature: str):
    with pytest.raises(ValueError):
        verify_ecdsa(KEY.public_key(), signature, b"text")


def test_another_text_or_padding():
    signature = KEY.sign(b"text", ECDSA(SHA256())).hex()
    for text, altered in (
        (b"texT", signature),
        (b"text", f" {signature}"),
        (b"text", signature + "00"),
        (b"text", signature.upper()),
    ):
        with pytest.raises(ValueError):
            verify_ecdsa(KEY.public_key(), altered, text)


def test_keys_are_derived_once_and_the_oldest_goes():
    derived: list[str] = []

    def derive(access_key_id: str, _secret: str) -> EllipticCurvePublicKey:
        derived.append(access_key_id)
        return KEY.public_key()

    keys = PublicKeys(derive, limit=2)
    for key_id in ("a", "b", "a", "c", "b"):
        keys.get(key_id, "secret")
    assert derived == ["a", "b", "c", "b"]
    keys.get("b", "other secret")
    assert derived[-1] == "b"
    assert len(keys) == 2
