"""DeriveSharedSecret."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from garrison.api import kms as api
from garrison.core.errors import CommonError, ModelledError
from garrison.keys.kms.algorithms.ecc import CURVES
from tests.support.kms import Kms, allow, root, user

ECDH: dict[str, Any] = {"key_agreement_algorithm": "ECDH"}


def new(kms: Kms, spec: str) -> api.KeyMetadata:
    return kms.new_key(key_spec=spec, key_usage="KEY_AGREEMENT")


def public(key: ec.EllipticCurvePrivateKey, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, form)


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"])
def test_both_sides_have_the_same_secret(kms: Kms, spec: str):
    key = new(kms, spec)
    mine = ec.generate_private_key(CURVES[spec])
    answer = kms(root(), "DeriveSharedSecret", key_id=key.key_id, public_key=public(mine), **ECDH)
    assert (answer.key_id, answer.key_agreement_algorithm, answer.key_origin) == (key.arn, "ECDH", "AWS_KMS")
    theirs = load_der_public_key(kms(root(), "GetPublicKey", key_id=key.key_id).public_key)
    assert isinstance(theirs, ec.EllipticCurvePublicKey)
    assert answer.shared_secret == mine.exchange(ec.ECDH(), theirs)


def test_keys_that_are_no_peer(kms: Kms):
    key = new(kms, "ECC_NIST_P256")
    other = ec.generate_private_key(ec.SECP384R1())
    good = public(ec.generate_private_key(ec.SECP256R1()))
    for bad in (b"x", public(other), good[:-1], good[:-1] + bytes([good[-1] ^ 1])):
        with pytest.raises(ModelledError) as caught:
            kms(root(), "DeriveSharedSecret", key_id=key.key_id, public_key=bad, **ECDH)
        found = (caught.value.code, caught.value.message, caught.value.status)
        assert found == ("ValidationException", "", 400)  # recorded on AWS


def test_refusals(kms: Kms):
    peer = public(ec.generate_private_key(ec.SECP256R1()))
    for spec, usage in (("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("ECC_NIST_P256", "SIGN_VERIFY")):
        key = kms.new_key(key_spec=spec, key_usage=usage)
        text = f"^{key.arn} key usage is {usage} which is not valid for DeriveSharedSecret.$"  # recorded on AWS
        with pytest.raises(api.InvalidKeyUsageException, match=text):
            kms(root(), "DeriveSharedSecret", key_id=key.key_id, public_key=peer, **ECDH)
    key = new(kms, "ECC_NIST_P256")
    with pytest.raises(api.DryRunOperationException):
        kms(root(), "DeriveSharedSecret", key_id=key.key_id, public_key=peer, dry_run=True, **ECDH)
    kms(root(), "DisableKey", key_id=key.key_id)
    with pytest.raises(api.DisabledException):
        kms(root(), "DeriveSharedSecret", key_id=key.key_id, public_key=peer, **ECDH)


def test_condition_key(kms: Kms):
    key = new(kms, "ECC_NIST_P256")
    peer = public(ec.generate_private_key(ec.SECP256R1()))
    alice = user("alice", allow("kms:DeriveSharedSecret", Condition={"StringEquals": {"kms:KeyAgreementAlgorithm": "ECDH"}}))
    kms(alice, "DeriveSharedSecret", key_id=key.key_id, public_key=peer, **ECDH)
    bob = user("bob", allow("kms:DeriveSharedSecret", Condition={"StringEquals": {"kms:KeyAgreementAlgorithm": "DH"}}))
    with pytest.raises(CommonError):
        kms(bob, "DeriveSharedSecret", key_id=key.key_id, public_key=peer, **ECDH)
