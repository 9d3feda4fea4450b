"""Which keys there are: CreateKey, DescribeKey and GetPublicKey over the whole table of key specs."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from garrison.api import kms as api
from garrison.core.errors import CommonError
from garrison.core.model import load_model
from garrison.keys.kms.algorithms.base import KeyPair
from garrison.keys.kms.ciphertext import Material
from garrison.keys.kms.specs import SPECS
from tests.support.kms import REGION, Kms, root

PKCS1 = [f"RSASSA_PKCS1_V1_5_SHA_{bits}" for bits in (256, 384, 512)]
PSS = [f"RSASSA_PSS_SHA_{bits}" for bits in (256, 384, 512)]
# KMS API Reference, "CreateKey", KeyUsage; KMS Developer Guide, "Key spec reference".
TABLE: list[tuple[str, str, str, list[str]]] = [
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "encryption_algorithms", ["SYMMETRIC_DEFAULT"]),
    *(
        (f"RSA_{bits}", "ENCRYPT_DECRYPT", "encryption_algorithms", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"])
        for bits in (2048, 3072, 4096)
    ),
    *((f"RSA_{bits}", "SIGN_VERIFY", "signing_algorithms", PKCS1 + PSS) for bits in (2048, 3072, 4096)),
    *(
        (spec, "SIGN_VERIFY", "signing_algorithms", [f"ECDSA_SHA_{bits}"])
        for spec, bits in (("ECC_NIST_P256", 256), ("ECC_NIST_P384", 384), ("ECC_NIST_P521", 512), ("ECC_SECG_P256K1", 256))
    ),
    *((f"ECC_NIST_P{bits}", "KEY_AGREEMENT", "key_agreement_algorithms", ["ECDH"]) for bits in (256, 384, 521)),
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "signing_algorithms", ["ED25519_SHA_512", "ED25519_PH_SHA_512"]),
    *((f"HMAC_{bits}", "GENERATE_VERIFY_MAC", "mac_algorithms", [f"HMAC_SHA_{bits}"]) for bits in (224, 256, 384, 512)),
    *((f"ML_DSA_{size}", "SIGN_VERIFY", "signing_algorithms", ["ML_DSA_SHAKE_256"]) for size in (44, 65, 87)),
    *((f"ML_KEM_{size}", "ENCAPSULATE_DECAPSULATE", "encapsulation_algorithms", ["ML_KEM"]) for size in (512, 768, 1024)),
]
USAGES = {(spec, usage) for spec, usage, _, _ in TABLE}
MEMBERS = {member for _, _, member, _ in TABLE}
EVERY_USAGE = ["ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"]


def test_every_spec_and_usage_of_the_model_is_in_the_table():
    model = load_model("kms")
    assert set(SPECS) == set(model.shape("KeySpec").enum) - {"SM2"}
    assert {usage for _, usage in USAGES} == set(model.shape("KeyUsageType").enum) == set(EVERY_USAGE)
    assert {name for name, spec in SPECS.items() if spec.pkcs8} == set(model.shape("DataKeyPairSpec").enum) - {"SM2"}
    algorithms = {name for *_, names in TABLE for name in names}
    modelled = {
        name
        for shape in ("SigningAlgorithmSpec", "EncryptionAlgorithmSpec", "MacAlgorithmSpec", "KeyAgreementAlgorithmSpec")
        for name in model.shape(shape).enum
    }
    assert algorithms == modelled - {"SM2DSA", "SM2PKE"} | {"ML_KEM"}


@pytest.mark.parametrize(("spec", "usage", "member", "names"), TABLE, ids=[f"{row[0]}-{row[1]}" for row in TABLE])
def test_a_key_of_each_kind(kms: Kms, spec: str, usage: str, member: str, names: list[str]):
    made = kms.new_key(key_spec=spec, key_usage=usage)
    assert (made.key_spec, made.customer_master_key_spec, made.key_usage, made.key_state) == (spec, spec, usage, "Enabled")
    assert {found: getattr(made, found) for found in MEMBERS} == {**dict.fromkeys(MEMBERS), member: names}
    assert (made.current_key_material_id is not None) is (spec == "SYMMETRIC_DEFAULT")
    assert kms(root(), "DescribeKey", key_id=made.key_id).key_metadata == made
    configuration = kms.items[0].configuration if kms.items else {}
    assert configuration.get("KeySpec", spec) == spec
    key = kms.live.find(kms.store.reading(), REGION, made.key_id)
    assert key is not None
    assert (key.target.keys["kms:KeySpec"], key.target.keys["kms:KeyUsage"]) == (spec, usage)
    if not isinstance(key.current, KeyPair):
        with pytest.raises(api.UnsupportedOperationException, match=spec):
            kms(root(), "GetPublicKey", key_id=made.key_id)
        return
    answer = kms(root(), "GetPublicKey", key_id=made.key_id)
    assert (answer.key_id, answer.key_spec, answer.customer_master_key_spec, answer.key_usage) == (made.arn, spec, spec, usage)
    assert getattr(answer, member) == names
    if spec != "ML_KEM_512":
        assert load_der_public_key(answer.public_key) is not None


def test_the_material_is_what_was_sealed(kms: Kms):
    """Another worker, with nothing in memory, opens the same key."""
    made = kms.new_key(key_spec="ECC_NIST_P256", key_usage="SIGN_VERIFY")
    other = Kms(kms.store, kms.sealer)
    public = kms(root(), "GetPublicKey", key_id=made.key_id).public_key
    assert other(root(), "GetPublicKey", key_id=made.key_id).public_key == public


def test_the_old_name_of_the_spec(kms: Kms):
    made = kms.new_key(customer_master_key_spec="ECC_NIST_P256", key_usage="SIGN_VERIFY")
    assert (made.key_spec, made.customer_master_key_spec) == ("ECC_NIST_P256", "ECC_NIST_P256")


def refused(kms: Kms, **members: Any) -> str:
    with pytest.raises(CommonError) as caught:
        kms(root(), "CreateKey", **members)
    assert caught.value.kind == "validation"
    return caught.value.message


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec != "SYMMETRIC_DEFAULT"])
def test_every_other_usage_is_refused(kms: Kms, spec: str):
    for usage in EVERY_USAGE:
        if (spec, usage) not in USAGES:
            # Recorded on AWS for KEY_AGREEMENT with RSA_2048.
            assert refused(kms, key_spec=spec, key_usage=usage) == f"KeyUsage {usage} is not compatible with KeySpec {spec}"
    expected = "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
    assert refused(kms, key_spec=spec) == expected


@pytest.mark.parametrize("spec", SPECS)
def test_nothing_prints_material(spec: str):
    secret = SPECS[spec].make(lambda count: bytes(range(count)))
    material = SPECS[spec].load("ab" * 32, secret)
    assert repr(material) == f"<{type(material).__name__} {'ab' * 32}>"
    assert isinstance(material, Material) is (spec == "SYMMETRIC_DEFAULT")


@pytest.mark.parametrize("operation", ["GetPublicKey", "Sign", "Verify"])
def test_states(kms: Kms, operation: str):
    """KMS Developer Guide, "Key states of AWS KMS keys": none of these works with a disabled key or one that is to be deleted."""
    made = kms.new_key(key_spec="ECC_NIST_P256", key_usage="SIGN_VERIFY")
    members: dict[str, Any] = {} if operation == "GetPublicKey" else {"message": b"m", "signing_algorithm": "ECDSA_SHA_256"}
    if operation == "Verify":
        members["signature"] = kms(root(), "Sign", key_id=made.key_id, **members).signature
    kms(root(), "DisableKey", key_id=made.key_id)
    with pytest.raises(api.DisabledException, match=f"^{made.arn} is disabled.$"):
        kms(root(), operation, key_id=made.key_id, **members)
    kms(root(), "EnableKey", key_id=made.key_id)
    kms(root(), operation, key_id=made.key_id, **members)
    kms(root(), "ScheduleKeyDeletion", key_id=made.key_id)
    with pytest.raises(api.KMSInvalidStateException, match=f"^{made.arn} is pending deletion.$"):
        kms(root(), operation, key_id=made.key_id, **members)
