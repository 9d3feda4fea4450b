"""The plugin's server before a KMS of the test's own: sockets, limits, and how refusals are told."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from garrison.cli.k8s.keys import Keys
from garrison.cli.k8s.server import Plugin, SocketError, make_server
from tests.support.k8s import Client

ARN = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OLD = ARN.replace("1234abcd", "0000abcd")
STRANGE = ARN.replace("111122223333", "999999999999")


class FakeKms:
    """Reverses what it encrypts; ``fails`` names the code that an operation answers."""

    def __init__(self) -> None:
        self.fails: dict[str, str] = {}
        self.material = "a" * 64
        self.state = "Enabled"
        self.unreachable = False
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def _ask(self, operation: str, members: dict[str, Any]) -> None:
        self.asked.append((operation, members))
        if self.unreachable:
            raise EndpointConnectionError(endpoint_url="http://kms")
        if operation in self.fails:
            raise ClientError({"Error": {"Code": self.fails[operation], "Message": "no"}}, operation)

    def describe_key(self, **members: Any) -> dict[str, Any]:
        self._ask("describe_key", members)
        arn = {"alias/old": OLD}.get(members["KeyId"], ARN)
        return {"KeyMetadata": {"Arn": arn, "KeyState": self.state, "CurrentKeyMaterialId": self.material}}

    def encrypt(self, **members: Any) -> dict[str, Any]:
        self._ask("encrypt", members)
        return {"CiphertextBlob": members["Plaintext"][::-1], "KeyId": members["KeyId"]}

    def decrypt(self, **members: Any) -> dict[str, Any]:
        self._ask("decrypt", members)
        return {"Plaintext": members["CiphertextBlob"][::-1]}


@pytest.fixture
def kms() -> FakeKms:
    return FakeKms()


@pytest.fixture
def client(kms: FakeKms, tmp_path: Path) -> Iterator[Client]:
    server = make_server(Plugin(Keys(kms, ["alias/new", "alias/old"], {"cluster": "one"})), tmp_path / "kms.sock")
    server.start()
    found = Client(tmp_path / "kms.sock")
    yield found
    found.close()
    server.stop(None).wait()


def test_there_and_back(client: Client, kms: FakeKms):
    status = client("Status")
    assert (status.version, status.healthz, status.key_id) == ("v2", "ok", f"{ARN}#{'a' * 64}")
    made = client("Encrypt", plaintext=b"seed", uid="1")
    assert (made.ciphertext, made.key_id, dict(made.annotations)) == (b"dees", status.key_id, {})
    assert client("Decrypt", ciphertext=made.ciphertext, key_id=made.key_id, uid="2").plaintext == b"seed"
    used = [members for name, members in kms.asked if name != "describe_key"]
    assert all(members["EncryptionContext"] == {"cluster": "one"} and members["KeyId"] == ARN for members in used)


def test_a_rotation_shows_in_the_key_id(client: Client, kms: FakeKms):
    before = client("Status").key_id
    old = client("Encrypt", plaintext=b"seed")
    kms.material = "b" * 64
    after = client("Status").key_id
    assert before != after
    assert client("Encrypt", plaintext=b"seed").key_id == after
    assert client("Decrypt", ciphertext=old.ciphertext, key_id=old.key_id).plaintext == b"seed"


def test_the_first_call_may_be_encrypt(client: Client):
    assert client("Encrypt", plaintext=b"seed").key_id == f"{ARN}#{'a' * 64}"


def test_only_the_keys_of_the_plugin_decrypt(client: Client, kms: FakeKms):
    assert client("Decrypt", ciphertext=b"x", key_id=OLD).plaintext == b"x"
    code, text = client.refused("Decrypt", ciphertext=b"x", key_id=STRANGE)
    assert (code, text) == (grpc.StatusCode.INVALID_ARGUMENT, "IncorrectKeyException: the key_id names no key of this plugin")
    assert STRANGE not in {members["KeyId"] for _, members in kms.asked}


def test_one_key_that_is_gone_does_not_stop_the_others(client: Client, kms: FakeKms):
    client("Status")
    kms.fails["describe_key"] = "NotFoundException"
    assert client("Decrypt", ciphertext=b"x", key_id=ARN).plaintext == b"x"
    assert client.refused("Decrypt", ciphertext=b"x", key_id=OLD)[0] == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDeniedException", grpc.StatusCode.PERMISSION_DENIED),
        ("InvalidCiphertextException", grpc.StatusCode.INVALID_ARGUMENT),
        ("DisabledException", grpc.StatusCode.FAILED_PRECONDITION),
        ("NotFoundException", grpc.StatusCode.NOT_FOUND),
        ("ThrottlingException", grpc.StatusCode.RESOURCE_EXHAUSTED),
        ("SomethingElse", grpc.StatusCode.INTERNAL),
    ],
)
def test_refusals(code: str, status: grpc.StatusCode, client: Client, kms: FakeKms):
    kms.fails = {"decrypt": code, "encrypt": code}
    assert client.refused("Decrypt", ciphertext=b"x", key_id=ARN) == (status, f"{code}: no")
    assert client.refused("Encrypt", plaintext=b"x") == (status, f"{code}: no")
    assert client("Status").healthz == f"{code}: no"


def test_a_kms_that_does_not_answer(client: Client, kms: FakeKms):
    kms.unreachable = True
    assert client("Status").healthz == "Unreachable: EndpointConnectionError"
    assert client.refused("Encrypt", plaintext=b"x")[0] == grpc.StatusCode.UNAVAILABLE


def test_a_key_that_may_not_be_used_is_not_healthy(client: Client, kms: FakeKms):
    kms.state = "PendingDeletion"
    assert client("Status").healthz == "KMSInvalidStateException: the key is PendingDeletion"


@pytest.mark.parametrize(
    ("method", "members"),
    [
        ("Encrypt", {"plaintext": b""}),
        ("Encrypt", {"plaintext": bytes(4097)}),
        ("Decrypt", {"ciphertext": b"", "key_id": ARN}),
        ("Decrypt", {"ciphertext": bytes(6145), "key_id": ARN}),
        ("Decrypt", {"ciphertext": b"x", "key_id": ""}),
        ("Decrypt", {"ciphertext": b"x", "key_id": "k" * 1025}),
    ],
    ids=str,
)
def test_lengths(method: str, members: dict[str, Any], client: Client, kms: FakeKms):
    assert client.refused(method, **members)[0] == grpc.StatusCode.INVALID_ARGUMENT
    assert kms.asked == []


def test_a_message_that_is_too_large(client: Client):
    assert client.refused("Encrypt", plaintext=bytes(100_000))[0] == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_the_socket_is_its_owner_s_alone(client: Client, tmp_path: Path):
    assert stat.S_IMODE((tmp_path / "kms.sock").stat().st_mode) == 0o600


def test_a_socket_in_use_is_left_alone(client: Client, kms: FakeKms, tmp_path: Path):
    with pytest.raises(SocketError, match="in use"):
        make_server(Plugin(Keys(kms, [ARN])), tmp_path / "kms.sock")
    assert client("Status").healthz == "ok"


def test_a_file_is_left_alone(kms: FakeKms, tmp_path: Path):
    (tmp_path / "kms.sock").write_text("precious", encoding="utf-8")
    with pytest.raises(SocketError, match="in use"):
        make_server(Plugin(Keys(kms, [ARN])), tmp_path / "kms.sock")
    assert (tmp_path / "kms.sock").read_text(encoding="utf-8") == "precious"


def test_a_socket_that_was_left_behind_is_taken(kms: FakeKms, tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "kms.sock"))
    server = make_server(Plugin(Keys(kms, [ARN])), tmp_path / "kms.sock")
    server.start()
    found = Client(tmp_path / "kms.sock")
    assert found("Status").healthz == "ok"
    found.close()
    server.stop(None).wait()


def test_a_folder_that_is_not_there(kms: FakeKms, tmp_path: Path):
    with pytest.raises(SocketError, match="cannot listen on"):
        make_server(Plugin(Keys(kms, [ARN])), tmp_path / "absent" / "kms.sock")
