"""RSA: signatures (PSS and PKCS #1 v1.5) and encryption (OAEP). Source: RFC 8017; KMS Developer Guide, "RSA key specs".

The exponent is 65537. The salt of a PSS signature is as long as its hash; the mask generation function uses the same hash.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from garrison.keys.kms.algorithms.base import DIGEST, Decrypter, Refused, Signer

_EXPONENT: Final = 65537
_HASHES: Final[dict[str, HashAlgorithm]] = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
SIGNATURES: Final[dict[str, tuple[AsymmetricPadding, HashAlgorithm]]] = {
    **{f"RSASSA_PKCS1_V1_5_SHA_{bits}": (PKCS1v15(), found) for bits, found in _HASHES.items()},
    **{f"RSASSA_PSS_SHA_{bits}": (PSS(MGF1(found), PSS.DIGEST_LENGTH), found) for bits, found in _HASHES.items()},
}
ENCRYPTIONS: Final[dict[str, tuple[OAEP, HashAlgorithm]]] = {
    "RSAES_OAEP_SHA_1": (OAEP(MGF1(SHA1()), SHA1(), None), SHA1()),  # noqa: S303 - one of the algorithms KMS offers
    "RSAES_OAEP_SHA_256": (OAEP(MGF1(SHA256()), SHA256(), None), SHA256()),
}


def make(bits: int) -> bytes:
    """A new private key: PKCS #8, DER. Takes up to seconds, in which the interpreter is free for other threads."""
    private = rsa.generate_private_key(_EXPONENT, bits)
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def most_plaintext(algorithm: str, bits: int) -> int:
    """Bytes that OAEP takes at most (RFC 8017, 7.1.1)."""
    return bits // 8 - 2 * ENCRYPTIONS[algorithm][1].digest_size - 2


def verify(public: rsa.RSAPublicKey, algorithm: str, kind: str, message: bytes, signature: bytes) -> None:
    """Raises Refused unless the signature is that of the key's owner."""
    padding, hashing = SIGNATURES[algorithm]
    try:
        public.verify(signature, message, padding, Prehashed(hashing) if kind == DIGEST else hashing)
    except InvalidSignature:
        raise Refused from None


class RsaKey(Signer, Decrypter):
    """An RSA private key."""

    def __init__(self, id: str, der: bytes) -> None:  # noqa: A002 - AWS's word for it
        """``der`` is PKCS #8. It is not proven again to be a pair of primes: it was made here, and its seal says so."""
        super().__init__(id)
        self._der = der

    @cached_property
    def _private(self) -> rsa.RSAPrivateKey:
        found = load_der_private_key(self._der, None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(found, rsa.RSAPrivateKey):
            msg = "not an RSA key"
            raise TypeError(msg)
        return found

    @cached_property
    def _public(self) -> rsa.RSAPublicKey:
        return self._private.public_key()

    def public(self) -> bytes:
        """The public key: SubjectPublicKeyInfo, DER."""
        return self._public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, algorithm: str, kind: str, message: bytes) -> bytes:
        """A signature as long as the modulus."""
        padding, hashing = SIGNATURES[algorithm]
        return self._private.sign(message, padding, Prehashed(hashing) if kind == DIGEST else hashing)

    def verify(self, algorithm: str, kind: str, message: bytes, signature: bytes) -> None:
        """Raises Refused."""
        verify(self._public, algorithm, kind, message, signature)

    def encrypt(self, algorithm: str, plaintext: bytes) -> bytes:
        """A ciphertext as long as the modulus."""
        return self._public.encrypt(plaintext, ENCRYPTIONS[algorithm][0])

    def decrypt(self, algorithm: str, ciphertext: bytes) -> bytes:
        """The plaintext. Raises Refused."""
        try:
            return self._private.decrypt(ciphertext, ENCRYPTIONS[algorithm][0])
        except ValueError:
            raise Refused from None
