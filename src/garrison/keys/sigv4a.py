"""The key pair behind a Signature Version 4A, of which only the public half leaves this file.

Client and server derive the same P-256 pair from the secret they share. To verify, the server needs the public key alone,
but the public point of a scalar can be had only by way of the private key; that is why this stands in the keys room, and
the gateway hands :func:`public_key` to the verifier. Source: AWS SDK reference, "AWS Signature Version 4A"; derivation by
NIST SP 800-108, counter mode, HMAC-SHA-256.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256's base point (FIPS 186-5)."""
_LABEL: Final = b"AWS4-ECDSA-P256-SHA256"


def public_key(access_key_id: str, secret: str) -> EllipticCurvePublicKey:
    """The public key that belongs to a credential. Raises ValueError where none follows (a chance of 2 to the -8000)."""
    for counter in range(1, 255):
        context = access_key_id.encode() + bytes((counter,))
        kdf = KBKDFHMAC(SHA256(), Mode.CounterMode, 32, 4, 4, CounterLocation.BeforeFixed, _LABEL, context, None)
        candidate = int.from_bytes(kdf.derive(f"AWS4A{secret}".encode()), "big")
        if candidate <= _ORDER - 2:
            return derive_private_key(candidate + 1, SECP256R1()).public_key()
    msg = "no key pair follows from this credential"
    raise ValueError(msg)
