from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import pytest

from garrison.api import kms as api
from garrison.core.errors import CommonError
from garrison.keys.keyring import Keyring
from garrison.keys.kms.live import LiveKeys, compiled
from garrison.store import open_store
from tests.support.kms import ACCOUNT, REGION, Calls, Kms, allow, key_policy, root, root_statement, user


class NoReads:
    """A transaction for keys in the warm state: it answers nothing."""

    def all(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        raise AssertionError(sql)

    def one(self, sql: str, *parameters: object) -> tuple[object, ...] | None:
        raise AssertionError(sql)

    def run(self, sql: str, *parameters: object) -> int:
        raise AssertionError(sql)

    def changed(self, kind: str, key: str) -> None:
        raise AssertionError(kind)


def test_a_warm_key_is_used_without_a_database_read(kms: Kms, monkeypatch: pytest.MonkeyPatch):
    key = kms.new_key()
    kms(root(), "CreateAlias", alias_name="alias/one", target_key_id=key.key_id)
    blob = kms(root(), "Encrypt", key_id="alias/one", plaintext=b"x").ciphertext_blob
    monkeypatch.setattr(kms.store, "reading", NoReads)
    for key_id in (key.key_id, key.arn, "alias/one"):
        kms(root(), "Encrypt", key_id=key_id, plaintext=b"x")
        kms(root(), "GenerateDataKey", key_id=key_id, key_spec="AES_256")
        kms(root(), "DescribeKey", key_id=key_id)
    assert kms(root(), "Decrypt", ciphertext_blob=blob).plaintext == b"x"
    kms(root(), "ReEncrypt", ciphertext_blob=blob, destination_key_id=key.key_id)


def test_the_cache_is_bounded_and_forgets_what_was_used_least(kms: Kms):
    keys = [kms.new_key() for _ in range(5)]
    for number, key in enumerate(keys):
        kms(root(), "CreateAlias", alias_name=f"alias/n{number}", target_key_id=key.key_id)
    tx = kms.store.reading()
    one = kms.live.find(tx, REGION, keys[4].key_id)
    assert one is not None
    small = LiveKeys(kms.store, kms.sealer, memory=3 * one.held, aliases=2)
    for key in keys:
        small.find(tx, REGION, key.key_id)
        small.find(tx, REGION, keys[0].key_id)
    assert len(small._keys) == 3
    assert set(small._by_material) == {(REGION, key.current_key_material_id) for key in (keys[0], keys[3], keys[4])}
    for number in range(5):
        assert small.find_alias(tx, ACCOUNT, REGION, f"alias/n{number}") == keys[number].key_id
    assert len(small._aliases) == 2
    for key in keys:  # forgotten is not gone
        found = small.find_by_material(tx, REGION, str(key.current_key_material_id))
        assert found is not None
        assert found.arn == key.arn


def test_a_key_of_more_than_may_be_held_is_served_all_the_same(kms: Kms):
    key = kms.new_key()
    small = LiveKeys(kms.store, kms.sealer, memory=100)
    found = small.find(kms.store.reading(), REGION, key.key_id)
    assert found is not None
    assert found.arn == key.arn
    assert len(small._keys) == len(small._by_material) == small._keys.weight == 0


def test_keys_take_no_more_memory_than_they_are_counted_for(kms: Kms):
    keys = [kms.new_key() for _ in range(400)]
    fresh, tx = LiveKeys(kms.store, kms.sealer), kms.store.reading()
    for key in keys[:100]:
        fresh.find(tx, REGION, key.key_id)
    counted = fresh._keys.weight
    gc.collect()
    tracemalloc.start()
    try:
        for key in keys[100:]:
            # An id of its own, as a request brings it.
            fresh.find(tx, REGION, key.key_id.encode().decode())
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.5 < taken / (fresh._keys.weight - counted) < 1.1
    assert (fresh._keys.weight - counted) / 300 < 1600


def test_what_is_a_keys_own_is_counted(kms: Kms):
    plain, tx = kms.new_key(), kms.store.reading()
    own = key_policy(root_statement(), {"Principal": {"AWS": kms.person("user", "alice")}, "Action": "kms:Encrypt"})
    rich = kms.new_key(
        policy=own, tags=[api.Tag(tag_key="team", tag_value="x" * 200)], key_spec="RSA_2048", key_usage="SIGN_VERIFY"
    )
    kms(root(), "CreateAlias", alias_name="alias/rich", target_key_id=rich.key_id)
    fresh = LiveKeys(kms.store, kms.sealer)
    compiled.cache_clear()
    fresh.find(tx, REGION, kms.new_key().key_id)  # the first with the policy that most have
    found = [fresh.find(tx, REGION, key.key_id) for key in (plain, rich)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[1].held - found[0].held > 12 * 1024 + 200 + 10 * len(own)


def test_a_key_that_is_not_in_memory_costs_one_statement(kms: Kms, monkeypatch: pytest.MonkeyPatch):
    key = kms.new_key()
    fresh = LiveKeys(kms.store, kms.sealer)
    kms.live = fresh
    reading, asked = kms.store.reading(), list[str]()

    class Counted(NoReads):
        def all(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
            asked.append(sql)
            return reading.all(sql, *parameters)  # type: ignore[arg-type] # what the code asks with

    monkeypatch.setattr(kms.store, "reading", Counted)
    kms(user("alice", allow("kms:Encrypt")), "Encrypt", key_id=key.key_id, plaintext=b"x")
    assert len(asked) == 1


def test_keys_that_do_not_exist_are_not_remembered(kms: Kms):
    tx = kms.store.reading()
    for number in range(100):
        assert kms.live.find(tx, REGION, f"{number}") is None
        assert kms.live.find_alias(tx, ACCOUNT, REGION, f"alias/{number}") is None
        assert kms.live.find_by_material(tx, REGION, f"{number:064x}") is None
    assert len(kms.live._keys) == len(kms.live._aliases) == len(kms.live._by_material) == 0


def test_keys_of_one_policy_share_it_compiled(kms: Kms):
    one, two = kms.new_key(), kms.new_key()
    tx = kms.store.reading()
    found = [kms.live.find(tx, REGION, key.key_id) for key in (one, two)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].target.policy is found[1].target.policy
    assert found[0].policy is found[1].policy
    assert found[0].target.keys is found[1].target.keys
    assert compiled.cache_info().maxsize is not None


def test_a_change_in_one_process_is_seen_by_the_next_call_in_another(tmp_path: Path):
    sealer = Keyring(bytes(32))
    stores = [open_store(tmp_path, sealer=sealer, slot=slot) for slot in (0, 1)]
    here, there = (Kms(store, sealer) for store in stores)
    key = here.new_key()
    here(root(), "CreateAlias", alias_name="alias/one", target_key_id=key.key_id)
    blob = there(root(), "Encrypt", key_id="alias/one", plaintext=b"x").ciphertext_blob
    here(root(), "DisableKey", key_id=key.key_id)
    with pytest.raises(api.DisabledException):
        there(root(), "Decrypt", ciphertext_blob=blob)
    there(root(), "EnableKey", key_id=key.key_id)
    assert here(root(), "Decrypt", ciphertext_blob=blob).plaintext == b"x"
    other = here.new_key()
    here(root(), "UpdateAlias", alias_name="alias/one", target_key_id=other.key_id)
    assert there(root(), "Encrypt", key_id="alias/one", plaintext=b"x").key_id == other.arn
    here(root(), "DeleteAlias", alias_name="alias/one")
    with pytest.raises(api.NotFoundException):
        there(root(), "Encrypt", key_id="alias/one", plaintext=b"x")
    here(root(), "TagResource", key_id=key.key_id, tags=[api.Tag(tag_key="a", tag_value="b")])
    assert [tag.tag_key for tag in there(root(), "ListResourceTags", key_id=key.key_id).tags] == ["a"]
    for store in stores:
        store.close()


def test_a_write_builds_on_what_the_database_has_not_on_what_was_cached(tmp_path: Path):
    sealer = Keyring(bytes(32))
    stores = [open_store(tmp_path, sealer=sealer, slot=slot) for slot in (0, 1)]
    here, there = (Kms(store, sealer) for store in stores)
    key = here.new_key()
    there(root(), "DescribeKey", key_id=key.key_id)
    here(root(), "ScheduleKeyDeletion", key_id=key.key_id)
    there.store.refresh = lambda: None  # type: ignore[method-assign] # the change falls between the look at the log and the lock
    with pytest.raises(api.KMSInvalidStateException, match="is pending deletion"):
        there(root(), "EnableKey", key_id=key.key_id)
    for store in stores:
        store.close()


def test_what_a_failed_call_wrote_is_not_remembered(kms: Kms, monkeypatch: pytest.MonkeyPatch):
    key = kms.new_key(description="before")

    def fail(*_: object) -> None:
        msg = "after the write"
        raise RuntimeError(msg)

    monkeypatch.setattr("garrison.keys.kms.items.item", fail)
    with pytest.raises(RuntimeError):
        kms(root(), "UpdateKeyDescription", key_id=key.key_id, description="after")
    assert kms(root(), "DescribeKey", key_id=key.key_id).key_metadata.description == "before"


def test_what_a_failed_commit_wrote_is_not_remembered(kms: Kms):
    key = kms.new_key(description="before")
    with kms.store.writing() as tx:
        tx.run("UPDATE kms_key SET description = 'after'")
        tx.changed("kms-key", f"{REGION}/{key.key_id}")
    assert kms(root(), "DescribeKey", key_id=key.key_id).key_metadata.description == "after"  # this worker's open group
    kms.store.rollback()
    assert kms(root(), "DescribeKey", key_id=key.key_id).key_metadata.description == "before"


def test_a_call_refused_by_policy_changes_nothing(kms: Kms):
    key = kms.new_key()
    calls: Calls = [
        ("DisableKey", {}),
        ("EnableKey", {}),
        ("ScheduleKeyDeletion", {}),
        ("CancelKeyDeletion", {}),
        ("UpdateKeyDescription", {"description": "x"}),
        ("PutKeyPolicy", {"policy": "{}"}),
        ("TagResource", {"tags": [api.Tag(tag_key="a", tag_value="b")]}),
        ("UntagResource", {"tag_keys": ["a"]}),
        ("GetKeyPolicy", {}),
        ("ListKeyPolicies", {}),
        ("ListResourceTags", {}),
        ("GetKeyRotationStatus", {}),
    ]
    for operation, members in calls:
        with pytest.raises(CommonError) as caught:
            kms(user("eve"), operation, key_id=key.key_id, **members)
        assert caught.value.message == (
            f"User: arn:aws:iam::{ACCOUNT}:user/eve is not authorized to perform: kms:{operation} on resource: {key.arn}"
            f" because no identity-based policy allows the kms:{operation} action"
        )
    for operation in ("ListKeys", "ListAliases"):
        with pytest.raises(CommonError, match=rf"kms:{operation} on resource: \* because no identity-based policy"):
            kms(user("eve"), operation)
    assert kms(root(), "DescribeKey", key_id=key.key_id).key_metadata == key
