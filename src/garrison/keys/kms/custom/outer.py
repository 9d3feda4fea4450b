"""Material whose second half is elsewhere, and the ciphertexts that both halves make.

Version 2 of a ciphertext::

    offset  bytes
    0       1     version: 2
    1       32    id of the key material
    33      1     length of the IV: 12 or 16
    34      1     length of the metadata: 0 to 20
    35      i     IV of the other side
    35+i    m     metadata of the other side
    35+i+m  16    tag of the other side
    51+i+m  n     what the other side encrypted: a whole ciphertext of version 1

The other side's AES-256-GCM is given SHA-256 of header and encryption context as its associated data. Whatever it answers to a
decryption must be a ciphertext of version 1 under this material, this id and this context: a proxy or token that answers
anything else is found out, and no wrong plaintext leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Protocol

from garrison.core.ids import Random
from garrison.keys.hsm.agent import REFUSED, Agent, HsmError
from garrison.keys.kms.ciphertext import ID_BYTES, OUTER_VERSION, Material, Unreadable, canonical_context
from garrison.keys.kms.custom import faults
from garrison.keys.xks.client import IV_BYTES, MALFORMED, METADATA_BYTES, TAG_BYTES, Proxy, ProxyError, Wrapped, XksClient

_FIXED = 1 + ID_BYTES + 2
_LABEL = b"garrison kms outer 1\0"
_TOKEN_IV = 12

Asked = Mapping[str, str]
"""Who asks, and for what: the specification's ``requestMetadata``."""


class OuterCipher(Protocol):
    """The other side's part of a key. Both raise the modelled error that the caller hears."""

    def wrap(self, random: Random, data: bytes, associated: bytes, asked: Asked) -> Wrapped:
        """Encrypt there."""
        ...

    def unwrap(self, wrapped: Wrapped, associated: bytes, asked: Asked) -> bytes:
        """Decrypt there. Raises Unreadable where the other side says that it did not make this."""
        ...

    def broken(self) -> Exception:
        """What a caller hears of an answer that cannot be right."""
        ...


class Outer(Material):
    """The material of a key in a custom key store. Waits for the other side: used beside the loop only."""

    __slots__ = ("_asked", "_cipher")

    def __init__(self, material: Material, cipher: OuterCipher, asked: Asked | None = None) -> None:
        """``asked``: the call that uses it; without one it cannot be used."""
        super().__init__(material.id, material._key)  # noqa: SLF001 - of its own class
        self._cipher = cipher
        self._asked = asked

    def asked_by(self, asked: Asked) -> Outer:
        """The same, for one call."""
        return Outer(self, self._cipher, asked)

    def encrypt(self, random: Random, plaintext: bytes, context: Mapping[str, str] | None = None) -> bytes:
        """A ciphertext of version 2. Raises the modelled error where the other side fails."""
        header = OUTER_VERSION + bytes.fromhex(self.id)
        inner = super().encrypt(random, plaintext, context)
        wrapped = self._cipher.wrap(random, inner, _associated(header, context), self._caller())
        lengths = bytes((len(wrapped.iv), len(wrapped.metadata)))
        return b"".join((header, lengths, wrapped.iv, wrapped.metadata, wrapped.tag, wrapped.ciphertext))

    def decrypt(self, blob: bytes, context: Mapping[str, str] | None = None) -> bytes:
        """The plaintext. Raises Unreadable, and the modelled error where the other side fails."""
        header = blob[: 1 + ID_BYTES]
        if header != OUTER_VERSION + bytes.fromhex(self.id):
            raise Unreadable
        inner = self._cipher.unwrap(_parsed(blob), _associated(header, context), self._caller())
        try:
            return super().decrypt(inner, context)
        except Unreadable:
            # The other side vouched for the ciphertext and the context; what it made of them is not what was encrypted.
            raise self._cipher.broken() from None

    def _caller(self) -> Asked:
        if self._asked is None:
            msg = "the material of a custom key store is used for a call"
            raise RuntimeError(msg)
        return self._asked


def _associated(header: bytes, context: Mapping[str, str] | None) -> bytes:
    """32 bytes: an encryption context may be longer than a proxy must take."""
    return hashlib.sha256(_LABEL + header + canonical_context(context)).digest()


def _parsed(blob: bytes) -> Wrapped:
    """Raises Unreadable on anything that no encryption here made."""
    if len(blob) < _FIXED:
        raise Unreadable
    iv_length, metadata_length = blob[_FIXED - 2], blob[_FIXED - 1]
    if iv_length not in IV_BYTES or metadata_length > METADATA_BYTES:
        raise Unreadable
    tag_at = _FIXED + iv_length + metadata_length
    if len(blob) <= tag_at + TAG_BYTES:
        raise Unreadable
    return Wrapped(
        ciphertext=blob[tag_at + TAG_BYTES :],
        iv=blob[_FIXED : _FIXED + iv_length],
        tag=blob[tag_at : tag_at + TAG_BYTES],
        metadata=blob[_FIXED + iv_length : tag_at],
    )


class ProxyCipher:
    """A key behind an external key store proxy."""

    def __init__(self, client: XksClient, proxy: Proxy, key_id: str) -> None:
        self._client = client
        self._proxy = proxy
        self._key_id = key_id

    def wrap(self, random: Random, data: bytes, associated: bytes, asked: Asked) -> Wrapped:  # noqa: ARG002 - the proxy makes its IV
        """Raises KMSInvalidStateException."""
        try:
            return self._client.encrypt(self._proxy, self._key_id, data, associated, asked)
        except ProxyError as error:
            raise faults.of_use(error.kind) from None

    def unwrap(self, wrapped: Wrapped, associated: bytes, asked: Asked) -> bytes:
        """Raises KMSInvalidStateException: AWS says so of a ciphertext that the proxy refuses, too."""
        try:
            return self._client.decrypt(self._proxy, self._key_id, wrapped, associated, asked)
        except ProxyError as error:
            raise faults.of_use(error.kind) from None

    def broken(self) -> Exception:
        """KMSInvalidStateException."""
        return faults.of_use(MALFORMED)


class TokenCipher:
    """A key in a PKCS#11 token."""

    def __init__(self, agent: Agent, label: str) -> None:
        self._agent = agent
        self._label = label

    def wrap(self, random: Random, data: bytes, associated: bytes, asked: Asked) -> Wrapped:  # noqa: ARG002 - the token is not told
        """Raises KMSInvalidStateException, DependencyTimeoutException, KMSInternalException."""
        iv = random(_TOKEN_IV)
        try:
            sealed = self._agent.encrypt(self._label, iv, associated, data)
        except HsmError as error:
            raise faults.of_hsm(error.kind) from None
        if len(sealed) != len(data) + TAG_BYTES:
            raise self.broken()
        return Wrapped(sealed[:-TAG_BYTES], iv, sealed[-TAG_BYTES:])

    def unwrap(self, wrapped: Wrapped, associated: bytes, asked: Asked) -> bytes:  # noqa: ARG002 - the same
        """Raises Unreadable, KMSInvalidStateException, DependencyTimeoutException, KMSInternalException."""
        try:
            return self._agent.decrypt(self._label, wrapped.iv, associated, wrapped.ciphertext + wrapped.tag)
        except HsmError as error:
            if error.kind == REFUSED:
                raise Unreadable from None
            raise faults.of_hsm(error.kind) from None

    def broken(self) -> Exception:
        """KMSInternalException."""
        return faults.of_hsm("")
