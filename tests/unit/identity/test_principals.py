"""What the request path remembers of identities, and that it forgets it with every kind of change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from garrison.core.errors import CommonError
from garrison.core.principal import Principal, Session
from garrison.identity.caches import Cache
from garrison.identity.iam import managed
from garrison.identity.principals import Credential, Principals
from garrison.identity.tokens import Grant, seal_token
from garrison.policy import PolicyInputs
from tests.support.inprocess import InProcess, between
from tests.support.server import AccessKey

NOW = 2_000_000_000.0
LATER = NOW + 900
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def document(action: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


class World:
    """A user in a group, a role, a policy of the account's own on all three, and temporary credentials of both."""

    def __init__(self, one: InProcess) -> None:
        self.one = one
        self.policy = f"arn:aws:iam::{one.account}:policy/mine"
        self.call("CreatePolicy", PolicyName="mine", PolicyDocument=document("kms:ListKeys"))
        self.key = one.new_user("user", {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"})
        self.user_id = between(self.call("GetUser", UserName="user"), "UserId")
        self.call("CreateGroup", GroupName="group")
        self.call("AddUserToGroup", GroupName="group", UserName="user")
        self.call("AttachGroupPolicy", GroupName="group", PolicyArn=self.policy)
        self.trust("arn:aws:iam::" + one.account + ":root", create=True)
        self.call("AttachRolePolicy", RoleName="role", PolicyArn=self.policy)
        self.role_arn = f"arn:aws:iam::{one.account}:role/role"
        self.role_id = between(self.call("GetRole", RoleName="role"), "RoleId")
        self.tokens = {
            "role": self.token("assume-role", self.role_id, policy_arns=(self.policy,)),
            "user": self.token("session-token", self.user_id),
            "federated": self.token("federation-token", self.user_id, policies=(document("kms:*"),), session_name="bob"),
        }

    def call(self, operation: str, **members: str) -> str:
        answer = self.one.iam(operation, None, **members)
        assert answer.status == 200, answer.body
        return answer.body.decode()

    def trust(self, who: str, *, create: bool = False) -> None:
        statement = {"Effect": "Allow", "Principal": {"AWS": who}, "Action": "sts:AssumeRole"}
        text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        if create:
            self.call("CreateRole", RoleName="role", AssumeRolePolicyDocument=text)
        else:
            self.call("UpdateAssumeRolePolicy", RoleName="role", PolicyDocument=text)

    def token(self, kind: Any, owner: str, **members: Any) -> AccessKey:
        members = {"session_name": "me"} | members
        grant = Grant(kind, self.one.account, owner, "s" * 40, NOW, LATER, **members)
        key = f"ASIA{kind[:4].upper()}{'X' * 12}"
        return AccessKey(key, "s" * 40, seal_token(self.one.state.keyring, key, grant))

    def seen(self, principals: Principals) -> dict[str, Any]:
        """All that the request path learns of them."""
        found: dict[str, Any] = {"role itself": _role(principals, self.role_arn)}
        for name, key in {"key": self.key, **self.tokens}.items():
            try:
                credential = principals.credential(key.access_key_id, key.session_token, NOW + 1)
            except CommonError as error:
                found[name] = error.kind
            else:
                found[name] = (credential.secret, credential.principal, credential.owner, _texts(principals.inputs(credential)))
        return found


def _role(principals: Principals, arn: str) -> Any:
    found = principals.role(arn)
    return found and (found.role_id, found.trust.document.text, found.max_session_duration, found.tags)


def _texts(inputs: PolicyInputs) -> Any:
    sets = [inputs.identity, inputs.boundary, *inputs.sessions]
    return [one and [(policy.id, policy.document.text) for policy in one.policies] for one in sets]


@pytest.fixture
def world() -> Iterator[World]:
    one = InProcess()
    yield World(one)
    one.close()


def fresh(world: World) -> Principals:
    return Principals(world.one.state.store, world.one.state.keyring, managed.document)


CHANGES: dict[str, list[tuple[str, dict[str, str]]]] = {
    "key deactivated": [("UpdateAccessKey", {"UserName": "user", "AccessKeyId": "KEY", "Status": "Inactive"})],
    "key deleted": [("DeleteAccessKey", {"UserName": "user", "AccessKeyId": "KEY"})],
    "user renamed": [("UpdateUser", {"UserName": "user", "NewUserName": "other"})],
    "user moved": [("UpdateUser", {"UserName": "user", "NewPath": "/there/"})],
    "user tagged": [("TagUser", {"UserName": "user", "Tags.member.1.Key": "team", "Tags.member.1.Value": "blue"})],
    "user policy put": [("PutUserPolicy", {"UserName": "user", "PolicyName": "p", "PolicyDocument": document("s3:*")})],
    "user policy deleted": [("DeleteUserPolicy", {"UserName": "user", "PolicyName": "p"})],
    "user policy attached": [("AttachUserPolicy", {"UserName": "user", "PolicyArn": READ_ONLY})],
    "user boundary": [("PutUserPermissionsBoundary", {"UserName": "user", "PermissionsBoundary": READ_ONLY})],
    "group left": [("RemoveUserFromGroup", {"GroupName": "group", "UserName": "user"})],
    "group joined": [("CreateGroup", {"GroupName": "g2"}), ("AttachGroupPolicy", {"GroupName": "g2", "PolicyArn": READ_ONLY}), ("AddUserToGroup", {"GroupName": "g2", "UserName": "user"})],
    "group policy put": [("PutGroupPolicy", {"GroupName": "group", "PolicyName": "p", "PolicyDocument": document("s3:*")})],
    "group policy detached": [("DetachGroupPolicy", {"GroupName": "group", "PolicyArn": "POLICY"})],
    "policy's new default": [("CreatePolicyVersion", {"PolicyArn": "POLICY", "PolicyDocument": document("s3:*"), "SetAsDefault": "true"})],
    "policy's old default": [
        ("CreatePolicyVersion", {"PolicyArn": "POLICY", "PolicyDocument": document("s3:*"), "SetAsDefault": "true"}),
        ("SetDefaultPolicyVersion", {"PolicyArn": "POLICY", "VersionId": "v1"}),
    ],
    "role trust": [("UpdateAssumeRolePolicy", {"RoleName": "role", "PolicyDocument": "TRUST"})],
    "role duration": [("UpdateRole", {"RoleName": "role", "MaxSessionDuration": "7200"})],
    "role tagged": [("TagRole", {"RoleName": "role", "Tags.member.1.Key": "team", "Tags.member.1.Value": "blue"})],
    "role policy put": [("PutRolePolicy", {"RoleName": "role", "PolicyName": "p", "PolicyDocument": document("s3:*")})],
    "role policy detached": [("DetachRolePolicy", {"RoleName": "role", "PolicyArn": "POLICY"})],
    "role boundary": [("PutRolePermissionsBoundary", {"RoleName": "role", "PermissionsBoundary": READ_ONLY})],
    "role gone": [("DetachRolePolicy", {"RoleName": "role", "PolicyArn": "POLICY"}), ("DeleteRole", {"RoleName": "role"})],
    "user gone": [
        ("RemoveUserFromGroup", {"GroupName": "group", "UserName": "user"}),
        ("DeleteUserPolicy", {"UserName": "user", "PolicyName": "p"}),
        ("DeleteAccessKey", {"UserName": "user", "AccessKeyId": "KEY"}),
        ("DeleteUser", {"UserName": "user"}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_after_each_change_what_is_remembered_is_what_is_there(world: World, change: str):
    remembered = world.one.worker.principals
    before = world.seen(remembered)
    assert before == world.seen(fresh(world))
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
        }
    )
    stand_ins = {"KEY": world.key.access_key_id, "POLICY": world.policy, "TRUST": trust}
    for operation, members in CHANGES[change]:
        world.call(operation, **{name: stand_ins.get(value, value) for name, value in members.items()})
        # Read after each step, so that every step finds something remembered.
        assert world.seen(remembered) == world.seen(fresh(world)), operation
    if change != "policy's old default":
        assert world.seen(remembered) != before, "the change is one that shows"


def test_another_process_hears_of_it_with_its_next_request(tmp_path: Path):
    one = InProcess(tmp_path / "data", slot=0)
    two = InProcess(tmp_path / "data", slot=1)
    world = World(one)
    key = world.key
    assert two.iam("ListUsers", key).status == 200
    world.call("UpdateAccessKey", UserName="user", AccessKeyId=key.access_key_id, Status="Inactive")
    assert between(two.iam("ListUsers", key).body.decode(), "Code") == "InvalidClientTokenId"
    world.call("UpdateAccessKey", UserName="user", AccessKeyId=key.access_key_id, Status="Active")
    assert two.iam("ListUsers", key).status == 200
    world.call("DeleteUserPolicy", UserName="user", PolicyName="p")
    assert between(two.iam("ListUsers", key).body.decode(), "Code") == "AccessDenied"
    two.close()
    one.close()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_work_that_is_undone_is_forgotten_too(world: World, error: type[BaseException]):
    remembered = world.one.worker.principals
    before = world.seen(remembered)

    def half() -> None:
        with world.one.state.store.writing() as tx:
            tx.run("UPDATE iam_access_key SET status = 'Inactive' WHERE access_key_id = ?", world.key.access_key_id)
            tx.changed("access-key", world.key.access_key_id)
            assert world.seen(remembered)["key"] == "unknown_access_key", "the unit sees its own work"
            raise error

    with pytest.raises(error):
        half()
    assert world.seen(remembered) == before


def test_a_group_that_is_lost_is_forgotten_too(world: World):
    remembered, store = world.one.worker.principals, world.one.state.store
    before = world.seen(remembered)
    with store.writing() as tx:
        tx.run("DELETE FROM iam_inline_policy WHERE owner_id = ?", world.user_id)
        tx.changed("user", world.user_id)
    assert world.seen(remembered) != before
    store.rollback()
    assert world.seen(remembered) == before


def test_unknown_keys_are_not_remembered(world: World):
    remembered = world.one.worker.principals
    held = len(remembered._keys.values)
    for number in range(50):
        with pytest.raises(CommonError) as caught:
            remembered.credential(f"AKIASTRANGER{number:08}", None, NOW)
        assert caught.value.kind == "unknown_access_key"
    assert len(remembered._keys.values) == held
    assert remembered.role("arn:aws:iam::123456789012:role/none") is None
    assert remembered.role("no arn") is None
    assert remembered.role(world.role_arn.upper().replace("ARN:AWS:IAM", "arn:aws:iam")) is None


def test_a_remembered_session_ends_when_it_ends(world: World):
    remembered, key = world.one.worker.principals, world.tokens["role"]
    assert remembered.credential(key.access_key_id, key.session_token, LATER - 1).owner == world.role_id
    for _ in range(2):
        with pytest.raises(CommonError) as caught:
            remembered.credential(key.access_key_id, key.session_token, LATER)
        assert caught.value.kind == "expired_token"


def test_a_token_is_good_for_its_own_key_alone(world: World):
    remembered = world.one.worker.principals
    role, user = world.tokens["role"], world.tokens["user"]
    remembered.credential(role.access_key_id, role.session_token, NOW)
    for key, token in (
        (user.access_key_id, role.session_token),
        (world.key.access_key_id, role.session_token),
        (role.access_key_id, None),
    ):
        with pytest.raises(CommonError) as caught:
            remembered.credential(key, token, NOW)
        assert caught.value.kind == "unknown_access_key"


def test_who_they_are(world: World):
    account = world.one.account
    seen = world.seen(world.one.worker.principals)
    who = {name: (seen[name][1].kind, seen[name][1].arn, seen[name][1].id) for name in ("key", "role", "user", "federated")}
    assert who == {
        "key": ("user", f"arn:aws:iam::{account}:user/user", world.user_id),
        "role": ("assumed-role", f"arn:aws:sts::{account}:assumed-role/role/me", f"{world.role_id}:me"),
        "user": ("user", f"arn:aws:iam::{account}:user/user", world.user_id),
        "federated": ("federated-user", f"arn:aws:sts::{account}:federated-user/bob", f"{account}:bob"),
    }


def test_a_federated_session_without_policies_has_a_bound_that_allows_nothing(world: World):
    key = world.token("federation-token", world.user_id)
    principals = world.one.worker.principals
    inputs = principals.inputs(principals.credential(key.access_key_id, key.session_token, NOW))
    assert [list(bound.policies) for bound in inputs.sessions] == [[]]


def test_a_boundary_whose_policy_is_gone_allows_nothing(world: World):
    world.call("PutUserPermissionsBoundary", UserName="user", PermissionsBoundary=world.policy)
    with world.one.state.store.writing() as tx:
        tx.run("UPDATE iam_user SET boundary_arn = ? WHERE user_id = ?", "arn:aws:iam::aws:policy/NoSuchPolicy", world.user_id)
        tx.changed("user", world.user_id)
    world.one.state.store.commit()
    principals = world.one.worker.principals
    inputs = principals.inputs(principals.credential(world.key.access_key_id, None, NOW))
    assert inputs.boundary is not None
    assert list(inputs.boundary.policies) == []


def test_the_caches_are_bounded_and_leave_nothing_behind():
    cache = Cache(limit=10)
    for number in range(1000):
        cache.put(number, "value", [("user", str(number)), ("policy", "shared")])
        assert len(cache.values) <= 10
    held = len(cache.values)
    assert len(cache._made_of) == held
    assert cache._dependents["policy", "shared"] == set(cache.values)
    assert len(cache._dependents) == held + 1
    cache.drop(("policy", "shared"))
    assert (cache.values, cache._made_of, cache._dependents) == ({}, {}, {})


def test_entries_that_come_and_go_leave_nothing_behind():
    cache = Cache(limit=10)
    for number in range(1000):
        cache.put("session", number, [("user", str(number)), ("policy", "shared")])
        cache.drop(("user", str(number)))
    assert (cache.values, cache._made_of, cache._dependents) == ({}, {}, {})
    cache.put("a", 1, [("user", "1")])
    cache.put("a", 2, [("user", "2")])
    cache.drop(("user", "1"))
    assert cache.values == {"a": 2}, "what an entry was made of before does not drop it"


@pytest.mark.parametrize(
    ("kind", "mfa", "service", "operation", "allowed"),
    [
        # IAM User Guide, "Compare AWS STS credentials".
        ("assume-role", None, "iam", "ListUsers", True),
        ("session-token", None, "iam", "ListUsers", False),
        ("session-token", NOW, "iam", "ListUsers", True),
        ("session-token", None, "sts", "AssumeRole", True),
        ("session-token", None, "sts", "GetCallerIdentity", True),
        ("session-token", None, "kms", "Encrypt", True),
        ("federation-token", None, "iam", "ListUsers", False),
        ("federation-token", NOW, "iam", "ListUsers", False),
        ("federation-token", None, "sts", "AssumeRole", False),
        ("federation-token", None, "sts", "GetCallerIdentity", True),
        ("federation-token", None, "kms", "Encrypt", True),
    ],
)
def test_what_each_kind_of_session_is_for(
    world: World, kind: Any, mfa: float | None, service: str, operation: str, *, allowed: bool
):
    principal = Principal("user", world.one.account, "arn", "id", session=Session(NOW, LATER, kind=kind, mfa_at=mfa))
    principals = world.one.worker.principals
    if allowed:
        principals.check_use(principal, service, operation)
    else:
        with pytest.raises(CommonError) as caught:
            principals.check_use(principal, service, operation)
        assert caught.value.kind == "unknown_access_key"


def test_the_root_user_has_no_policies(world: World):
    principals = world.one.worker.principals
    credential = principals.credential(world.one.root.access_key_id, None, NOW)
    assert isinstance(credential, Credential)
    assert credential.principal.kind == "root"
    assert _texts(principals.inputs(credential)) == [[], None]
