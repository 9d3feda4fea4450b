"""One connection: which way its requests go, and in which order their answers come. Real sockets, on this machine alone."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.conversations import Application, post, saying, served, short, status_of, until


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


def test_nothing_behind_an_upgrade_is_read():
    """The parser lets go of the bytes behind such a request: a body among them, cut off its head, must not become a request."""
    application = Application()
    upgrade = post(b"", b"Upgrade: websocket", b"Connection: upgrade")
    hidden = post(b"smuggled")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(upgrade + b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(hidden))
        await until(lambda: bool(application.bodies))
        writer.write(hidden)
        return await reader.read()

    (answer,) = served(application, talk)
    assert application.bodies == [b""]
    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"connection: close" in answer


def test_a_target_may_name_the_host_itself():
    application = Application()
    served(application, saying(b"GET http://X:1/a?b HTTP/1.1\r\nHost: x:1\r\nConnection: close\r\n\r\n"))
    assert [scope["raw_path"] for scope in application.scopes] == [b"/a"]


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
        await until(lambda: bool(application.bodies))
        await asyncio.sleep(0.05)
        assert application.bodies == [b"1"]
        assert application.wait is not None
        application.wait.set()
        return await reader.read()

    (answer,) = served(application, talk)
    assert application.bodies == [b"1", b"2"]
    assert answer.count(b"HTTP/1.1 200") == 2


BROKEN_BODY = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\x00"


@pytest.mark.parametrize("behind", [BROKEN_BODY, b"\x00garbage\r\n\r\n"], ids=["body", "head"])
def test_garbage_behind_requests_that_wait_takes_no_answers_place(behind: bytes):
    """All that came whole is answered in its order, and the last answer says that it is the last."""
    application = Application()
    application.wait = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(post(b"1") + post(b"2") + post(b"3") + behind)
        await until(lambda: bool(application.bodies))
        await asyncio.sleep(0.05)
        assert application.wait is not None
        application.wait.set()
        return await reader.read()

    (answer,) = served(application, talk)
    assert application.bodies == [b"1", b"2", b"3"]
    answers = answer.split(b"HTTP/1.1 ")[1:]
    assert [(part[:3], part[-1:]) for part in answers] == [(b"200", b"1"), (b"200", b"2"), (b"200", b"3")]
    assert [b"connection: close" in part for part in answers] == [False, False, True]


@pytest.mark.parametrize("behind", [b"\x00garbage\r\n\r\n", b""], ids=["garbage", "stop"])
def test_what_was_begun_behind_an_owed_answer_is_answered_too(behind: bytes):
    """``close`` in the first answer would say that the second request was not taken, and its client would send it again."""
    application = Application()
    application.stops = not behind
    begun = post(b"2", b"Expect: 100-continue")
    (answer,) = served(application, saying(post(b"1") + begun + behind))
    assert short(application) == [True, False] if behind else short(application)[:1] == [True]
    answers = answer.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"").split(b"HTTP/1.1 200 OK")[1:]
    assert [part[-1:] for part in answers] == application.bodies
    assert [b"connection: close" in part for part in answers] == [False] * (len(answers) - 1) + [True]


def test_an_answer_that_cannot_be_sent_ends_its_connection():
    application = Application()
    application.says = "\u20ac"
    (answer,) = served(application, saying(post(b"x")))
    assert status_of(answer) == 500


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
