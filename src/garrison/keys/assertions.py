"""Encrypted SAML assertions: the private keys that open them, and opening them.

The forms of W3C's XML Encryption that IAM names: AES in GCM or CBC mode, with a content key wrapped by RSA-OAEP. PKCS #1 v1.5 is
refused: its padding tells too much. CBC proves nothing of its plaintext, so whoever calls believes only what is signed within,
and every failure here is the same error.

Sources: XML Encryption Syntax and Processing 1.1, sections 5.2, 5.5 and 6.1.1; IAM API Reference, CreateSAMLProvider
(AddPrivateKey).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from garrison.core.ports import Encrypted, Sealer

PURPOSE = "saml-private-key"
_XENC, _XENC11, _DSIG = (
    "http://www.w3.org/2001/04/xmlenc#",
    "http://www.w3.org/2009/xmlenc11#",
    "http://www.w3.org/2000/09/xmldsig#",
)
_BITS = range(2048, 4097)
_BLOCK = 16
_NONCE = 12
_DIGESTS: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    "": hashes.SHA1,
    f"{_DSIG}sha1": hashes.SHA1,
    f"{_XENC}sha256": hashes.SHA256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashes.SHA384,
    f"{_XENC}sha512": hashes.SHA512,
}
_MASKS: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    "": hashes.SHA1,
    f"{_XENC11}mgf1sha1": hashes.SHA1,
    f"{_XENC11}mgf1sha256": hashes.SHA256,
    f"{_XENC11}mgf1sha384": hashes.SHA384,
    f"{_XENC11}mgf1sha512": hashes.SHA512,
}
_TRANSPORTS = frozenset({f"{_XENC}rsa-oaep-mgf1p", f"{_XENC11}rsa-oaep"})
_CIPHERS: Final[dict[str, tuple[str, int]]] = {
    f"{_XENC}aes128-cbc": ("cbc", 16),
    f"{_XENC}aes192-cbc": ("cbc", 24),
    f"{_XENC}aes256-cbc": ("cbc", 32),
    f"{_XENC11}aes128-gcm": ("gcm", 16),
    f"{_XENC11}aes192-gcm": ("gcm", 24),
    f"{_XENC11}aes256-gcm": ("gcm", 32),
}
"""Mode, and bytes of the content key."""


class Assertions:
    """``core.ports.Assertions``."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def keep(self, pem: str, associated: bytes) -> bytes:
        """A private RSA key of 2048 to 4096 bits, proven sound and sealed. Raises ValueError."""
        # The size first: proving a key sound costs the third power of its length.
        found = _loaded(pem, proven=False)
        if not isinstance(found, rsa.RSAPrivateKey) or found.key_size not in _BITS:
            raise ValueError("no private RSA key of 2048 to 4096 bits")
        material = _loaded(pem, proven=True).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return self._sealer.seal(PURPOSE, material, associated)

    def decrypt(self, sealed: Sequence[bytes], associated: bytes, encrypted: Encrypted) -> bytes:
        """What one of the sealed keys opens. Raises ValueError, the same one whatever is wrong."""
        for each in sealed:
            material = self._sealer.unseal(PURPOSE, each, associated)
            try:
                return _opened(material, encrypted)
            except (ValueError, InvalidTag):
                continue
        raise ValueError("no key opens it")


def _loaded(pem: str, *, proven: bool) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem.encode("latin-1"), None, unsafe_skip_rsa_key_validation=not proven)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("no private key") from error


def _opened(material: bytes, encrypted: Encrypted) -> bytes:
    key = load_der_private_key(material, None)
    mode, size = _CIPHERS.get(encrypted.cipher, ("", 0))
    known = encrypted.transport in _TRANSPORTS and encrypted.digest in _DIGESTS and encrypted.mask in _MASKS
    if not mode or not known or not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("an algorithm that is not taken")
    padding = OAEP(MGF1(_MASKS[encrypted.mask]()), _DIGESTS[encrypted.digest](), None)
    content_key = key.decrypt(encrypted.wrapped, padding)
    if len(content_key) != size:
        raise ValueError("a content key of another length")
    return _from_gcm(content_key, encrypted.content) if mode == "gcm" else _from_cbc(content_key, encrypted.content)


def _from_gcm(key: bytes, content: bytes) -> bytes:
    return AESGCM(key).decrypt(content[:_NONCE], content[_NONCE:], None)


def _from_cbc(key: bytes, content: bytes) -> bytes:
    """Of the padding only the last byte has a meaning (section 5.2)."""
    if len(content) < 2 * _BLOCK or len(content) % _BLOCK:
        raise ValueError("no whole blocks")
    decryptor = Cipher(AES(key), CBC(content[:_BLOCK])).decryptor()
    padded = decryptor.update(content[_BLOCK:]) + decryptor.finalize()
    if not 1 <= padded[-1] <= _BLOCK:
        raise ValueError("no padding")
    return padded[: -padded[-1]]
