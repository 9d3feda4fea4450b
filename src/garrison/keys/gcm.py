"""AES-256-GCM (NIST SP 800-38D) in one size: a key of 256 bits, an IV of 96, a tag of 128.

What this room seals itself goes through here: KMS ciphertexts, secrets in columns, the root key under a passphrase. Other
sizes are AES-GCM too, and weaker: they are refused, and not left to the length of whatever bytes arrive.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
IV_BYTES: Final = 12
TAG_BYTES: Final = 16


class Forged(ValueError):  # noqa: N818 - what the bytes are, not what went wrong
    """What was not sealed under this key, with this IV and these associated bytes. Which of them is told to nobody."""


class Gcm:
    """A cipher under one key. Its IVs must never repeat; who brings them answers for that."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        """Raises ValueError where the key is not 32 bytes."""
        if len(key) != KEY_BYTES:
            msg = f"a key has {KEY_BYTES} bytes, not {len(key)}"
            raise ValueError(msg)
        self._cipher = AESGCM(key)

    def seal(self, iv: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """The ciphertext, as long as the plaintext, and after it the tag. Raises ValueError where the IV is not 12 bytes."""
        if len(iv) != IV_BYTES:
            msg = f"an IV has {IV_BYTES} bytes, not {len(iv)}"
            raise ValueError(msg)
        return self._cipher.encrypt(iv, plaintext, associated)

    def open(self, iv: bytes, sealed: bytes, associated: bytes) -> bytes:
        """The plaintext of what :meth:`seal` gave. Raises Forged."""
        if len(iv) != IV_BYTES or len(sealed) < TAG_BYTES:
            raise Forged
        try:
            return self._cipher.decrypt(iv, sealed, associated)
        except InvalidTag:
            raise Forged from None
