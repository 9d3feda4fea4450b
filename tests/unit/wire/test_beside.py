"""Calls that wait for somebody else: they do so on a thread, and the loop serves others meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.core.operation import PREPARED, REGISTRY, operation
from garrison.wire import gateway as module
from tests.support.inprocess import InProcess


@pytest.fixture
def one() -> Iterator[InProcess]:
    made = InProcess()
    yield made
    made.close()


def with_handler(monkeypatch: pytest.MonkeyPatch, service: str, name: str, **changes: Any) -> None:
    declaration = REGISTRY[service, name.lower()]
    monkeypatch.setitem(REGISTRY, declaration.key, replace(declaration, **changes))


def always(ctx: Context, req: Any) -> bool:
    return True


def nothing(ctx: Context, req: Any) -> None:
    return None


def test_a_slow_read_lets_others_go_first(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    others = threading.Event()
    ran_on: list[str] = []

    def slow(ctx: Context, req: Any) -> Any:
        ran_on.append(threading.current_thread().name)
        assert others.wait(20), "nobody else was served meanwhile"
        return None

    def quick(ctx: Context, req: Any) -> Any:
        others.set()
        raise CommonError("validation", "quick")

    with_handler(monkeypatch, "kms", "DescribeKey", handler=slow, beside=always, resource="*", context=None)
    with_handler(monkeypatch, "kms", "GenerateRandom", handler=quick)
    first = kms_request(one, "DescribeKey", {"KeyId": "k"})
    second = kms_request(one, "GenerateRandom", {"NumberOfBytes": 1})
    answers = one.send_all([first, second])
    assert [answer.status for answer in answers] == [200, 400]
    assert ran_on[0].startswith("beside")
    assert [event["eventName"] for event in one.events()[-2:]] == ["GenerateRandom", "DescribeKey"]


def test_beside_the_loop_the_store_is_out_of_reach(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    def reads(ctx: Context, req: Any) -> Any:
        return ctx.tx.all("SELECT 1")

    with_handler(monkeypatch, "kms", "DescribeKey", handler=reads, beside=always, resource="*", context=None)
    assert one.kms("DescribeKey", KeyId="k").status == 500


def test_what_is_refused_beside_is_the_answer_and_on_record(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    def refuses(ctx: Context, req: Any) -> Any:
        raise CommonError("validation", "no")

    with_handler(monkeypatch, "kms", "DescribeKey", handler=refuses, beside=always, resource="*", context=None)
    assert one.kms("DescribeKey", KeyId="k").status == 400
    assert one.last_event()["errorCode"] == "ValidationException"


def test_a_write_finds_what_was_prepared_and_a_refused_one_prepares_nothing(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    seen: list[Any] = []
    prepared: list[str] = []

    def prepare(ctx: Context, req: Any) -> Any:
        prepared.append(ctx.principal.name)
        return lambda: 42

    def handler(ctx: Context, req: Any) -> Any:
        seen.append(ctx.scratch[PREPARED])

    with_handler(monkeypatch, "kms", "EnableKey", handler=handler, prepare=prepare, resource="*", context=None)
    stranger = one.new_user("stranger")
    assert one.kms("EnableKey", stranger, KeyId="k").status == 400
    assert one.kms("EnableKey", KeyId="k").status == 200
    assert (seen, prepared) == ([42], ["admin"])


def test_too_many_that_wait_are_told_to_come_back(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    go = threading.Event()
    monkeypatch.setattr(module, "BESIDE_CALLS", 1)

    def slow(ctx: Context, req: Any) -> Any:
        assert go.wait(20)

    def release(ctx: Context, req: Any) -> Any:
        go.set()
        raise CommonError("validation", "released")

    with_handler(monkeypatch, "kms", "DescribeKey", handler=slow, beside=always, resource="*", context=None)
    with_handler(monkeypatch, "kms", "GenerateRandom", handler=release)
    requests = [kms_request(one, "DescribeKey", {"KeyId": "k"}) for _ in range(2)]
    answers = one.send_all([*requests, kms_request(one, "GenerateRandom", {"NumberOfBytes": 1})])
    assert [answer.status for answer in answers] == [200, 400, 400]
    assert b"Throttling" in answers[1].body


@pytest.mark.parametrize(("read", "more"), [(False, {"beside": always}), (True, {"prepare": nothing})])
def test_only_reads_run_beside_and_only_writes_are_prepared(read: bool, more: dict[str, Any]):
    with pytest.raises(ValueError, match="beside the loop"):
        operation("kms", resource="*", read=read, **more)


def kms_request(one: InProcess, operation: str, members: dict[str, Any]) -> Request:
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"TrentService.{operation}"}
    return one.signed("kms", json.dumps(members).encode(), headers)
