"""The promise of durability: kill the server at any moment, start it again, and nothing that was acknowledged is lost.

``GARRISON_KILL_ROUNDS`` raises the number of rounds. Each round loads one server with several writers, kills its whole process
group at a random moment, starts it again, and compares what is there with what was promised.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clients import boto
from tests.support.server import Server
from tests.support.writers import Writer

ROUNDS = int(os.environ.get("GARRISON_KILL_ROUNDS", "5"))
WRITERS = 4
LONGEST = 1.5
"""Seconds of load at most, before the kill."""
PATIENCE = 60.0
"""How long the last round may go on, on a busy machine, until there was load enough to prove anything."""


@pytest.fixture(params=["sqlite", "postgresql"])
def durable_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server of two workers on each kind of store."""
    store = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    server = Server(tmp_path / "server", store=store, workers=2)
    yield server
    server.kill()


def load_and_kill(server: Server, writers: list[Writer], seconds: float, least: int) -> None:
    """Let the writers work for so long, and until so many calls are acknowledged; then kill the server under them."""
    for writer in writers:
        writer.connect()
    threads = [threading.Thread(target=writer.run, name=writer.name) for writer in writers]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    until = time.monotonic() + PATIENCE
    while sum(len(writer.acknowledged) for writer in writers) < least and time.monotonic() < until:
        time.sleep(0.05)
    server.kill()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive(), f"{thread.name} hangs after the server is gone"


def recorded_requests(server: Server, since: dt.datetime) -> set[str]:
    """Request ids of every event since then."""
    found: set[str] = set()
    trail = boto(server, "cloudtrail")
    for page in trail.get_paginator("lookup_events").paginate(StartTime=since):
        found.update(json.loads(event["CloudTrailEvent"])["requestID"] for event in page["Events"])
    return found


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(durable_server: Server):
    server = durable_server.start()
    seed = int(os.environ.get("GARRISON_KILL_SEED", str(random.SystemRandom().randrange(2**32))))
    pick = random.Random(seed)
    writers = [Writer(f"w{number}", server, seed) for number in range(WRITERS)]
    answered = 0
    for round_number in range(ROUNDS):
        where = f"round {round_number + 1} of {ROUNDS}, GARRISON_KILL_SEED={seed}"
        since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=2)
        wanting = ROUNDS * WRITERS + 1 - answered if round_number == ROUNDS - 1 else 0
        load_and_kill(server, writers, pick.uniform(0.05, LONGEST), wanting)
        for writer in writers:
            assert writer.failure is None, f"{where}: {writer.name}: {writer.failure!r}"
        server.start()
        breaches = [breach for writer in writers for breach in writer.settle()]
        assert not breaches, f"{where}:\n" + "\n".join(breaches)
        promised = {request_id for writer in writers for request_id in writer.acknowledged}
        lost = promised - recorded_requests(server, since)
        assert not lost, f"{where}: {len(lost)} of {len(promised)} events lost: {sorted(lost)[:5]}"
        done = server.garrison("audit", "verify", check=False)
        assert done.returncode == 0, f"{where}: {done.stdout}\n{done.stderr}"
        answered += len(promised)
        for writer in writers:
            writer.acknowledged.clear()
    assert answered > ROUNDS * WRITERS, "the load was too light to prove anything"
