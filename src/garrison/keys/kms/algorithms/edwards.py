"""Ed25519 and Ed25519ph. Sources: RFC 8032, FIPS 186-5; KMS Developer Guide, "Supported signing algorithms for ECC key specs".

``ED25519_SHA_512`` takes a whole message. ``ED25519_PH_SHA_512`` takes a SHA-512 digest and hashes it again, as KMS documents it:
the message of Ed25519ph is the digest that the caller sent.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from garrison.keys.kms.algorithms.base import Refused, Signer

if TYPE_CHECKING:
    from Crypto.Signature import eddsa

PURE: Final = "ED25519_SHA_512"
PREHASHED: Final = "ED25519_PH_SHA_512"
_BYTES: Final = 64


def make() -> bytes:
    """A new private key: PKCS #8, DER (RFC 8410)."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def verify(public: bytes, algorithm: str, message: bytes, signature: bytes) -> None:
    """Raises Refused unless the signature is that of the key's owner. ``public`` has 32 bytes."""
    if algorithm == PURE:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except InvalidSignature:
            raise Refused from None
        return
    if len(signature) != _BYTES:
        raise Refused
    from Crypto.Hash import SHA512  # noqa: PLC0415 - loading it costs a tenth of a start
    from Crypto.Signature import eddsa  # noqa: PLC0415 - the same

    try:
        eddsa.new(eddsa.import_public_key(public), "rfc8032").verify(SHA512.new(message), signature)
    except ValueError:
        raise Refused from None


class EdwardsKey(Signer):
    """A private key on edwards25519."""

    def __init__(self, id: str, der: bytes) -> None:  # noqa: A002 - AWS's word for it
        """``der`` is PKCS #8."""
        super().__init__(id)
        self._der = der

    @cached_property
    def _private(self) -> Ed25519PrivateKey:
        found = load_der_private_key(self._der, None)
        if not isinstance(found, Ed25519PrivateKey):
            msg = "not an Ed25519 key"
            raise TypeError(msg)
        return found

    @cached_property
    def _prehashing(self) -> eddsa.EdDSASigScheme:
        from Crypto.PublicKey import ECC  # noqa: PLC0415 - loading it costs a tenth of a start
        from Crypto.Signature import eddsa  # noqa: PLC0415 - the same

        return eddsa.new(ECC.construct(curve="Ed25519", seed=self._private.private_bytes_raw()), "rfc8032")

    @cached_property
    def _public(self) -> bytes:
        return self._private.public_key().public_bytes_raw()

    def public(self) -> bytes:
        """The public key: SubjectPublicKeyInfo, DER."""
        return self._private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, algorithm: str, kind: str, message: bytes) -> bytes:  # noqa: ARG002 - the algorithm says the kind
        """A signature of 64 bytes."""
        if algorithm == PURE:
            return self._private.sign(message)
        from Crypto.Hash import SHA512  # noqa: PLC0415 - loading it costs a tenth of a start

        return self._prehashing.sign(SHA512.new(message))

    def verify(self, algorithm: str, kind: str, message: bytes, signature: bytes) -> None:  # noqa: ARG002 - as in sign
        """Raises Refused."""
        verify(self._public, algorithm, message, signature)
