"""HMAC. Sources: RFC 2104, FIPS 198-1; KMS Developer Guide, "HMAC keys in AWS KMS": a key is as long as its hash's output."""

from __future__ import annotations

import hmac
from typing import Final

from garrison.keys.kms.algorithms.base import Refused, Secret

ALGORITHMS: Final = {
    "HMAC_SHA_224": ("sha224", 28),
    "HMAC_SHA_256": ("sha256", 32),
    "HMAC_SHA_384": ("sha384", 48),
    "HMAC_SHA_512": ("sha512", 64),
}
"""Hash, and bytes of the key and of the MAC."""


class MacKey(Secret):
    """A secret that two sides share."""

    __slots__ = ("_key",)

    def __init__(self, id: str, key: bytes) -> None:  # noqa: A002 - AWS's word for it
        super().__init__(id)
        self._key = key

    def generate(self, algorithm: str, message: bytes) -> bytes:
        """The MAC, whole."""
        return hmac.digest(self._key, message, ALGORITHMS[algorithm][0])

    def verify(self, algorithm: str, message: bytes, mac: bytes) -> None:
        """Raises Refused unless ``mac`` is the whole MAC of the message."""
        if not hmac.compare_digest(self.generate(algorithm, message), mac):
            raise Refused
