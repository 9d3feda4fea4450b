from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from garrison.edge.proxy.exchange import MAX_HEAD, Question
from garrison.edge.proxy.server import Connection

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def talk(
    pieces: list[bytes],
    answer: Callable[[Question], bytes | Callable[[], bytes]],
    expect: bytes | None = None,
    *,
    envoys: bool = True,
) -> bytes:
    """What a server on a Unix socket sends for these pieces, up to ``expect`` or its end."""

    async def run(path: str) -> bytes:
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: Connection(answer, lambda: (b"page", "text/plain"), envoys=envoys), path)
        reader, writer = await asyncio.open_unix_connection(path)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001)
        async with asyncio.timeout(20):
            found = await (reader.read() if expect is None else reader.readuntil(expect))
        writer.close()
        server.close()
        return found

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run(str(Path(folder) / "s")))


def test_each_question_has_an_answer_however_it_is_cut():
    whole = b"PUT /a HTTP/1.1\r\nx-garrison-request: eA==\r\ncontent-length: 5\r\n\r\nhello"
    for cut in range(1, len(whole)):
        seen: list[Question] = []

        def answer(question: Question, seen: list[Question] = seen) -> bytes:
            seen.append(question)
            return ANSWER

        assert talk([whole[:cut], whole[cut:]], answer, b"\r\n\r\n") == ANSWER
        assert [each.body for each in seen] == [b"hello"]


def test_one_byte_at_a_time():
    seen: list[Question] = []

    def answer(question: Question) -> bytes:
        seen.append(question)
        return ANSWER

    whole = b"BREW /\xff HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi"
    assert talk([whole[at : at + 1] for at in range(len(whole))], answer, b"\r\n\r\n") == ANSWER
    assert seen[0].head.startswith(b"BREW /\xff")


def test_several_questions_in_one_piece():
    answers = iter([b"1\r\n", b"2\r\n", b"3\r\n\r\n"])
    assert talk([b"GET / HTTP/1.1\r\n\r\n" * 3], lambda _: next(answers), b"\r\n\r\n") == b"1\r\n2\r\n3\r\n\r\n"


def test_slow_work_is_answered_from_another_thread():
    assert talk([b"GET / HTTP/1.1\r\n\r\n"], lambda _: lambda: ANSWER, b"\r\n\r\n") == ANSWER


def test_slow_work_that_fails_is_a_failure():
    def fail() -> bytes:
        raise ValueError

    assert talk([b"GET / HTTP/1.1\r\n\r\n"], lambda _: fail, b"\r\n\r\n").startswith(b"HTTP/1.1 500 ")


def test_metrics_have_a_page_unless_a_client_asks_for_that_path():
    asked = b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n"
    assert talk([asked], lambda _: ANSWER, b"page").startswith(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n")
    of_a_client = b"GET /metrics HTTP/1.1\r\nx-garrison-request: eA==\r\n\r\n"
    assert talk([of_a_client], lambda _: b"asked\r\n\r\n", b"\r\n\r\n") == b"asked\r\n\r\n"


@pytest.mark.parametrize("sent", [b"x" * (MAX_HEAD + 1), b"GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n"])
def test_what_is_no_question_ends_the_connection(sent: bytes):
    assert talk([sent], lambda _: ANSWER).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("line", [b"Content-Length: 38", b"CONTENT-LENGTH:38", b"content-length:  38 "])
def test_a_body_that_another_proxy_sends_is_a_body_however_it_writes_the_length(line: bytes):
    seen: list[Question] = []

    def answer(question: Question) -> bytes:
        seen.append(question)
        return ANSWER

    body = b"GET /nginx HTTP/1.1\r\nX-Evil: 12345\r\n\r\n"
    assert talk([b"GET /forward HTTP/1.1\r\n" + line + b"\r\n\r\n" + body], answer, b"\r\n\r\n", envoys=False) == ANSWER
    assert [each.body for each in seen] == [body]


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: +3",
        b"Content-Length: 3, 3",
        b"Content-Length: 3\r\ncontent-length: 3",
        b"Transfer-Encoding: chunked",
        b"Content-Length: 1048577",
    ],
)
def test_a_body_of_another_proxy_without_one_length_ends_the_connection(lines: bytes):
    asked = b"GET /forward HTTP/1.1\r\n" + lines + b"\r\n\r\nabc"
    assert talk([asked], lambda _: ANSWER, envoys=False).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "asked", [b"GET /a HTTP/1.0\r\nhost: a\r\n\r\n", b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n"]
)
def test_another_proxy_may_want_one_answer_only(asked: bytes):
    assert talk([asked * 2], lambda _: ANSWER, envoys=False) == ANSWER
    kept = asked.replace(b"Close", b"keep-alive").replace(b"host: a", b"Connection: keep-alive")
    assert talk([kept * 2], lambda _: b"x\r\n", b"x\r\nx\r\n", envoys=False) == b"x\r\nx\r\n"
