"""One connection: what is refused on its bytes, before a request exists. Real sockets, on this machine alone."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from garrison.core.context import Call
from garrison.core.http import Request, Response
from garrison.keys.certificate import ensure_certificate
from garrison.wire.server import MAX_HEADERS, GuardedProtocol, OneWrite, make_server

Scope = Mapping[str, Any]
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Application:
    """Remembers scopes and bodies; answers 200 with the body, after ``wait`` where it is set.

    ``fails``: it does not even take a request. ``stops``: its server is told to stop while an answer is owed.
    """

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []
        self.wait: asyncio.Event | None = None
        self.fails = self.stops = False

    def enter(self, request: Request, call: Call, answer: Callable[[Response], None]) -> Any:
        if self.fails:
            msg = "it fails"
            raise RuntimeError(msg)
        self.scopes.append(
            {
                "raw_path": request.path.encode(),
                "query_string": request.query.encode(),
                "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers],
                "state": {"tls": call.tls},
                "scheme": "https" if call.secure else "http",
                "short": True,
            }
        )
        self.bodies.append(request.body)
        if self.wait is not None:
            return request.body
        if self.stops:
            connection: GuardedProtocol = answer.__self__  # type: ignore[attr-defined] # a bound method
            connection.shutdown()
        asyncio.get_running_loop().call_soon(answer, Response(200, [("x-way", "short")], request.body))
        return None

    async def finish_to(self, exchange: Any, send: Any) -> None:
        assert self.wait is not None
        await self.wait.wait()
        await self._send(send, exchange)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        if self.wait is not None:
            await self.wait.wait()
        await self._send(send, body)

    async def _send(self, send: Any, body: bytes) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]


def served(application: Application, *talks: Talk, authority: Path | None = None, **options: Any) -> list[Any]:
    """Run a server, hold these conversations with it at one time, and stop it; what each of them answered."""
    limits: dict[str, Any] = {
        "max_head_bytes": 2000,
        "max_body_bytes": 10_000,
        "head_timeout": 5.0,
        "max_connections": 50,
        "tls": None,
    } | options

    async def run() -> list[Any]:
        listener = socket.create_server(("127.0.0.1", 0))
        where = listener.getsockname()
        server = make_server(application, **limits)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await _until(lambda: server.started)

        async def one(talk: Talk) -> Any:
            trusted = ssl.create_default_context(cafile=str(authority)) if authority else None
            reader, writer = await asyncio.open_connection(*where, ssl=trusted)
            try:
                return await asyncio.wait_for(talk(reader, writer), 20)
            except ConnectionError:
                return b""  # closed while there was still something to say
            finally:
                writer.close()

        try:
            return [await one(talk) for talk in talks]
        finally:
            server.ask_to_stop()
            await serving

    return asyncio.run(run())


async def _until(what: Callable[[], bool]) -> None:
    for _ in range(2000):
        if what():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it did not come to pass")


def saying(data: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(data)
        return await reader.read()

    return talk


def status_of(answer: bytes) -> int:
    return int(answer[9:12]) if answer else 0


def request(*headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST /a%20b?x=1 HTTP/1.1", b"Host: x", b"Connection: close", *headers, b"", b""]) + body


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
        await _until(lambda: bool(application.bodies))
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


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST /a%20b?x=1 HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body), *headers, b"", b""]
    return b"\r\n".join(lines) + body


def short(application: Application) -> list[bool]:
    """Of each request whether it went the short way."""
    return [scope.get("short", False) for scope in application.scopes]


def test_a_whole_request_goes_the_short_way_and_is_read_as_any_other():
    application = Application()
    (answer,) = served(application, saying(post(b"abc", b"X-A: 1", b"X-A: 2") + post(b"", b"Connection: close")))
    first, second = application.scopes
    assert short(application) == [True, False], "one that ends the connection has a way of its own"
    assert (first["raw_path"], first["query_string"]) == (b"/a%20b", b"x=1") == (second["raw_path"], second["query_string"])
    assert [value for name, value in first["headers"] if name == b"x-a"] == [b"1", b"2"]
    assert application.bodies == [b"abc", b""]
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert head.startswith(b"http/1.1 200 ok\r\n")
    assert b"\r\ndate: " in head
    assert b"\r\ncontent-length: 3" in head
    assert b"\r\nserver:" not in head


@pytest.mark.parametrize(
    "data",
    [
        b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
        post(b"x" * 10_001),
        post(b"x", b"Expect: 100-continue"),
    ],
    ids=["head", "long", "expecting"],
)
def test_what_is_out_of_the_ordinary_goes_the_long_way(data: bytes):
    application = Application()
    (answer,) = served(application, saying(data + post(b"last", b"Connection: close")))
    assert short(application)[0] is False
    assert b"HTTP/1.1 200" in answer


def test_an_upgrade_is_not_made_and_the_request_answered_as_it_is():
    application = Application()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n")
        return await reader.readuntil(b"\r\n\r\n")

    (answer,) = served(application, talk)
    assert status_of(answer) == 200
    assert short(application) == [False]


def test_a_body_that_comes_later_goes_the_long_way():
    application = Application()

    async def by_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        whole = post(b"abcdef")
        writer.write(whole[:-4])
        await asyncio.sleep(0.05)
        writer.write(whole[-4:])
        await reader.readuntil(b"\r\n\r\n")
        return await reader.readexactly(6)

    assert served(application, by_pieces) == [b"abcdef"]
    assert short(application) == [False]


def test_answers_keep_the_order_of_requests_whichever_way_these_go():
    application = Application()
    many = b"".join([post(b"1"), post(b"2"), post(b"3", b"Expect: 100-continue"), post(b"4"), post(b"5", b"Connection: close")])
    (answer,) = served(application, saying(many))
    assert application.bodies == [b"1", b"2", b"3", b"4", b"5"]
    said = answer.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    assert [part.rpartition(b"\r\n\r\n")[2] for part in said.split(b"HTTP/1.1 200 OK")[1:]] == application.bodies


def test_garbage_behind_what_went_the_short_way_does_not_take_its_answers_place():
    application = Application()
    (answer,) = served(application, saying(post(b"hi") + b"\x00garbage\r\n\r\n"))
    assert short(application) == [True]
    assert status_of(answer) == 200
    assert answer.count(b"HTTP/1.1") == 1
    assert b"connection: close" in answer
    assert answer.endswith(b"hi")


def test_a_call_that_waits_holds_up_what_comes_behind_it():
    application = Application()
    application.wait = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(post(b"1") + post(b"2", b"Connection: close"))
        await _until(lambda: bool(application.bodies))
        await asyncio.sleep(0.05)
        assert application.bodies == [b"1"]
        assert application.wait is not None
        application.wait.set()
        return await reader.read()

    (answer,) = served(application, talk)
    assert application.bodies == [b"1", b"2"]
    assert answer.count(b"HTTP/1.1 200") == 2


def test_an_application_that_fails_is_answered_for():
    application = Application()
    application.fails = True
    (answer,) = served(application, saying(post(b"x")))
    assert status_of(answer) == 500
    assert b"it fails" not in answer


@pytest.mark.parametrize("target", [b"http://[", b"/\xff", b"x"])
def test_a_target_that_is_none_is_refused(target: bytes):
    application = Application()
    (answer,) = served(application, saying(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert status_of(answer) == 400
    assert application.scopes == []


def test_a_stop_waits_for_what_is_owed():
    """The server stops in the very turn in which a request came."""
    application = Application()
    application.stops = True
    (answer,) = served(application, saying(post(b"hi")))
    assert short(application) == [True]
    assert status_of(answer) == 200
    assert b"connection: close" in answer
    assert answer.endswith(b"hi")


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
