"""The same on PostgreSQL: every statement that Organizations sends, once."""

from __future__ import annotations

import json
from pathlib import Path

from garrison.config import Settings
from tests.support.organizations import ALLOW_ALL, MANAGEMENT, OTHER, Org, document, refused


def test_an_organization_on_a_database_server(tmp_path: Path, postgres_url: str):
    settings = Settings(
        data_dir=tmp_path / "data",
        root_key_file=tmp_path / "root.key",
        store=postgres_url,
        account=MANAGEMENT,
        region="eu-central-1",
    )
    org = Org("CONSOLIDATED_BILLING", settings)
    try:
        features_and_trees(org)
        policies(org)
        delegation(org)
        ends(org)
    finally:
        org.close()


def features_and_trees(org: Org) -> None:
    key = org.joined()
    parent = org.client.enable_all_features()["Handshake"]["Id"]
    theirs = org.of("organizations", key)
    (asked,) = theirs.list_handshakes_for_account(Filter={"ActionType": "APPROVE_ALL_FEATURES"})["Handshakes"]
    theirs.accept_handshake(HandshakeId=asked["Id"])
    org.client.accept_handshake(HandshakeId=parent)
    unit = org.unit("one")
    account = org.account(Tags=[{"Key": "a", "Value": "b"}])
    org.client.move_account(AccountId=account, SourceParentId=org.root, DestinationParentId=unit)
    assert org.client.list_children(ParentId=unit, ChildType="ACCOUNT")["Children"] == [{"Id": account, "Type": "ACCOUNT"}]
    assert len(org.client.list_accounts()["Accounts"]) == 3
    assert org.client.list_create_account_status()["CreateAccountStatuses"][0]["AccountId"] == account
    assert org.client.list_tags_for_resource(ResourceId=account)["Tags"] == [{"Key": "a", "Value": "b"}]


def policies(org: Org) -> None:
    for kind in ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY", "TAG_POLICY"):
        org.enable(kind)
    assert len(org.client.list_targets_for_policy(PolicyId="p-FullAWSAccess")["Targets"]) == 5
    (member,) = {found["Id"] for found in org.client.list_accounts()["Accounts"]} - {MANAGEMENT, OTHER}
    key = org.administrator(member)
    denied = org.bound(org.root, {"Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*"})
    with refused("AccessDenied", "with an explicit deny in a service control policy"):
        org.of("iam", key).list_users()
    org.client.update_policy(PolicyId=denied, Content=document(ALLOW_ALL))
    org.of("iam", key).list_users()
    org.client.detach_policy(PolicyId=denied, TargetId=org.root)
    org.client.delete_policy(PolicyId=denied)
    tags = org.policy(json.dumps({"tags": {"a": {"tag_key": {"@@assign": "a"}}}}), "TAG_POLICY")
    org.client.attach_policy(PolicyId=tags, TargetId=org.root)
    found = org.client.describe_effective_policy(PolicyType="TAG_POLICY", TargetId=member)["EffectivePolicy"]
    assert json.loads(found["PolicyContent"]) == {"tags": {"a": {"tag_key": "a"}}}
    assert org.client.list_accounts_with_invalid_effective_policy(PolicyType="TAG_POLICY")["Accounts"] == []


def delegation(org: Org) -> None:
    org.client.enable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    org.client.register_delegated_administrator(AccountId=OTHER, ServicePrincipal="iam.amazonaws.com")
    assert [found["Id"] for found in org.client.list_delegated_administrators()["DelegatedAdministrators"]] == [OTHER]
    named = org.client.list_delegated_administrators(ServicePrincipal="iam.amazonaws.com")["DelegatedAdministrators"]
    assert [found["Id"] for found in named] == [OTHER]
    org.house.client("iam").enable_organizations_root_credentials_management()
    task = {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}
    assert org.house.client("sts").assume_root(TargetPrincipal=OTHER, TaskPolicyArn=task)["Credentials"]
    org.client.deregister_delegated_administrator(AccountId=OTHER, ServicePrincipal="iam.amazonaws.com")
    statement = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "organizations:ListRoots", "Resource": "*"}
    org.client.put_resource_policy(Content=document(statement))
    org.client.delete_resource_policy()


def ends(org: Org) -> None:
    org.age(8)
    for account in {found["Id"] for found in org.client.list_accounts()["Accounts"]} - {MANAGEMENT}:
        org.client.close_account(AccountId=account)
        org.client.remove_account_from_organization(AccountId=account)
    org.client.delete_organization()
    with refused("AWSOrganizationsNotInUseException"):
        org.client.list_roots()
