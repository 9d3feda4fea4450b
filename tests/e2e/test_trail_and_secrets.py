"""No call without its event, and no secret in anything that is written down."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.attacks import FORM, allow, events, new_role, policy, query_body, send, signed, trust, unique
from tests.support.clients import boto, new_user, temporary
from tests.support.server import AccessKey, Server


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose log says all that it can say."""
    with Server(tmp_path_factory.mktemp("watched"), options=("--log-level", "debug")) as server:
        yield server


def request_id(answer: raw.Answer) -> str:
    """The id that the answer gives itself, in whatever header its protocol has for it."""
    headers = dict(line.lower().split(b": ", 1) for line in answer.head.split(b"\r\n")[1:])
    return (headers.get(b"x-amzn-requestid") or headers[b"x-amz-request-id"]).decode()


def test_every_call_leaves_an_event_with_the_id_of_its_answer(watched: Server):
    server, admin = watched, watched.credentials.admin
    nobody = new_user(server, unique("nobody"))
    kms = {"Content-Type": "application/x-amz-json-1.1"}

    def form(service: str, action: str, key: AccessKey = admin, **members: str) -> raw.Answer:
        return send(server, signed(server, key, service, body=query_body(service, action, **members), headers=FORM))

    def json_(target: str, document: object, key: AccessKey = admin) -> raw.Answer:
        headers = {**kms, "X-Amz-Target": f"TrentService.{target}"}
        return send(server, signed(server, key, "kms", body=json.dumps(document).encode(), headers=headers))

    presigned = signed(server, admin, "sts", method="GET", path="/?Action=GetCallerIdentity&Version=2011-06-15", presigned=60)
    altered = signed(server, admin, "iam", body=query_body("iam", "ListUsers"), headers=FORM)
    wanted = {
        "a read": (form("iam", "ListUsers"), 200, "ListUsers"),
        "a write": (form("iam", "CreateUser", UserName=unique("made")), 200, "CreateUser"),
        "signed only": (form("sts", "GetCallerIdentity"), 200, "GetCallerIdentity"),
        "presigned": (send(server, presigned), 200, "GetCallerIdentity"),
        "denied": (form("iam", "ListUsers", nobody), 403, "ListUsers"),
        "denied write": (form("iam", "CreateUser", nobody, UserName="x"), 403, "CreateUser"),
        "not found": (form("iam", "GetUser", UserName="absent"), 404, "GetUser"),
        "invalid": (form("iam", "CreateUser", UserName="*"), 400, "CreateUser"),
        "conflict": (form("iam", "CreateUser", UserName="admin"), 409, "CreateUser"),
        "no such action": (form("iam", "MakeTea"), 400, "MakeTea"),
        "not built": (form("ec2", "DescribeInstances"), 501, "DescribeInstances"),
        "no such role": (form("sts", "AssumeRole", RoleArn="arn:aws:iam::123456789012:role/x", RoleSessionName="s1"), 403, "AssumeRole"),
        "a json read": (json_("ListKeys", {}), 200, "ListKeys"),
        "a json write": (json_("CreateKey", {}), 200, "CreateKey"),
        "json denied": (json_("CreateKey", {}, nobody), 400, "CreateKey"),
        "json malformed": (send(server, signed(server, admin, "kms", body=b"{", headers={**kms, "X-Amz-Target": "TrentService.ListKeys"})), 400, "ListKeys"),
        "tampered": (send(server, altered, body=query_body("iam", "ListRoles")), 403, "ListRoles"),
        "unknown key": (form("iam", "ListUsers", AccessKey("AKIAIOSFODNN7EXAMPLE", "x")), 403, "ListUsers"),
        "wrong secret": (form("iam", "ListUsers", AccessKey(admin.access_key_id, "x")), 403, "ListUsers"),
        "unsigned": (raw.exchange(server, b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: TrentService.ListKeys\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"), 400, "ListKeys"),
        "too large": (raw.exchange(server, b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: TrentService.Encrypt\r\nContent-Length: 99999999999\r\n\r\n", half_close=False), 413, "Encrypt"),
    }  # fmt: skip
    on_record = {found: json.loads(record) for found, record in events(server)}
    for name, (answer, status, event_name) in wanted.items():
        assert answer.status == status, (name, answer)
        record = on_record.get(request_id(answer))
        assert record is not None, f"no event of: {name}"
        assert record["eventName"] == event_name, name
        assert ("errorCode" in record) == (status != 200), name
    by_stranger = on_record[request_id(wanted["wrong secret"][0])]
    assert by_stranger["userIdentity"].get("arn", "") == "", "a signature that is not proven names nobody"


def spellings(secret: bytes) -> set[bytes]:
    """The ways in which a secret could stand in a file."""
    return {
        secret,
        base64.b64encode(secret),
        base64.urlsafe_b64encode(secret),
        secret.hex().encode(),
        secret.hex().upper().encode(),
    }


def written_down(server: Server) -> dict[str, bytes]:
    """Every file that the server wrote, without the credentials file, which is asked for to hold them."""
    files = [path for path in server.directory.rglob("*") if path.is_file() and path != server.credentials_file]
    return {str(path.relative_to(server.directory)): path.read_bytes() for path in files}


def test_no_secret_is_written_down(watched: Server):
    server = watched
    secrets: dict[str, bytes] = {}

    def keep(name: str, key: AccessKey) -> AccessKey:
        secrets[f"{name}'s secret"] = key.secret_access_key.encode()
        if key.session_token:
            secrets[f"{name}'s token"] = key.session_token.encode()
        return key

    keep("root", server.credentials.root)
    user = keep("user", new_user(server, unique("secretive"), policy(allow("*"))))
    sts, kms, iam = boto(server, "sts", user), boto(server, "kms", user), boto(server, "iam", user)
    session = keep("session", temporary(sts.get_session_token()))
    keep("federated", temporary(sts.get_federation_token(Name="bob", Policy=json.dumps(policy(allow("*"))))))
    role = new_role(server, trust(f"arn:aws:iam::{server.account_id}:root"), policy(allow("*")))
    assumed = keep("role", temporary(sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1")))
    keep("second key", temporary(iam.create_access_key()))
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    secrets["plaintext"] = b"the plaintext of the day, and no other"
    blob = kms.encrypt(KeyId=key_id, Plaintext=secrets["plaintext"])["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob)
    secrets["data key"] = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")["Plaintext"]
    secrets["random"] = kms.generate_random(NumberOfBytes=40)["Plaintext"]
    # Calls that fail with the secret in hand, in places where it should not be.
    for key in (user, session, assumed):
        text = key.secret_access_key
        send(
            server,
            signed(
                server,
                AccessKey(key.access_key_id, text[::-1], key.session_token),
                "sts",
                body=query_body("sts", "GetCallerIdentity"),
                headers=FORM,
            ),
        )
        boto(server, "sts", key).get_caller_identity()
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.Encrypt"}
    for document in (
        {"KeyId": "absent", "Plaintext": base64.b64encode(secrets["plaintext"]).decode()},
        {"KeyId": key_id, "Plaintext": ["the plaintext of the day, and no other"]},
    ):
        send(server, signed(server, user, "kms", body=json.dumps(document).encode(), headers=headers))
    assert len(events(server)) > 10  # the spools are in the database now
    server.restart()
    boto(server, "sts", user).get_caller_identity()
    files = written_down(server)
    assert any(b"CreateAccessKey" in content for content in files.values())
    for name, secret in secrets.items():
        for spelling in spellings(secret):
            holders = [file for file, content in files.items() if spelling in content]
            assert not holders, f"{name} stands in {holders}"


def test_the_first_start_shows_admins_secret_once_and_keeps_it_nowhere(watched: Server):
    secret = watched.credentials.admin.secret_access_key.encode()
    log = watched.directory / "server.log"
    assert log.read_bytes().count(secret) == 1, "the banner, on the first start alone"
    files = {name: content for name, content in written_down(watched).items() if name != log.name}
    assert not [name for name, content in files.items() if secret in content]


def test_only_the_owner_can_read_the_state(watched: Server):
    for path in (
        watched.data_dir,
        watched.credentials_file,
        *watched.directory.glob("data.root-key*"),
        *watched.data_dir.rglob("*"),
    ):
        mode = Path(path).stat().st_mode & 0o077
        inside = watched.data_dir in Path(path).parents  # the directory's own mode guards what lies in it
        assert mode == 0 or inside, (path, oct(mode))
