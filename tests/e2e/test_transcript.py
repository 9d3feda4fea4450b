"""What the README promises, word for word, with each client that people have."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.anyclient import NAMES, AnyClient
from tests.support.clients import boto, new_user, temporary
from tests.support.server import AccessKey, Server

EXTERNAL_ID = "an-agreed-secret"


@pytest.fixture(params=NAMES)
def client(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> AnyClient:
    return AnyClient(request.param, server, tmp_path / "home")


@pytest.fixture
def user(client: AnyClient) -> str:
    """A user with an access key and no permission, made through the client itself; its name."""
    name = f"ci-{client.name}-{client.home.parent.name}"[:60]
    assert client("garrison", "iam", "CreateUser", UserName=name)["User"]["UserName"] == name
    client.identity(name, temporary(client("garrison", "iam", "CreateAccessKey", UserName=name).members))
    return name


def user_arn(client: AnyClient, name: str) -> str:
    return f"arn:aws:iam::{client.server.account_id}:user/{name}"


def allow(client: AnyClient, user: str, name: str, **statement: object) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
    answer = client("garrison", "iam", "PutUserPolicy", UserName=user, PolicyName=name, PolicyDocument=json.dumps(document))
    answer.done()


def test_a_new_user_may_do_nothing_and_is_told_so_in_the_words_of_aws(client: AnyClient, user: str):
    arn, account = user_arn(client, user), client.server.account_id
    listing = client(user, "iam", "ListUsers")
    assert (listing.code, listing.message) == (
        "AccessDenied",
        (
            f"User: {arn} is not authorized to perform: iam:ListUsers on resource: arn:aws:iam::{account}:user/"
            " because no identity-based policy allows the iam:ListUsers action"
        ),
    )
    keys = client(user, "kms", "ListKeys")
    assert keys.code == "AccessDeniedException"
    wording = rf"User: {re.escape(arn)} is not authorized to perform: kms:ListKeys( on resource: \*)?"
    assert re.fullmatch(wording + " because no identity-based policy allows the kms:ListKeys action", keys.message)


def test_one_key_one_context_and_a_deny(client: AnyClient, user: str):
    key = client("garrison", "kms", "CreateKey", Description="transcript")["KeyMetadata"]["Arn"]
    other = client("garrison", "kms", "CreateKey", Description="another")["KeyMetadata"]["Arn"]
    web, mail = {"app": "web"}, {"app": "mail"}
    allow(client, user, "one-key", Action="kms:*", Resource=key, Condition={"StringEquals": {"kms:EncryptionContext:app": "web"}})

    blob = client(user, "kms", "Encrypt", KeyId=key, Plaintext=b"hello", EncryptionContext=web)["CiphertextBlob"]
    assert client(user, "kms", "Decrypt", CiphertextBlob=blob, EncryptionContext=web)["Plaintext"] == b"hello"

    refused = client(user, "kms", "Encrypt", KeyId=other, Plaintext=b"hello", EncryptionContext=web)
    assert (refused.code, refused.message) == (
        "AccessDeniedException",
        (
            f"User: {user_arn(client, user)} is not authorized to perform: kms:Encrypt on resource: {other}"
            " because no identity-based policy allows the kms:Encrypt action"
        ),
    )
    assert client(user, "kms", "Encrypt", KeyId=key, Plaintext=b"hello", EncryptionContext=mail).code == "AccessDeniedException"
    assert client(user, "kms", "Decrypt", CiphertextBlob=blob).code == "AccessDeniedException"
    assert client("garrison", "kms", "Decrypt", CiphertextBlob=blob, EncryptionContext=mail).code == "InvalidCiphertextException"

    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"}]}
    client("garrison", "iam", "PutUserPolicy", UserName=user, PolicyName="deny", PolicyDocument=json.dumps(deny)).done()
    denied = client(user, "kms", "Decrypt", CiphertextBlob=blob, EncryptionContext=web)
    assert denied.code == "AccessDeniedException"
    assert "with an explicit deny in an identity-based policy" in denied.message


def test_a_role_asks_for_its_external_id(client: AnyClient, user: str):
    role = f"role-{user}"[:64]
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": user_arn(client, user)},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
            }
        ],
    }
    arn = client("garrison", "iam", "CreateRole", RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    wrong = client(user, "sts", "AssumeRole", RoleArn=arn, RoleSessionName="session", ExternalId="another")
    assert wrong.code == "AccessDenied"
    assert wrong.message.startswith(
        f"User: {user_arn(client, user)} is not authorized to perform: sts:AssumeRole on resource: {arn}"
    )
    assert client(user, "sts", "AssumeRole", RoleArn=arn, RoleSessionName="session").code == "AccessDenied"

    granted = client(user, "sts", "AssumeRole", RoleArn=arn, RoleSessionName="session", ExternalId=EXTERNAL_ID)
    assert granted["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{client.server.account_id}:assumed-role/{role}/session"
    client.identity(f"{user}-role", temporary(granted.members))
    caller = client(f"{user}-role", "sts", "GetCallerIdentity")
    assert caller["Arn"] == granted["AssumedRoleUser"]["Arn"]


def test_a_wrong_secret_is_refused(client: AnyClient, user: str):
    key = client.keys[user]
    client.identity(f"{user}-wrong", AccessKey(key.access_key_id, "x" * 40))
    refused = client(f"{user}-wrong", "sts", "GetCallerIdentity")
    assert refused.code == "SignatureDoesNotMatch"
    unknown = AccessKey("AKIAIOSFODNN7EXAMPLE", "x" * 40)
    client.identity(f"{user}-unknown", unknown)
    assert client(f"{user}-unknown", "sts", "GetCallerIdentity").code == "InvalidClientTokenId"


def test_a_decision_is_explained_by_its_request_id(server: Server):
    key = new_user(
        server,
        "explained",
        {
            "Version": "2012-10-17",
            "Statement": [{"Sid": "ThisOne", "Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*"}],
        },
    )
    iam = boto(server, "iam", key)
    with pytest.raises(iam.exceptions.ClientError) as caught:
        iam.list_users()
    request_id = caught.value.response["ResponseMetadata"]["RequestId"]
    told = server.garrison("explain", request_id).stdout
    assert "iam:ListUsers" in told
    assert "ThisOne" in told, "the statement that decided is named"
    assert "p0" in told, "and so is its policy"


def test_what_was_acknowledged_survives_kill_9(fresh_server: Server):
    iam, kms = boto(fresh_server, "iam"), boto(fresh_server, "kms")
    iam.create_user(UserName="kept")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    fresh_server.kill()
    fresh_server.start()
    assert boto(fresh_server, "iam").get_user(UserName="kept")["User"]["UserName"] == "kept"
    assert boto(fresh_server, "kms").decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    assert fresh_server.garrison("audit", "verify").returncode == 0
