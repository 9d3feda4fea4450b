"""Inspectors tell each other what they counted: those of one node over a hub of its own, those of many nodes over Valkey.

Every inspector tells twice a second what it counted and asks for what others did (``inspect.Told``), so an instance that comes
to many inspectors is limited within about a second of being over the limit. Each tells whole counts under a name of its own:
what is told again, or late, counts once. While nobody can be told, each inspector counts alone, and says so in the log.
Steps are counted by the clock: nodes whose clocks differ by more than a sixth of a window do not see each other's counts in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import struct
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, cast
from urllib.parse import urlsplit

import msgspec

from garrison.edge.inspect import Heard, RateTable, Told
from garrison.edge.inspect.tables import STEPS

LOG = logging.getLogger("garrison.edge")
EVERY_SECONDS: Final = 0.5
TIMEOUT_SECONDS: Final = 1.0
QUIET_SECONDS: Final = 60.0
"""Between two lines of the log about the same trouble."""
MESSAGE_BYTES: Final = 32 << 20
_SIZE: Final = struct.Struct("!I")
_PREFIX: Final = "garrison:rates"


class PoolError(Exception):
    """Others could not be told or heard."""


class Pool(Protocol):
    """Where inspectors meet. Used by one thread at a time; may block for a second."""

    def exchange(self, told: Sequence[Told], now: float) -> Mapping[str, Heard]:
        """Tell, and hear by rule what others counted of the instances asked for. Raises PoolError."""
        ...


class Telling(msgspec.Struct, array_like=True, frozen=True):
    """``Told`` on the hub's socket."""

    rule: str
    window: int
    step: int
    counts: dict[int, dict[bytes, int]]
    asked: list[bytes]
    asked_whole: list[bytes]

    @classmethod
    def of(cls, told: Told) -> Telling:
        """What is told, as a message."""
        counts = {step: dict(by_key) for step, by_key in told.counts.items()}
        return cls(told.rule.id, told.rule.window, told.step, counts, list(told.asked), list(told.asked_whole))


class Message(msgspec.Struct, array_like=True, frozen=True):
    """What one inspector, named ``teller``, says at a time."""

    teller: str
    told: list[Telling]


_Answer = dict[str, dict[int, dict[bytes, int]]]


def _questions(asked: Iterable[bytes], asked_whole: Iterable[bytes], step: int) -> list[tuple[int, list[bytes]]]:
    """Which instances are asked for in which step."""
    whole, recent = list(asked_whole), list(asked)
    steps = range(step - STEPS, step + 1)
    return [(each, whole + recent if each >= step - 1 else whole) for each in steps if whole or (recent and each >= step - 1)]


class Hub:
    """What the inspectors of a node told. Keeps the steps of one window, and rules that somebody speaks of."""

    def __init__(self) -> None:
        self._rules: dict[str, dict[int, dict[str, dict[bytes, int]]]] = {}
        self._spoken: dict[str, float] = {}

    def exchange(self, message: Message, now: float) -> _Answer:
        """Take what one tells, and answer what it asks."""
        self._forget(now)
        return {told.rule: self._one(message.teller, told, now) for told in message.told}

    def _one(self, teller: str, told: Telling, now: float) -> dict[int, dict[bytes, int]]:
        steps = self._rules.setdefault(told.rule, {})
        self._spoken[told.rule] = now + 2 * told.window
        for step, counts in told.counts.items():
            steps.setdefault(step, {}).setdefault(teller, {}).update(counts)
        for gone in [each for each in steps if each < told.step - STEPS]:
            del steps[gone]
        return {
            step: _sum(steps.get(step, {}), teller, keys) for step, keys in _questions(told.asked, told.asked_whole, told.step)
        }

    def _forget(self, now: float) -> None:
        for rule in [each for each, until in self._spoken.items() if until < now]:
            del self._spoken[rule], self._rules[rule]


def _sum(by_teller: Mapping[str, Mapping[bytes, int]], teller: str, keys: Sequence[bytes]) -> dict[bytes, int]:
    others = [counts for name, counts in by_teller.items() if name != teller]
    return {key: sum(counts.get(key, 0) for counts in others) for key in keys}


class _Talk(asyncio.Protocol):
    """A hub's side of one connection. What is no message ends it."""

    def __init__(self, server: HubServer) -> None:
        self._server = server
        self._read = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As of ``asyncio.Protocol``."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._server.talks.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as of ``asyncio.Protocol``
        """As of ``asyncio.Protocol``."""
        self._server.talks.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        """As of ``asyncio.Protocol``."""
        self._read += data
        try:
            while (body := self._body()) is not None:
                self._transport.write(_framed(self._server.answer(body)))
        except (msgspec.DecodeError, ValueError) as error:
            LOG.warning("a connection to the hub of rates ends: %s", error)
            self._transport.close()

    def _body(self) -> bytes | None:
        if len(self._read) < _SIZE.size:
            return None
        (size,) = _SIZE.unpack_from(self._read)
        _bound(size)
        end = _SIZE.size + size
        if len(self._read) < end:
            return None
        body = bytes(self._read[_SIZE.size : end])
        del self._read[:end]
        return body


class HubServer:
    """A hub on a bound Unix socket. Whoever may open the socket may tell anything: it is its owner's alone."""

    def __init__(self, sock: socket.socket, clock: Callable[[], float] = time.time) -> None:
        self._sock = sock
        self._clock = clock
        self._hub = Hub()
        self._decoder = msgspec.msgpack.Decoder(Message)
        self.talks: set[asyncio.WriteTransport] = set()
        """The open connections."""

    async def start(self) -> None:
        """Serve, for as long as the loop runs, until closed."""
        self._server = await asyncio.get_running_loop().create_unix_server(lambda: _Talk(self), sock=self._sock)

    def answer(self, body: bytes) -> bytes:
        """The answer to a message. Raises ``msgspec.DecodeError`` for what is none."""
        return msgspec.msgpack.encode(self._hub.exchange(self._decoder.decode(body), self._clock()))

    def close(self) -> None:
        """Serve no more, and end what is open."""
        self._server.close()
        for talk in list(self.talks):
            talk.close()


def _bound(size: int) -> None:
    if size > MESSAGE_BYTES:
        raise ValueError(f"a message of {size} bytes")


def _framed(body: bytes) -> bytes:
    return _SIZE.pack(len(body)) + body


def _read(sock: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        part = sock.recv(min(size - len(found), 1 << 20))
        if not part:
            raise ConnectionResetError("it closed the connection")
        found += part
    return bytes(found)


class HubPool:
    """The hub of the node."""

    def __init__(self, path: Path, teller: str | None = None) -> None:
        self._path = path
        self._teller = teller or secrets.token_hex(8)
        self._sock: socket.socket | None = None
        self._decoder = msgspec.msgpack.Decoder(_Answer)

    def exchange(self, told: Sequence[Told], now: float) -> Mapping[str, Heard]:  # noqa: ARG002 - the hub has its own clock
        """As of ``Pool``."""
        body = msgspec.msgpack.encode(Message(self._teller, [Telling.of(each) for each in told]))
        try:
            return self._ask(body)
        except (OSError, msgspec.DecodeError, ValueError) as error:
            self.close()
            raise PoolError(f"the hub of this node does not answer: {error}") from error

    def close(self) -> None:
        """Leave the hub."""
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def _ask(self, body: bytes) -> _Answer:
        if self._sock is None:
            self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._sock.settimeout(TIMEOUT_SECONDS)
            self._sock.connect(str(self._path))
        self._sock.sendall(_framed(body))
        (size,) = _SIZE.unpack(_read(self._sock, _SIZE.size))
        _bound(size)
        return self._decoder.decode(_read(self._sock, size))


class ValkeyPool:
    """Valkey, or a Redis that speaks the same protocol, for the inspectors of many nodes.

    Keys: ``garrison:rates:RULE:STEP:TELLER``, a hash of counts by instance, and ``garrison:rates:RULE:tellers``, all of which
    expire after the window. Instances are addresses and other values of requests: who may read the server may read them.
    """

    def __init__(self, url: str, teller: str | None = None) -> None:
        """Connects at the first use. Raises PoolError where the client is not installed, or the URL is none."""
        try:
            import valkey  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise PoolError("Valkey's client is not installed: pip install 'garrison[valkey]'") from error
        if urlsplit(url).scheme not in {"valkey", "valkeys", "redis", "rediss", "unix"}:
            raise PoolError("rates are shared over a valkey://, valkeys:// or unix:// URL")  # the URL may hold a password
        self._errors: tuple[type[Exception], ...] = (valkey.ValkeyError, OSError)
        self._teller = teller or secrets.token_hex(8)
        self._client: Any = valkey.Valkey.from_url(
            url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS, decode_responses=False
        )

    def exchange(self, told: Sequence[Told], now: float) -> Mapping[str, Heard]:
        """As of ``Pool``."""
        try:
            return self._hear(told, self._tell(told, now))
        except self._errors as error:
            raise PoolError(f"Valkey does not answer: {type(error).__name__}") from error

    def _tell(self, told: Sequence[Told], now: float) -> list[list[str]]:
        """Tell, and name the others of each rule."""
        pipe = self._client.pipeline(transaction=False)
        for each in told:
            window, tellers = each.rule.window, f"{_PREFIX}:{each.rule.id}:tellers"
            for step, counts in each.counts.items():
                name = self._hash(each.rule.id, step, self._teller)
                pipe.hset(name, mapping=counts)
                pipe.expire(name, 2 * window)
            pipe.zadd(tellers, {self._teller: now})
            pipe.zremrangebyscore(tellers, "-inf", now - 2 * window)
            pipe.expire(tellers, 2 * window)
            pipe.zrange(tellers, 0, -1)
        lists = [answer for answer in pipe.execute() if isinstance(answer, list)]
        return [[name for raw in names if (name := raw.decode()) != self._teller] for names in lists]

    def _hear(self, told: Sequence[Told], others: Sequence[Sequence[str]]) -> _Answer:
        pipe, asked = self._client.pipeline(transaction=False), []
        for each, names in zip(told, others, strict=True):
            for step, keys in _questions(each.asked, each.asked_whole, each.step):
                for name in names:
                    pipe.hmget(self._hash(each.rule.id, step, name), keys)
                    asked.append((each.rule.id, step, keys))
        found: dict[str, dict[int, dict[bytes, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
        for (rule, step, keys), values in zip(asked, pipe.execute(), strict=True):
            counts = found[rule][step]
            for key, value in zip(keys, values, strict=True):
                counts[key] += _count(value)
        return found

    @staticmethod
    def _hash(rule: str, step: int, teller: str) -> str:
        return f"{_PREFIX}:{rule}:{step}:{teller}"


def _count(value: bytes | None) -> int:
    """A count as it is kept. What is none, because somebody else wrote it, counts nothing."""
    return int(value) if value is not None and value.isdigit() and len(value) < 16 else 0


class Sharer:
    """Keeps one table in touch with others."""

    def __init__(
        self,
        table: RateTable,
        pool: Pool,
        clock: Callable[[], float] = time.time,
        guard: contextlib.AbstractContextManager[Any] | None = None,
    ) -> None:
        """``guard`` is held while the table is touched, where other threads use it too."""
        self._table = table
        self._guard = guard or contextlib.nullcontext()
        self._pool = pool
        self._clock = clock
        self._quiet_until = 0.0
        self.failures = 0
        """How often others could not be told."""

    async def run(self) -> None:
        """Tell and hear for ever; cancelled to end. The table is touched only in the thread of the loop, and under the guard."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self.once()

    async def once(self) -> None:
        """Tell and hear. Never raises."""
        now = self._clock()
        with self._guard:
            told = self._table.tell(now)
        if not told:
            return
        try:
            heard = await asyncio.to_thread(self._pool.exchange, told, now)
        except PoolError as error:
            self._failed(error, now)
            return
        with self._guard:
            for rule, counts in heard.items():
                self._table.hear(rule, counts)

    def _failed(self, error: PoolError, now: float) -> None:
        self.failures += 1
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_SECONDS
            LOG.error("rates are counted by each inspector alone: %s", error)
