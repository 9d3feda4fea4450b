"""Service access, delegated administrators and the resource policy. Texts: AWS Organizations API Reference."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.organizations import MANAGEMENT, OTHER, Org, document, refused

SERVICE = "config.amazonaws.com"


def test_service_access(org: Org):
    org.client.enable_aws_service_access(ServicePrincipal=SERVICE)
    org.client.enable_aws_service_access(ServicePrincipal=SERVICE)
    org.client.enable_aws_service_access(ServicePrincipal="guardduty.amazonaws.com")
    found = org.client.list_aws_service_access_for_organization(MaxResults=1)
    assert [each["ServicePrincipal"] for each in found["EnabledServicePrincipals"]] == [SERVICE]
    rest = org.client.list_aws_service_access_for_organization(NextToken=found["NextToken"])
    assert [each["ServicePrincipal"] for each in rest["EnabledServicePrincipals"]] == ["guardduty.amazonaws.com"]
    org.client.disable_aws_service_access(ServicePrincipal=SERVICE)
    org.client.disable_aws_service_access(ServicePrincipal=SERVICE)
    assert len(org.client.list_aws_service_access_for_organization()["EnabledServicePrincipals"]) == 1
    for call in (org.client.enable_aws_service_access, org.client.disable_aws_service_access):
        with refused("InvalidInputException", "unrecognized service principal", "UNRECOGNIZED_SERVICE_PRINCIPAL"):
            call(ServicePrincipal="nothing.amazonaws.com")


def test_delegated_administrators(org: Org):
    account = org.account()
    delegate = {"AccountId": account, "ServicePrincipal": SERVICE}
    with refused("ConstraintViolationException", reason="SERVICE_ACCESS_NOT_ENABLED"):
        org.client.register_delegated_administrator(**delegate)
    org.client.enable_aws_service_access(ServicePrincipal=SERVICE)
    org.client.register_delegated_administrator(**delegate)
    with refused("AccountAlreadyRegisteredException", "The provided account is already a delegated administrator"):
        org.client.register_delegated_administrator(**delegate)
    (found,) = org.client.list_delegated_administrators()["DelegatedAdministrators"]
    assert (found["Id"], found["Status"], found["JoinedMethod"]) == (account, "ACTIVE", "CREATED")
    assert org.client.list_delegated_administrators(ServicePrincipal=SERVICE)["DelegatedAdministrators"] == [found]
    assert org.client.list_delegated_administrators(ServicePrincipal="fms.amazonaws.com")["DelegatedAdministrators"] == []
    (service,) = org.client.list_delegated_services_for_account(AccountId=account)["DelegatedServices"]
    assert service["ServicePrincipal"] == SERVICE
    with refused("ConstraintViolationException", reason="DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE"):
        org.client.disable_aws_service_access(ServicePrincipal=SERVICE)
    org.client.deregister_delegated_administrator(**delegate)
    not_registered = "The provided account is not a registered delegated administrator for your organization."
    with refused("AccountNotRegisteredException", not_registered):
        org.client.deregister_delegated_administrator(**delegate)
    with refused("AccountNotRegisteredException", not_registered):
        org.client.list_delegated_services_for_account(AccountId=account)


def test_who_is_no_delegated_administrator(org: Org):
    org.client.enable_aws_service_access(ServicePrincipal=SERVICE)
    with refused("ConstraintViolationException", reason="CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR"):
        org.client.register_delegated_administrator(AccountId=MANAGEMENT, ServicePrincipal=SERVICE)
    closed = org.account()
    org.client.close_account(AccountId=closed)
    with refused("ConstraintViolationException", reason="CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR"):
        org.client.register_delegated_administrator(AccountId=closed, ServicePrincipal=SERVICE)
    account = org.account()
    for service in ("ram.amazonaws.com", "nothing.amazonaws.com"):
        for call in (org.client.register_delegated_administrator, org.client.deregister_delegated_administrator):
            with refused("InvalidInputException", reason="UNRECOGNIZED_SERVICE_PRINCIPAL"):
                call(AccountId=account, ServicePrincipal=service)
    org.client.enable_aws_service_access(ServicePrincipal="macie.amazonaws.com")
    org.client.register_delegated_administrator(AccountId=account, ServicePrincipal="macie.amazonaws.com")
    with refused("ConstraintViolationException", reason="MAX_DELEGATED_ADMINISTRATORS_FOR_SERVICE_LIMIT_EXCEEDED"):
        org.client.register_delegated_administrator(AccountId=org.account(), ServicePrincipal="macie.amazonaws.com")


def delegation(principal: Any, *actions: str, **more: Any) -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": list(actions), "Resource": "*", **more})


def test_put_resource_policy_and_describe_resource_policy(org: Org):
    with refused("ResourcePolicyNotFoundException"):
        org.client.describe_resource_policy()
    text = delegation({"AWS": org.account()}, "organizations:ListRoots")
    made = org.client.put_resource_policy(Content=text, Tags=[{"Key": "a", "Value": "b"}])["ResourcePolicy"]
    name = made["ResourcePolicySummary"]["Id"]
    assert made["ResourcePolicySummary"]["Arn"] == f"arn:aws:organizations::{MANAGEMENT}:resourcepolicy/{org.id}/{name}"
    assert made["Content"] == text
    assert org.client.describe_resource_policy()["ResourcePolicy"] == made
    assert org.client.list_tags_for_resource(ResourceId=name)["Tags"] == [{"Key": "a", "Value": "b"}]
    again = org.client.put_resource_policy(Content=text.replace("ListRoots", "ListAccounts"))["ResourcePolicy"]
    assert again["ResourcePolicySummary"] == made["ResourcePolicySummary"]
    org.client.delete_resource_policy()
    with refused("ResourcePolicyNotFoundException"):
        org.client.delete_resource_policy()


def test_what_a_resource_policy_lets_a_member_do(org: Org):
    account, neighbour = org.account(), org.account()
    actions = (
        "organizations:ListRoots",
        "organizations:CreatePolicy",
        "organizations:AttachPolicy",
        "organizations:DescribePolicy",
    )
    org.client.put_resource_policy(Content=delegation({"AWS": f"arn:aws:iam::{account}:root"}, *actions))
    member = org.of("organizations", org.administrator(account))
    assert member.list_roots()["Roots"][0]["Id"] == org.root
    deny = document({"Effect": "Deny", "Action": "ec2:*", "Resource": "*"})
    made = member.create_policy(Content=deny, Description="", Name="theirs", Type="SERVICE_CONTROL_POLICY")["Policy"]
    policy = made["PolicySummary"]["Id"]
    member.attach_policy(PolicyId=policy, TargetId=neighbour)
    assert org.client.describe_policy(PolicyId=policy)["Policy"] == made
    for call, members in (
        (member.list_accounts, {}),
        (member.delete_policy, {"PolicyId": policy}),
        (member.detach_policy, {"PolicyId": policy, "TargetId": neighbour}),
        (member.create_account, {"Email": "x@example.com", "AccountName": "x"}),
        (member.delete_resource_policy, {}),
    ):
        with refused("AccessDeniedException"):
            call(**members)
    assert member.describe_organization()["Organization"]["Id"] == org.id, "which every member may ask"
    with refused("AccessDeniedException", "because no resource-based policy allows the organizations:ListRoots action"):
        org.of("organizations", org.administrator(neighbour)).list_roots()
    org.client.delete_resource_policy()
    with refused("AccessDeniedException", "You don't have permissions to access this resource."):
        member.list_roots()


def test_both_sides_must_allow(org: Org):
    """The organization's policy alone lets nobody in: the member's own policies must allow it too, for each user."""
    account = org.account()
    org.client.put_resource_policy(Content=delegation({"AWS": account}, "organizations:List*"))
    nobody = org.of("organizations", org.user(account, "nobody"))
    with refused("AccessDeniedException", "because no identity-based policy allows the organizations:ListRoots action"):
        nobody.list_roots()
    reader = org.of(
        "organizations", org.user(account, "reader", {"Effect": "Allow", "Action": "organizations:*", "Resource": "*"})
    )
    assert reader.list_roots()["Roots"]


def test_conditions_and_resources_of_a_resource_policy(org: Org):
    account = org.account()
    condition = {"StringEquals": {"organizations:PolicyType": "TAG_POLICY"}}
    org.client.put_resource_policy(Content=delegation({"AWS": account}, "organizations:CreatePolicy", Condition=condition))
    member = org.of("organizations", org.administrator(account))
    text = '{"tags": {"a": {"tag_key": {"@@assign": "a"}}}}'
    member.create_policy(Content=text, Description="", Name="a", Type="TAG_POLICY")
    deny = document({"Effect": "Deny", "Action": "ec2:*", "Resource": "*"})
    with refused("AccessDeniedException"):
        member.create_policy(Content=deny, Description="", Name="b", Type="SERVICE_CONTROL_POLICY")


def test_a_user_who_was_made_again_is_somebody_else(org: Org):
    account = org.account()
    statement = {"Effect": "Allow", "Action": "organizations:*", "Resource": "*"}
    key = org.user(account, "ann", statement)
    org.client.put_resource_policy(Content=delegation({"AWS": f"arn:aws:iam::{account}:user/ann"}, "organizations:ListRoots"))
    assert org.of("organizations", key).list_roots()["Roots"]
    iam = org.of("iam", org.administrator(account))
    iam.delete_access_key(UserName="ann", AccessKeyId=key.access_key_id)
    iam.delete_user_policy(UserName="ann", PolicyName="own")
    iam.delete_user(UserName="ann")
    again = org.user(account, "ann", statement)
    with refused("AccessDeniedException"):
        org.of("organizations", again).list_roots()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "INVALID_RESOURCE_POLICY_JSON"),
        (document({"Effect": "Allow", "Action": "organizations:ListRoots", "Resource": "*"}), "INVALID_RESOURCE_POLICY_JSON"),
        (delegation({"AWS": OTHER}, "organizations:ListRoots"), "INVALID_PRINCIPAL"),
        (delegation({"AWS": f"arn:aws:iam::{MANAGEMENT}:user/nobody"}, "organizations:ListRoots"), "INVALID_PRINCIPAL"),
        (delegation({"Service": "config.amazonaws.com"}, "organizations:ListRoots"), "INVALID_PRINCIPAL"),
        (delegation({"AWS": MANAGEMENT}, "organizations:CreateAccount"), "UNSUPPORTED_ACTION_IN_RESOURCE_POLICY"),
        (delegation({"AWS": MANAGEMENT}, "organizations:*"), "UNSUPPORTED_ACTION_IN_RESOURCE_POLICY"),
        (delegation({"AWS": MANAGEMENT}, "*"), "UNSUPPORTED_ACTION_IN_RESOURCE_POLICY"),
        (delegation({"AWS": MANAGEMENT}, "s3:ListBuckets"), "UNSUPPORTED_ACTION_IN_RESOURCE_POLICY"),
        (
            document(
                {"Effect": "Allow", "Principal": {"AWS": MANAGEMENT}, "NotAction": "organizations:ListRoots", "Resource": "*"}
            ),
            "UNSUPPORTED_ACTION_IN_RESOURCE_POLICY",
        ),
    ],
)
def test_what_no_resource_policy_is(org: Org, text: str, reason: str):
    with refused("InvalidInputException", reason=reason):
        org.client.put_resource_policy(Content=text)
