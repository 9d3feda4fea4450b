"""Private keys that callers bring."""

from __future__ import annotations

from typing import Any

import pytest
from asn1crypto import keys, pem
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from garrison.keys import key_pairs
from garrison.keys.key_pairs import KeyPairs
from tests.support.certificates import ec_key, edwards_key, private_pem, public_pem, rsa_key


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("key", [rsa_key, ec_key])
def test_the_public_half(key: Any, form: PrivateFormat):
    wanted = load_pem_public_key(public_pem(key()).encode()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert KeyPairs().public_half(private_pem(key(), form=form)) == wanted


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key(form: PrivateFormat):
    with pytest.raises(ValueError, match=r"^encrypted$"):
        KeyPairs().public_half(private_pem(rsa_key(), b"secret", form))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "key",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        "\u20ac",
        public_pem(rsa_key()),
        private_pem(edwards_key()),
    ],
    ids=["empty", "word", "damaged", "not Latin-1", "public", "Ed25519"],
)
def test_what_is_no_key(text: str):
    with pytest.raises(ValueError, match=r"^unrecognized$"):
        KeyPairs().public_half(text)


def forged(modulus: int, p: int, q: int, d: int) -> str:
    """A PKCS #1 private key (RFC 8017, A.1.2) of any numbers."""
    members = {
        "version": 0,
        "modulus": modulus,
        "public_exponent": 65537,
        "private_exponent": d,
        "prime1": p,
        "prime2": q,
        "exponent1": d % (p - 1),
        "exponent2": d % (q - 1),
        "coefficient": pow(q, -1, p),
    }
    return str(pem.armor("RSA PRIVATE KEY", keys.RSAPrivateKey(members).dump()).decode())


def test_a_key_whose_numbers_do_not_belong_together():
    """Its public half may be anybody's: only proving the key sound shows that it is not."""
    mine = rsa_key().private_numbers()
    sound = forged(mine.public_numbers.n, mine.p, mine.q, mine.d)
    assert KeyPairs().public_half(sound)
    others = rsa_key(1).public_key().public_numbers().n
    with pytest.raises(ValueError, match=r"^unrecognized$"):
        KeyPairs().public_half(forged(others, mine.p, mine.q, mine.d))


def test_a_key_that_takes_too_long_to_prove(monkeypatch: pytest.MonkeyPatch):
    """Of 16,384 bits: its size alone is looked at."""
    proven: list[bool] = []

    def noting(*arguments: Any, unsafe_skip_rsa_key_validation: bool) -> Any:
        proven.append(not unsafe_skip_rsa_key_validation)
        return load_pem_private_key(*arguments, unsafe_skip_rsa_key_validation=unsafe_skip_rsa_key_validation)

    monkeypatch.setattr(key_pairs, "load_pem_private_key", noting)
    p, q = 2**8191 - 1, 2**8192 - 1
    with pytest.raises(ValueError, match=r"^unrecognized$"):
        KeyPairs().public_half(forged(p * q, p, q, 65537))
    assert proven == [False]
