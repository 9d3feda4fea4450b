"""The same SQL on both engines: the whole life of a key, its names, tags and policy, and its end."""

from __future__ import annotations

import pytest

from garrison.api import kms as api
from garrison.audit import Recorder
from garrison.keys.kms import due_deletions
from tests.support.kms import NOW, Kms, key_policy, root, root_statement
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
