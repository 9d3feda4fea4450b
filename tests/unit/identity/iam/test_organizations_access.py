"""The access report of an organization. Expected: IAM API Reference, "GenerateOrganizationsAccessReport" and its counterpart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.organizations import MANAGEMENT, OTHER, Org, document, refused

SCP = "SERVICE_CONTROL_POLICY"


@pytest.fixture
def org() -> Iterator[Org]:
    made = Org()
    yield made
    made.close()


def report(org: Org, path: str, **members: Any) -> Any:
    iam = org.house.client("iam")
    job = iam.generate_organizations_access_report(EntityPath=path, **members)["JobId"]
    org.house.worker.tick()
    return iam.get_organizations_access_report(JobId=job, MaxItems=1000)


def services(found: Any) -> dict[str, Any]:
    return {one["ServiceNamespace"]: one for one in found["AccessDetails"]}


def test_what_accounts_used(org: Org):
    unit = org.unit()
    member = org.account()
    org.client.move_account(AccountId=member, SourceParentId=org.root, DestinationParentId=unit)
    org.of("kms", org.user(member, "ann", {"Effect": "Allow", "Action": "*", "Resource": "*"})).list_keys()
    whole = report(org, f"{org.id}/{org.root}")
    assert whole["JobStatus"] == "COMPLETED"
    found = services(whole)
    assert whole["NumberOfServicesAccessible"] == len(found) > 400
    assert whole["NumberOfServicesNotAccessed"] == sum("LastAuthenticatedTime" not in one for one in found.values())
    assert found["kms"]["ServiceName"] == "AWS Key Management Service"
    assert found["kms"]["EntityPath"] == f"{org.id}/{org.root}/{unit}/{member}"
    assert (found["kms"]["TotalAuthenticatedEntities"], found["kms"]["Region"]) == (1, "eu-central-1")
    assert found["iam"]["TotalAuthenticatedEntities"] == 2, "the management account's own calls count too"
    assert "LastAuthenticatedTime" not in found["dynamodb"]
    for path in (f"{org.id}/{org.root}/{unit}", f"{org.id}/{org.root}/{unit}/{member}"):
        assert services(report(org, path))["iam"]["TotalAuthenticatedEntities"] == 1
    assert "LastAuthenticatedTime" not in services(report(org, f"{org.id}/{org.root}/{MANAGEMENT}"))["kms"]


def test_what_service_control_policies_leave(org: Org):
    unit = org.unit()
    org.bound(unit, {"Effect": "Allow", "Action": ["kms:*", "s3:*"], "Resource": "*"})
    org.client.detach_policy(PolicyId="p-FullAWSAccess", TargetId=unit)
    org.bound(org.root, {"Effect": "Deny", "Action": "s3:*", "Resource": "*"})
    assert set(services(report(org, f"{org.id}/{org.root}/{unit}"))) == {"kms"}
    above = services(report(org, f"{org.id}/{org.root}"))
    assert "s3" not in above
    assert "dynamodb" in above


def test_what_one_policy_leaves(org: Org):
    policy = org.policy(document({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}))
    assert set(services(report(org, f"{org.id}/{org.root}", OrganizationsPolicyId=policy))) == {"kms"}
    assert len(services(report(org, f"{org.id}/{org.root}", OrganizationsPolicyId="p-FullAWSAccess"))) > 400
    gone = report(org, f"{org.id}/{org.root}", OrganizationsPolicyId="p-examplegone")
    assert (gone["JobStatus"], gone["ErrorDetails"]["Code"]) == ("FAILED", "NoSuchEntity")


def test_orders_and_pages(org: Org):
    iam = org.house.client("iam")
    org.house.client("kms").list_keys()
    job = iam.generate_organizations_access_report(EntityPath=f"{org.id}/{org.root}")["JobId"]
    org.house.worker.tick()

    def names(key: str) -> list[str]:
        found: list[str] = []
        more: dict[str, Any] = {}
        while True:
            page = iam.get_organizations_access_report(JobId=job, SortKey=key, MaxItems=300, **more)
            found += [one["ServiceNamespace"] for one in page["AccessDetails"]]
            if not page["IsTruncated"]:
                return found
            more = {"Marker": page["Marker"]}

    ascending = names("SERVICE_NAMESPACE_ASCENDING")
    assert ascending == sorted(set(ascending))
    assert names("SERVICE_NAMESPACE_DESCENDING") == ascending[::-1]
    by_time = names("LAST_AUTHENTICATED_TIME_DESCENDING")
    assert {"iam", "kms", "organizations"} <= set(by_time[:5])
    assert names("LAST_AUTHENTICATED_TIME_ASCENDING") == by_time[::-1]


def test_without_service_control_policies(org: Org):
    org.client.disable_policy_type(RootId=org.root, PolicyType=SCP)
    found = report(org, f"{org.id}/{org.root}")
    assert (found["JobStatus"], found["ErrorDetails"]["Code"]) == ("FAILED", "PolicyTypeNotEnabled")


def test_only_the_management_account(org: Org):
    """A member's administrator learns nothing of the others, and an account in no organization has nothing to learn."""
    member = org.account()
    outside = org.other(OTHER)
    for key in (org.administrator(member), outside):
        with refused("AccessDenied", "only the management account of an organization may"):
            org.of("iam", key).generate_organizations_access_report(EntityPath=f"{org.id}/{org.root}")
    job = org.house.client("iam").generate_organizations_access_report(EntityPath=f"{org.id}/{org.root}")["JobId"]
    with refused("NoSuchEntity"):
        org.of("iam", org.administrator(member)).get_organizations_access_report(JobId=job)


def test_the_report_is_authorized_on_its_path(org: Org):
    path = f"{org.id}/{org.root}"
    arn = f"arn:aws:iam::{MANAGEMENT}:access-report/{path}"
    statement = {"Effect": "Allow", "Action": "iam:GenerateOrganizationsAccessReport", "Resource": arn}
    key = org.user(
        MANAGEMENT, "auditor", {**statement, "Condition": {"StringEquals": {"iam:OrganizationsPolicyId": "p-FullAWSAccess"}}}
    )
    iam = org.of("iam", key)
    assert iam.generate_organizations_access_report(EntityPath=path, OrganizationsPolicyId="p-FullAWSAccess")["JobId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.generate_organizations_access_report(EntityPath=path)


@pytest.mark.parametrize(
    "path",
    [
        "o-aaaaaaaaaa/{root}",
        "{id}/r-zzzz",
        "{id}/{root}/ou-zzzz-aaaaaaaa",
        "{id}/{root}/{unit}/999999999999",
        "{id}/{root}/{member}/{unit}",
        "{id}/{root}/{unit}/{member}",
        "{id}/{root}/{unit}/{unit}",
        "{id}/{root}/",
    ],
)
def test_paths_that_are_not_there(org: Org, path: str):
    unit, member = org.unit(), org.account()
    filled = path.format(id=org.id, root=org.root, unit=unit, member=member)
    if path == "{id}/{root}/":
        assert report(org, filled)["JobStatus"] == "COMPLETED", "a slash at the end changes nothing"
        return
    with refused("ValidationError", "is not valid"):
        org.house.client("iam").generate_organizations_access_report(EntityPath=filled)
