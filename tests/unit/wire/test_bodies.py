"""What the bodies of many requests may hold together while they are read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.wire.asgi import Message
from garrison.wire.gateway import Gateway
from garrison.wire.limits import Limits
from tests.support.inprocess import InProcess, scope_of

PIECE = b"a" * 1000


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """Three thousand bytes for all bodies, two thousand for one; five hundred are never refused."""
    one = InProcess()
    one.worker.gateway.limits = Limits(body_bytes=2000, read_seconds=30, all_bodies_bytes=3000, small_bytes=500)
    yield one.worker.gateway
    one.close()


class Client:
    """Sends pieces, and says whether more follow only when it is let."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.may_end = asyncio.Event()

    async def receive(self) -> Message:
        if self.pieces:
            return {"type": "http.request", "body": self.pieces.pop(0), "more_body": True}
        await self.may_end.wait()
        return {"type": "http.request", "body": b"", "more_body": False}


def read(gateway: Gateway, client: Client) -> asyncio.Task[bytes]:
    return asyncio.create_task(gateway._read_body(Request("POST", "/"), client.receive))


async def kind_of(task: asyncio.Task[bytes]) -> str:
    with pytest.raises(CommonError) as caught:
        await task
    return caught.value.kind


def test_a_flood_of_bodies_is_refused_and_small_ones_are_read(gateway: Gateway):
    async def scenario() -> None:
        first = [Client(PIECE) for _ in range(3)]
        reading = [read(gateway, client) for client in first]
        await asyncio.sleep(0)
        assert await kind_of(read(gateway, Client(PIECE))) == "throttled"
        small = Client(b"s" * 500)
        small.may_end.set()
        assert await read(gateway, small) == b"s" * 500
        for client in first:
            client.may_end.set()
        assert await asyncio.gather(*reading) == [PIECE] * 3
        last = Client(PIECE)
        last.may_end.set()
        assert await read(gateway, last) == PIECE, "what was read or refused holds nothing any more"

    asyncio.run(scenario())


def test_a_body_that_is_given_up_gives_its_room_back(gateway: Gateway):
    async def scenario() -> None:
        for _ in range(10):
            gone = read(gateway, Client(PIECE, PIECE))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
            assert await kind_of(read(gateway, Client(PIECE, PIECE, PIECE))) == "too_large"
        last = Client(PIECE, PIECE)
        last.may_end.set()
        assert await read(gateway, last) == PIECE * 2

    asyncio.run(scenario())


def test_a_body_that_still_comes_when_the_server_stops_is_answered_and_on_record():
    one = InProcess()
    said: list[Message] = []

    async def stopped() -> None:
        async def receive() -> Message:
            return await asyncio.Future()

        async def send(message: Message) -> None:
            said.append(message)

        request = one.signed("iam", b"Action=ListUsers&Version=2010-05-08", {"content-type": "application/x-www-form-urlencoded"})
        call = asyncio.ensure_future(one.gateway(scope_of(request), receive, send))
        await asyncio.sleep(0)
        call.cancel()
        await call

    asyncio.run(stopped())
    assert said[0]["status"] == 503
    assert one.last_event()["errorCode"] == "ServiceUnavailable"
    one.close()
