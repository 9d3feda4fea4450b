"""Answers of the application on their way back to an inspector."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from garrison.edge.inspect import RateRule, RateTable, Token, TokenState, WebRequest
from garrison.edge.proxy.exchange import MalformedError, Question, allow, answered
from garrison.edge.proxy.responses import count, mark, watching

CONFIG = {
    "AWSManagedRulesATPRuleSet": {
        "LoginPath": "/login",
        "ResponseInspection": {"StatusCode": {"SuccessCodes": [200], "FailureCodes": [401]}},
    }
}
BY_ADDRESS = RateRule("atp:ip:failed", 10, 600)
BY_SESSION = RateRule("atp:session:failed", 10, 600)


def attempt(path: bytes = b"/login?next=%2f\xff") -> WebRequest:
    return WebRequest("POST", path, [], source_ip="192.0.2.1", time=1000.0)


def document(*configs: Any) -> dict[str, Any]:
    statement = {"VendorName": "AWS", "Name": "AWSManagedRulesATPRuleSet", "ManagedRuleGroupConfigs": list(configs)}
    return {"Rules": [{"Statement": {"GeoMatchStatement": {}}}, {"Statement": {"ManagedRuleGroupStatement": statement}}]}


def test_only_groups_that_ask_for_responses_watch():
    assert watching(document(CONFIG)) == [CONFIG]
    assert watching(document({"AWSManagedRulesATPRuleSet": {"LoginPath": "/login"}})) == []
    assert watching({"Rules": []}) == watching(None) == []


def test_only_their_paths_are_marked():
    assert mark([CONFIG], attempt(b"/other"), Token()) == b""
    assert mark([], attempt(), Token()) == b""
    assert allow((), mark([CONFIG], attempt(), Token())).startswith(b"HTTP/1.1 200 OK\r\nx-garrison-watch: ")


def test_an_answer_counts_for_the_address_and_the_session_of_its_request():
    rates = RateTable()
    marked = mark([CONFIG], attempt(), Token(TokenState.ACCEPTED, "s1"))
    for status in (401, 200, 302):
        count([CONFIG], rates, marked, status, [(b"server", b"x")], b"")
    assert rates.estimate(BY_ADDRESS, b"192.0.2.1", 1000.0) == 1
    assert rates.estimate(BY_SESSION, b"s1", 1000.0) == 1
    count([CONFIG], rates, mark([CONFIG], attempt(), Token(TokenState.INVALID, "s2")), 401, [], b"")
    assert rates.estimate(BY_ADDRESS, b"192.0.2.1", 1000.0) == 2
    assert rates.estimate(BY_SESSION, b"s2", 1000.0) == 0


def test_what_was_counted_outlives_the_housekeeping():
    rates = RateTable()
    count([CONFIG], rates, mark([CONFIG], attempt(), Token()), 401, [], b"")
    rates.keep_only(frozenset())
    assert rates.estimate(BY_ADDRESS, b"192.0.2.1", 1000.0) == 1


@pytest.mark.parametrize("marked", [b"", b"!", b64encode(b"{"), b64encode(b"[1]"), b64encode(b"7")])
def test_what_is_no_mark_counts_nothing(marked: bytes):
    with pytest.raises(MalformedError):
        count([CONFIG], RateTable(), marked, 401, [], b"")


def told(*lines: bytes, more: bytes = b"", first: bytes = b"POST /answered HTTP/1.1") -> Question:
    return Question(first + b"\r\nx-garrison-response: " + b64encode(b"\n".join(lines)) + b"\r\n" + more, b"body")


def test_an_answer_is_told_with_its_mark_status_headers_and_body():
    found = answered(told(b"mark", b":status", b"401", b"x-a", b"1", b"x-a", b"\xff"))
    assert found == (b"mark", 401, [(b"x-a", b"1"), (b"x-a", b"\xff")], b"body")


def test_a_request_of_a_client_is_no_answer():
    assert answered(told(b"mark", b":status", b"401", more=b"x-garrison-request: R0VU\r\n")) is None
    assert answered(told(b"mark", b":status", b"401", first=b"POST /answered?x HTTP/1.1")) is None


@pytest.mark.parametrize(
    "question", [Question(b"POST /answered HTTP/1.1\r\nhost: a\r\n", b""), told(b"mark"), told(b"mark", b":status", b"x")]
)
def test_an_answer_that_is_not_whole_is_refused(question: Question):
    with pytest.raises(MalformedError):
        answered(question)
