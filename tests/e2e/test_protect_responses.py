"""What the application answers to attempts to sign in and up counts, with both transports: too many failures, and nobody tries on."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.fronts import Application, Front, eventually, protected
from tests.support.waf import visible, web_acl

pytestmark = pytest.mark.usefixtures("transport")
FIELDS = {
    "PayloadType": "FORM_ENCODED",
    "UsernameField": {"Identifier": "user"},
    "PasswordField": {"Identifier": "pass"},
}
FORM = [("Content-Type", "application/x-www-form-urlencoded")]
INSPECTIONS: dict[str, Mapping[str, Any]] = {
    "status": {"StatusCode": {"SuccessCodes": [200], "FailureCodes": [401]}},
    "header": {"Header": {"Name": "X-Login", "SuccessValues": ["yes"], "FailureValues": ["no"]}},
    "body": {"BodyContains": {"SuccessStrings": ["Welcome"], "FailureStrings": ["Wrong password"]}},
    "json": {"Json": {"Identifier": "/login/result", "SuccessValues": ["fine"], "FailureValues": ["bad"]}},
}


def acl(inspection: Mapping[str, Any], group: str = "ATP", path: str = "LoginPath") -> dict[str, Any]:
    name = f"AWSManagedRules{group}RuleSet"
    config = {path: "/login", "RequestInspection": FIELDS, "ResponseInspection": inspection}
    if group == "ACFP":
        config["RegistrationPagePath"] = "/register"
    statement: dict[str, Any] = {"VendorName": "AWS", "Name": name, "ManagedRuleGroupConfigs": [{name: config}]}
    if group == "ACFP":
        # Else who has no token never gets so far.
        names = ("AllRequests", "SignalClientHumanInteractivityAbsentLow")
        statement["RuleActionOverrides"] = [{"Name": each, "ActionToUse": {"Count": {}}} for each in names]
    rule = {"Name": group, "Priority": 0, "OverrideAction": {"None": {}}, "VisibilityConfig": visible(group)}
    return web_acl({**rule, "Statement": {"ManagedRuleGroupStatement": statement}})


def site(connection: socket.socket, request: bytes) -> None:
    """Every sign-in fails, in every way in which an application can say so; its answer is long, and says so near its beginning."""
    good = b"good" in request
    body = json.dumps({"login": {"result": "fine" if good else "bad"}, "said": "Welcome" if good else "Wrong password"}).encode()
    body += b" " * 70_000 if b"long" in request else b""
    status = b"200 OK" if good else b"401 Unauthorized"
    head = b"HTTP/1.1 %b\r\nx-login: %b\r\ncontent-length: %d\r\n\r\n" % (status, b"yes" if good else b"no", len(body))
    connection.sendall(head + body)


def sign_in(front: Front, number: int, word: str = "") -> int:
    body = f"user=u{number}&pass=p{number}{word}".encode()
    return front.ask("/login", method="POST", headers=FORM, body=body).status


@pytest.mark.parametrize("kind", INSPECTIONS)
def test_an_address_whose_sign_ins_fail_is_blocked(tmp_path: Path, kind: str):
    log = tmp_path / "log"
    options = ("--log", str(log), "--inspectors", "1")
    with protected(tmp_path, acl(INSPECTIONS[kind]), *options, application=Application(respond=site)) as (front, application):
        answers: list[int] = []

        def blocked() -> bool:
            answers.append(sign_in(front, len(answers) // 4, "long" if len(answers) % 2 else ""))
            return answers[-1] == 403

        eventually(blocked, 40)
        assert answers[:8] == [401] * 8
        assert len(application.requests) == len(answers) - 1
    assert blocked_by(log) == "VolumetricIpFailedLoginResponseHigh"


def blocked_by(log: Path) -> str:
    """The rule of the managed group that blocked first."""
    records = [json.loads(line) for line in log.read_text().splitlines()]
    first = next(each for each in records if each["action"] == "BLOCK")
    return str(first["ruleGroupList"][0]["terminatingRule"]["ruleId"])


def test_an_address_that_signs_up_too_often_is_blocked(tmp_path: Path):
    log = tmp_path / "log"
    options = ("--log", str(log), "--inspectors", "1")
    document = acl(INSPECTIONS["status"], "ACFP", "CreationPath")
    with protected(tmp_path, document, *options, application=Application(respond=site)) as (front, _):
        eventually(lambda: sign_in(front, 0, "good") == 403, 40)
    assert blocked_by(log) == "VolumetricIPSuccessfulResponse"


def test_what_succeeds_is_not_counted_as_a_failure(tmp_path: Path):
    with protected(tmp_path, acl(INSPECTIONS["status"]), application=Application(respond=site)) as (front, _):
        assert [sign_in(front, 1, "good") for _ in range(15)] == [200] * 15


def test_an_answer_arrives_whole_and_no_client_can_tell_of_one(tmp_path: Path):
    with protected(tmp_path, acl(INSPECTIONS["status"]), application=Application(respond=site)) as (front, application):
        answer = front.ask("/login", method="POST", headers=FORM, body=b"user=u&pass=long")
        assert (answer.status, len(answer.body) > 70_000) == (401, True)
        assert not [name for name, _ in answer.headers if name.startswith("x-garrison")]
        forged = [("X-Garrison-Watch", "W10="), ("X-Garrison-Response", "Cg==")]
        for _ in range(30):
            assert front.ask("/answered", method="POST", headers=forged, body=b"x").status == 401
        assert not [each for each in application.requests if b"x-garrison" in each]
        assert sign_in(front, 1, "good") == 200
