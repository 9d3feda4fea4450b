"""``garrison protect``: real Envoy, real inspectors, and an application that remembers each byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fronts import ACL, Application, Front, eventually, headers_of, plain, protected
from tests.support.waf import byte_match, rule, web_acl

pytestmark = pytest.mark.usefixtures("transport")


@pytest.fixture(scope="module")
def both(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, Application]]:
    with protected(tmp_path_factory.mktemp("front"), ACL) as found:
        yield found


@pytest.fixture
def front(both: tuple[Front, Application]) -> Front:
    both[1].requests.clear()
    return both[0]


@pytest.fixture
def application(both: tuple[Front, Application]) -> Application:
    return both[1]


def test_a_request_that_no_rule_minds_reaches_the_application(front: Front, application: Application):
    answer = front.ask("/a/%2e%2e/b%20c?x=1%27")
    assert (answer.status, answer.body) == (200, b"ok\n")
    [request] = application.requests
    assert request.startswith(b"GET /a/%2e%2e/b%20c?x=1%27 HTTP/1.1\r\n")
    sent = dict(headers_of(request))
    assert sent["host"] == "shop.example.com"
    assert sent["x-forwarded-for"] == "127.0.0.1"
    assert sent["x-forwarded-proto"] == "http"
    assert not [name for name in sent if name.startswith(("x-garrison", "x-envoy"))]
    assert not [name for name, _ in answer.headers if name.startswith(("x-garrison", "x-envoy"))]
    assert answer.header("server") is None


def test_a_byte_match_blocks_with_the_answer_of_a_load_balancer(front: Front, application: Application):
    answer = front.ask("/forbidden/area")
    assert answer.status == 403
    assert answer.header("content-type") == "text/html"
    assert b"403 Forbidden" in answer.body
    assert application.requests == []


def test_a_head_request_is_blocked_without_a_body(front: Front, application: Application):
    answer = front.ask("/forbidden", method="HEAD")
    assert (answer.status, answer.body) == (403, b"")
    assert application.requests == []


def test_a_body_is_inspected(front: Front, application: Application):
    assert front.ask(method="POST", body=b"x" * 8000 + b"attack-in-body").status == 403
    assert front.ask(method="POST", body=b"harmless").status == 200
    assert [each.rpartition(b"\r\n\r\n")[2] for each in application.requests] == [b"harmless"]


def test_a_body_in_chunks_is_inspected_whole(front: Front, application: Application):
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in b"attack-in-body") + b"0\r\n\r\n"
    assert front.ask(method="POST", headers=[("Transfer-Encoding", "chunked")], body=chunks).status == 403
    assert application.requests == []


def test_behind_the_limit_a_body_is_not_inspected_and_passes_whole(front: Front, application: Application):
    body = b"x" * 70_000 + b"attack-in-body"
    assert front.ask(method="POST", body=body).status == 200
    assert application.requests[0].endswith(body)


def test_a_size_is_that_of_the_whole_body(front: Front, application: Application):
    assert front.ask(method="POST", body=b"x" * 100_001).status == 403
    assert front.ask(method="POST", body=b"x" * 100_000).status == 200
    assert len(application.requests) == 1


def test_headers_keep_their_bytes_their_duplicates_and_their_order(front: Front, application: Application):
    assert front.ask(headers=[("X-Bytes", "caf\xc3\xa9\xff")]).status == 403
    assert front.ask(headers=[("X-Twice", "one"), ("X-Twice", "two")]).status == 403
    assert front.ask(headers=[("X-Twice", "two"), ("X-Twice", "one")]).status == 200
    assert front.ask(headers=[("X-B", "1"), ("X-A", "1")]).status == 403
    assert front.ask(headers=[("X-A", "1"), ("X-B", "1")]).status == 200
    assert front.ask(headers=[("Cookie", "a=1"), ("Cookie", "b=2")]).status == 403
    assert len(application.requests) == 2


def test_the_path_is_inspected_as_it_was_sent(front: Front, application: Application):
    assert front.ask("/%2e%2E//x%2fy;z").status == 403
    assert front.ask("/..//x/y;z").status == 200
    assert application.requests[0].startswith(b"GET /..//x/y;z HTTP/1.1\r\n")


def test_a_custom_response_has_its_status_headers_and_body(front: Front, application: Application):
    answer = front.ask("/closed")
    assert (answer.status, answer.body) == (503, b"come back later")
    assert answer.header("x-why") == "closed"
    assert answer.header("content-type") == "text/plain"
    assert front.ask("/two-hundred").status == 200
    assert application.requests == []


def test_inserted_headers_reach_the_application_in_the_place_of_the_clients(front: Front, application: Application):
    front.ask("/marked", headers=[("X-Amzn-Waf-Seen", "forged"), ("X-Amzn-Waf-Seen", "twice")])
    found = [value for name, value in headers_of(application.requests[0]) if name == "x-amzn-waf-seen"]
    assert found == ["yes"]


@pytest.mark.parametrize("name", ["x-garrison-request", "x-garrison-ja3", "x-garrison-status", "X-Garrison-Request"])
def test_what_a_client_says_in_our_name_is_not_believed(front: Front, application: Application, name: str):
    forged = [(name, "R0VUCi8="), (name, "R0VUCi8=")]
    assert front.ask("/forbidden", headers=forged).status == 403
    assert front.ask("/", headers=forged).status == 200
    assert not [key for key, _ in headers_of(application.requests[0]) if key.startswith("x-garrison")]


def test_an_order_to_envoy_is_not_passed_on(front: Front, application: Application):
    orders = [("x-envoy-retry-on", "5xx"), ("x-envoy-upstream-rq-timeout-ms", "1"), ("x-envoy-internal", "true")]
    assert front.ask("/", headers=orders).status == 200
    assert not [key for key, _ in headers_of(application.requests[0]) if key.startswith("x-envoy")]


def test_a_header_that_only_looks_like_one_of_envoys_is_inspected(front: Front, application: Application):
    assert front.ask("/", headers=[("X-Envoy-Peer-Metadata", "attack")]).status == 403
    assert front.ask("/", headers=[("X-Envoy-Peer-Metadata", "fine")]).status == 200
    assert dict(headers_of(application.requests[0]))["x-envoy-peer-metadata"] == "fine"


def test_what_a_client_says_of_its_address_stays_before_what_is_known(front: Front, application: Application):
    front.ask("/", headers=[("X-Forwarded-For", "9.9.9.9"), ("X-Forwarded-Proto", "https"), ("X-Request-Id", "mine")])
    sent = dict(headers_of(application.requests[0]))
    assert sent["x-forwarded-for"].replace(" ", "") == "9.9.9.9,127.0.0.1"
    assert sent["x-forwarded-proto"] == "http"
    assert sent["x-request-id"] != "mine"


def test_a_changed_web_acl_is_live_without_dropping_a_connection(tmp_path: Path):
    with protected(tmp_path, plain(web_acl(rule("one", 0, byte_match(b"/one"))))) as (front, _), front.connect() as kept:
        request = b"GET /two HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"

        def status() -> int:
            kept.sendall(request)
            received = b""
            while b"\r\n\r\n" not in received:
                received += kept.recv(65536)
            answer = received.partition(b"\r\n\r\n")
            length = int(dict(headers_of(received))["content-length"])
            while len(answer[2]) < length:
                received += kept.recv(65536)
                answer = received.partition(b"\r\n\r\n")
            return int(received.split(b" ", 2)[1])

        assert status() == 200
        front.write_acl(plain(web_acl(rule("two", 0, byte_match(b"/two")))))
        eventually(lambda: status() == 403)
        eventually(lambda: front.ask("/one").status == 200)  # each inspector takes it by itself
        eventually(lambda: all(status() == 403 for _ in range(8)))
        front.acl_file.write_text("{")
        eventually(lambda: "is not taken" in front.log())
        assert [status() for _ in range(8)] == [403] * 8


def test_an_acl_that_aws_would_refuse_stops_the_start(tmp_path: Path):
    broken = plain(web_acl(rule("one", 0, byte_match(b"/one", position="SOMEWHERE"))))
    with Application() as application, pytest.raises(RuntimeError, match="SOMEWHERE"):
        Front(tmp_path, application.url, broken).start()


def test_the_managed_groups_of_the_command_line_find_an_attack(tmp_path: Path):
    options = ["--managed", "common,sqli,known-bad-inputs", "--rate", "500"]
    with protected(tmp_path, None, *options) as (front, application):
        assert front.ask("/?id=1%27%20or%201=1--").status == 403
        assert front.ask("/?q=shoes", headers=[("Host", f"localhost:{front.port}")]).status == 200
        assert len(application.requests) == 1


def test_a_rate_is_limited(tmp_path: Path):
    with protected(tmp_path, None, "--rate", "10", "--inspectors", "1") as (front, _):
        found = [front.ask().status for _ in range(14)]
        assert found[:10] == [200] * 10
        assert found[-1] == 403
        assert json.dumps(found).count("403") >= 3


def test_checks_for_other_proxies(tmp_path: Path, transport: str):
    if transport != "inspectors":
        pytest.skip("there is no Envoy")
    front = Front(tmp_path, "--check", ACL, ["--inspectors", "2"])
    with front:
        told = [("X-Original-Method", "GET"), ("X-Real-IP", "192.0.2.1")]
        for _ in range(4):
            assert front.ask("/nginx", headers=[*told, ("X-Original-URI", "/forbidden")]).status == 403
            assert front.ask("/nginx", headers=[*told, ("X-Original-URI", "/")]).status == 200
        assert front.children()["envoy"] == []
        front.end("inspector")
        eventually(lambda: front.ask("/nginx", headers=[*told, ("X-Original-URI", "/forbidden")]).status == 403)
