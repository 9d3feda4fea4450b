"""GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext."""

from __future__ import annotations

from typing import Any

import pytest
from Crypto.PublicKey import MLKEM
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from garrison.api import kms as api
from garrison.core.errors import CommonError
from garrison.core.operation import REGISTRY
from garrison.keys.kms import names
from garrison.keys.kms.specs import SPECS
from tests.support.kms import Kms, allow, root, user

PAIRS = [name for name, spec in SPECS.items() if spec.pkcs8 is not None]
CONTEXT = {"app": "billing"}


def public_of(spec: str, private: bytes) -> bytes:
    """The public half of a private key, by other means than the code under test."""
    if spec == "ML_KEM_512":
        return bytes(MLKEM.import_key(private).public_key().export_key(format="DER"))
    key: Any = load_der_private_key(private, None)
    if spec.startswith("RSA"):
        assert isinstance(key, rsa.RSAPrivateKey)
        assert (key.key_size, key.public_key().public_numbers().e) == (int(spec[4:]), 65537)
    public: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return public


@pytest.mark.parametrize("spec", PAIRS)
def test_a_pair_of_each_kind(kms: Kms, spec: str):
    key = kms.new_key()
    members: dict[str, Any] = {"key_id": key.key_id, "key_pair_spec": spec, "encryption_context": CONTEXT}
    made = kms(root(), "GenerateDataKeyPair", **members)
    assert (made.key_id, made.key_pair_spec, made.key_material_id) == (key.arn, spec, key.current_key_material_id)
    assert public_of(spec, made.private_key_plaintext) == made.public_key
    opened = kms(root(), "Decrypt", ciphertext_blob=made.private_key_ciphertext_blob, encryption_context=CONTEXT)
    assert opened.plaintext == made.private_key_plaintext
    with pytest.raises(api.InvalidCiphertextException):
        kms(root(), "Decrypt", ciphertext_blob=made.private_key_ciphertext_blob)
    if "RSA" not in spec:
        bare = kms(root(), "GenerateDataKeyPairWithoutPlaintext", **members)
        private = kms(root(), "Decrypt", ciphertext_blob=bare.private_key_ciphertext_blob, encryption_context=CONTEXT).plaintext
        assert public_of(spec, private) == bare.public_key != made.public_key


@pytest.mark.parametrize("operation", ["GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"])
def test_refusals(kms: Kms, operation: str):
    key = kms.new_key()
    with pytest.raises(api.UnsupportedOperationException, match="KeyPairSpec SM2"):
        kms(root(), operation, key_id=key.key_id, key_pair_spec="SM2")
    with pytest.raises(api.DryRunOperationException):
        kms(root(), operation, key_id=key.key_id, key_pair_spec="RSA_4096", dry_run=True)
    signing = kms.new_key(key_spec="ECC_NIST_P256", key_usage="SIGN_VERIFY")
    text = f"^{signing.arn} key usage is SIGN_VERIFY which is not valid for {operation}.$"
    with pytest.raises(api.InvalidKeyUsageException, match=text):
        kms(root(), operation, key_id=signing.key_id, key_pair_spec="ECC_NIST_P256")
    encrypting = kms.new_key(key_spec="RSA_2048", key_usage="ENCRYPT_DECRYPT")
    with pytest.raises(
        api.InvalidKeyUsageException, match=r"^Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048\.$"
    ):
        kms(root(), operation, key_id=encrypting.key_id, key_pair_spec="ECC_NIST_P256")
    kms(root(), "DisableKey", key_id=key.key_id)
    with pytest.raises(api.DisabledException):
        kms(root(), operation, key_id=key.key_id, key_pair_spec="ECC_NIST_P256")


def test_condition_keys(kms: Kms):
    key = kms.new_key()
    conditions = {"kms:DataKeyPairSpec": "ECC_NIST_P256", "kms:EncryptionContext:app": "billing"}
    alice = user("alice", allow("kms:GenerateDataKeyPair", Condition={"StringEquals": conditions}))
    members: dict[str, Any] = {"key_id": key.key_id, "key_pair_spec": "ECC_NIST_P256", "encryption_context": CONTEXT}
    kms(alice, "GenerateDataKeyPair", **members)
    changed: dict[str, Any]
    for changed in ({"key_pair_spec": "ECC_NIST_P384"}, {"encryption_context": {}}):
        with pytest.raises(CommonError):
            kms(alice, "GenerateDataKeyPair", **{**members, **changed})


@pytest.mark.parametrize("operation", ["generatedatakeypair", "generatedatakeypairwithoutplaintext"])
def test_rsa_keys_are_made_beside_the_loop_and_no_others(monkeypatch: pytest.MonkeyPatch, operation: str):
    monkeypatch.setattr(names, "waits", lambda *_: False)  # the key is in no custom key store
    beside = REGISTRY["kms", operation].beside
    assert beside is not None
    request = api.GenerateDataKeyPairRequest
    for name in (*SPECS, "SM2"):
        ctx: Any = None
        assert beside(ctx, request(key_id="k", key_pair_spec=name)) is name.startswith("RSA_")
