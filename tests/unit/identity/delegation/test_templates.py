"""Policy templates: the examples of AWS's guide, and what no partner may register or ask for.

Expected values: IAM User Guide, "Policy templates" and "Policy evaluation guidelines" of temporary delegation.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrison.identity.delegation.templates import (
    LONGEST_POLICY,
    BadParametersError,
    BadTemplateError,
    Parameter,
    check_boundary,
    check_template,
    render,
    restrictions,
)
from garrison.policy import parse_policy

BOUNDARY = "arn:aws:iam::partner:policy/permissions-boundary/partner.com/SQSAccessorBoundary_20250115"
BOUND = {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
QUEUES = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["sqs:ListQueues"], "Resource": "arn:aws:sqs:*:*:*"},
        {
            "Effect": "Allow",
            "Action": ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"],
            "Resource": "arn:aws:iam::@{AccountId}:role/partner.com/SQSAccessor",
            "Condition": BOUND,
        },
    ],
}
"""Example 1 of the guide."""


def text(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]})


def one(name: str, *values: str) -> Parameter:
    return Parameter(name, values, many=False)


def many(name: str, *values: str) -> Parameter:
    return Parameter(name, values, many=True)


def statements(policy: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(policy)["Statement"]
    return found


# The guide's examples


def test_a_string_is_put_in_its_place():
    template = text({"Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::@{bucketName}/*"})
    check_template(template, ())
    (statement,) = statements(render(template, [one("bucketName", "customer-data-bucket")]))
    assert statement["Resource"] == "arn:aws:s3:::customer-data-bucket/*"


def test_a_list_makes_an_entry_for_each_value():
    template = text({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::@{bucketNames}/*"})
    (statement,) = statements(render(template, [many("bucketNames", "bucket-1", "bucket-2")]))
    assert statement["Resource"] == ["arn:aws:s3:::bucket-1/*", "arn:aws:s3:::bucket-2/*"]


def test_several_parameters_make_every_combination():
    template = text({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::@{bucketNames}/@{prefix}/*"})
    (statement,) = statements(render(template, [many("bucketNames", "bucket-1", "bucket-2"), one("prefix", "data")]))
    assert statement["Resource"] == ["arn:aws:s3:::bucket-1/data/*", "arn:aws:s3:::bucket-2/data/*"]


@pytest.mark.parametrize(
    ("value", "switch", "there"), [("True", "", True), ("False", "", False), ("True", "!", False), ("no", "!", True)]
)
def test_a_statement_is_switched_on(value: str, switch: str, *, there: bool):
    template = text(
        {"Action": ["s3:GetObject"], "Resource": "*"},
        {"@Enabled": f"{switch}ENABLE_S3_WRITE", "Action": ["s3:PutObject"], "Resource": "arn:aws:s3:::@{bucketName}/*"},
    )
    check_template(template, ())
    found = statements(render(template, [one("bucketName", "my-bucket"), one("ENABLE_S3_WRITE", value)]))
    assert (len(found) == 2) is there
    assert all("@Enabled" not in each for each in found)


def test_roles_are_made_with_the_partners_boundary():
    check_template(json.dumps(QUEUES), [BOUNDARY])
    policy = render(json.dumps(QUEUES), [one("AccountId", "111122223333")])
    assert statements(policy)[1]["Resource"] == "arn:aws:iam::111122223333:role/partner.com/SQSAccessor"
    assert restrictions(policy) == [BOUNDARY]
    with pytest.raises(BadTemplateError, match="PermissionsBoundary"):
        check_template(json.dumps(QUEUES), [BOUNDARY + "0"])


def test_a_single_statement_needs_no_list():
    template = json.dumps(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}}
    )
    check_template(template, ())
    assert len(statements(render(template, []))) == 1


# What may not be registered


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ({"Action": "*", "Resource": "*"}, "no action of a named service"),
        ({"Action": "s3", "Resource": "*"}, "no action of a named service"),
        ({"Action": "*:*", "Resource": "*"}, "no action of a named service"),
        ({"NotAction": "iam:*", "Resource": "*"}, "NotAction"),
        ({"Action": "s3:GetObject", "NotResource": "arn:aws:s3:::x"}, "NotResource"),
        ({"Resource": "*"}, "lists its actions"),
        ({"Action": "iam:*", "Resource": "*"}, "written out"),
        ({"Action": "iam:Get*", "Resource": "*"}, "written out"),
        ({"Action": "IAM:CREATE?OLE", "Resource": "*"}, "no action of a named service"),
        ({"Action": "kms:*", "Resource": "*"}, "written out"),
        ({"Action": "sts:Assume*", "Resource": "arn:aws:iam::1:role/x"}, "written out"),
        ({"Action": "iam:CreateUser", "Resource": "arn:aws:iam::111122223333:user/x"}, "may be given"),
        ({"Action": "iam:CreateAccessKey", "Resource": "arn:aws:iam::111122223333:user/x"}, "may be given"),
        ({"Action": "iam:DeleteRolePermissionsBoundary", "Resource": "arn:aws:iam::111122223333:role/x"}, "may be given"),
        ({"Action": "iam:AcceptDelegationRequest", "Resource": "arn:aws:iam::111122223333:delegation-request/x"}, "may be given"),
        ({"Action": "iam:PassRole", "Resource": "*"}, "names its resources"),
        ({"Action": "iam:PassRole", "Resource": ["arn:aws:iam::111122223333:role/x", "*"]}, "names its resources"),
        ({"Action": "iam:PassRole", "Resource": "**"}, "names its resources"),
        ({"Action": "sts:AssumeRole", "Resource": "*"}, "names its resources"),
        ({"Action": "secretsmanager:GetSecretValue", "Resource": "*"}, "names its resources"),
        ({"Action": "kms:Decrypt", "Resource": "*"}, "names its resources"),
        ({"Action": "iam:CreateRole", "Resource": "arn:aws:iam::111122223333:role/x"}, "PermissionsBoundary"),
        (
            {
                "Action": "iam:CreateRole",
                "Resource": "arn:aws:iam::111122223333:role/x",
                "Condition": {"StringEqualsIfExists": {"iam:PermissionsBoundary": BOUNDARY}},
            },
            "PermissionsBoundary",
        ),
        (
            {
                "Action": "iam:AttachRolePolicy",
                "Resource": "arn:aws:iam::111122223333:role/x",
                "Condition": {"StringEquals": {"iam:PermissionsBoundary": [BOUNDARY, "arn:aws:iam::aws:policy/*"]}},
            },
            "PermissionsBoundary",
        ),
        ({"Action": "iam:CreateRole", "Resource": "*", "Condition": BOUND}, "names its resources"),
        ({"Action": "@{theService}:GetObject", "Resource": "*"}, "stand only in Resource"),
        ({"Sid": "@{theName}", "Action": "s3:GetObject", "Resource": "*"}, "stand only in Resource"),
        (
            {"Action": "s3:GetObject", "Resource": "*", "Condition": {"StringEquals": {"@{theKey}": "x"}}},
            "stand only in Resource",
        ),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::@{b}/*"}, "names no parameter"),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::@{bucket name}/*"}, "names no parameter"),
        ({"@Enabled": "no", "Action": "s3:GetObject", "Resource": "*"}, "names no parameter"),
        ({"@Enabled": True, "Action": "s3:GetObject", "Resource": "*"}, "names no parameter"),
        ({"Action": "s3:GetObject", "Resource": "*", "Condition": []}, "Condition"),
        ({"Action": "s3:GetObject", "Resource": "*", "Unknown": 1}, r"\w"),
        ({"Action": "s3:GetObject"}, r"\w"),
        ({"Effect": "allow", "Action": "s3:*", "Resource": "*"}, r"\w"),
        ({"Action": "s3:GetObject", "Resource": "*", "Principal": "*"}, r"\w"),
    ],
)
def test_what_no_template_may_hold(statement: dict[str, Any], why: str):
    with pytest.raises(BadTemplateError, match=why):
        check_template(text(statement), [BOUNDARY])


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "{",
        "null",
        '{"Version":"2008-10-17","Statement":[]}',
        '{"Version":"2012-10-17"}',
        '{"Version":"2012-10-17","Statement":[]}',
        "[" * 5000,
    ],
)
def test_what_is_no_policy_is_no_template(document: str):
    with pytest.raises(BadTemplateError):
        check_template(document, ())
    with pytest.raises(BadTemplateError):
        check_boundary(document)


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:*:@{AccountId}:*"},
        {"@Enabled": "EnableIt", "Action": "sqs:SendMessage", "Resource": "*"},
        {"Action": "iam:*", "Resource": "*"},
        {"Action": "*", "Resource": "*"},
        {"Action": "iam:CreateRole", "Resource": "arn:aws:iam::111122223333:role/x", "Condition": BOUND},
        {"Action": "sts:AssumeRole", "Resource": "*"},
    ],
)
def test_what_no_boundary_may_hold(statement: dict[str, Any]):
    with pytest.raises(BadTemplateError):
        check_boundary(text(statement))


def test_the_guides_boundary_may_be_registered():
    own = {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}
    actions = ["sqs:DeleteMessage", "sqs:ReceiveMessage", "sqs:SendMessage"]
    check_boundary(text({"Action": actions, "Resource": "arn:aws:sqs:*:*:*", "Condition": own}))


# What may not be asked for


TEMPLATE = text({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::@{bucketNames}/@{prefix}/*"})


@pytest.mark.parametrize(
    "parameters",
    [
        [],
        [many("bucketNames", "b")],
        [many("bucketNames", "b"), one("prefix", "p"), one("another", "x")],
        [many("bucketNames", "b"), many("bucketNames", "c"), one("prefix", "p")],
        [many("bucketNames"), one("prefix", "p")],
        [many("bucketNames", "b"), one("prefix", "p", "q")],
        [many("bucketNames", "*"), one("prefix", "p")],
        [many("bucketNames", "b?"), one("prefix", "p")],
        [many("bucketNames", "b"), one("prefix", "${aws:username}")],
        [many("bucketNames", "b"), one("prefix", "@{bucketNames}")],
        [many("bucketNames", *(f"bucket-{number}" for number in range(100))), one("prefix", "p")],
        [
            many("bucketNames", *(f"b{number}" for number in range(100))),
            many("prefix", *(f"p{number}" for number in range(100_000))),
        ],
        [many("bucketNames", "b" * LONGEST_POLICY), one("prefix", "p")],
    ],
)
def test_parameters_that_do_not_fit(parameters: list[Parameter]):
    with pytest.raises(BadParametersError):
        render(TEMPLATE, parameters)


def test_parameters_that_leave_nothing():
    template = text({"@Enabled": "EnableIt", "Action": "s3:GetObject", "Resource": "*"})
    with pytest.raises(BadParametersError, match="no statement"):
        render(template, [one("EnableIt", "False")])


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40))
def test_a_value_changes_nothing_but_its_own_place(value: str):
    """Whatever a partner puts into a parameter, the policy has the template's statements, effects and actions."""
    try:
        policy = render(TEMPLATE, [many("bucketNames", value), one("prefix", "p")])
    except BadParametersError:
        return
    parse_policy(policy, "session")
    (statement,) = statements(policy)
    assert statement == {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{value}/p/*"}
    assert "*" not in value
