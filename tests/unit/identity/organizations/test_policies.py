"""Policies and their attachments. Texts: AWS Organizations API Reference, and answers that clients recorded."""

from __future__ import annotations

import json

import pytest

from garrison.identity.organizations.content import TYPES, Kind
from tests.support.organizations import ALLOW_ALL, MANAGEMENT, Org, document, refused

SCP = "SERVICE_CONTROL_POLICY"
RCP = "RESOURCE_CONTROL_POLICY"
DENY = document({"Effect": "Deny", "Action": "ec2:*", "Resource": "*"})
TAGS = json.dumps({"tags": {"team": {"tag_key": {"@@assign": "team"}}}})
NOT_FOUND = "You specified a policy that doesn't exist."


def test_create_policy_and_describe_policy(org: Org):
    tags = [{"Key": "team", "Value": "blue"}]
    made = org.client.create_policy(Content=DENY, Description="no machines", Name="deny", Type=SCP, Tags=tags)["Policy"]
    summary = made["PolicySummary"]
    arn = f"arn:aws:organizations::{MANAGEMENT}:policy/{org.id}/service_control_policy/{summary['Id']}"
    wanted = {"Arn": arn, "Name": "deny", "Description": "no machines", "Type": SCP, "AwsManaged": False, "Id": summary["Id"]}
    assert summary == wanted
    assert made["Content"] == DENY
    assert org.client.describe_policy(PolicyId=summary["Id"])["Policy"] == made
    assert org.client.list_tags_for_resource(ResourceId=summary["Id"])["Tags"] == tags


def test_the_policies_of_aws(org: Org):
    """Service control policies: User Guide, "SCP syntax"; the one for resources: "RCP syntax"."""
    (listed,) = org.client.list_policies(Filter=SCP)["Policies"]
    assert listed == {
        "Id": "p-FullAWSAccess",
        "Arn": "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess",
        "Name": "FullAWSAccess",
        "Description": "Allows access to every operation",
        "Type": SCP,
        "AwsManaged": True,
    }
    found = org.client.describe_policy(PolicyId="p-FullAWSAccess")["Policy"]
    assert json.loads(found["Content"]) == {"Version": "2012-10-17", "Statement": [ALLOW_ALL]}
    found = org.client.describe_policy(PolicyId="p-RCPFullAWSAccess")["Policy"]
    assert found["PolicySummary"]["Arn"] == "arn:aws:organizations::aws:policy/resource_control_policy/p-RCPFullAWSAccess"
    assert json.loads(found["Content"])["Statement"] == [{**ALLOW_ALL, "Principal": "*"}]
    for call in (org.client.update_policy, org.client.delete_policy):
        with refused("InvalidInputException", reason="IMMUTABLE_POLICY"):
            call(PolicyId="p-FullAWSAccess")
    with refused("TargetNotFoundException"):
        org.client.tag_resource(ResourceId="p-FullAWSAccess", Tags=[{"Key": "a", "Value": "b"}])


def test_names_are_unique_among_policies_of_a_type(org: Org):
    first = org.policy(DENY, name="one")
    second = org.policy(DENY, name="two")
    with refused("DuplicatePolicyException", "A policy with the same name already exists."):
        org.policy(DENY, name="one")
    with refused("DuplicatePolicyException"):
        org.client.update_policy(PolicyId=second, Name="one")
    org.policy(TAGS, "TAG_POLICY", name="one")
    org.client.update_policy(PolicyId=first, Name="one")


def test_update_policy(org: Org):
    policy = org.policy(DENY, name="one")
    changed = org.client.update_policy(PolicyId=policy, Name="two", Description="other")["Policy"]
    assert (changed["PolicySummary"]["Name"], changed["PolicySummary"]["Description"]) == ("two", "other")
    assert changed["Content"] == DENY
    text = document(ALLOW_ALL)
    assert org.client.update_policy(PolicyId=policy, Content=text)["Policy"]["Content"] == text
    with refused("MalformedPolicyDocumentException", "does not meet the requirements of the specified policy type"):
        org.client.update_policy(PolicyId=policy, Content="{}")
    with refused("ConstraintViolationException", reason="POLICY_CONTENT_LIMIT_EXCEEDED"):
        org.client.update_policy(PolicyId=policy, Content=text + " " * 5120)
    assert org.client.describe_policy(PolicyId=policy)["Policy"]["Content"] == text


def test_delete_policy_that_is_attached_to_nothing(org: Org):
    policy = org.policy(DENY)
    org.client.attach_policy(PolicyId=policy, TargetId=org.root)
    with refused("PolicyInUseException"):
        org.client.delete_policy(PolicyId=policy)
    org.client.detach_policy(PolicyId=policy, TargetId=org.root)
    org.client.delete_policy(PolicyId=policy)
    with refused("PolicyNotFoundException", NOT_FOUND):
        org.client.describe_policy(PolicyId=policy)


@pytest.mark.parametrize("operation", ["describe_policy", "update_policy", "delete_policy", "list_targets_for_policy"])
def test_a_policy_that_is_not_there(org: Org, operation: str):
    with refused("PolicyNotFoundException", NOT_FOUND):
        getattr(org.client, operation)(PolicyId="p-a1b2c3d4")
    for call in (org.client.attach_policy, org.client.detach_policy):
        with refused("PolicyNotFoundException", NOT_FOUND):
            call(PolicyId="p-a1b2c3d4", TargetId=org.root)


def test_another_organizations_policies_are_out_of_reach(org: Org):
    theirs = org.of("organizations", org.other())
    theirs.create_organization()
    policy = org.policy(DENY)
    for call in (theirs.describe_policy, theirs.update_policy, theirs.delete_policy):
        with refused("PolicyNotFoundException", NOT_FOUND):
            call(PolicyId=policy)
    root = theirs.list_roots()["Roots"][0]["Id"]
    with refused("PolicyNotFoundException", NOT_FOUND):
        theirs.attach_policy(PolicyId=policy, TargetId=root)
    with refused("TargetNotFoundException", "You specified a target that doesn't exist."):
        org.client.attach_policy(PolicyId=policy, TargetId=root)


def test_attach_policy_and_detach_policy(org: Org):
    policy, unit = org.policy(DENY, name="deny"), org.unit("one")
    for target in (org.root, unit, MANAGEMENT):
        org.client.attach_policy(PolicyId=policy, TargetId=target)
    with refused("DuplicatePolicyAttachmentException"):
        org.client.attach_policy(PolicyId=policy, TargetId=unit)
    targets = org.client.list_targets_for_policy(PolicyId=policy)["Targets"]
    assert [(target["TargetId"], target["Name"], target["Type"]) for target in targets] == [
        (MANAGEMENT, "garrison", "ACCOUNT"),
        (unit, "one", "ORGANIZATIONAL_UNIT"),
        (org.root, "Root", "ROOT"),
    ]
    first = org.client.list_targets_for_policy(PolicyId=policy, MaxResults=2)
    rest = org.client.list_targets_for_policy(PolicyId=policy, NextToken=first["NextToken"])
    assert [*first["Targets"], *rest["Targets"]] == targets
    listed = org.client.list_policies_for_target(TargetId=unit, Filter=SCP)["Policies"]
    assert {found["Id"] for found in listed} == {policy, "p-FullAWSAccess"}
    org.client.detach_policy(PolicyId=policy, TargetId=unit)
    with refused("PolicyNotAttachedException", "The policy isn't attached to the specified target in the specified root."):
        org.client.detach_policy(PolicyId=policy, TargetId=unit)


@pytest.mark.parametrize("target", ["ou-ab12-a1b2c3d4", "r-zzzz", "999999999999"])
def test_a_target_that_is_not_there(org: Org, target: str):
    policy = org.policy(DENY)
    for call in (org.client.attach_policy, org.client.detach_policy):
        with refused("TargetNotFoundException", "You specified a target that doesn't exist."):
            call(PolicyId=policy, TargetId=target)
    with refused("TargetNotFoundException"):
        org.client.list_policies_for_target(TargetId=target, Filter=SCP)
    with refused("TargetNotFoundException"):
        org.client.tag_resource(ResourceId=target, Tags=[{"Key": "a", "Value": "b"}])


def test_one_service_control_policy_stays(org: Org):
    unit = org.unit()
    message = (
        "You cannot remove the last policy attached to the specified target. You must have at least one attached at all times."
    )
    with refused("ConstraintViolationException", message, "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"):
        org.client.detach_policy(PolicyId="p-FullAWSAccess", TargetId=unit)
    org.bound(unit, ALLOW_ALL)
    org.client.detach_policy(PolicyId="p-FullAWSAccess", TargetId=unit)


def test_so_many_on_one_target(org: Org):
    unit = org.unit()
    for _ in range(4):
        org.bound(unit, ALLOW_ALL)
    message = "You have attached the maximum number of policies to the specified target."
    with refused("ConstraintViolationException", message, "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"):
        org.bound(unit, ALLOW_ALL)


def test_so_many_of_a_type(org: Org, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(TYPES, SCP, Kind(5120, 5, 1))
    org.policy(DENY)
    with refused("ConstraintViolationException", reason="POLICY_NUMBER_LIMIT_EXCEEDED"):
        org.policy(DENY)


def test_enable_policy_type_and_disable_policy_type(org: Org):
    policy = org.policy(TAGS, "TAG_POLICY")
    with refused("PolicyTypeNotEnabledException", "This operation can be performed only for enabled policy types."):
        org.client.attach_policy(PolicyId=policy, TargetId=org.root)
    with refused("PolicyTypeNotEnabledException"):
        org.client.disable_policy_type(RootId=org.root, PolicyType="TAG_POLICY")
    root = org.client.enable_policy_type(RootId=org.root, PolicyType="TAG_POLICY")["Root"]
    assert {found["Type"] for found in root["PolicyTypes"]} == {SCP, "TAG_POLICY"}
    with refused("PolicyTypeAlreadyEnabledException", "The specified policy type is already enabled."):
        org.enable("TAG_POLICY")
    org.client.attach_policy(PolicyId=policy, TargetId=org.root)
    root = org.client.disable_policy_type(RootId=org.root, PolicyType="TAG_POLICY")["Root"]
    assert [found["Type"] for found in root["PolicyTypes"]] == [SCP]
    assert org.client.list_targets_for_policy(PolicyId=policy)["Targets"] == []
    for call in (org.client.enable_policy_type, org.client.disable_policy_type):
        with refused("RootNotFoundException", "You specified a root that doesn't exist."):
            call(RootId="r-zzzz", PolicyType="TAG_POLICY")


def test_awss_own_are_everywhere_once_a_type_is_enabled(org: Org):
    account, unit = org.account(), org.unit()
    org.enable(RCP)
    targets = org.client.list_targets_for_policy(PolicyId="p-RCPFullAWSAccess")["Targets"]
    assert {target["TargetId"] for target in targets} == {org.root, unit, account, MANAGEMENT}
    later = org.account()
    listed = org.client.list_policies_for_target(TargetId=later, Filter=RCP)["Policies"]
    assert [found["Id"] for found in listed] == ["p-RCPFullAWSAccess"]
    with refused("InvalidInputException", reason="NON_DETACHABLE_POLICY"):
        org.client.detach_policy(PolicyId="p-RCPFullAWSAccess", TargetId=unit)
    org.client.disable_policy_type(RootId=org.root, PolicyType=SCP)
    assert org.client.list_targets_for_policy(PolicyId="p-FullAWSAccess")["Targets"] == []
    org.enable(SCP)
    assert len(org.client.list_targets_for_policy(PolicyId="p-FullAWSAccess")["Targets"]) == 5
