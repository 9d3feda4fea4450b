"""The root key kept by a passphrase, a token and another KMS; and put in another's place while the server works."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ServerFactory
from tests.support.clients import boto
from tests.support.server import Server, ServerError, clean_environment
from tests.support.softhsm import SoftHsm, soft_hsm

__all__ = ["soft_hsm"]

PASSPHRASE = "correct horse battery staple"
PIN = "1234567"
ROUNDS = int(os.environ.get("GARRISON_KILL_ROUNDS", "3"))


def secret(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def works(server: Server) -> bytes:
    kms = boto(server, "kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob: bytes = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    return blob


def opens(server: Server, blob: bytes) -> bool:
    plaintext: bytes = boto(server, "kms").decrypt(CiphertextBlob=blob)["Plaintext"]
    return plaintext == b"kept"


def rewrap(server: Server, *options: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "garrison", "keys", "rewrap", "--data-dir", str(server.data_dir), *options]
    return subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=clean_environment(server.environment)
    )


def done(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


def test_a_passphrase_starts_the_server_and_nothing_else_does(new_server: ServerFactory, tmp_path: Path):
    file, right = tmp_path / "root", secret(tmp_path / "right", PASSPHRASE)
    options = ("--root-key", f"passphrase:{file}", "--passphrase-file", str(right))
    server = new_server(options=options).start()
    blob = works(server)
    server.stop()
    server.start()
    assert opens(server, blob)
    server.stop()
    server.options = (*options[:2], "--passphrase-file", str(secret(tmp_path / "wrong", "another passphrase")))
    with pytest.raises(ServerError, match="passphrase does not open"):
        server.start()
    server.options = options[:2]
    with pytest.raises(ServerError, match="nor a terminal"):
        server.start()
    log = (server.directory / "server.log").read_text()
    assert PASSPHRASE not in log


def test_a_passphrase_comes_through_a_descriptor(new_server: ServerFactory, tmp_path: Path):
    server = new_server(
        program=("sh", "-c", 'exec "$0" -m garrison "$@" --passphrase-fd 3 3<"$PASS"', sys.executable),
        options=("--root-key", f"passphrase:{tmp_path / 'root'}"),
        environment={"PASS": str(secret(tmp_path / "pass", PASSPHRASE))},
    ).start()
    assert opens(server, works(server))


def test_a_token_starts_the_server(new_server: ServerFactory, soft_hsm: SoftHsm, tmp_path: Path):
    soft_hsm.new_token("root", PIN)
    kept = f"pkcs11:{tmp_path / 'root'}?module={soft_hsm.module}&token=root&key=garrison"
    pin = secret(tmp_path / "pin", PIN)
    server = new_server(options=("--root-key", kept, "--passphrase-file", str(pin)), environment=soft_hsm.environment).start()
    blob = works(server)
    server.stop()
    server.start()
    assert opens(server, blob)
    server.stop()
    server.environment = {"SOFTHSM2_CONF": "/dev/null"}
    with pytest.raises(ServerError, match="no token"):
        server.start()


def test_another_kms_starts_the_server_and_without_it_there_is_no_start(new_server: ServerFactory, tmp_path: Path):
    outer = new_server().start()
    arn = boto(outer, "kms").create_key()["KeyMetadata"]["Arn"]
    admin = outer.credentials.admin
    environment = {"AWS_ACCESS_KEY_ID": admin.access_key_id, "AWS_SECRET_ACCESS_KEY": admin.secret_access_key}
    server = new_server(options=("--root-key", f"kms:{arn}@{outer.endpoint}"), environment=environment).start()
    blob = works(server)
    server.stop()
    server.start()
    assert opens(server, blob)
    server.stop()
    boto(outer, "kms").disable_key(KeyId=arn)
    with pytest.raises(ServerError, match="is disabled"):
        server.start()
    outer.kill()
    with pytest.raises(ServerError, match="does not give the root key"):
        server.start()


class Load:
    """Clients at work all the while: new secrets are sealed, old ones opened, and nothing may fail."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.made: list[tuple[str, str]] = []
        self.failures: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(2)]
        for thread in self._threads:
            thread.start()

    def _work(self, number: int) -> None:
        iam, kms = boto(self.server, "iam"), boto(self.server, "kms")
        count = 0
        while not self._over.wait(0.05):
            count += 1
            name = f"load-{number}-{count}"
            try:
                iam.create_user(UserName=name)
                made = iam.create_access_key(UserName=name)["AccessKey"]
                self.made.append((made["AccessKeyId"], made["SecretAccessKey"]))
                key = kms.create_key()["KeyMetadata"]["KeyId"]
                blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
                assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure
                self.failures.append(repr(error))
                return

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def test_the_root_key_changes_while_the_server_works_and_kill_9_costs_nothing(new_server: ServerFactory, tmp_path: Path):
    server = new_server(workers=2).start()
    old_root = server.data_dir.with_name("data.root-key")
    copy = secret(tmp_path / "copy", "")
    copy.write_bytes(old_root.read_bytes())
    blob = works(server)
    session = boto(server, "sts").get_session_token()["Credentials"]
    chosen = tmp_path / "new-root"
    options = ("--to", f"passphrase:{chosen}", "--new-passphrase-file", str(secret(tmp_path / "pass", PASSPHRASE)))
    load = Load(server)
    for _ in range(ROUNDS):
        process = rewrap(server, *options)
        time.sleep(random.uniform(0.3, 6.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        assert opens(server, blob)
    said = done(rewrap(server, *options))
    assert "secrets sealed anew" in said
    load.end()
    assert load.failures == []
    assert opens(server, blob)
    assert who(server, session) == f"arn:aws:iam::{server.account_id}:user/admin", "sessions of before go on"

    # A worker that dies is started again by a supervisor that has heard of the new root key.
    children = subprocess.run(
        ["pgrep", "-P", str(server.process.pid if server.process else 0)], check=True, capture_output=True, text=True
    ).stdout.split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    await_answer(server)
    assert opens(server, blob)
    server.stop()

    # The old root key, and a copy of it, open nothing any more.
    with pytest.raises(ServerError, match="another root key"):
        server.start()
    server.options = ("--root-key", f"passphrase:{chosen}", "--passphrase-file", str(tmp_path / "pass"))
    server.start()
    assert opens(server, blob)
    kms_keys = [boto(server, "sts", access_key(*one)) for one in load.made]
    assert len(kms_keys) > 2
    for one in kms_keys:
        assert one.get_caller_identity()["Account"] == server.account_id
    verify = [sys.executable, "-m", "garrison", "audit", "verify", "--data-dir", str(server.data_dir), *server.options]
    checked = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def access_key(access_key_id: str, secret_access_key: str) -> Any:
    from tests.support.server import AccessKey  # noqa: PLC0415 - here alone

    return AccessKey(access_key_id, secret_access_key)


def who(server: Server, session: dict[str, Any]) -> str:
    from tests.support.server import AccessKey  # noqa: PLC0415 - the same

    key = AccessKey(session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    arn: str = boto(server, "sts", key).get_caller_identity()["Arn"]
    return arn


def await_answer(server: Server) -> None:
    for _ in range(200):
        try:
            boto(server, "sts").get_caller_identity()
        except Exception:  # noqa: BLE001 - not yet
            time.sleep(0.1)
        else:
            return
    raise AssertionError


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_no_process_of_the_server_leaves_a_core_dump(new_server: ServerFactory):
    server = new_server().start()
    assert server.process is not None
    pids = [server.process.pid]
    pids += [
        int(pid)
        for pid in subprocess.run(["pgrep", "-P", str(pids[0])], check=True, capture_output=True, text=True).stdout.split()
    ]
    for pid in pids:
        limits = Path(f"/proc/{pid}/limits").read_text()
        line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert line.split()[4:6] == ["0", "0"]
