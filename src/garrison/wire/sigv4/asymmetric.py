"""Signature Version 4A: ECDSA over P-256. Public keys only; the keys room derives them.

Source: AWS SDK reference, "AWS Signature Version 4A".
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256

DerivePublicKey = Callable[[str, str], EllipticCurvePublicKey]
"""The public key of an access key id and its secret (``keys.sigv4a.public_key``)."""

LONGEST: Final = 72
"""Bytes of the longest DER signature over P-256."""


class PublicKeys:
    """The public keys last used; found by a digest of the secret, which itself is not kept."""

    def __init__(self, derive: DerivePublicKey, limit: int = 1024) -> None:
        self._derive = derive
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
        key = self._derive(access_key_id, secret)
        with self._lock:
            self._keys[name] = key
            if len(self._keys) > self._limit:
                self._keys.popitem(last=False)
        return key


def verify_ecdsa(key: EllipticCurvePublicKey, signature: str, text: bytes) -> None:
    """Check a DER signature written in hex over a string to sign. Raises ValueError where it is not valid."""
    raw = bytes.fromhex(signature)
    if not 0 < len(raw) <= LONGEST or raw.hex() != signature:  # one spelling only: no capitals, no blanks
        msg = "not a signature"
        raise ValueError(msg)
    try:
        key.verify(raw, text, ECDSA(SHA256()))
    except InvalidSignature:
        msg = "the signature is not this key's"
        raise ValueError(msg) from None
