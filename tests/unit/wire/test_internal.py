"""Garrison's own paths: what they tell, to whom, and who may reset."""

from __future__ import annotations

import json

import pytest

from garrison.core.context import Call
from garrison.core.http import Request
from garrison.wire.internal import InternalPaths
from garrison.wire.metrics import Metrics

HERE = Call(source_ip="127.0.0.1", host="127.0.0.1:4566")


class Paths:
    def __init__(self, *, dev: bool = True) -> None:
        self.resets = 0
        self.answer = InternalPaths("1.2.3", {"iam": "available"}, Metrics, self._reset if dev else None)

    def _reset(self) -> None:
        self.resets += 1

    def __call__(self, method: str, path: str, call: Call = HERE, *, query: str = "", **headers: str) -> tuple[int, str]:
        sent = [(name.replace("_", "-"), value) for name, value in headers.items()]
        found = self.answer(Request(method, path, query, headers=sent), call)
        assert found is not None
        return found.status, found.body.decode()


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    return Paths()


@pytest.mark.parametrize("path", ["/", "/bucket/key", "/_garrison", "/_garrisonx/health", "/x/_garrison/health"])
def test_every_other_path_is_left_to_the_services(paths: Paths, path: str):
    assert paths.answer(Request("GET", path), HERE) is None


def test_a_signed_request_is_never_one_of_these(paths: Paths):
    signed = Request("GET", "/_garrison/health", headers=[("authorization", "AWS4-HMAC-SHA256 Credential=x")])
    presigned = Request("GET", "/_garrison/health", "X-Amz-Signature=00")
    assert paths.answer(signed, HERE) is None
    assert paths.answer(presigned, HERE) is None


@pytest.mark.parametrize("path", ["/_garrison/health", "/_localstack/health"])
def test_health(paths: Paths, path: str):
    status, body = paths("GET", path)
    assert (status, json.loads(body)) == (
        200,
        {"status": "running", "version": "1.2.3", "edition": "garrison", "services": {"iam": "available"}},
    )
    assert paths("HEAD", path)[0] == 200
    assert paths("POST", path)[0] == 405
    assert paths("GET", path, Call(source_ip="192.0.2.1"))[0] == 200


def test_unknown_paths_of_ours(paths: Paths):
    assert paths("GET", "/_garrison/other")[0] == 404


def test_metrics_are_for_this_machine(paths: Paths):
    status, page = paths("GET", "/_garrison/metrics")
    assert status == 200
    assert "garrison_audit_suppressed_total 0.0" in page
    assert paths("POST", "/_garrison/metrics")[0] == 405
    for call in (
        Call(source_ip="192.0.2.1", host="127.0.0.1:4566"),
        Call(source_ip="127.0.0.1", host="rebound.example.com:4566"),
    ):
        assert paths("GET", "/_garrison/metrics", call)[0] == 403
    assert paths("GET", "/_garrison/metrics", Call(source_ip="::1", host="[::1]:4566"))[0] == 200
    assert paths("GET", "/_garrison/metrics", Call(source_ip="::1", host="localhost:4566"))[0] == 200


def test_reset_takes_a_program_on_this_machine(paths: Paths):
    assert paths("POST", "/_garrison/reset")[0] == 200
    assert paths.resets == 1
    refused = [
        paths("GET", "/_garrison/reset"),
        paths("POST", "/_garrison/reset", Call(source_ip="192.0.2.1")),
        paths("POST", "/_garrison/reset", Call(source_ip="")),
        paths("POST", "/_garrison/reset", origin="http://127.0.0.1:4566"),
        paths("POST", "/_garrison/reset", origin="null"),
        paths("POST", "/_garrison/reset", sec_fetch_site="same-origin"),
    ]
    assert {status for status, _ in refused} == {403}
    assert paths.resets == 1


def test_only_a_server_in_memory_is_reset():
    assert Paths(dev=False)("POST", "/_garrison/reset")[0] == 404


def test_decisions_are_told_to_programs_on_this_machine(paths: Paths):
    asked: list[int] = []

    def decisions(after: int) -> dict[str, object]:
        asked.append(after)
        return {"calls": []}

    paths.answer.decisions = decisions
    query = "after=7"
    assert paths("GET", "/_garrison/decisions", query=query) == (200, '{"calls": []}')
    refused = [
        paths("POST", "/_garrison/decisions", query=query),
        paths("GET", "/_garrison/decisions", Call(source_ip="192.0.2.1", host="127.0.0.1:4566"), query=query),
        paths("GET", "/_garrison/decisions", Call(source_ip="127.0.0.1", host="rebound.example.com:4566"), query=query),
        paths("GET", "/_garrison/decisions", query=query, origin="null"),
        paths("GET", "/_garrison/decisions", query=query, sec_fetch_site="cross-site"),
    ]
    assert {status for status, _ in refused} == {403}
    for wrong in ("", "after", "after=", "after=-1", "after=x", "after=1&after=2", f"after={10**18}", "before=1", "after=٣"):
        assert paths("GET", "/_garrison/decisions", query=wrong)[0] == 400
    assert asked == [7]


def test_only_a_server_in_memory_tells_decisions():
    assert Paths(dev=False)("GET", "/_garrison/decisions", query="after=0")[0] == 404


def test_answers_are_not_kept_or_guessed_at(paths: Paths):
    found = paths.answer(Request("GET", "/_garrison/health"), HERE)
    assert found is not None
    assert {"cache-control": "no-store", "x-content-type-options": "nosniff"}.items() <= dict(found.headers).items()
