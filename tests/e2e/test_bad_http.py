"""HTTP at its edges: framing that two readers could cut differently, slow, vanishing and too many clients.

Sources: RFC 9110 and RFC 9112. Every test shares one server, which must be healthy and its log clean after all of it.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support import raw
from tests.support.clients import boto
from tests.support.server import Server

HEALTH = b"GET /_garrison/health HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small limits, alive and clean after all of it."""
    options = ("--read-timeout", "1", "--max-body-bytes", "100000", "--max-head-bytes", "20000")
    with Server(tmp_path_factory.mktemp("bad-http"), options=options) as server:
        yield server
        assert boto(server, "sts").get_caller_identity()["Account"] == server.account_id
        for trace in ("Traceback", "failed inside", "exception"):
            assert trace not in server.log(), server.log_tail(200)
        verified = server.garrison("audit", "verify", check=False)
        assert verified.returncode == 0, verified.stdout


def connect(server: Server) -> socket.socket:
    where = urlsplit(server.endpoint)
    return socket.create_connection((where.hostname, where.port), raw.SECONDS)


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server closes. Raises TimeoutError where it does not."""
    seen = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            seen += chunk
    return seen


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HEALTH,
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + HEALTH,
        HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde" + HEALTH,
        HEAD + b"Content-Length: 5, 5\r\n\r\nabcde" + HEALTH,
        HEAD + b"Content-Length: +5\r\n\r\nabcde" + HEALTH,
        HEAD + b"Content-Length: -5\r\n\r\nabcde" + HEALTH,
        HEAD + b"Content-Length: 0x5\r\n\r\nabcde" + HEALTH,
        HEAD + b"Content-Length: \r\n\r\nabcde" + HEALTH,
        HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HEALTH,
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + HEALTH,
        HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HEALTH,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n0\r\n\r\n" + HEALTH,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n" + HEALTH,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\nabcde\n0\n\n" + HEALTH,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n0\r\n\r\n" + HEALTH,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + HEALTH,
        b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HEALTH,
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\n\r\n" + HEALTH,
        b"GET / HTTP/1.1\nHost: x\n\n" + HEALTH,
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\n" + HEALTH,
        b"GET / HTTP/1.1\r\n Host: x\r\n\r\n" + HEALTH,
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + HEALTH,
        b"GET / HTTP/1.1\r\n\r\n" + HEALTH,
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n" + HEALTH,
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\rb\r\n\r\n" + HEALTH,
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n" + HEALTH,
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n" + HEALTH,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HEALTH,
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n" + HEALTH,
    ],
    ids=range(29),
)
def test_framing_in_doubt_ends_the_connection(target: Server, request_: bytes):
    """One refusal, and whatever follows on the connection is not read: nothing can be smuggled behind it."""
    with connect(target) as connection:
        connection.sendall(request_)
        seen = read_all(connection)
    assert seen.startswith(b"HTTP/1.1 400 "), seen
    assert seen.count(b"HTTP/1.1 ") == 1, seen


def test_a_trailer_is_no_header(target: Server):
    """RFC 9110, 6.5.1: a trailer that names an operation must not choose one."""
    request_ = HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Amz-Target: TrentService.ListKeys\r\n\r\n"
    answer = raw.exchange(target, request_, half_close=False)
    plain = raw.exchange(target, HEAD + b"Content-Length: 0\r\n\r\n", half_close=False)
    assert (answer.status, b"__type" in answer.body) == (plain.status, False)


@pytest.mark.parametrize("endless", [b"0\r\nX-Trailer: ", b"5;extension=", b"1\r\na\r\n" * 5 + b"0\r\nX-Trailer: "])
def test_framing_is_bounded(target: Server, endless: bytes):
    """A trailer or a chunk's extension without an end is cut off, not gathered."""
    sent = 0
    with connect(target) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + endless)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(100):
                connection.sendall(b"a" * 500_000)
                sent += 500_000
    assert sent < 50_000_000


def test_pipelined_requests_are_answered_in_order(target: Server):
    missing = b"GET /_garrison/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with connect(target) as connection:
        connection.sendall(HEALTH * 300 + missing)
        seen = read_all(connection)
    assert (seen.count(b"HTTP/1.1 200"), seen.count(b"HTTP/1.1 404")) == (300, 1)
    assert seen.rindex(b"HTTP/1.1 200") < seen.index(b"HTTP/1.1 404")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /_garrison/health HTTP/1.0\r\n\r\n", 200),
        (b"HEAD /_garrison/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
        (b"GET http://elsewhere/_garrison/health HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n\r\n", 200),
        (b"GET /_garrison/health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 200),
        (
            HEALTH.removesuffix(b"\r\n") + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
            200,
        ),
        (HEAD + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", 403),
        (HEAD + b"Expect: 100-continue\r\nContent-Length: 100001\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 403),
        (b"OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: https://a\r\nAccess-Control-Request-Method: POST\r\n\r\n", 403),
        (b"TRACE / HTTP/1.1\r\nHost: x\r\nX-Secret: a\r\n\r\n", 403),
        (b"GET /_garrison/../_garrison/reset HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"POST /_garrison/reset HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 404),
    ],
    ids=range(12),
)
def test_unusual_requests_have_plain_answers(target: Server, request_: bytes, status: int):
    with connect(target) as connection:
        connection.sendall(request_)
        answer = (
            raw.read_answer(connection)
            if not request_.startswith(b"HEAD")
            else raw.Answer(int(read_all(connection)[9:12]), b"", b"")
        )
    assert answer.status == status, answer
    assert b"X-Secret" not in answer.head + answer.body  # a TRACE that reflects would give headers away
    assert b"access-control-allow" not in answer.head.lower()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit(target: Server, chunked: bool):
    body = b"a" * 100_001
    framed = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    request_ = HEAD + (framed if chunked else b"Content-Length: %d\r\n\r\n" % len(body) + body)
    with connect(target) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request_)
        answer = raw.read_answer(connection)
    assert (answer.status, b"EntityTooLarge" in answer.body) == (400, True), answer
    assert b"connection: close" in answer.head.lower()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"X-Long: " + b"a" * 21_000 + b"\r\n\r\n", 431),
        (b"".join(b"X-%d: 1\r\n" % number for number in range(1000)) + b"\r\n", 400),
        (b"a" * 21_000, 431),
    ],
    ids=["giant", "many", "no-end"],
)
def test_a_head_over_the_limits(target: Server, head: bytes, status: int):
    answer = raw.exchange(target, HEAD + head, half_close=False)
    assert answer.status == status


def test_a_head_of_pipelined_requests_is_counted_anew(target: Server):
    """The bound is on one head, not on a connection."""
    with connect(target) as connection:
        for _ in range(5):
            connection.sendall(HEALTH.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"a" * 15_000 + b"\r\n\r\n"))
            assert raw.read_answer(connection).status == 200


@pytest.mark.parametrize(
    "begun", [HEAD + b"X-Slow: ", HEAD + b"Content-Length: 100\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"]
)
def test_a_byte_now_and_then_does_not_hold_a_connection(target: Server, begun: bytes):
    """The time is for the whole head and the whole body, however it drips in."""
    ended = False
    with connect(target) as connection:
        connection.sendall(begun)
        for _ in range(400):
            try:
                connection.sendall(b"1")
            except (BrokenPipeError, ConnectionResetError):
                ended = True
                break
            time.sleep(0.05)
    assert ended


def test_clients_that_vanish_leave_nothing_half_done(target: Server):
    """A signed write whose body is cut off at any point: it did not happen."""
    names = [f"vanished-{cut}" for cut in (0, 1, 20)]
    for name, cut in zip(names, (0, 1, 20), strict=True):
        body = f"Action=CreateUser&Version=2010-05-08&UserName={name}".encode()
        whole = raw.signed(target, "iam", body, {"Content-Type": "application/x-www-form-urlencoded"})
        with connect(target) as connection:
            connection.sendall(whole[: len(whole) - len(body) + cut])
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # a reset, not a farewell
    iam = boto(target, "iam")
    iam.create_user(UserName="after-them")
    assert not set(names) & {user["UserName"] for user in iam.list_users()["Users"]}


def test_a_client_that_takes_no_answers_holds_nothing_up(target: Server):
    """Requests without end whose answers are not read: others are served."""
    with connect(target) as connection:
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionResetError, BrokenPipeError):
            for _ in range(5000):
                connection.send(HEALTH * 20)
        assert boto(target, "sts").get_caller_identity()["Account"] == target.account_id


def test_a_flood_of_connections_is_bounded(tmp_path: Path):
    """Over --max-connections a client is sent away at once; those who are in are served, and room comes back."""
    with Server(tmp_path / "flood", options=("--max-connections", "10", "--read-timeout", "30")) as server:
        held = [connect(server) for _ in range(10)]
        for connection in held:
            connection.sendall(HEALTH)
            assert raw.read_answer(connection).status == 200
        late = [connect(server) for _ in range(40)]
        for connection in late:
            assert read_all(connection).startswith(b"HTTP/1.1 503 "), "nobody is left waiting"
            connection.close()
        held[0].sendall(HEALTH)
        assert raw.read_answer(held[0]).status == 200
        for connection in held:
            connection.close()
        deadline = time.monotonic() + raw.SECONDS
        while not server.healthy() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert json.dumps(boto(server, "sts").get_caller_identity()["Account"]) == json.dumps(server.account_id)
        assert "Traceback" not in server.log()


@pytest.mark.parametrize(
    "begun", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", HEALTH], ids=["silence", "half-a-hello", "no-tls"]
)
def test_a_handshake_that_does_not_come_about_holds_nothing(tmp_path: Path, begun: bytes):
    """Under TLS a connection counts from its handshake on; before that it has no longer than a head."""
    with Server(tmp_path / "tls", scheme="https", options=("--tls", "--read-timeout", "1", "--max-connections", "10")) as server:
        waiting = [connect(server) for _ in range(60)]
        for connection in waiting:
            connection.sendall(begun)
        assert server.healthy(), "others are served meanwhile"
        for connection in waiting:
            read_all(connection)  # a TimeoutError here is a server that waits for ever
            connection.close()
        assert server.healthy()
        assert "Traceback" not in server.log()
