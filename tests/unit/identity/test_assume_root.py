"""AssumeRoot, and what IAM lets an organization do with root users. Texts: IAM and STS API Reference, "Errors"."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from garrison import app
from tests.support.organizations import MANAGEMENT, OTHER, Org, document, refused
from tests.support.server import AccessKey

TASKS = "arn:aws:iam::aws:policy/root-task/"
AUDIT, DELETE, UNLOCK = (
    f"{TASKS}IAMAuditRootUserCredentials",
    f"{TASKS}IAMDeleteRootUserCredentials",
    f"{TASKS}S3UnlockBucketPolicy",
)
SWITCHES = (
    "enable_organizations_root_credentials_management",
    "disable_organizations_root_credentials_management",
    "enable_organizations_root_sessions",
    "disable_organizations_root_sessions",
)


@pytest.fixture
def org() -> Iterator[Org]:
    found = Org()
    found.client.enable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    yield found
    found.close()


@pytest.fixture
def member(org: Org) -> tuple[str, AccessKey]:
    """A member whose root user has an access key."""
    made = app.new_account(org.house.state, OTHER, name="other")
    handshake = org.client.invite_account_to_organization(Target={"Id": OTHER, "Type": "ACCOUNT"})["Handshake"]["Id"]
    org.of("organizations", AccessKey(*made.admin_key)).accept_handshake(HandshakeId=handshake)
    return OTHER, AccessKey(*made.root_key)


def assumed(org: Org, account: str, task: str = AUDIT, key: AccessKey | None = None, **members: Any) -> AccessKey:
    sts = org.of("sts", key or org.house.admin)
    made = sts.assume_root(TargetPrincipal=account, TaskPolicyArn={"arn": task}, **members)["Credentials"]
    return AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


def enabled(org: Org) -> None:
    iam = org.house.client("iam")
    iam.enable_organizations_root_credentials_management()
    iam.enable_organizations_root_sessions()


# IAM's switches


def test_the_features_are_switched_on_and_off(org: Org):
    iam = org.house.client("iam")
    assert iam.list_organizations_features()["EnabledFeatures"] == []
    answer = iam.enable_organizations_root_credentials_management()
    assert (answer["OrganizationId"], answer["EnabledFeatures"]) == (org.id, ["RootCredentialsManagement"])
    iam.enable_organizations_root_credentials_management()
    assert iam.enable_organizations_root_sessions()["EnabledFeatures"] == ["RootCredentialsManagement", "RootSessions"]
    assert iam.list_organizations_features()["EnabledFeatures"] == ["RootCredentialsManagement", "RootSessions"]
    assert iam.disable_organizations_root_credentials_management()["EnabledFeatures"] == ["RootSessions"]
    assert iam.disable_organizations_root_sessions()["EnabledFeatures"] == []


@pytest.mark.parametrize("operation", [*SWITCHES, "list_organizations_features"])
def test_without_an_organization_and_without_its_trust(org: Org, operation: str):
    outsider = org.of("iam", org.other())
    with refused("OrganizationNotFoundException", "no organization is associated with your account"):
        getattr(outsider, operation)()
    org.client.disable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    with refused("ServiceAccessNotEnabledException", "trusted access is not enabled for IAM"):
        getattr(org.house.client("iam"), operation)()


def test_an_organization_that_shares_bills(org: Org):
    rival = org.other()
    org.of("organizations", rival).create_organization(FeatureSet="CONSOLIDATED_BILLING")
    with refused("OrganizationNotInAllFeaturesModeException", "does not have All features enabled"):
        org.of("iam", rival).enable_organizations_root_sessions()


def test_only_the_management_account_switches(org: Org):
    iam = org.of("iam", org.administrator(org.account()))
    for operation in SWITCHES:
        with refused("CallerIsNotManagementAccountException", "is not the management account for the organization"):
            getattr(iam, operation)()
    with refused("AccountNotManagementOrDelegatedAdministratorException"):
        iam.list_organizations_features()


def test_without_the_trust_the_features_go(org: Org):
    enabled(org)
    org.client.disable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    org.client.enable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    assert org.house.client("iam").list_organizations_features()["EnabledFeatures"] == []


# AssumeRoot


def test_assume_root_is_the_members_root_user(org: Org, member: tuple[str, AccessKey]):
    account, root = member
    enabled(org)
    answer = org.house.client("sts").assume_root(TargetPrincipal=f"arn:aws:iam::{account}:root", TaskPolicyArn={"arn": AUDIT})
    made = answer["Credentials"]
    key = AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    who = org.of("sts", key).get_caller_identity()
    assert (who["Account"], who["Arn"], who["UserId"]) == (account, f"arn:aws:iam::{account}:root", account)
    found = org.of("iam", key).list_access_keys()["AccessKeyMetadata"]
    assert [each["AccessKeyId"] for each in found] == [root.access_key_id]
    event = json.loads(org.house.events()[-1].record)
    assert event["userIdentity"]["type"] == "Root"
    assert event["userIdentity"]["sessionContext"]["assumedRoot"] == "true"


def test_the_task_is_all_that_it_may(org: Org, member: tuple[str, AccessKey]):
    account, root = member
    enabled(org)
    audit, delete = org.of("iam", assumed(org, account)), org.of("iam", assumed(org, account, DELETE))
    for client, call, members in (
        (audit, "delete_access_key", {"AccessKeyId": root.access_key_id}),
        (audit, "list_users", {}),
        (audit, "create_user", {"UserName": "ann"}),
        (audit, "list_access_keys", {"UserName": "admin"}),
        (delete, "create_access_key", {}),
        (delete, "delete_access_key", {"UserName": "admin", "AccessKeyId": root.access_key_id}),
    ):
        with refused("AccessDenied", f"with an explicit deny in a session policy: {TASKS}"):
            getattr(client, call)(**members)
    with refused("AccessDeniedException", "with an explicit deny in a session policy"):
        org.of("kms", assumed(org, account, UNLOCK)).list_keys()
    with refused("AccessDenied"):
        org.of("sts", assumed(org, account)).assume_role(RoleArn=f"arn:aws:iam::{account}:role/x", RoleSessionName="me")
    delete.delete_access_key(AccessKeyId=root.access_key_id)
    with refused("InvalidClientTokenId"):
        org.of("sts", root).get_caller_identity()


def test_its_organization_bounds_it_too(org: Org, member: tuple[str, AccessKey]):
    account, _ = member
    enabled(org)
    key = assumed(org, account)
    org.bound(account, {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:AssumedRoot": "true"}}})
    with refused("AccessDenied", "with an explicit deny in a service control policy"):
        org.of("iam", key).list_access_keys()


def test_for_fifteen_minutes_at_most(org: Org):
    enabled(org)
    account = org.account()
    sts = org.house.client("sts")
    usual = sts.assume_root(TargetPrincipal=account, TaskPolicyArn={"arn": AUDIT})["Credentials"]["Expiration"]
    short = sts.assume_root(TargetPrincipal=account, TaskPolicyArn={"arn": AUDIT}, DurationSeconds=60)["Credentials"][
        "Expiration"
    ]
    assert 830 <= (usual - short).total_seconds() <= 840
    with refused("ValidationError", "Member must have value less than or equal to 900"):
        sts.assume_root(TargetPrincipal=account, TaskPolicyArn={"arn": AUDIT}, DurationSeconds=901)


def test_who_may_not(org: Org, member: tuple[str, AccessKey]):
    """All of them are told the same: nobody learns what there is."""
    account, _ = member
    outsider = org.other("777788889999")
    made = org.account()
    insider = org.administrator(made)
    text = f"is not authorized to perform: sts:AssumeRoot on resource: arn:aws:iam::{account}:root"
    with refused("AccessDenied", text):
        assumed(org, account)
    enabled(org)
    assumed(org, account)
    for key in (outsider, insider, AccessKey(*org.house.first.root_key)):
        with refused("AccessDenied", text):
            assumed(org, account, key=key)
    for target in (MANAGEMENT, "777788889999", "999999999999"):
        with refused("AccessDenied", "is not authorized to perform: sts:AssumeRoot"):
            assumed(org, target)
    org.client.close_account(AccountId=made)
    with refused("AccessDenied", "is not authorized to perform: sts:AssumeRoot"):
        assumed(org, made)
    nobody = org.user(MANAGEMENT, "nobody")
    with refused("AccessDenied", "because no identity-based policy allows the sts:AssumeRoot action"):
        assumed(org, account, key=nobody)


def test_each_task_needs_its_feature(org: Org):
    account = org.account()
    iam = org.house.client("iam")
    iam.enable_organizations_root_sessions()
    assumed(org, account, UNLOCK)
    with refused("AccessDenied"):
        assumed(org, account, AUDIT)
    iam.disable_organizations_root_sessions()
    iam.enable_organizations_root_credentials_management()
    assumed(org, account, AUDIT)
    with refused("AccessDenied"):
        assumed(org, account, UNLOCK)


def test_iams_delegated_administrator_may(org: Org, member: tuple[str, AccessKey]):
    account, _ = member
    enabled(org)
    delegate = org.account()
    key = org.administrator(delegate)
    with refused("AccessDenied"):
        assumed(org, account, key=key)
    org.client.register_delegated_administrator(AccountId=delegate, ServicePrincipal="iam.amazonaws.com")
    assumed(org, account, key=key)
    assert org.of("iam", key).list_organizations_features()["EnabledFeatures"]


def test_the_task_can_be_a_condition(org: Org):
    enabled(org)
    account = org.account()
    condition = {"StringEquals": {"sts:TaskPolicyArn": AUDIT}}
    key = org.user(MANAGEMENT, "ann", {"Effect": "Allow", "Action": "sts:AssumeRoot", "Resource": "*", "Condition": condition})
    assumed(org, account, AUDIT, key)
    with refused("AccessDenied", "because no identity-based policy allows the sts:AssumeRoot action"):
        assumed(org, account, DELETE, key)


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (OTHER, "arn:aws:iam::aws:policy/AdministratorAccess"),
        (OTHER, f"arn:aws:iam::{OTHER}:policy/root-task/IAMAuditRootUserCredentials"),
        (f"arn:aws:iam::{OTHER}:user/ann", AUDIT),
        (f"{OTHER}:root", AUDIT),
        (f"arn:aws:iam::{OTHER}", AUDIT),
        ("not an account", AUDIT),
    ],
)
def test_what_is_no_principal_and_no_task(org: Org, target: str, task: str):
    enabled(org)
    with refused("ValidationError"):
        assumed(org, target, task)


def test_a_session_dies_with_its_account(org: Org):
    enabled(org)
    account = org.account()
    key = assumed(org, account)
    org.of("iam", key).list_access_keys()
    org.client.close_account(AccountId=account)
    with refused("InvalidClientTokenId"):
        org.of("iam", key).list_access_keys()


def test_the_policy_document_of_the_session_cannot_be_widened(org: Org):
    """A root session passes no session to others: it may not call GetSessionToken, nor assume roles."""
    enabled(org)
    sts = org.of("sts", assumed(org, org.account()))
    with refused("AccessDenied"):
        sts.get_session_token()
    with refused("AccessDenied"):
        sts.get_federation_token(Name="guest", Policy=document({"Effect": "Allow", "Action": "*", "Resource": "*"}))


def test_without_its_tasks_policy_a_session_may_nothing(org: Org, member: tuple[str, AccessKey]):
    """The policy only denies: were it not there, what is beside it must not be all of the root user."""
    enabled(org)
    key = assumed(org, member[0])
    org.house.worker.gateway.principals._aws_policy = lambda _arn: None
    with refused("AccessDenied", "because no session policy allows the iam:ListAccessKeys action"):
        org.of("iam", key).list_access_keys()
