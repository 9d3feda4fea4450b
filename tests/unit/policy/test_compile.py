from __future__ import annotations

import json
from typing import Any

import pytest

from garrison.policy import MalformedPolicy, PolicySet, compile_policy, parse_policy
from garrison.policy.compile import Bucket, CompiledStatement


def nothing(_key: str) -> None:
    return None


def compiled(*resources: Any, effect: str = "Allow", **elements: Any) -> list[CompiledStatement]:
    statements = [{"Effect": effect, "Action": "s3:*", "Resource": resource} | elements for resource in resources]
    return list(compile_policy(json.dumps({"Version": "2012-10-17", "Statement": statements}), "identity").statements)


def test_a_bucket_looks_only_at_what_could_match() -> None:
    """The cost of a decision follows the candidates, not the statements: a thousand buckets, two candidates."""
    statements = compiled(*[f"arn:aws:s3:::bucket-{number}/*" for number in range(1_000)], "arn:aws:s3:::*/shared")
    found = Bucket(statements).candidates("arn:aws:s3:::bucket-7/key")
    assert [statement.source.resources for statement in found] == [("arn:aws:s3:::*/shared",), ("arn:aws:s3:::bucket-7/*",)]


@pytest.mark.parametrize(
    ("resource", "resources"),
    [
        ("arn:aws:s3:::b", {("arn:aws:s3:::b",)}),
        ("arn:aws:s3:::b/x", {("arn:aws:s3:::b/*",), ("arn:aws:s3:::b/${aws:username}",)}),
        ("arn:aws:s3:::c/x", {("arn:aws:s3:::c/x", "arn:aws:s3:::c/y/*")}),
    ],
)
def test_the_index_by_resource(resource: str, resources: set[tuple[str, ...]]) -> None:
    statements = compiled(
        "arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:aws:s3:::b/${aws:username}", ["arn:aws:s3:::c/x", "arn:aws:s3:::c/y/*"]
    )
    assert {statement.source.resources for statement in Bucket(statements).candidates(resource)} == resources


def test_a_statement_without_limits_needs_no_search() -> None:
    statements = compiled("arn:aws:s3:::b", "*")
    bucket = Bucket(statements)
    assert bucket.free is statements[1]
    assert bucket.first("arn:aws:s3:::c", nothing) is statements[1]
    assert Bucket(compiled("*", Condition={"Bool": {"a": "true"}})).free is None


def test_actions_are_found_in_any_case_and_remembered() -> None:
    policies = PolicySet(
        [
            compile_policy(
                json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "S3:Get*", "Resource": "*"}}),
                "identity",
            )
        ]
    )
    assert not policies.buckets("s3:GETOBJECT")[0].empty
    assert policies.buckets("s3:GETOBJECT") is policies.buckets("s3:GETOBJECT")
    assert policies.buckets("s3:PutObject")[0].empty


def test_what_is_remembered_is_bounded() -> None:
    policy = compiled("*")[0]
    policies = PolicySet(
        [compile_policy('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}', "identity")]
    )
    for number in range(5_000):
        assert policies.buckets(f"made:up{number}")[1].free is not None
    assert len(policies._memo) <= 2048
    assert len(policies.policies[0]._memo) <= 2048
    assert policy.free


def test_a_reference_finds_the_statement_again() -> None:
    text = '{"Version":"2012-10-17","Id":"x","Statement":[{"Sid":"A","Effect":"Deny","Action":"*","Resource":"*"}]}'
    ref = compile_policy(text, "scp", arn="arn:aws:organizations::1:policy/p", name="Guard", attached_to="ou-1").statements[0].ref
    assert (ref.kind, ref.policy_id, ref.policy_name, ref.attached_to) == ("scp", "x", "Guard", "ou-1")
    assert (ref.sid, ref.index, ref.effect, ref.start.line) == ("A", 0, "Deny", 1)


def test_a_document_is_compiled_as_what_it_was_parsed_for() -> None:
    text = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
    with pytest.raises(ValueError, match="identity policy is no scp policy"):
        compile_policy(parse_policy(text, "identity"), "scp")
    with pytest.raises(MalformedPolicy):
        compile_policy("{}", "identity")
