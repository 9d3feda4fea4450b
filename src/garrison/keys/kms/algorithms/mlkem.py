"""ML-KEM key encapsulation. Sources: FIPS 203; RFC 9935 (encodings); KMS Developer Guide, "ML-KEM keys in AWS KMS".

What is kept of a key is its seed of 64 bytes (d || z). A ciphertext that was altered gives another secret, and nothing tells
(implicit rejection, FIPS 203, 6.3).

ML-KEM-768 and 1024 come from ``cryptography``, which does not offer 512; that comes from PyCryptodome, whose encapsulation has no
name of its own outside its HPKE: the two calls stand in :class:`_Small` alone, and published vectors go through them.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from garrison.keys.kms.algorithms.base import Encapsulator, Refused

SEED_BYTES: Final = 64
CIPHERTEXT_BYTES: Final = {"ML_KEM_512": 768, "ML_KEM_768": 1088, "ML_KEM_1024": 1568}


class _Private(Protocol):
    def public(self) -> bytes: ...
    def pkcs8(self) -> bytes: ...
    def encapsulate(self) -> tuple[bytes, bytes]: ...
    def decapsulate(self, ciphertext: bytes) -> bytes: ...


class _Small:
    """ML-KEM-512."""

    def __init__(self, seed: bytes) -> None:
        from Crypto.PublicKey import MLKEM  # noqa: PLC0415 - loading it costs a tenth of a start

        self._private = MLKEM.construct(param_set=MLKEM.ML_KEM_512, seed=seed)

    def public(self) -> bytes:
        return bytes(self._private.public_key().export_key(format="DER"))

    def pkcs8(self) -> bytes:
        return bytes(self._private.export_key(format="DER"))

    def encapsulate(self) -> tuple[bytes, bytes]:
        return self._private._encaps()  # noqa: SLF001 - see the module

    def decapsulate(self, ciphertext: bytes) -> bytes:
        return self._private._decaps(ciphertext)  # noqa: SLF001 - see the module


class _Large:
    """ML-KEM-768 and ML-KEM-1024."""

    def __init__(self, kind: type[mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey], seed: bytes) -> None:
        self._private = kind.from_seed_bytes(seed)

    def public(self) -> bytes:
        return self._private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def pkcs8(self) -> bytes:
        return self._private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def encapsulate(self) -> tuple[bytes, bytes]:
        return self._private.public_key().encapsulate()

    def decapsulate(self, ciphertext: bytes) -> bytes:
        return self._private.decapsulate(ciphertext)


def _open(spec: str, seed: bytes) -> _Private:
    if spec == "ML_KEM_512":
        return _Small(seed)
    return _Large(mlkem.MLKEM768PrivateKey if spec == "ML_KEM_768" else mlkem.MLKEM1024PrivateKey, seed)


def pkcs8(spec: str, seed: bytes) -> bytes:
    """A private key as RFC 9935 writes it: PKCS #8, DER, the seed alone; 86 bytes for each parameter set."""
    return _open(spec, seed).pkcs8()


def seed_of(spec: str, der: bytes) -> bytes:
    """The seed in what :func:`pkcs8` writes. RFC 9935 has longer forms, which are not taken. Raises ValueError."""
    seed = der[-SEED_BYTES:]
    if len(seed) != SEED_BYTES or pkcs8(spec, seed) != der:
        msg = f"no seed of {spec}"
        raise ValueError(msg)
    return seed


class MlKemKey(Encapsulator):
    """An ML-KEM private key."""

    def __init__(self, spec: str, id: str, seed: bytes) -> None:  # noqa: A002 - AWS's word for it
        super().__init__(id)
        self._spec = spec
        self._seed = seed

    @cached_property
    def _private(self) -> _Private:
        return _open(self._spec, self._seed)

    def public(self) -> bytes:
        """The public key: SubjectPublicKeyInfo, DER."""
        return self._private.public()

    def encapsulate(self) -> tuple[bytes, bytes]:
        """A new shared secret (32 bytes) and its encapsulation."""
        return self._private.encapsulate()

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The shared secret. Raises Refused where the ciphertext's length is not the parameter set's."""
        if len(ciphertext) != CIPHERTEXT_BYTES[self._spec]:
            raise Refused
        return self._private.decapsulate(ciphertext)
