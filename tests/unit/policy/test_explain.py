from __future__ import annotations

import json

from garrison.core.principal import Principal
from garrison.policy import (
    Explanation,
    PolicyInputs,
    PolicySet,
    Request,
    authorize,
    compile_policy,
    explain,
    fold_keys,
)
from tests.support.policies import MINE, OTHER, USER

ANN = Principal("user", MINE, USER, "AIDAANN", "ann")
IDENTITY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Office",
                "Effect": "Allow",
                "Action": "s3:Get*",
                "Resource": "arn:aws:s3:::data/*",
                "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "Bool": {"aws:MultiFactorAuthPresent": "true"}},
            },
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::other/*"},
            {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"},
        ],
    },
)
BUCKET = json.dumps({"Statement": {"Effect": "Allow", "Principal": {"AWS": MINE}, "Action": "s3:*", "Resource": "*"}})


def explained(address: str, **keys: bool) -> Explanation:
    context = fold_keys({"aws:SourceIp": address, **{f"aws:{key}": value for key, value in keys.items()}})
    inputs = PolicyInputs(PolicySet([compile_policy(IDENTITY, "identity", name="Readers")]))
    bucket = compile_policy(BUCKET, "resource", id="bucket")
    return explain(authorize(Request("s3:GetObject", "arn:aws:s3:::data/x", MINE, ANN, context), inputs, resource_policy=bucket))


def test_each_element_of_each_statement_is_reported() -> None:
    bucket, office, other, servers = explained("192.0.2.1").statements
    assert (bucket.principal, bucket.applies) == ("by its account", True)
    assert (office.action, office.resource, office.principal, office.applies) == (True, True, None, False)
    assert [(found.key, found.actual, found.matched) for found in office.conditions] == [
        ("aws:SourceIp", "192.0.2.1", False),
        ("aws:MultiFactorAuthPresent", None, False),
    ]
    assert (other.action, other.resource) == (True, False)
    assert (servers.action, servers.applies) == (False, False)


def test_the_deciding_statements_are_marked() -> None:
    found = explained("10.1.1.1", MultiFactorAuthPresent=True)
    assert found.decision.allowed
    assert [report.ref.policy_id for report in found.statements if report.decided] == ["bucket", "Readers"]


def test_a_statement_that_names_somebody_else_does_not_apply() -> None:
    other = compile_policy(BUCKET.replace(MINE, OTHER), "resource")
    report = explain(authorize(Request("s3:GetObject", "*", MINE, ANN, {}), PolicyInputs(), resource_policy=other)).statements[0]
    assert (report.action, report.resource, report.principal, report.applies) == (True, True, "no", False)


def test_as_json() -> None:
    found = explained("192.0.2.1").as_json()
    assert json.loads(json.dumps(found)) == found
    assert (found["outcome"], found["decidedBy"]) == ("implicitDeny", "identity-based policy")
    assert found["missingKeys"] == ["aws:MultiFactorAuthPresent"]
    condition = found["statements"][1]["conditions"][0]
    assert condition == {
        "operator": "IpAddress",
        "key": "aws:SourceIp",
        "expected": ["10.0.0.0/8"],
        "actual": "192.0.2.1",
        "matched": False,
    }


def test_as_text() -> None:
    assert explained("192.0.2.1").as_text().splitlines() == [
        f"implicitDeny (identity-based policy): {USER} s3:GetObject arn:aws:s3:::data/x",
        "- Allow in resource bucket, statement 1, line 1: applies",
        "    names the caller: by its account",
        "- Allow in identity Readers, statement 1 (Office), line 1: does not apply",
        "    IpAddress aws:SourceIp fails: wants '10.0.0.0/8', is '192.0.2.1'",
        "    Bool aws:MultiFactorAuthPresent fails: wants 'true', is absent",
        "- Allow in identity Readers, statement 2, line 1: does not apply",
        "    resource does not match",
        "1 more statements do not speak of s3:GetObject",
        "keys that the request lacks: aws:MultiFactorAuthPresent",
    ]
