"""That destroyed material is proven gone, and that every copy of it is found."""

from __future__ import annotations

import shutil
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from garrison.api import kms as api
from garrison.audit import Recorder
from garrison.keys.keyring import Keyring
from garrison.keys.kms import due_work, shredding
from garrison.store import Store, open_store
from tests.support.importing import wrapped
from tests.support.kms import NOW, Kms, root

DAY = 86_400


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = open_store(tmp_path / "data", sealer=Keyring(bytes(32)))
    yield found
    found.close()


@pytest.fixture
def kms(store: Store) -> Kms:
    return Kms(store, Keyring(bytes(32)))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def destroy(kms: Kms, key: api.KeyMetadata) -> None:
    kms(root(), "ScheduleKeyDeletion", key_id=key.key_id, pending_window_in_days=7)
    kms.now += 7 * DAY
    recorder = Recorder(kms.store, None, kms.sealer)
    assert due_work(kms.store, recorder, kms.live, kms.now) == 1
    recorder.close()


def proof(kms: Kms, subject: str, *places: Path, blob: bytes | None = None) -> shredding.Report:
    report = shredding.materials_of(kms.store.reading(), subject, blob)
    shredding.search(report, kms.sealer, places)
    return report


def test_before_and_after(kms: Kms, data: Path):
    key, other = kms.new_key(), kms.new_key()
    blob = kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x").ciphertext_blob
    kms(root(), "RotateKeyOnDemand", key_id=key.key_id)
    for subject, ciphertext in ((key.key_id, None), (key.arn or "", None), ("c", blob)):
        assert proof(kms, subject, data, blob=ciphertext).verdict == "readable"
    destroy(kms, key)
    for subject, ciphertext, count in ((key.key_id, None, 2), (key.arn or "", None, 2), ("c", blob, 1)):
        report = proof(kms, subject, data, blob=ciphertext)
        assert (report.verdict, len(report.gone), report.copies) == ("shredded", count, [])
        assert report.as_json()["verdict"] == "shredded"
        assert report.as_text().startswith(f"shredded: {subject}")
    assert proof(kms, other.key_id, data).verdict == "readable"


@pytest.mark.parametrize("form", ["backup", "export", "file", "free page", "hex"])
def test_every_copy_is_found(kms: Kms, data: Path, tmp_path: Path, form: str):
    key = kms.new_key()
    ((material, sealed),) = kms.store.reading().all("SELECT material_id, sealed FROM kms_material")
    kept = tmp_path / "kept"
    if form == "backup":
        kms.store.backup(kept)
    elif form == "export":
        kms.store.export(kept)
    elif form == "file":
        kms.store.settle()
        shutil.copy(data / "garrison.db", kept)
    elif form == "free page":
        # No row, no id: only the blob itself, where a page of other things was.
        kept.write_bytes(b"\x01" * 4096 + sealed + b"\x01" * 500)
    else:
        kept.write_text(f"x'{sealed.hex()}' {b64encode(b'AQ' + sealed).decode()}")
    destroy(kms, key)
    assert proof(kms, key.key_id, data).verdict == "shredded"
    report = proof(kms, key.key_id, data, kept)
    assert report.verdict == "readable"
    assert {(copy.path, copy.material_id) for copy in report.copies} == {(kept, material)}
    assert f"a copy of {material} survives in {kept}" in report.as_text()
    assert report.as_json()["copies"][0]["file"] == str(kept)


def test_the_longest_material_lies_in_one_piece(kms: Kms, data: Path, tmp_path: Path):
    """What overflowed its database page would be two halves, and found by nobody."""
    key = kms.new_key(key_spec="RSA_4096", key_usage="SIGN_VERIFY")
    kms.store.backup(tmp_path / "backup")
    kms.store.settle()
    shutil.copy(data / "garrison.db", tmp_path / "file")
    destroy(kms, key)
    assert proof(kms, key.key_id, data).verdict == "shredded"
    for name in ("backup", "file"):
        assert proof(kms, key.key_id, tmp_path / name).verdict == "readable"


def test_backups_made_later_hold_nothing(kms: Kms, tmp_path: Path):
    key = kms.new_key()
    destroy(kms, key)
    kms.store.backup(tmp_path / "later.db")
    kms.store.export(tmp_path / "later.jsonl")
    assert proof(kms, key.key_id, tmp_path).verdict == "shredded"


def test_the_log_is_emptied_after_a_deletion(kms: Kms, data: Path):
    key = kms.new_key()
    ((sealed,),) = kms.store.reading().all("SELECT sealed FROM kms_material")
    assert sealed in (data / "garrison.db-wal").read_bytes()
    destroy(kms, key)
    assert all(sealed not in path.read_bytes() for path in data.rglob("*") if path.is_file())


def test_what_is_not_known_is_not_called_shredded(kms: Kms, data: Path, tmp_path: Path):
    nobody = "12345678-1234-1234-1234-123456789012"
    assert proof(kms, nobody, data).verdict == "unknown"
    assert "nothing is known of its material" in proof(kms, nobody, data).as_text()
    for blob in (b"", b"x", b"\x01" + bytes(100)):
        assert proof(kms, "c", data, blob=blob).verdict == "unknown"
    key = kms.new_key()
    destroy(kms, key)
    report = proof(kms, key.key_id, data, tmp_path / "missing")
    assert (report.verdict, report.unsearched) == ("unknown", [f"{tmp_path / 'missing'}: not a file or folder"])


def test_imported_material_that_was_taken_away_and_came_back(kms: Kms, data: Path):
    key = kms.new_key(origin="EXTERNAL")
    kms(root(), "ImportKeyMaterial", **wrapped(kms, key, bytes(32)))
    kms(root(), "DeleteImportedKeyMaterial", key_id=key.key_id)
    kms.store.settle()
    assert proof(kms, key.key_id, data).verdict == "shredded"
    kms(root(), "ImportKeyMaterial", **wrapped(kms, key, bytes(32)))
    report = proof(kms, key.key_id, data)
    assert (report.verdict, report.gone) == ("readable", [])
    assert NOW


def test_is_key():
    assert shredding.is_key("arn:aws:kms:eu-central-1:111122223333:key/mrk-" + "0" * 32)
    assert shredding.is_key("12345678-1234-1234-1234-123456789012")
    assert not shredding.is_key("AQICAHg=")
