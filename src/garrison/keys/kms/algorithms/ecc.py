"""Elliptic curves with points on short Weierstrass form: ECDSA and ECDH.

Sources: FIPS 186-5 and SEC 1 (signatures, DER: RFC 3279, 2.2.3), SP 800-56A (cofactor Diffie-Hellman; the cofactor is 1), SEC 2
(the curves); KMS Developer Guide, "Elliptic curve key specs". The shared secret is the x coordinate, as KMS answers it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from garrison.keys.kms.algorithms.base import DIGEST, Agreer, Refused, Signer

CURVES: Final[dict[str, ec.EllipticCurve]] = {
    "ECC_NIST_P256": ec.SECP256R1(),
    "ECC_NIST_P384": ec.SECP384R1(),
    "ECC_NIST_P521": ec.SECP521R1(),
    "ECC_SECG_P256K1": ec.SECP256K1(),
}
SIGNATURES: Final[dict[str, HashAlgorithm]] = {
    "ECDSA_SHA_256": SHA256(),
    "ECDSA_SHA_384": SHA384(),
    "ECDSA_SHA_512": SHA512(),
}


def make(spec: str) -> bytes:
    """A new private key on the curve of a key spec: PKCS #8, DER."""
    return ec.generate_private_key(CURVES[spec]).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def verify(public: ec.EllipticCurvePublicKey, algorithm: str, kind: str, message: bytes, signature: bytes) -> None:
    """Raises Refused unless the signature is that of the key's owner."""
    hashing = SIGNATURES[algorithm]
    try:
        public.verify(signature, message, ec.ECDSA(Prehashed(hashing) if kind == DIGEST else hashing))
    except InvalidSignature:
        raise Refused from None


def peer_key(der: bytes, curve: str) -> ec.EllipticCurvePublicKey:
    """Somebody's public key (SubjectPublicKeyInfo, DER). Raises Refused unless it is a point of the named curve."""
    try:
        found = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise Refused from None
    if not isinstance(found, ec.EllipticCurvePublicKey) or found.curve.name != curve:
        raise Refused
    return found


class EccKey(Signer, Agreer):
    """A private key on a curve."""

    def __init__(self, id: str, der: bytes) -> None:  # noqa: A002 - AWS's word for it
        """``der`` is PKCS #8."""
        super().__init__(id)
        self._der = der

    @cached_property
    def _private(self) -> ec.EllipticCurvePrivateKey:
        found = load_der_private_key(self._der, None)
        if not isinstance(found, ec.EllipticCurvePrivateKey):
            msg = "not a key on a curve"
            raise TypeError(msg)
        return found

    @cached_property
    def _public(self) -> ec.EllipticCurvePublicKey:
        return self._private.public_key()

    def public(self) -> bytes:
        """The public key: SubjectPublicKeyInfo, DER, with the curve's name and the whole point."""
        return self._public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, algorithm: str, kind: str, message: bytes) -> bytes:
        """A signature, DER."""
        hashing = SIGNATURES[algorithm]
        return self._private.sign(message, ec.ECDSA(Prehashed(hashing) if kind == DIGEST else hashing))

    def verify(self, algorithm: str, kind: str, message: bytes, signature: bytes) -> None:
        """Raises Refused."""
        verify(self._public, algorithm, kind, message, signature)

    def agree(self, peer: bytes) -> bytes:
        """The x coordinate of the shared point. Raises Refused."""
        other = peer_key(peer, self._private.curve.name)
        try:
            return self._private.exchange(ec.ECDH(), other)
        except ValueError:
            raise Refused from None
