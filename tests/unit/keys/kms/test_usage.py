"""GetKeyLastUsage. Source: KMS API Reference, "GetKeyLastUsage"."""

from __future__ import annotations

from typing import Any

import pytest

from garrison.api import kms as api
from garrison.core.context import EVENT_ID
from garrison.core.errors import CommonError, ServiceError
from garrison.core.operation import REGISTRY
from garrison.keys.kms.live_uses import Use, Uses
from tests.support.kms import NOW, REGION, Kms, allow, root, user

DAY = 86_400

TRACKED = {
    "Decrypt", "DeriveSharedSecret", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext", "GenerateMac", "ReEncrypt", "Sign", "Verify", "VerifyMac", "Encapsulate", "Decapsulate",
}  # fmt: skip
"""KeyLastUsageTrackingOperation of the model."""


def usage(kms: Kms, key: api.KeyMetadata, region: str = REGION) -> api.GetKeyLastUsageResponse:
    found: api.GetKeyLastUsageResponse = kms(root(), "GetKeyLastUsage", region=region, key_id=key.key_id)
    return found


def save(kms: Kms) -> None:
    with kms.store.writing() as tx:
        kms.live.uses.save(tx, kms.live.uses.take())
    kms.store.commit()


def test_a_key_that_was_never_used(kms: Kms):
    key = kms.new_key()
    found = usage(kms, key)
    assert (found.key_id, found.key_last_usage, found.key_creation_date) == (key.key_id, api.KeyLastUsageData(), NOW)
    assert found.tracking_start_date is not None
    assert found.tracking_start_date >= NOW, "a key made after tracking began is tracked from its creation"


def test_the_last_success_counts_before_and_after_it_is_written(kms: Kms):
    key = kms.new_key()
    blob = kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x").ciphertext_blob
    kms.now = NOW + 5
    kms(root(), "Decrypt", ciphertext_blob=blob)
    seen = usage(kms, key).key_last_usage
    assert seen is not None
    assert (seen.operation, seen.timestamp) == ("Decrypt", NOW + 5)
    assert seen.cloud_trail_event_id
    assert seen.kms_request_id
    save(kms)
    assert not kms.live.uses
    assert usage(kms, key).key_last_usage == seen


def test_what_fails_is_no_use(kms: Kms):
    key = kms.new_key()
    for members in ({"plaintext": b"x", "dry_run": True}, {"plaintext": b"x", "encryption_algorithm": "RSAES_OAEP_SHA_1"}):
        with pytest.raises(ServiceError):
            kms(root(), "Encrypt", key_id=key.key_id, **members)
    assert usage(kms, key).key_last_usage == api.KeyLastUsageData()


def test_re_encrypt_is_a_use_of_both_keys(kms: Kms):
    one, two = kms.new_key(), kms.new_key()
    blob = kms(root(), "Encrypt", key_id=one.key_id, plaintext=b"x").ciphertext_blob
    kms(root(), "ReEncrypt", ciphertext_blob=blob, destination_key_id=two.key_id)
    for key in (one, two):
        found = usage(kms, key).key_last_usage
        assert found is not None
        assert found.operation == "ReEncrypt"


def test_each_region_of_a_multi_region_key_tells_its_own(kms: Kms):
    key = kms.new_key(multi_region=True)
    kms(root(), "ReplicateKey", key_id=key.key_id, replica_region="us-west-2")
    kms(root(), "GenerateDataKey", region="us-west-2", key_id=key.key_id, key_spec="AES_256")
    save(kms)
    assert usage(kms, key).key_last_usage == api.KeyLastUsageData()
    assert usage(kms, key, "us-west-2").key_last_usage != api.KeyLastUsageData()


def test_an_older_use_does_not_replace_a_newer_one(kms: Kms):
    key = kms.new_key()
    new, old = (Use("Encrypt", NOW + at, f"event-{at}", f"request-{at}") for at in (9, 1))
    for use in (new, old):
        other = Uses()
        other.note(REGION, key.key_id, use)
        with kms.store.writing() as tx:
            other.save(tx, other.take())
        kms.store.commit()
    kms.live.uses.note(REGION, key.key_id, old)
    found = usage(kms, key).key_last_usage
    assert found is not None
    assert found.cloud_trail_event_id == "event-9"
    kms.live.uses.note(REGION, key.key_id, new)
    kms.live.uses.note(REGION, key.key_id, old)
    assert kms.live.uses.take() == {(REGION, key.key_id): new}


def test_what_could_not_be_written_is_remembered_again(kms: Kms):
    key = kms.new_key()
    kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x")
    taken = kms.live.uses.take()
    assert not kms.live.uses
    kms.live.uses.give_back(taken)
    assert kms.live.uses.take() == taken


def test_many_uses_are_written_at_once(kms: Kms):
    keys = [kms.new_key().key_id for _ in range(75)]  # as many as take a statement of each size
    for at, key in enumerate(keys):
        kms.live.uses.note(REGION, key, Use("Encrypt", NOW + at, f"event-{at}", f"request-{at}"))
    save(kms)
    rows = kms.store.reading().all("SELECT key_id, operation, used_at, event_id, request_id FROM kms_usage")
    assert sorted(rows) == sorted((key, "Encrypt", NOW + at, f"event-{at}", f"request-{at}") for at, key in enumerate(keys))


def test_uses_of_a_key_that_is_gone_are_not_written(kms: Kms):
    kms.live.uses.note(REGION, "12345678-1234-1234-1234-123456789012", Use("Encrypt", NOW, "e", "r"))
    save(kms)
    assert kms.store.reading().all("SELECT * FROM kms_usage") == []


@pytest.mark.parametrize("operation", ["DisableKey", "ScheduleKeyDeletion"])
def test_days_without_use_are_a_condition_key(kms: Kms, operation: str):
    """Whole days since the last use; of a key that was never used, since it was made."""
    key = kms.new_key()
    idle = {"NumericGreaterThanEquals": {"kms:TrailingDaysWithoutKeyUsage": "30"}}
    caller = user("alice", allow(f"kms:{operation}", Condition=idle))
    kms.now = NOW + 30 * DAY - 1
    with pytest.raises(CommonError):
        kms(caller, operation, key_id=key.key_id)
    kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x")
    kms.now = NOW + 59 * DAY
    with pytest.raises(CommonError):
        kms(caller, operation, key_id=key.key_id)
    kms.now = NOW + 60 * DAY
    kms(caller, operation, key_id=key.key_id)


def test_every_operation_of_the_model_is_tracked_and_names_its_event():
    for name in TRACKED:
        handler: Any = REGISTRY["kms", name.lower()].handler
        assert hasattr(handler, "__wrapped__"), name
    assert EVENT_ID == "event-id"
