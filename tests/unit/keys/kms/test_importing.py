"""Imported material. Sources: KMS API Reference, "GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial"; KMS
Developer Guide, "Importing key material for AWS KMS keys". The client's side is wrapped by another code path (tests/support)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

from garrison.api import kms as api
from garrison.audit import Recorder, Trail
from garrison.core.errors import CommonError, ServiceError
from garrison.keys.kms import due_work, wrapping
from garrison.keys.kms.algorithms import mldsa, mlkem
from garrison.keys.kms.specs import SPECS
from tests.support.importing import wrap, wrapped
from tests.support.kms import ACCOUNT, NOW, REGION, Kms, allow, root, user

MATERIAL, OTHER = bytes(range(32)), bytes(range(1, 33))
ALGORITHMS = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256")
DAY = 86_400
US = "us-west-2"


@pytest.fixture
def key(kms: Kms) -> api.KeyMetadata:
    return kms.new_key(origin="EXTERNAL")


@pytest.fixture
def recorder(kms: Kms) -> Iterator[Recorder]:
    found = Recorder(kms.store, None, kms.sealer)
    yield found
    found.close()


def put(kms: Kms, key: api.KeyMetadata, material: bytes = MATERIAL, region: str = REGION, **more: Any) -> str:
    found: str = kms(
        root(), "ImportKeyMaterial", region=region, **wrapped(kms, key, material, region=region, **more)
    ).key_material_id
    return found


def metadata(kms: Kms, key: api.KeyMetadata, region: str = REGION) -> api.KeyMetadata:
    found: api.KeyMetadata = kms(root(), "DescribeKey", region=region, key_id=key.key_id).key_metadata
    return found


def states(kms: Kms, key: api.KeyMetadata, region: str = REGION) -> list[tuple[str | None, str | None]]:
    found = kms(root(), "ListKeyRotations", region=region, key_id=key.key_id, include_key_material="ALL_KEY_MATERIAL").rotations
    return [(one.key_material_state, one.import_state) for one in found]


def encrypted(kms: Kms, key: api.KeyMetadata, region: str = REGION) -> bytes:
    blob: bytes = kms(root(), "Encrypt", region=region, key_id=key.key_id, plaintext=b"x").ciphertext_blob
    return blob


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_symmetric_material_under_each_wrapping(kms: Kms, key: api.KeyMetadata, algorithm: str):
    assert (key.key_state, key.enabled, key.origin) == ("PendingImport", False, "EXTERNAL")
    answer = kms(root(), "ImportKeyMaterial", **wrapped(kms, key, MATERIAL, algorithm))
    found = metadata(kms, key)
    assert (found.key_state, found.expiration_model, found.valid_to) == ("Enabled", "KEY_MATERIAL_DOES_NOT_EXPIRE", None)
    assert found.current_key_material_id == answer.key_material_id
    assert kms(root(), "Decrypt", ciphertext_blob=encrypted(kms, key)).plaintext == b"x"


@pytest.mark.parametrize("spec", ["RSA_3072", "RSA_4096"])
def test_longer_wrapping_keys(kms: Kms, key: api.KeyMetadata, spec: str):
    members = wrapped(kms, key, MATERIAL, "RSA_AES_KEY_WRAP_SHA_256", spec)
    kms(root(), "ImportKeyMaterial", **members)
    found = load_der_public_key(
        kms(
            root(), "GetParametersForImport", key_id=key.key_id, wrapping_algorithm="RSAES_OAEP_SHA_256", wrapping_key_spec=spec
        ).public_key
    )
    assert isinstance(found, rsa.RSAPublicKey)
    assert found.key_size == int(spec[4:])
    assert len(members["import_token"]) <= 6144


def pkcs8(private: Any) -> bytes:
    der: bytes = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return der


PRIVATE: dict[str, tuple[str, Any, str]] = {
    "ECC_NIST_P256": ("SIGN_VERIFY", lambda: ec.generate_private_key(ec.SECP256R1()), "RSAES_OAEP_SHA_256"),
    "ECC_NIST_P384": ("SIGN_VERIFY", lambda: ec.generate_private_key(ec.SECP384R1()), "RSA_AES_KEY_WRAP_SHA_1"),
    "ECC_NIST_P521": ("KEY_AGREEMENT", lambda: ec.generate_private_key(ec.SECP521R1()), "RSA_AES_KEY_WRAP_SHA_256"),
    "ECC_SECG_P256K1": ("SIGN_VERIFY", lambda: ec.generate_private_key(ec.SECP256K1()), "RSAES_OAEP_SHA_1"),
    "ECC_NIST_EDWARDS25519": ("SIGN_VERIFY", Ed25519PrivateKey.generate, "RSAES_OAEP_SHA_256"),
    "RSA_2048": ("ENCRYPT_DECRYPT", lambda: rsa.generate_private_key(65537, 2048), "RSA_AES_KEY_WRAP_SHA_256"),
}


@pytest.mark.parametrize("spec", PRIVATE)
def test_a_private_key_from_outside(kms: Kms, spec: str):
    usage, make, algorithm = PRIVATE[spec]
    private = make()
    key = kms.new_key(origin="EXTERNAL", key_spec=spec, key_usage=usage)
    kms(root(), "ImportKeyMaterial", **wrapped(kms, key, pkcs8(private), algorithm))
    public = kms(root(), "GetPublicKey", key_id=key.key_id).public_key
    assert public == private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    kms(root(), "DeleteImportedKeyMaterial", key_id=key.key_id)
    with pytest.raises(api.KMSInvalidStateException, match="is pending import"):
        kms(root(), "GetPublicKey", key_id=key.key_id)
    with pytest.raises(api.IncorrectKeyMaterialException):
        kms(root(), "ImportKeyMaterial", **wrapped(kms, key, pkcs8(make()), algorithm))
    kms(root(), "ImportKeyMaterial", **wrapped(kms, key, pkcs8(private), algorithm))
    assert kms(root(), "GetPublicKey", key_id=key.key_id).public_key == public
    with pytest.raises(api.IncorrectKeyMaterialException):
        kms(root(), "ImportKeyMaterial", **wrapped(kms, key, pkcs8(make()), algorithm))


# RFC 9881, C.1.1, and RFC 9935, C.1: private keys as seeds, 00 01 02 ...
ML_DSA = "3034020100300b06096086480165030403{:02x}04228020" + bytes(range(32)).hex()
ML_KEM = "3054020100300b06096086480165030404{:02x}04428040" + bytes(range(64)).hex()
SEEDS = {
    "ML_DSA_44": bytes.fromhex(ML_DSA.format(17)),
    "ML_DSA_65": bytes.fromhex(ML_DSA.format(18)),
    "ML_DSA_87": bytes.fromhex(ML_DSA.format(19)),
    "ML_KEM_512": bytes.fromhex(ML_KEM.format(1)),
    "ML_KEM_768": bytes.fromhex(ML_KEM.format(2)),
    "ML_KEM_1024": bytes.fromhex(ML_KEM.format(3)),
}


@pytest.mark.parametrize("spec", SEEDS)
@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_256"])
def test_a_seed_from_outside(kms: Kms, spec: str, algorithm: str):
    usage = "SIGN_VERIFY" if spec.startswith("ML_DSA") else "ENCAPSULATE_DECAPSULATE"
    key = kms.new_key(origin="EXTERNAL", key_spec=spec, key_usage=usage)
    kms(root(), "ImportKeyMaterial", **wrapped(kms, key, SEEDS[spec], algorithm))
    public = kms(root(), "GetPublicKey", key_id=key.key_id).public_key
    theirs = load_der_public_key(public) if spec != "ML_KEM_512" else None  # which that library does not have
    if usage == "SIGN_VERIFY":
        assert isinstance(theirs, mldsa.Public)
        given: dict[str, Any] = {"message": b"x", "signing_algorithm": "ML_DSA_SHAKE_256"}
        theirs.verify(kms(root(), "Sign", key_id=key.key_id, **given).signature, b"x")
    else:
        made = kms(root(), "Encapsulate", key_id=key.key_id, encapsulation_algorithm="ML_KEM")
        opened = mlkem.MlKemKey(spec, "ab" * 32, bytes(range(64))).decapsulate(made.shared_secret_ciphertext_blob)
        assert opened == made.shared_secret
    with pytest.raises(api.IncorrectKeyMaterialException):
        kms(root(), "ImportKeyMaterial", **wrapped(kms, key, SEEDS[spec][:-1] + b"\0", algorithm))
    kms(root(), "DeleteImportedKeyMaterial", key_id=key.key_id)
    kms(root(), "ImportKeyMaterial", **wrapped(kms, key, SEEDS[spec], algorithm))
    assert kms(root(), "GetPublicKey", key_id=key.key_id).public_key == public


@pytest.mark.parametrize("spec", SEEDS)
def test_what_is_no_seed_of_the_spec(spec: str):
    good = SEEDS[spec]
    others = [one for name, one in SEEDS.items() if name != spec]
    for bad in (good[:-1], good + b"\0", good[1:], good[22:], good[-32:], b"", *others, pkcs8(Ed25519PrivateKey.generate())):
        with pytest.raises(wrapping.Unfit, match="not the seed of a private key"):
            wrapping.canonical(spec, bad)


def test_every_spec_takes_material_from_outside(kms: Kms):
    """API Reference, "GetParametersForImport", KeyId: all KMS key types are supported."""
    for spec in SPECS.values():
        for usage in spec.algorithms:
            key = kms.new_key(origin="EXTERNAL", key_spec=spec.name, key_usage=usage)
            assert (key.key_state, key.origin) == ("PendingImport", "EXTERNAL")
        with pytest.raises(wrapping.Unfit):
            wrapping.canonical(spec.name, b"x")


def test_a_mac_key_from_outside(kms: Kms):
    key = kms.new_key(origin="EXTERNAL", key_spec="HMAC_256", key_usage="GENERATE_VERIFY_MAC")
    put(kms, key, MATERIAL)
    mac = kms(root(), "GenerateMac", key_id=key.key_id, message=b"x", mac_algorithm="HMAC_SHA_256").mac
    assert mac == hmac.new(MATERIAL, b"x", hashlib.sha256).digest()
    for member in ({"import_type": "NEW_KEY_MATERIAL"}, {"key_material_description": "d"}, {"key_material_id": "0" * 64}):
        with pytest.raises(CommonError, match="symmetric encryption KMS keys only"):
            put(kms, key, MATERIAL, **member)


@pytest.mark.parametrize(
    ("spec", "usage", "algorithm", "wrapping_spec"),
    [
        ("RSA_2048", "SIGN_VERIFY", "RSAES_OAEP_SHA_256", "RSA_4096"),
        ("ECC_NIST_P521", "SIGN_VERIFY", "RSAES_OAEP_SHA_1", "RSA_2048"),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "RSAES_PKCS1_V1_5", "RSA_2048"),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "SM2PKE", "SM2"),
    ],
)
def test_wrappings_that_do_not_fit(kms: Kms, spec: str, usage: str, algorithm: str, wrapping_spec: str):
    key = kms.new_key(origin="EXTERNAL", key_spec=spec, key_usage=usage)
    with pytest.raises(api.UnsupportedOperationException):
        kms(root(), "GetParametersForImport", key_id=key.key_id, wrapping_algorithm=algorithm, wrapping_key_spec=wrapping_spec)


@pytest.mark.parametrize("material", [b"", b"x", bytes(31), bytes(33), bytes(64)])
def test_symmetric_material_has_256_bits(kms: Kms, key: api.KeyMetadata, material: bytes):
    with pytest.raises(api.IncorrectKeyMaterialException):
        put(kms, key, material) if material else kms(root(), "ImportKeyMaterial", **wrapped(kms, key, material))
    assert metadata(kms, key).key_state == "PendingImport"


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "RSA_2048"])
def test_what_is_no_private_key_of_the_spec(kms: Kms, spec: str):
    key = kms.new_key(origin="EXTERNAL", key_spec=spec, key_usage="SIGN_VERIFY")
    wrong = [b"x" * 40, pkcs8(ec.generate_private_key(ec.SECP384R1())), pkcs8(Ed25519PrivateKey.generate())]
    for material in wrong:
        with pytest.raises(api.IncorrectKeyMaterialException):
            kms(root(), "ImportKeyMaterial", **wrapped(kms, key, material, "RSA_AES_KEY_WRAP_SHA_256"))


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_a_token_is_good_for_a_day_for_its_key_and_its_public_key(kms: Kms, key: api.KeyMetadata):
    members, again = wrapped(kms, key, MATERIAL), wrapped(kms, key, MATERIAL)
    other = kms.new_key(origin="EXTERNAL")
    with pytest.raises(api.InvalidImportTokenException):
        kms(root(), "ImportKeyMaterial", **{**members, "key_id": other.key_id})
    with pytest.raises(api.InvalidCiphertextException):
        kms(root(), "ImportKeyMaterial", **{**members, "import_token": again["import_token"]})
    kms.now = NOW + DAY - 1
    kms(root(), "ImportKeyMaterial", **members)
    kms.now = NOW + DAY
    with pytest.raises(api.ExpiredImportTokenException):
        kms(root(), "ImportKeyMaterial", **members)


def test_what_was_altered_on_its_way(kms: Kms, key: api.KeyMetadata):
    for algorithm in ALGORITHMS:
        members = wrapped(kms, key, MATERIAL, algorithm)
        for name, error in (
            ("import_token", api.InvalidImportTokenException),
            ("encrypted_key_material", api.InvalidCiphertextException),
        ):
            value = members[name]
            for at in {0, 1, len(value) // 2, len(value) - 1, *range(0, len(value), 97)}:
                bad = value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
                with pytest.raises(error):
                    kms(root(), "ImportKeyMaterial", **{**members, name: bad})
            for bad in (b"x", value[:-1], value + b"\0"):
                with pytest.raises(error):
                    kms(root(), "ImportKeyMaterial", **{**members, name: bad})
    assert metadata(kms, key).key_state == "PendingImport"


# -- expiry, deletion, and again ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "members",
    [
        {"expiration_model": None},
        {"expiration_model": "KEY_MATERIAL_EXPIRES"},
        {"expiration_model": "KEY_MATERIAL_DOES_NOT_EXPIRE", "valid_to": NOW + DAY},
        {"expiration_model": "KEY_MATERIAL_EXPIRES", "valid_to": NOW},
        {"expiration_model": "KEY_MATERIAL_EXPIRES", "valid_to": NOW + 365 * DAY + 1},
    ],
)
def test_expiry_must_make_sense(kms: Kms, key: api.KeyMetadata, members: dict[str, Any]):
    with pytest.raises(CommonError, match="ValidTo") as error:
        put(kms, key, **members)
    assert error.value.kind == "validation"


def test_material_expires_and_the_same_comes_back(kms: Kms, key: api.KeyMetadata, recorder: Recorder):
    material_id = put(kms, key, expiration_model="KEY_MATERIAL_EXPIRES", valid_to=NOW + DAY)
    found = metadata(kms, key)
    assert (found.expiration_model, found.valid_to) == ("KEY_MATERIAL_EXPIRES", NOW + DAY)
    blob = encrypted(kms, key)
    assert due_work(kms.store, recorder, kms.live, NOW + DAY - 1) == 0
    assert due_work(kms.store, recorder, kms.live, NOW + DAY) == 1
    assert due_work(kms.store, recorder, kms.live, NOW + DAY) == 0
    assert metadata(kms, key).key_state == "PendingImport"
    (entry,) = Trail(kms.store, None, recorder).lookup(ACCOUNT, event_name="DeleteExpiredKeyMaterial")
    # KMS Developer Guide, "DeleteExpiredKeyMaterial": the members of the example.
    assert entry["event"]["serviceEventDetails"] == {"keyId": key.key_id, "keyMaterialId": material_id}
    assert kms.store.reading().all("SELECT sealed, present FROM kms_material") == [(b"", 0)]
    with pytest.raises(api.KMSInvalidStateException, match="is pending import"):
        kms(root(), "Decrypt", ciphertext_blob=blob)
    with pytest.raises(api.IncorrectKeyMaterialException):
        put(kms, key, OTHER)
    assert put(kms, key) == material_id
    assert kms(root(), "Decrypt", ciphertext_blob=blob).plaintext == b"x"


def test_reimporting_changes_the_expiry(kms: Kms, key: api.KeyMetadata):
    put(kms, key, expiration_model="KEY_MATERIAL_EXPIRES", valid_to=NOW + DAY, key_material_description="first")
    put(kms, key)
    assert metadata(kms, key).expiration_model == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    (row,) = kms(root(), "ListKeyRotations", key_id=key.key_id, include_key_material="ALL_KEY_MATERIAL").rotations
    assert (row.key_material_description, row.valid_to) == ("first", None), "the description stays where none is given"


def test_delete_imported_key_material(kms: Kms, key: api.KeyMetadata):
    assert kms(root(), "DeleteImportedKeyMaterial", key_id=key.key_id) == api.DeleteImportedKeyMaterialResponse(key_id=key.arn)
    material_id = put(kms, key)
    with pytest.raises(api.NotFoundException):
        kms(root(), "DeleteImportedKeyMaterial", key_id=key.key_id, key_material_id="0" * 64)
    kms(root(), "ScheduleKeyDeletion", key_id=key.key_id)
    answer = kms(root(), "DeleteImportedKeyMaterial", key_id=key.key_id)
    assert answer.key_material_id == material_id
    assert metadata(kms, key).key_state == "PendingDeletion"
    kms(root(), "CancelKeyDeletion", key_id=key.key_id)
    with pytest.raises(ServiceError):
        encrypted(kms, key)


def test_material_ids_say_which_material_and_which_key(kms: Kms, key: api.KeyMetadata):
    other = kms.new_key(origin="EXTERNAL")
    ids = {put(kms, key), put(kms, other)}
    assert len(ids) == 2
    assert put(kms, key, key_material_id=put(kms, key)) in ids
    with pytest.raises(api.IncorrectKeyMaterialException):
        put(kms, key, key_material_id="0" * 64)
    with pytest.raises(CommonError, match="NEW_KEY_MATERIAL"):
        put(kms, key, import_type="NEW_KEY_MATERIAL", key_material_id="0" * 64)


# -- several materials ---------------------------------------------------------------------------------------------------


def test_new_material_waits_for_a_rotation_on_demand(kms: Kms, key: api.KeyMetadata):
    with pytest.raises(api.IncorrectKeyMaterialException):
        put(kms, key, import_type="EXISTING_KEY_MATERIAL")
    first = put(kms, key, import_type="NEW_KEY_MATERIAL")
    with pytest.raises(api.KMSInvalidStateException):
        kms(root(), "RotateKeyOnDemand", key_id=key.key_id)
    old = encrypted(kms, key)
    with pytest.raises(api.IncorrectKeyMaterialException):
        put(kms, key, import_type="NEW_KEY_MATERIAL")
    second = put(kms, key, OTHER, import_type="NEW_KEY_MATERIAL")
    assert states(kms, key) == [("CURRENT", "IMPORTED"), ("PENDING_ROTATION", "IMPORTED")]
    assert metadata(kms, key).current_key_material_id == first
    with pytest.raises(api.IncorrectKeyMaterialException, match="waits for its rotation"):
        put(kms, key, bytes(32), import_type="NEW_KEY_MATERIAL")
    kms(root(), "RotateKeyOnDemand", key_id=key.key_id)
    details = kms.events[0].service_details or {}
    assert (details["keyOrigin"], details["previousKeyMaterialId"], details["currentKeyMaterialId"]) == (
        "EXTERNAL",
        first,
        second,
    )
    assert states(kms, key) == [("NON_CURRENT", "IMPORTED"), ("CURRENT", "IMPORTED")]
    assert metadata(kms, key).current_key_material_id == second
    assert kms(root(), "Decrypt", ciphertext_blob=old).key_material_id == first
    kms(root(), "DeleteImportedKeyMaterial", key_id=key.key_id, key_material_id=first)
    assert metadata(kms, key).key_state == "PendingImport", "any missing material makes the key unusable"
    put(kms, key, MATERIAL)
    assert metadata(kms, key).key_state == "Enabled"
    assert kms(root(), "Decrypt", ciphertext_blob=old).plaintext == b"x"


def test_material_that_waits_can_be_taken_back(kms: Kms, key: api.KeyMetadata):
    put(kms, key)
    second = put(kms, key, OTHER, import_type="NEW_KEY_MATERIAL")
    kms(root(), "DeleteImportedKeyMaterial", key_id=key.key_id, key_material_id=second)
    assert states(kms, key) == [("CURRENT", "IMPORTED")]
    assert metadata(kms, key).key_state == "Enabled"
    put(kms, key, bytes(32), import_type="NEW_KEY_MATERIAL")
    assert states(kms, key)[1] == ("PENDING_ROTATION", "IMPORTED")


def test_imported_material_of_a_multi_region_key(kms: Kms):
    key = kms.new_key(origin="EXTERNAL", multi_region=True)
    first = put(kms, key)
    kms(root(), "ReplicateKey", key_id=key.key_id, replica_region=US)
    assert metadata(kms, key, US).key_state == "PendingImport"
    with pytest.raises(api.UnsupportedOperationException, match="primary key first"):
        put(kms, key, OTHER, US, import_type="NEW_KEY_MATERIAL")
    with pytest.raises(api.IncorrectKeyMaterialException):
        put(kms, key, OTHER, US)
    assert put(kms, key, MATERIAL, US) == first
    assert kms(root(), "Decrypt", region=US, ciphertext_blob=encrypted(kms, key)).plaintext == b"x"
    put(kms, key, OTHER, import_type="NEW_KEY_MATERIAL")
    waiting = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
    assert states(kms, key)[1] == (waiting, "IMPORTED")
    assert states(kms, key, US)[1] == (waiting, "PENDING_IMPORT")
    assert metadata(kms, key, US).key_state == "Enabled", "what waits does not belong to the key yet"
    with pytest.raises(api.KMSInvalidStateException):
        kms(root(), "RotateKeyOnDemand", key_id=key.key_id)
    put(kms, key, OTHER, US, import_type="EXISTING_KEY_MATERIAL")
    assert states(kms, key)[1] == ("PENDING_ROTATION", "IMPORTED")
    kms(root(), "RotateKeyOnDemand", key_id=key.key_id)
    blob = encrypted(kms, key, US)
    assert kms(root(), "Decrypt", ciphertext_blob=blob).plaintext == b"x"
    assert states(kms, key) == states(kms, key, US) == [("NON_CURRENT", "IMPORTED"), ("CURRENT", "IMPORTED")]


def test_what_waits_goes_from_the_replicas_with_the_primary(kms: Kms):
    key = kms.new_key(origin="EXTERNAL", multi_region=True)
    put(kms, key)
    kms(root(), "ReplicateKey", key_id=key.key_id, replica_region=US)
    put(kms, key, MATERIAL, US)
    second = put(kms, key, OTHER, import_type="NEW_KEY_MATERIAL")
    put(kms, key, OTHER, US)
    kms(root(), "DeleteImportedKeyMaterial", region=US, key_id=key.key_id, key_material_id=second)
    assert states(kms, key)[1] == ("PENDING_MULTI_REGION_IMPORT_AND_ROTATION", "IMPORTED")
    kms(root(), "DeleteImportedKeyMaterial", key_id=key.key_id, key_material_id=second)
    assert states(kms, key) == states(kms, key, US) == [("CURRENT", "IMPORTED")]


# -- conditions, and the trail ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEquals": {"kms:WrappingAlgorithm": "RSAES_OAEP_SHA_256"}}, True),
        ({"StringEquals": {"kms:WrappingAlgorithm": "RSAES_OAEP_SHA_1"}}, False),
        ({"StringEquals": {"kms:WrappingKeySpec": "RSA_2048"}}, True),
        ({"StringEquals": {"kms:WrappingKeySpec": "RSA_4096"}}, False),
    ],
)
def test_condition_keys_of_the_parameters(kms: Kms, key: api.KeyMetadata, condition: dict[str, Any], *, allowed: bool):
    caller = user("alice", allow("kms:GetParametersForImport", Condition=condition))
    members = {"key_id": key.key_id, "wrapping_algorithm": "RSAES_OAEP_SHA_256", "wrapping_key_spec": "RSA_2048"}
    if allowed:
        kms(caller, "GetParametersForImport", **members)
    else:
        with pytest.raises(CommonError):
            kms(caller, "GetParametersForImport", **members)


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEquals": {"kms:ExpirationModel": "KEY_MATERIAL_EXPIRES"}}, True),
        ({"StringEquals": {"kms:ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}}, False),
        ({"DateLessThan": {"kms:ValidTo": "2030-01-01T00:00:00Z"}}, True),
        ({"DateLessThan": {"kms:ValidTo": "2020-01-01T00:00:00Z"}}, False),
    ],
)
def test_condition_keys_of_the_import(kms: Kms, key: api.KeyMetadata, condition: dict[str, Any], *, allowed: bool):
    caller = user("alice", allow("kms:ImportKeyMaterial", Condition=condition))
    members = wrapped(kms, key, MATERIAL, expiration_model="KEY_MATERIAL_EXPIRES", valid_to=NOW + DAY)
    if allowed:
        kms(caller, "ImportKeyMaterial", **members)
    else:
        with pytest.raises(CommonError):
            kms(caller, "ImportKeyMaterial", **members)


def test_unwrapping_refuses_other_lengths_of_the_inner_key(kms: Kms, key: api.KeyMetadata):
    found = kms(
        root(),
        "GetParametersForImport",
        key_id=key.key_id,
        wrapping_algorithm="RSA_AES_KEY_WRAP_SHA_256",
        wrapping_key_spec="RSA_2048",
    )
    good = wrap(found.public_key, "RSA_AES_KEY_WRAP_SHA_256", MATERIAL, aes=b"k" * 16)
    bad = wrap(found.public_key, "RSAES_OAEP_SHA_256", b"k" * 20) + good[256:]
    members = {"key_id": key.key_id, "import_token": found.import_token, "expiration_model": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    with pytest.raises(api.InvalidCiphertextException):
        kms(root(), "ImportKeyMaterial", encrypted_key_material=bad, **members)
    kms(root(), "ImportKeyMaterial", encrypted_key_material=good, **members)


@pytest.mark.parametrize("spec", ["SYMMETRIC_DEFAULT", "HMAC_256"])
def test_material_is_unwrapped_before_the_transaction_and_once(kms: Kms, monkeypatch: pytest.MonkeyPatch, spec: str):
    usage = "ENCRYPT_DECRYPT" if spec == "SYMMETRIC_DEFAULT" else "GENERATE_VERIFY_MAC"
    members = wrapped(kms, kms.new_key(origin="EXTERNAL", key_spec=spec, key_usage=usage), bytes(32))
    unwrap, within = wrapping.unwrap, list[bool]()

    def watched(token: wrapping.Token, blob: bytes) -> bytes:
        within.append(kms.store.in_unit)
        return unwrap(token, blob)

    monkeypatch.setattr(wrapping, "unwrap", watched)
    kms(root(), "ImportKeyMaterial", **members)
    assert within == [False]
