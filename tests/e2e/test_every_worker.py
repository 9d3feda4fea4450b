"""Two workers, and no stale answer: what one has acknowledged, the next call on either of them sees."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support import raw
from tests.support.attacks import FORM, allow, deny, policy, query_body, send, signed, trust, unique
from tests.support.clients import boto, new_user, temporary
from tests.support.server import AccessKey, Server

CALLS = 24
"""After each change; each on a connection of its own, so that both workers get some."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers on each engine."""
    store = request.getfixturevalue("cluster").database() if request.param == "postgresql" else None
    with Server(tmp_path_factory.mktemp("pair"), workers=2, store=store) as server:
        yield server


def ask(server: Server, key: AccessKey, service: str = "iam", action: str = "ListUsers", **members: str) -> str:
    """``allowed``, or the code of the refusal."""
    if service == "kms":
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{action}"}
        answer = send(server, signed(server, key, "kms", body=json.dumps(members).encode(), headers=headers))
        return "allowed" if answer.status == 200 else str(json.loads(answer.body)["__type"])
    answer = send(server, signed(server, key, service, body=query_body(service, action, **members), headers=FORM))
    return "allowed" if answer.status == 200 else code_of(answer)


def code_of(answer: raw.Answer) -> str:
    return answer.body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


def all_say(question: Callable[[], str], wanted: str) -> None:
    """Both workers answer alike, at once and all the time."""
    with ThreadPoolExecutor(6) as pool:
        found = [each.result() for each in [pool.submit(question) for _ in range(CALLS)]]
    assert set(found) == {wanted}, found


def flip(question: Callable[[], str], *steps: tuple[Callable[[], Any], str]) -> None:
    """Make each change, and ask everybody after its acknowledgement. Three rounds."""
    for _ in range(3):
        for change, wanted in steps:
            change()
            all_say(question, wanted)


LIST = json.dumps(policy(allow("iam:ListUsers")))
NOTHING = json.dumps(policy(allow("iam:GetUser")))


def test_inline_policies(pair: Server):
    name = unique("inline")
    key = new_user(pair, name)
    iam = boto(pair, "iam")
    flip(
        lambda: ask(pair, key),
        (lambda: iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=LIST), "allowed"),
        (
            lambda: iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy(deny("*")))),
            "AccessDenied",
        ),
        (lambda: iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=LIST), "allowed"),
        (lambda: iam.delete_user_policy(UserName=name, PolicyName="p"), "AccessDenied"),
    )


def test_access_keys(pair: Server):
    name = unique("keys")
    key = new_user(pair, name, policy(allow("iam:ListUsers")))
    iam = boto(pair, "iam")
    flip(
        lambda: ask(pair, key),
        (lambda: iam.update_access_key(UserName=name, AccessKeyId=key.access_key_id, Status="Inactive"), "InvalidClientTokenId"),
        (lambda: iam.update_access_key(UserName=name, AccessKeyId=key.access_key_id, Status="Active"), "allowed"),
    )
    iam.delete_access_key(UserName=name, AccessKeyId=key.access_key_id)
    all_say(lambda: ask(pair, key), "InvalidClientTokenId")


def test_groups_and_managed_policies(pair: Server):
    name, group = unique("member"), unique("group")
    key = new_user(pair, name)
    iam = boto(pair, "iam")
    iam.create_group(GroupName=group)
    arn = iam.create_policy(PolicyName=unique("managed"), PolicyDocument=LIST)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=NOTHING)
    flip(
        lambda: ask(pair, key),
        (lambda: iam.attach_group_policy(GroupName=group, PolicyArn=arn), "AccessDenied"),
        (lambda: iam.add_user_to_group(UserName=name, GroupName=group), "allowed"),
        (lambda: iam.set_default_policy_version(PolicyArn=arn, VersionId="v2"), "AccessDenied"),
        (lambda: iam.set_default_policy_version(PolicyArn=arn, VersionId="v1"), "allowed"),
        (lambda: iam.detach_group_policy(GroupName=group, PolicyArn=arn), "AccessDenied"),
        (lambda: iam.attach_group_policy(GroupName=group, PolicyArn=arn), "allowed"),
        (lambda: iam.remove_user_from_group(UserName=name, GroupName=group), "AccessDenied"),
    )


def test_boundaries_and_their_documents(pair: Server):
    name = unique("bound")
    key = new_user(pair, name, policy(allow("iam:*")))
    iam = boto(pair, "iam")
    arn = iam.create_policy(PolicyName=unique("boundary"), PolicyDocument=NOTHING)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=LIST)
    flip(
        lambda: ask(pair, key),
        (lambda: iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=arn), "AccessDenied"),
        (lambda: iam.set_default_policy_version(PolicyArn=arn, VersionId="v2"), "allowed"),
        (lambda: iam.set_default_policy_version(PolicyArn=arn, VersionId="v1"), "AccessDenied"),
        (lambda: iam.delete_user_permissions_boundary(UserName=name), "allowed"),
    )


def test_tags_of_the_caller(pair: Server):
    name = unique("tagged")
    key = new_user(pair, name, policy(allow("iam:ListUsers", Condition={"StringEquals": {"aws:PrincipalTag/team": "blue"}})))
    iam = boto(pair, "iam")
    flip(
        lambda: ask(pair, key),
        (lambda: iam.tag_user(UserName=name, Tags=[{"Key": "team", "Value": "blue"}]), "allowed"),
        (lambda: iam.tag_user(UserName=name, Tags=[{"Key": "team", "Value": "red"}]), "AccessDenied"),
        (lambda: iam.tag_user(UserName=name, Tags=[{"Key": "team", "Value": "blue"}]), "allowed"),
        (lambda: iam.untag_user(UserName=name, TagKeys=["team"]), "AccessDenied"),
    )


def test_names_of_the_caller(pair: Server):
    """A renamed user is decided on under the new name."""
    one, two = unique("before"), unique("after")
    key = new_user(pair, one, policy(allow("iam:GetUser", resource=f"arn:aws:iam::{pair.account_id}:user/${{aws:username}}")))
    iam = boto(pair, "iam")
    flip(
        lambda: ask(pair, key, action="GetUser", UserName=two),
        (lambda: iam.update_user(UserName=one, NewUserName=two), "allowed"),
        (lambda: iam.update_user(UserName=two, NewUserName=one), "AccessDenied"),
    )


def test_sessions_of_roles(pair: Server):
    iam = boto(pair, "iam")
    name = unique("role")
    trusted = trust(f"arn:aws:iam::{pair.account_id}:root")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trusted))["Role"]["Arn"]
    session = temporary(boto(pair, "sts").assume_role(RoleArn=arn, RoleSessionName="s1"))
    flip(
        lambda: ask(pair, session),
        (lambda: iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=LIST), "allowed"),
        (lambda: iam.delete_role_policy(RoleName=name, PolicyName="p"), "AccessDenied"),
    )
    iam.delete_role(RoleName=name)
    all_say(lambda: ask(pair, session), "InvalidClientTokenId")


def test_trust(pair: Server):
    iam = boto(pair, "iam")
    name = unique("role")
    root = f"arn:aws:iam::{pair.account_id}:root"
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust(root)))["Role"]["Arn"]
    key = new_user(pair, unique("user"), policy(allow("sts:AssumeRole")))

    def let_in(*, by_id: bool) -> None:
        more = {"Condition": {"StringEquals": {"sts:ExternalId": "x1"}}} if by_id else {}
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust(root, **more)))

    flip(
        lambda: ask(pair, key, "sts", "AssumeRole", RoleArn=arn, RoleSessionName="s1"),
        (lambda: let_in(by_id=True), "AccessDenied"),
        (lambda: let_in(by_id=False), "allowed"),
    )
    iam.delete_role(RoleName=name)
    all_say(lambda: ask(pair, key, "sts", "AssumeRole", RoleArn=arn, RoleSessionName="s1"), "AccessDenied")


def test_deleted_users(pair: Server):
    iam = boto(pair, "iam")
    for _ in range(3):
        name = unique("gone")
        key = new_user(pair, name, policy(allow("iam:ListUsers")))
        session = temporary(boto(pair, "sts", key).get_session_token())
        all_say(lambda key=key: ask(pair, key), "allowed")  # type: ignore[misc] # mypy reads a default as a parameter
        all_say(lambda session=session: ask(pair, session, "sts", "GetCallerIdentity"), "allowed")  # type: ignore[misc] # the same
        iam.delete_access_key(UserName=name, AccessKeyId=key.access_key_id)
        iam.delete_user_policy(UserName=name, PolicyName="p0")
        iam.delete_user(UserName=name)
        all_say(lambda key=key: ask(pair, key), "InvalidClientTokenId")  # type: ignore[misc] # the same
        all_say(lambda session=session: ask(pair, session, "sts", "GetCallerIdentity"), "InvalidClientTokenId")  # type: ignore[misc] # the same


def test_keys_their_policies_tags_and_aliases(pair: Server):
    kms = boto(pair, "kms")
    one, two = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    alias = f"alias/{unique('pair')}"
    kms.create_alias(AliasName=alias, TargetKeyId=one)
    key = new_user(
        pair, unique("user"), policy(allow("kms:Encrypt", Condition={"StringEquals": {"aws:ResourceTag/open": "yes"}}))
    )
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{pair.account_id}:root"}, "Action": "kms:*", "Resource": "*"}
    closed = {"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"}
    flip(
        lambda: ask(pair, key, "kms", "Encrypt", KeyId=alias, Plaintext="eA=="),
        (lambda: kms.tag_resource(KeyId=one, Tags=[{"TagKey": "open", "TagValue": "yes"}]), "allowed"),
        (lambda: kms.put_key_policy(KeyId=one, Policy=json.dumps(policy(root, closed))), "AccessDeniedException"),
        (lambda: kms.put_key_policy(KeyId=one, Policy=json.dumps(policy(root))), "allowed"),
        (lambda: kms.disable_key(KeyId=one), "DisabledException"),
        (lambda: kms.enable_key(KeyId=one), "allowed"),
        (lambda: kms.update_alias(AliasName=alias, TargetKeyId=two), "AccessDeniedException"),
        (lambda: kms.update_alias(AliasName=alias, TargetKeyId=one), "allowed"),
        (lambda: kms.untag_resource(KeyId=one, TagKeys=["open"]), "AccessDeniedException"),
    )
    all_say(lambda: ask(pair, pair.credentials.admin, "kms", "Encrypt", KeyId=alias, Plaintext="eA=="), "allowed")
    kms.delete_alias(AliasName=alias)
    all_say(lambda: ask(pair, pair.credentials.admin, "kms", "Encrypt", KeyId=alias, Plaintext="eA=="), "NotFoundException")


def test_grants(pair: Server):
    kms = boto(pair, "kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    name = unique("grantee")
    key = new_user(pair, name)
    made: list[str] = []

    def give() -> None:
        arn = f"arn:aws:iam::{pair.account_id}:user/{name}"
        made.append(kms.create_grant(KeyId=key_id, GranteePrincipal=arn, Operations=["Encrypt"])["GrantId"])

    flip(
        lambda: ask(pair, key, "kms", "Encrypt", KeyId=key_id, Plaintext="eA=="),
        (give, "allowed"),
        (lambda: kms.revoke_grant(KeyId=key_id, GrantId=made[-1]), "AccessDeniedException"),
        (give, "allowed"),
        (lambda: kms.retire_grant(KeyId=key_id, GrantId=made[-1]), "AccessDeniedException"),
    )
