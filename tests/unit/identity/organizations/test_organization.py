"""The organization itself, and who may call. Texts: AWS Organizations API Reference, and answers that clients recorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from garrison.store import Store
from tests.support.house import House
from tests.support.organizations import MANAGEMENT, OTHER, Org, refused

NO_MEMBER = "Your account is not a member of an organization."
NO_PERMISSION = "You don't have permissions to access this resource."


def test_create_organization_and_describe_organization(org: Org):
    found = org.client.describe_organization()["Organization"]
    arn = f"arn:aws:organizations::{MANAGEMENT}"
    assert found["Arn"] == f"{arn}:organization/{org.id}"
    assert (found["MasterAccountId"], found["MasterAccountArn"]) == (MANAGEMENT, f"{arn}:account/{org.id}/{MANAGEMENT}")
    assert found["FeatureSet"] == "ALL"
    assert found["AvailablePolicyTypes"] == [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]
    (root,) = org.client.list_roots()["Roots"]
    assert (root["Arn"], root["Name"]) == (f"{arn}:root/{org.id}/{org.root}", "Root")
    assert root["PolicyTypes"] == [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]
    (account,) = org.client.list_accounts()["Accounts"]
    assert (account["Id"], account["JoinedMethod"], account["Status"]) == (MANAGEMENT, "INVITED", "ACTIVE")


def test_the_service_linked_role_comes_along(org: Org):
    arn = f"arn:aws:iam::{MANAGEMENT}:role/aws-service-role/organizations.amazonaws.com/AWSServiceRoleForOrganizations"
    assert org.house.client("iam").get_role(RoleName="AWSServiceRoleForOrganizations")["Role"]["Arn"] == arn


def test_whoever_may_not_make_that_role_makes_no_organization():
    house = House()
    try:
        iam = house.client("iam")
        iam.create_user(UserName="ann")
        statement = '{"Effect": "Allow", "Action": "organizations:*", "Resource": "*"}'
        text = f'{{"Version": "2012-10-17", "Statement": {statement}}}'
        iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=text)
        made = iam.create_access_key(UserName="ann")["AccessKey"]
        key = type(house.admin)(made["AccessKeyId"], made["SecretAccessKey"])
        with refused("AccessDeniedException", "iam:CreateServiceLinkedRole"):
            house.client("organizations", key).create_organization()
        with refused("AWSOrganizationsNotInUseException", NO_MEMBER):
            house.client("organizations").describe_organization()
    finally:
        house.close()


def test_a_member_makes_no_organization_of_its_own(org: Org):
    message = "The provided account is already a member of an organization."
    with refused("AlreadyInOrganizationException", message):
        org.client.create_organization()
    member = org.of("organizations", org.administrator(org.account()))
    with refused("AlreadyInOrganizationException", message):
        member.create_organization()


def test_consolidated_billing_has_no_policies():
    org = Org("CONSOLIDATED_BILLING")
    try:
        assert org.client.describe_organization()["Organization"]["AvailablePolicyTypes"] == []
        assert org.client.list_roots()["Roots"][0]["PolicyTypes"] == []
        with refused("PolicyTypeNotAvailableForOrganizationException"):
            org.policy("{}")
        with refused("PolicyTypeNotAvailableForOrganizationException"):
            org.enable("TAG_POLICY")
        with refused("ConstraintViolationException", reason="ORGANIZATION_NOT_IN_ALL_FEATURES_MODE"):
            org.client.enable_aws_service_access(ServicePrincipal="config.amazonaws.com")
    finally:
        org.close()


def test_delete_organization_once_it_is_empty(org: Org):
    account = org.account()
    org.unit()
    with refused("OrganizationNotEmptyException", "To delete an organization you must first remove all member accounts"):
        org.client.delete_organization()
    org.age(8)
    org.client.remove_account_from_organization(AccountId=account)
    org.client.delete_organization()
    with refused("AWSOrganizationsNotInUseException", NO_MEMBER):
        org.client.describe_organization()
    again = org.client.create_organization()["Organization"]["Id"]
    assert again != org.id
    assert (
        org.client.list_organizational_units_for_parent(ParentId=org.client.list_roots()["Roots"][0]["Id"])["OrganizationalUnits"]
        == []
    )


READS: dict[str, dict[str, Any]] = {
    "list_accounts": {},
    "list_roots": {},
    "list_policies": {"Filter": "SERVICE_CONTROL_POLICY"},
    "list_create_account_status": {},
    "list_aws_service_access_for_organization": {},
    "list_delegated_administrators": {},
    "list_handshakes_for_organization": {},
    "describe_resource_policy": {},
    "describe_account": {"AccountId": MANAGEMENT},
}
WRITES: dict[str, dict[str, Any]] = {
    "create_account": {"Email": "x@example.com", "AccountName": "x"},
    "create_gov_cloud_account": {"Email": "x@example.com", "AccountName": "x"},
    "delete_organization": {},
    "enable_all_features": {},
    "enable_aws_service_access": {"ServicePrincipal": "config.amazonaws.com"},
    "register_delegated_administrator": {"AccountId": OTHER, "ServicePrincipal": "config.amazonaws.com"},
    "invite_account_to_organization": {"Target": {"Id": OTHER, "Type": "ACCOUNT"}},
    "close_account": {"AccountId": MANAGEMENT},
    "remove_account_from_organization": {"AccountId": MANAGEMENT},
    "delete_resource_policy": {},
}


@pytest.mark.parametrize(("operation", "members"), [*READS.items(), *WRITES.items()])
def test_whoever_is_in_no_organization(operation: str, members: dict[str, object]):
    house = House()
    try:
        with refused("AWSOrganizationsNotInUseException", NO_MEMBER):
            getattr(house.client("organizations"), operation)(**members)
    finally:
        house.close()


def test_what_a_member_may_not(org: Org):
    """Neither by the role that it came with, nor by its root user: the caller's own policies are not enough."""
    account = org.account()
    member = org.of("organizations", org.administrator(account))
    assert member.describe_organization()["Organization"]["Id"] == org.id
    for operation, members in {**READS, **WRITES}.items():
        with refused("AccessDeniedException", NO_PERMISSION):
            getattr(member, operation)(**members)
    assert [found["Id"] for found in org.client.list_accounts()["Accounts"]] == sorted([MANAGEMENT, account])


def test_what_a_delegated_administrator_may(org: Org):
    """It reads; it writes nothing."""
    account = org.account()
    org.client.enable_aws_service_access(ServicePrincipal="config.amazonaws.com")
    org.client.register_delegated_administrator(AccountId=account, ServicePrincipal="config.amazonaws.com")
    member = org.of("organizations", org.administrator(account))
    for operation, members in READS.items():
        if operation == "describe_resource_policy":
            with refused("ResourcePolicyNotFoundException"):
                member.describe_resource_policy()
        else:
            getattr(member, operation)(**members)
    for operation, members in WRITES.items():
        with refused("AccessDeniedException", NO_PERMISSION):
            getattr(member, operation)(**members)
    org.client.deregister_delegated_administrator(AccountId=account, ServicePrincipal="config.amazonaws.com")
    with refused("AccessDeniedException", NO_PERMISSION):
        member.list_accounts()


def test_the_callers_own_policies_come_first(org: Org):
    nobody = org.of("organizations", org.user(MANAGEMENT, "nobody"))
    with refused("AccessDeniedException", "is not authorized to perform: organizations:ListAccounts"):
        nobody.list_accounts()
    account = org.account()
    statement = {
        "Effect": "Allow",
        "Action": "organizations:DescribeAccount",
        "Resource": f"arn:aws:organizations::*:account/*/{account}",
    }
    one = org.of("organizations", org.user(MANAGEMENT, "one", statement))
    assert one.describe_account(AccountId=account)["Account"]["Id"] == account
    with refused("AccessDeniedException", f"on resource: arn:aws:organizations::{MANAGEMENT}:account/{org.id}/{MANAGEMENT}"):
        one.describe_account(AccountId=MANAGEMENT)


def test_an_organization_that_goes_between_the_decision_and_the_write(org: Org, monkeypatch: pytest.MonkeyPatch):
    """Another worker deleted it meanwhile: nothing is put into what is not there any more."""
    writing = Store.writing

    @contextmanager
    def late(store: Store) -> Iterator[Any]:
        with writing(store) as unit:
            unit.run("DELETE FROM org_account WHERE organization = ?", org.id)
            unit.run("DELETE FROM org_organization WHERE organization = ?", org.id)
            yield unit

    monkeypatch.setattr(Store, "writing", late)
    with refused("AWSOrganizationsNotInUseException", NO_MEMBER):
        org.client.create_account(Email="late@example.com", AccountName="late")
