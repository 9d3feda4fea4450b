"""Wildcards. Expected answers from IAM User Guide, "IAM JSON policy elements: Resource" and "…: Action"."""

from __future__ import annotations

import pytest

from garrison.policy.match import ActionPattern, ResourcePattern, glob
from garrison.policy.variables import Value

BOB: dict[str, Value] = {"aws:username": "bob", "star": "*", "many": ["a", "b"], "colon": "a:b"}


def resource(pattern: str, text: str, *, variables: bool = True, expand: bool = False) -> bool | None:
    return ResourcePattern(pattern, variables=variables, expand=expand).matches(text, BOB.get)


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("s3:GetObject", "s3:getobject", True),
        ("S3:getobject", "s3:getobject", True),
        ("s3:Get*", "s3:getobject", True),
        ("s3:*Object", "s3:getobject", True),
        ("s3:Get?bject", "s3:getobject", True),
        ("s3:Get", "s3:getobject", False),
        ("s3:?etObject", "s3:etobject", False),
        ("iam:*AccessKey*", "iam:deleteaccesskey", True),
        ("iam:*AccessKey*", "iam:listaccesskeys", True),
        ("*", "iam:listusers", True),
        ("iam:*", "iamx:listusers", False),
    ],
)
def test_actions(pattern: str, action: str, expected: bool) -> None:
    assert ActionPattern([pattern], negated=False).matches(action) is expected
    assert ActionPattern([pattern], negated=True).matches(action) is not expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "arn:aws:s3:::b", True),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/k/x", True),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b", False),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::B/k", False),
        ("arn:aws:s3:::b/test/?", "arn:aws:s3:::b/test/1", True),
        ("arn:aws:s3:::b/test/?", "arn:aws:s3:::b/test/12", False),
        ("arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/1/2/test/object.jpg", True),
        ("arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/test/object.jpg", False),
        ("arn:aws:s3:::b/*/x", "arn:aws:s3:::b/k:1/x", True),
        ("arn:aws:iam::*:user/bob", "arn:aws:iam::123456789012:user/bob", True),
        ("arn:aws:ec2:us-*-1:*:instance/*", "arn:aws:ec2:us-east-1:1:instance/i", True),
        ("arn:aws:ec2:us-*-1:*:instance/*", "arn:aws:ec2:us-a:b-1:1:instance/i", False),
        ("arn:aws:ec2:us-east-?:1:instance/*", "arn:aws:ec2:us-east-1:1:instance/i", True),
        ("arn:aws:ec2:us-east-?:1:instance/*", "arn:aws:ec2:us-east-::1:instance/i", False),
        ("arn:aws:ec2:u**1:*:instance/*", "arn:aws:ec2:us-east-1:1:instance/i", True),
        ("arn:aws:ec2:u**1:*:instance/*", "arn:aws:ec2:us:1:1:instance/i", False),
        ("arn:aws:ec2:*", "arn:aws:ec2:us-east-1:1:instance/i", True),
        ("arn:aws:ec2", "arn:aws:ec2:us-east-1:1:instance/i", False),
        ("arn:*:s3:::b", "arn:aws-cn:s3:::b", True),
        ("arn:aws:sqs:us-east-1:1:q", "*", False),
    ],
)
def test_resources(pattern: str, text: str, expected: bool) -> None:
    assert resource(pattern, text) is expected


def test_short_arns_of_control_policies_stand_for_all_that_follows() -> None:
    assert resource("arn:aws:ec2", "arn:aws:ec2:us-east-1:1:instance/i", expand=True) is True
    assert resource("arn:aws:ec2", "arn:aws:s3:::b", expand=True) is False


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/bob/k", True),
        ("arn:aws:s3:::b/${AWS:UserName}/*", "arn:aws:s3:::b/bob/k", True),
        ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/eve/k", False),
        ("arn:aws:s3:::b/${star}/k", "arn:aws:s3:::b/*/k", True),
        ("arn:aws:s3:::b/${star}/k", "arn:aws:s3:::b/bob/k", False),
        ("arn:aws:s3:::b/${nobody}/k", "arn:aws:s3:::b/${nobody}/k", None),
        ("arn:aws:s3:::b/${many}/k", "arn:aws:s3:::b/a/k", None),
        ("arn:aws:s3:::b/${nobody, 'all'}/k", "arn:aws:s3:::b/all/k", True),
        ("arn:aws:s3:::b/${aws:username, 'all'}/k", "arn:aws:s3:::b/all/k", False),
        ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/*", True),
        ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/x", False),
        ("arn:aws:s3:::b/${?}", "arn:aws:s3:::b/?", True),
        ("arn:aws:s3:::b/${$}{x}", "arn:aws:s3:::b/${x}", True),
        ("arn:aws:s3:::b/${colon}/*", "arn:aws:s3:::b/a:b/k", True),
        ("arn:aws:kms:us-east-1:${aws:username}:key/*", "arn:aws:kms:us-east-1:bob:key/k", False),
    ],
)
def test_variables_in_resources(pattern: str, text: str, expected: bool | None) -> None:
    assert resource(pattern, text) is expected


def test_older_versions_know_no_variables() -> None:
    assert resource("arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/bob", variables=False) is False
    assert resource("arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/${aws:username}", variables=False) is True


def test_wildcards_cost_no_more_than_their_length() -> None:
    """Each would take a backtracking matcher longer than anyone waits."""
    text = "a" * 2_000
    assert glob("*a" * 200 + "b")(text) is False
    assert glob("*a?" * 100 + "b")(text) is False
    assert resource("arn:aws:ec2:" + "*a" * 50 + "b:1:x", "arn:aws:ec2:" + text + ":1:x") is False


def test_the_memo_of_resolved_patterns_is_bounded() -> None:
    pattern = ResourcePattern("arn:aws:s3:::b/${k}", variables=True)
    for number in range(1_000):
        assert pattern.matches(f"arn:aws:s3:::b/{number}", {"k": str(number)}.get)
    assert len(pattern.memo) <= 256
