"""``garrison keys prove-shredded`` on a state of its own."""

from __future__ import annotations

import json
import sqlite3
from base64 import b64encode
from contextlib import closing
from pathlib import Path

import pytest

from garrison.keys.kms import due_work
from tests.support.inprocess import InProcess
from tests.unit.cli.conftest import Garrison


def body(one: InProcess, operation: str, **members: object) -> dict[str, str]:
    response = one.kms(operation, **members)
    assert response.status == 200, response.body
    found: dict[str, str] = json.loads(response.body or b"{}")
    one.gateway.flush()
    return found


def new_key(one: InProcess) -> str:
    return str(body(one, "CreateKey")["KeyMetadata"]["KeyId"])  # type: ignore[index]  # an object


def destroy(one: InProcess, data_dir: Path, key: str) -> None:
    body(one, "ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    with closing(sqlite3.connect(data_dir / "garrison.db")) as database, database:
        database.execute("UPDATE kms_key SET deletion_at = 0 WHERE key_id = ?", (key,))
    assert due_work(one.state.store, one.worker.recorder, one.gateway.ports.keys, 1.0) == 1


def test_a_key_and_its_ciphertext_before_and_after(one: InProcess, garrison: Garrison, data_dir: Path, tmp_path: Path):
    key = new_key(one)
    blob = body(one, "Encrypt", KeyId=key, Plaintext=b64encode(b"x").decode())["CiphertextBlob"]
    (tmp_path / "blob").write_text(blob)
    backup = tmp_path / "backup.db"
    one.state.store.backup(backup)
    before = garrison("keys", "prove-shredded", key)
    assert before.exit_code == 1
    assert "still here: material" in before.output
    destroy(one, data_dir, key)
    for subject in (key, blob):
        after = garrison("keys", "prove-shredded", subject)
        assert (after.exit_code, after.output.split(":")[0]) == (0, "shredded"), after.output
    also = garrison("keys", "prove-shredded", "--also", str(backup), "--json", key)
    report = json.loads(also.output)
    assert (also.exit_code, report["verdict"]) == (1, "readable")
    assert {copy["file"] for copy in report["copies"]} == {str(backup)}


def test_a_ciphertext_in_a_file(one: InProcess, garrison: Garrison, tmp_path: Path):
    file = tmp_path / "blob"
    file.write_bytes(b"\x01" + bytes(100))
    assert garrison("keys", "prove-shredded", f"@{file}").exit_code == 2
    assert garrison("keys", "prove-shredded", f"@{tmp_path / 'missing'}").exit_code == 2


@pytest.mark.parametrize("subject", ["not base64!", "@"])
def test_what_names_nothing(one: InProcess, garrison: Garrison, subject: str):
    result = garrison("keys", "prove-shredded", subject)
    assert result.exit_code == 2
    assert one.account not in result.output
