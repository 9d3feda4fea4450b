"""What Envoy is told by the inspector within it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from garrison.core.http import Response
from garrison.edge.inspect import RateTable, WebRequest
from garrison.edge.proxy.embedded import Answer, Embedded
from garrison.edge.proxy.judge import Judge, Passed, Work
from garrison.edge.proxy.policies import Loaded, Policy

HEADERS = [
    (b":authority", b"shop.example.com"),
    (b":path", b"/a?b"),
    (b":method", b"POST"),
    (b"cookie", b"a=1"),
    (b"cookie", b"b=\xff"),
]


class _Judge(Judge):
    """Decides as it is told; remembers what it was asked."""

    found: Any
    asked: WebRequest

    def __init__(self, found: Any) -> None:
        loaded: Any = Loaded(None, resources=None)  # type: ignore[arg-type] # nothing asks it
        super().__init__(Policy(loaded, None), RateTable(), "https", clock=lambda: 7.0)
        self.found = found

    def decide(self, request: WebRequest) -> Any:
        self.asked = request
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def embedded(found: Any, *, fail_open: bool = False, ended: list[str] | None = None) -> tuple[Embedded, _Judge]:
    judge = _Judge(found)
    told = [] if ended is None else ended
    return Embedded(judge, threading.Lock(), lambda: told.append("stop"), fail_open=fail_open), judge


def ask(inside: Embedded, body: bytes = b"body", *, partial: bool = False) -> Any:
    return inside.decide(HEADERS, body, partial, b"HTTP/2", b"[2001:db8::1]:4711", b"3" * 32, b"-")


def test_a_request_is_the_one_that_envoy_has():
    inside, judge = embedded(Passed())
    assert ask(inside) is None
    asked = judge.asked
    assert (asked.method, asked.target, asked.host) == ("POST", b"/a?b", "shop.example.com")
    assert asked.headers == [(b"host", b"shop.example.com"), (b"cookie", b"a=1"), (b"cookie", b"b=\xff")]
    assert (asked.source_ip, asked.http_version, asked.scheme) == ("2001:db8::1", "HTTP/2.0", "https")
    assert (asked.ja3, asked.ja4, asked.time) == ("3" * 32, "", 7.0)
    assert (asked.body, asked.body_size) == (b"body", 4)
    ask(inside, partial=True)
    assert judge.asked.body_size == 5


def test_inserted_headers_go_on_with_it():
    assert ask(embedded(Passed((("x-amzn-waf-a", "1\r\n2"),)))[0]) == (0, ((b"x-amzn-waf-a", b"12"),), b"")


def test_an_answer_has_no_framing_of_its_own():
    response = Response(503, [("X-Why", "closed"), ("Content-Length", "9"), ("Transfer-Encoding", "chunked")], b"sorry")
    assert ask(embedded(response)[0]) == (503, ((b"X-Why", b"closed"),), b"sorry")


@pytest.mark.parametrize(("fail_open", "answer"), [(False, (500, (), b"")), (True, None)])
def test_what_cannot_be_decided_is_the_fail_modes(fail_open: bool, answer: Answer):
    inside, judge = embedded(LookupError("planted"), fail_open=fail_open)
    assert ask(inside) == answer
    assert judge.failures == 1
    broken, judge = embedded(Work(lambda: 1 // 0), fail_open=fail_open)  # type: ignore[arg-type, return-value] # which fails
    assert ask(broken)() == answer
    assert judge.failures == 1


def test_what_takes_long_is_made_in_another_thread_and_handed_in():
    threads: list[int] = []

    def work() -> Response:
        threads.append(threading.get_ident())
        return Response(202, [("x-amzn-waf-action", "challenge")], b"page")

    inside, _ = embedded(Work(work))
    handed = threading.Event()
    found: list[Answer] = []

    def done(answer: Answer) -> None:
        found.append(answer)
        handed.set()

    inside.later(ask(inside), done)
    assert handed.wait(20)
    assert found == [(202, ((b"x-amzn-waf-action", b"challenge"),), b"page")]
    assert threads != [threading.get_ident()]


def test_the_end_is_in_order():
    ended: list[str] = []
    inside, _ = embedded(Passed(), ended=ended)
    inside.at_end(lambda: ended.append("joined"))
    inside.end()
    assert ended == ["stop", "joined"]
