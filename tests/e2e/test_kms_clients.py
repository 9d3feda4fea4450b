"""Programs that keep their secrets by KMS, unmodified: sops, OpenBao's auto-unseal, the AWS Encryption SDK, the JavaScript SDK."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import Done, JavaScript, boto, new_user, other_client, run
from tests.support.needs import ROOT
from tests.support.server import AccessKey, Server, clean_environment, free_port

SCRIPT = ROOT / "tests" / "e2e" / "clients" / "encryption_sdk.py"


def use_of(*actions: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}


def environment(server: Server, home: Path, key: AccessKey) -> dict[str, str]:
    """What a user would set: endpoint, Region and credentials, in AWS's own variables."""
    return clean_environment(
        {
            "HOME": str(home),
            "AWS_ENDPOINT_URL_KMS": server.endpoint,
            "AWS_REGION": server.credentials.region,
            "AWS_DEFAULT_REGION": server.credentials.region,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "SOPS_DISABLE_VERSION_CHECK": "true",
        }
    )


@pytest.fixture
def key(server: Server) -> str:
    arn: str = boto(server, "kms").create_key()["KeyMetadata"]["Arn"]
    return arn


# sops


@dataclass
class Sops:
    """sops in a directory, as one user."""

    server: Server
    folder: Path

    def __call__(self, who: AccessKey, *arguments: str) -> Done:
        return run([other_client("sops"), *arguments], environment(self.server, self.folder, who), self.folder)


@pytest.fixture
def sops(server: Server, tmp_path: Path) -> Sops:
    (tmp_path / "secret.yaml").write_text("password: correct horse\nport: 5432\n", encoding="utf-8")
    return Sops(server, tmp_path)


def data_key(path: Path) -> str:
    """The encrypted data key that a file of sops names."""
    (entry,) = json.loads(path.read_text(encoding="utf-8"))["sops"]["kms"]
    return str(entry["enc"])


def test_sops(sops: Sops, key: str, server: Server):
    admin, file = server.credentials.admin, sops.folder / "secret.json"
    file.write_text('{"password": "correct horse"}', encoding="utf-8")
    done = sops(admin, "encrypt", "--kms", key, "--encryption-context", "app:web,stage:test", "--in-place", "secret.json")
    assert done.code == 0, done.err
    assert "correct horse" not in file.read_text(encoding="utf-8")
    assert sops(admin, "decrypt", "secret.json").json() == {"password": "correct horse"}
    # A new data key, under the same context.
    before = data_key(file)
    assert sops(admin, "rotate", "--in-place", "secret.json").code == 0
    assert data_key(file) != before
    assert sops(admin, "decrypt", "secret.json").json() == {"password": "correct horse"}
    # The context is part of what was encrypted.
    document = json.loads(file.read_text(encoding="utf-8"))
    document["sops"]["kms"][0]["context"]["stage"] = "production"
    file.write_text(json.dumps(document), encoding="utf-8")
    assert "InvalidCiphertextException" in sops(admin, "decrypt", "secret.json").err


def test_sops_goes_by_policies(sops: Sops, key: str, server: Server):
    reader = new_user(server, "sops-reader", use_of("kms:Decrypt"))
    writer = new_user(server, "sops-writer", use_of("kms:Encrypt", "kms:GenerateDataKey"))
    nobody = new_user(server, "sops-nobody")
    done = sops(writer, "encrypt", "--kms", key, "--in-place", "secret.yaml")
    assert done.code == 0, done.err
    assert sops(reader, "decrypt", "secret.yaml").out == "password: correct horse\nport: 5432\n"
    for refused in (writer, nobody):
        done = sops(refused, "decrypt", "secret.yaml")
        assert done.code != 0
        assert "AccessDeniedException" in done.err
        assert "correct horse" not in done.out
    (sops.folder / "other.yaml").write_text("a: b\n", encoding="utf-8")
    done = sops(reader, "encrypt", "--kms", key, "other.yaml")
    assert (done.code != 0, done.out) == (True, "")
    assert "AccessDeniedException" in done.err


def test_sops_with_a_key_that_is_disabled(sops: Sops, key: str, server: Server):
    admin, kms = server.credentials.admin, boto(server, "kms")
    assert sops(admin, "encrypt", "--kms", key, "--in-place", "secret.yaml").code == 0
    kms.disable_key(KeyId=key)
    assert "DisabledException" in sops(admin, "decrypt", "secret.yaml").err
    kms.enable_key(KeyId=key)
    assert sops(admin, "decrypt", "secret.yaml").code == 0


# OpenBao


class OpenBao:
    """One OpenBao server whose seal is a key of KMS."""

    def __init__(self, server: Server, folder: Path, key: str, who: AccessKey) -> None:
        self.folder, self.port, self.process = folder, free_port(), None
        self.environment = environment(server, folder, who) | {"BAO_ADDR": f"http://127.0.0.1:{self.port}"}
        (folder / "bao.hcl").write_text(
            f'storage "file" {{ path = "{folder / "bao-data"}" }}\n'
            f'listener "tcp" {{\n  address = "127.0.0.1:{self.port}"\n  tls_disable = true\n}}\n'
            f'seal "awskms" {{\n  region = "{server.credentials.region}"\n  kms_key_id = "{key}"\n'
            f'  endpoint = "{server.endpoint}"\n}}\n'
            "disable_mlock = true\n",
            encoding="utf-8",
        )

    process: subprocess.Popen[bytes] | None

    def start(self) -> None:
        """Start, without waiting."""
        line = [other_client("bao"), "server", f"-config={self.folder / 'bao.hcl'}"]
        with (self.folder / "bao.log").open("ab") as log:
            self.process = subprocess.Popen(
                line,
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self) -> None:
        """End it and all that it started."""
        process, self.process = self.process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)

    def __call__(self, *arguments: str) -> Done:
        return run([other_client("bao"), *arguments], self.environment, self.folder)

    def status(self) -> Mapping[str, Any]:
        """What ``bao status`` says; empty while nobody answers."""
        done = self("status", "-format=json")
        found: dict[str, Any] = json.loads(done.out) if done.out.strip().startswith("{") else {}
        return found

    def wait_for(self, **wanted: bool) -> None:
        """Until the status says so. Raises AssertionError with the log."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = self.status()
            if found and all(found.get(name) == value for name, value in wanted.items()):
                return
            time.sleep(0.2)
        raise AssertionError((self.folder / "bao.log").read_text(encoding="utf-8", errors="replace")[-3000:])


@pytest.fixture
def bao(server: Server, key: str, tmp_path: Path) -> Iterator[OpenBao]:
    who = new_user(server, f"openbao-{key[-12:]}", use_of("kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"))
    one = OpenBao(server, tmp_path, key, who)
    yield one
    one.stop()


def test_openbao_unseals_itself(bao: OpenBao, key: str, server: Server):
    bao.start()
    bao.wait_for(initialized=False)
    made = bao("operator", "init", "-format=json", "-recovery-shares=1", "-recovery-threshold=1").json()
    bao.environment["BAO_TOKEN"] = made["root_token"]
    bao.wait_for(initialized=True, sealed=False)
    assert bao.status()["type"] == "awskms"
    assert bao("secrets", "enable", "-path=kv", "kv").code == 0
    assert bao("kv", "put", "kv/db", "password=correct horse").code == 0
    # Restarted, it asks nobody but KMS.
    bao.stop()
    bao.start()
    bao.wait_for(initialized=True, sealed=False)
    assert bao("kv", "get", "-field=password", "kv/db").out.strip() == "correct horse"
    # Without the key it stays sealed, and no secret comes out.
    kms = boto(server, "kms")
    bao.stop()
    kms.disable_key(KeyId=key)
    bao.start()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        assert bao.status().get("sealed", True)
        time.sleep(0.5)
    assert "DisabledException" in (bao.folder / "bao.log").read_text(encoding="utf-8", errors="replace")
    assert bao("kv", "get", "-field=password", "kv/db").code != 0
    bao.stop()
    kms.enable_key(KeyId=key)
    bao.start()
    bao.wait_for(sealed=False)


# AWS Encryption SDK


@dataclass
class EncryptionSdk:
    """The SDK for Python, in an environment of its own."""

    server: Server
    folder: Path

    def __call__(self, who: AccessKey, step: str, key: str, source: bytes) -> subprocess.CompletedProcess[bytes]:
        line = [other_client("python"), "-W", "ignore", str(SCRIPT), step, key]
        return subprocess.run(
            line,
            env=environment(self.server, self.folder, who),
            cwd=self.folder,
            input=source,
            capture_output=True,
            check=False,
            timeout=120,
        )


def test_the_encryption_sdk(key: str, server: Server, tmp_path: Path):
    sdk, admin = EncryptionSdk(server, tmp_path), server.credentials.admin
    plaintext = b"frame after frame " * 1000
    sealed = sdk(admin, "encrypt", key, plaintext)
    assert sealed.returncode == 0, sealed.stderr
    assert plaintext[:18] not in sealed.stdout
    for step in ("strict", "discovery"):
        back = sdk(admin, step, key, sealed.stdout)
        assert (back.returncode, back.stdout) == (0, plaintext), back.stderr
    other = boto(server, "kms").create_key()["KeyMetadata"]["Arn"]
    for step, named in (("elsewhere", key), ("strict", other)):
        refused = sdk(admin, step, named, sealed.stdout)
        assert (refused.returncode, refused.stdout) == (1, b"")
        assert b"MasterKeyProviderError" in refused.stderr or b"DecryptKeyError" in refused.stderr


def test_the_encryption_sdk_goes_by_policies(key: str, server: Server, tmp_path: Path):
    sdk = EncryptionSdk(server, tmp_path)
    writer = new_user(server, "sdk-writer", use_of("kms:GenerateDataKey"))
    sealed = sdk(writer, "encrypt", key, b"secret")
    assert sealed.returncode == 0, sealed.stderr
    refused = sdk(writer, "discovery", key, sealed.stdout)
    assert (refused.returncode, refused.stdout) == (1, b"")


def test_the_page_on_the_encryption_sdk(key: str, server: Server, tmp_path: Path):
    page = (ROOT / "docs" / "how-to" / "encryption-sdk.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    found = environment(server, tmp_path, server.credentials.admin) | {"KEY_ARN": key}
    done = run([other_client("python"), "-W", "ignore", "-c", f"{shown}\nprint(plaintext)"], found, tmp_path)
    assert (done.code, done.out) == (0, "b'a large file'\n"), done.err


# AWS SDK for JavaScript


def test_the_javascript_sdk(key: str, server: Server, tmp_path: Path):
    script = JavaScript(server, tmp_path)

    def call(operation: str, who: AccessKey | None = None, **members: Any) -> dict[str, Any]:
        found: dict[str, Any] = script("call.cjs", who, "kms", operation, json.dumps(members)).json()
        return found

    made = call("Encrypt", KeyId=key, Plaintext={"$base64": "c2VjcmV0"}, EncryptionContext={"a": "ü"})["answer"]
    back = call("Decrypt", CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "ü"})["answer"]
    assert (back["Plaintext"], back["KeyId"]) == ({"$base64": "c2VjcmV0"}, key)
    refused = call("Decrypt", CiphertextBlob=made["CiphertextBlob"])
    assert (refused["ok"], refused["name"], refused["status"]) == (False, "InvalidCiphertextException", 400)
    signing = call("CreateKey", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["answer"]["KeyMetadata"]["KeyId"]
    ask = {"KeyId": signing, "Message": {"$base64": "aGVsbG8="}, "SigningAlgorithm": "ECDSA_SHA_256"}
    signed = call("Sign", **ask)["answer"]
    assert call("Verify", **ask, Signature=signed["Signature"])["answer"]["SignatureValid"] is True
    other = {**ask, "Message": {"$base64": "aGVsbG9v"}}
    assert call("Verify", **other, Signature=signed["Signature"])["name"] == "KMSInvalidSignatureException"
    nobody = new_user(server, "js-nobody")
    assert call("Decrypt", nobody, CiphertextBlob=made["CiphertextBlob"])["name"] == "AccessDeniedException"
