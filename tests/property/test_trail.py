"""Whatever a recorder lives through, its trail is whole; whatever is then done to the trail is found."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from garrison.audit import Recorder, adopt, drain, verify
from garrison.store import Store, StoreUnavailable, open_store
from tests.support.events import decision, event, item, write_event
from tests.support.stores import TestSealer

STEPS = ("read", "write", "flush", "ship", "rotate", "drain", "fail", "lost answer", "full spool", "die", "close")
EXAMPLES = settings().max_examples // 2
"""Each opens databases: half of what the profile asks for."""
COLUMNS = ("record", "decision", "hash", "event_name", "user_name", "request_id", "account", "seq", "chain")


class Life:
    """One worker after the other on one data directory, and what each had acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sealer = TestSealer()
        self.store = open_store(folder, sealer=self.sealer)
        self.recorder = Recorder(self.store, folder, self.sealer)
        self.waiting: list[str] = []
        self.acknowledged: list[str] = []

    def step(self, name: str) -> None:
        getattr(self, name.replace(" ", "_"))()

    def read(self) -> None:
        one = event()
        self.recorder.observe(one, None)
        self.waiting.append(one.event_id)

    def write(self) -> None:
        one = write_event()
        with self.store.writing() as tx:
            tx.run("INSERT INTO account (id, name, created_at) VALUES (?, 'x', 1)", one.event_id)
        self.recorder.write(one, decision(), [item(one.event_id)])
        self.waiting.append(one.event_id)

    def flush(self) -> None:
        self.recorder.flush()
        self.acknowledged += self.waiting
        self.waiting.clear()

    def ship(self) -> None:
        if self.store.has_pending:
            self.recorder.ship()
        self.flush()
        self.recorder.ship()

    def rotate(self) -> None:
        self.recorder.rotate()

    def drain(self) -> None:
        drain(self.store, self.folder)

    def fail(self) -> None:
        self._refused(self.store._engine, "commit", lambda: None)

    def lost_answer(self) -> None:
        self._refused(self.store._engine, "commit", self.store._engine.commit)

    def full_spool(self) -> None:
        with mock.patch("os.write", side_effect=OSError):
            self._try()

    def _refused(self, target: object, name: str, first: Callable[[], None]) -> None:
        def refuse() -> None:
            first()
            msg = "refused"
            raise StoreUnavailable(msg)

        with mock.patch.object(target, name, refuse):
            self._try()

    def _try(self) -> None:
        try:
            self.flush()
        except StoreUnavailable:
            self.waiting.clear()

    def die(self) -> None:
        """kill -9: the open group is gone, the lock is let go."""
        self.waiting.clear()
        self.store.close()
        self.recorder._spool.close()
        if self.recorder._head_file is not None:
            self.recorder._head_file.close(remove=False)
        self._again()

    def close(self) -> None:
        self.flush()
        self.recorder.close()
        self.store.close()
        self._again()

    def _again(self) -> None:
        self.store = open_store(self.folder, sealer=self.sealer)
        adopt(self.store, self.folder, self.sealer)
        self.recorder = Recorder(self.store, self.folder, self.sealer)

    def end(self) -> Store:
        """Everything in the database, every chain closed."""
        self.flush()
        self.recorder.close()
        return self.store


@settings(max_examples=EXAMPLES)
@given(steps=st.lists(st.sampled_from(STEPS), max_size=25))
def test_every_life_leaves_a_whole_trail(steps: list[str]):
    with tempfile.TemporaryDirectory() as name:
        life = Life(Path(name))
        for step in steps:
            life.step(step)
            assert verify(life.store, life.folder, life.sealer).findings == []
        store = life.end()
        report = verify(store, life.folder, life.sealer)
        assert report.findings == []
        trail = [row[0] for row in store.reading().all("SELECT event_id FROM audit_event")]
        assert len(trail) == len(set(trail))
        assert set(life.acknowledged) <= set(trail)
        accounts = {row[0] for row in store.reading().all("SELECT id FROM account")}
        written = {row[0] for row in store.reading().all("SELECT event_id FROM audit_event WHERE read_only = 0")}
        assert accounts == written
        store.close()


@settings(max_examples=EXAMPLES)
@given(data=st.data(), count=st.integers(1, 12))
def test_every_single_change_is_found(data: st.DataObject, count: int):
    with tempfile.TemporaryDirectory() as name:
        life = Life(Path(name))
        for _ in range(count):
            life.step(data.draw(st.sampled_from(("read", "write"))))
            life.flush()
        store = life.end()
        assert verify(store, life.folder, life.sealer).clean
        victim = data.draw(st.integers(1, count))
        column = data.draw(st.sampled_from((*COLUMNS, "delete")))
        with store.writing() as tx:
            if column == "delete":
                tx.run("DELETE FROM audit_event WHERE seq = ?", victim)
            elif column == "seq":
                tx.run("UPDATE audit_event SET seq = seq + 100 WHERE seq = ?", victim)
            elif column == "hash":
                tx.run("UPDATE audit_event SET hash = zeroblob(32) WHERE seq = ?", victim)
            else:
                sql = f"UPDATE audit_event SET {column} = {column} || ' ' WHERE seq = ?"  # noqa: S608 - this file's own names
                tx.run(sql, victim)
        store.commit()
        assert not verify(store, life.folder, life.sealer).clean
        store.close()
