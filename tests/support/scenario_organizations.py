"""The steps of the scenario that are Organizations': one valid call of each of its operations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.support.house import ACCOUNT

if TYPE_CHECKING:
    from tests.support.scenario import Answers, Step, Wanted

TAGS = {"team": "blue"}
TAG_LIST = [{"Key": "team", "Value": "blue"}]
DENY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "ec2:*", "Resource": "*"}]})
TAG_POLICY = json.dumps({"tags": {"team": {"tag_key": {"@@assign": "team"}, "tag_value": {"@@assign": ["blue"]}}}})
SERVICE = "config.amazonaws.com"


def steps(answers: Answers) -> Iterator[Step]:
    """Make an organization, use it, join another one, and leave nothing behind."""
    yield from _tree(answers)
    yield from _policies(answers)
    yield from _administration(answers)
    yield from _root_access(answers)
    yield from _access_report(answers)
    yield from _invitations(answers)
    yield from _transfers(answers)
    yield from _ends(answers)
    yield from _joining(answers)


def _step(operation: str, item: Wanted | None = None, fails: str = "", **members: Any) -> Step:
    from tests.support.scenario import Step  # noqa: PLC0415 - the scenario imports its parts

    return Step("organizations", operation, members, item, fails)


def _wanted(kind: str, arn: str, *, tags: dict[str, str] | None = None, deleted: bool = False) -> Wanted:
    from tests.support.scenario import Wanted  # noqa: PLC0415 - as above

    vendor = "Garrison" if kind in {"Handshake", "ResponsibilityTransfer"} else "AWS"
    return Wanted(f"{vendor}::Organizations::{kind}", arn, "global", tags or {}, deleted)


class Made:
    """What the steps have made so far, as their answers tell."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers

    @property
    def organization(self) -> str:
        return str(self.answers["CreateOrganization"]["Organization"]["Id"])

    @property
    def root(self) -> str:
        return str(self.answers["ListRoots"]["Roots"][0]["Id"])

    @property
    def unit(self) -> str:
        return str(self.answers["CreateOrganizationalUnit"]["OrganizationalUnit"]["Id"])

    @property
    def policy(self) -> str:
        return str(self.answers["CreatePolicy"]["Policy"]["PolicySummary"]["Id"])

    @property
    def account(self) -> str:
        return str(self.answers["DescribeCreateAccountStatus"]["CreateAccountStatus"]["AccountId"])

    def arn(self, kind: str, *rest: str) -> str:
        return f"arn:aws:organizations::{ACCOUNT}:{'/'.join((kind, self.organization, *rest))}"


def _tree(answers: Answers) -> Iterator[Step]:
    made = Made(answers)
    yield _step("CreateOrganization", _wanted("Organization", ""), FeatureSet="CONSOLIDATED_BILLING")
    yield _step("DescribeOrganization")
    yield _step("EnableAllFeatures", _wanted("Handshake", ""))
    found = answers["EnableAllFeatures"]["Handshake"]
    yield _step("AcceptHandshake", _wanted("Handshake", found["Arn"]), HandshakeId=found["Id"])
    yield _step("ListRoots")
    yield _step(
        "CreateOrganizationalUnit", _wanted("OrganizationalUnit", "", tags=TAGS), ParentId=made.root, Name="one", Tags=TAG_LIST
    )
    unit = _wanted("OrganizationalUnit", made.arn("ou", made.unit), tags=TAGS)
    yield _step("DescribeOrganizationalUnit", OrganizationalUnitId=made.unit)
    yield _step("UpdateOrganizationalUnit", unit, OrganizationalUnitId=made.unit, Name="two")
    yield _step("ListOrganizationalUnitsForParent", ParentId=made.root)
    yield _step("CreateAccount", _wanted("Account", "", tags=TAGS), Email="a@example.com", AccountName="a", Tags=TAG_LIST)
    gov: dict[str, Any] = {"Email": "g@example.com", "AccountName": "g"}
    yield _step("CreateGovCloudAccount", fails="ConstraintViolationException", **gov)
    request = answers["CreateAccount"]["CreateAccountStatus"]["Id"]
    yield _step("DescribeCreateAccountStatus", CreateAccountRequestId=request)
    yield _step("ListCreateAccountStatus", States=["SUCCEEDED"])
    yield _step("DescribeAccount", AccountId=made.account)
    yield _step("ListAccounts")
    account = _wanted("Account", made.arn("account", made.account), tags=TAGS)
    moved = {"SourceParentId": made.root, "DestinationParentId": made.unit}
    yield _step("MoveAccount", account, AccountId=made.account, **moved)
    yield _step("ListAccountsForParent", ParentId=made.unit)
    yield _step("ListChildren", ParentId=made.unit, ChildType="ACCOUNT")
    yield _step("ListParents", ChildId=made.account)
    more = _wanted("Account", account.arn, tags={**TAGS, "more": "x"})
    yield _step("TagResource", more, ResourceId=made.account, Tags=[{"Key": "more", "Value": "x"}])
    yield _step("ListTagsForResource", ResourceId=made.account)
    yield _step("UntagResource", account, ResourceId=made.account, TagKeys=["more"])


def _policies(answers: Answers) -> Iterator[Step]:
    made = Made(answers)
    whole = _wanted("Organization", made.arn("organization"))
    new: dict[str, Any] = {"Name": "p", "Description": "", "Tags": TAG_LIST}
    yield _step("EnablePolicyType", whole, RootId=made.root, PolicyType="TAG_POLICY")
    yield _step("CreatePolicy", _wanted("Policy", "", tags=TAGS), Content=TAG_POLICY, Type="TAG_POLICY", **new)
    policy = _wanted("Policy", answers["CreatePolicy"]["Policy"]["PolicySummary"]["Arn"], tags=TAGS)
    yield _step("AttachPolicy", policy, PolicyId=made.policy, TargetId=made.unit)
    target: dict[str, Any] = {"PolicyType": "TAG_POLICY", "TargetId": made.account}
    yield _step("DescribeEffectivePolicy", **target)
    yield _step("ListAccountsWithInvalidEffectivePolicy", PolicyType="TAG_POLICY")
    yield _step("ListEffectivePolicyValidationErrors", PolicyType="TAG_POLICY", AccountId=made.account)
    yield _step("DescribePolicy", PolicyId=made.policy)
    yield _step("UpdatePolicy", policy, PolicyId=made.policy, Description="for the test")
    yield _step("ListPolicies", Filter="TAG_POLICY")
    yield _step("ListPoliciesForTarget", Filter="TAG_POLICY", TargetId=made.unit)
    yield _step("ListTargetsForPolicy", PolicyId=made.policy)
    yield _step("DetachPolicy", policy, PolicyId=made.policy, TargetId=made.unit)
    yield _step("DeletePolicy", _wanted("Policy", policy.arn, deleted=True), PolicyId=made.policy)
    yield _step("DisablePolicyType", whole, RootId=made.root, PolicyType="TAG_POLICY")


def _administration(answers: Answers) -> Iterator[Step]:
    made = Made(answers)
    whole = _wanted("Organization", made.arn("organization"))
    yield _step("EnableAWSServiceAccess", whole, ServicePrincipal=SERVICE)
    yield _step("ListAWSServiceAccessForOrganization")
    delegate = {"AccountId": made.account, "ServicePrincipal": SERVICE}
    yield _step("RegisterDelegatedAdministrator", whole, **delegate)
    yield _step("ListDelegatedAdministrators")
    yield _step("ListDelegatedServicesForAccount", AccountId=made.account)
    yield _step("DeregisterDelegatedAdministrator", whole, **delegate)
    yield _step("DisableAWSServiceAccess", whole, ServicePrincipal=SERVICE)
    statement = {"Effect": "Allow", "Principal": {"AWS": made.account}, "Action": "organizations:ListRoots", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    yield _step("PutResourcePolicy", _wanted("ResourcePolicy", "", tags=TAGS), Content=text, Tags=TAG_LIST)
    yield _step("DescribeResourcePolicy")
    arn = answers["DescribeResourcePolicy"]["ResourcePolicy"]["ResourcePolicySummary"]["Arn"]
    yield _step("DeleteResourcePolicy", _wanted("ResourcePolicy", arn, deleted=True))


def _root_access(answers: Answers) -> Iterator[Step]:
    """IAM's and STS's share: central management of members' root users."""
    from tests.support.scenario import Wanted, iam, sts  # noqa: PLC0415 - the scenario imports its parts

    made = Made(answers)
    item = Wanted("Garrison::IAM::RootAccess", made.arn("organization"))
    yield _step("EnableAWSServiceAccess", _wanted("Organization", made.arn("organization")), ServicePrincipal="iam.amazonaws.com")
    yield iam("EnableOrganizationsRootCredentialsManagement", item)
    yield iam("EnableOrganizationsRootSessions", item)
    yield iam("ListOrganizationsFeatures")
    task = {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}
    yield sts("AssumeRoot", TargetPrincipal=made.account, TaskPolicyArn=task)
    yield iam("DisableOrganizationsRootCredentialsManagement", item)
    yield iam("DisableOrganizationsRootSessions", item)


def _access_report(answers: Answers) -> Iterator[Step]:
    """IAM's report on what the accounts of the organization use."""
    from tests.support.scenario import iam  # noqa: PLC0415 - the scenario imports its parts

    made = Made(answers)
    yield iam("GenerateOrganizationsAccessReport", EntityPath=f"{made.organization}/{made.root}")
    answers["tick"]()
    yield iam("GetOrganizationsAccessReport", JobId=answers["GenerateOrganizationsAccessReport"]["JobId"])


def _invitations(answers: Answers) -> Iterator[Step]:
    party = {"Id": "someone@example.com", "Type": "EMAIL"}
    yield _step("InviteAccountToOrganization", _wanted("Handshake", ""), Target=party)
    found = answers["InviteAccountToOrganization"]["Handshake"]
    yield _step("DescribeHandshake", HandshakeId=found["Id"])
    yield _step("ListHandshakesForOrganization")
    yield _step("CancelHandshake", _wanted("Handshake", found["Arn"]), HandshakeId=found["Id"])


def _transfers(answers: Answers) -> Iterator[Step]:
    answers["another account"].create_organization()
    now = datetime.now(UTC)
    start = now.replace(year=now.year + 1, month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
    asked: dict[str, Any] = {"Type": "BILLING", "Target": {"Id": "222233334444", "Type": "ACCOUNT"}, "SourceName": "bills"}
    item = _wanted("ResponsibilityTransfer", "", tags=TAGS)
    yield _step("InviteOrganizationToTransferResponsibility", item, StartTimestamp=start, Tags=TAG_LIST, **asked)
    handshake = answers["InviteOrganizationToTransferResponsibility"]["Handshake"]["Id"]
    answers["another account"].accept_handshake(HandshakeId=handshake)
    yield _step("ListInboundResponsibilityTransfers", Type="BILLING")
    yield _step("ListOutboundResponsibilityTransfers", Type="BILLING")
    found = answers["ListInboundResponsibilityTransfers"]["ResponsibilityTransfers"][0]
    item = _wanted("ResponsibilityTransfer", found["Arn"], tags=TAGS)
    yield _step("DescribeResponsibilityTransfer", Id=found["Id"])
    yield _step("UpdateResponsibilityTransfer", item, Id=found["Id"], Name="all bills")
    yield _step("TerminateResponsibilityTransfer", item, Id=found["Id"])


def _ends(answers: Answers) -> Iterator[Step]:
    made = Made(answers)
    back = {"SourceParentId": made.unit, "DestinationParentId": made.root}
    account = _wanted("Account", made.arn("account", made.account), tags=TAGS)
    yield _step("MoveAccount", account, AccountId=made.account, **back)
    unit = _wanted("OrganizationalUnit", made.arn("ou", made.unit), deleted=True)
    yield _step("DeleteOrganizationalUnit", unit, OrganizationalUnitId=made.unit)
    yield _step("CloseAccount", account, AccountId=made.account)
    answers["later"](8)
    gone = _wanted("Account", account.arn, deleted=True)
    yield _step("RemoveAccountFromOrganization", gone, AccountId=made.account)
    yield _step("DeleteOrganization", _wanted("Organization", made.arn("organization"), deleted=True))


def _joining(answers: Answers) -> Iterator[Step]:
    """The account joins the other one's organization, leaves it, and will not come back."""
    other = answers["another account"]
    party = {"Id": ACCOUNT, "Type": "ACCOUNT"}
    found = other.invite_account_to_organization(Target=party)["Handshake"]
    yield _step("AcceptHandshake", _wanted("Handshake", found["Arn"]), HandshakeId=found["Id"])
    organization = other.describe_organization()["Organization"]["Id"]
    arn = f"arn:aws:organizations::222233334444:account/{organization}/{ACCOUNT}"
    yield _step("LeaveOrganization", _wanted("Account", arn, deleted=True))
    found = other.invite_account_to_organization(Target=party)["Handshake"]
    yield _step("ListHandshakesForAccount")
    yield _step("DeclineHandshake", _wanted("Handshake", found["Arn"]), HandshakeId=found["Id"])
