"""``garrison init``: one profile is written, and not a byte of anything else."""

from __future__ import annotations

import configparser
import stat
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from garrison.cli.profile import _plan
from tests.support.inprocess import InProcess

SECTION = "profile garrison"
WANTED: dict[str, str | None] = {"region": "us-east-1", "endpoint_url": "http://127.0.0.1:4566", "ca_bundle": None}
NEW = b"[profile garrison]\nregion = us-east-1\nendpoint_url = http://127.0.0.1:4566\n"


def planned(tmp_path: Path, before: bytes | None, section: str = SECTION, wanted: Any = None) -> bytes:
    path = tmp_path / "config"
    if before is not None:
        path.write_bytes(before)
    was, after = _plan(path, section, wanted or WANTED)
    assert was.encode("utf-8", "surrogateescape") == (before or b"")
    return after.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, NEW),
        (b"", NEW),
        (b"[default]\nregion = x", b"[default]\nregion = x\n\n" + NEW),
        (b"[default]\nregion = x\n", b"[default]\nregion = x\n\n" + NEW),
        (b"[default]\nregion = x\n\n", b"[default]\nregion = x\n\n" + NEW),
        (b"[default]\r\nregion = x\r\n", b"[default]\r\nregion = x\r\n\n" + NEW),
        (b"# latin-1: \xe9\n", b"# latin-1: \xe9\n\n" + NEW),
        (b"[profile garrison2]\nregion = x\n", b"[profile garrison2]\nregion = x\n\n" + NEW),
        (b"[garrison]\nregion = x\n", b"[garrison]\nregion = x\n\n" + NEW),
    ],
)
def test_a_new_section_stands_at_the_end(tmp_path: Path, before: bytes | None, after: bytes):
    assert planned(tmp_path, before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (NEW, NEW),
        (b"[profile garrison]", NEW),
        (b"[profile garrison]\noutput = json\n", NEW + b"output = json\n"),
        (b"[profile garrison]\nREGION = x\nendpoint_url: y\noutput = json", NEW + b"output = json"),
        (b"[profile garrison]\nca_bundle = /old\n", NEW),
        (b"[a]\nregion = a\n\n[profile garrison]\nregion = old\n\n\n[b]\nregion = b\n", b"[a]\nregion = a\n\n" + NEW + b"\n\n[b]\nregion = b\n"),
        (b"[profile garrison]\ns3 =\n  region = nested\n  [not a section\nregion = old\n", NEW + b"s3 =\n  region = nested\n  [not a section\n"),
        (b"[profile garrison]\nregion =\n  old\n  older\noutput = json\n", NEW + b"output = json\n"),
        (b"[profile garrison]\n# region = kept\n", NEW + b"# region = kept\n"),
        (b"[profile garrison]\noutput = json\n[b]\n", NEW + b"output = json\n[b]\n"),
    ],
)  # fmt: skip
def test_an_old_section_keeps_what_is_not_ours(tmp_path: Path, before: bytes, after: bytes):
    assert planned(tmp_path, before) == after
    assert planned(tmp_path, after) == after, "a second time there is nothing to change"


@pytest.mark.parametrize("header", [b'[profile "garrison"]', b"[profile 'garrison']", b"[profile   garrison]  # mine"])
def test_other_spellings_of_the_section_are_known(tmp_path: Path, header: bytes):
    after = planned(tmp_path, header + b"\nregion = old\n")
    assert after == header + NEW[len(b"[profile garrison]") :]


def test_a_key_that_is_not_temporary_has_no_session_token(tmp_path: Path):
    wanted = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "new", "aws_session_token": None}
    before = b"[garrison]\naws_access_key_id = ASIA\naws_secret_access_key = old\naws_session_token = old\n"
    assert planned(tmp_path, before, "garrison", wanted) == b"[garrison]\naws_access_key_id = AKIA\naws_secret_access_key = new\n"


# The command


def test_what_is_written_is_what_boto_reads(one: InProcess, garrison: Any, home: Path):
    done = garrison("init", "--yes", "--region", "eu-west-1")
    assert done.exit_code == 0, done.output
    session = botocore.session.Session(profile="garrison")
    assert session.get_scoped_config()["endpoint_url"] == "http://127.0.0.1:4566"
    assert session.get_config_variable("region") == "eu-west-1"
    found = session.get_credentials()
    assert found is not None
    assert (found.access_key, found.secret_key) == (one.admin.access_key_id, one.admin.secret_access_key)
    for name in ("config", "credentials"):
        assert stat.S_IMODE((home / ".aws" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((home / ".aws").stat().st_mode) == 0o700


def test_the_secret_is_masked_the_old_one_too(one: InProcess, garrison: Any, home: Path):
    (home / ".aws").mkdir()
    old = "[garrison]\nAWS_Secret_Access_Key = oldsecret\naws_session_token = oldtoken\n"
    (home / ".aws" / "credentials").write_text(old, encoding="utf-8")
    done = garrison("init", "--yes")
    assert "****" in done.output
    assert one.admin.access_key_id in done.output
    for secret in (one.admin.secret_access_key, "oldsecret", "oldtoken"):
        assert secret not in done.output
    parser = configparser.RawConfigParser(strict=True)
    parser.read(home / ".aws" / "credentials")
    assert set(parser["garrison"]) == {"aws_access_key_id", "aws_secret_access_key"}


def test_without_a_yes_nothing_is_written(one: InProcess, garrison: Any, home: Path):
    for text in ("n\n", ""):
        assert garrison("init", text=text).exit_code == 1
        assert not (home / ".aws").exists()
    assert garrison("init", text="y\n").exit_code == 0
    assert garrison("init").output == "Nothing to change.\n"


def test_links_and_modes_stay_as_they_are(one: InProcess, garrison: Any, home: Path):
    (home / ".aws").mkdir()
    (home / "dotfiles").mkdir()
    real = home / "dotfiles" / "config"
    real.write_text("[default]\n", encoding="utf-8")
    real.chmod(0o644)
    (home / ".aws" / "config").symlink_to(real)
    assert garrison("init", "--yes").exit_code == 0
    assert (home / ".aws" / "config").is_symlink()
    assert "[profile garrison]" in real.read_text(encoding="utf-8")
    assert stat.S_IMODE(real.stat().st_mode) == 0o644
    assert sorted(path.name for path in real.parent.iterdir()) == ["config"]


def test_files_named_by_the_environment_are_the_ones(one: InProcess, garrison: Any, home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_CONFIG_FILE", str(home / "c"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "~/s")
    assert garrison("init", "--yes", "--endpoint", "https://example.com").exit_code == 0
    assert "endpoint_url = https://example.com" in (home / "c").read_text(encoding="utf-8")
    assert "[garrison]" in (home / "s").read_text(encoding="utf-8")
    assert not (home / ".aws").exists()


def test_an_admin_without_a_key_is_said(one: InProcess, garrison: Any):
    answer = one.iam("DeleteAccessKey", None, UserName="admin", AccessKeyId=one.admin.access_key_id)
    assert answer.status == 200
    done = garrison("init", "--yes")
    assert (done.exit_code, done.stderr) == (
        1,
        "garrison: user `admin` has no active access key any more: write the profile by hand\n",
    )
