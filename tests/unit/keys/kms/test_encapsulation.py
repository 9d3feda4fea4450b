"""Encapsulate and Decapsulate."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from garrison.api import kms as api
from garrison.core.errors import CommonError
from tests.support.kms import Kms, allow, root, user

ML_KEM: dict[str, Any] = {"encapsulation_algorithm": "ML_KEM"}


def new(kms: Kms, spec: str) -> api.KeyMetadata:
    return kms.new_key(key_spec=spec, key_usage="ENCAPSULATE_DECAPSULATE")


@pytest.mark.parametrize(("spec", "length"), [("ML_KEM_512", 768), ("ML_KEM_768", 1088), ("ML_KEM_1024", 1568)])
def test_there_and_back(kms: Kms, spec: str, length: int):
    key = new(kms, spec)
    made = kms(root(), "Encapsulate", key_id=key.key_id, **ML_KEM)
    assert (made.key_id, made.encapsulation_algorithm, len(made.shared_secret)) == (key.arn, "ML_KEM", 32)
    blob = made.shared_secret_ciphertext_blob
    assert len(blob) == length
    back = kms(root(), "Decapsulate", key_id=key.key_id, shared_secret_ciphertext_blob=blob, **ML_KEM)
    assert back == api.DecapsulateResponse(key_id=key.arn, shared_secret=made.shared_secret, encapsulation_algorithm="ML_KEM")
    assert kms(root(), "Encapsulate", key_id=key.key_id, **ML_KEM).shared_secret != made.shared_secret
    # KMS API Reference, "Decapsulate": another key or an altered blob gives other bytes, a wrong length InvalidCiphertextException.
    for key_id, bad in ((new(kms, spec).key_id, blob), (key.key_id, blob[:-1] + bytes([blob[-1] ^ 1]))):
        found = kms(root(), "Decapsulate", key_id=key_id, shared_secret_ciphertext_blob=bad, **ML_KEM).shared_secret
        assert len(found) == 32
        assert found != made.shared_secret
    for bad in (blob[:-1], blob + b"\0", b"x"):
        with pytest.raises(api.InvalidCiphertextException, match=r"^$"):
            kms(root(), "Decapsulate", key_id=key.key_id, shared_secret_ciphertext_blob=bad, **ML_KEM)


def test_a_secret_from_outside(kms: Kms):
    key = new(kms, "ML_KEM_768")
    public = load_der_public_key(kms(root(), "GetPublicKey", key_id=key.key_id).public_key)
    assert isinstance(public, MLKEM768PublicKey)
    secret, blob = public.encapsulate()
    answer = kms(root(), "Decapsulate", key_id=key.key_id, shared_secret_ciphertext_blob=blob, **ML_KEM)
    assert answer.shared_secret == secret


@pytest.mark.parametrize("operation", ["Encapsulate", "Decapsulate"])
def test_refusals(kms: Kms, operation: str):
    key = new(kms, "ML_KEM_768")
    blob = kms(root(), "Encapsulate", key_id=key.key_id, **ML_KEM).shared_secret_ciphertext_blob
    more = {**ML_KEM, **({"shared_secret_ciphertext_blob": blob} if operation == "Decapsulate" else {})}
    symmetric = kms.new_key()
    text = f"^{symmetric.arn} key usage is ENCRYPT_DECRYPT which is not valid for {operation}.$"
    with pytest.raises(api.InvalidKeyUsageException, match=text):
        kms(root(), operation, key_id=symmetric.key_id, **more)
    with pytest.raises(api.DryRunOperationException):
        kms(root(), operation, key_id=key.key_id, dry_run=True, **more)
    with pytest.raises(CommonError):
        kms(user("nobody", allow("kms:Encrypt")), operation, key_id=key.key_id, **more)
    kms(user("one", allow(f"kms:{operation}")), operation, key_id=key.key_id, **more)
    kms(root(), "DisableKey", key_id=key.key_id)
    with pytest.raises(api.DisabledException):
        kms(root(), operation, key_id=key.key_id, **more)
