"""GenerateMac and VerifyMac."""

from __future__ import annotations

import hmac
from typing import Any

import pytest

from garrison.api import kms as api
from garrison.core.errors import CommonError
from garrison.core.operation import REGISTRY
from garrison.keys.kms.algorithms.mac import MacKey
from tests.support.kms import REGION, Kms, allow, root, user

MESSAGE = b"cookie=42"


def new(kms: Kms, bits: int) -> api.KeyMetadata:
    return kms.new_key(key_spec=f"HMAC_{bits}", key_usage="GENERATE_VERIFY_MAC")


@pytest.mark.parametrize(("bits", "length"), [(224, 28), (256, 32), (384, 48), (512, 64)])
def test_there_and_back(kms: Kms, bits: int, length: int):
    key, algorithm = new(kms, bits), f"HMAC_SHA_{bits}"
    answer = kms(root(), "GenerateMac", key_id=key.key_id, message=MESSAGE, mac_algorithm=algorithm)
    assert (answer.key_id, answer.mac_algorithm, len(answer.mac)) == (key.arn, algorithm, length)
    live = kms.live.find(kms.store.reading(), REGION, key.key_id)
    assert live is not None
    assert isinstance(live.current, MacKey)
    assert len(live.current._key) == length
    assert hmac.digest(live.current._key, MESSAGE, f"sha{bits}") == answer.mac
    members = {"key_id": key.key_id, "mac_algorithm": algorithm}
    assert kms(root(), "VerifyMac", message=MESSAGE, mac=answer.mac, **members) == api.VerifyMacResponse(
        key_id=key.arn, mac_valid=True, mac_algorithm=algorithm
    )
    for message, mac in ((b"other", answer.mac), (MESSAGE, answer.mac[:-1]), (MESSAGE, answer.mac + b"\0"), (MESSAGE, b"x")):
        with pytest.raises(api.KMSInvalidMacException, match=r"^$"):
            kms(root(), "VerifyMac", message=message, mac=mac, **members)
    with pytest.raises(api.KMSInvalidMacException):
        kms(root(), "VerifyMac", message=MESSAGE, mac=answer.mac, **{**members, "key_id": new(kms, bits).key_id})


@pytest.mark.parametrize("operation", ["GenerateMac", "VerifyMac"])
def test_refusals(kms: Kms, operation: str):
    more: dict[str, Any] = {"message": MESSAGE, **({"mac": b"m"} if operation == "VerifyMac" else {})}
    key = new(kms, 224)
    with pytest.raises(api.InvalidKeyUsageException, match=r"^Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_224\.$"):
        kms(root(), operation, key_id=key.key_id, mac_algorithm="HMAC_SHA_256", **more)  # recorded on AWS
    symmetric = kms.new_key()
    text = f"^{symmetric.arn} key usage is ENCRYPT_DECRYPT which is not valid for {operation}.$"
    with pytest.raises(api.InvalidKeyUsageException, match=text):
        kms(root(), operation, key_id=symmetric.key_id, mac_algorithm="HMAC_SHA_256", **more)
    kms(root(), "DisableKey", key_id=key.key_id)
    with pytest.raises(api.DisabledException):
        kms(root(), operation, key_id=key.key_id, mac_algorithm="HMAC_SHA_224", **more)


def test_an_hmac_key_does_nothing_else(kms: Kms):
    key = new(kms, 256)
    for operation, members in (
        ("Encrypt", {"plaintext": b"x"}),
        ("GenerateDataKey", {"number_of_bytes": 32}),
        ("GenerateDataKeyWithoutPlaintext", {"number_of_bytes": 32}),
        ("GenerateDataKeyPair", {"key_pair_spec": "ECC_NIST_P256"}),
        ("Sign", {"message": b"m", "signing_algorithm": "ECDSA_SHA_256"}),
        ("DeriveSharedSecret", {"public_key": b"p", "key_agreement_algorithm": "ECDH"}),
        ("Encapsulate", {"encapsulation_algorithm": "ML_KEM"}),
        ("Decrypt", {"ciphertext_blob": b"c"}),
    ):
        with pytest.raises(
            api.InvalidKeyUsageException, match=f"key usage is GENERATE_VERIFY_MAC which is not valid for {operation}"
        ):
            kms(root(), operation, key_id=key.key_id, **members)


def test_dry_run_and_condition_key(kms: Kms):
    key = new(kms, 256)
    members: dict[str, Any] = {"key_id": key.key_id, "message": MESSAGE, "mac_algorithm": "HMAC_SHA_256"}
    mac = kms(root(), "GenerateMac", **members).mac
    for operation, more in (("GenerateMac", {}), ("VerifyMac", {"mac": mac})):
        with pytest.raises(api.DryRunOperationException):
            kms(root(), operation, dry_run=True, **members, **more)
    with pytest.raises(api.KMSInvalidMacException):
        kms(root(), "VerifyMac", dry_run=True, mac=b"bad", **members)
    alice = user("alice", allow("kms:GenerateMac", Condition={"StringEquals": {"kms:MacAlgorithm": "HMAC_SHA_256"}}))
    kms(alice, "GenerateMac", **members)
    bob = user("bob", allow("kms:GenerateMac", Condition={"StringEquals": {"kms:MacAlgorithm": "HMAC_SHA_512"}}))
    with pytest.raises(CommonError):
        kms(bob, "GenerateMac", **members)


def test_the_trail_has_no_message():
    audit = REGISTRY["kms", "verifymac"].audit_request
    assert audit is not None
    request = api.VerifyMacRequest(key_id="k", message=b"m", mac=b"s", mac_algorithm="HMAC_SHA_256")
    assert audit(request) == {"keyId": "k", "macAlgorithm": "HMAC_SHA_256"}
