"""A process that writes rows and events without pause and says what it may say: run by the kill test, killed by it.

``python -m tests.support.trail_writer WHERE DATA_DIR SLOT``. Each acknowledged tick is one line of JSON on standard output:
``{"rows": [...], "events": [...]}``, written only after ``flush`` returned.
"""

from __future__ import annotations

import json
import os
import random
import sys
import uuid
from pathlib import Path

from garrison.audit import Recorder, drain
from garrison.store import Store, open_store
from tests.support.events import event, item, write_event
from tests.support.stores import TestSealer


def tick(store: Store, recorder: Recorder, data_dir: Path, dice: random.Random) -> dict[str, list[str]]:
    done: dict[str, list[str]] = {"rows": [], "events": []}
    for _ in range(dice.randrange(4)):
        name = uuid.uuid4().hex
        with store.writing() as tx:
            tx.run("INSERT INTO account (id, name, created_at) VALUES (?, 'x', 1)", name)
            tx.run("INSERT INTO meta (name, value) VALUES (?, ?)", name, b"x")
            tx.changed("account", name)
        recorder.write(write_event(event_id=name), None, [item(name)])
        done["rows"].append(name)
    for _ in range(dice.randrange(4)):
        name = uuid.uuid4().hex
        recorder.observe(event(event_id=name), None)
        done["events"].append(name)
    if dice.random() < 0.05:
        recorder.ship()
    recorder.flush()
    match dice.randrange(20):
        case 0:
            recorder.ship()
        case 1:
            recorder.rotate()
        case 2:
            drain(store, data_dir)
    return done


def main() -> None:
    where, data_dir, slot = sys.argv[1:]
    sealer = TestSealer()
    store = open_store(where, sealer=sealer, slot=int(slot), data_dir=Path(data_dir), lock_wait=30)
    recorder = Recorder(store, Path(data_dir), sealer, int(slot))
    dice = random.Random()
    while True:
        store.refresh()
        line = json.dumps(tick(store, recorder, Path(data_dir), dice)) + "\n"
        os.write(1, line.encode())


if __name__ == "__main__":
    main()
