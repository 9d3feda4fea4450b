"""Managed policies on identities. Expected texts: AWS's answers as publicly recorded (IAM, 2023 to 2026)."""

from __future__ import annotations

import pytest

from garrison.api import iam as api
from garrison.core.errors import CommonError
from tests.support.iam import ACCOUNT, ALLOW_ALL, TRUST_EC2, Cloud

KINDS = ("user", "group", "role")
ARN = f"arn:aws:iam::{ACCOUNT}:policy/team/p"
AWS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


@pytest.fixture
def owners(cloud: Cloud) -> Cloud:
    cloud.create_user(user_name="x")
    cloud.create_group(group_name="x")
    cloud.create_role(role_name="x", assume_role_policy_document=TRUST_EC2)
    cloud.create_policy(policy_name="p", path="/team/", policy_document=ALLOW_ALL)
    return cloud


def attach(cloud: Cloud, kind: str, arn: str, name: str = "x") -> None:
    getattr(cloud, f"attach_{kind}_policy")(**{f"{kind}_name": name}, policy_arn=arn)


def detach(cloud: Cloud, kind: str, arn: str, name: str = "x") -> None:
    getattr(cloud, f"detach_{kind}_policy")(**{f"{kind}_name": name}, policy_arn=arn)


def listed(cloud: Cloud, kind: str, **more: object) -> list[str]:
    answer = getattr(cloud, f"list_attached_{kind}_policies")(**{f"{kind}_name": "x"}, **more)
    return [policy.policy_arn for policy in answer.attached_policies]


@pytest.mark.parametrize("kind", KINDS)
def test_attach_list_detach(owners: Cloud, kind: str):
    attach(owners, kind, ARN)
    assert owners.keys == {"iam:PolicyARN": ARN}
    assert {key for key, _ in owners.touched} == {kind}
    assert [item.type for item in owners.items] == [f"AWS::IAM::{kind.title()}", "AWS::IAM::Policy"]
    assert owners.items[1].configuration["AttachmentCount"] == 1
    attach(owners, kind, AWS)
    attach(owners, kind, AWS)
    assert listed(owners, kind) == [ARN, AWS]
    assert listed(owners, kind, path_prefix="/service-role/") == [AWS]
    assert listed(owners, kind, max_items=1) == [ARN]
    detach(owners, kind, ARN)
    assert listed(owners, kind) == [AWS]


@pytest.mark.parametrize("kind", KINDS)
def test_pages(owners: Cloud, kind: str):
    attach(owners, kind, AWS)
    attach(owners, kind, ARN)
    operation = getattr(owners, f"list_attached_{kind}_policies")
    first = operation(**{f"{kind}_name": "x"}, max_items=1)
    assert ([policy.policy_arn for policy in first.attached_policies], first.is_truncated) == ([AWS], True)
    rest = operation(**{f"{kind}_name": "x"}, marker=first.marker)
    assert ([policy.policy_name for policy in rest.attached_policies], rest.is_truncated) == (["p"], False)


@pytest.mark.parametrize("kind", KINDS)
def test_policies_that_are_not_there(owners: Cloud, kind: str):
    for arn in (f"arn:aws:iam::{ACCOUNT}:policy/nonexistent", "arn:aws:iam::aws:policy/Nonexistent"):
        with pytest.raises(api.NoSuchEntityException) as caught:
            attach(owners, kind, arn)
        assert caught.value.message == f"Policy {arn} does not exist or is not attachable."
        with pytest.raises(api.NoSuchEntityException) as caught:
            detach(owners, kind, arn)
        assert caught.value.message == f"Policy {arn} was not found."
    with pytest.raises(api.NoSuchEntityException, match=f"^Policy {ARN} was not found.$"):
        detach(owners, kind, ARN)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_policys_arn(owners: Cloud, kind: str):
    for call in (attach, detach):
        with pytest.raises(CommonError, match=r"^ARN longpolicynamebutnoarn is not valid\.$") as caught:
            call(owners, kind, "longpolicynamebutnoarn")
        assert caught.value.kind == "validation"


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_to_attach_to(owners: Cloud, kind: str):
    for call in (attach, detach):
        with pytest.raises(api.NoSuchEntityException, match=f"^The {kind} with name nobody cannot be found.$"):
            call(owners, kind, ARN, "nobody")
    with pytest.raises(api.NoSuchEntityException, match=f"^The {kind} with name nobody cannot be found.$"):
        getattr(owners, f"list_attached_{kind}_policies")(**{f"{kind}_name": "nobody"})


@pytest.mark.parametrize("kind", KINDS)
def test_ten_policies_at_most(owners: Cloud, kind: str):
    for number in range(10):
        owners.create_policy(policy_name=f"p{number}", policy_document=ALLOW_ALL)
        attach(owners, kind, f"arn:aws:iam::{ACCOUNT}:policy/p{number}")
    with pytest.raises(api.LimitExceededException, match=f"^Cannot exceed quota for PoliciesPer{kind.title()}: 10$"):
        attach(owners, kind, ARN)


def test_a_policy_of_services_alone(owners: Cloud):
    with pytest.raises(api.PolicyNotAttachableException, match=r"^Cannot attach a Service Role Policy to a Customer Role\.$"):
        attach(owners, "role", "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy")


def test_the_boundary_is_a_condition_key(owners: Cloud):
    owners.put_role_permissions_boundary(role_name="x", permissions_boundary=ARN)
    attach(owners, "role", AWS)
    assert owners.keys == {"iam:PolicyARN": AWS, "iam:PermissionsBoundary": ARN}
