"""Private keys that callers bring: read once, for their public halves.

Sources: IAM User Guide, "Manage server certificates" (unencrypted PEM; RSA of 1024 to 4096 bits, elliptic curves); RFC 5915,
RFC 8017 and RFC 5958 for the forms that PEM may hold.
"""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

ENCRYPTED = "encrypted"
UNRECOGNIZED = "unrecognized"
"""What :meth:`KeyPairs.public_half` says of a key that it does not take."""
LEAST, MOST = 1024, 4096
"""Bits of an RSA modulus."""


class KeyPairs:
    """``core.ports.KeyPairs``."""

    def public_half(self, pem: str) -> bytes:
        """The public key (DER, SubjectPublicKeyInfo) of an RSA or EC private key (PEM), which is proven sound.

        Raises ValueError: ``encrypted`` or ``unrecognized``.
        """
        material = pem.encode("latin-1", "replace")
        # The size first: proving a key sound costs the third power of its length.
        found = _loaded(material, proven=False)
        if isinstance(found, rsa.RSAPrivateKey):
            if not LEAST <= found.key_size <= MOST:
                raise ValueError(UNRECOGNIZED)
            found = _loaded(material, proven=True)
        return found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _loaded(material: bytes, *, proven: bool) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    try:
        found = load_pem_private_key(material, None, unsafe_skip_rsa_key_validation=not proven)
    except TypeError:
        raise ValueError(ENCRYPTED) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(UNRECOGNIZED) from None
    if not isinstance(found, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise ValueError(UNRECOGNIZED)  # noqa: TRY004 - one error for each key that is not taken
    return found
