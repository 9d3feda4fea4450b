"""KMS as boto3 sees it: over the network, signed, authorized, audited."""

from __future__ import annotations

import base64
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.clients import boto, new_user
from tests.support.server import Server

ABSENT = "12345678-1234-1234-1234-123456789012"


@pytest.fixture
def kms(server: Server) -> Any:
    return boto(server, "kms")


@pytest.fixture
def key(kms: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = kms.create_key(Description="end to end")["KeyMetadata"]
    return metadata


def refused(call: Any, **members: Any) -> tuple[str, str, int]:
    """Code, message and status of a call that fails."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_the_life_of_a_key(kms: Any, key: dict[str, Any], server: Server):
    key_id, arn = key["KeyId"], key["Arn"]
    assert arn == f"arn:aws:kms:{server.credentials.region}:{server.account_id}:key/{key_id}"
    assert (key["KeyState"], key["Enabled"], key["KeyManager"], key["Origin"]) == ("Enabled", True, "CUSTOMER", "AWS_KMS")
    assert (key["KeySpec"], key["CustomerMasterKeySpec"], key["MultiRegion"]) == ("SYMMETRIC_DEFAULT", "SYMMETRIC_DEFAULT", False)
    alias = f"alias/{key_id}"
    kms.create_alias(AliasName=alias, TargetKeyId=key_id)
    assert kms.describe_key(KeyId=alias)["KeyMetadata"] == key
    assert [entry["TargetKeyId"] for entry in kms.list_aliases(KeyId=key_id)["Aliases"]] == [key_id]
    context = {"purpose": "test", "ä": "ö"}
    made = kms.encrypt(KeyId=alias, Plaintext=b"secret", EncryptionContext=context)
    assert (made["KeyId"], made["EncryptionAlgorithm"]) == (arn, "SYMMETRIC_DEFAULT")
    back = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=context)
    assert (back["Plaintext"], back["KeyId"]) == (b"secret", arn)
    assert refused(kms.decrypt, CiphertextBlob=made["CiphertextBlob"]) == ("InvalidCiphertextException", "", 400)
    kms.update_key_description(KeyId=key_id, Description="changed")
    kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "team", "TagValue": "a"}])
    assert kms.list_resource_tags(KeyId=key_id)["Tags"] == [{"TagKey": "team", "TagValue": "a"}]
    kms.untag_resource(KeyId=key_id, TagKeys=["team"])
    kms.disable_key(KeyId=key_id)
    assert refused(kms.encrypt, KeyId=key_id, Plaintext=b"x") == ("DisabledException", f"{arn} is disabled.", 400)
    kms.enable_key(KeyId=key_id)
    scheduled = kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    assert (scheduled["KeyId"], scheduled["KeyState"], scheduled["PendingWindowInDays"]) == (arn, "PendingDeletion", 7)
    assert refused(kms.encrypt, KeyId=key_id, Plaintext=b"x") == ("KMSInvalidStateException", f"{arn} is pending deletion.", 400)
    assert kms.cancel_key_deletion(KeyId=key_id)["KeyId"] == arn
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Disabled"
    kms.delete_alias(AliasName=alias)
    code, message, _ = refused(kms.describe_key, KeyId=alias)
    assert (code, message) == ("NotFoundException", f"Alias {arn.replace(f'key/{key_id}', alias)} is not found.")


def test_data_keys_and_re_encryption(kms: Any, key: dict[str, Any]):
    other = kms.create_key()["KeyMetadata"]
    data = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", EncryptionContext={"a": "b"})
    assert len(data["Plaintext"]) == 32
    moved = kms.re_encrypt(
        CiphertextBlob=data["CiphertextBlob"], SourceEncryptionContext={"a": "b"}, DestinationKeyId=other["KeyId"]
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (key["Arn"], other["Arn"])
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], KeyId=other["Arn"])["Plaintext"] == data["Plaintext"]
    bare = kms.generate_data_key_without_plaintext(KeyId=key["KeyId"], NumberOfBytes=64)
    assert "Plaintext" not in bare
    assert len(kms.decrypt(CiphertextBlob=bare["CiphertextBlob"])["Plaintext"]) == 64
    assert len(kms.generate_random(NumberOfBytes=1024)["Plaintext"]) == 1024
    message = "The request would have succeeded, but the DryRun option is set."
    assert refused(kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x", DryRun=True)[:2] == ("DryRunOperationException", message)


@pytest.mark.parametrize(
    ("operation", "members", "code", "message"),
    [
        (
            "generate_random",
            {"NumberOfBytes": 0},
            "ValidationException",
            "1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            "generate_random",
            {"NumberOfBytes": 1025},
            "ValidationException",
            "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024",
        ),
        ("describe_key", {"KeyId": "fake-key-id"}, "NotFoundException", "Invalid keyId 'fake-key-id'"),
        (
            "create_alias",
            {"AliasName": "one", "TargetKeyId": ABSENT},
            "ValidationException",
            'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html',
        ),
        ("decrypt", {"CiphertextBlob": b"nonsense"}, "InvalidCiphertextException", ""),
        (
            "create_key",
            {"Tags": [{"TagKey": "a" * 129, "TagValue": ""}]},
            "ValidationException",
            f"1 validation error detected: Value '{'a' * 129}' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length less than or equal to 128",
        ),
        ("create_key", {"Tags": [{"TagKey": "aws:a", "TagValue": ""}]}, "TagException", "Tags beginning with aws: are reserved"),
        ("create_key", {"Tags": [{"TagKey": f"{at}", "TagValue": ""} for at in range(51)]}, "TagException", "Too many tags"),
    ],
)
def test_the_texts_recorded_on_aws(kms: Any, operation: str, members: dict[str, Any], code: str, message: str):
    assert refused(getattr(kms, operation), **members) == (code, message, 400)


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("encrypt", {"Plaintext": b""}),
        ("encrypt", {"Plaintext": b"x" * 4097}),
        ("encrypt", {"Plaintext": b"x", "EncryptionContext": {"a": 1}}),
        ("decrypt", {"CiphertextBlob": b"x" * 6145}),
        ("generate_data_key", {"KeySpec": "AES_512"}),
        ("generate_data_key", {}),
        ("generate_data_key", {"NumberOfBytes": 32, "KeySpec": "AES_256"}),
        ("schedule_key_deletion", {"PendingWindowInDays": 3}),
        ("put_key_policy", {"Policy": ""}),
    ],
)
def test_bad_input_is_refused_by_name(kms: Any, key: dict[str, Any], operation: str, members: dict[str, Any]):
    code, message, status = refused(getattr(kms, operation), KeyId=key["KeyId"], **members)
    assert (code in {"ValidationException", "SerializationException"}, status) == (True, 400), (code, message)


def test_a_user_may_what_the_policies_say_and_no_more(server: Server, kms: Any, key: dict[str, Any]):
    other = kms.create_key()["KeyMetadata"]
    name = f"kms-{key['KeyId'][:8]}"
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["kms:Encrypt", "kms:Decrypt"],
                "Resource": key["Arn"],
                "Condition": {"StringEquals": {"kms:EncryptionContext:team": "a"}},
            }
        ],
    }
    mine = boto(server, "kms", new_user(server, name, policy))
    user = f"arn:aws:iam::{server.account_id}:user/{name}"
    context = {"team": "a"}
    blob = mine.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
    assert mine.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x"
    because = "because no identity-based policy allows the kms:Encrypt action"
    for members in ({"KeyId": key["KeyId"], "EncryptionContext": {"team": "b"}}, {"KeyId": key["KeyId"]}):
        code, message, status = refused(mine.encrypt, Plaintext=b"x", **members)
        assert (code, status) == ("AccessDeniedException", 400)
        assert message == f"User: {user} is not authorized to perform: kms:Encrypt on resource: {key['Arn']} {because}"
    assert other["Arn"] in refused(mine.encrypt, KeyId=other["KeyId"], Plaintext=b"x", EncryptionContext=context)[1]
    deny = {"Effect": "Deny", "Principal": {"AWS": user}, "Action": "kms:Decrypt", "Resource": "*"}
    allow = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{server.account_id}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    kms.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow, deny]}))
    code, message, _ = refused(mine.decrypt, CiphertextBlob=blob, EncryptionContext=context)
    assert code == "AccessDeniedException"
    assert "with an explicit deny in a resource-based policy" in message


def test_key_policy_and_lists(kms: Any, key: dict[str, Any]):
    policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])
    assert policy["Id"] == "key-default-1"
    assert kms.list_key_policies(KeyId=key["KeyId"])["PolicyNames"] == ["default"]
    pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2})
    assert key["KeyId"] in [entry["KeyId"] for page in pages for entry in page["Keys"]]
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is False


def test_nothing_secret_reaches_the_audit_trail_or_the_log(server: Server, kms: Any, key: dict[str, Any]):
    plaintext = b"a plaintext that must not be written down"
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=plaintext, EncryptionContext={"seen": "yes"})["CiphertextBlob"]
    data = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256")["Plaintext"]
    kms.decrypt(CiphertextBlob=blob, EncryptionContext={"seen": "yes"})
    written = b"".join(path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file()) + server.log().encode()
    assert b'"seen"' in written  # the event itself is there
    for secret in (plaintext, data):
        for form in (secret, base64.b64encode(secret), secret.hex().encode()):
            assert form not in written


def test_keys_survive_a_kill(new_server: Any):
    server: Server = new_server().start()
    kms = boto(server, "kms")
    key = kms.create_key(Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]
    kms.create_alias(AliasName="alias/kept", TargetKeyId=key["KeyId"])
    blob = kms.encrypt(KeyId="alias/kept", Plaintext=b"kept")["CiphertextBlob"]
    server.kill()
    server.start()
    kms = boto(server, "kms")
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    assert kms.describe_key(KeyId="alias/kept")["KeyMetadata"] == key
    database = sqlite3.connect(f"file:{server.data_dir / 'garrison.db'}?mode=ro", uri=True)
    (sealed,) = database.execute("SELECT sealed FROM kms_material").fetchone()
    database.close()
    assert len(sealed) == 1 + 12 + 32 + 16


def test_every_worker_sees_a_change_with_the_next_call(new_server: Any):
    server: Server = new_server(workers=2).start()
    kms = boto(server, "kms", max_pool_connections=8)
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]

    def outcome(_: int) -> str:
        try:
            kms.encrypt(KeyId=key_id, Plaintext=b"x")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "encrypted"

    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert set(pool.map(outcome, range(24))) == {"encrypted"}
            kms.disable_key(KeyId=key_id)
            assert set(pool.map(outcome, range(24))) == {"DisabledException"}
            kms.enable_key(KeyId=key_id)
