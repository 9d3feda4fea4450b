from __future__ import annotations

import json
from typing import Any

import pytest

from garrison.edge.inspect import RateTable
from garrison.edge.inspect.managed.catalog import Catalog
from garrison.edge.proxy.checks import Checker
from garrison.edge.proxy.exchange import Question
from garrison.edge.proxy.judge import Judge
from garrison.edge.proxy.policies import read_acl
from tests.support.fronts import ACL

IP_SET = "arn:aws:wafv2:us-east-1:000000000000:regional/ipset/bad/1"
RULE = {
    "Name": "ip", "Priority": 99, "Action": {"Block": {}}, "Statement": {"IPSetReferenceStatement": {"ARN": IP_SET}},
    "VisibilityConfig": {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "ip"},
}  # fmt: skip
WHOLE = {"WebACL": {**ACL, "Rules": [*ACL["Rules"], RULE]}, "IPSets": [{"ARN": IP_SET, "Addresses": ["198.51.100.0/24"]}]}


@pytest.fixture(scope="module")
def checker() -> Checker:
    policy = read_acl(json.dumps(WHOLE), Catalog(compiled=False)).compile(None)
    return Checker(Judge(policy, RateTable(), "http", undo_codings=False), fail_open=False)


def nginx(method: str = "GET", target: str = "/", address: str = "192.0.2.1", *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [
        ("X-Original-Method", method),
        ("X-Original-URI", target),
        ("X-Real-IP", address),
        ("Host", "shop.example.com"),
        *more,
    ]


def forward(method: str = "GET", target: str = "/", address: str = "192.0.2.1", *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [
        ("X-Forwarded-Method", method), ("X-Forwarded-Uri", target), ("X-Forwarded-For", address), ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "shop.example.com"), ("Host", "127.0.0.1:9000"), *more,
    ]  # fmt: skip


def ask(checker: Checker, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    answer = checker.answer(Question(f"GET {path} HTTP/1.1\r\n{lines}".encode("latin-1"), body))
    assert isinstance(answer, bytes)
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(("path", "headers"), [("/nginx", nginx), ("/forward", forward)])
def test_a_rule_sees_what_was_asked_for(checker: Checker, path: str, headers: Any):
    assert status(ask(checker, path, headers("GET", "/a?b=c"))) == 200
    assert status(ask(checker, path, headers("GET", "/forbidden?x"))) == 403
    assert status(ask(checker, path, headers("GET", "/", "198.51.100.7"))) == 403
    assert status(ask(checker, path, headers("GET", "/", "192.0.2.1", ("X-Twice", "one"), ("X-Twice", "two")))) == 403
    assert b"\r\nx-amzn-waf-seen: yes\r\n" in ask(checker, path, headers("GET", "/marked"))


def test_the_last_address_is_the_proxys_word_and_those_before_are_the_clients(checker: Checker):
    assert status(ask(checker, "/forward", forward("GET", "/", "198.51.100.7, 192.0.2.1"))) == 200
    assert status(ask(checker, "/forward", forward("GET", "/", "192.0.2.1, 198.51.100.7"))) == 403


def test_headers_of_the_other_kind_are_a_clients_and_not_believed(checker: Checker):
    forged = (("X-Forwarded-Uri", "/"), ("X-Forwarded-Method", "GET"), ("X-Forwarded-For", "192.0.2.9"))
    assert status(ask(checker, "/nginx", nginx("GET", "/forbidden", "192.0.2.1", *forged))) == 403
    assert status(ask(checker, "/forward", forward("GET", "/forbidden", "192.0.2.1", ("X-Original-URI", "/")))) == 403


def test_custom_statuses_pass_where_the_proxy_passes_them_on(checker: Checker):
    answer = ask(checker, "/forward", forward("GET", "/closed"))
    assert status(answer) == 503
    assert b"\r\nX-Why: closed\r\n" in answer
    assert answer.endswith(b"\r\n\r\ncome back later")
    assert status(ask(checker, "/nginx", nginx("GET", "/closed"))) == 403
    # A refusal of 200 would be a permission.
    assert status(ask(checker, "/forward", forward("GET", "/two-hundred"))) == 403


def test_a_body_that_is_forwarded_is_inspected(checker: Checker):
    assert status(ask(checker, "/forward", [*forward("POST"), ("Content-Length", "14")], b"attack-in-body")) == 403


@pytest.mark.parametrize("missing", ["X-Original-Method", "X-Original-URI", "X-Real-IP"])
def test_a_proxy_that_says_too_little_lets_nothing_pass(checker: Checker, missing: str):
    headers = [each for each in nginx() if each[0] != missing]
    open_one = Checker(checker.judge, fail_open=True)
    assert status(ask(checker, "/nginx", headers)) == 500
    assert status(ask(open_one, "/nginx", headers)) == 500


def test_two_headers_of_one_kind_let_nothing_pass(checker: Checker):
    assert status(ask(checker, "/nginx", [*nginx("GET", "/forbidden"), ("X-Original-URI", "/")])) == 500


@pytest.mark.parametrize("head", [b"GET\r\n", b"GET /nginx HTTP/1.1\r\nx\r\n", b"GET /nginx HTTP/1.1\r\n: y\r\n",
                                  b"GET /nginx HTTP/1.1\r\ntransfer-encoding: chunked\r\n"])  # fmt: skip
def test_what_is_no_question_lets_nothing_pass(checker: Checker, head: bytes):
    answer = checker.answer(Question(head, b""))
    assert isinstance(answer, bytes)
    assert status(answer) == 500


def test_another_path_is_not_there(checker: Checker):
    assert status(ask(checker, "/", nginx())) == 404


def test_what_the_engine_fails_on_passes_where_the_operator_says_so():
    for fail_open, expected in ((True, 200), (False, 500)):
        judge = Judge(None, RateTable(), "http")  # type: ignore[arg-type] # a fault
        assert status(ask(Checker(judge, fail_open), "/nginx", nginx())) == expected
