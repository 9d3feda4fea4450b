"""What the store and the trail cost: microseconds of one thread, on SQLite in a temporary directory.

``python bench/store.py [DIRECTORY]`` or, against PostgreSQL, ``python bench/store.py DIRECTORY postgresql://...``.
The directory decides what a flush to the disk costs: give one on the disk that is meant. Ends by itself.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from garrison.audit import Recorder, verify
from garrison.audit.event import encode, encode_decision
from garrison.store import Store, open_store
from tests.support.events import decision, event, item, write_event
from tests.support.stores import TestSealer

INSERT = "INSERT INTO account (id, name, created_at) VALUES (?, 'bench', 1)"
ROUNDS = 5


@dataclass(slots=True)
class Bench:
    """One store with a recorder on it."""

    store: Store
    recorder: Recorder
    number: int = 0

    def write(self, *, audited: bool) -> None:
        """A unit of two inserts, as a small operation makes them."""
        self.number += 1
        name = f"bench{time.time_ns()}-{self.number}"
        with self.store.writing() as tx:
            tx.run(INSERT, name)
            tx.run("UPDATE account SET email = ? WHERE id = ?", "x@example.com", name)
            tx.changed("account", name)
        if audited:
            self.recorder.write(write_event(), decision(), [item(name)])

    def writes(self, group: int, *, audited: bool) -> None:
        """A tick with that many writes."""
        for _ in range(group):
            self.write(audited=audited)
        self.recorder.flush()

    def reads(self, group: int) -> None:
        """A tick with that many audited reads."""
        for _ in range(group):
            self.recorder.observe(event(), decision())
        self.recorder.flush()


def best(call: Callable[[], object], times: int, each: int = 1) -> float:
    """Microseconds a call, the best of several rounds: what else the machine does only ever adds."""
    fastest = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(times):
            call()
        fastest = min(fastest, (time.perf_counter() - start) / times / each)
    return fastest * 1e6


def table(bench: Bench) -> list[tuple[str, float]]:
    """Every figure, in the order of the document."""
    reading = bench.store.reading()
    bench.writes(1, audited=False)
    ready, why = event(), decision()
    rows = [
        ("refresh, nothing changed", best(bench.store.refresh, 20_000)),
        ("point read", best(lambda: reading.one("SELECT name, email FROM account WHERE id = ?", "bench"), 2_000)),
        ("write, a group of 1", best(lambda: bench.writes(1, audited=False), 50)),
        ("write, each of a group of 20", best(lambda: bench.writes(20, audited=False), 20, 20)),
        ("audited write, a group of 1", best(lambda: bench.writes(1, audited=True), 50)),
        ("audited write, each of a group of 20", best(lambda: bench.writes(20, audited=True), 20, 20)),
        ("event: build", best(lambda: (event(), decision()), 2_000)),
        ("event: encode", best(lambda: (encode(ready), encode_decision(why)), 2_000)),
        ("audited read, a tick of 1", best(lambda: bench.reads(1), 500)),
        ("audited read, each of a tick of 20", best(lambda: bench.reads(20), 50, 20)),
    ]
    start = time.perf_counter()
    shipped = bench.recorder.ship()
    rows.append(("ship, each event", (time.perf_counter() - start) / shipped * 1e6))
    return rows


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        where = sys.argv[2] if len(sys.argv) > 2 else folder
        sealer = TestSealer()
        store = open_store(where, sealer=sealer, data_dir=Path(folder))
        bench = Bench(store, Recorder(store, Path(folder), sealer))
        print(f"{store.engine_name}, microseconds")
        for name, cost in table(bench):
            print(f"{name:<40} {cost:>9.2f}")
        start = time.perf_counter()
        report = verify(store, Path(folder), sealer)
        assert report.clean, report.findings
        print(f"{'verify, each event':<40} {(time.perf_counter() - start) / report.events * 1e6:>9.2f}")
        bench.recorder.close()
        store.close()


if __name__ == "__main__":
    main()
