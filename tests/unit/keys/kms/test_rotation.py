"""Rotation. Sources: KMS API Reference, "EnableKeyRotation" and its relatives; KMS Developer Guide, "Rotate AWS KMS keys"."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from garrison.api import kms as api
from garrison.audit import Recorder, Trail
from garrison.core.errors import CommonError
from garrison.keys.kms import due_work
from garrison.keys.kms.live import LiveKeys
from tests.support.inprocess import InProcess
from tests.support.kms import ACCOUNT, NOW, REGION, Kms, allow, root, user

DAY = 86_400
OTHER_REGION = "us-west-2"


@pytest.fixture
def recorder(kms: Kms) -> Iterator[Recorder]:
    found = Recorder(kms.store, None, kms.sealer)
    yield found
    found.close()


def due(kms: Kms, recorder: Recorder, days: float) -> int:
    kms.now = NOW + days * DAY
    return due_work(kms.store, recorder, kms.live, kms.now)


def status(kms: Kms, key: api.KeyMetadata, region: str = REGION) -> tuple[bool | None, int | None, float | None]:
    found = kms(root(), "GetKeyRotationStatus", key_id=key.key_id, region=region)
    return found.key_rotation_enabled, found.rotation_period_in_days, found.next_rotation_date


def rotations(kms: Kms, key: api.KeyMetadata, **members: Any) -> list[tuple[str | None, str | None, float | None]]:
    found = kms(root(), "ListKeyRotations", key_id=key.key_id, **members).rotations
    return [(one.key_material_state, one.rotation_type, one.rotation_date) for one in found]


def test_a_key_rotates_each_year_unless_told_otherwise(kms: Kms):
    key = kms.new_key()
    assert status(kms, key) == (False, None, None)
    kms(root(), "EnableKeyRotation", key_id=key.key_id)
    assert status(kms, key) == (True, 365, NOW + 365 * DAY)
    kms.now += DAY
    kms(root(), "EnableKeyRotation", key_id=key.key_id, rotation_period_in_days=90)
    assert status(kms, key) == (True, 90, kms.now + 90 * DAY)
    kms(root(), "DisableKeyRotation", key_id=key.key_id)
    assert status(kms, key) == (False, None, None)


def test_old_material_decrypts_for_ever(kms: Kms, recorder: Recorder):
    key = kms.new_key()
    kms(root(), "EnableKeyRotation", key_id=key.key_id, rotation_period_in_days=90)
    blobs = []
    for round_ in range(5):
        blobs.append(kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"%d" % round_).ciphertext_blob)
        assert due(kms, recorder, 90 * (round_ + 1) - 1) == 0
        assert due(kms, recorder, 90 * (round_ + 1)) == 1
        assert due(kms, recorder, 90 * (round_ + 1)) == 0
    opened = [kms(root(), "Decrypt", ciphertext_blob=blob) for blob in blobs]
    assert [one.plaintext for one in opened] == [b"0", b"1", b"2", b"3", b"4"]
    assert len({one.key_material_id for one in opened}) == 5
    assert rotations(kms, key) == [
        *[("NON_CURRENT", "AUTOMATIC", NOW + 90 * DAY * at) for at in range(1, 5)],
        ("CURRENT", "AUTOMATIC", NOW + 90 * DAY * 5),
    ]
    everything = rotations(kms, key, include_key_material="ALL_KEY_MATERIAL")
    assert everything[0] == ("NON_CURRENT", None, None)
    assert len(everything) == 6
    assert status(kms, key) == (True, 90, NOW + 90 * DAY * 6)
    events = kms.store.reading().all("SELECT event_source, event_name, account, region FROM audit_event")
    assert events == [("kms.amazonaws.com", "RotateKey", ACCOUNT, REGION)] * 5


def test_a_rotation_is_on_record_as_the_guide_shows_it(kms: Kms, recorder: Recorder):
    """KMS Developer Guide, "RotateKey": the members of the example."""
    key = kms.new_key()
    kms(root(), "EnableKeyRotation", key_id=key.key_id, rotation_period_in_days=90)
    due(kms, recorder, 90)
    (found,) = Trail(kms.store, None, recorder).lookup(ACCOUNT, event_name="RotateKey")
    event = found["event"]
    assert event["userIdentity"] == {"accountId": ACCOUNT, "invokedBy": "AWS Internal"}
    assert (event["eventVersion"], event["eventType"], event["readOnly"]) == ("1.11", "AwsServiceEvent", False)
    assert event["serviceEventDetails"] == {
        "rotationType": "AUTOMATIC",
        "keyOrigin": "AWS_KMS",
        "previousKeyMaterialId": key.current_key_material_id,
        "currentKeyMaterialId": kms(root(), "DescribeKey", key_id=key.key_id).key_metadata.current_key_material_id,
        "keyId": key.key_id,
    }


def test_a_rotation_on_demand_leaves_an_event_of_its_own(kms: Kms):
    """KMS Developer Guide, "RotateKey": the second example."""
    key = kms.new_key()
    kms(root(), "RotateKeyOnDemand", key_id=key.key_id)
    (event,) = kms.events
    assert (event.event_name, event.event_type, event.resources[0].arn) == ("RotateKey", "AwsServiceEvent", key.arn)
    assert (event.request_parameters, event.response_elements, event.user_identity.invoked_by) == (None, None, "AWS Internal")
    assert event.service_details == {
        "rotationType": "ON_DEMAND",
        "keyOrigin": "AWS_KMS",
        "previousKeyMaterialId": key.current_key_material_id,
        "currentKeyMaterialId": kms(root(), "DescribeKey", key_id=key.key_id).key_metadata.current_key_material_id,
        "keyId": key.key_id,
    }


def test_the_trail_has_the_call_and_then_the_rotation_and_nothing_of_what_failed():
    with contextlib.closing(InProcess()) as one:
        key = json.loads(one.kms("CreateKey").body)["KeyMetadata"]["KeyId"]
        assert one.kms("RotateKeyOnDemand", KeyId=key).status == 200
        for _ in range(24):
            one.kms("RotateKeyOnDemand", KeyId=key)
        assert json.loads(one.kms("RotateKeyOnDemand", KeyId=key).body)["__type"] == "LimitExceededException"
        rows = one.events()
        found = [
            (event["eventName"], event["eventType"], event.get("errorCode")) for event in rows if "Rotate" in event["eventName"]
        ]
        pair = [("RotateKeyOnDemand", "AwsApiCall", None), ("RotateKey", "AwsServiceEvent", None)]
        assert found == [*pair * 25, ("RotateKeyOnDemand", "AwsApiCall", "LimitExceededException")]


def test_two_workers_rotate_once(kms: Kms, recorder: Recorder):
    key = kms.new_key()
    kms(root(), "EnableKeyRotation", key_id=key.key_id, rotation_period_in_days=90)
    other = LiveKeys(kms.store, kms.sealer)
    assert due_work(kms.store, recorder, other, NOW + 90 * DAY) == 1
    assert due_work(kms.store, recorder, kms.live, NOW + 90 * DAY) == 0
    assert len(rotations(kms, key)) == 1


def test_a_disabled_key_waits_and_is_rotated_once_when_it_is_enabled(kms: Kms, recorder: Recorder):
    key = kms.new_key()
    kms(root(), "EnableKeyRotation", key_id=key.key_id, rotation_period_in_days=90)
    kms(root(), "DisableKey", key_id=key.key_id)
    assert due(kms, recorder, 400) == 0
    assert status(kms, key)[0] is True
    kms(root(), "EnableKey", key_id=key.key_id)
    assert due(kms, recorder, 400) == 1
    assert status(kms, key) == (True, 90, NOW + 490 * DAY)


def test_a_key_that_waits_for_its_deletion_is_not_rotated(kms: Kms, recorder: Recorder):
    key = kms.new_key()
    kms(root(), "EnableKeyRotation", key_id=key.key_id, rotation_period_in_days=90)
    kms.now = NOW + 85 * DAY
    kms(root(), "ScheduleKeyDeletion", key_id=key.key_id)
    assert status(kms, key) == (False, None, None)
    assert due(kms, recorder, 100) == 0
    kms(root(), "CancelKeyDeletion", key_id=key.key_id)
    assert status(kms, key) == (True, 90, NOW + 90 * DAY)


def test_rotation_on_demand_leaves_the_schedule_alone(kms: Kms):
    key = kms.new_key()
    kms(root(), "EnableKeyRotation", key_id=key.key_id, rotation_period_in_days=730)
    first = kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x").ciphertext_blob
    kms.now += DAY
    assert kms(root(), "RotateKeyOnDemand", key_id=key.key_id).key_id == key.arn
    assert status(kms, key) == (True, 730, NOW + 730 * DAY)
    assert rotations(kms, key) == [("CURRENT", "ON_DEMAND", NOW + DAY)]
    second = kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x")
    assert kms(root(), "Decrypt", ciphertext_blob=first).plaintext == b"x"
    current = kms(root(), "DescribeKey", key_id=key.key_id).key_metadata.current_key_material_id
    assert kms(root(), "Decrypt", ciphertext_blob=second.ciphertext_blob).key_material_id == current


def test_so_many_rotations_on_demand_and_no_more(kms: Kms):
    key = kms.new_key()
    for _ in range(25):
        kms(root(), "RotateKeyOnDemand", key_id=key.key_id)
    with pytest.raises(api.LimitExceededException, match="on-demand rotations limit has been reached"):
        kms(root(), "RotateKeyOnDemand", key_id=key.key_id)
    assert len(rotations(kms, key)) == 25


def test_the_list_in_pages(kms: Kms):
    key = kms.new_key()
    for at in range(5):
        kms.now = NOW + at
        kms(root(), "RotateKeyOnDemand", key_id=key.key_id)
    seen, marker = [], None
    while True:
        page = kms(root(), "ListKeyRotations", key_id=key.key_id, limit=2, marker=marker)
        seen += [one.rotation_date for one in page.rotations]
        marker = page.next_marker
        if not page.truncated:
            break
    assert seen == [NOW + at for at in range(5)]


@pytest.mark.parametrize("operation", ["EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand", "ListKeyRotations"])
def test_keys_that_do_not_rotate(kms: Kms, operation: str):
    key = kms.new_key(key_spec="ECC_NIST_P256", key_usage="SIGN_VERIFY")
    with pytest.raises(api.UnsupportedOperationException):
        kms(root(), operation, key_id=key.key_id)


def test_the_period_is_a_condition_key(kms: Kms):
    key = kms.new_key()
    most = {"NumericLessThanEquals": {"kms:RotationPeriodInDays": "180"}}
    caller = user("alice", allow("kms:EnableKeyRotation", Condition=most))
    kms(caller, "EnableKeyRotation", key_id=key.key_id, rotation_period_in_days=180)
    for days in (181, None):
        with pytest.raises(CommonError):
            kms(caller, "EnableKeyRotation", key_id=key.key_id, rotation_period_in_days=days)


# -- multi-Region keys -------------------------------------------------------------------------------------------------


def test_a_primary_key_rotates_for_its_replicas(kms: Kms, recorder: Recorder):
    key = kms.new_key(multi_region=True)
    kms(root(), "EnableKeyRotation", key_id=key.key_id, rotation_period_in_days=90)
    kms(root(), "ReplicateKey", key_id=key.key_id, replica_region=OTHER_REGION)
    assert status(kms, key, OTHER_REGION) == (True, 90, NOW + 90 * DAY)
    assert due(kms, recorder, 90) == 1
    kms(root(), "RotateKeyOnDemand", key_id=key.key_id)
    for source, destination in ((REGION, OTHER_REGION), (OTHER_REGION, REGION)):
        blob = kms(root(), "Encrypt", region=source, key_id=key.key_id, plaintext=b"x").ciphertext_blob
        assert kms(root(), "Decrypt", region=destination, ciphertext_blob=blob).plaintext == b"x"
    here, there = (
        [one.key_material_id for one in kms(root(), "ListKeyRotations", region=region, key_id=key.key_id).rotations]
        for region in (REGION, OTHER_REGION)
    )
    assert (here, len(here)) == (there, 2)
    for operation in ("EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"):
        with pytest.raises(api.UnsupportedOperationException, match="is not a multi-region primary key"):
            kms(root(), operation, region=OTHER_REGION, key_id=key.key_id)
    kms(root(), "DisableKeyRotation", key_id=key.key_id)
    assert status(kms, key, OTHER_REGION) == (False, None, None)


@pytest.mark.parametrize(("spec", "usage"), [("ECC_NIST_P256", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC")])
def test_the_status_of_keys_that_never_rotate(spec: str, usage: str, kms: Kms):
    key = kms.new_key(key_spec=spec, key_usage=usage)
    answer = kms(root(), "GetKeyRotationStatus", key_id=key.key_id)
    assert answer == api.GetKeyRotationStatusResponse(key_id=key.arn, key_rotation_enabled=False)
