"""Documents made to break what reads them: each gets AWS's error, never an internal one, and leaves its event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from garrison.core.http import Response
from tests.support.inprocess import InProcess
from tests.support.wafv2 import ALLOW, SCOPE, match, visible

TARGET = "AWSWAF_20190729"
LEAF = {"ByteMatchStatement": {**match()["ByteMatchStatement"], "SearchString": "eA=="}}


@pytest.fixture(scope="module")
def process() -> Iterator[InProcess]:
    made = InProcess()
    yield made
    made.close()


def ask(process: InProcess, operation: str, text: str) -> Response:
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"{TARGET}.{operation}"}
    return process.send(process.signed("wafv2", text.encode(), headers))


def body(operation: str, statement: str) -> str:
    """A request with one rule of this statement, as JSON text: deeper than ``json.dumps`` goes."""
    members: dict[str, Any] = {"Scope": SCOPE}
    if operation != "CheckCapacity":
        members |= {"Name": "hostile", "VisibilityConfig": visible()}
        members |= {"Capacity": 500} if operation == "CreateRuleGroup" else {"DefaultAction": ALLOW}
    head = json.dumps(members)[:-1]
    rule = json.dumps({"Name": "one", "Priority": 0, "Action": {"Block": {}}, "VisibilityConfig": visible()})[:-1]
    return f'{head}, "Rules": [{rule}, "Statement": {statement}}}]}}'


def nots(depth: int) -> str:
    return '{"NotStatement": {"Statement": ' * depth + json.dumps(LEAF) + "}}" * depth


def ands(depth: int) -> str:
    return '{"AndStatement": {"Statements": [' * depth + json.dumps(LEAF) + f", {json.dumps(LEAF)}]}}}}" * depth


@pytest.mark.parametrize("operation", ["CheckCapacity", "CreateWebACL", "CreateRuleGroup"])
@pytest.mark.parametrize("depth", [60, 95, 200, 300, 400, 470, 2000, 50_000])
def test_a_deep_statement_is_refused(process: InProcess, operation: str, depth: int):
    before = len(process.events())
    for statement in (nots(depth), ands(depth)) if depth < 50_000 else (nots(depth),):
        answer = ask(process, operation, body(operation, statement))
        code = json.loads(answer.body)["__type"]
        assert (answer.status, code) in {(400, "WAFInvalidParameterException"), (400, "SerializationException")}, answer.body
    assert len(process.events()) > before


@pytest.mark.parametrize("make", [nots, ands])
def test_the_deepest_statement_is_taken(process: InProcess, make: Any):
    answer = ask(process, "CheckCapacity", body("CheckCapacity", make(49)))
    assert answer.status == 200, answer.body
    made = ask(process, "CreateWebACL", body("CreateWebACL", make(49)).replace('"hostile"', f'"{make.__name__}"'))
    arn = json.loads(made.body)["Summary"]["ARN"]
    shown = json.loads(ask(process, "GetWebACL", json.dumps({"ARN": arn})).body)["WebACL"]["Rules"][0]["Statement"]
    assert shown == json.loads(make(49))
    assert process.last_event()["eventName"] == "GetWebACL"


@pytest.mark.parametrize(
    "statement",
    [
        '{"DetectorStatement": {"Name": "x"}}',
        '{"RequestDetectorStatement": {"Name": "AWSManagedIPReputationList"}}',
        "{}",
        '{"NotStatement": {"Statement": {}}}',
        '{"RateBasedStatement": {"Limit": 2000000000, "AggregateKeyType": "CUSTOM_KEYS"}}',
        '{"GeoMatchStatement": {}}',
    ],
)
def test_what_the_engine_could_not_run_is_refused(process: InProcess, statement: str):
    for operation in ("CheckCapacity", "CreateWebACL"):
        answer = ask(process, operation, body(operation, statement))
        assert (answer.status, json.loads(answer.body)["__type"]) == (400, "WAFInvalidParameterException"), answer.body
