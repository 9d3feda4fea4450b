"""Signature Version 4A: ECDSA over P-256 with a key pair that both sides derive from the secret.

The server holds the secret, so it derives the pair as the client did and keeps the public half only. This is the one file
outside the keys room that touches a private key: for the time of one derivation, because the public point of a scalar can
be had no other way, and only to verify. Source: AWS SDK reference, "AWS Signature Version 4A"; derivation by NIST SP
800-108, counter mode, HMAC-SHA-256.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_LABEL: Final = b"AWS4-ECDSA-P256-SHA256"
_LONGEST: Final = 72
"""Bytes of the longest DER signature over P-256."""


def public_key(access_key_id: str, secret: str) -> EllipticCurvePublicKey:
    """The public key that belongs to a credential."""
    for counter in range(1, 255):
        context = access_key_id.encode() + bytes((counter,))
        kdf = KBKDFHMAC(SHA256(), Mode.CounterMode, 32, 4, 4, CounterLocation.BeforeFixed, _LABEL, context, None)
        candidate = int.from_bytes(kdf.derive(f"AWS4A{secret}".encode()), "big")
        if candidate <= _ORDER - 2:
            return derive_private_key(candidate + 1, SECP256R1()).public_key()
    msg = "no key pair follows from this credential"  # the chance is 2 to the power of -8000
    raise ValueError(msg)


class PublicKeys:
    """The public keys last used; found by a digest of the secret, which itself is not kept."""

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._lock = Lock()
        self._keys: OrderedDict[tuple[str, bytes], EllipticCurvePublicKey] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, access_key_id: str, secret: str) -> EllipticCurvePublicKey:
        """The public key of a credential."""
        name = (access_key_id, hashlib.sha256(secret.encode()).digest())
        with self._lock:
            key = self._keys.get(name)
            if key is not None:
                self._keys.move_to_end(name)
                return key
        key = public_key(access_key_id, secret)
        with self._lock:
            self._keys[name] = key
            if len(self._keys) > self._limit:
                self._keys.popitem(last=False)
        return key


def verify_ecdsa(key: EllipticCurvePublicKey, signature: str, text: bytes) -> None:
    """Check a DER signature written in hex over a string to sign. Raises ValueError where it is not valid."""
    try:
        raw = bytes.fromhex(signature)
        if not 0 < len(raw) <= _LONGEST or len(signature) != 2 * len(raw):
            msg = "not a signature"
            raise ValueError(msg)
        key.verify(raw, text, ECDSA(SHA256()))
    except InvalidSignature:
        msg = "the signature is not this key's"
        raise ValueError(msg) from None
