"""Multi-Region keys. Sources: KMS API Reference, "ReplicateKey", "UpdatePrimaryRegion", "ScheduleKeyDeletion"; KMS Developer Guide,
"Multi-Region keys in AWS KMS", "Deleting multi-Region keys"."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from garrison.api import kms as api
from garrison.audit import Recorder
from garrison.core.errors import CommonError
from garrison.keys.kms import due_work
from tests.support.kms import ACCOUNT, NOW, REGION, Kms, allow, key_policy, root, root_statement, user

US, JP = "us-west-2", "ap-northeast-1"
DAY = 86_400


@pytest.fixture
def key(kms: Kms) -> api.KeyMetadata:
    return kms.new_key(multi_region=True, tags=[api.Tag(tag_key="team", tag_value="a")])


@pytest.fixture
def recorder(kms: Kms) -> Iterator[Recorder]:
    found = Recorder(kms.store, None, kms.sealer)
    yield found
    found.close()


def replicate(kms: Kms, key: api.KeyMetadata, region: str = US, **members: Any) -> Any:
    return kms(root(), "ReplicateKey", key_id=key.key_id, replica_region=region, **members)


def describe(kms: Kms, key: api.KeyMetadata, region: str = REGION) -> api.KeyMetadata:
    found: api.KeyMetadata = kms(root(), "DescribeKey", region=region, key_id=key.key_id).key_metadata
    return found


def test_a_multi_region_key_is_known_by_its_id(key: api.KeyMetadata):
    assert re.fullmatch(r"mrk-[0-9a-f]{32}", key.key_id)
    assert key.multi_region is True
    assert key.multi_region_configuration == api.MultiRegionConfiguration(
        multi_region_key_type="PRIMARY", primary_key=api.MultiRegionKey(arn=key.arn, region=REGION), replica_keys=[]
    )


def test_a_replica_shares_id_and_material_and_nothing_else(kms: Kms, key: api.KeyMetadata):
    blob = kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x", encryption_context={"a": "b"}).ciphertext_blob
    answer = replicate(kms, key, description="there", tags=[api.Tag(tag_key="team", tag_value="b")])
    replica = answer.replica_key_metadata
    assert replica.arn == (key.arn or "").replace(REGION, US)
    assert (replica.key_id, replica.key_state, replica.description) == (key.key_id, "Enabled", "there")
    assert answer.replica_tags == [api.Tag(tag_key="team", tag_value="b")]
    assert answer.replica_policy == kms(root(), "GetKeyPolicy", region=US, key_id=key.key_id).policy
    primary = api.MultiRegionKey(arn=key.arn, region=REGION)
    other = api.MultiRegionKey(arn=replica.arn, region=US)
    for region, kind in ((REGION, "PRIMARY"), (US, "REPLICA")):
        found = describe(kms, key, region).multi_region_configuration
        assert found == api.MultiRegionConfiguration(multi_region_key_type=kind, primary_key=primary, replica_keys=[other])
    opened = kms(root(), "Decrypt", region=US, ciphertext_blob=blob, encryption_context={"a": "b"})
    assert (opened.plaintext, opened.key_id) == (b"x", replica.arn)
    back = kms(root(), "Encrypt", region=US, key_id=key.key_id, plaintext=b"y").ciphertext_blob
    assert kms(root(), "Decrypt", ciphertext_blob=back).plaintext == b"y"
    kms(root(), "DisableKey", region=US, key_id=key.key_id)
    assert kms(root(), "Decrypt", ciphertext_blob=blob, encryption_context={"a": "b"}).plaintext == b"x"


def test_material_is_sealed_for_each_region_apart(kms: Kms, key: api.KeyMetadata):
    replicate(kms, key)
    rows = kms.store.reading().all("SELECT region, material_id, sealed FROM kms_material")
    assert len({material for _, material, _ in rows}) == 1
    assert len({sealed for _, _, sealed in rows}) == 2
    by_region = {region: sealed for region, _, sealed in rows}
    with pytest.raises(ValueError, match="altered"):
        kms.live.unseal(US, key.key_id, rows[0][1], by_region[REGION])


def test_old_material_comes_along(kms: Kms, key: api.KeyMetadata):
    blob = kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x").ciphertext_blob
    kms(root(), "RotateKeyOnDemand", key_id=key.key_id)
    replicate(kms, key)
    assert kms(root(), "Decrypt", region=US, ciphertext_blob=blob).plaintext == b"x"


def test_asymmetric_replicas_have_one_public_key(kms: Kms):
    key = kms.new_key(multi_region=True, key_spec="ECC_NIST_P256", key_usage="SIGN_VERIFY")
    replicate(kms, key)
    here, there = (kms(root(), "GetPublicKey", region=region, key_id=key.key_id).public_key for region in (REGION, US))
    assert here == there


def test_what_cannot_be_replicated(kms: Kms, key: api.KeyMetadata):
    single = kms.new_key()
    with pytest.raises(api.UnsupportedOperationException, match="is not a multi-region primary key"):
        replicate(kms, single)
    replicate(kms, key)
    with pytest.raises(api.AlreadyExistsException):
        replicate(kms, key)
    with pytest.raises(api.UnsupportedOperationException, match="is not a multi-region primary key"):
        kms(root(), "ReplicateKey", region=US, key_id=key.key_id, replica_region=JP)
    for region in (REGION, "mars", "eu-central-1.evil"):
        with pytest.raises(CommonError, match="is not a valid Region"):
            replicate(kms, key, region)


def test_replicating_needs_permission_on_the_key_and_to_create_one_there(kms: Kms, key: api.KeyMetadata):
    there = {"StringEquals": {"kms:ReplicaRegion": US}}
    members: dict[str, Any] = {"key_id": key.key_id, "replica_region": US}
    for actions in (("kms:ReplicateKey",), ("kms:CreateKey",)):
        with pytest.raises(CommonError):
            kms(user("alice", allow(*actions)), "ReplicateKey", **members)
    tagged = {**members, "tags": [api.Tag(tag_key="a", tag_value="b")]}
    both = user("alice", allow("kms:ReplicateKey", Condition=there), allow("kms:CreateKey", "kms:PutKeyPolicy"))
    with pytest.raises(CommonError, match="kms:TagResource"):
        kms(both, "ReplicateKey", **tagged)
    with pytest.raises(CommonError):
        kms(both, "ReplicateKey", **{**members, "replica_region": JP})
    kms(both, "ReplicateKey", **members)


def test_a_policy_for_the_replica_is_held_to_the_same_rules(kms: Kms, key: api.KeyMetadata):
    locked = key_policy({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:Encrypt"})
    with pytest.raises(api.MalformedPolicyDocumentException):
        replicate(kms, key, policy=locked)
    replicate(kms, key, policy=locked, bypass_policy_lockout_safety_check=True)
    with pytest.raises(CommonError):
        kms(root(), "Decrypt", region=US, key_id=key.key_id, ciphertext_blob=b"x" * 100)


def test_update_primary_region(kms: Kms, key: api.KeyMetadata):
    for region in (US, JP):
        replicate(kms, key, region)
    kms(root(), "UpdatePrimaryRegion", key_id=key.key_id, primary_region=US)
    for region in (REGION, US, JP):
        found = describe(kms, key, region).multi_region_configuration
        assert found is not None
        assert found.primary_key is not None
        assert (found.primary_key.region, found.multi_region_key_type) == (US, "PRIMARY" if region == US else "REPLICA")
    with pytest.raises(api.UnsupportedOperationException, match="is not a multi-region primary key"):
        kms(root(), "UpdatePrimaryRegion", key_id=key.key_id, primary_region=JP)
    with pytest.raises(api.NotFoundException):
        kms(root(), "UpdatePrimaryRegion", region=US, key_id=key.key_id, primary_region="eu-west-1")


def test_promotion_needs_permission_by_both_key_policies(kms: Kms, key: api.KeyMetadata):
    replicate(kms, key)
    members = {"key_id": key.key_id, "primary_region": US}
    caller = user("alice", allow("kms:UpdatePrimaryRegion", Condition={"StringEquals": {"kms:PrimaryRegion": US}}))
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:UpdatePrimaryRegion"}
    kms(root(), "PutKeyPolicy", region=US, key_id=key.key_id, policy=key_policy(root_statement(), deny))
    with pytest.raises(CommonError, match="explicit deny"):
        kms(caller, "UpdatePrimaryRegion", **members)
    kms(root(), "PutKeyPolicy", region=US, key_id=key.key_id, policy=key_policy(root_statement()))
    kms(caller, "UpdatePrimaryRegion", **members)


def test_a_primary_key_outlives_its_replicas(kms: Kms, key: api.KeyMetadata, recorder: Recorder):
    replicate(kms, key)
    answer = kms(root(), "ScheduleKeyDeletion", key_id=key.key_id, pending_window_in_days=10)
    assert (answer.key_state, answer.deletion_date, answer.pending_window_in_days) == ("PendingReplicaDeletion", None, 10)
    found = describe(kms, key)
    assert (found.deletion_date, found.pending_deletion_window_in_days) == (None, 10)
    assert due_work(kms.store, recorder, kms.live, NOW + 100 * DAY) == 0
    blob = kms(root(), "Encrypt", region=US, key_id=key.key_id, plaintext=b"x").ciphertext_blob
    kms(root(), "ScheduleKeyDeletion", region=US, key_id=key.key_id, pending_window_in_days=7)
    assert due_work(kms.store, recorder, kms.live, NOW + 7 * DAY) == 1
    found = describe(kms, key)
    assert (found.key_state, found.deletion_date, found.pending_deletion_window_in_days) == (
        "PendingDeletion",
        NOW + 17 * DAY,
        None,
    )
    kms(root(), "CancelKeyDeletion", key_id=key.key_id)
    kms(root(), "EnableKey", key_id=key.key_id)
    assert kms(root(), "Decrypt", ciphertext_blob=blob).plaintext == b"x"
    replicate(kms, key)
    assert kms(root(), "Decrypt", region=US, ciphertext_blob=blob).plaintext == b"x"


@pytest.mark.parametrize(
    ("region", "kind", "allowed"),
    [(REGION, "PRIMARY", True), (REGION, "REPLICA", False), (US, "REPLICA", True), (US, "PRIMARY", False)],
)
def test_condition_keys_of_multi_region_keys(kms: Kms, key: api.KeyMetadata, region: str, kind: str, *, allowed: bool):
    replicate(kms, key)
    condition = {"Bool": {"kms:MultiRegion": "true"}, "StringEquals": {"kms:MultiRegionKeyType": kind}}
    caller = user("alice", allow("kms:Encrypt", Condition=condition))
    if allowed:
        kms(caller, "Encrypt", region=region, key_id=key.key_id, plaintext=b"x")
    else:
        with pytest.raises(CommonError):
            kms(caller, "Encrypt", region=region, key_id=key.key_id, plaintext=b"x")


def states_on_record(kms: Kms, key: api.KeyMetadata) -> dict[str, tuple[str, str, int]]:
    """By Region: state, current material and whether it is gone, as the newest configuration item of the key says."""
    rows = kms.store.reading().all(
        "SELECT region, configuration, deleted FROM config_item WHERE resource_id = ? ORDER BY id", key.key_id
    )
    found = {}
    for region, configuration, deleted in rows:
        told = json.loads(configuration)
        found[region] = (told.get("KeyState", ""), told.get("CurrentKeyMaterialId", ""), deleted)
    return found


def test_what_the_background_does_in_one_region_is_on_record_in_all(kms: Kms, key: api.KeyMetadata, recorder: Recorder):
    kms(root(), "EnableKeyRotation", key_id=key.key_id, rotation_period_in_days=90)
    replicate(kms, key)
    assert due_work(kms.store, recorder, kms.live, NOW + 90 * DAY) == 1
    material = kms(root(), "DescribeKey", key_id=key.key_id).key_metadata.current_key_material_id
    assert material != key.current_key_material_id
    assert states_on_record(kms, key) == {REGION: ("Enabled", material, 0), US: ("Enabled", material, 0)}
    kms(root(), "ScheduleKeyDeletion", key_id=key.key_id, pending_window_in_days=7)
    kms(root(), "ScheduleKeyDeletion", region=US, key_id=key.key_id, pending_window_in_days=7)
    assert due_work(kms.store, recorder, kms.live, kms.now + 7 * DAY) == 1
    left = states_on_record(kms, key)
    assert (left[US][2], left[REGION][0]) == (1, "PendingDeletion"), "the primary's own time has begun"
