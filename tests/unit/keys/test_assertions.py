"""Private keys of SAML providers, and what they open. The forms are those of XML Encryption 1.1, sections 5.2 and 5.5."""

from __future__ import annotations

import os
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from garrison.core.ports import Encrypted
from garrison.keys.assertions import Assertions
from garrison.keys.keyring import Keyring
from tests.support.idp_oidc import ec_key, rsa_key
from tests.support.idp_saml import XENC, XENC11, private_pem
from tests.support.published import wycheproof

WITH = b"123456789012/SAMLEXAMPLE"
PLAIN = b"<saml:Assertion/>"


@pytest.fixture(scope="module")
def assertions() -> Assertions:
    return Assertions(Keyring.ephemeral())


@pytest.fixture(scope="module")
def sealed(assertions: Assertions) -> bytes:
    return assertions.keep(private_pem(rsa_key(9)), WITH)


def gcm(content_key: bytes = bytes(32), **changes: Any) -> Encrypted:
    nonce = os.urandom(12)
    wrapped = rsa_key(9).public_key().encrypt(content_key, OAEP(MGF1(hashes.SHA256()), hashes.SHA256(), None))
    good = Encrypted(
        transport=f"{XENC11}rsa-oaep",
        digest=f"{XENC}sha256",
        mask=f"{XENC11}mgf1sha256",
        wrapped=wrapped,
        cipher=f"{XENC11}aes256-gcm",
        content=nonce + AESGCM(content_key).encrypt(nonce, PLAIN, None),
    )
    return good._replace(**changes)


def test_what_a_kept_key_opens(assertions: Assertions, sealed: bytes):
    assert assertions.decrypt([sealed], WITH, gcm()) == PLAIN
    other = assertions.keep(private_pem(rsa_key(8)), WITH)
    assert assertions.decrypt([other, sealed], WITH, gcm()) == PLAIN


@pytest.mark.parametrize("bits", [128, 192, 256])
def test_wycheproofs_aes_gcm(assertions: Assertions, sealed: bytes, bits: int):
    """Those with XML Encryption's nonce and without associated data (XML Encryption 1.1, 5.2.4)."""
    seen = []
    for _, test in wycheproof("Cipher/aes_gcm_test", keySize=bits, ivSize=96):
        if test["aad"]:
            continue
        content = bytes.fromhex(test["iv"] + test["ct"] + test["tag"])
        asked = gcm(bytes.fromhex(test["key"]), cipher=f"{XENC11}aes{bits}-gcm", content=content)
        seen.append(test["result"])
        if test["result"] == "valid":
            assert assertions.decrypt([sealed], WITH, asked).hex() == test["msg"], test["tcId"]
            continue
        with pytest.raises(ValueError, match="no key opens it"):
            assertions.decrypt([sealed], WITH, asked)
    assert min(seen.count("valid"), seen.count("invalid")) >= 1


def test_a_sealed_key_shows_nothing_and_is_of_one_provider(assertions: Assertions, sealed: bytes):
    numbers = rsa_key(9).private_numbers()
    assert numbers.d.to_bytes(256) not in sealed
    with pytest.raises(ValueError):
        assertions.decrypt([sealed], b"another/provider", gcm())


@pytest.mark.parametrize(
    "changes",
    [
        {"transport": f"{XENC}rsa-1_5"},
        {"transport": ""},
        {"digest": "http://www.w3.org/2001/04/xmldsig-more#md5"},
        {"mask": f"{XENC11}mgf1md5"},
        {"mask": ""},
        {"digest": ""},
        {"cipher": f"{XENC11}aes128-gcm"},
        {"cipher": f"{XENC}tripledes-cbc"},
        {"cipher": ""},
        {"content": b""},
        {"content": bytes(11)},
        {"content": bytes(64)},
        {"wrapped": b""},
        {"wrapped": bytes(256)},
        {"wrapped": b"\xff" * 256},
        {"wrapped": bytes(255)},
    ],
)
def test_everything_else_is_the_same_error(assertions: Assertions, sealed: bytes, changes: dict[str, Any]):
    with pytest.raises(ValueError, match=r"^no key opens it$"):
        assertions.decrypt([sealed], WITH, gcm(**changes))
    with pytest.raises(ValueError, match=r"^no key opens it$"):
        assertions.decrypt([], WITH, gcm())


def test_a_key_that_was_wrapped_by_the_old_padding(assertions: Assertions, sealed: bytes):
    old = rsa_key(9).public_key().encrypt(bytes(32), PKCS1v15())
    for transport in (f"{XENC}rsa-1_5", f"{XENC11}rsa-oaep"):
        with pytest.raises(ValueError, match=r"^no key opens it$"):
            assertions.decrypt([sealed], WITH, gcm(wrapped=old, transport=transport))


@pytest.mark.parametrize("length", [0, 16, 31, 33, 48])
def test_blocks_that_are_not_whole(assertions: Assertions, sealed: bytes, length: int):
    with pytest.raises(ValueError, match=r"^no key opens it$"):
        assertions.decrypt([sealed], WITH, gcm(cipher=f"{XENC}aes256-cbc", content=bytes(length)))


def test_keys_that_are_not_taken(assertions: Assertions):
    locked = rsa_key(9).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")).decode()
    for pem in ("", "x", locked, private_pem(ec_key("P-256")), private_pem(rsa_key(3, 1024))):
        with pytest.raises(ValueError):
            assertions.keep(pem, WITH)
