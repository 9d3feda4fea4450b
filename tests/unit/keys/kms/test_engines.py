"""The same SQL on both engines: the whole life of a key, its names, tags and policy, and its end."""

from __future__ import annotations

from typing import Any

import pytest

from garrison.api import kms as api
from garrison.audit import Recorder
from garrison.keys.kms import due_deletions, due_work, shredding
from tests.support.importing import wrapped
from tests.support.kms import ACCOUNT, NOW, REGION, Kms, key_policy, root, root_statement, user
from tests.support.stores import Place

DAY = 86_400


def test_the_life_of_a_key(place: Place):
    store, sealer = place.open(), place.sealer
    kms = Kms(store, sealer)
    key, other = kms.new_key(description="ä", tags=[api.Tag(tag_key="a", tag_value="1")]), kms.new_key()
    kms(root(), "CreateAlias", alias_name="alias/one", target_key_id=key.key_id)
    kms(root(), "UpdateAlias", alias_name="alias/one", target_key_id=other.key_id)
    kms(root(), "TagResource", key_id=key.key_id, tags=[api.Tag(tag_key="a", tag_value="2"), api.Tag(tag_key="b", tag_value="")])
    kms(root(), "UntagResource", key_id=key.key_id, tag_keys=["b"])
    kms(root(), "PutKeyPolicy", key_id=key.key_id, policy=key_policy(root_statement()))
    kms(root(), "UpdateKeyDescription", key_id=key.key_id, description="ö")
    blob = kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x").ciphertext_blob
    fresh = Kms(store, sealer)
    assert fresh(root(), "Decrypt", ciphertext_blob=blob).plaintext == b"x"
    assert fresh(root(), "DescribeKey", key_id="alias/one").key_metadata == other
    assert [(tag.tag_key, tag.tag_value) for tag in fresh(root(), "ListResourceTags", key_id=key.key_id).tags] == [("a", "2")]
    assert fresh(root(), "GetKeyPolicy", key_id=key.key_id).policy == key_policy(root_statement())
    assert len(fresh(root(), "ListKeys", limit=1).keys) == 1
    assert [entry.target_key_id for entry in fresh(root(), "ListAliases", key_id=other.key_id).aliases] == [other.key_id]
    kms(root(), "ScheduleKeyDeletion", key_id=other.key_id, pending_window_in_days=7)
    recorder = Recorder(store, place.data_dir, sealer)
    assert due_deletions(store, recorder, NOW + 7 * DAY) == 1
    recorder.close()
    with pytest.raises(api.NotFoundException):
        kms(root(), "DescribeKey", key_id=other.key_id)
    with pytest.raises(api.NotFoundException):
        kms(root(), "DescribeKey", key_id="alias/one")
    assert [entry.key_id for entry in kms(root(), "ListKeys").keys] == [key.key_id]


def test_the_order_of_lists_is_that_of_the_bytes(place: Place):
    kms = Kms(place.open(), place.sealer)
    key = kms.new_key()
    for name in ("alias/b", "alias/A", "alias/_", "alias/a", "alias/a-", "alias/a/"):
        kms(root(), "CreateAlias", alias_name=name, target_key_id=key.key_id)
    listed = [entry.alias_name for entry in kms(root(), "ListAliases").aliases]
    assert listed == ["alias/A", "alias/_", "alias/a", "alias/a-", "alias/a/", "alias/b"]


def test_grants_of_a_key(place: Place):
    kms = Kms(place.open(), place.sealer)
    grantee = kms.person("user", "alice")
    key = kms.new_key()
    members: dict[str, Any] = {
        "key_id": key.key_id,
        "grantee_principal": grantee,
        "operations": ["Encrypt"],
        "name": "n",
        "retiring_principal": grantee,
    }
    made, again = (kms(root(), "CreateGrant", **members) for _ in range(2))
    assert made.grant_id == again.grant_id
    assert kms(user("alice"), "Encrypt", key_id=key.key_id, plaintext=b"x", grant_tokens=[made.grant_token])
    assert [one.grant_id for one in kms(root(), "ListGrants", key_id=key.key_id).grants] == [made.grant_id]
    assert [one.grant_id for one in kms(root(), "ListRetirableGrants", retiring_principal=grantee).grants] == [made.grant_id]
    kms(user("alice"), "RetireGrant", grant_token=made.grant_token)
    assert kms(root(), "ListGrants", key_id=key.key_id).grants == []


def test_rotation_import_replicas_and_the_proof_of_their_end(place: Place):
    store, sealer = place.open(), place.sealer
    kms = Kms(store, sealer)
    recorder = Recorder(store, place.data_dir, sealer)
    key = kms.new_key(multi_region=True)
    kms(root(), "EnableKeyRotation", key_id=key.key_id, rotation_period_in_days=90)
    blob = kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x").ciphertext_blob
    assert due_work(store, recorder, kms.live, NOW + 90 * DAY) == 1
    kms(root(), "ReplicateKey", key_id=key.key_id, replica_region="us-west-2")
    kms(root(), "UpdatePrimaryRegion", key_id=key.key_id, primary_region="us-west-2")
    assert kms(root(), "Decrypt", region="us-west-2", ciphertext_blob=blob).plaintext == b"x"
    with store.writing() as tx:
        kms.live.uses.save(tx, kms.live.uses.take())
    store.commit()
    used = kms(root(), "GetKeyLastUsage", region="us-west-2", key_id=key.key_id).key_last_usage
    assert used.operation == "Decrypt"
    many = [kms.new_key().key_id for _ in range(75)]  # a statement of each size
    for one in many:
        kms(root(), "GenerateDataKey", key_id=one, key_spec="AES_256")
    with store.writing() as tx:
        kms.live.uses.save(tx, kms.live.uses.take())
    store.commit()
    assert {key for (key,) in store.reading().all("SELECT key_id FROM kms_usage")} == {*many, key.key_id}
    imported = kms.new_key(origin="EXTERNAL")
    members = wrapped(kms, imported, bytes(32), expiration_model="KEY_MATERIAL_EXPIRES", valid_to=NOW + DAY)
    kms(root(), "ImportKeyMaterial", **members)
    assert due_work(store, recorder, kms.live, NOW + DAY) == 1
    report = shredding.materials_of(store.reading(), imported.key_id, None)
    assert (len(report.gone), report.gone[0].account, report.gone[0].region, report.kept) == (1, ACCOUNT, REGION, [])
    recorder.close()
