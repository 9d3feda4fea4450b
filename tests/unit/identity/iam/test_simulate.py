"""The policy simulator. Shapes, source names and positions: AWS's answers as published in its CLI examples and recorded publicly."""

from __future__ import annotations

import json

import pytest

from garrison.api import iam as api
from garrison.core.errors import CommonError
from tests.support.iam import ACCOUNT, ALLOW_ALL, LIST_USERS, TRUST_EC2, Cloud

BUCKET = "arn:aws:s3:::bucket/*"


def allow(action: str, resource: str = "*", **more: object) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def custom(
    cloud: Cloud, *policies: str, actions: tuple[str, ...] = ("s3:GetObject",), **more: object
) -> list[api.EvaluationResult]:
    answer = cloud.simulate_custom_policy(policy_input_list=list(policies), action_names=list(actions), **more)
    return list(answer.evaluation_results)


def sources(result: api.EvaluationResult) -> list[str | None]:
    return [statement.source_policy_id for statement in result.matched_statements or []]


def entry(name: str, *values: str, kind: str = "string") -> api.ContextEntry:
    return api.ContextEntry(context_key_name=name, context_key_values=list(values), context_key_type=kind)


def test_allowed_denied_and_neither(cloud: Cloud):
    deny = allow("iam:*").replace("Allow", "Deny")
    results = custom(cloud, ALLOW_ALL, deny, actions=("s3:GetObject", "iam:ListUsers"))
    assert [(result.eval_action_name, result.eval_resource_name, result.eval_decision) for result in results] == [
        ("s3:GetObject", "*", "allowed"),
        ("iam:ListUsers", "*", "explicitDeny"),
    ]
    assert sources(results[0]) == ["PolicyInputList.1"]
    assert sources(results[1]) == ["PolicyInputList.2"]
    (neither,) = custom(cloud, LIST_USERS)
    assert (neither.eval_decision, neither.matched_statements, neither.missing_context_values) == ("implicitDeny", [], [])
    assert neither.resource_specific_results is None
    assert neither.eval_decision_details is None


def test_a_resource_has_its_own_result(cloud: Cloud):
    """The answer of AWS for `{"Version": "2012-10-17", "Statement": [{…}]}`: columns count from behind the bracket."""
    document = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::bucket/*"]}]}'
    (result,) = custom(cloud, document, resource_arns=[BUCKET])
    statement = api.Statement(
        source_policy_id="PolicyInputList.1",
        source_policy_type="IAM Policy",
        start_position=api.Position(line=1, column=41),
        end_position=api.Position(line=1, column=41 + len(document) - 40 - 2),
    )
    assert result == api.EvaluationResult(
        eval_action_name="s3:GetObject",
        eval_resource_name=BUCKET,
        eval_decision="allowed",
        matched_statements=[statement],
        missing_context_values=[],
        eval_decision_details={},
        resource_specific_results=[
            api.ResourceSpecificResult(
                eval_resource_name=BUCKET,
                eval_resource_decision="allowed",
                matched_statements=[statement],
                missing_context_values=[],
            )
        ],
    )


def test_positions_over_several_lines(cloud: Cloud):
    """AWS's CLI example: a statement from line 3 column 19 to line 9 column 10."""
    document = """{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "codecommit:ListRepositories"
            ], "Resource": "*"
        }
    ]
}"""
    cloud.create_user(user_name="alejandro")
    cloud.create_policy(policy_name="Grant-Access-To-CodeCommit-ListRepo", policy_document=document)
    cloud.attach_user_policy(
        user_name="alejandro", policy_arn=f"arn:aws:iam::{ACCOUNT}:policy/Grant-Access-To-CodeCommit-ListRepo"
    )
    (result,) = cloud.simulate_principal_policy(
        policy_source_arn=f"arn:aws:iam::{ACCOUNT}:user/alejandro", action_names=["codecommit:ListRepositories"]
    ).evaluation_results
    (statement,) = result.matched_statements
    assert statement.source_policy_id == "Grant-Access-To-CodeCommit-ListRepo"
    assert (statement.start_position, statement.end_position) == (
        api.Position(line=3, column=19),
        api.Position(line=9, column=10),
    )


def test_a_condition_that_is_not_met(cloud: Cloud):
    """AWS's CLI example: a time before the one that the policy asks for."""
    document = allow("dynamodb:*", Condition={"DateGreaterThan": {"aws:CurrentTime": "2018-08-16T12:00:00Z"}})
    early = entry("aws:CurrentTime", "2018-04-25T11:00:00Z", kind="date")
    (result,) = custom(cloud, document, actions=("dynamodb:CreateBackup",), context_entries=[early])
    assert (result.eval_decision, result.matched_statements, result.missing_context_values) == ("implicitDeny", [], [])
    late = entry("aws:CurrentTime", "2019-04-25T11:00:00Z", kind="date")
    (result,) = custom(cloud, document, actions=("dynamodb:CreateBackup",), context_entries=[late])
    assert result.eval_decision == "allowed"


def test_missing_context_values(cloud: Cloud):
    document = allow(
        "s3:GetObject", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}, "Bool": {"aws:SecureTransport": "true"}}
    )
    (result,) = custom(cloud, document, context_entries=[entry("AWS:SecureTransport", "true", kind="boolean")])
    assert (result.eval_decision, result.missing_context_values) == ("implicitDeny", ["aws:PrincipalOrgID"])
    (result,) = custom(cloud, document, resource_arns=[BUCKET])
    assert result.missing_context_values == []
    (specific,) = result.resource_specific_results or []
    assert sorted(specific.missing_context_values or []) == ["aws:PrincipalOrgID", "aws:SecureTransport"]


def test_lists_of_values(cloud: Cloud):
    document = allow("s3:GetObject", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}})
    (result,) = custom(cloud, document, context_entries=[entry("aws:TagKeys", "a", "b", kind="stringList")])
    assert result.eval_decision == "allowed"
    (result,) = custom(cloud, document, context_entries=[entry("aws:TagKeys", "a", "c", kind="stringList")])
    assert result.eval_decision == "implicitDeny"
    with pytest.raises(api.InvalidInputException, match="takes one value"):
        custom(cloud, document, context_entries=[entry("aws:TagKeys", "a", "b")])
    with pytest.raises(api.InvalidInputException):
        custom(cloud, document, context_entries=[api.ContextEntry(context_key_name="aws:TagKeys")])


def test_every_matching_statement_is_told(cloud: Cloud):
    (result,) = custom(cloud, allow("s3:*"), allow("s3:Get*"), allow("iam:*"))
    assert sources(result) == ["PolicyInputList.1", "PolicyInputList.2"]


def test_boundaries(cloud: Cloud):
    (result,) = custom(cloud, ALLOW_ALL, permissions_boundary_policy_input_list=[allow("iam:*")])
    assert result.eval_decision == "implicitDeny"
    assert result.permissions_boundary_decision_detail == api.PermissionsBoundaryDecisionDetail(
        allowed_by_permissions_boundary=False
    )
    (result,) = custom(cloud, ALLOW_ALL, permissions_boundary_policy_input_list=[allow("s3:*")], resource_arns=[BUCKET])
    assert result.eval_decision == "allowed"
    (specific,) = result.resource_specific_results or []
    assert specific.permissions_boundary_decision_detail == api.PermissionsBoundaryDecisionDetail(
        allowed_by_permissions_boundary=True
    )
    with pytest.raises(api.InvalidInputException):
        custom(cloud, ALLOW_ALL, permissions_boundary_policy_input_list=[ALLOW_ALL, ALLOW_ALL])


def test_service_control_policies(cloud: Cloud):
    def level(*policies: str) -> api.OrderedOrganizationPolicyType:
        return api.OrderedOrganizationPolicyType(service_control_policy_input_list=list(policies))

    (result,) = custom(cloud, ALLOW_ALL, ordered_organization_policy_input_list=[level(ALLOW_ALL), level(allow("iam:*"))])
    assert result.eval_decision == "implicitDeny"
    assert result.organizations_decision_detail == api.OrganizationsDecisionDetail(allowed_by_organizations=False)
    (result,) = custom(cloud, ALLOW_ALL, ordered_organization_policy_input_list=[level(ALLOW_ALL), level(allow("s3:*"))])
    assert result.eval_decision == "allowed"
    assert result.organizations_decision_detail == api.OrganizationsDecisionDetail(allowed_by_organizations=True)


def test_an_identity_with_all_its_policies(cloud: Cloud):
    cloud.create_user(user_name="u")
    cloud.create_group(group_name="g")
    cloud.add_user_to_group(group_name="g", user_name="u")
    cloud.put_user_policy(
        user_name="u", policy_name="own", policy_document=allow("s3:GetObject", "arn:aws:s3:::b/${aws:username}/*")
    )
    cloud.put_group_policy(group_name="g", policy_name="shared", policy_document=allow("iam:ListUsers"))
    cloud.attach_group_policy(group_name="g", policy_arn="arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess")
    arn = f"arn:aws:iam::{ACCOUNT}:user/u"

    def simulated(action: str, **more: object) -> api.EvaluationResult:
        answer = cloud.simulate_principal_policy(policy_source_arn=arn, action_names=[action], **more)
        result: api.EvaluationResult = answer.evaluation_results[0]
        return result

    mine = simulated("s3:GetObject", resource_arns=["arn:aws:s3:::b/u/file"])
    assert (mine.eval_decision, sources(mine)) == ("allowed", ["user_u_own"])
    assert simulated("s3:GetObject", resource_arns=["arn:aws:s3:::b/eve/file"]).eval_decision == "implicitDeny"
    assert sources(simulated("iam:ListUsers")) == ["group_g_shared"]
    assert sources(simulated("ec2:DescribeInstances")) == ["AmazonEC2ReadOnlyAccess"]
    assert simulated("iam:CreateUser", policy_input_list=[ALLOW_ALL]).eval_decision == "allowed"
    assert cloud.targets[0].arn == arn
    inline = api.InlinePolicyIdentifierType(policy_name="shared", attachment_type="group", attachment_name="g")
    without = [
        api.PolicyIdentifier(inline_policy_identifier=inline),
        api.PolicyIdentifier(policy_arn="arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess"),
    ]
    assert simulated("iam:ListUsers", policy_exclusion_list=without).eval_decision == "implicitDeny"
    assert simulated("ec2:DescribeInstances", policy_exclusion_list=without).eval_decision == "implicitDeny"


def test_the_boundary_of_an_identity(cloud: Cloud):
    cloud.create_role(
        role_name="r",
        assume_role_policy_document=TRUST_EC2,
        permissions_boundary="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    )
    cloud.put_role_policy(role_name="r", policy_name="p", policy_document=ALLOW_ALL)
    arn = f"arn:aws:iam::{ACCOUNT}:role/r"
    allowed, refused = cloud.simulate_principal_policy(
        policy_source_arn=arn, action_names=["s3:GetObject", "s3:PutObject"]
    ).evaluation_results
    assert (allowed.eval_decision, sources(allowed)) == ("allowed", ["role_r_p"])
    assert refused.eval_decision == "implicitDeny"
    assert refused.permissions_boundary_decision_detail.allowed_by_permissions_boundary is False
    (instead,) = cloud.simulate_principal_policy(
        policy_source_arn=arn, action_names=["s3:PutObject"], permissions_boundary_policy_input_list=[ALLOW_ALL]
    ).evaluation_results
    assert instead.eval_decision == "allowed"


def test_resource_policies(cloud: Cloud):
    cloud.create_user(user_name="u")
    caller = f"arn:aws:iam::{ACCOUNT}:user/u"
    resource_policy = json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": caller}, "Action": "s3:GetObject", "Resource": BUCKET}],
    })  # fmt: skip
    (own,) = custom(cloud, LIST_USERS, resource_arns=[BUCKET], resource_policy=resource_policy, caller_arn=caller)
    assert (own.eval_decision, sources(own), own.eval_decision_details) == ("allowed", ["ResourcePolicy"], {})
    (theirs,) = custom(
        cloud, LIST_USERS, resource_arns=[BUCKET], resource_policy=resource_policy, caller_arn=caller,
        resource_owner="arn:aws:iam::999999999999:root",
    )  # fmt: skip
    assert theirs.eval_decision == "implicitDeny"
    assert theirs.eval_decision_details == {"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}
    (both,) = custom(
        cloud,
        allow("s3:*"),
        resource_arns=[BUCKET],
        resource_policy=resource_policy,
        caller_arn=caller,
        resource_owner="999999999999",
    )
    assert both.eval_decision == "allowed"
    assert both.eval_decision_details == {"IAM Policy": "allowed", "Resource Policy": "allowed"}


def test_who_calls_must_be_said(cloud: Cloud):
    cloud.create_role(role_name="r", assume_role_policy_document=TRUST_EC2)
    with pytest.raises(api.InvalidInputException, match="CallerArn"):
        cloud.simulate_principal_policy(
            policy_source_arn=f"arn:aws:iam::{ACCOUNT}:role/r", action_names=["s3:GetObject"], resource_policy=ALLOW_ALL
        )
    with pytest.raises(api.InvalidInputException, match="CallerArn"):
        custom(cloud, ALLOW_ALL, caller_arn=f"arn:aws:iam::{ACCOUNT}:role/r")


@pytest.mark.parametrize(
    "members",
    [
        {"policy_input_list": ["{"]},
        {"action_names": ["GetObject"]},
        {"action_names": ["s3:Get*"]},
        {"resource_arns": ["bucket"]},
        {"resource_owner": "nobody"},
    ],
)
def test_bad_input(cloud: Cloud, members: dict[str, object]):
    with pytest.raises(api.InvalidInputException):
        cloud.simulate_custom_policy(**{"policy_input_list": [ALLOW_ALL], "action_names": ["s3:GetObject"], **members})


def test_a_scenario_that_is_not_built(cloud: Cloud):
    with pytest.raises(CommonError) as caught:
        custom(cloud, ALLOW_ALL, resource_handling_option="EC2-VPC-InstanceStore")
    assert caught.value.kind == "not_implemented"


def test_pages(cloud: Cloud):
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    first = cloud.simulate_custom_policy(policy_input_list=[ALLOW_ALL], action_names=actions, max_items=2)
    assert [result.eval_action_name for result in first.evaluation_results] == actions[:2]
    assert first.is_truncated is True
    rest = cloud.simulate_custom_policy(policy_input_list=[ALLOW_ALL], action_names=actions, max_items=2, marker=first.marker)
    assert ([result.eval_action_name for result in rest.evaluation_results], rest.is_truncated) == (actions[2:], False)
    with pytest.raises(CommonError):
        cloud.simulate_custom_policy(policy_input_list=[LIST_USERS], action_names=actions, marker=first.marker)


def test_pages_of_millions_of_combinations(cloud: Cloud):
    """Only the combinations of a page are made; every one of them is in one page, in the order of the request."""
    actions, resources = [f"s3:Do{number}" for number in range(3000)], [f"arn:aws:s3:::b/{number}" for number in range(3000)]
    asked = {"policy_input_list": [ALLOW_ALL], "action_names": actions, "resource_arns": resources}
    first = cloud.simulate_custom_policy(**asked, max_items=2)
    second = cloud.simulate_custom_policy(**asked, max_items=2, marker=first.marker)
    pairs = [(found.eval_action_name, found.eval_resource_name) for page in (first, second) for found in page.evaluation_results]
    assert pairs == [("s3:Do0", f"arn:aws:s3:::b/{number}") for number in range(4)]
    few = {**asked, "action_names": actions[:2], "resource_arns": resources[:3]}
    marker: str | None = None
    seen: list[tuple[str, str]] = []
    while marker is not None or not seen:
        page = cloud.simulate_custom_policy(**few, max_items=2, marker=marker)
        seen += [(found.eval_action_name, found.eval_resource_name) for found in page.evaluation_results]
        marker = page.marker
    assert seen == [(action, resource) for action in actions[:2] for resource in resources[:3]]
