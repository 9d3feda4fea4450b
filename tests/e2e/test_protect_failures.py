"""What becomes of requests while parts of the firewall end: nothing passes unseen unless its operator said so."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fronts import ACL, Application, Front, eventually, failures, metrics, protected
from tests.support.server import free_port

pytestmark = pytest.mark.usefixtures("transport")


@pytest.fixture
def beside(transport: str) -> None:
    """For tests that end inspectors: they are processes of their own."""
    if transport != "inspectors":
        pytest.skip("there are no inspectors beside Envoy")


@contextlib.contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Processes that are there and answer nothing."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.usefixtures("beside")
def test_a_dead_inspector_has_a_successor_and_is_counted(tmp_path: Path):
    port = free_port()
    with protected(tmp_path, ACL, "--inspectors", "1", "--metrics", str(port)) as (front, application):
        assert front.ask("/forbidden").status == 403
        for _ in range(2):
            front.end("inspector")
            # What is asked in between waits for the successor, or is refused; it never passes.
            assert front.ask("/forbidden").status in {403, 500}
            eventually(lambda: front.ask("/").status == 200)
            assert front.ask("/forbidden").status == 403
        assert all(b"/forbidden" not in each for each in application.requests)
        eventually(lambda: metrics(port).get('garrison_waf_events_total{event="inspector_restarted"}') == 2)


def test_a_dead_envoy_has_a_successor_and_is_counted(tmp_path: Path):
    port = free_port()
    with protected(tmp_path, ACL, "--metrics", str(port)) as (front, _):
        front.end("envoy")

        def again() -> bool:
            with contextlib.suppress(OSError, IndexError):
                return front.ask("/").status == 200
            return False

        eventually(again)
        assert front.ask("/forbidden").status == 403
        eventually(lambda: metrics(port).get('garrison_waf_events_total{event="envoy_restarted"}') == 1)


@pytest.mark.usefixtures("beside")
def test_without_an_answer_requests_are_refused(tmp_path: Path):
    with protected(tmp_path, ACL) as (front, application), stopped(front.children()["inspector"]):
        assert front.ask("/").status == 500
        assert front.ask("/forbidden").status == 500
        assert application.requests == []


@pytest.mark.usefixtures("beside")
def test_without_an_answer_requests_pass_where_the_operator_says_so(tmp_path: Path):
    port = free_port()
    with protected(tmp_path, ACL, "--fail-open", "--metrics", str(port)) as (front, application):
        assert front.ask("/forbidden").status == 403
        with stopped(front.children()["inspector"]):
            assert front.ask("/").status == 200
        assert len(application.requests) == 1
        passed = metrics(port, "/envoy")['envoy_http_ext_authz_failure_mode_allowed{envoy_http_conn_manager_prefix="front"}']
        assert passed == 1
        assert front.ask("/forbidden").status == 403


HOSTILE = [
    ("BREW", "/", ()),
    ("GET", "/" + "a" * 20_000, ()),
    ("GET", "/?" + "&".join(f"a{number}=%27" for number in range(5_000)), ()),
    ("GET", "/", [("X-A", "\xff" * 20_000)]),
    ("GET", "/", [("Cookie", ";" * 30_000)]),
    ("GET", "/%00%ff%c0%ae", ()),
    ("OPTIONS", "*", ()),
    ("GET", "http://other.example.com/forbidden", ()),
    ("HEAD", "/", ()),
    ("TRACE", "/", ()),
]


@pytest.mark.parametrize(
    ("method", "target", "headers"), HOSTILE, ids=[f"{one[0]}-{number}" for number, one in enumerate(HOSTILE)]
)
def test_no_request_makes_an_inspector_fail(open_front: tuple[Front, Application, int], method: str, target: str, headers: Any):
    front, _, port = open_front
    before = failures(port, front.transport)
    front.ask(target, method=method, headers=headers)
    assert failures(port, front.transport) == before, (
        "an inspector that fails on a request would let it pass on a listener that fails open"
    )


@pytest.fixture(scope="module")
def open_front(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, Application, int]]:
    port = free_port()
    with protected(tmp_path_factory.mktemp("open"), ACL, "--fail-open", "--metrics", str(port)) as (front, application):
        yield front, application, port


def test_at_a_stop_what_is_under_way_is_finished(tmp_path: Path):
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection: Any, _request: bytes) -> None:
        begun.set()
        go_on.wait(20)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone")

    with Application(respond=slow) as application, Front(tmp_path, application.url, ACL) as front:
        found: list[Any] = []
        asking = threading.Thread(target=lambda: found.append(front.ask("/slow")))
        asking.start()
        assert begun.wait(20)
        status: list[int] = []
        stopping = threading.Thread(target=lambda: status.append(front.stop()))
        stopping.start()
        time.sleep(0.5)  # it stops while the request is under way
        go_on.set()
        asking.join(20)
        stopping.join(30)
        assert [each.body for each in found] == [b"done"]
        assert status == [0]


def test_when_the_supervisor_is_killed_nothing_is_left(tmp_path: Path):
    with protected(tmp_path, ACL) as (front, _):
        children = front.children()
        assert front.process is not None
        os.kill(front.process.pid, signal.SIGKILL)
        front.process.wait()
        eventually(lambda: not [pid for pids in children.values() for pid in pids if alive(pid)])


def alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_port_that_is_taken_stops_the_start(tmp_path: Path):
    with Application() as taken, Application() as application:
        front = Front(tmp_path, application.url, ACL, port=taken.port)
        with pytest.raises(RuntimeError, match="cannot listen on"):
            front.start()
