"""Key material on its way into KMS, wrapped by the client's side: as OpenSSL and the guide's examples do it."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_public_key

from garrison.api import kms as api
from tests.support.kms import REGION, Kms, root


def wrap(public: bytes, algorithm: str, material: bytes, *, aes: bytes = b"k" * 32) -> bytes:
    """Material under a wrapping key (SubjectPublicKeyInfo)."""
    key = load_der_public_key(public)
    assert isinstance(key, rsa.RSAPublicKey)
    hashing = SHA1() if algorithm.endswith("SHA_1") else SHA256()  # noqa: S303 - KMS offers it
    padding = OAEP(MGF1(hashing), hashing, None)
    if algorithm.startswith("RSAES"):
        return key.encrypt(material, padding)
    return key.encrypt(aes, padding) + aes_key_wrap_with_padding(aes, material)


def wrapped(
    kms: Kms,
    key: api.KeyMetadata,
    material: bytes,
    algorithm: str = "RSAES_OAEP_SHA_256",
    spec: str = "RSA_2048",
    *,
    region: str = REGION,
    **more: Any,
) -> dict[str, Any]:
    """The members of an ImportKeyMaterial request."""
    found = kms(
        root(), "GetParametersForImport", region=region, key_id=key.key_id, wrapping_algorithm=algorithm, wrapping_key_spec=spec
    )
    return {
        "key_id": key.key_id,
        "import_token": found.import_token,
        "encrypted_key_material": wrap(found.public_key, algorithm, material),
        "expiration_model": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        **more,
    }
