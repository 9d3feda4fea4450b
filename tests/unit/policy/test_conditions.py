"""Condition operators. Expected answers from IAM User Guide, "Condition operators", "Set operators for multivalued context keys" and
the examples there; each case is asked of the compiled condition and of the reference evaluator."""

from __future__ import annotations

import json
from typing import Any

import pytest

from garrison.policy import MalformedPolicy, PolicyInputs, PolicySet, Request, Value, authorize, compile_policy, fold_keys
from garrison.policy.conditions import parse_operator
from garrison.policy.reference import reference_authorize
from tests.support.policies import PRINCIPALS

USER = PRINCIPALS[1]


def holds(condition: dict[str, Any], **keys: Value) -> bool:
    """Whether a condition holds where the request has ``keys``; ``aws__X`` stands for ``aws:X``."""
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
    policy = compile_policy(json.dumps({"Version": "2012-10-17", "Statement": statement}), "identity")
    context = fold_keys({key.replace("__", ":").replace("_IN_", "/"): value for key, value in keys.items()})
    request = Request("s3:GetObject", "*", USER.account, USER, context)
    inputs = PolicyInputs(PolicySet([policy]))
    decision = authorize(request, inputs)
    assert not decision.errors
    assert (decision.outcome, decision.decided_by) == reference_authorize(request, inputs)
    return decision.allowed


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "expected"),
    [
        ("StringEquals", "ann", "ann", True),
        ("StringEquals", "ann", "Ann", False),
        ("StringEquals", "a*", "ann", False),
        ("StringEquals", "a*", "a*", True),
        ("StringEquals", ["x", "ann"], "ann", True),
        ("StringEquals", [], "ann", False),
        ("StringNotEquals", ["x", "ann"], "ann", False),
        ("StringNotEquals", ["x", "y"], "ann", True),
        ("StringEqualsIgnoreCase", "ANN", "ann", True),
        ("StringEqualsIgnoreCase", "ann", "ANN", True),
        ("StringNotEqualsIgnoreCase", "ANN", "ann", False),
        ("StringLike", "a?n*", "anna", True),
        ("StringLike", "A*", "anna", False),
        ("StringNotLike", "a*", "anna", False),
        ("stringlike", "a*", "anna", True),
        ("NumericEquals", "10", 10, True),
        ("NumericEquals", "10.0", "10", True),
        ("NumericNotEquals", "10", 11, True),
        ("NumericLessThan", "10", 9.5, True),
        ("NumericLessThan", "10", 10, False),
        ("NumericLessThanEquals", "10", 10, True),
        ("NumericGreaterThan", "9", "10", True),
        ("NumericGreaterThanEquals", "10", 9, False),
        ("NumericLessThan", ["1", "20"], 10, True),
        ("NumericLessThan", "10", "many", False),
        ("NumericNotEquals", "10", "many", True),
        ("DateGreaterThan", "2013-06-30T00:00:00Z", "2013-06-30T00:00:01Z", True),
        ("DateGreaterThan", "2013-06-30T00:00:00Z", 1372550401, True),
        ("DateGreaterThan", "2013-06-30T00:00:00Z", 1372550400, False),
        ("DateGreaterThanEquals", "1372550400", "2013-06-30", True),
        ("DateLessThan", "2013-06-30T00:00:00Z", "2013-06-29T23:59:59Z", True),
        ("DateLessThanEquals", "2013-06-30T00:00:00Z", "2013-06-30T02:00:00+02:00", True),
        ("DateEquals", "2013-06-30", "2013-06-30T00:00:00Z", True),
        ("DateNotEquals", "2013-06-30", "2013-06-30T00:00:00Z", False),
        ("Bool", "true", True, True),
        ("Bool", "TRUE", "true", True),
        ("Bool", True, False, False),
        ("Bool", "false", False, True),
        ("BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", b"BinaryValueInBase64", True),
        ("BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", b"other", False),
        ("IpAddress", "203.0.113.0/24", "203.0.113.9", True),
        ("IpAddress", "203.0.113.0/24", "203.0.114.9", False),
        ("IpAddress", ["203.0.113.0/24", "2001:DB8:1234:5678::/64"], "2001:db8:1234:5678::9", True),
        ("IpAddress", "203.0.113.9", "203.0.113.9", True),
        ("IpAddress", "203.0.113.0/24", "::ffff:203.0.113.9", True),
        ("NotIpAddress", "203.0.113.0/24", "203.0.113.9", False),
        ("NotIpAddress", ["203.0.113.0/24", "198.51.100.0/24"], "192.0.2.1", True),
        ("ArnEquals", "arn:aws:sns:*:123456789012:t*", "arn:aws:sns:us-east-1:123456789012:topic", True),
        ("ArnLike", "arn:aws:sns:us-east-1:123456789012:t?pic", "arn:aws:sns:us-east-1:123456789012:topic", True),
        ("ArnLike", "arn:aws:sns:*", "arn:aws:sns:us-east-1:123456789012:topic", False),
        ("ArnLike", "arn:aws:sns:*:topic", "arn:aws:sns:us-east-1:123456789012:topic", False),
        ("ArnLike", "arn:aws:iam::*:user/a:*", "arn:aws:iam::1:user/a:b:c", True),
        ("ArnLike", "arn:aws:sns:*:*:*", "topic", False),
        ("ArnNotEquals", "arn:aws:sns:*:123456789012:t*", "arn:aws:sns:us-east-1:123456789012:topic", False),
        ("ArnNotLike", "arn:aws:sns:*:*:x", "arn:aws:sns:us-east-1:123456789012:topic", True),
    ],
)
def test_single_values(operator: str, wanted: Any, value: Value, expected: bool) -> None:
    assert holds({operator: {"k:x": wanted}}, k__x=value) is expected
    assert holds({operator + "IfExists": {"K:X": wanted}}, k__x=value) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringLike", False),
        ("NumericLessThan", False),
        ("DateGreaterThan", False),
        ("Bool", False),
        ("BinaryEquals", False),
        ("IpAddress", False),
        ("ArnLike", False),
        ("StringNotEquals", True),
        ("StringNotEqualsIgnoreCase", True),
        ("StringNotLike", True),
        ("NumericNotEquals", True),
        ("DateNotEquals", True),
        ("NotIpAddress", True),
        ("ArnNotEquals", True),
        ("ArnNotLike", True),
    ],
)
def test_an_absent_key(operator: str, expected: bool) -> None:
    family = operator.replace("Not", "")
    wanted = {"Nu": "1", "Da": "2013-06-30", "Bo": "true", "Bi": "YWJj", "Ip": "192.0.2.0/24"}.get(family[:2], "x")
    assert holds({operator: {"k:x": wanted}}) is expected
    assert holds({operator + "IfExists": {"k:x": wanted}}) is True
    assert holds({"ForAllValues:" + operator: {"k:x": wanted}}) is True
    assert holds({"ForAnyValue:" + operator: {"k:x": wanted}}) is False
    assert holds({"ForAnyValue:" + operator + "IfExists": {"k:x": wanted}}) is True


def test_null_asks_whether_the_key_is_there() -> None:
    assert holds({"Null": {"aws:TokenIssueTime": "true"}})
    assert not holds({"Null": {"aws:TokenIssueTime": "true"}}, aws__TokenIssueTime="2024-01-01T00:00:00Z")
    assert holds({"Null": {"aws:TokenIssueTime": "false"}}, aws__TokenIssueTime="2024-01-01T00:00:00Z")
    assert not holds({"Null": {"aws:TagKeys": "false"}}, aws__TagKeys=[])
    assert holds({"Null": {"aws:SecureTransport": False}}, aws__SecureTransport=False)


@pytest.mark.parametrize(
    ("operator", "asked", "expected"),
    [
        # the guide's example: the policy names cost-center and environment
        ("ForAllValues:StringEquals", ["environment", "cost-center"], True),
        ("ForAllValues:StringEquals", ["environment"], True),
        ("ForAllValues:StringEquals", ["environment", "dept"], False),
        ("ForAllValues:StringEquals", [], True),
        ("ForAllValues:StringEquals", "", True),
        ("ForAllValues:StringEquals", "environment", True),
        ("ForAnyValue:StringEquals", ["dept", "environment"], True),
        ("ForAnyValue:StringEquals", ["dept"], False),
        ("ForAnyValue:StringEquals", [], False),
        ("ForAllValues:StringNotEquals", ["dept", "stack"], True),
        ("ForAllValues:StringNotEquals", ["dept", "environment"], False),
        ("ForAnyValue:StringNotEquals", ["dept", "environment"], True),
        ("ForAnyValue:StringNotEquals", ["cost-center", "environment"], False),
        ("StringEquals", ["environment"], False),
        ("StringNotEquals", ["dept"], False),
        ("StringEqualsIfExists", ["environment"], False),
    ],
)
def test_multivalued_keys(operator: str, asked: Value, expected: bool) -> None:
    assert holds({operator: {"aws:TagKeys": ["cost-center", "environment"]}}, aws__TagKeys=asked) is expected


def test_operators_and_keys_all_hold_or_the_condition_fails() -> None:
    condition = {"StringEquals": {"k:a": "1", "k:b": ["2", "3"]}, "Bool": {"k:c": "true"}}
    assert holds(condition, k__a="1", k__b="3", k__c=True)
    assert not holds(condition, k__a="1", k__b="3", k__c=False)
    assert not holds(condition, k__a="1", k__b="4", k__c=True)
    assert not holds(condition, k__b="2", k__c=True)


def test_condition_keys_are_the_same_in_any_case() -> None:
    assert holds({"StringEquals": {"AWS:PrincipalTag/TEAM": "red"}}, aws__principaltag_IN_team="red")


@pytest.mark.parametrize(
    ("condition", "keys", "expected"),
    [
        ({"StringEquals": {"k:x": "${aws:username}"}}, {"k__x": "ann", "aws__username": "ann"}, True),
        ({"StringEquals": {"k:x": "home/${aws:username}/a"}}, {"k__x": "home/ann/a", "aws__username": "ann"}, True),
        ({"StringEqualsIgnoreCase": {"k:x": "${aws:username}"}}, {"k__x": "ANN", "aws__username": "ann"}, True),
        ({"StringLike": {"k:x": "home/${aws:username}/*"}}, {"k__x": "home/ann/a/b", "aws__username": "ann"}, True),
        ({"StringLike": {"k:x": "home/${aws:username}/*"}}, {"k__x": "home/x/ann/b", "aws__username": "*"}, False),
        ({"StringLike": {"k:x": "home/${aws:username}/*"}}, {"k__x": "home/*/b", "aws__username": "*"}, True),
        ({"StringLike": {"k:x": "a${*}"}}, {"k__x": "ab"}, False),
        ({"StringLike": {"k:x": "a${*}"}}, {"k__x": "a*"}, True),
        (
            {"ArnLike": {"k:x": "arn:aws:iam::*:user/${aws:username}"}},
            {"k__x": "arn:aws:iam::1:user/ann", "aws__username": "ann"},
            True,
        ),
        ({"Bool": {"k:x": "${aws:SecureTransport}"}}, {"k__x": True, "aws__SecureTransport": True}, True),
        ({"StringEquals": {"k:x": "${nobody}"}}, {"k__x": "${nobody}"}, False),
        ({"StringEquals": {"k:x": ["${nobody}", "ann"]}}, {"k__x": "ann"}, True),
        ({"StringNotEquals": {"k:x": "${nobody}"}}, {"k__x": "ann"}, False),
        ({"StringNotEquals": {"k:x": ["${nobody}", "x"]}}, {"k__x": "ann"}, False),
        ({"StringEquals": {"k:x": "${nobody, 'ann'}"}}, {"k__x": "ann"}, True),
        ({"StringEquals": {"k:x": "${aws:TagKeys}"}}, {"k__x": "ann", "aws__TagKeys": ["ann"]}, False),
    ],
)
def test_variables_in_values(condition: dict[str, Any], keys: dict[str, Value], expected: bool) -> None:
    assert holds(condition, **keys) is expected


def test_operators_without_variables_take_them_as_text() -> None:
    with pytest.raises(MalformedPolicy):
        holds({"NumericEquals": {"k:x": "${k:y}"}}, k__x=1, k__y=1)


@pytest.mark.parametrize(
    "name", ["", "String", "Not", "ForAnyValue:", "StringEqualsIfExistsIfExists", "NullIfExists", "ForAnyValue:Null"]
)
def test_operators_that_do_not_exist(name: str) -> None:
    assert parse_operator(name) is None
