"""What organizations' policies do to requests: who is bound, by what, and from when on.

Rules: AWS Organizations User Guide, "SCP evaluation", "RCP evaluation", "Service control policies" and "Resource control
policies"; texts: IAM User Guide, "Troubleshoot access denied error messages".
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from garrison import app
from garrison.explaining import looked_at
from garrison.identity.principals import Credential
from garrison.store.store import Reading
from tests.support.inprocess import InProcess
from tests.support.organizations import ALLOW_ALL, MANAGEMENT, OTHER, Org, document, refused
from tests.support.server import AccessKey

SCP = "SERVICE_CONTROL_POLICY"
RCP = "RESOURCE_CONTROL_POLICY"
DENY_USERS = {"Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*"}
DENIED = "with an explicit deny in a service control policy"
NOT_ALLOWED = "because no service control policy allows the iam:ListUsers action"


@pytest.fixture
def account(org: Org) -> str:
    return org.account()


def lists_users(org: Org, key: AccessKey) -> None:
    org.of("iam", key).list_users()


# Who is bound


@pytest.mark.parametrize("level", ["root", "unit", "inner unit", "account"])
def test_a_deny_at_any_level(org: Org, account: str, level: str):
    unit = org.unit("unit")
    inner = org.unit("inner", unit)
    org.client.move_account(AccountId=account, SourceParentId=org.root, DestinationParentId=inner)
    key = org.administrator(account)
    lists_users(org, key)
    target = {"root": org.root, "unit": unit, "inner unit": inner, "account": account}[level]
    policy = org.bound(target, DENY_USERS)
    arn = f"arn:aws:organizations::{MANAGEMENT}:policy/{org.id}/service_control_policy/{policy}"
    with refused("AccessDenied", f"{DENIED}: {arn}"):
        lists_users(org, key)
    org.of("iam", key).list_roles()
    org.client.detach_policy(PolicyId=policy, TargetId=target)
    lists_users(org, key)


@pytest.mark.parametrize("level", ["root", "unit", "account"])
def test_an_allow_at_every_level(org: Org, account: str, level: str):
    unit = org.unit("unit")
    org.client.move_account(AccountId=account, SourceParentId=org.root, DestinationParentId=unit)
    key = org.administrator(account)
    target = {"root": org.root, "unit": unit, "account": account}[level]
    org.bound(target, {"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"})
    lists_users(org, key)
    org.client.detach_policy(PolicyId="p-FullAWSAccess", TargetId=target)
    with refused("AccessDenied", NOT_ALLOWED):
        lists_users(org, key)
    org.of("iam", key).list_roles()


def test_a_service_control_policy_grants_nothing(org: Org, account: str):
    key = org.user(account, "nobody")
    org.bound(account, ALLOW_ALL)
    with refused("AccessDenied", "because no identity-based policy allows the iam:ListUsers action"):
        lists_users(org, key)


def test_users_roles_sessions_and_the_root_user_of_a_member_are_bound(org: Org):
    made = app.new_account(org.house.state, OTHER, name="other")
    root, admin = AccessKey(*made.root_key), AccessKey(*made.admin_key)
    handshake = org.client.invite_account_to_organization(Target={"Id": OTHER, "Type": "ACCOUNT"})["Handshake"]["Id"]
    org.of("organizations", root).accept_handshake(HandshakeId=handshake)
    sts = org.of("sts", admin)
    session = keyed(sts.get_federation_token(Name="guest", Policy=document(ALLOW_ALL)))
    org.of("iam", admin).create_role(
        RoleName="work",
        AssumeRolePolicyDocument=document(
            {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "sts:AssumeRole"},
        ),
    )
    org.of("iam", admin).put_role_policy(RoleName="work", PolicyName="p", PolicyDocument=document(ALLOW_ALL))
    role = keyed(sts.assume_role(RoleArn=f"arn:aws:iam::{OTHER}:role/work", RoleSessionName="me"))
    keys = (root, admin, role)
    for key in keys:
        lists_users(org, key)
    org.of("kms", session).list_keys()
    org.bound(OTHER, DENY_USERS, {"Effect": "Deny", "Action": "kms:*", "Resource": "*"})
    for key in keys:
        with refused("AccessDenied", DENIED):
            lists_users(org, key)
    with refused("AccessDeniedException", DENIED):
        org.of("kms", session).list_keys()


def keyed(answer: Any) -> AccessKey:
    made = answer["Credentials"]
    return AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


def test_the_management_account_is_not_bound(org: Org):
    org.bound(org.root, {"Effect": "Deny", "Action": "*", "Resource": "*"})
    org.bound(MANAGEMENT, {"Effect": "Deny", "Action": "*", "Resource": "*"})
    lists_users(org, org.house.admin)
    lists_users(org, AccessKey(*org.house.first.root_key))


def test_a_delegated_administrator_is_bound(org: Org, account: str):
    org.client.enable_aws_service_access(ServicePrincipal="config.amazonaws.com")
    org.client.register_delegated_administrator(AccountId=account, ServicePrincipal="config.amazonaws.com")
    member = org.of("organizations", org.administrator(account))
    member.list_roots()
    org.bound(account, {"Effect": "Deny", "Action": "organizations:ListRoots", "Resource": "*"})
    with refused("AccessDeniedException", DENIED):
        member.list_roots()


def test_a_service_linked_role_is_not_bound(org: Org, account: str):
    org.bound(account, {"Effect": "Deny", "Action": "*", "Resource": "*"})
    tx = org.house.state.store.reading()
    roles = dict(tx.all("SELECT name, role_id FROM iam_role WHERE account = ?", account))
    principals = org.house.worker.principals
    bound = principals.owner_inputs(account, roles["OrganizationAccountAccessRole"])
    assert len(bound.scps) == 2
    assert principals.owner_inputs(account, roles["AWSServiceRoleForOrganizations"]).scps == ()


def test_an_account_outside_is_not_bound(org: Org):
    key = org.other()
    org.bound(org.root, {"Effect": "Deny", "Action": "*", "Resource": "*"})
    lists_users(org, key)


def test_the_callers_account_counts_not_the_resources(org: Org, account: str):
    """An SCP of the account that owns a role does not keep others from assuming it."""
    neighbour = org.account()
    trust = document({"Effect": "Allow", "Principal": {"AWS": neighbour}, "Action": "sts:AssumeRole"})
    iam = org.of("iam", org.administrator(account))
    iam.create_role(RoleName="open", AssumeRolePolicyDocument=trust)
    caller = org.of("sts", org.administrator(neighbour))
    arn = f"arn:aws:iam::{account}:role/open"
    deny = {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"}
    org.bound(account, deny)
    caller.assume_role(RoleArn=arn, RoleSessionName="me")
    org.bound(neighbour, deny)
    with refused("AccessDenied", DENIED):
        caller.assume_role(RoleArn=arn, RoleSessionName="me")


# From when on


def test_every_change_bites_on_the_next_request(org: Org, account: str):
    key = org.administrator(account)
    unit = org.unit()
    policy = org.bound(unit, DENY_USERS)
    lists_users(org, key)
    move = {"AccountId": account, "SourceParentId": org.root, "DestinationParentId": unit}
    org.client.move_account(**move)
    with refused("AccessDenied", DENIED):
        lists_users(org, key)
    org.client.update_policy(PolicyId=policy, Content=document({**DENY_USERS, "Action": "iam:ListRoles"}))
    lists_users(org, key)
    with refused("AccessDenied", DENIED):
        org.of("iam", key).list_roles()
    org.client.update_policy(PolicyId=policy, Content=document(DENY_USERS))
    org.client.disable_policy_type(RootId=org.root, PolicyType=SCP)
    lists_users(org, key)
    org.enable(SCP)
    lists_users(org, key)
    org.client.attach_policy(PolicyId=policy, TargetId=account)
    with refused("AccessDenied", DENIED):
        lists_users(org, key)
    org.age(8)
    org.client.remove_account_from_organization(AccountId=account)
    lists_users(org, key)


def test_joining_binds(org: Org):
    key = org.other()
    org.bound(org.root, DENY_USERS)
    lists_users(org, key)
    handshake = org.client.invite_account_to_organization(Target={"Id": OTHER, "Type": "ACCOUNT"})["Handshake"]["Id"]
    org.of("organizations", key).accept_handshake(HandshakeId=handshake)
    with refused("AccessDenied", DENIED):
        lists_users(org, key)
    org.of("organizations", key).leave_organization()
    lists_users(org, key)


def test_leaving_can_be_denied(org: Org):
    """User Guide, "Example SCPs": prevent member accounts from leaving the organization."""
    key = org.joined()
    org.bound(org.root, {"Effect": "Deny", "Action": "organizations:LeaveOrganization", "Resource": "*"})
    with refused("AccessDeniedException", DENIED):
        org.of("organizations", key).leave_organization()


def test_every_worker_hears_of_it_with_its_next_request(tmp_path: Path):
    one, two = InProcess(tmp_path / "data", slot=0), InProcess(tmp_path / "data", slot=1)
    try:
        made = app.new_account(one.state, OTHER, name="other")
        member = AccessKey(*made.admin_key)

        def call(operation: str, key: AccessKey | None = None, /, **members: Any) -> Any:
            answer = one.json("organizations", f"AWSOrganizationsV20161128.{operation}", members, key)
            assert answer.status == 200, answer.body
            return json.loads(answer.body or b"{}")

        assert two.iam("ListUsers", member).status == 200
        call("CreateOrganization")
        root = call("ListRoots")["Roots"][0]["Id"]
        handshake = call("InviteAccountToOrganization", Target={"Id": OTHER, "Type": "ACCOUNT"})["Handshake"]["Id"]
        call("AcceptHandshake", member, HandshakeId=handshake)
        assert two.iam("ListUsers", member).status == 200
        made_policy = call("CreatePolicy", Content=document(DENY_USERS), Description="", Name="deny", Type=SCP)
        policy = made_policy["Policy"]["PolicySummary"]["Id"]
        call("AttachPolicy", PolicyId=policy, TargetId=root)
        assert two.iam("ListUsers", member).status == 403
        call("UpdatePolicy", PolicyId=policy, Content=document(ALLOW_ALL))
        assert two.iam("ListUsers", member).status == 200
        call("UpdatePolicy", PolicyId=policy, Content=document(DENY_USERS))
        assert two.iam("ListUsers", member).status == 403
        unit = call("CreateOrganizationalUnit", ParentId=root, Name="unit")["OrganizationalUnit"]["Id"]
        call("DetachPolicy", PolicyId=policy, TargetId=root)
        assert two.iam("ListUsers", member).status == 200
        call("AttachPolicy", PolicyId=policy, TargetId=unit)
        call("MoveAccount", AccountId=OTHER, SourceParentId=root, DestinationParentId=unit)
        assert two.iam("ListUsers", member).status == 403
    finally:
        two.close()
        one.close()


def test_a_request_reads_nothing_of_the_organization(org: Org, account: str, monkeypatch: pytest.MonkeyPatch):
    """What is in force is in memory: GetCallerIdentity of STS aside, a call that reads nothing itself reads nothing at all."""
    key = org.user(account, "ann", ALLOW_ALL)
    org.enable(RCP)
    org.bound(org.root, DENY_USERS)
    kms = org.of("kms", key)
    kms.generate_random(NumberOfBytes=8)
    asked: list[str] = []
    reading = org.house.state.store.reading()
    monkeypatch.setattr(type(org.house.state.store), "reading", lambda _self: Counting(reading, asked))
    kms.generate_random(NumberOfBytes=8)
    assert [sql for sql in asked if "org_" in sql or "account" in sql] == []


class Counting:
    """A reading that writes down what it is asked."""

    def __init__(self, inner: Reading, asked: list[str]) -> None:
        self._inner, self._asked = inner, asked

    def all(self, sql: str, *parameters: Any) -> Any:
        self._asked.append(sql)
        return self._inner.all(sql, *parameters)

    def one(self, sql: str, *parameters: Any) -> Any:
        self._asked.append(sql)
        return self._inner.one(sql, *parameters)


def test_accounts_below_one_node_share_its_policies(org: Org):
    first, second = org.account(), org.account()
    principals = org.house.worker.principals

    def scps(account: str) -> Any:
        return principals.memberships.service_controls(account, set())

    assert scps(first)[0] is scps(second)[0]
    before = scps(first)
    org.bound(first, DENY_USERS)
    assert scps(first)[0] is before[0], "what did not change stays"
    assert scps(first)[1] is not before[1]
    assert len(scps(first)[1].policies) == 2


def test_what_cannot_be_read_lets_nobody_in(org: Org, account: str):
    """A policy that is attached and gone, as after a damaged restore: an error, never a pass."""
    key = org.administrator(account)
    policy = org.bound(account, DENY_USERS)
    with org.house.state.store.writing() as tx:
        tx.run("DELETE FROM org_policy WHERE policy_id = ?", policy)
        tx.changed("org-policy", policy)
    org.house.state.store.commit()
    with refused("InternalFailure"):
        org.of("iam", key).list_roles()


# Condition keys


@pytest.fixture
def outsider(org: Org) -> AccessKey:
    return org.other()


def trusted(org: Org, account: str, condition: Any) -> str:
    """A role of a member that everybody may assume who meets a condition."""
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole", "Condition": condition}
    org.of("iam", org.administrator(account)).create_role(RoleName="shared", AssumeRolePolicyDocument=document(statement))
    return f"arn:aws:iam::{account}:role/shared"


def assumes(org: Org, key: AccessKey, role: str) -> None:
    org.of("sts", key).assume_role(RoleArn=role, RoleSessionName="me")


def test_principal_org_id(org: Org, account: str, outsider: AccessKey):
    role = trusted(org, account, {"StringEquals": {"aws:PrincipalOrgID": org.id}})
    member = org.administrator(org.account())
    assumes(org, member, role)
    assumes(org, org.house.admin, role)
    with refused("AccessDenied"):
        assumes(org, outsider, role)
    handshake = org.client.invite_account_to_organization(Target={"Id": OTHER, "Type": "ACCOUNT"})["Handshake"]["Id"]
    org.of("organizations", outsider).accept_handshake(HandshakeId=handshake)
    assumes(org, outsider, role)


def test_principal_org_paths(org: Org, account: str):
    unit = org.unit()
    path = f"{org.id}/{org.root}/{unit}/*"
    role = trusted(org, account, {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": [path]}})
    member = org.account()
    key = org.administrator(member)
    with refused("AccessDenied"):
        assumes(org, key, role)
    org.client.move_account(AccountId=member, SourceParentId=org.root, DestinationParentId=unit)
    assumes(org, key, role)


def test_resource_org_id_and_resource_org_paths(org: Org, account: str, outsider: AccessKey):
    """A caller's own perimeter: only roles of the organization, and only of one path of it."""
    ours = trusted(org, account, {"Bool": {"aws:SecureTransport": "false"}})
    org.of("iam", outsider).create_role(
        RoleName="theirs",
        AssumeRolePolicyDocument=document({"Effect": "Allow", "Principal": {"AWS": MANAGEMENT}, "Action": "sts:AssumeRole"}),
    )
    theirs = f"arn:aws:iam::{OTHER}:role/theirs"
    allow = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    inside = org.user(MANAGEMENT, "ann", {**allow, "Condition": {"StringEquals": {"aws:ResourceOrgID": "${aws:PrincipalOrgID}"}}})
    assumes(org, inside, ours)
    with refused("AccessDenied"):
        assumes(org, inside, theirs)
    path = {"ForAnyValue:StringEquals": {"aws:ResourceOrgPaths": [f"{org.id}/{org.root}/"]}}
    at_root = org.user(MANAGEMENT, "bob", {**allow, "Condition": path})
    assumes(org, at_root, ours)
    org.client.move_account(AccountId=account, SourceParentId=org.root, DestinationParentId=org.unit())
    with refused("AccessDenied"):
        assumes(org, at_root, ours)
    everywhere = org.user(MANAGEMENT, "eve", {**allow, "Condition": {"StringEquals": {"aws:ResourceAccount": OTHER}}})
    assumes(org, everywhere, theirs)
    with refused("AccessDenied"):
        assumes(org, everywhere, ours)


def test_whoever_is_in_no_organization_has_no_such_keys(org: Org, outsider: AccessKey, account: str):
    role = trusted(org, account, {"Null": {"aws:PrincipalOrgID": "true"}})
    assumes(org, outsider, role)
    with refused("AccessDenied"):
        assumes(org, org.administrator(org.account()), role)


# Resource control policies

PERIMETER = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": ["sts:AssumeRole", "kms:*"],
    "Resource": "*",
    "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "${aws:ResourceOrgID}"}},
}


@pytest.fixture
def guarded(org: Org) -> Org:
    org.enable(RCP)
    org.bound(org.root, PERIMETER, kind=RCP)
    return org


def open_role(org: Org, key: AccessKey, account: str) -> str:
    trust = document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})
    org.of("iam", key).create_role(RoleName="open", AssumeRolePolicyDocument=trust)
    return f"arn:aws:iam::{account}:role/open"


def test_an_outsider_meets_the_resource_control_policy(guarded: Org, account: str, outsider: AccessKey):
    role = open_role(guarded, guarded.administrator(account), account)
    assumes(guarded, guarded.administrator(guarded.account()), role)
    with refused("AccessDenied", "with an explicit deny in a resource control policy: arn:aws:organizations::"):
        assumes(guarded, outsider, role)


def test_a_path_that_reads_like_a_services_role_frees_nobody(guarded: Org, account: str, outsider: AccessKey):
    """Anybody may put ``:role/aws-service-role/`` into the path of a role of their own: it is not where such a path begins."""
    role = open_role(guarded, guarded.administrator(account), account)
    iam = guarded.of("iam", outsider)
    trust = document({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}, "Action": "sts:AssumeRole"})
    path = "/x:role/aws-service-role/organizations.amazonaws.com/"
    own = iam.create_role(RoleName="own", Path=path, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="own", PolicyName="all", PolicyDocument=document(ALLOW_ALL))
    made = guarded.of("sts", outsider).assume_role(RoleArn=own, RoleSessionName="own")["Credentials"]
    disguised = AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    with refused("AccessDenied", "with an explicit deny in a resource control policy: arn:aws:organizations::"):
        assumes(guarded, disguised, role)


def test_keys_are_bound_by_it(guarded: Org, account: str, outsider: AccessKey):
    kms = guarded.of("kms", guarded.administrator(account))
    policy = document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"})
    key = kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    kms.encrypt(KeyId=key, Plaintext=b"x")
    guarded.house.client("kms").encrypt(KeyId=key, Plaintext=b"x")
    with refused("AccessDeniedException", "with an explicit deny in a resource control policy"):
        guarded.of("kms", outsider).encrypt(KeyId=key, Plaintext=b"x")


def test_the_management_accounts_resources_are_not_bound(guarded: Org, outsider: AccessKey):
    role = open_role(guarded, guarded.house.admin, MANAGEMENT)
    assumes(guarded, outsider, role)


def test_resources_outside_are_not_bound(guarded: Org, outsider: AccessKey):
    role = open_role(guarded, outsider, OTHER)
    assumes(guarded, guarded.house.admin, role)


def test_services_that_do_not_support_them_are_not_bound(org: Org, account: str):
    """IAM is none of them: no action of IAM may even be named, and a `*` reaches none of them."""
    org.enable(RCP)
    with refused("MalformedPolicyDocumentException"):
        org.policy(document({"Effect": "Deny", "Principal": "*", "Action": "iam:*", "Resource": "*"}), RCP)
    org.bound(org.root, {**PERIMETER, "Action": ["s3:*", "kms:*"], "Condition": {}}, kind=RCP)
    lists_users(org, org.administrator(account))
    with refused("AccessDeniedException", "with an explicit deny in a resource control policy"):
        org.of("kms", org.administrator(account)).list_keys()


def test_it_ends_with_its_type(guarded: Org, account: str, outsider: AccessKey):
    role = open_role(guarded, guarded.administrator(account), account)
    guarded.client.disable_policy_type(RootId=guarded.root, PolicyType=RCP)
    assumes(guarded, outsider, role)


def test_grants_are_retired_whatever_it_says(org: Org, account: str):
    """User Guide, "Resources and entities not restricted by RCPs": kms:RetireGrant."""
    kms = org.of("kms", org.administrator(account))
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    grant = kms.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{account}:root", Operations=["Decrypt"])
    org.enable(RCP)
    org.bound(account, {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}, kind=RCP)
    with refused("AccessDeniedException", "with an explicit deny in a resource control policy"):
        kms.list_grants(KeyId=key)
    kms.retire_grant(GrantToken=grant["GrantToken"])


def test_the_record_names_the_policy(org: Org, account: str):
    key = org.administrator(account)
    policy = org.bound(account, DENY_USERS)
    with refused("AccessDenied", DENIED):
        lists_users(org, key)
    decision = json.loads(org.house.events()[-1].decision)
    assert (decision["outcome"], decision["policy_type"]) == ("explicitDeny", "scp")
    assert decision["matched"][0]["policy"].endswith(policy)


def test_the_story_of_a_denial_tells_the_policy_again(org: Org, account: str):
    key = org.administrator(account)
    policy = org.bound(account, DENY_USERS)
    with refused("AccessDenied", DENIED):
        lists_users(org, key)
    left = org.house.events()[-1]
    store = org.house.state.store

    def states() -> dict[str, str]:
        found = looked_at(store, json.loads(left.record), json.loads(left.decision))
        return {seen.name.rpartition("/")[2]: seen.state for seen in found if seen.kind == "scp"}

    assert states() == {"p-FullAWSAccess": "unchanged", policy: "unchanged"}
    org.client.update_policy(PolicyId=policy, Content=document(ALLOW_ALL))
    assert states()[policy] == "changed"
    org.client.detach_policy(PolicyId=policy, TargetId=account)
    org.client.delete_policy(PolicyId=policy)
    assert states()[policy] == "gone"


def test_the_simulator_knows_what_is_in_force(org: Org, account: str):
    """IAM API Reference, OrganizationsDecisionDetail."""
    iam = org.of("iam", org.administrator(account))
    org.user(account, "ann", ALLOW_ALL)
    arn = f"arn:aws:iam::{account}:user/ann"

    def simulated(action: str) -> tuple[str, Any]:
        (result,) = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=[action])["EvaluationResults"]
        return result["EvalDecision"], result.get("OrganizationsDecisionDetail")

    assert simulated("iam:ListUsers") == ("allowed", {"AllowedByOrganizations": True})
    org.bound(account, DENY_USERS)
    assert simulated("iam:ListUsers") == ("explicitDeny", {"AllowedByOrganizations": False})
    assert simulated("iam:ListRoles")[0] == "allowed"


def test_nobody_is_bound_by_an_organization_that_is_gone(org: Org):
    credential = Credential(
        "", org.house.worker.principals.credential(org.house.admin.access_key_id, None, 0.0).principal, MANAGEMENT
    )
    assert org.house.worker.principals.place(MANAGEMENT) == (org.id, f"{org.id}/{org.root}/")
    org.client.delete_organization()
    assert org.house.worker.principals.place(MANAGEMENT) is None
    assert org.house.worker.principals.inputs(credential).scps == ()
