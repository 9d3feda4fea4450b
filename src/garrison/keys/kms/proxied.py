"""Keys of ours at work for another KMS: what an external key store proxy does with AES-256-GCM.

The other KMS keeps an IV, a tag and up to 20 bytes of our own beside its ciphertext::

    metadata      version 1 (1) | begin of the material's id (7) | salt, random (12)
    message key   KBKDF-HMAC-SHA-256 (SP 800-108r1) of the material, label "garrison kms xks 1", the salt as context
    AAD           length of the associated data (2) | associated data | length of the metadata (1) | metadata

Each message has a key of its own, as in ``ciphertext``. Lengths keep associated data and metadata apart.
Source: XKS Proxy API Specification, "Encrypt", "Decrypt", appendix C.
"""

from __future__ import annotations

from typing import Any

from garrison.core.ids import Random
from garrison.keys.gcm import IV_BYTES, Forged
from garrison.keys.kms.ciphertext import Material
from garrison.keys.kms.live import LiveKey
from garrison.keys.kms.specs import ENCRYPT, SYMMETRIC
from garrison.keys.kms.states import ENABLED
from garrison.keys.xks.answers import Asked, Refusal, text
from garrison.keys.xks.client import TAG_BYTES, Wrapped, integrity_value

_LABEL = b"garrison kms xks 1"
_VERSION = b"\x01"
_ID_BYTES = 7
_SALT_BYTES = 12
_NOTE_BYTES = 1 + _ID_BYTES + _SALT_BYTES


def metadata(key: LiveKey) -> dict[str, Any]:
    """GetKeyMetadata's answer."""
    symmetric = key.spec == SYMMETRIC and key.usage == ENCRYPT
    return {
        "keySpec": "AES_256" if symmetric else key.spec,
        "keyUsage": ["ENCRYPT", "DECRYPT"] if symmetric and key.custody is None else [],
        "keyStatus": "ENABLED" if key.state == ENABLED else "DISABLED",
    }


def encrypt(key: LiveKey, random: Random, asked: Asked) -> dict[str, Any]:
    """Encrypt's answer. Raises Refusal."""
    material = _usable(key)
    note = _VERSION + bytes.fromhex(material.id)[:_ID_BYTES] + random(_SALT_BYTES)
    wrapped = wrap(material, random(IV_BYTES), note, asked.plaintext, asked.associated)
    answer = {
        "ciphertext": text(wrapped.ciphertext),
        "ciphertextMetadata": text(wrapped.metadata),
        "initializationVector": text(wrapped.iv),
        "authenticationTag": text(wrapped.tag),
    }
    if asked.wants_integrity:
        # The value first, then the proof: what was corrupted in between is found out then.
        answer["ciphertextDataIntegrityValue"] = text(integrity_value(asked.associated, wrapped))
        if unwrap(material, wrapped, asked.associated) != asked.plaintext:
            raise Refusal("InternalException")
    return answer


def decrypt(key: LiveKey, asked: Asked) -> dict[str, Any]:
    """Decrypt's answer. Raises Refusal."""
    _usable(key)
    if len(asked.note) != _NOTE_BYTES or len(asked.iv) != IV_BYTES or len(asked.tag) != TAG_BYTES:
        raise Refusal("InvalidCiphertextException")
    if asked.note[:1] != _VERSION:
        raise Refusal("InvalidCiphertextException")
    wrapped = Wrapped(asked.ciphertext, asked.iv, asked.tag, asked.note)
    begin = asked.note[1 : 1 + _ID_BYTES].hex()
    for material_id, material in key.materials.items():
        if material_id.startswith(begin) and isinstance(material, Material):
            return {"plaintext": text(unwrap(material, wrapped, asked.associated))}
    raise Refusal("InvalidCiphertextException")


def wrap(material: Material, iv: bytes, note: bytes, plaintext: bytes, associated: bytes) -> Wrapped:
    """One message, with IV and metadata given."""
    sealed = material.cipher(_LABEL, note[1 + _ID_BYTES :]).seal(iv, plaintext, _whole(associated, note))
    return Wrapped(sealed[:-TAG_BYTES], iv, sealed[-TAG_BYTES:], note)


def unwrap(material: Material, wrapped: Wrapped, associated: bytes) -> bytes:
    """The plaintext. Raises Refusal InvalidCiphertextException."""
    cipher = material.cipher(_LABEL, wrapped.metadata[1 + _ID_BYTES :])
    try:
        return cipher.open(wrapped.iv, wrapped.ciphertext + wrapped.tag, _whole(associated, wrapped.metadata))
    except Forged:
        raise Refusal("InvalidCiphertextException") from None


def _whole(associated: bytes, note: bytes) -> bytes:
    return len(associated).to_bytes(2) + associated + len(note).to_bytes(1) + note


def _usable(key: LiveKey) -> Material:
    """A symmetric key whose material is here. Raises Refusal."""
    if key.spec != SYMMETRIC or key.usage != ENCRYPT or key.custody is not None:
        raise Refusal("InvalidKeyUsageException")
    if key.state != ENABLED or not isinstance(key.current, Material):
        raise Refusal("InvalidStateException")
    return key.current
