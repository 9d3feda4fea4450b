from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from bench import load

PLAN = load.Plan("127.0.0.1", 1, os.getpid(), "AKIAIOSFODNN7EXAMPLE", "secret", "us-east-1", "Encrypt", "key-id", "bench", 10, 2)


def head(request: bytes) -> dict[str, str]:
    lines = request.split(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def test_a_request_announces_its_length_and_signs_its_own_id():
    request = load.sign(PLAN, 1)
    body = request.split(b"\r\n\r\n", 1)[1]
    assert head(request)["content-length"] == str(len(body))
    assert "amz-sdk-invocation-id" in head(request)["authorization"].split("SignedHeaders=")[1].split(",")[0]
    assert head(request)["authorization"].split("/")[3] == "kms"


def test_no_two_signatures_are_alike():
    assert head(load.sign(PLAN, 1))["authorization"] != head(load.sign(PLAN, 1))["authorization"]


@pytest.mark.parametrize(
    ("top", "rest", "ended", "expected"),
    [
        (b"http/1.1 200 ok\r\ncontent-length: 3", b"ab", False, False),
        (b"http/1.1 200 ok\r\ncontent-length: 3", b"abc", False, True),
        (b"http/1.1 200 ok\r\ntransfer-encoding: chunked", b"1\r\na\r\n", False, False),
        (b"http/1.1 200 ok\r\ntransfer-encoding: chunked", b"1\r\na\r\n0\r\n\r\n", False, True),
        (b"http/1.0 200 ok", b"abc", False, False),
        (b"http/1.0 200 ok", b"abc", True, True),
    ],
)
def test_an_answer_is_whole(top: bytes, rest: bytes, ended: bool, expected: bool):
    assert load.whole(top, rest, ended=ended) is expected


class Answering(threading.Thread):
    """A server that answers each request with the same bytes and keeps the connection, or not."""

    def __init__(self, answer: bytes, *, close: bool) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.answer, self.close, self.seen = answer, close, 0

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with connection:
            while connection.recv(65536):
                self.seen += 1
                connection.sendall(self.answer)
                if self.close:
                    return


@pytest.fixture(params=[False, True])
def closing(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def answering(closing: bool) -> Iterator[Answering]:
    extra = b"Connection: close\r\n" if closing else b""
    thread = Answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + extra + b"\r\nok", close=closing)
    thread.start()
    yield thread
    thread.listener.close()


@pytest.mark.parametrize("connections", [1, 8])
def test_every_request_is_answered_once(answering: Answering, connections: int):
    address = answering.listener.getsockname()
    assert len(load.exchange(address, [b"x"] * 50, connections)) == 50
    assert answering.seen == 50


def test_an_answer_that_is_not_200_ends_the_measurement():
    thread = Answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", close=False)
    thread.start()
    with pytest.raises(ConnectionError, match="403"):
        load.exchange(thread.listener.getsockname(), [b"x"], 1)
    thread.listener.close()


def test_cpu_time_of_the_own_tree_grows():
    before = load.cpu_seconds(load.descendants(os.getpid()))
    while load.cpu_seconds(load.descendants(os.getpid())) - before < 0.05:
        sum(range(10_000))
    assert os.getpid() in load.descendants(os.getpid())
