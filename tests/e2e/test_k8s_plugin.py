"""The Kubernetes plugin as the API server uses it: by the published protocol, over its socket, before a real KMS."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.support.clients import boto, new_user
from tests.support.k8s import PluginProcess
from tests.support.server import Server

SEED = bytes(range(32))


@pytest.fixture
def plugin(server: Server, tmp_path: Path) -> Iterator[PluginProcess]:
    allowed = {"Effect": "Allow", "Action": ["kms:DescribeKey", "kms:Encrypt", "kms:Decrypt"], "Resource": "*"}
    who = new_user(server, f"k8s-{tmp_path.name[:40]}", {"Version": "2012-10-17", "Statement": [allowed]})
    one = PluginProcess(server, tmp_path / "kms.sock", who)
    yield one
    one.kill()


@pytest.fixture
def kms(server: Server) -> Any:
    return boto(server, "kms")


def test_a_cluster_s_life(plugin: PluginProcess, kms: Any):
    first = kms.create_key()["KeyMetadata"]["Arn"]
    client = plugin.start("--key-id", first, "--encryption-context", "cluster=one")
    status = client("Status")
    assert (status.version, status.healthz) == ("v2", "ok")
    made = client("Encrypt", plaintext=SEED, uid="1")
    assert made.key_id == status.key_id
    assert made.key_id.startswith(first)
    assert SEED not in made.ciphertext
    assert len(made.ciphertext) <= 1024
    assert client("Decrypt", ciphertext=made.ciphertext, key_id=made.key_id, uid="2").plaintext == SEED
    # What was encrypted for one cluster is bound to it.
    assert kms.decrypt(CiphertextBlob=made.ciphertext, EncryptionContext={"cluster": "one"})["Plaintext"] == SEED
    client.close()
    assert plugin.stop() == 0
    other = plugin.start("--key-id", first, "--encryption-context", "cluster=two")
    code, text = other.refused("Decrypt", ciphertext=made.ciphertext, key_id=made.key_id)
    assert (code, text) == (grpc.StatusCode.INVALID_ARGUMENT, "InvalidCiphertextException")
    other.close()
    plugin.stop()
    # A new key for new data; the old one still decrypts.
    second = kms.create_key()["KeyMetadata"]["Arn"]
    client = plugin.start("--key-id", second, "--key-id", first, "--encryption-context", "cluster=one")
    assert client("Status").key_id.startswith(second)
    assert client("Encrypt", plaintext=SEED).key_id.startswith(second)
    assert client("Decrypt", ciphertext=made.ciphertext, key_id=made.key_id).plaintext == SEED
    # A key that is disabled is not healthy, and comes back.
    kms.disable_key(KeyId=second)
    assert client("Status").healthz == "KMSInvalidStateException: the key is Disabled"
    assert client.refused("Encrypt", plaintext=SEED)[0] == grpc.StatusCode.FAILED_PRECONDITION
    kms.enable_key(KeyId=second)
    assert client("Status").healthz == "ok"
    client.close()


def test_a_killed_plugin_starts_again(plugin: PluginProcess, kms: Any):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    client = plugin.start("--key-id", key)
    made = client("Encrypt", plaintext=SEED)
    client.close()
    plugin.kill()
    assert plugin.socket.exists()
    client = plugin.start("--key-id", key)
    assert client("Decrypt", ciphertext=made.ciphertext, key_id=made.key_id).plaintext == SEED
    client.close()


def test_no_level_of_logging_writes_a_plaintext(plugin: PluginProcess, kms: Any):
    client = plugin.start("--key-id", kms.create_key()["KeyMetadata"]["KeyId"], "--log-level", "debug")
    made = client("Encrypt", plaintext=b"a seed that is text")
    assert client("Decrypt", ciphertext=made.ciphertext, key_id=made.key_id).plaintext == b"a seed that is text"
    client.close()
    plugin.stop()
    for secret in ("a seed that is text", base64.b64encode(b"a seed that is text").decode(), plugin.who.secret_access_key):
        assert secret not in plugin.log()


def test_who_may_not(plugin: PluginProcess, kms: Any, server: Server):
    plugin.who = new_user(server, f"k8s-nobody-{os.getpid()}")
    client = plugin.start("--key-id", kms.create_key()["KeyMetadata"]["KeyId"])
    assert client("Status").healthz.startswith("AccessDeniedException: User: arn:aws:iam::")
    assert client.refused("Encrypt", plaintext=SEED)[0] == grpc.StatusCode.PERMISSION_DENIED
    client.close()
    # Neither a secret nor a seed is in the log.
    assert plugin.who.secret_access_key not in plugin.log()
    assert {json.loads(line)["code"] for line in plugin.log().splitlines() if line.startswith("{")} == {"AccessDeniedException"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing option '--key-id'"),
        (("--key-id", "k", "--encryption-context", "no pair"), "is no encryption context NAME=VALUE"),
        (("--key-id", "k", "--encryption-context", "a=1", "--encryption-context", "a=2"), "its name is there twice"),
        (("--key-id", "k", "--profile", "absent"), "KMS cannot be called: The config profile (absent) could not be found"),
    ],
    ids=str,
)
def test_what_it_cannot_start_with(arguments: tuple[str, ...], said: str, plugin: PluginProcess):
    line = plugin.command(*arguments)
    done = subprocess.run(line, env=plugin.environment(), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert said in done.stderr
    assert not plugin.socket.exists()
