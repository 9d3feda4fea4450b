"""The form of a KMS ciphertext, and the material that makes and opens it.

Version 1::

    offset  bytes
    0       1     version: 1
    1       32    id of the key material
    33      16    salt, random
    49      12    IV, random
    61      n     ciphertext
    61+n    16    tag

The message key is KBKDF (NIST SP 800-108r1, counter mode, HMAC-SHA-256) of the material, with the salt as context; the cipher is
AES-256-GCM (SP 800-38D). Each message has a key of its own, so that no count of messages wears out the material. The header and
the encryption context are authenticated. A blob names its material, hence Decrypt needs no key id; the form is kept for ever.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from garrison.core.ids import Random
from garrison.keys.gcm import IV_BYTES, TAG_BYTES, Forged, Gcm
from garrison.keys.kms.algorithms.base import Secret

MATERIAL_BYTES = 32
ID_BYTES = 32
SALT_BYTES = 16
_VERSION = b"\x01"
OUTER_VERSION = b"\x02"
"""Of keys in custom key stores (``custom.outer``): the same beginning, another form after it."""
_HEADER_BYTES = 1 + ID_BYTES + SALT_BYTES + IV_BYTES
OVERHEAD = _HEADER_BYTES + TAG_BYTES
"""Bytes that a ciphertext has over its plaintext."""
_LABEL = b"garrison kms symmetric 1"
_SHA256 = SHA256()
_COUNTER, _BEFORE = Mode.CounterMode, CounterLocation.BeforeFixed


class Unreadable(ValueError):  # noqa: N818 - what the blob is, not what went wrong
    """Not a ciphertext of ours, or altered, or of another context. Which of them is told to nobody."""


def canonical_context(context: Mapping[str, str] | None) -> bytes:
    """An encryption context as bytes: the number of pairs, then each length and text, ordered by the bytes of the key.

    Injective: two contexts have the same bytes exactly if they hold the same pairs. No context and an empty one are the same,
    as AWS has it.
    """
    if not context:
        return b"\0\0\0\0"
    parts = [len(context).to_bytes(4)]
    # The order of code points is the order of UTF-8's bytes.
    for pair in sorted(context.items()):
        for text in pair:
            raw = text.encode("utf-8", "surrogatepass")
            parts += (len(raw).to_bytes(4), raw)
    return b"".join(parts)


def material_id_of(blob: bytes) -> str:
    """The id (64 hex digits) of the material that a ciphertext names. Raises Unreadable where it cannot be a ciphertext."""
    if len(blob) <= OVERHEAD or blob[:1] not in {_VERSION, OUTER_VERSION}:
        raise Unreadable
    return blob[1 : 1 + ID_BYTES].hex()


class Material(Secret):
    """The 256-bit secret of a symmetric key. Its bytes stay in here."""

    __slots__ = ("_key", "_prefix")

    def __init__(self, id: str, key: bytes) -> None:  # noqa: A002 - AWS's word for it
        """``id`` is 64 hex digits: AWS's KeyMaterialId."""
        if len(key) != MATERIAL_BYTES:
            msg = f"key material has {MATERIAL_BYTES} bytes, not {len(key)}"
            raise ValueError(msg)
        super().__init__(id)
        self._key = key
        self._prefix = _VERSION + bytes.fromhex(id)

    def encrypt(self, random: Random, plaintext: bytes, context: Mapping[str, str] | None = None) -> bytes:
        """A ciphertext of version 1."""
        return self._encrypt(random(SALT_BYTES + IV_BYTES), plaintext, context)

    def encrypt_with(self, salt: bytes, iv: bytes, plaintext: bytes, context: Mapping[str, str] | None = None) -> bytes:
        """:meth:`encrypt` with salt and IV given, for fixed vectors alone."""
        if len(salt) != SALT_BYTES:
            msg = f"salt and IV have {SALT_BYTES} and {IV_BYTES} bytes"
            raise ValueError(msg)
        return self._encrypt(salt + iv, plaintext, context)

    def _encrypt(self, fresh: bytes, plaintext: bytes, context: Mapping[str, str] | None) -> bytes:
        """``fresh``: salt and IV."""
        header = self._prefix + fresh
        if len(header) != _HEADER_BYTES:
            msg = f"salt and IV have {SALT_BYTES} and {IV_BYTES} bytes"
            raise ValueError(msg)
        cipher = Gcm(self._derive(fresh[:SALT_BYTES]))
        return header + cipher.seal(fresh[SALT_BYTES:], plaintext, header + canonical_context(context))

    def decrypt(self, blob: bytes, context: Mapping[str, str] | None = None) -> bytes:
        """The plaintext. Raises Unreadable where the blob or the context is not exactly what was encrypted."""
        header = blob[:_HEADER_BYTES]
        if len(blob) < OVERHEAD or not header.startswith(self._prefix):
            raise Unreadable
        salt, iv = header[1 + ID_BYTES : -IV_BYTES], header[-IV_BYTES:]
        try:
            return Gcm(self._derive(salt)).open(iv, blob[_HEADER_BYTES:], header + canonical_context(context))
        except Forged:
            raise Unreadable from None

    def cipher(self, label: bytes, salt: bytes) -> Gcm:
        """A cipher of its own for one message of another form than this module's: another label, a salt never used before."""
        return Gcm(self._derive(salt, label))

    def _derive(self, salt: bytes, label: bytes = _LABEL) -> bytes:
        # Algorithm, mode, lengths of key, counter and length, place of the counter, label, context: by place, which costs least.
        return KBKDFHMAC(_SHA256, _COUNTER, 32, 4, 4, _BEFORE, label, salt, None).derive(self._key)
