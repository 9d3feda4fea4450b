"""The credential report. Columns and values: IAM User Guide, "Generate credential reports for your AWS account"."""

from __future__ import annotations

import csv
import io
import tracemalloc

import pytest

from garrison.api import iam as api
from garrison.identity.iam import credential_lines, credential_report, due
from tests.support.certificates import certificate, rsa_key
from tests.support.iam import ACCOUNT, NOW, Cloud

HEADER = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,"
    "access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,"
    "access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,"
    "access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,"
    "cert_2_last_rotated,additional_credentials_info"
)
DAY = 86_400


def report(cloud: Cloud) -> list[dict[str, str]]:
    """Have one made, and read it."""
    cloud.generate_credential_report()
    cloud.make_reports()
    content = cloud.get_credential_report().content.decode()
    return list(csv.DictReader(io.StringIO(content)))


def time(at: float) -> str:
    """2023-11-14T22:13:20+00:00 is 1,700,000,000 seconds after the epoch; the tests' minutes come after it."""
    minutes, seconds = divmod(int(at - NOW) + 20, 60)
    return f"2023-11-14T22:{13 + minutes:02}:{seconds:02}+00:00"


def test_states(cloud: Cloud):
    with pytest.raises(api.CredentialReportNotPresentException) as absent:
        cloud.get_credential_report()
    assert (absent.value.code, absent.value.status) == ("ReportNotPresent", 410)
    first = cloud.generate_credential_report()
    assert (first.state, first.description) == ("STARTED", "No report exists. Starting a new report generation task")
    with pytest.raises(api.CredentialReportNotReadyException) as early:
        cloud.get_credential_report()
    assert (early.value.code, early.value.status) == ("ReportInProgress", 404)
    assert cloud.generate_credential_report().state == "INPROGRESS"
    cloud.make_reports()
    made = cloud.now
    assert cloud.generate_credential_report() == api.GenerateCredentialReportResponse(state="COMPLETE")
    found = cloud.get_credential_report()
    assert (found.report_format, found.generated_time) == ("text/csv", made)


def test_four_hours(cloud: Cloud):
    report(cloud)
    cloud.create_user(user_name="late")
    cloud.now += 4 * 3600 - 10
    assert cloud.generate_credential_report().state == "COMPLETE"
    assert b"late" not in cloud.get_credential_report().content, "the same report is given out again"
    cloud.now += 60
    with pytest.raises(api.CredentialReportExpiredException) as old:
        cloud.get_credential_report()
    assert (old.value.code, old.value.status) == ("ReportExpired", 410)
    assert cloud.generate_credential_report().state == "STARTED"
    cloud.make_reports()
    assert b"late" in cloud.get_credential_report().content


def test_what_an_account_begins_with(cloud: Cloud):
    cloud.with_account()
    text = "\n".join(",".join(row.values()) for row in report(cloud))
    content = cloud.get_credential_report().content.decode()
    assert content.splitlines()[0] == HEADER
    assert not content.endswith("\n")
    assert content == f"{HEADER}\n{text}"
    root, admin = report(cloud)
    assert (root["user"], root["arn"]) == ("<root_account>", f"arn:aws:iam::{ACCOUNT}:root")
    assert (root["password_enabled"], root["password_last_used"]) == ("false", "N/A")
    assert (root["password_last_changed"], root["password_next_rotation"]) == ("not_supported", "not_supported")
    assert (root["access_key_1_active"], root["access_key_1_last_rotated"]) == ("true", time(NOW))
    assert (admin["user"], admin["arn"]) == ("admin", f"arn:aws:iam::{ACCOUNT}:user/admin")
    assert (admin["user_creation_time"], admin["mfa_active"]) == (time(NOW), "false")
    assert (admin["access_key_1_last_used_date"], admin["access_key_1_last_used_region"]) == ("N/A", "N/A")
    assert (admin["access_key_2_active"], admin["access_key_2_last_rotated"]) == ("false", "N/A")


def test_what_users_hold(cloud: Cloud):
    made = cloud.create_user(user_name="ann", path="/a,b/").user
    keys = sorted(cloud.create_access_key(user_name="ann").access_key.access_key_id for _ in range(2))
    cloud.update_access_key(user_name="ann", access_key_id=keys[1], status="Inactive")
    cloud.upload_signing_certificate(user_name="ann", certificate_body=certificate("ann", rsa_key()))
    uploaded = cloud.now
    cloud.update_account_password_policy(max_password_age=90)
    with cloud.store.writing() as tx:
        used = "UPDATE iam_access_key SET last_used = ?, last_used_region = ?, last_used_service = ? WHERE access_key_id = ?"
        tx.run(used, NOW + 60, "eu-west-1", "kms", keys[0])
        tx.run("UPDATE iam_user SET password_last_used = ? WHERE user_id = ?", NOW + 40, made.user_id)
        tx.run(
            "INSERT INTO iam_login_profile (account, owner_id, hash, history, created, changed, reset_required)"
            " VALUES (?, ?, ?, ?, ?, ?, 0)",
            *(ACCOUNT, made.user_id, b"", b"", NOW, NOW + 30),
        )
        tx.run(
            "INSERT INTO iam_mfa_device (account, serial, serial_folded, kind, created, owner_id, enabled, drift, last_counter,"
            " sign_count, aaguid) VALUES (?, 'one', 'one', 'virtual', 0, ?, 0, 0, 0, 0, '')",
            *(ACCOUNT, made.user_id),
        )
    cloud.store.commit()
    _, ann = report(cloud)
    assert ann["arn"] == f"arn:aws:iam::{ACCOUNT}:user/a,b/ann", "quoted where CSV asks for it"
    assert (ann["password_enabled"], ann["password_last_used"]) == ("true", time(NOW + 40))
    assert (ann["password_last_changed"], ann["password_next_rotation"]) == (time(NOW + 30), "2024-02-12T22:13:50+00:00")
    assert ann["mfa_active"] == "true"
    assert (ann["access_key_1_active"], ann["access_key_1_last_used_date"]) == ("true", time(NOW + 60))
    assert (ann["access_key_1_last_used_region"], ann["access_key_1_last_used_service"]) == ("eu-west-1", "kms")
    assert (ann["access_key_2_active"], ann["access_key_2_last_used_date"]) == ("false", "N/A")
    assert ann["access_key_2_last_rotated"] != "N/A", "a key that is off has its age all the same"
    assert (ann["cert_1_active"], ann["cert_1_last_rotated"]) == ("true", time(uploaded))
    assert (ann["cert_2_active"], ann["cert_2_last_rotated"]) == ("false", "N/A")


def test_a_password_that_was_never_used(cloud: Cloud):
    made = cloud.create_user(user_name="ann").user
    with cloud.store.writing() as tx:
        tx.run(
            "INSERT INTO iam_login_profile (account, owner_id, hash, history, created, changed, reset_required)"
            " VALUES (?, ?, ?, ?, ?, ?, 0)",
            *(ACCOUNT, made.user_id, b"", b"", NOW, NOW),
        )
    cloud.store.commit()
    _, ann = report(cloud)
    assert (ann["password_enabled"], ann["password_last_used"], ann["password_next_rotation"]) == (
        "true",
        "no_information",
        "N/A",
    )


def test_another_accounts_users_are_not_in_it(cloud: Cloud):
    cloud.create_user(user_name="mine")
    other = Cloud("210987654321", store=cloud.store, sealer=cloud.sealer)
    other.create_user(user_name="theirs")
    assert [row["user"] for row in report(cloud)] == ["<root_account>", "mine"]
    assert [row["user"] for row in report(other)] == ["<root_account>", "theirs"]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credential_report, "USERS_AT_ONCE", 2)
    monkeypatch.setattr(credential_report, "_LINES_AT_ONCE", 2)


def test_a_page_at_a_time(cloud: Cloud, small_pages: None):
    names = ["Zed", "ann", "Bob", "carl", "dora"]
    for name in names:
        cloud.create_user(user_name=name)
    cloud.generate_credential_report()
    assert cloud.make_reports(steps=1) == 1
    with pytest.raises(api.CredentialReportNotReadyException):
        cloud.get_credential_report()
    cloud.make_reports()
    rows = list(csv.DictReader(io.StringIO(cloud.get_credential_report().content.decode())))
    assert [row["user"] for row in rows] == ["<root_account>", "ann", "Bob", "carl", "dora", "Zed"]
    assert cloud.row("SELECT COUNT(*) FROM iam_credential_report_line") == (0,)


def test_nobody_slips_through_by_a_new_name(cloud: Cloud, small_pages: None):
    """Whoever is renamed while the report is made stands in it all the same, and once."""
    users = [cloud.create_user(user_name=f"u{number}").user for number in range(4)]
    cloud.generate_credential_report()
    cloud.make_reports(steps=1)
    for user in users:
        cloud.update_user(user_name=user.user_name, new_user_name=f"{'a' if user.user_name > 'u1' else 'z'}{user.user_name}")
    cloud.make_reports()
    rows = list(csv.DictReader(io.StringIO(cloud.get_credential_report().content.decode())))
    assert sorted(row["arn"][-2:] for row in rows[1:]) == ["u0", "u1", "u2", "u3"]


def test_a_report_that_cannot_be_made_holds_up_nobody(cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    other = Cloud("210987654321", store=cloud.store, sealer=cloud.sealer)
    cloud.generate_credential_report()
    other.now = cloud.now + 5
    other.generate_credential_report()
    lines = credential_lines.user_lines

    def failing(tx: object, account: str, *rest: object) -> object:
        if account == ACCOUNT:
            raise LookupError
        return lines(tx, account, *rest)  # type: ignore[arg-type] # as they came

    monkeypatch.setattr(credential_report, "user_lines", failing)
    cloud.make_reports()
    assert other.get_credential_report().content
    with pytest.raises(api.CredentialReportNotPresentException):
        cloud.get_credential_report()


def test_nothing_to_do_takes_no_lock(cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(due, "_do", None)
    assert cloud.make_reports() == 0


def test_ten_thousand_users_take_no_more_memory_than_a_page(monkeypatch: pytest.MonkeyPatch):
    cloud = Cloud()
    with cloud.store.writing() as tx:
        tx.many(
            "INSERT INTO iam_user (account, user_id, name, path, created, name_folded) VALUES (?, ?, ?, '/', ?, ?)",
            ((ACCOUNT, f"AIDA{number:017}", f"user{number}", NOW, f"user{number}") for number in range(10_000)),
        )
    cloud.store.commit()
    cloud.generate_credential_report()
    tracemalloc.start()
    try:
        cloud.make_reports()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    content = cloud.get_credential_report().content
    assert content.count(b"\n") == 10_001
    assert peak < len(content), "not even the report itself was ever held at once"
    cloud.store.close()


def test_two_processes_do_each_step_once(cloud: Cloud, small_pages: None):
    """On PostgreSQL each node has a background process: what one has seen, the other may have done meanwhile."""
    for number in range(3):
        cloud.create_user(user_name=f"u{number}")
    cloud.generate_credential_report()
    seen = due._next(cloud.store, cloud.now, cloud.now)
    assert seen is not None
    for _ in range(2):
        due._do(cloud.store, *seen)
        cloud.store.commit()
    cloud.make_reports()
    rows = list(csv.DictReader(io.StringIO(cloud.get_credential_report().content.decode())))
    assert [row["user"] for row in rows] == ["<root_account>", "u0", "u1", "u2"]
    late = due._next(cloud.store, cloud.now, cloud.now)
    assert late is None
