"""Global condition keys. Source: IAM User Guide, "AWS global condition context keys", its tables of when each key is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from garrison.core.context import Call
from garrison.core.operation import Target
from garrison.core.principal import ANONYMOUS, Principal, Session
from garrison.policy import GlobalContext, Value, global_context
from garrison.policy.conditions import compile_condition
from garrison.policy.context import AMBIGUOUS, fold_keys
from garrison.policy.document import Condition

ACCOUNT = "123456789012"
NOW = 1_700_000_000.75
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
ANN = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ann", "AIDAANN", "ann", tags={"Team": "red"})
SESSION = Session(NOW - 60, NOW + 60, ROLE, "AROAAPP", "app", "job", source_identity="Ann", mfa_at=NOW - 90)
JOB = Principal("assumed-role", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/app/job", "AROAAPP:job", "app", session=SESSION)
ANN_WITH_CODE = replace(ANN, session=Session(NOW - 60, NOW + 60, kind="session-token", mfa_at=NOW - 90))
ROOT = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
TRAIL = Principal("service", "", "", "", service="cloudtrail.amazonaws.com")
GUEST = Principal(
    "federated-user", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:federated-user/guest", f"{ACCOUNT}:guest", session=Session(0, 9)
)


def context(caller: Principal, **changes: Any) -> GlobalContext:
    situation: dict[str, Any] = {
        "call": Call("192.0.2.7", "aws-cli/2", "localhost", secure=True, referer="https://example.com/"),
        "target": Target("arn:aws:s3:::b", "210987654321", {"Stage": "Prod"}, keys={"s3:ResourceAccount": "210987654321"}),
        "extra": {"aws:RequestTag/Cost": "42", "kms:ViaService": "s3.us-east-1.amazonaws.com"},
    } | changes
    return global_context(
        caller, situation["call"], now=NOW, region="eu-west-1", target=situation["target"], extra=situation["extra"]
    )


@pytest.mark.parametrize(
    ("caller", "key", "value"),
    [
        (ANN, "aws:username", "ann"),
        (JOB, "aws:username", None),
        (ROOT, "aws:username", None),
        (GUEST, "aws:username", None),
        (ANN, "aws:userid", "AIDAANN"),
        (JOB, "aws:userid", "AROAAPP:job"),
        (ROOT, "aws:userid", ACCOUNT),
        (GUEST, "aws:userid", f"{ACCOUNT}:guest"),
        (ANONYMOUS, "aws:userid", "anonymous"),
        (ANN, "aws:principalarn", ANN.arn),
        (JOB, "aws:principalarn", ROLE),
        (ROOT, "aws:principalarn", ROOT.arn),
        (GUEST, "aws:principalarn", GUEST.arn),
        (ANN, "aws:principaltype", "User"),
        (JOB, "aws:principaltype", "AssumedRole"),
        (ROOT, "aws:principaltype", "Account"),
        (GUEST, "aws:principaltype", "FederatedUser"),
        (ANONYMOUS, "aws:principaltype", "Anonymous"),
        (ANN, "aws:principalaccount", ACCOUNT),
        (ANONYMOUS, "aws:principalaccount", "anonymous"),
        (ANN, "aws:principalisawsservice", False),
        (TRAIL, "aws:principalisawsservice", True),
        (TRAIL, "aws:principalservicename", "cloudtrail.amazonaws.com"),
        (ANN, "aws:principalservicename", None),
        (ANN, "aws:multifactorauthpresent", None),
        (ANN, "aws:multifactorauthage", None),
        (ANN_WITH_CODE, "aws:multifactorauthpresent", True),
        (ANN_WITH_CODE, "aws:multifactorauthage", 90),
        (JOB, "aws:multifactorauthpresent", False),  # AssumeRole's credentials "do not include MFA information in the context"
        (JOB, "aws:multifactorauthage", None),
        (GUEST, "aws:multifactorauthpresent", False),
        (GUEST, "aws:multifactorauthage", None),
        (ANN, "aws:tokenissuetime", None),
        (JOB, "aws:tokenissuetime", "2023-11-14T22:12:20Z"),
        (JOB, "aws:sourceidentity", "Ann"),
        (ANN, "aws:sourceidentity", None),
        (ANN, "aws:principaltag/team", "red"),
        (ANN, "aws:resourcetag/stage", "Prod"),
        (ANN, "aws:resourceaccount", "210987654321"),
        (ANN, "aws:requesttag/cost", "42"),
        (ANN, "aws:tagkeys", ["Cost"]),
        (ANN, "aws:sourceip", "192.0.2.7"),
        (ANN, "aws:useragent", "aws-cli/2"),
        (ANN, "aws:referer", "https://example.com/"),
        (ANN, "aws:securetransport", True),
        (ANN, "aws:requestedregion", "eu-west-1"),
        (ANN, "aws:currenttime", "2023-11-14T22:13:20Z"),
        (ANN, "aws:epochtime", 1_700_000_000),
        (ANN, "aws:viaawsservice", False),
        (ANN, "kms:viaservice", "s3.us-east-1.amazonaws.com"),
        (ANN, "s3:resourceaccount", "210987654321"),
        (ANN, "aws:nothing", None),
    ],
)
def test_keys(caller: Principal, key: str, value: Value | None) -> None:
    found = context(caller)
    assert found.get(key) == value
    assert found.get(key) == value  # the second answer is the remembered one
    assert found.get(key, "else") == ("else" if value is None else value)
    assert (key in found) is (value is not None)


def test_the_operations_keys_win() -> None:
    found = context(ANN, extra={"aws:ViaAWSService": True, "aws:TagKeys": ["a", "b"], "aws:RequestTag/c": "1"})
    assert found.get("aws:viaawsservice") is True
    assert found.get("aws:tagkeys") == ["a", "b"]


def test_of_two_keys_that_differ_by_case_alone_neither_counts() -> None:
    """IAM User Guide, aws:RequestTag and aws:ResourceTag: a key of either case, "but not both"."""
    both: dict[str, Value] = {"aws:RequestTag/Team": "red", "aws:RequestTag/team": "blue", "aws:RequestTag/Cost": "1"}
    both["aws:TagKeys"] = ["Team", "team", "Cost"]
    found = context(ANN, extra=both, target=Target("*", ACCOUNT, {"env": "prod", "ENV": "test", "a": "b"}))
    assert [found.get(name) for name in ("aws:requesttag/team", "aws:resourcetag/env")] == [AMBIGUOUS, AMBIGUOUS]
    assert [found.get(name) for name in ("aws:requesttag/cost", "aws:resourcetag/a")] == ["1", "b"]
    assert found.get("aws:tagkeys") == ["Team", "team", "Cost"]
    # A key of the operation still stands in the place of the target's own.
    target = Target("*", ACCOUNT, keys={"KMS:ViaService": "ec2.us-east-1.amazonaws.com"})
    assert context(ANN, target=target).get("kms:viaservice") == "s3.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("operator", "holds"),
    [
        ("StringEquals", False),
        ("StringEqualsIfExists", False),
        ("StringNotEquals", True),
        ("StringNotEqualsIfExists", True),
        ("ForAllValues:StringEquals", False),
        ("ForAnyValue:StringEquals", False),
    ],
)
def test_what_came_twice_equals_nothing_and_is_there(operator: str, holds: bool) -> None:
    """So an Allow on a value is not met, and a Deny of every other value is, whichever of the two came last."""
    for extra in (
        {"aws:RequestTag/Team": "a", "aws:RequestTag/team": "b"},
        {"aws:RequestTag/team": "b", "aws:RequestTag/Team": "a"},
    ):
        get = context(ANN, extra=extra).get
        for value in ("a", "b"):
            assert compile_condition(Condition(operator, "aws:RequestTag/team", (value,)), variables=True)(get) is holds
        assert compile_condition(Condition("Null", "aws:RequestTag/team", ("false",)), variables=True)(get)


def test_the_whole_context_can_be_listed() -> None:
    found = dict(context(JOB))
    assert found["aws:principalarn"] == ROLE
    assert found["kms:viaservice"] == "s3.us-east-1.amazonaws.com"
    assert len(found) == len(context(JOB))
    assert "" not in found
    assert None not in found.values()
    with pytest.raises(KeyError):
        context(JOB)["aws:username"]


def test_keys_are_folded() -> None:
    assert fold_keys({"aws:SourceIp": "192.0.2.7"}) == {"aws:sourceip": "192.0.2.7"}


def test_nothing_is_computed_before_it_is_asked_for() -> None:
    found = context(JOB)
    assert not found.found
    found.get("aws:username")
    assert "aws:currenttime" not in found.found


def test_what_is_known_is_what_came_with_the_request_or_was_read() -> None:
    found = context(ANN)
    before = found.known()
    assert before["kms:viaservice"] == "s3.us-east-1.amazonaws.com"
    assert "aws:username" not in before
    found.get("aws:username")
    found.get("aws:nothing")
    assert found.known() == before | {"aws:username": "ann"}
