"""Member accounts. Texts and rules: AWS Organizations API Reference, and User Guide, "Managing accounts"."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from garrison import app
from garrison.store import Conflict
from tests.support.organizations import MANAGEMENT, OTHER, Org, refused


def test_create_account_is_answered_before_it_is_done(org: Org):
    answer = org.client.create_account(Email="ann@example.com", AccountName="Ann", Tags=[{"Key": "team", "Value": "blue"}])
    status = answer["CreateAccountStatus"]
    assert (status["State"], status["AccountName"]) == ("IN_PROGRESS", "Ann")
    assert status["Id"].startswith("car-")
    done = org.client.describe_create_account_status(CreateAccountRequestId=status["Id"])["CreateAccountStatus"]
    assert (done["State"], done["AccountName"]) == ("SUCCEEDED", "Ann")
    account = done["AccountId"]
    found = org.client.describe_account(AccountId=account)["Account"]
    assert found["Arn"] == f"arn:aws:organizations::{MANAGEMENT}:account/{org.id}/{account}"
    assert (found["Email"], found["Name"], found["JoinedMethod"]) == ("ann@example.com", "Ann", "CREATED")
    assert found["Paths"] == [f"{org.id}/{org.root}/{account}/"]
    assert org.client.list_tags_for_resource(ResourceId=account)["Tags"] == [{"Key": "team", "Value": "blue"}]
    attached = org.client.list_policies_for_target(TargetId=account, Filter="SERVICE_CONTROL_POLICY")["Policies"]
    assert [policy["Id"] for policy in attached] == ["p-FullAWSAccess"]


def test_the_account_really_is_one(org: Org):
    """Its role trusts the management account, may do everything there, and is the only way in."""
    account = org.account()
    iam = org.of("iam", org.administrator(account))
    role = iam.get_role(RoleName="OrganizationAccountAccessRole")["Role"]
    trust = role["AssumeRolePolicyDocument"]
    trust = json.loads(unquote(trust)) if isinstance(trust, str) else trust
    assert trust["Statement"] == [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{MANAGEMENT}:root"}, "Action": "sts:AssumeRole"}
    ]
    attached = iam.list_attached_role_policies(RoleName="OrganizationAccountAccessRole")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == ["arn:aws:iam::aws:policy/AdministratorAccess"]
    assert iam.list_users()["Users"] == []
    assert {found["RoleName"] for found in iam.list_roles()["Roles"]} == {
        "AWSServiceRoleForOrganizations",
        "OrganizationAccountAccessRole",
    }


def test_nobody_of_another_account_assumes_that_role(org: Org):
    account, neighbour = org.account(), org.account()
    sts = org.of("sts", org.administrator(neighbour))
    with refused("AccessDenied", "is not authorized to perform: sts:AssumeRole"):
        sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole", RoleSessionName="me")


def test_another_name_for_the_role(org: Org):
    account = org.account(RoleName="Owner")
    arn = f"arn:aws:iam::{account}:role/Owner"
    assert org.house.client("sts").assume_role(RoleArn=arn, RoleSessionName="me")["AssumedRoleUser"]["Arn"].endswith("/Owner/me")


def test_an_address_that_is_taken(org: Org):
    org.account(Email="ann@example.com")
    request = org.client.create_account(Email="Ann@Example.com", AccountName="Ann")["CreateAccountStatus"]["Id"]
    found = org.client.describe_create_account_status(CreateAccountRequestId=request)["CreateAccountStatus"]
    assert (found["State"], found["FailureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")
    assert "AccountId" not in found
    assert len(org.client.list_accounts()["Accounts"]) == 2
    failed = org.client.list_create_account_status(States=["FAILED"])["CreateAccountStatuses"]
    assert [status["Id"] for status in failed] == [request]
    assert len(org.client.list_create_account_status()["CreateAccountStatuses"]) == 2


def test_an_account_made_beside_it_has_an_address_of_its_own_too(org: Org):
    org.account(Email="ann@example.com")
    with pytest.raises(Conflict, match="e-mail address"):
        app.new_account(org.house.state, OTHER, name="other", email="ANN@example.com")
    app.new_account(org.house.state, OTHER, name="other", email="bob@example.com")
    app.new_account(org.house.state, "777788889999", name="nameless")
    handshake = org.client.invite_account_to_organization(Target={"Id": "bob@example.com", "Type": "EMAIL"})["Handshake"]
    assert handshake["State"] == "REQUESTED"


def test_a_request_that_is_not_there(org: Org):
    with refused("CreateAccountStatusNotFoundException", "You specified a create account request that doesn't exist."):
        org.client.describe_create_account_status(CreateAccountRequestId="car-a1b2c3d4")


def test_tags_are_held_against_the_rules_before_anything_is_made(org: Org):
    twice = [{"Key": "team", "Value": "a"}, {"Key": "team", "Value": "b"}]
    with refused("InvalidInputException", reason="DUPLICATE_TAG_KEY"):
        org.client.create_account(Email="x@example.com", AccountName="x", Tags=twice)
    with refused("InvalidInputException", reason="INVALID_SYSTEM_TAGS_PARAMETER"):
        org.client.create_account(Email="x@example.com", AccountName="x", Tags=[{"Key": "aws:x", "Value": "a"}])
    assert org.client.list_create_account_status()["CreateAccountStatuses"] == []


def test_create_gov_cloud_account_has_no_partition_to_be_in(org: Org):
    with refused("ConstraintViolationException", reason="MASTER_ACCOUNT_NOT_GOVCLOUD_ENABLED"):
        org.client.create_gov_cloud_account(Email="x@example.com", AccountName="x")


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("describe_account", {}),
        ("close_account", {}),
        ("remove_account_from_organization", {}),
        ("list_delegated_services_for_account", {}),
        ("move_account", {"SourceParentId": "r-ab12", "DestinationParentId": "r-ab12"}),
        ("list_effective_policy_validation_errors", {"PolicyType": "TAG_POLICY"}),
    ],
)
def test_an_account_that_is_no_member(org: Org, operation: str, more: dict[str, str]):
    org.other()
    for account in (OTHER, "999999999999"):
        with refused("AccountNotFoundException", "You specified an account that doesn't exist."):
            getattr(org.client, operation)(AccountId=account, **more)


def test_list_accounts_goes_on_page_by_page(org: Org):
    made = sorted([MANAGEMENT, *(org.account() for _ in range(3))])
    first = org.client.list_accounts(MaxResults=2)
    assert [account["Id"] for account in first["Accounts"]] == made[:2]
    rest = org.client.list_accounts(MaxResults=2, NextToken=first["NextToken"])
    assert [account["Id"] for account in rest["Accounts"]] == made[2:]
    assert "NextToken" not in rest
    with refused("InvalidInputException", reason="INVALID_NEXT_TOKEN"):
        org.client.list_accounts_for_parent(ParentId=org.root, NextToken=first["NextToken"])
    with refused("InvalidInputException", reason="INVALID_NEXT_TOKEN"):
        org.client.list_accounts(NextToken="made up")


def test_move_account(org: Org):
    account, unit = org.account(), org.unit()
    move = {"AccountId": account, "SourceParentId": org.root, "DestinationParentId": unit}
    org.client.move_account(**move)
    assert org.client.list_parents(ChildId=account)["Parents"] == [{"Id": unit, "Type": "ORGANIZATIONAL_UNIT"}]
    assert org.client.describe_account(AccountId=account)["Account"]["Paths"] == [f"{org.id}/{org.root}/{unit}/{account}/"]
    assert [found["Id"] for found in org.client.list_accounts_for_parent(ParentId=unit)["Accounts"]] == [account]
    with refused("SourceParentNotFoundException", "You specified a source parent that doesn't exist."):
        org.client.move_account(**move)
    with refused("DuplicateAccountException", "That account is already present in the specified destination."):
        org.client.move_account(AccountId=account, SourceParentId=unit, DestinationParentId=unit)
    with refused("DestinationParentNotFoundException"):
        org.client.move_account(AccountId=account, SourceParentId=unit, DestinationParentId="ou-ab12-a1b2c3d4")


def test_the_management_account_stays(org: Org):
    with refused("MasterCannotLeaveOrganizationException"):
        org.client.remove_account_from_organization(AccountId=MANAGEMENT)
    with refused("MasterCannotLeaveOrganizationException"):
        org.client.leave_organization()
    with refused("ConstraintViolationException", reason="CANNOT_CLOSE_MANAGEMENT_ACCOUNT"):
        org.client.close_account(AccountId=MANAGEMENT)


def test_an_account_that_the_organization_made_stays_for_seven_days(org: Org):
    account = org.account()
    member = org.of("organizations", org.administrator(account))
    with refused("ConstraintViolationException", reason="WAIT_PERIOD_ACTIVE"):
        member.leave_organization()
    org.age(7)
    member.leave_organization()
    with refused("AWSOrganizationsNotInUseException"):
        member.describe_organization()
    assert org.client.list_targets_for_policy(PolicyId="p-FullAWSAccess")["Targets"] == [
        {
            "TargetId": MANAGEMENT,
            "Arn": f"arn:aws:organizations::{MANAGEMENT}:account/{org.id}/{MANAGEMENT}",
            "Name": "garrison",
            "Type": "ACCOUNT",
        },
        {
            "TargetId": org.root,
            "Arn": f"arn:aws:organizations::{MANAGEMENT}:root/{org.id}/{org.root}",
            "Name": "Root",
            "Type": "ROOT",
        },
    ]


def test_a_delegated_administrator_stays(org: Org):
    account = org.account()
    org.age(8)
    delegate = {"AccountId": account, "ServicePrincipal": "config.amazonaws.com"}
    org.client.enable_aws_service_access(ServicePrincipal="config.amazonaws.com")
    org.client.register_delegated_administrator(**delegate)
    for operation in (org.client.remove_account_from_organization, org.client.close_account):
        with refused("ConstraintViolationException", reason="CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG"):
            operation(AccountId=account)
    org.client.deregister_delegated_administrator(**delegate)
    org.client.remove_account_from_organization(AccountId=account)


def test_nobody_signs_for_a_closed_account(org: Org):
    account = org.account()
    session, user = org.administrator(account), org.user(account, "ann", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    assert org.of("sts", user).get_caller_identity()["Account"] == account
    org.client.close_account(AccountId=account)
    for key in (session, user):
        with refused("InvalidClientTokenId", "The security token included in the request is invalid."):
            org.of("sts", key).get_caller_identity()
    with refused("AccessDenied", "is not authorized to perform: sts:AssumeRole"):
        org.administrator(account)
    found = org.client.describe_account(AccountId=account)["Account"]
    assert (found["Status"], found["State"]) == ("SUSPENDED", "SUSPENDED")
    with refused("AccountAlreadyClosedException", "You attempted to close an account that is already closed."):
        org.client.close_account(AccountId=account)


def test_no_more_than_ten_accounts_are_closed_in_a_month(org: Org):
    made = [org.account() for _ in range(11)]
    for account in made[:10]:
        org.client.close_account(AccountId=account)
    with refused("ConstraintViolationException", reason="CLOSE_ACCOUNT_QUOTA_EXCEEDED"):
        org.client.close_account(AccountId=made[10])
    with org.house.state.store.writing() as tx:
        tx.run("UPDATE account SET closed = closed - ? WHERE id = ?", 100 * 86_400.0, made[0])
    org.house.state.store.commit()
    org.client.close_account(AccountId=made[10])
    assert org.client.describe_account(AccountId=made[0])["Account"]["State"] == "CLOSED"
