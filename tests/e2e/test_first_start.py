"""The first start and what a user has in hand after it."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from tests.support import raw
from tests.support.clients import aws_cli_program, boto, run, temporary
from tests.support.server import AccessKey, Server, ServerError, clean_environment


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def fetch(server: Server, path: str, method: str = "GET") -> tuple[int, str]:
    request = urllib.request.Request(server.endpoint + path, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_state_is_the_owners_alone_and_the_root_key_lies_apart(fresh_server: Server):
    assert mode(fresh_server.data_dir) == 0o700
    root_key = fresh_server.data_dir.with_name("data.root-key")
    assert mode(root_key) == 0o600
    assert not root_key.is_relative_to(fresh_server.data_dir)
    assert mode(fresh_server.credentials_file) == 0o600
    for file in fresh_server.data_dir.rglob("*"):
        assert not mode(file) & 0o077, file


def test_credentials_are_printed_once(fresh_server: Server):
    secret = fresh_server.credentials.admin.secret_access_key
    printed = fresh_server.log()
    assert printed.count(secret) == 1
    assert fresh_server.account_id in printed
    assert fresh_server.endpoint in printed
    assert fresh_server.credentials.root.secret_access_key not in printed
    fresh_server.restart()
    assert fresh_server.log().count(secret) == 1


def test_the_account_is_random_or_the_one_asked_for(new_server: Any):
    accounts = {new_server().start().account_id for _ in range(2)}
    assert len(accounts) == 2
    assert all(re.fullmatch(r"[1-9]\d{11}", one) for one in accounts)
    assert new_server(account="111122223333").start().account_id == "111122223333"


def test_root_and_admin_are_who_they_say(fresh_server: Server):
    found, account = fresh_server.credentials, fresh_server.account_id
    assert boto(fresh_server, "sts", found.root).get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:root"
    assert boto(fresh_server, "sts", found.admin).get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:user/admin"
    assert found.region == "us-east-1"


def test_a_root_key_of_another_state_does_not_open_this_one(new_server: Any):
    first, second = new_server().start(), new_server().start()
    first.stop()
    second.stop()
    key = first.data_dir.with_name("data.root-key")
    key.unlink()
    key.write_bytes(second.data_dir.with_name("data.root-key").read_bytes())
    key.chmod(0o600)
    with pytest.raises(ServerError, match="root key"):
        first.start()
    key.unlink()
    with pytest.raises(ServerError, match="root key"):
        first.start()


def test_a_root_key_that_others_may_read_is_refused(fresh_server: Server):
    fresh_server.stop()
    fresh_server.data_dir.with_name("data.root-key").chmod(0o644)
    with pytest.raises(ServerError, match=r"root key|mode"):
        fresh_server.start()


def test_health_and_metrics_tell_without_a_signature(server: Server):
    status, health = fetch(server, "/_garrison/health")
    assert status == 200
    assert {"iam", "sts", "kms"} <= set(json.loads(health)["services"])
    assert fetch(server, "/_localstack/health") == (200, health)
    boto(server, "sts").get_caller_identity()
    status, metrics = fetch(server, "/_garrison/metrics")
    assert status == 200
    assert re.search(r"^garrison_\w+(\{[^}]*\})? \d", metrics, re.MULTILINE)
    assert server.credentials.admin.access_key_id not in metrics
    assert fetch(server, "/_garrison/reset", "POST")[0] in {403, 404, 405}, "only --dev may be reset"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 - what must be refused
def test_another_address_without_tls_is_refused(tmp_path: Path, host: str):
    line = [*Server(tmp_path).program, "serve", "--host", host, "--port", "0", "--data-dir", str(tmp_path / "data")]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60, env=clean_environment())
    assert done.returncode == 2
    assert "TLS" in done.stderr
    assert not (tmp_path / "data").exists()


def test_tls_with_a_certificate_of_its_own(tmp_path: Path):
    server = Server(tmp_path / "tls", options=("--tls",), scheme="https")
    with server:
        authority = str(server.data_dir / "tls" / "ca.pem")
        assert boto(server, "sts", verify=authority).get_caller_identity()["Account"] == server.account_id
        with pytest.raises(botocore.exceptions.SSLError):
            boto(server, "sts").get_caller_identity()
        assert raw.exchange(server, b"GET /_garrison/health HTTP/1.1\r\nHost: x\r\n\r\n").status in {0, 400}, (
            "no plain HTTP beside it"
        )
        for file in (server.data_dir / "tls").iterdir():
            assert not mode(file) & 0o077, file


def test_dev_forgets_and_resets_to_the_first_start(new_server: Any):
    server = new_server(dev=True).start()
    iam, kms = boto(server, "iam"), boto(server, "kms")
    before = server.credentials
    iam.create_user(UserName="gone")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert fetch(server, "/_garrison/reset", "POST")[0] in {200, 204}
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_user(UserName="gone")
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.describe_key(KeyId=key)
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["admin"]
    assert boto(server, "sts", before.root).get_caller_identity()["Account"] == before.account
    assert not server.data_dir.exists()


def test_dev_enforces_like_everything_else(new_server: Any):
    server = new_server(dev=True).start()
    iam = boto(server, "iam")
    iam.create_user(UserName="nobody")
    made = iam.create_access_key(UserName="nobody")["AccessKey"]
    nobody = boto(server, "iam", temporary({"AccessKey": made}))
    with pytest.raises(botocore.exceptions.ClientError, match="is not authorized to perform: iam:ListUsers"):
        nobody.list_users()


# The profile


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / ".aws").mkdir(parents=True)
    (folder / ".aws" / "config").write_text(
        "# mine\n[default]\nregion = eu-west-1\n\n[profile work]\nregion = eu-central-1\n", encoding="utf-8"
    )
    (folder / ".aws" / "credentials").write_text(
        "[work]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = mine\n", encoding="utf-8"
    )
    return folder


def init(server: Server, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [*server.program, "init", "--data-dir", str(server.data_dir), "--port", str(server.port), *arguments]
    environment = clean_environment({"HOME": str(home)})
    return subprocess.run(
        line, capture_output=True, text=True, check=False, env=environment, timeout=120, stdin=subprocess.DEVNULL
    )


def test_init_shows_what_it_writes_and_leaves_the_rest_to_the_letter(fresh_server: Server, home: Path):
    before = {name: (home / ".aws" / name).read_text(encoding="utf-8") for name in ("config", "credentials")}
    refused = init(fresh_server, home)
    assert refused.returncode != 0, "without an answer nothing is written"
    assert {name: (home / ".aws" / name).read_text(encoding="utf-8") for name in before} == before

    done = init(fresh_server, home, "--yes")
    assert done.returncode == 0, done.stderr
    assert "+[profile garrison]" in done.stdout
    assert fresh_server.credentials.admin.secret_access_key not in done.stdout
    for name, text in before.items():
        assert (home / ".aws" / name).read_text(encoding="utf-8").startswith(text)
    assert init(fresh_server, home, "--yes").stdout.strip().endswith("Nothing to change.")


@pytest.mark.parametrize("version", [1, 2])
def test_the_profile_works_with_the_command_line(fresh_server: Server, home: Path, version: int):
    assert init(fresh_server, home, "--yes").returncode == 0
    line = [*aws_cli_program(version), "--profile", "garrison", "sts", "get-caller-identity"]
    caller = run(line, clean_environment({"HOME": str(home), "AWS_PAGER": ""}), home).json()
    assert caller["Account"] == fresh_server.account_id


def test_status_and_doctor(fresh_server: Server, home: Path):
    where = ("--port", str(fresh_server.port))
    assert fresh_server.endpoint in fresh_server.garrison("status", *where).stdout
    fresh_server.environment = {"HOME": str(home)}
    ill = fresh_server.garrison("doctor", *where, check=False)
    assert ill.returncode == 1
    assert "garrison init" in ill.stdout
    assert init(fresh_server, home, "--yes").returncode == 0
    well = fresh_server.garrison("doctor", *where, check=False)
    assert well.returncode == 0, well.stdout
    assert "signed in as arn:aws:iam::" in well.stdout
    fresh_server.data_dir.chmod(0o755)
    assert fresh_server.garrison("doctor", *where, check=False).returncode == 1
    fresh_server.data_dir.chmod(0o700)
    fresh_server.stop()
    assert fresh_server.garrison("status", *where, check=False).returncode != 0


# Copies


@pytest.mark.parametrize(
    ("write", "read", "end"), [("backup", "restore", "stop"), ("backup", "restore", "kill"), ("export", "import", "stop")]
)
def test_a_copy_made_while_running_comes_back_whole(fresh_server: Server, tmp_path: Path, write: str, read: str, end: str):
    iam, kms = boto(fresh_server, "iam"), boto(fresh_server, "kms")
    iam.create_user(UserName="kept", Tags=[{"Key": "k", "Value": "v"}])
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    copy = tmp_path / "copy"
    fresh_server.garrison(write, str(copy))
    assert not mode(copy) & 0o077, "a copy holds what the state holds"
    iam.create_user(UserName="later")
    refused = fresh_server.garrison(read, str(copy), check=False)
    assert refused.returncode != 0, "nothing is replaced under a running server"
    assert boto(fresh_server, "iam").get_user(UserName="later")
    getattr(fresh_server, end)()
    fresh_server.garrison(read, str(copy))
    fresh_server.start()
    assert boto(fresh_server, "iam").get_user(UserName="kept")["User"]["Tags"] == [{"Key": "k", "Value": "v"}]
    assert boto(fresh_server, "kms").decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    with pytest.raises(botocore.exceptions.ClientError, match="NoSuchEntity"):
        boto(fresh_server, "iam").get_user(UserName="later")
    assert fresh_server.garrison("audit", "verify", check=False).returncode == 0


def test_from_sqlite_to_postgresql(fresh_server: Server, postgres_url: str, tmp_path: Path):
    boto(fresh_server, "iam").create_user(UserName="moved")
    fresh_server.garrison("export", str(tmp_path / "state"))
    fresh_server.stop()
    fresh_server.store = postgres_url
    fresh_server.garrison("import", str(tmp_path / "state"))
    fresh_server.start()
    assert boto(fresh_server, "iam").get_user(UserName="moved")["User"]["UserName"] == "moved"


def test_another_account_while_running(fresh_server: Server):
    made = json.loads(fresh_server.garrison("account", "create", "staging", "--id", "444455556666").stdout)
    assert made["account"] == "444455556666"
    admin = AccessKey(made["admin"]["access_key_id"], made["admin"]["secret_access_key"])
    assert boto(fresh_server, "sts", admin).get_caller_identity()["Account"] == "444455556666"
    assert [user["UserName"] for user in boto(fresh_server, "iam", admin).list_users()["Users"]] == ["admin"]
    listed = fresh_server.garrison("account", "list").stdout
    assert fresh_server.account_id in listed
    assert "444455556666  staging" in listed
