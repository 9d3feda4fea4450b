"""One connection: what is refused on its bytes, before a request exists. Real sockets, on this machine alone."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from garrison.keys.certificate import ensure_certificate
from garrison.wire.server import MAX_HEADERS, OneWrite
from tests.support.conversations import GET, Application, post, request, saying, served, status_of, until


def test_a_request_arrives_as_it_was_sent():
    application = Application()
    (answer,) = served(application, saying(request(b"Content-Length: 3", b"X-A: 1", b"X-A: 2", body=b"abc")))
    assert (status_of(answer), answer[-3:]) == (200, b"abc")
    scope = application.scopes[0]
    assert (scope["raw_path"], scope["query_string"]) == (b"/a%20b", b"x=1")
    assert [value for name, value in scope["headers"] if name == b"x-a"] == [b"1", b"2"]
    assert scope["state"]["tls"] is None
    assert b"server:" not in answer.lower(), "what serves is nobody's business"


def test_a_head_over_the_limit_is_refused_however_it_comes():
    application = Application()
    whole = request(b"X-Long: " + b"x" * 2000)

    async def by_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(GET[:-2])
        for _ in range(40):
            writer.write(b"X-A: " + b"y" * 60 + b"\r\n")
            await asyncio.sleep(0)
        return await reader.read()

    at_once, pieced = served(application, saying(whole), by_pieces)
    assert status_of(at_once) == 431
    assert status_of(pieced) in {0, 431}
    assert application.scopes == []


def test_a_long_body_is_no_long_head():
    application = Application()
    body = b"z" * 50_000
    (answer,) = served(application, saying(request(b"Content-Length: 50000", body=body)))
    assert status_of(answer) == 200
    assert application.bodies == [body]


def test_the_number_of_headers_is_bounded():
    application = Application()
    many = [b"a: b"] * (MAX_HEADERS + 1)
    assert status_of(served(application, saying(request(*many)), max_head_bytes=100_000)[0]) == 400
    assert application.scopes == []


def test_a_head_must_come_in_time():
    application = Application()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"GET / HTTP/1.1\r\n")
        return await reader.read()

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> bytes:
        return await reader.read()

    assert [status_of(answer) for answer in served(application, slow, silent, head_timeout=0.1)] == [408, 0]


def test_trailers_are_no_headers():
    application = Application()
    chunked = b"3\r\nabc\r\n0\r\nX-Amz-Security-Token: smuggled\r\nX-Other: y\r\n\r\n"
    (answer,) = served(application, saying(request(b"Transfer-Encoding: chunked", body=chunked)))
    assert status_of(answer) == 200
    assert application.bodies == [b"abc"]
    assert not {b"x-amz-security-token", b"x-other"} & {name for name, _ in application.scopes[0]["headers"]}


def test_what_frames_a_body_is_bounded():
    application = Application()
    endless = b"1\r\na\r\n0\r\nX-Long: " + b"x" * 5000

    async def by_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(request(b"Transfer-Encoding: chunked"))
        await asyncio.sleep(0.05)
        for start in range(0, len(endless), 500):
            writer.write(endless[start : start + 500])
            await asyncio.sleep(0.01)
        return await reader.read()

    assert status_of(served(application, by_pieces)[0]) in {0, 431}
    assert application.bodies == []


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/0.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"GET http://evil/ HTTP/1.1\r\nHost: x\r\n\r\n",
        post(b"abc", b"Upgrade: websocket", b"Connection: upgrade"),
        b"GET http://x@evil/ HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_two_readers_could_read_differently_is_refused(head: bytes):
    application = Application()
    assert status_of(served(application, saying(head))[0]) == 400
    assert application.scopes == []


def test_one_connection_too_many_is_told_so():
    application = Application()

    async def crowd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[bytes, bytes]:
        where = writer.get_extra_info("peername")
        second = await asyncio.open_connection(*where)
        third = await asyncio.open_connection(*where)
        refused = await third[0].read()
        for extra in (second, third):
            extra[1].close()
        writer.write(request())
        return refused, await reader.read()

    ((refused, answered),) = served(application, crowd, max_connections=2)
    assert status_of(refused) == 503
    assert refused.endswith(b"content-length: 0\r\n\r\n"), "every protocol's client takes that for a reason to try again"
    assert status_of(answered) == 200


def test_garbage_after_a_request_does_not_take_its_answers_place():
    application = Application()
    application.wait = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi" + b"\x00garbage\r\n\r\n")
        await until(lambda: bool(application.bodies))
        assert application.wait is not None
        application.wait.set()
        return await reader.read()

    (answer,) = served(application, talk)
    assert status_of(answer) == 200
    assert answer.count(b"HTTP/1.1") == 1
    assert b"connection: close" in answer


def test_requests_on_one_connection_are_answered_in_their_order():
    application = Application()
    two = b"".join(
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n%s\r\n%s" % (close, body)
        for body, close in ((b"1", b""), (b"2", b"Connection: close\r\n"))
    )
    (answer,) = served(application, saying(two))
    assert answer.count(b"HTTP/1.1 200") == 2
    assert application.bodies == [b"1", b"2"]


def test_a_resting_connection_makes_room_for_another(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("garrison.wire.server.RESTED_SECONDS", 0.05)
    application = Application()

    async def crowd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[bytes, bytes]:
        where = writer.get_extra_info("peername")
        writer.write(post(b"first"))
        await reader.readuntil(b"first")
        idle = await asyncio.open_connection(*where)
        await asyncio.sleep(0.1)
        writer.write(post(b"again"))  # the older one, which is at work
        await reader.readuntil(b"again")
        third = await asyncio.open_connection(*where)
        gone = await idle[0].read()
        third[1].write(request())
        answered = await third[0].read()
        for extra in (idle, third):
            extra[1].close()
        return gone, answered

    ((gone, answered),) = served(application, crowd, max_connections=2)
    assert gone == b""
    assert status_of(answered) == 200


def test_a_connection_at_work_makes_no_room(monkeypatch: pytest.MonkeyPatch):
    """What was answered at once does not make a connection rest that has another request under way."""
    monkeypatch.setattr("garrison.wire.server.RESTED_SECONDS", 0.05)
    application = Application()

    async def crowd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[bytes, bytes]:
        writer.write(post(b"1") + post(b"last", b"Connection: close")[:-1])
        await reader.readuntil(b"\r\n\r\n1")
        await asyncio.sleep(0.1)
        other = await asyncio.open_connection(*writer.get_extra_info("peername"))
        refused = await other[0].read()
        other[1].close()
        writer.write(b"t")
        return refused, await reader.read()

    ((refused, answered),) = served(application, crowd, max_connections=1)
    assert status_of(refused) == 503
    assert answered.endswith(b"last")


@pytest.mark.parametrize("nothing", [b"\r\n", b"\r\n\r\n"])
def test_empty_lines_do_not_hold_a_connection(nothing: bytes):
    application = Application()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(post(b"one"))
        await reader.readuntil(b"one")
        writer.write(nothing)
        return await reader.read()

    assert served(application, talk, head_timeout=0.2)[0][:12] in {b"", b"HTTP/1.1 408"}


def test_a_connection_that_rests_too_long_is_ended(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("garrison.wire.server.KEEP_ALIVE_SECONDS", 0.2)
    application = Application()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        for body in (b"one", b"two"):
            writer.write(post(body))
            await reader.readuntil(body)
            await asyncio.sleep(0.12)
        writer.write(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        return await reader.read()

    (answer,) = served(application, talk)
    assert status_of(answer) == 200, "each pause is counted by itself"


def test_version_and_cipher_of_a_connection_are_known(tmp_path: Path):
    application = Application()
    cert, key, authority = ensure_certificate(tmp_path / "tls", "127.0.0.1", time.time())
    served(application, saying(request()), tls=(str(cert), str(key)), authority=authority)
    version, cipher = application.scopes[0]["state"]["tls"]
    assert version == "TLSv1.3"
    assert cipher.startswith("TLS_")
    assert application.scopes[0]["scheme"] == "https"


class Sent:
    """A transport that keeps what it was told to send."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_the_head_of_an_answer_goes_with_its_body() -> None:
    sent = Sent()
    one = OneWrite(sent)  # type: ignore[arg-type] # as much of a transport as is used
    one.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
    assert sent.writes == []
    one.write(b"ok")
    assert sent.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]
    assert not one.is_closing()


def test_a_head_that_nothing_follows_is_sent_before_the_end() -> None:
    for end in (OneWrite.flush, OneWrite.close):
        sent = Sent()
        one = OneWrite(sent)  # type: ignore[arg-type] # the same
        one.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        end(one)
        assert sent.writes == [b"HTTP/1.1 204 No Content\r\n\r\n"]


def test_leave_to_go_on_is_not_held_back() -> None:
    sent = Sent()
    OneWrite(sent).write(b"HTTP/1.1 100 Continue\r\n\r\n")  # type: ignore[arg-type] # the same
    assert sent.writes == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_nothing_is_said_to_who_has_gone() -> None:
    sent = Sent()
    one = OneWrite(sent)  # type: ignore[arg-type] # the same
    one.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
    sent.close()
    one.write(b"ok")
    assert sent.writes == []
