"""kill -9 at any moment loses nothing that was acknowledged and leaves nothing half done.

``GARRISON_KILL_ROUNDS`` sets the rounds on SQLite; PostgreSQL gets a quarter of them.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time

from garrison.audit import adopt, verify
from garrison.store import Store
from tests.support.stores import Place

ROUNDS = int(os.environ.get("GARRISON_KILL_ROUNDS", "20"))
WRITERS = 2


def run_and_kill(place: Place, dice: random.Random) -> tuple[set[str], set[str]]:
    """Two writers beside each other, killed at once; the rows and the events that they acknowledged."""
    command = [sys.executable, "-m", "tests.support.trail_writer", place.url or str(place.data_dir), str(place.data_dir)]
    writers = [subprocess.Popen([*command, str(slot + 1)], stdout=subprocess.PIPE) for slot in range(WRITERS)]
    first = [writer.stdout.readline() for writer in writers if writer.stdout]
    time.sleep(dice.random() * 0.3)
    for writer in writers:
        writer.kill()
    rows: set[str] = set()
    events: set[str] = set()
    for writer, line in zip(writers, first, strict=True):
        rest, _ = writer.communicate()
        acknowledged = (line + rest).split(b"\n")[:-1]
        assert acknowledged, "the writer never came to its first tick"
        for said in map(json.loads, acknowledged):
            rows.update(said["rows"])
            events.update(said["events"])
    return rows, events


def column(store: Store, sql: str) -> list[str]:
    return [value for (value,) in store.reading().all(sql)]


def check(store: Store, rows: set[str], events: set[str]) -> None:
    accounts = column(store, "SELECT id FROM account")
    trail = column(store, "SELECT event_id FROM audit_event")
    written = column(store, "SELECT event_id FROM audit_event WHERE read_only = 0")
    assert rows <= set(accounts), "an acknowledged write is lost"
    assert rows | events <= set(trail), "an acknowledged event is lost"
    assert len(trail) == len(set(trail)), "an event stands twice"
    assert set(accounts) == set(written), "a write without its event, or an event without its write"
    assert set(accounts) == set(column(store, "SELECT resource_name FROM config_item"))
    assert set(accounts) == set(column(store, "SELECT name FROM meta WHERE length(name) = 32"))


def test_kill(place: Place):
    dice = random.Random()
    store = place.open(0)
    rows: set[str] = set()
    events: set[str] = set()
    for _ in range(ROUNDS if place.engine == "sqlite" else max(1, ROUNDS // 4)):
        more_rows, more_events = run_and_kill(place, dice)
        rows |= more_rows
        events |= more_events
        assert adopt(store, place.data_dir, place.sealer) == WRITERS
        check(store, rows, events)
        assert verify(store, place.data_dir, place.sealer).findings == []
        assert {path.name for path in (place.data_dir / "audit").iterdir()} == {"ledger"}
    assert len(rows) > 20
    assert len(events) > 20
