"""Units, roots, and the tree. Limits: User Guide, "Quotas for AWS Organizations"."""

from __future__ import annotations

import pytest

from garrison.identity.organizations import units
from tests.support.organizations import MANAGEMENT, Org, refused


def test_create_organizational_unit_and_describe_organizational_unit(org: Org):
    tags = [{"Key": "team", "Value": "blue"}]
    made = org.client.create_organizational_unit(ParentId=org.root, Name="Security", Tags=tags)["OrganizationalUnit"]
    assert made["Id"].startswith(f"ou-{org.root.removeprefix('r-')}-")
    assert made["Arn"] == f"arn:aws:organizations::{MANAGEMENT}:ou/{org.id}/{made['Id']}"
    assert (made["Name"], made["Path"]) == ("Security", f"{org.id}/{org.root}/{made['Id']}/")
    assert org.client.describe_organizational_unit(OrganizationalUnitId=made["Id"])["OrganizationalUnit"] == made
    assert org.client.list_tags_for_resource(ResourceId=made["Id"])["Tags"] == tags
    attached = org.client.list_policies_for_target(TargetId=made["Id"], Filter="SERVICE_CONTROL_POLICY")["Policies"]
    assert [policy["Name"] for policy in attached] == ["FullAWSAccess"]


def test_names_are_unique_under_one_parent(org: Org):
    first, second = org.unit("one"), org.unit("two")
    message = "An OU with the same name already exists."
    with refused("DuplicateOrganizationalUnitException", message):
        org.unit("one")
    with refused("DuplicateOrganizationalUnitException", message):
        org.client.update_organizational_unit(OrganizationalUnitId=second, Name="one")
    org.unit("one", first)
    org.client.update_organizational_unit(OrganizationalUnitId=second, Name="two")


def test_update_organizational_unit(org: Org):
    unit = org.unit("one")
    renamed = org.client.update_organizational_unit(OrganizationalUnitId=unit, Name="two")["OrganizationalUnit"]
    assert (renamed["Id"], renamed["Name"]) == (unit, "two")
    assert org.client.update_organizational_unit(OrganizationalUnitId=unit)["OrganizationalUnit"]["Name"] == "two"
    (listed,) = org.client.list_organizational_units_for_parent(ParentId=org.root)["OrganizationalUnits"]
    assert listed == renamed


def test_five_levels_below_the_root(org: Org):
    parent = org.root
    for _ in range(5):
        parent = org.unit("deeper", parent)
    with refused("ConstraintViolationException", "too many levels deep", reason="OU_DEPTH_LIMIT_EXCEEDED"):
        org.unit("deeper", parent)


def test_so_many_units(org: Org, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(units, "UNITS", 2)
    org.unit("one"), org.unit("two")
    with refused("ConstraintViolationException", reason="OU_NUMBER_LIMIT_EXCEEDED"):
        org.unit("three")


def test_delete_organizational_unit_that_is_empty(org: Org):
    unit = org.unit("one")
    inner = org.unit("two", unit)
    account = org.account()
    with refused("OrganizationalUnitNotEmptyException"):
        org.client.delete_organizational_unit(OrganizationalUnitId=unit)
    org.client.move_account(AccountId=account, SourceParentId=org.root, DestinationParentId=inner)
    with refused("OrganizationalUnitNotEmptyException"):
        org.client.delete_organizational_unit(OrganizationalUnitId=inner)
    org.client.move_account(AccountId=account, SourceParentId=inner, DestinationParentId=org.root)
    org.client.delete_organizational_unit(OrganizationalUnitId=inner)
    org.client.delete_organizational_unit(OrganizationalUnitId=unit)
    assert org.client.list_children(ParentId=org.root, ChildType="ORGANIZATIONAL_UNIT")["Children"] == []
    targets = org.client.list_targets_for_policy(PolicyId="p-FullAWSAccess")["Targets"]
    assert {target["TargetId"] for target in targets} == {org.root, account, MANAGEMENT}


@pytest.mark.parametrize(
    "operation", ["describe_organizational_unit", "update_organizational_unit", "delete_organizational_unit"]
)
def test_a_unit_that_is_not_there(org: Org, operation: str):
    with refused("OrganizationalUnitNotFoundException", "You specified an organizational unit that doesn't exist."):
        getattr(org.client, operation)(OrganizationalUnitId="ou-ab12-a1b2c3d4")


def test_a_parent_that_is_not_there(org: Org):
    for parent in ("ou-ab12-a1b2c3d4", "r-zzzz"):
        with refused("ParentNotFoundException"):
            org.unit("one", parent)
        with refused("ParentNotFoundException"):
            org.client.list_children(ParentId=parent, ChildType="ACCOUNT")
        with refused("ParentNotFoundException"):
            org.client.list_accounts_for_parent(ParentId=parent)
        with refused("ParentNotFoundException"):
            org.client.list_organizational_units_for_parent(ParentId=parent)
    with refused("ChildNotFoundException", "You specified a child that doesn't exist."):
        org.client.list_parents(ChildId="ou-ab12-a1b2c3d4")


def test_list_children_and_list_parents(org: Org):
    made = sorted(org.unit(f"unit {number}") for number in range(3))
    first = org.client.list_children(ParentId=org.root, ChildType="ORGANIZATIONAL_UNIT", MaxResults=2)
    assert first["Children"] == [{"Id": unit, "Type": "ORGANIZATIONAL_UNIT"} for unit in made[:2]]
    rest = org.client.list_children(ParentId=org.root, ChildType="ORGANIZATIONAL_UNIT", NextToken=first["NextToken"])
    assert [child["Id"] for child in rest["Children"]] == made[2:]
    with refused("InvalidInputException", reason="INVALID_NEXT_TOKEN"):
        org.client.list_children(ParentId=org.root, ChildType="ACCOUNT", NextToken=first["NextToken"])
    accounts = org.client.list_children(ParentId=org.root, ChildType="ACCOUNT")["Children"]
    assert accounts == [{"Id": MANAGEMENT, "Type": "ACCOUNT"}]
    assert org.client.list_parents(ChildId=made[0])["Parents"] == [{"Id": org.root, "Type": "ROOT"}]


def test_another_organizations_tree_is_out_of_reach(org: Org):
    key = org.other()
    theirs = org.of("organizations", key)
    theirs.create_organization()
    unit = org.unit("ours")
    with refused("OrganizationalUnitNotFoundException"):
        theirs.describe_organizational_unit(OrganizationalUnitId=unit)
    with refused("ParentNotFoundException"):
        theirs.list_children(ParentId=org.root, ChildType="ACCOUNT")
    with refused("OrganizationalUnitNotFoundException"):
        theirs.delete_organizational_unit(OrganizationalUnitId=unit)
    with refused("TargetNotFoundException"):
        theirs.tag_resource(ResourceId=unit, Tags=[{"Key": "a", "Value": "b"}])
