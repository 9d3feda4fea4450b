"""The tutorial of AWS's guide, "Creating and configuring an organization", typed into the unmodified AWS CLI 2.

An account is invited and one is made, both are put into units, one policy keeps the trail as it is and another lets only approved
services through.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.anyclient import Answer, AnyClient
from tests.support.server import AccessKey, Server

PARTNER = "333344445555"
BLOCK_TRAIL = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "BlockTrail",
            "Effect": "Deny",
            "Action": ["cloudtrail:AddTags", "cloudtrail:CreateTrail", "cloudtrail:StopLogging", "cloudtrail:LookupEvents"],
            "Resource": ["*"],
        }
    ],
}
APPROVED = {
    "Version": "2012-10-17",
    "Statement": [
        {"Sid": "Approved", "Effect": "Allow", "Action": ["ec2:*", "kms:*", "sts:*", "cloudtrail:*"], "Resource": ["*"]}
    ],
}


class Tutorial:
    """The management account's shell, and those of the members."""

    def __init__(self, client: AnyClient) -> None:
        self.client = client

    def __call__(self, operation: str, who: str = "garrison", **members: Any) -> Answer:
        answer = self.client(who, "organizations", operation, **members)
        answer.done()
        return answer

    def member(self, account: str) -> None:
        """Become the administrator of a member through the role that it came with."""
        arn = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
        made = self.client("garrison", "sts", "AssumeRole", RoleArn=arn, RoleSessionName="tutorial")["Credentials"]
        self.client.identity(account, AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]))

    def policy(self, name: str, document: Any) -> str:
        made = self("CreatePolicy", Name=name, Description=name, Type="SERVICE_CONTROL_POLICY", Content=json.dumps(document))
        return str(made["Policy"]["PolicySummary"]["Id"])


@pytest.fixture
def tutorial(fresh_server: Server, tmp_path: Path) -> Tutorial:
    return Tutorial(AnyClient("cli-2", fresh_server, tmp_path / "home"))


def test_the_tutorial(tutorial: Tutorial, fresh_server: Server):
    client = tutorial.client
    made = json.loads(
        fresh_server.garrison("account", "create", "partner", "--id", PARTNER, "--email", "partner@example.com").stdout
    )
    client.identity("partner", AccessKey(made["admin"]["access_key_id"], made["admin"]["secret_access_key"]))

    # Step 1: create the organization, invite an account, make another.
    organization = tutorial("CreateOrganization", FeatureSet="ALL")["Organization"]["Id"]
    invitation = tutorial("InviteAccountToOrganization", Target={"Id": "partner@example.com", "Type": "EMAIL"})
    tutorial("AcceptHandshake", "partner", HandshakeId=invitation["Handshake"]["Id"])
    request = tutorial("CreateAccount", Email="app@example.com", AccountName="MainApp")["CreateAccountStatus"]["Id"]
    status = tutorial("DescribeCreateAccountStatus", CreateAccountRequestId=request)["CreateAccountStatus"]
    assert status["State"] == "SUCCEEDED"
    app = status["AccountId"]
    names = {found["Id"]: found["Name"] for found in tutorial("ListAccounts")["Accounts"]}
    assert names == {fresh_server.account_id: "garrison", PARTNER: "partner", app: "MainApp"}

    # Step 2: create the units, and put the accounts into them.
    root = tutorial("ListRoots")["Roots"][0]["Id"]
    production = tutorial("CreateOrganizationalUnit", ParentId=root, Name="Production")["OrganizationalUnit"]["Id"]
    main = tutorial("CreateOrganizationalUnit", ParentId=production, Name="MainApp")["OrganizationalUnit"]["Id"]
    tutorial("MoveAccount", AccountId=PARTNER, SourceParentId=root, DestinationParentId=production)
    tutorial("MoveAccount", AccountId=app, SourceParentId=root, DestinationParentId=main)
    found = tutorial("DescribeAccount", AccountId=app)["Account"]
    assert found["Paths"] == [f"{organization}/{root}/{production}/{main}/{app}/"]

    # Step 3: create the policies and attach them.
    block, approved = tutorial.policy("Block CloudTrail", BLOCK_TRAIL), tutorial.policy("Approved services", APPROVED)
    tutorial("AttachPolicy", PolicyId=block, TargetId=production)
    tutorial("AttachPolicy", PolicyId=approved, TargetId=main)
    tutorial("DetachPolicy", PolicyId="p-FullAWSAccess", TargetId=main)

    # Step 4: test them.
    tutorial.member(app)
    for who in ("partner", app):
        refused = client(who, "cloudtrail", "LookupEvents")
        assert refused.code == "AccessDeniedException"
        assert (
            f"with an explicit deny in a service control policy: arn:aws:organizations::{fresh_server.account_id}"
            in refused.message
        )
        client(who, "kms", "ListKeys").done()
    client("partner", "iam", "ListUsers").done()
    refused = client(app, "iam", "ListUsers")
    assert (refused.code, refused.message.rpartition(" because ")[2]) == (
        "AccessDenied",
        "no service control policy allows the iam:ListUsers action",
    )
    client("garrison", "cloudtrail", "LookupEvents", MaxResults=1).done()
    tutorial("DetachPolicy", PolicyId=block, TargetId=production)
    client("partner", "cloudtrail", "LookupEvents", MaxResults=1).done()


def test_what_is_in_force_outlives_a_restart(tutorial: Tutorial, fresh_server: Server):
    tutorial("CreateOrganization")
    request = tutorial("CreateAccount", Email="app@example.com", AccountName="app")["CreateAccountStatus"]["Id"]
    app = tutorial("DescribeCreateAccountStatus", CreateAccountRequestId=request)["CreateAccountStatus"]["AccountId"]
    tutorial("AttachPolicy", PolicyId=tutorial.policy("Block", BLOCK_TRAIL), TargetId=app)
    fresh_server.kill()
    fresh_server.start()
    tutorial.member(app)
    assert tutorial.client(app, "cloudtrail", "LookupEvents").code == "AccessDeniedException"
    tutorial("CloseAccount", AccountId=app)
    assert tutorial.client(app, "kms", "ListKeys").code == "UnrecognizedClientException"
