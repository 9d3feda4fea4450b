"""Encrypt, Decrypt and ReEncrypt with RSA keys."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_der_public_key

from garrison.api import kms as api
from garrison.core.errors import CommonError
from garrison.core.operation import REGISTRY
from garrison.keys.kms.algorithms import rsa as family
from tests.support.kms import Calls, Kms, allow, root, user

SCHEMES = {"RSAES_OAEP_SHA_1": SHA1, "RSAES_OAEP_SHA_256": SHA256}


def new(kms: Kms, spec: str = "RSA_2048", usage: str = "ENCRYPT_DECRYPT") -> api.KeyMetadata:
    return kms.new_key(key_spec=spec, key_usage=usage)


def encrypted(kms: Kms, key: api.KeyMetadata, algorithm: str, plaintext: bytes = b"secret") -> bytes:
    answer = kms(root(), "Encrypt", key_id=key.key_id, plaintext=plaintext, encryption_algorithm=algorithm)
    assert (answer.key_id, answer.encryption_algorithm) == (key.arn, algorithm)
    blob: bytes = answer.ciphertext_blob
    return blob


@pytest.mark.parametrize("algorithm", SCHEMES)
@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
def test_there_and_back(kms: Kms, spec: str, algorithm: str):
    key = new(kms, spec)
    blob = encrypted(kms, key, algorithm)
    assert len(blob) == int(spec[4:]) // 8
    back = kms(root(), "Decrypt", key_id=key.key_id, ciphertext_blob=blob, encryption_algorithm=algorithm)
    assert back == api.DecryptResponse(key_id=key.arn, plaintext=b"secret", encryption_algorithm=algorithm)


@pytest.mark.parametrize("algorithm", SCHEMES)
def test_what_was_encrypted_outside(kms: Kms, algorithm: str):
    key = new(kms)
    public = load_der_public_key(kms(root(), "GetPublicKey", key_id=key.key_id).public_key)
    assert isinstance(public, rsa.RSAPublicKey)
    hashing = SCHEMES[algorithm]()
    blob = public.encrypt(b"from outside", padding.OAEP(padding.MGF1(hashing), hashing, None))
    back = kms(root(), "Decrypt", key_id=key.key_id, ciphertext_blob=blob, encryption_algorithm=algorithm)
    assert back.plaintext == b"from outside"


@pytest.mark.parametrize(
    ("spec", "algorithm", "most"),
    [("RSA_2048", "RSAES_OAEP_SHA_1", 214), ("RSA_2048", "RSAES_OAEP_SHA_256", 190), ("RSA_3072", "RSAES_OAEP_SHA_256", 318)],
)
def test_the_most_it_takes(kms: Kms, spec: str, algorithm: str, most: int):
    key = new(kms, spec)
    encrypted(kms, key, algorithm, b"x" * most)
    for dry_run in (None, True):
        with pytest.raises(CommonError) as caught:
            kms(
                root(), "Encrypt", key_id=key.key_id, plaintext=b"x" * (most + 1), encryption_algorithm=algorithm, dry_run=dry_run
            )
        # Recorded on AWS for RSA_2048 with SHA-1.
        assert caught.value.message == f"Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {most} bytes."


def test_the_algorithm_must_be_named(kms: Kms):
    key = new(kms)
    blob = encrypted(kms, key, "RSAES_OAEP_SHA_256")
    for algorithm in (None, "SYMMETRIC_DEFAULT"):
        with pytest.raises(
            api.InvalidKeyUsageException, match=r"^Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048\.$"
        ):
            kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x", encryption_algorithm=algorithm)
        # Measured on AWS: the ciphertext is looked at before the algorithm is.
        with pytest.raises(api.InvalidCiphertextException, match=r"^$"):
            kms(root(), "Decrypt", key_id=key.key_id, ciphertext_blob=blob, encryption_algorithm=algorithm)
    with pytest.raises(api.InvalidCiphertextException):
        kms(root(), "Decrypt", ciphertext_blob=blob, encryption_algorithm="RSAES_OAEP_SHA_256")  # no key is named
    symmetric = kms.new_key()
    ours = kms(root(), "Encrypt", key_id=symmetric.key_id, plaintext=b"x").ciphertext_blob
    with pytest.raises(api.InvalidKeyUsageException, match="SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048"):
        kms(root(), "Decrypt", key_id=key.key_id, ciphertext_blob=ours)
    for members in ({"key_id": symmetric.key_id}, {}):
        with pytest.raises(
            api.InvalidKeyUsageException, match="RSAES_OAEP_SHA_1 is incompatible with key spec SYMMETRIC_DEFAULT"
        ):
            kms(root(), "Decrypt", ciphertext_blob=ours, encryption_algorithm="RSAES_OAEP_SHA_1", **members)


def test_what_does_not_decrypt(kms: Kms):
    key, other = new(kms), new(kms)
    blob = encrypted(kms, key, "RSAES_OAEP_SHA_256")
    tries: list[tuple[api.KeyMetadata, bytes, str]] = [
        (other, blob, "RSAES_OAEP_SHA_256"),
        (key, blob, "RSAES_OAEP_SHA_1"),
        (key, blob[:-1], "RSAES_OAEP_SHA_256"),
        (key, blob + b"\0", "RSAES_OAEP_SHA_256"),
        (key, bytes([blob[0] ^ 1]) + blob[1:], "RSAES_OAEP_SHA_256"),
        (key, b"x", "RSAES_OAEP_SHA_256"),
        (key, b"\xff" * 256, "RSAES_OAEP_SHA_256"),
    ]
    for named, bad, algorithm in tries:
        with pytest.raises(api.InvalidCiphertextException, match=r"^$"):
            kms(root(), "Decrypt", key_id=named.key_id, ciphertext_blob=bad, encryption_algorithm=algorithm)


def test_no_encryption_context(kms: Kms):
    """An asymmetric ciphertext cannot be bound to one: refused rather than forgotten."""
    key = new(kms)
    blob = encrypted(kms, key, "RSAES_OAEP_SHA_256")
    members: dict[str, Any] = {
        "key_id": key.key_id,
        "encryption_algorithm": "RSAES_OAEP_SHA_256",
        "encryption_context": {"a": "b"},
    }
    calls: Calls = [("Encrypt", {"plaintext": b"x"}), ("Decrypt", {"ciphertext_blob": blob})]
    for operation, more in calls:
        with pytest.raises(CommonError, match="EncryptionContext"):
            kms(root(), operation, **members, **more)


def test_keys_for_signing_do_not_encrypt(kms: Kms):
    key = new(kms, usage="SIGN_VERIFY")
    calls: Calls = [("Encrypt", {"plaintext": b"x"}), ("Decrypt", {"ciphertext_blob": b"x"})]
    for operation, more in calls:
        text = f"^{key.arn} key usage is SIGN_VERIFY which is not valid for {operation}.$"  # recorded on AWS for Encrypt
        with pytest.raises(api.InvalidKeyUsageException, match=text):
            kms(root(), operation, key_id=key.key_id, encryption_algorithm="RSAES_OAEP_SHA_256", **more)


def test_re_encryption_between_kinds(kms: Kms):
    symmetric, asymmetric = kms.new_key(), new(kms)
    blob = kms(root(), "Encrypt", key_id=symmetric.key_id, plaintext=b"moved", encryption_context={"a": "b"}).ciphertext_blob
    oaep: dict[str, Any] = {"destination_key_id": asymmetric.key_id, "destination_encryption_algorithm": "RSAES_OAEP_SHA_256"}
    there = kms(root(), "ReEncrypt", ciphertext_blob=blob, source_encryption_context={"a": "b"}, **oaep)
    assert (there.source_encryption_algorithm, there.destination_encryption_algorithm) == (
        "SYMMETRIC_DEFAULT",
        "RSAES_OAEP_SHA_256",
    )
    assert (there.source_key_material_id, there.destination_key_material_id) == (symmetric.current_key_material_id, None)
    source: dict[str, Any] = {"source_key_id": asymmetric.key_id, "source_encryption_algorithm": "RSAES_OAEP_SHA_256"}
    back = kms(root(), "ReEncrypt", ciphertext_blob=there.ciphertext_blob, destination_key_id=symmetric.key_id, **source)
    assert (back.source_key_material_id, back.destination_key_material_id) == (None, symmetric.current_key_material_id)
    assert kms(root(), "Decrypt", ciphertext_blob=back.ciphertext_blob).plaintext == b"moved"
    long = kms(root(), "Encrypt", key_id=symmetric.key_id, plaintext=b"x" * 191).ciphertext_blob
    with pytest.raises(CommonError, match="cannot encrypt data larger than 190 bytes"):
        kms(root(), "ReEncrypt", ciphertext_blob=long, **oaep)


def test_condition_key(kms: Kms):
    key = new(kms)
    alice = user("alice", allow("kms:Encrypt", Condition={"StringEquals": {"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}}))
    kms(alice, "Encrypt", key_id=key.key_id, plaintext=b"x", encryption_algorithm="RSAES_OAEP_SHA_256")
    with pytest.raises(CommonError):
        kms(alice, "Encrypt", key_id=key.key_id, plaintext=b"x", encryption_algorithm="RSAES_OAEP_SHA_1")


def test_material_of_another_kind_in_a_forged_ciphertext(kms: Kms):
    """A ciphertext of the symmetric form that names an RSA key's material is no ciphertext."""
    key = new(kms)
    row = kms.store.reading().one("SELECT material_id FROM kms_material WHERE key_id = ?", key.key_id)
    assert row is not None
    forged = b"\1" + bytes.fromhex(row[0]) + bytes(100)
    with pytest.raises((api.InvalidCiphertextException, api.InvalidKeyUsageException)):
        kms(root(), "Decrypt", ciphertext_blob=forged)


def test_rsa_material_is_prepared_beside_the_loop_and_no_other(kms: Kms):
    prepare = REGISTRY["kms", "createkey"].prepare
    assert prepare is not None

    class Asked:
        random = staticmethod(bytes)

    asked: Any = Asked()
    work = prepare(asked, api.CreateKeyRequest(key_spec="RSA_2048", key_usage="SIGN_VERIFY"))
    assert work is not None
    made = work()
    assert isinstance(made, bytes)
    for spec, usage in (("ECC_NIST_P521", "SIGN_VERIFY"), ("HMAC_512", "GENERATE_VERIFY_MAC"), (None, None)):
        assert prepare(asked, api.CreateKeyRequest(key_spec=spec, key_usage=usage)) is None


def test_what_was_prepared_is_the_key(kms: Kms, monkeypatch: pytest.MonkeyPatch):
    prepared = rsa.generate_private_key(65537, 2048)
    der = prepared.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    made_so_far: list[int] = []

    def make(bits: int) -> bytes:
        made_so_far.append(bits)
        return der

    monkeypatch.setattr(family, "make", make)
    made = kms.new_key(key_spec="RSA_2048", key_usage="SIGN_VERIFY")
    assert made_so_far == [2048]
    public = prepared.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert kms(root(), "GetPublicKey", key_id=made.key_id).public_key == public
