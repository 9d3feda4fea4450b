from __future__ import annotations

import contextlib
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from garrison.policy import (
    Grant,
    Granted,
    MalformedPolicy,
    PolicyInputs,
    PolicyKind,
    PolicySet,
    Request,
    Value,
    authorize,
    compile_policy,
    parse_policy,
)
from garrison.policy.match import ResourcePattern, glob
from garrison.policy.reference import reference_authorize
from tests.support.policies import MINE, PRINCIPALS, World, policies, requests, statements, worlds

KINDS: tuple[PolicyKind, ...] = ("identity", "resource", "trust", "boundary", "session", "scp", "rcp")


GRANTED = st.none() | st.builds(Granted, st.just("g"), st.sampled_from(Grant), st.booleans())


@given(worlds(), st.lists(requests(), min_size=20, max_size=20), GRANTED)
def test_the_fast_and_the_slow_evaluator_agree(world: World, asked: list[Request], granted: Granted | None) -> None:
    for request in asked:
        fast = authorize(
            request,
            world.inputs,
            resource_policy=world.resource_policy,
            resource_policy_decides=world.resource_policy_decides,
            rcps=world.rcps,
            grants=lambda _request: granted,  # the same for every request
        )
        slow = reference_authorize(
            request,
            world.inputs,
            resource_policy=world.resource_policy,
            resource_policy_decides=world.resource_policy_decides,
            rcps=world.rcps,
            grants=lambda _request: granted,  # the same for every request
        )
        assert not fast.errors
        assert (fast.outcome, fast.decided_by) == (slow.outcome, slow.decided_by)


@given(st.text("ab:*?/${}x', ", max_size=14), st.text("ab:/x*", max_size=14), st.sampled_from(("a", "a:b", "*", "", None)))
@example("*a*:b/${x}*", "aa::b/*", "*")
@example("a?:*:*/${x, 'b'}${*}", "ab::/b*", None)
def test_resource_patterns_agree(pattern: str, resource: str, value: str | None) -> None:
    """The compiled pattern against the reference, for patterns of any form and in both readings of a short ARN."""
    kinds: tuple[PolicyKind, ...] = ("identity", "scp")
    for kind in kinds:
        text = "arn:aws:v:" + pattern
        statement = {"Effect": "Allow", "Action": "*", "Resource": text}
        try:
            policy = compile_policy(json.dumps({"Version": "2012-10-17", "Statement": statement}), kind)
        except MalformedPolicy:
            return
        request = Request("v:Do", "arn:aws:v:" + resource, MINE, PRINCIPALS[1], {} if value is None else {"x": value})
        inputs = PolicyInputs(PolicySet([policy]))
        decision = authorize(request, inputs)
        assert not decision.errors
        assert (decision.outcome, decision.decided_by) == reference_authorize(request, inputs)


@given(
    st.sampled_from(("StringLike", "StringNotLike", "ArnLike", "ArnNotEquals", "StringEquals", "ForAnyValue:StringLike")),
    st.lists(st.text("ab:*?${}x', ", max_size=10), max_size=3),
    st.text("ab:*", max_size=10) | st.lists(st.text("ab:*", max_size=6), max_size=3),
    st.sampled_from(("a", "b:a", "*", "", None)),
)
@example("ArnLike", ["a:*:?:${x}:b:*"], "a:bb:a:b:a:b:c", "b:a")
def test_values_of_conditions_agree(operator: str, wanted: list[str], value: Any, variable: str | None) -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {operator: {"k": wanted}}}
    policy = compile_policy(json.dumps({"Version": "2012-10-17", "Statement": statement}), "identity")
    context: dict[str, Value] = {"k": value} if variable is None else {"k": value, "x": variable}
    request = Request("v:Do", "*", MINE, PRINCIPALS[1], context)
    inputs = PolicyInputs(PolicySet([policy]))
    decision = authorize(request, inputs)
    assert not decision.errors
    assert (decision.outcome, decision.decided_by) == reference_authorize(request, inputs)


@given(st.text("0123456789-+:.TtZz", max_size=26), st.sampled_from(("2024-02-29T12:00:00Z", "1709208000", "-400-01-01", "2024")))
@example("2024-02-30", "2024-03-01")
@example("-0-1", "2024")
def test_dates_agree(value: str, wanted: str) -> None:
    for operator in ("DateLessThan", "DateEquals", "DateGreaterThan"):
        statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {operator: {"k": wanted}}}
        policy = compile_policy(json.dumps({"Version": "2012-10-17", "Statement": statement}), "identity")
        request = Request("v:Do", "*", MINE, PRINCIPALS[1], {"k": value})
        inputs = PolicyInputs(PolicySet([policy]))
        decision = authorize(request, inputs)
        assert not decision.errors
        assert (decision.outcome, decision.decided_by) == reference_authorize(request, inputs)


@given(st.text("ab:*?/", max_size=12), st.text("ab:/", max_size=16))
@example("*a*a*a*a*", "aaaaaaaa")
def test_globs_match_as_the_table_of_prefixes_does(pattern: str, text: str) -> None:
    assert glob(pattern)(text) == _table(pattern, text)


def _table(pattern: str, text: str) -> bool:
    reached = {0}
    for character in text:
        stepped: set[int] = set()
        for at in _closure(pattern, reached):
            if at < len(pattern) and pattern[at] == "*":
                stepped.add(at)
            elif at < len(pattern) and pattern[at] in ("?", character):
                stepped.add(at + 1)
        reached = stepped
    return len(pattern) in _closure(pattern, reached)


def _closure(pattern: str, places: set[int]) -> set[int]:
    found = set(places)
    for at in sorted(places):
        while at < len(pattern) and pattern[at] == "*":
            at += 1  # noqa: PLW2901 - walks on from each place
            found.add(at)
    return found


@given(policies("identity"), requests())
def test_the_index_loses_no_statement(policy: Any, request: Request) -> None:
    """What the buckets find first is found by asking every statement, and the other way round."""
    for which, deny in ((0, True), (1, False)):
        bucket = policy.alone.buckets(request.action)[which]
        found = bucket.first(request.resource, request.context.get)
        every = [
            statement
            for statement in policy.statements
            if statement.deny is deny
            and statement.action.matches(request.action.lower())
            and statement.applies(request.resource, request.context.get)
        ]
        assert (found is not None) == bool(every)
        assert found is None or found in every


@given(st.text("ar n:s3*?/${}", max_size=30), st.text("arn:s3/x", max_size=30))
def test_a_plain_start_never_loses_a_match(pattern: str, resource: str) -> None:
    compiled = ResourcePattern(pattern, variables=True)
    if compiled.matches(resource, lambda _key: None):
        assert compiled.exact is None or compiled.exact == resource
        assert compiled.head is None or compiled.head == resource.partition("/")[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(("*", "Allow", "s3:Get*")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("Statement", "Effect", "Action", "Principal", "AWS", "Condition", "StringEquals")), inner
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(KINDS), JSON | st.fixed_dictionaries({"Version": st.just("2012-10-17"), "Statement": JSON}))
def test_any_json_is_a_policy_or_malformed(kind: PolicyKind, value: Any) -> None:
    with contextlib.suppress(MalformedPolicy):
        compile_policy(json.dumps(value), kind)


@given(st.sampled_from(KINDS), st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "replace")))
def test_any_text_is_a_policy_or_malformed(kind: PolicyKind, text: str) -> None:
    with contextlib.suppress(MalformedPolicy):
        compile_policy(text, kind)


@given(st.data())
def test_a_policy_with_one_damaged_place_is_a_policy_or_malformed(data: st.DataObject) -> None:
    damageable: tuple[PolicyKind, ...] = ("identity", "resource", "scp")
    kind = data.draw(st.sampled_from(damageable))
    text = json.dumps({"Version": "2012-10-17", "Statement": [data.draw(statements(kind))]})
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:at] + data.draw(st.text(max_size=2)) + text[at + 1 :]
    with contextlib.suppress(MalformedPolicy):
        compile_policy(damaged, kind)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"Statement":' * 50_000,
        '{"Version":"2012-10-17","Statement":[' + "[" * 100_000,
        "1" * 100_000,
        '{"Id":' + "9" * 99_999 + "}",
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_deep_and_huge_documents_are_malformed(text: str, kind: PolicyKind) -> None:
    with pytest.raises(MalformedPolicy):
        parse_policy(text, kind)


def test_generated_worlds_reach_every_outcome() -> None:
    """The agreement above would mean little if all requests were denied for the same reason."""
    seen: Counter[tuple[str, str]] = Counter()

    @settings(max_examples=150, derandomize=True)
    @given(worlds(), st.lists(requests(), min_size=20, max_size=20))
    def collect(world: World, asked: list[Request]) -> None:
        for request in asked:
            decision = authorize(
                request,
                world.inputs,
                resource_policy=world.resource_policy,
                resource_policy_decides=world.resource_policy_decides,
                rcps=world.rcps,
            )
            seen[decision.outcome, decision.decided_by] += 1

    collect()
    kinds = {"identity", "resource", "boundary", "session", "scp"}
    assert {by for outcome, by in seen if outcome == "allowed"} == {"identity", "resource", "root", "trust"}
    assert {by for outcome, by in seen if outcome == "implicitDeny"} >= kinds
    assert {by for outcome, by in seen if outcome == "explicitDeny"} >= kinds
