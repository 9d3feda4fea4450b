"""ML-DSA signatures. Sources: FIPS 204; RFC 9881 (encodings); KMS Developer Guide, "ML-DSA keys in AWS KMS".

The context of a signature is empty. What is kept of a key is its seed of 32 bytes. Signatures are hedged: two of one message
differ.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from garrison.keys.kms.algorithms.base import EXTERNAL_MU, Refused, Signer

SEED_BYTES: Final = 32
MU_BYTES: Final = 64
Private = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
Public = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey
PRIVATE: Final[dict[str, type[Private]]] = {
    "ML_DSA_44": mldsa.MLDSA44PrivateKey,
    "ML_DSA_65": mldsa.MLDSA65PrivateKey,
    "ML_DSA_87": mldsa.MLDSA87PrivateKey,
}


def seed_of(spec: str, der: bytes) -> bytes:
    """The seed in a private key of a spec as RFC 9881 writes it (PKCS #8, DER, with the seed). Raises ValueError."""
    found = load_der_private_key(der, None)
    if not isinstance(found, PRIVATE[spec]):
        msg = f"no key of {spec}"
        raise ValueError(msg)  # noqa: TRY004 - of the bytes, not of a caller's argument
    return found.private_bytes_raw()


def verify(public: Public, kind: str, message: bytes, signature: bytes) -> None:
    """Raises Refused unless the signature is that of the key's owner."""
    try:
        if kind == EXTERNAL_MU:
            public.verify_mu(signature, message)
        else:
            public.verify(signature, message)
    except InvalidSignature:
        raise Refused from None


class MlDsaKey(Signer):
    """An ML-DSA private key."""

    def __init__(self, spec: str, id: str, seed: bytes) -> None:  # noqa: A002 - AWS's word for it
        super().__init__(id)
        self._spec = spec
        self._seed = seed

    @cached_property
    def _private(self) -> Private:
        return PRIVATE[self._spec].from_seed_bytes(self._seed)

    @cached_property
    def _public(self) -> Public:
        return self._private.public_key()

    def public(self) -> bytes:
        """The public key: SubjectPublicKeyInfo, DER."""
        return self._public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, algorithm: str, kind: str, message: bytes) -> bytes:  # noqa: ARG002 - there is one algorithm
        """A signature of 2,420, 3,309 or 4,627 bytes."""
        return self._private.sign_mu(message) if kind == EXTERNAL_MU else self._private.sign(message)

    def verify(self, algorithm: str, kind: str, message: bytes, signature: bytes) -> None:  # noqa: ARG002 - as in sign
        """Raises Refused."""
        verify(self._public, kind, message, signature)
