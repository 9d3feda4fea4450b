"""What the families have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

RAW, DIGEST, EXTERNAL_MU = "RAW", "DIGEST", "EXTERNAL_MU"
"""MessageType: a whole message; its hash; ML-DSA's representative of it (FIPS 204, 6.2)."""


class Refused(ValueError):  # noqa: N818 - what the bytes are, not what went wrong
    """A signature, MAC or ciphertext that is not valid. Why is told to nobody."""


class Secret:
    """One key material, open. Its secret bytes stay in here."""

    __slots__ = ("id",)

    def __init__(self, id: str) -> None:  # noqa: A002 - AWS's word for it
        """``id`` is 64 hex digits: AWS's KeyMaterialId."""
        self.id = id

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


class KeyPair(Secret, ABC):
    """A private key and its public half."""

    __slots__ = ()

    @abstractmethod
    def public(self) -> bytes:
        """The public key: SubjectPublicKeyInfo, DER (RFC 5280)."""


class Signer(KeyPair):
    """A key pair that signs."""

    __slots__ = ()

    @abstractmethod
    def sign(self, algorithm: str, kind: str, message: bytes) -> bytes:
        """A signature. ``kind`` is the MessageType; that it fits the algorithm, and the message it, was checked before."""

    @abstractmethod
    def verify(self, algorithm: str, kind: str, message: bytes, signature: bytes) -> None:
        """Raises Refused unless ``signature`` is one of this key, algorithm and message."""


class Decrypter(KeyPair):
    """A key pair that encrypts with its public half."""

    __slots__ = ()

    @abstractmethod
    def encrypt(self, algorithm: str, plaintext: bytes) -> bytes:
        """A ciphertext; that the plaintext is short enough was checked before."""

    @abstractmethod
    def decrypt(self, algorithm: str, ciphertext: bytes) -> bytes:
        """The plaintext. Raises Refused."""


class Agreer(KeyPair):
    """A key pair that agrees on a secret with another."""

    __slots__ = ()

    @abstractmethod
    def agree(self, peer: bytes) -> bytes:
        """The shared secret with a public key (SubjectPublicKeyInfo, DER). Raises Refused where that is none of this curve."""


class Encapsulator(KeyPair):
    """A key pair of a key-encapsulation mechanism."""

    __slots__ = ()

    @abstractmethod
    def encapsulate(self) -> tuple[bytes, bytes]:
        """A new shared secret and its encapsulation."""

    @abstractmethod
    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The shared secret. Raises Refused where the length is not the parameter set's; nothing else tells right from wrong."""
