"""AWS's sentences for refusals: IAM User Guide, "Troubleshoot access denied error messages", its examples word for word."""

from __future__ import annotations

import json
from typing import Any

import pytest

from garrison.core.principal import Principal
from garrison.policy import (
    Decision,
    Policy,
    PolicyInputs,
    PolicyKind,
    PolicySet,
    Request,
    authorize,
    compile_policy,
    denied_message,
)

JOHN = "arn:aws:iam::123456789012:user/John"
CALLER = Principal("user", "123456789012", JOHN, "AIDAJOHN", "John")
GROUP = "arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:*"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:*"


def policy(kind: PolicyKind, effect: str, arn: str = "") -> Policy:
    statement: dict[str, Any] = {"Effect": effect, "Action": "*", "Resource": "*"}
    if kind in {"resource", "trust", "rcp"}:
        statement["Principal"] = "*"
    if kind == "rcp" and effect == "Deny":
        statement["Action"] = "secretsmanager:*"
    if kind == "trust":
        statement = {"Effect": effect, "Action": "sts:*", "Principal": {"AWS": "999999999999"} if effect == "Allow" else "*"}
    return compile_policy(json.dumps({"Version": "2012-10-17", "Statement": statement}), kind, arn=arn)


def refused(kind: PolicyKind, action: str, *, explicit: bool, arn: str = "") -> Decision:
    """A refusal for which policies of one kind are the reason."""
    sets = PolicySet([policy(kind, "Deny", arn)] if explicit else [])
    inputs = PolicyInputs(PolicySet([policy("identity", "Allow")]))
    resource_policy: Policy | None = None
    owner = CALLER.account
    rcps: tuple[PolicySet, ...] = ()
    if kind == "identity":
        inputs.identity = sets
    elif kind == "boundary":
        inputs.boundary = sets
    elif kind == "session":
        inputs.session = sets
    elif kind == "scp":
        inputs.scps = (sets,)
    elif kind == "rcp":
        rcps = (PolicySet([policy("rcp", "Allow"), *sets.policies]),)
    else:
        resource_policy = policy(kind, "Deny" if explicit else "Allow") if kind == "trust" or explicit else None
        owner = "999999999999"
    request = Request(action, "*", owner, CALLER, {})
    decision = authorize(request, inputs, resource_policy=resource_policy, resource_policy_decides=kind == "trust", rcps=rcps)
    assert not decision.allowed
    return decision


@pytest.mark.parametrize(
    ("kind", "explicit", "action", "resource", "sentence"),
    [
        (
            "scp",
            False,
            "codecommit:ListRepositories",
            "",
            "codecommit:ListRepositories because no service control policy allows the codecommit:ListRepositories action",
        ),
        (
            "scp",
            True,
            "codecommit:ListRepositories",
            "",
            "codecommit:ListRepositories with an explicit deny in a service control policy",
        ),
        (
            "rcp",
            True,
            "secretsmanager:GetSecretValue",
            SECRET,
            f"secretsmanager:GetSecretValue on resource: {SECRET} with an explicit deny in a resource control policy",
        ),
        (
            "boundary",
            False,
            "codedeploy:ListDeployments",
            GROUP,
            f"codedeploy:ListDeployments on resource: {GROUP} because no permissions boundary allows the codedeploy:ListDeployments action",
        ),
        ("boundary", True, "sagemaker:ListModels", "", "sagemaker:ListModels with an explicit deny in a permissions boundary"),
        (
            "session",
            False,
            "codecommit:ListRepositories",
            "",
            "codecommit:ListRepositories because no session policy allows the codecommit:ListRepositories action",
        ),
        (
            "session",
            True,
            "codedeploy:ListDeployments",
            GROUP,
            f"codedeploy:ListDeployments on resource: {GROUP} with an explicit deny in a session policy",
        ),
        (
            "resource",
            False,
            "secretsmanager:GetSecretValue",
            "",
            "secretsmanager:GetSecretValue because no resource-based policy allows the secretsmanager:GetSecretValue action",
        ),
        (
            "resource",
            True,
            "secretsmanager:GetSecretValue",
            SECRET,
            f"secretsmanager:GetSecretValue on resource: {SECRET} with an explicit deny in a resource-based policy",
        ),
        ("trust", False, "sts:AssumeRole", "", "sts:AssumeRole because no role trust policy allows the sts:AssumeRole action"),
        ("trust", True, "sts:AssumeRole", "", "sts:AssumeRole with an explicit deny in the role trust policy"),
        (
            "identity",
            False,
            "codecommit:ListRepositories",
            "",
            "codecommit:ListRepositories because no identity-based policy allows the codecommit:ListRepositories action",
        ),
        (
            "identity",
            True,
            "codedeploy:ListDeployments",
            GROUP,
            f"codedeploy:ListDeployments on resource: {GROUP} with an explicit deny in an identity-based policy",
        ),
    ],
)
def test_the_documented_sentences(kind: PolicyKind, explicit: bool, action: str, resource: str, sentence: str) -> None:
    decision = refused(kind, action, explicit=explicit)
    assert denied_message(decision, JOHN, action, resource) == f"User: {JOHN} is not authorized to perform: {sentence}"


def test_an_explicit_deny_of_a_managed_policy_names_its_arn() -> None:
    arn = "arn:aws:iam::123456789012:policy/Guard"
    decision = refused("identity", "s3:GetObject", explicit=True, arn=arn)
    assert denied_message(decision, JOHN, "s3:GetObject", "").endswith(
        f"with an explicit deny in an identity-based policy: {arn}"
    )


@pytest.mark.parametrize(
    ("action", "resource", "where"),
    [
        # as clients recorded them from each service
        ("kms:ListKeys", "*", " on resource: *"),
        ("ecr:GetAuthorizationToken", "*", " on resource: *"),
        ("s3:ListAllMyBuckets", "*", ""),
        ("ec2:DescribeInstances", "*", ""),
        ("s3:PutObject", "arn:aws:s3:::data/standard.txt", ' on resource: "arn:aws:s3:::data/standard.txt"'),
        ("iam:ListUsers", "arn:aws:iam::123456789012:user/", " on resource: arn:aws:iam::123456789012:user/"),
    ],
)
def test_services_differ_in_how_they_name_the_resource(action: str, resource: str, where: str) -> None:
    decision = authorize(Request(action, resource, "", CALLER, {}), PolicyInputs())
    sentence = (
        f"User: {JOHN} is not authorized to perform: {action}{where} because no identity-based policy allows the {action} action"
    )
    assert denied_message(decision, JOHN, action, resource) == sentence


def test_an_allowed_call_has_no_denial() -> None:
    decision = authorize(Request("s3:GetObject", "*", "", CALLER, {}), PolicyInputs(PolicySet([policy("identity", "Allow")])))
    with pytest.raises(ValueError, match="allowed"):
        denied_message(decision, JOHN, "s3:GetObject", "")


def test_missing_keys_are_those_that_matching_statements_read() -> None:
    text = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
                {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"aws:username": "John"}}},
                {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/${aws:PrincipalTag/team}"},
                {"Effect": "Allow", "Action": "ec2:*", "Resource": "*", "Condition": {"StringEquals": {"ec2:Region": "x"}}},
                {
                    "Effect": "Allow",
                    "Action": "s3:*",
                    "Resource": "arn:aws:s3:::x",
                    "Condition": {"StringEquals": {"s3:prefix": "x"}},
                },
            ],
        },
    )
    inputs = PolicyInputs(PolicySet([compile_policy(text, "identity")]))
    request = Request("s3:GetObject", "arn:aws:s3:::b/k", "", CALLER, {"aws:username": "Eve"})
    assert authorize(request, inputs).missing_keys == ("aws:SecureTransport", "aws:PrincipalTag/team")
