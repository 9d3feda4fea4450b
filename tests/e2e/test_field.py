"""What imitations of AWS are known to get wrong. Each test fails on the behaviour that was seen in one or more of them."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

import botocore.exceptions
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support import raw
from tests.support.clients import boto, new_user, temporary
from tests.support.server import AccessKey, Server, clean_environment

NUMBERS = itertools.count()


def statement(**parts: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **parts}]}


def name(prefix: str) -> str:
    return f"{prefix}-{next(NUMBERS)}"


def user(server: Server, *policies: Mapping[str, Any]) -> tuple[str, AccessKey]:
    made = name("field")
    return made, new_user(server, made, *policies)


def refusal(call: Any, **parameters: Any) -> tuple[str, str]:
    """Code and message of a call that must fail."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def may(server: Server, key: AccessKey, user_name: str) -> bool:
    """Whether this identity may read that user."""
    try:
        boto(server, "iam", key).get_user(UserName=user_name)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return False
    return True


# Signatures


@pytest.mark.parametrize(
    "key_id", ["test", "000000000000", "111122223333", "testing-1", "AKIAIOSFODNN7EXAMPLE", "mock_access_key"]
)
def test_no_key_opens_without_its_secret(server: Server, key_id: str):
    code, message = refusal(boto(server, "sts", AccessKey(key_id, "test")).get_caller_identity)
    assert (code, message) == ("InvalidClientTokenId", "The security token included in the request is invalid.")
    code, message = refusal(boto(server, "kms", AccessKey(key_id, "test")).list_keys)
    assert (code, message) == ("UnrecognizedClientException", "The security token included in the request is invalid.")


def test_the_id_of_the_account_is_no_key(server: Server):
    assert refusal(boto(server, "iam", AccessKey(server.account_id, "test")).list_users)[0] == "InvalidClientTokenId"


def test_a_right_key_with_a_wrong_secret_is_refused(server: Server):
    admin = server.credentials.admin
    wrong = AccessKey(admin.access_key_id, admin.secret_access_key[:-1] + ("A" if admin.secret_access_key[-1] != "A" else "B"))
    assert refusal(boto(server, "iam", wrong).list_users)[0] == "SignatureDoesNotMatch"
    assert refusal(boto(server, "kms", wrong).list_keys)[0] == "InvalidSignatureException"


def post(server: Server, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(server.endpoint + path, data=body, headers=dict(headers or {}), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"Action=ListUsers&Version=2010-05-08", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"{}", {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.ListKeys"}),
        (b"Action=NoSuchThing&Version=2010-05-08", {"Content-Type": "application/x-www-form-urlencoded"}),
    ],
    ids=["query", "json", "unknown action"],
)
def test_nothing_is_done_without_a_signature(server: Server, body: bytes, headers: Mapping[str, str]):
    status, answer = post(server, "/", body, headers)
    assert status in {400, 403}
    assert b"Arn" not in answer
    assert b"MissingAuthenticationToken" in answer


def presigned(server: Server, key: AccessKey) -> str:
    query = urllib.parse.urlencode({"Action": "GetCallerIdentity", "Version": "2011-06-15"})
    request = AWSRequest("GET", f"{server.endpoint}/?{query}")
    SigV4QueryAuth(Credentials(key.access_key_id, key.secret_access_key), "sts", server.credentials.region, expires=60).add_auth(
        request
    )
    return str(request.url)


def get(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_presigned_urls_are_checked(server: Server):
    good = presigned(server, server.credentials.admin)
    assert get(good) == 200
    assert get(good.replace("X-Amz-Expires=60", "X-Amz-Expires=600")) == 403
    assert get(presigned(server, AccessKey(server.credentials.admin.access_key_id, "wrong"))) == 403


# Enforcement


@pytest.mark.parametrize("variable", ["GARRISON_ENFORCE_IAM", "GARRISON_AUTH", "GARRISON_WORKRES", "GARRISON_IAM_SOFT_MODE"])
def test_a_misspelt_setting_stops_the_start(server: Server, variable: str):
    line = [*server.program, "serve", "--port", "0", "--data-dir", str(server.directory / "never")]
    done = subprocess.run(line, env=clean_environment({variable: "1"}), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert variable in done.stderr
    assert not (server.directory / "never").exists()


def test_an_action_of_a_service_that_is_not_built_is_denied_before_anything(server: Server):
    _, key = user(server)
    code, _ = refusal(boto(server, "organizations", key).list_accounts)
    assert code in {"AccessDeniedException", "NotImplemented", "NotImplementedException"}


# The policy language


def test_not_resource_is_everything_but(server: Server):
    kept, _ = user(server)
    arn = f"arn:aws:iam::{server.account_id}:user/{kept}"
    other, key = user(server, statement(Action="iam:GetUser", NotResource=arn))
    assert may(server, key, other)
    assert not may(server, key, kept)


def test_an_allow_whose_condition_fails_is_no_deny(server: Server):
    failing = statement(Action="iam:GetUser", Resource="*", Condition={"StringEquals": {"aws:UserAgent": "nobody"}})
    mine, key = user(server, failing)
    assert not may(server, key, mine)
    mine, key = user(server, failing, statement(Action="iam:GetUser", Resource="*"))
    assert may(server, key, mine)


def test_the_users_name_is_filled_in(server: Server):
    other, _ = user(server)
    mine, key = user(server, statement(Action="iam:GetUser", Resource="arn:aws:iam::*:user/${aws:username}"))
    assert may(server, key, mine)
    assert not may(server, key, other)


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "{}",
        json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:GetUser"}]}),
        json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Maybe", "Action": "iam:GetUser", "Resource": "*"}]}),
        json.dumps({"Version": "2013-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"}]}),
        json.dumps(statement(Action="iam:GetUser", Resource="*", Condition={"StringResembles": {"aws:UserAgent": "x"}})),
        json.dumps(statement(Action="GetUser", Resource="*")),
        json.dumps(statement(Action="iam:GetUser", Resource="not-an-arn")),
        json.dumps(statement(Action="iam:GetUser", Resource="*", Resources="*")),
        json.dumps(statement(Action="iam:GetUser", Resource="*", Principal="*")),
    ],
    ids=["no JSON", "empty", "no resource", "effect", "version", "operator", "action", "ARN", "element", "principal"],
)
def test_a_policy_that_is_none_is_refused_when_it_is_put(server: Server, document: str):
    mine, _ = user(server)
    iam = boto(server, "iam")
    code, _ = refusal(iam.put_user_policy, UserName=mine, PolicyName="p", PolicyDocument=document)
    assert code == "MalformedPolicyDocument"
    assert iam.list_user_policies(UserName=mine)["PolicyNames"] == []


def test_addresses_of_both_families(server: Server):
    def only_from(*ranges: str) -> Mapping[str, Any]:
        return statement(Action="iam:GetUser", Resource="*", Condition={"IpAddress": {"aws:SourceIp": list(ranges)}})

    mine, key = user(server, only_from("2001:db8::/32", "127.0.0.0/8"))
    assert may(server, key, mine)
    mine, key = user(server, only_from("2001:db8::/32", "::1/128"))
    assert not may(server, key, mine)


# What is often missing


def test_a_permissions_boundary_bounds(server: Server):
    mine, key = user(server, statement(Action="iam:*", Resource="*"))
    assert may(server, key, mine)
    iam = boto(server, "iam")
    boundary = iam.create_policy(PolicyName=name("boundary"), PolicyDocument=json.dumps(statement(Action="kms:*", Resource="*")))
    iam.put_user_permissions_boundary(UserName=mine, PermissionsBoundary=boundary["Policy"]["Arn"])
    code, message = refusal(boto(server, "iam", key).get_user, UserName=mine)
    assert code == "AccessDenied"
    assert message.endswith("because no permissions boundary allows the iam:GetUser action")
    iam.delete_user_permissions_boundary(UserName=mine)
    assert may(server, key, mine), "a change counts from the next request on"


def role(server: Server, trusted: str, condition: Mapping[str, Any] | None = None) -> str:
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": trusted},
        "Action": "sts:AssumeRole",
        **({"Condition": condition} if condition else {}),
    }
    iam, made = boto(server, "iam"), name("role")
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn: str = iam.create_role(RoleName=made, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(RoleName=made, PolicyName="all", PolicyDocument=json.dumps(statement(Action="iam:*", Resource="*")))
    return arn


def test_a_session_policy_narrows(server: Server):
    mine, key = user(server)
    arn = role(server, f"arn:aws:iam::{server.account_id}:user/{mine}")
    sts = boto(server, "sts", key)
    narrow = json.dumps(statement(Action="iam:GetUser", Resource=f"arn:aws:iam::{server.account_id}:user/{mine}"))
    session = temporary(sts.assume_role(RoleArn=arn, RoleSessionName="narrow", Policy=narrow))
    assert may(server, session, mine)
    assert not may(server, session, "admin")
    assert may(server, temporary(sts.assume_role(RoleArn=arn, RoleSessionName="wide")), "admin")


@pytest.mark.parametrize("trusted", ["arn:aws:iam::{account}:user/admin", "arn:aws:iam::999988887777:root"])
def test_a_role_trusts_whom_it_names(server: Server, trusted: str):
    _, key = user(server, statement(Action="sts:AssumeRole", Resource="*"))
    arn = role(server, trusted.format(account=server.account_id))
    assert refusal(boto(server, "sts", key).assume_role, RoleArn=arn, RoleSessionName="session")[0] == "AccessDenied"


def test_a_token_that_was_tampered_with_is_refused(server: Server):
    mine, key = user(server)
    arn = role(server, f"arn:aws:iam::{server.account_id}:user/{mine}")
    session = temporary(boto(server, "sts", key).assume_role(RoleArn=arn, RoleSessionName="session"))
    assert session.session_token is not None
    middle = len(session.session_token) // 2
    swapped = "A" if session.session_token[middle] != "A" else "B"
    altered = session.session_token[:middle] + swapped + session.session_token[middle + 1 :]
    broken = AccessKey(session.access_key_id, session.secret_access_key, altered)
    assert refusal(boto(server, "sts", broken).get_caller_identity)[0] == "InvalidClientTokenId"
    without = AccessKey(session.access_key_id, session.secret_access_key)
    assert refusal(boto(server, "sts", without).get_caller_identity)[0] == "InvalidClientTokenId"


def test_a_user_made_anew_inherits_nothing(server: Server):
    mine, key = user(server)
    iam = boto(server, "iam")
    arn = role(server, f"arn:aws:iam::{server.account_id}:user/{mine}")
    boto(server, "sts", key).assume_role(RoleArn=arn, RoleSessionName="session")
    iam.delete_access_key(UserName=mine, AccessKeyId=key.access_key_id)
    iam.delete_user(UserName=mine)
    again = new_user(server, mine)
    assert refusal(boto(server, "sts", again).assume_role, RoleArn=arn, RoleSessionName="session")[0] == "AccessDenied"
    assert refusal(boto(server, "sts", key).get_caller_identity)[0] == "InvalidClientTokenId"


# AWS's managed policies


def test_managed_policies_are_the_real_ones(server: Server):
    iam = boto(server, "iam")
    found = [one for page in iam.get_paginator("list_policies").paginate(Scope="AWS") for one in page["Policies"]]
    assert len(found) > 1000
    arn = "arn:aws:iam::aws:policy/SecurityAudit"
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    actions = [action for one in document["Statement"] for action in one["Action"]]
    assert "*" not in actions
    assert "kms:Describe*" in actions
    mine, key = user(server)
    iam.attach_user_policy(UserName=mine, PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    assert may(server, key, mine)
    assert refusal(boto(server, "iam", key).create_user, UserName=name("field"))[0] == "AccessDenied"


# KMS


def test_a_ciphertext_hides_its_plaintext_and_does_not_bend(server: Server):
    kms = boto(server, "kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    plaintext = b"forty-two bytes that nobody else may read."
    blob: bytes = kms.encrypt(KeyId=key, Plaintext=plaintext)["CiphertextBlob"]
    assert plaintext not in blob
    assert base64.b64encode(plaintext) not in blob
    assert kms.encrypt(KeyId=key, Plaintext=plaintext)["CiphertextBlob"] != blob
    for position in range(len(blob)):
        bent = blob[:position] + bytes([blob[position] ^ 1]) + blob[position + 1 :]
        assert refusal(kms.decrypt, CiphertextBlob=bent)[0] in {
            "InvalidCiphertextException",
            "AccessDeniedException",
            "NotFoundException",
        }


def test_a_wrong_key_id_is_told(server: Server):
    kms = boto(server, "kms")
    right, wrong = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    blob = kms.encrypt(KeyId=right, Plaintext=b"x")["CiphertextBlob"]
    assert refusal(kms.decrypt, CiphertextBlob=blob, KeyId=wrong)[0] == "IncorrectKeyException"


def test_a_disabled_key_is_of_no_use(server: Server):
    kms = boto(server, "kms")
    key = kms.create_key()["KeyMetadata"]
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=key["KeyId"])
    assert refusal(kms.decrypt, CiphertextBlob=blob) == ("DisabledException", f"{key['Arn']} is disabled.")
    kms.enable_key(KeyId=key["KeyId"])
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_no_access_without_the_key_policy(server: Server):
    """An identity policy alone is never enough, not even for the administrator, where the key's policy names others."""
    kms, mine = boto(server, "kms"), user(server)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    root = f"arn:aws:iam::{server.account_id}:root"
    only = f"arn:aws:iam::{server.account_id}:user/{mine[0]}"
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": root},
                "Action": ["kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"],
                "Resource": "*",
            },
            {"Effect": "Allow", "Principal": {"AWS": only}, "Action": "kms:Encrypt", "Resource": "*"},
        ],
    }
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    code, message = refusal(kms.encrypt, KeyId=key, Plaintext=b"x")
    assert code == "AccessDeniedException"
    assert message.endswith("because no resource-based policy allows the kms:Encrypt action")
    boto(server, "kms", mine[1]).encrypt(KeyId=key, Plaintext=b"x")


# Persistence


def test_state_and_keys_survive_a_restart_and_lie_nowhere_in_clear(fresh_server: Server):
    mine, key = user(fresh_server, statement(Action="kms:*", Resource="*"))
    kms = boto(fresh_server, "kms", key)
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"a secret of some length")["CiphertextBlob"]
    fresh_server.restart()
    assert boto(fresh_server, "kms", key).decrypt(CiphertextBlob=blob)["Plaintext"] == b"a secret of some length"
    assert may(fresh_server, fresh_server.credentials.admin, mine)
    secrets = [
        key.secret_access_key,
        fresh_server.credentials.admin.secret_access_key,
        fresh_server.credentials.root.secret_access_key,
    ]
    files = [file for file in fresh_server.data_dir.rglob("*") if file.is_file()]
    assert any(key_id.encode() in file.read_bytes() for file in files), "the search finds what is there in clear"
    for file in files:
        content = file.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, file
        assert b"a secret of some length" not in content, file


def test_two_workers_agree_at_once(new_server: Any):
    server = new_server(workers=2).start()
    mine, key = user(server, statement(Action="iam:GetUser", Resource="*"))
    iam = boto(server, "iam")
    for number in range(20):
        iam.put_user_policy(
            UserName=mine, PolicyName="switch", PolicyDocument=json.dumps({**statement(Action="iam:GetUser", Resource="*")})
        )
        deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:GetUser", "Resource": "*"}]}
        assert all(may(server, key, mine) for _ in range(4)), f"round {number}"
        iam.put_user_policy(UserName=mine, PolicyName="switch", PolicyDocument=json.dumps(deny))
        assert not any(may(server, key, mine) for _ in range(4)), f"round {number}"


def test_an_unknown_operation_is_told_in_the_services_own_words(server: Server):
    answer = raw.form_call(server, b"Action=NoSuchOperation&Version=2010-05-08")
    assert answer.status == 400
    assert b"<Code>InvalidAction</Code>" in answer.body
    unknown = raw.json_call(server, "NoSuchOperation", b"{}")
    assert unknown.status == 400
    assert json.loads(unknown.body)["__type"].rpartition("#")[2] == "UnknownOperationException"
