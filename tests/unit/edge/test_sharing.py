"""Rates shared over the hub of a node and over a real server that speaks Valkey's protocol; and what happens without them."""

from __future__ import annotations

import asyncio
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from garrison.edge.inspect import RateRule, RateTable
from garrison.edge.sharing import MESSAGE_BYTES, HubPool, HubServer, Pool, PoolError, Sharer, ValkeyPool

RULE = RateRule("0123456789abcdef0123456789abcdef", 100, 60)
NOW = 1_000_000.0


class LiveHub:
    """A hub on a thread with a loop of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._loop = asyncio.new_event_loop()
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.bind(str(path))
        self._sock.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        server = HubServer(self._sock, lambda: NOW)
        self._loop.run_until_complete(server.start())
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self.path.unlink()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Path]:
    live = LiveHub(tmp_path / "hub")
    yield live.path
    live.stop()


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        pytest.skip("neither valkey-server nor redis-server is installed")
    folder = tmp_path_factory.mktemp("valkey")
    path = folder / "socket"
    command = [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.02)
    yield f"unix://{path}"
    process.terminate()
    process.wait()


def share(table: RateTable, pool: Pool) -> None:
    for rule, heard in pool.exchange(table.tell(NOW), NOW).items():
        table.hear(rule, heard)


def hits(table: RateTable, key: bytes, times: int) -> bool:
    return [table.hit(RULE, key, NOW) for _ in range(times)][-1]


def together(pools: Sequence[Pool], key: bytes) -> None:
    """Each of the tables counts a part of what is over the limit, and each limits once they told each other."""
    tables = [RateTable(shared=True) for _ in pools]
    part = RULE.limit // len(pools)
    for table in tables:
        assert not hits(table, key, part)
    for _ in range(2):
        for table, pool in zip(tables, pools, strict=True):
            hits(table, key, 1)
            share(table, pool)
    assert [table.hit(RULE, key, NOW) for table in tables] == [True] * len(tables)
    assert tables[-1].estimate(RULE, key, NOW) == len(pools) * (part + 2) + 1


def at_hub(path: Path, key: bytes, count: int = 2) -> None:
    pools = [HubPool(path) for _ in range(count)]
    together(pools, key)
    for pool in pools:
        pool.close()


def test_inspectors_of_a_node_count_together(hub: Path):
    at_hub(hub, b"192.0.2.1", 3)


def test_inspectors_of_many_nodes_count_together(valkey: str):
    together([ValkeyPool(valkey) for _ in range(3)], b"192.0.2.1")


@pytest.mark.parametrize("key", [b"\x00\xff\r\n$3\r\n", b"a b", b"*", b"1:x" * 40], ids=["bytes", "space", "star", "long"])
def test_any_bytes_name_an_instance(hub: Path, valkey: str, key: bytes):
    at_hub(hub, key)
    together([ValkeyPool(valkey), ValkeyPool(valkey)], key)


def test_what_is_kept_in_valkey_expires(valkey: str):
    import valkey as client  # noqa: PLC0415 - beside the fixture of the same name

    table = RateTable(shared=True)
    hits(table, b"a", 3)
    share(table, ValkeyPool(valkey, "me"))
    server = client.Valkey.from_url(valkey)
    names = [name for name in server.scan_iter("garrison:rates:*") if name.endswith((b":me", b":tellers"))]
    assert len(names) == 2
    assert all(0 < int(str(server.ttl(name))) <= 2 * RULE.window for name in names)


@pytest.mark.parametrize("value", [b"many", b"-5", b"9" * 400, b""])
def test_what_is_no_count_counts_nothing(valkey: str, value: bytes):
    import valkey as client  # noqa: PLC0415 - beside the fixture of the same name

    server = client.Valkey.from_url(valkey)
    server.flushall()
    server.zadd(f"garrison:rates:{RULE.id}:tellers", {"vandal": NOW})
    server.hset(f"garrison:rates:{RULE.id}:{int(NOW // 10)}:vandal", mapping={b"a": value})
    table = RateTable(shared=True)
    hits(table, b"a", 3)
    share(table, ValkeyPool(valkey))
    assert table.estimate(RULE, b"a", NOW) == 3


def test_without_others_each_counts_alone_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    table = RateTable(shared=True)
    sharer = Sharer(table, HubPool(tmp_path / "nobody"), lambda: NOW)

    async def try_thrice() -> None:
        for _ in range(3):
            hits(table, b"a", 1)
            await sharer.once()

    asyncio.run(try_thrice())
    assert sharer.failures == 3
    assert caplog.text.count("counted by each inspector alone") == 1
    assert table.estimate(RULE, b"a", NOW) == 3


def test_a_hub_that_comes_back_hears_what_it_missed(tmp_path: Path):
    path = tmp_path / "hub"
    one, two = RateTable(shared=True), RateTable(shared=True)
    mine, theirs = HubPool(path), HubPool(path)
    live = LiveHub(path)
    hits(one, b"a", 40)
    share(one, mine)
    live.stop()
    hits(one, b"a", 1)
    with pytest.raises(PoolError):
        share(one, mine)
    live = LiveHub(path)
    hits(one, b"a", 1)
    share(one, mine)
    hits(two, b"a", 1)
    share(two, theirs)
    assert two.estimate(RULE, b"a", NOW) == 43
    mine.close()
    theirs.close()
    live.stop()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x00\x00\x03abc",
        struct.pack("!I", MESSAGE_BYTES + 1),
        struct.pack("!I", 5),
        b"\xff" * 64,
        msgspec.msgpack.encode([1]),
    ],
    ids=["no message", "too large", "cut short", "noise", "no size"],
)
def test_a_hub_lets_nonsense_go_and_serves_on(hub: Path, sent: bytes):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(hub))
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
    at_hub(hub, b"after")


def test_a_password_in_the_url_is_in_no_message():
    with pytest.raises(PoolError) as told:
        ValkeyPool("http://:secret@localhost/")
    assert "secret" not in str(told.value)
    pool = ValkeyPool("valkey://:secret@127.0.0.1:1/")
    table = RateTable(shared=True)
    hits(table, b"a", 1)
    with pytest.raises(PoolError) as told:
        share(table, pool)
    assert "secret" not in str(told.value)
