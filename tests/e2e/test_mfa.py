"""Passwords and MFA of a real server with boto3: AWS's policy that denies all without MFA, and attacks on codes.

The policy: IAM User Guide, "AWS: Allows MFA-authenticated IAM users to manage their own credentials".
"""

from __future__ import annotations

import json
import time
from base64 import b32decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from garrison.identity import attempts
from tests.support.attacks import allow, policy, refused, trust, unique
from tests.support.clients import boto, new_user, temporary
from tests.support.secrets import Phone
from tests.support.server import AccessKey, Server

WRONG = "MultiFactorAuthentication failed with invalid MFA one time pass code. "


def own(*actions: str, kind: str = "user") -> dict[str, Any]:
    return allow(*(f"iam:{action}" for action in actions), resource=f"arn:aws:iam::*:{kind}/${{aws:username}}")


SELF_MANAGE = policy(
    allow("iam:GetAccountPasswordPolicy", "iam:GetAccountSummary", "iam:ListVirtualMFADevices"),
    own("ChangePassword", "GetUser"),
    own("CreateAccessKey", "DeleteAccessKey", "ListAccessKeys", "UpdateAccessKey"),
    own("CreateVirtualMFADevice", "DeleteVirtualMFADevice", kind="mfa"),
    own("DeactivateMFADevice", "EnableMFADevice", "ListMFADevices", "ResyncMFADevice"),
    {
        "Sid": "DenyAllExceptListedIfNoMFA",
        "Effect": "Deny",
        "NotAction": [
            "iam:CreateVirtualMFADevice",
            "iam:EnableMFADevice",
            "iam:GetUser",
            "iam:ListMFADevices",
            "iam:ListVirtualMFADevices",
            "iam:ResyncMFADevice",
            "sts:GetSessionToken",
        ],
        "Resource": "*",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    },
)


def enrolled(server: Server, name: str, client: Any = None) -> tuple[Phone, str]:
    """A phone that its user has enabled."""
    iam = client or boto(server, "iam")
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    phone, now = Phone(made["Base32StringSeed"]), time.time()
    two = {"AuthenticationCode1": phone.code(now, -3), "AuthenticationCode2": phone.code(now, -2)}
    iam.enable_mfa_device(UserName=name, SerialNumber=made["SerialNumber"], **two)
    return phone, made["SerialNumber"]


def test_the_policy_that_denies_all_without_mfa(server: Server):
    name = unique("user")
    key = new_user(server, name, SELF_MANAGE, policy(allow("kms:ListKeys", "sts:AssumeRole")))
    iam = boto(server, "iam", key)
    assert refused(boto(server, "kms", key).list_keys)[0] == "AccessDeniedException"
    assert refused(iam.list_access_keys)[0] == "AccessDenied"
    assert refused(iam.get_account_summary)[0] == "AccessDenied"
    assert (
        refused(boto(server, "sts", key).assume_role, RoleArn=f"arn:aws:iam::{server.account_id}:role/x", RoleSessionName="s1")[0]
        == "AccessDenied"
    )
    assert iam.get_user()["User"]["UserName"] == name
    assert refused(iam.create_virtual_mfa_device, VirtualMFADeviceName="another")[0] == "AccessDenied"
    phone, serial = enrolled(server, name, iam)
    assert [each["SerialNumber"] for each in iam.list_mfa_devices(UserName=name)["MFADevices"]] == [serial]
    assert refused(iam.deactivate_mfa_device, UserName=name, SerialNumber=serial)[0] == "AccessDenied"
    without = temporary(boto(server, "sts", key).get_session_token())
    assert refused(boto(server, "kms", without).list_keys)[0] == "AccessDeniedException"
    session = temporary(boto(server, "sts", key).get_session_token(SerialNumber=serial, TokenCode=phone.code(time.time())))
    boto(server, "kms", session).list_keys()
    with_mfa = boto(server, "iam", session)
    assert len(with_mfa.list_access_keys(UserName=name)["AccessKeyMetadata"]) == 1
    assert with_mfa.get_account_summary()["SummaryMap"]["MFADevicesInUse"] >= 1
    assert refused(with_mfa.list_users)[0] == "AccessDenied", "MFA alone allows nothing"
    with_mfa.deactivate_mfa_device(UserName=name, SerialNumber=serial)
    with_mfa.delete_virtual_mfa_device(SerialNumber=serial)


def test_a_role_that_is_assumed_with_a_code(server: Server):
    name = unique("user")
    key = new_user(server, name, policy(allow("sts:AssumeRole")))
    phone, serial = enrolled(server, name)
    mfa = {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}
    document = json.dumps(trust(f"arn:aws:iam::{server.account_id}:root", **mfa))
    arn = boto(server, "iam").create_role(RoleName=unique("role"), AssumeRolePolicyDocument=document)["Role"]["Arn"]
    sts = boto(server, "sts", key)
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="s1")[0] == "AccessDenied"
    code = {"SerialNumber": serial, "TokenCode": phone.code(time.time())}
    session = temporary(sts.assume_role(RoleArn=arn, RoleSessionName="s1", **code))
    assert boto(server, "sts", session).get_caller_identity()["Arn"].endswith("/s1")
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="s1", **code) == ("AccessDenied", WRONG, 403)


def test_a_password_from_its_first_day_to_its_last(server: Server):
    name = unique("user")
    key = new_user(server, name, policy(allow("iam:ChangePassword", resource="arn:aws:iam::*:user/${aws:username}")))
    admin, iam = boto(server, "iam"), boto(server, "iam", key)
    made = admin.create_login_profile(UserName=name, Password="First-word-1", PasswordResetRequired=True)["LoginProfile"]
    assert made["PasswordResetRequired"] is True
    assert refused(iam.change_password, OldPassword="Wrong-word-1", NewPassword="Second-word-2") == (
        "AccessDenied",
        "The old password was incorrect.",
        403,
    )
    assert refused(iam.change_password, OldPassword="First-word-1", NewPassword="weak")[0::2] == ("PasswordPolicyViolation", 400)
    iam.change_password(OldPassword="First-word-1", NewPassword="Second-word-2")
    assert admin.get_login_profile(UserName=name)["LoginProfile"]["PasswordResetRequired"] is False
    for access_key in admin.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        admin.delete_access_key(UserName=name, AccessKeyId=access_key["AccessKeyId"])
    for each in admin.list_user_policies(UserName=name)["PolicyNames"]:
        admin.delete_user_policy(UserName=name, PolicyName=each)
    assert refused(admin.delete_user, UserName=name)[:2] == (
        "DeleteConflict",
        "Cannot delete entity, must delete login profile first.",
    )
    admin.delete_login_profile(UserName=name)
    admin.delete_user(UserName=name)


def test_more_passwords_at_once_than_may_wait_are_told_to_come_back(server: Server):
    """Attack: calculations of 64 MiB each, by the hundred. The server stays, and answers others meanwhile."""
    name = unique("user")
    key = new_user(server, name, policy(allow("iam:ChangePassword")))
    boto(server, "iam").create_login_profile(UserName=name, Password="First-word-1")

    def guess(number: int) -> str:
        try:
            boto(server, "iam", key).change_password(OldPassword=f"Wrong-word-{number}", NewPassword="Second-word-2")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "changed"

    with ThreadPoolExecutor(24) as pool:
        answers = [pool.submit(guess, number) for number in range(24)]
        boto(server, "iam").list_users()
        found = {each.result() for each in answers}
    assert found <= {"AccessDenied", "Throttling", "EntityTemporarilyUnmodifiable"}
    assert "AccessDenied" in found


# Several workers


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers on each engine."""
    store = request.getfixturevalue("cluster").database() if request.param == "postgresql" else None
    with Server(tmp_path_factory.mktemp("pair"), workers=2, store=store) as server:
        yield server


def try_code(server: Server, key: AccessKey, serial: str, code: str) -> bool:
    """On a connection of its own, so that either worker may get it."""
    try:
        boto(server, "sts", key).get_session_token(SerialNumber=serial, TokenCode=code)
    except ClientError as error:
        assert error.response["Error"]["Message"] == WRONG, error  # noqa: PT017 - some of many calls fail
        return False
    return True


def test_one_code_at_many_workers_is_good_once(pair: Server):
    name = unique("user")
    key = new_user(pair, name)
    phone, serial = enrolled(pair, name)
    code = phone.code(time.time())
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: try_code(pair, key, serial, code), range(16)))
    assert sum(found) == 1


def test_guesses_at_many_workers_are_counted_together(pair: Server):
    name = unique("user")
    key = new_user(pair, name)
    phone, serial = enrolled(pair, name)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: try_code(pair, key, serial, f"{number:06}"), range(attempts.CODE.free + 8)))
    assert not any(found)
    assert not any(try_code(pair, key, serial, phone.code(time.time())) for _ in range(4))


# Restarts, and what lies on the disk


def test_a_restart_forgets_neither_codes_nor_guesses(new_server: Callable[..., Server]):
    server = new_server().start()
    used, guessed = unique("used"), unique("guessed")
    keys = {name: new_user(server, name) for name in (used, guessed)}
    phones = {name: enrolled(server, name) for name in (used, guessed)}
    phone, serial = phones[used]
    code = phone.code(time.time())
    assert try_code(server, keys[used], serial, code)
    for _ in range(attempts.CODE.free):
        assert not try_code(server, keys[guessed], phones[guessed][1], "000000")
    server.kill()
    server.start()
    assert not try_code(server, keys[used], serial, code)
    assert not try_code(server, keys[guessed], phones[guessed][1], phones[guessed][0].code(time.time()))
    assert try_code(server, keys[used], serial, phone.code(time.time(), 1))


def test_neither_seeds_nor_passwords_nor_codes_lie_on_the_disk(new_server: Callable[..., Server]):
    server = new_server().start()
    name = unique("user")
    key = new_user(server, name, policy(allow("iam:ChangePassword")))
    phone, serial = enrolled(server, name)
    boto(server, "iam").create_login_profile(UserName=name, Password="Secret-word-one-1")
    boto(server, "iam", key).change_password(OldPassword="Secret-word-one-1", NewPassword="Secret-word-two-2")
    boto(server, "sts", key).get_session_token(SerialNumber=serial, TokenCode=phone.code(time.time()))
    refused(boto(server, "iam", key).change_password, OldPassword="Secret-word-bad-3", NewPassword="Secret-word-two-4")
    server.stop()
    secrets = [b"Secret-word-", phone.totp.secret.encode(), b32decode(phone.totp.secret), b"$argon2id"]
    files = [path for path in server.data_dir.rglob("*") if path.is_file()]
    assert len(files) > 1
    found = [(path.name, secret) for path in files for secret in secrets if secret in path.read_bytes()]
    assert found == []
