from __future__ import annotations

from pathlib import Path

import pytest

from garrison.api import kms as api
from garrison.audit import Recorder, Trail
from garrison.core.errors import CommonError
from garrison.keys.keyring import Keyring
from garrison.keys.kms import due_deletions
from garrison.store import open_store
from tests.support.kms import ACCOUNT, NOW, REGION, Calls, Kms, allow, root, user

DAY = 86_400


@pytest.fixture
def recorder(kms: Kms) -> Recorder:
    return Recorder(kms.store, None, kms.sealer)


@pytest.mark.parametrize(("asked", "days"), [(7, 7), (30, 30), (None, 30)])
def test_schedule_key_deletion(kms: Kms, asked: int | None, days: int):
    key = kms.new_key()
    answer = kms(root(), "ScheduleKeyDeletion", key_id=key.key_id, pending_window_in_days=asked)
    assert answer == api.ScheduleKeyDeletionResponse(
        key_id=key.arn, deletion_date=NOW + days * DAY, key_state="PendingDeletion", pending_window_in_days=days
    )
    metadata = kms(root(), "DescribeKey", key_id=key.key_id).key_metadata
    assert (metadata.key_state, metadata.enabled, metadata.deletion_date) == ("PendingDeletion", False, NOW + days * DAY)


@pytest.mark.parametrize(
    ("days", "bound"), [(6, "greater than or equal to 7"), (31, "less than or equal to 30"), (1, "greater than or equal to 7")]
)
def test_a_waiting_period_outside_7_to_30_days_is_refused(kms: Kms, days: int, bound: str):
    key = kms.new_key()
    with pytest.raises(CommonError, match=rf"Value '{days}' at 'pendingWindowInDays' .* {bound}$"):
        kms(root(), "ScheduleKeyDeletion", key_id=key.key_id, pending_window_in_days=days)


def test_the_waiting_period_can_be_a_condition(kms: Kms):
    key = kms.new_key()
    condition = {"NumericGreaterThanEquals": {"kms:ScheduleKeyDeletionPendingWindowInDays": "20"}}
    caller = user("a", allow("kms:ScheduleKeyDeletion", Condition=condition))
    with pytest.raises(CommonError, match="not authorized to perform: kms:ScheduleKeyDeletion"):
        kms(caller, "ScheduleKeyDeletion", key_id=key.key_id, pending_window_in_days=7)
    assert kms(caller, "ScheduleKeyDeletion", key_id=key.key_id).pending_window_in_days == 30


def test_a_key_that_waits_for_its_deletion_does_what_the_key_state_table_says(kms: Kms):
    key, other = kms.new_key(), kms.new_key()
    blob = kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x").ciphertext_blob
    kms(root(), "CreateAlias", alias_name="alias/dying", target_key_id=key.key_id)
    kms(root(), "CreateAlias", alias_name="alias/living", target_key_id=other.key_id)
    kms(root(), "ScheduleKeyDeletion", key_id=key.key_id)
    refused: Calls = [
        ("Encrypt", {"key_id": key.key_id, "plaintext": b"x"}),
        ("Decrypt", {"ciphertext_blob": blob}),
        ("ReEncrypt", {"ciphertext_blob": blob, "destination_key_id": other.key_id}),
        ("GenerateDataKey", {"key_id": key.key_id, "key_spec": "AES_256"}),
        ("GenerateDataKeyWithoutPlaintext", {"key_id": key.key_id, "key_spec": "AES_256"}),
        ("CreateAlias", {"alias_name": "alias/more", "target_key_id": key.key_id}),
        ("UpdateAlias", {"alias_name": "alias/living", "target_key_id": key.key_id}),
        ("EnableKey", {"key_id": key.key_id}),
        ("DisableKey", {"key_id": key.key_id}),
        ("ScheduleKeyDeletion", {"key_id": key.key_id}),
        ("TagResource", {"key_id": key.key_id, "tags": [api.Tag(tag_key="a", tag_value="b")]}),
        ("UntagResource", {"key_id": key.key_id, "tag_keys": ["a"]}),
        ("UpdateKeyDescription", {"key_id": key.key_id, "description": "x"}),
    ]
    for operation, members in refused:
        with pytest.raises(api.KMSInvalidStateException) as caught:
            kms(root(), operation, **members)
        assert caught.value.message == f"{key.arn} is pending deletion."
    policy = kms(root(), "GetKeyPolicy", key_id=key.key_id).policy
    kms(root(), "PutKeyPolicy", key_id=key.key_id, policy=policy)
    for operation in ("DescribeKey", "ListResourceTags", "ListKeyPolicies", "GetKeyRotationStatus", "ListAliases"):
        kms(root(), operation, key_id=key.key_id)
    kms(root(), "UpdateAlias", alias_name="alias/dying", target_key_id=other.key_id)
    kms(root(), "DeleteAlias", alias_name="alias/dying")


def test_cancel_key_deletion_leaves_the_key_disabled(kms: Kms):
    key = kms.new_key()
    kms(root(), "ScheduleKeyDeletion", key_id=key.key_id)
    assert kms(root(), "CancelKeyDeletion", key_id=key.key_id) == api.CancelKeyDeletionResponse(key_id=key.arn)
    metadata = kms(root(), "DescribeKey", key_id=key.key_id).key_metadata
    assert (metadata.key_state, metadata.deletion_date) == ("Disabled", None)
    kms(root(), "EnableKey", key_id=key.key_id)
    kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x")


def test_nothing_to_cancel(kms: Kms):
    key = kms.new_key()
    with pytest.raises(api.KMSInvalidStateException) as caught:
        kms(root(), "CancelKeyDeletion", key_id=key.key_id)
    assert caught.value.message == f"{key.arn} is not pending deletion."


def test_a_due_key_goes_with_everything_it_had(kms: Kms, recorder: Recorder):
    key, other = kms.new_key(tags=[api.Tag(tag_key="a", tag_value="b")]), kms.new_key()
    kms(root(), "CreateAlias", alias_name="alias/due", target_key_id=key.key_id)
    blob = kms(root(), "Encrypt", key_id="alias/due", plaintext=b"x").ciphertext_blob
    kms(root(), "ScheduleKeyDeletion", key_id=key.key_id, pending_window_in_days=7)
    kms(root(), "ScheduleKeyDeletion", key_id=other.key_id, pending_window_in_days=8)
    assert due_deletions(kms.store, recorder, NOW + 7 * DAY - 1) == 0
    assert kms(root(), "DescribeKey", key_id=key.key_id).key_metadata.key_state == "PendingDeletion"
    assert due_deletions(kms.store, recorder, NOW + 7 * DAY) == 1
    with pytest.raises(api.NotFoundException, match=rf"Key '{key.arn}' does not exist"):
        kms(root(), "DescribeKey", key_id=key.key_id)
    with pytest.raises(api.NotFoundException, match="is not found"):
        kms(root(), "DescribeKey", key_id="alias/due")
    with pytest.raises(CommonError, match="on the resource associated with this ciphertext because the resource does not exist"):
        kms(root(), "Decrypt", ciphertext_blob=blob)
    for table in ("kms_key", "kms_material"):
        assert kms.store.reading().one(f"SELECT COUNT(*) FROM {table}") == (1,)  # noqa: S608 - constant names
    for table in ("kms_alias", "kms_tag"):
        assert kms.store.reading().one(f"SELECT COUNT(*) FROM {table}") == (0,)  # noqa: S608 - constant names
    assert due_deletions(kms.store, recorder, NOW + 7 * DAY) == 0


def test_a_deletion_is_on_record_with_the_keys_last_item(kms: Kms, recorder: Recorder):
    key = kms.new_key()
    kms(root(), "ScheduleKeyDeletion", key_id=key.key_id, pending_window_in_days=7)
    due_deletions(kms.store, recorder, NOW + 7 * DAY)
    (found,) = Trail(kms.store, None, recorder).lookup(ACCOUNT, event_name="DeleteKey")
    assert (found["event"]["eventType"], found["event"]["sourceIPAddress"]) == ("AwsServiceEvent", "AWS Internal")
    assert found["event"]["resources"] == [{"ARN": key.arn, "accountId": ACCOUNT, "type": "AWS::KMS::Key"}]
    assert found["event"]["responseElements"] == {"keyId": key.arn}
    row = kms.store.reading().one("SELECT resource_type, deleted FROM config_item WHERE resource_id = ?", key.key_id)
    assert row == ("AWS::KMS::Key", 1)


def test_a_deletion_that_was_called_off_does_not_happen(kms: Kms, recorder: Recorder):
    key = kms.new_key()
    kms(root(), "ScheduleKeyDeletion", key_id=key.key_id, pending_window_in_days=7)
    kms(root(), "CancelKeyDeletion", key_id=key.key_id)
    assert due_deletions(kms.store, recorder, NOW + 400 * DAY) == 0
    assert kms(root(), "DescribeKey", key_id=key.key_id).key_metadata.key_state == "Disabled"


def test_a_deletion_that_is_called_off_at_the_last_moment_does_not_happen(
    kms: Kms, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
):
    key = kms.new_key()
    kms(root(), "ScheduleKeyDeletion", key_id=key.key_id, pending_window_in_days=7)
    writing = kms.store.writing

    def after_somebody_else() -> object:
        monkeypatch.setattr(kms.store, "writing", writing)
        kms(root(), "CancelKeyDeletion", key_id=key.key_id)  # between the look for due keys and the lock
        return writing()

    monkeypatch.setattr(kms.store, "writing", after_somebody_else)
    due_deletions(kms.store, recorder, NOW + 7 * DAY)
    assert kms(root(), "DescribeKey", key_id=key.key_id).key_metadata.key_state == "Disabled"


def test_sqlite_overwrites_what_it_deletes(kms: Kms):
    assert kms.store.reading().one("PRAGMA secure_delete") == (1,)


def test_nothing_of_a_deleted_key_is_left_in_the_file(tmp_path: Path):
    sealer = Keyring(bytes(32))
    store = open_store(tmp_path / "data", sealer=sealer)
    kms = Kms(store, sealer)
    key = kms.new_key()
    row = store.reading().one("SELECT sealed FROM kms_material WHERE key_id = ?", key.key_id)
    assert row is not None
    sealed = bytes(row[0])
    kms(root(), "ScheduleKeyDeletion", key_id=key.key_id, pending_window_in_days=7)
    due_deletions(store, Recorder(store, None, sealer), NOW + 7 * DAY)
    store.close()
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if sealed in path.read_bytes()]


def test_no_key_byte_is_on_disk_in_the_clear(tmp_path: Path):
    made: list[bytes] = []

    def random(count: int) -> bytes:
        made.append(bytes(len(made) + 1 for _ in range(count)) if count == 32 else b"\x5a" * count)
        return made[-1]

    sealer = Keyring(bytes(range(32)))
    store = open_store(tmp_path / "data", sealer=sealer)
    kms = Kms(store, sealer, random=random)
    kms.new_key()
    store.close()
    secrets = [one for one in made if len(one) == 32]
    assert len(secrets) == 2  # the id of the material, and the material
    material_id, material = secrets
    files = [path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert any(material_id.hex().encode() in content for content in files)
    for form in (material, material.hex().encode()):
        assert not any(form in content for content in files)


def test_keys_survive_a_restart_and_another_root_key_opens_none(tmp_path: Path):
    sealer = Keyring(bytes(32))
    store = open_store(tmp_path / "data", sealer=sealer)
    before = Kms(store, sealer)
    key = before.new_key()
    blob = before(root(), "Encrypt", key_id=key.key_id, plaintext=b"kept").ciphertext_blob
    store.close()
    again = open_store(tmp_path / "data", sealer=sealer)
    after = Kms(again, sealer)
    assert after(root(), "Decrypt", ciphertext_blob=blob).plaintext == b"kept"
    assert after(root(), "DescribeKey", key_id=key.key_id).key_metadata == key
    other = Kms(again, Keyring(bytes([1]) * 32))
    with pytest.raises(ValueError, match="altered"):
        other(root(), "Decrypt", ciphertext_blob=blob)
    again.close()


def test_sealed_material_is_bound_to_its_row(kms: Kms):
    one, two = kms.new_key(), kms.new_key()
    with kms.store.writing() as tx:
        row = tx.one("SELECT sealed FROM kms_material WHERE key_id = ?", one.key_id)
        assert row is not None
        tx.run("UPDATE kms_material SET sealed = ? WHERE key_id = ?", row[0], two.key_id)
        tx.changed("kms-key", f"{REGION}/{two.key_id}")
    kms.store.commit()
    with pytest.raises(ValueError, match="altered"):
        kms(root(), "Encrypt", key_id=two.key_id, plaintext=b"x")
