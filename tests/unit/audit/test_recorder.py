"""No call is answered before its event lasts, and no event is written twice or lost."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from garrison.audit import Recorder, adopt, drain, verify
from garrison.audit.spool import read_lines, spool_files
from garrison.store import Store, StoreUnavailable, open_store
from tests.support.events import decision, event, item, write_event
from tests.support.stores import Place, TestSealer

INSERT = "INSERT INTO account (id, name, created_at) VALUES (?, 'x', 1)"


class Worker:
    """A store and its recorder, as the gateway drives them."""

    def __init__(self, place: Place, slot: int = 0, **options: Any) -> None:
        self.place = place
        self.store = place.open(slot)
        self.recorder = Recorder(self.store, place.data_dir, place.sealer, slot, **options)

    def write(self, name: str, **changes: Any) -> str:
        with self.store.writing() as tx:
            tx.run(INSERT, name)
        one = write_event(**changes)
        self.recorder.write(one, decision(), [item(name)])
        return one.event_id

    def read(self, **changes: Any) -> str:
        one = event(**changes)
        self.recorder.observe(one, decision())
        return one.event_id

    def die(self) -> None:
        """As kill -9 leaves it: locks gone, nothing closed in order."""
        recorder = self.recorder
        recorder._spool.close()
        if recorder._head_file is not None:
            recorder._head_file.close(remove=False)
        self.store.close()


@pytest.fixture
def worker(place: Place) -> Worker:
    return Worker(place)


def stored(store: Store) -> list[str]:
    return [event_id for (event_id,) in store.reading().all("SELECT event_id FROM audit_event ORDER BY chain, seq")]


def accounts(store: Store) -> list[str]:
    return [name for (name,) in store.reading().all("SELECT id FROM account ORDER BY id")]


def spooled(worker: Worker) -> list[str]:
    files = spool_files(worker.place.data_dir / "audit").get(worker.recorder.chain, [])
    return [json.loads(line.event)["eventID"] for path in files for line in read_lines(path)]


def clean(worker: Worker) -> bool:
    report = verify(worker.store, worker.place.data_dir, worker.place.sealer)
    assert report.findings == []
    return report.clean


def test_a_write_its_event_and_its_items_are_one(worker: Worker, place: Place):
    other = place.open(1)
    first, second = worker.write("a"), worker.write("b")
    assert stored(other) == []
    worker.recorder.flush()
    assert stored(other) == [first, second]
    assert accounts(other) == ["a", "b"]
    rows = other.reading().all(
        "SELECT i.resource_type, i.resource_id, i.resource_name, i.arn, i.deleted, i.tags, i.configuration, i.facts, e.event_id, i.captured_at "
        "FROM config_item i JOIN audit_event e ON e.chain = i.chain AND e.seq = i.seq ORDER BY i.id"
    )
    assert rows[0][:9] == (
        "AWS::IAM::User",
        "AIDAa",
        "a",
        "arn:aws:iam::123456789012:user/a",
        0,
        '{"team":"blue"}',
        '{"UserName":"a"}',
        '{"mfa":false}',
        first,
    )
    assert rows[0][9] > 1_700_000_000
    assert clean(worker)


def test_reads_go_to_the_spool_and_from_there_to_the_store_once(worker: Worker):
    reads = [worker.read() for _ in range(5)]
    assert spooled(worker) == []
    worker.recorder.flush()
    assert spooled(worker) == reads
    assert stored(worker.store) == []
    assert clean(worker)
    assert worker.recorder.ship() == 5
    assert stored(worker.store) == reads
    assert spooled(worker) == []
    assert worker.recorder.ship() == 0
    assert stored(worker.store) == reads
    assert clean(worker)


def test_one_chain_over_both(worker: Worker):
    for turn in range(4):
        worker.read()
        worker.write(f"a{turn}")
        worker.read()
        worker.recorder.flush()
    assert clean(worker)
    worker.recorder.ship()
    seqs = [seq for (seq,) in worker.store.reading().all("SELECT seq FROM audit_event ORDER BY seq")]
    assert seqs == list(range(1, 13))
    assert clean(worker)


def test_a_write_without_an_item_and_a_group_without_an_event(worker: Worker):
    with worker.store.writing() as tx:
        tx.run(INSERT, "background")
    worker.recorder.write(write_event(), None)
    worker.recorder.flush()
    assert accounts(worker.store) == ["background"]
    assert worker.store.reading().one("SELECT decision FROM audit_event") == ("null",)
    assert clean(worker)


def test_the_event_of_a_group_that_was_undone_is_not_written(worker: Worker):
    worker.write("a")
    worker.store.rollback()
    with pytest.raises(StoreUnavailable, match="gone"):
        worker.recorder.flush()
    worker.recorder.flush()
    assert stored(worker.store) == []
    assert clean(worker)


def test_nothing_to_flush_is_nothing(worker: Worker):
    worker.recorder.flush()
    assert stored(worker.store) == []
    assert clean(worker)


def test_a_failed_commit_leaves_reads_and_no_trace_of_the_writes(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    read = worker.read()
    worker.write("a")

    def fail() -> None:
        raise StoreUnavailable("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(worker.store._engine, "commit", fail)
        with pytest.raises(StoreUnavailable):
            worker.recorder.flush()
    assert accounts(worker.store) == []
    assert stored(worker.store) == []
    assert worker.recorder.waiting == 0
    failure = worker.read(error=("ServiceUnavailable", "x"))
    worker.recorder.flush()
    assert spooled(worker) == [read, failure]
    written = worker.write("b")
    worker.recorder.flush()
    worker.recorder.ship()
    assert stored(worker.store) == [read, failure, written]
    assert clean(worker)


def test_a_commit_whose_answer_was_lost_is_found_out(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    written = worker.write("a")
    real = worker.store._engine.commit

    def lose() -> None:
        real()
        raise StoreUnavailable("connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(worker.store._engine, "commit", lose)
        with pytest.raises(StoreUnavailable):
            worker.recorder.flush()
    read = worker.read()
    again = worker.write("b")
    worker.recorder.flush()
    worker.recorder.ship()
    assert stored(worker.store) == [written, read, again]
    assert clean(worker)


def test_a_full_spool_undoes_the_group_and_forgets_no_event(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    worker.write("a")
    reads = [worker.read(), worker.read()]

    def no_room(*_: object) -> int:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", no_room)
        with pytest.raises(StoreUnavailable, match="spool"):
            worker.recorder.flush()
        assert accounts(worker.store) == []
        reads.append(worker.read(error=("ServiceUnavailable", "x")))
        with pytest.raises(StoreUnavailable, match="spool"):
            worker.recorder.flush()
    worker.recorder.flush()
    assert spooled(worker) == reads
    assert clean(worker)


def test_waiting_events_are_bounded(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("garrison.audit.recorder._MAX_WAITING", 3)
    kept = [worker.read() for _ in range(5)][:3]
    assert worker.recorder.waiting == 3
    worker.recorder.flush()
    assert spooled(worker) == kept


def test_a_row_in_the_way_ends_the_chain_and_begins_another(worker: Worker):
    worker.read()
    worker.write("a")
    worker.recorder.flush()
    old = worker.recorder.chain
    with worker.store.writing() as tx:
        tx.run(
            "INSERT INTO audit_event SELECT 1000000000, chain, 3, hash, event_time, 'forged', request_id, event_source, event_name, account, "
            "region, user_name, access_key_id, read_only, error_code, record, decision FROM audit_event WHERE seq = 2"
        )
    worker.store.commit()
    worker.write("b")
    with pytest.raises(StoreUnavailable):
        worker.recorder.flush()
    worker.write("c")
    with pytest.raises(StoreUnavailable):
        worker.recorder.flush()
    worker.recorder.flush()
    assert worker.recorder.chain != old
    worker.write("d")
    worker.recorder.flush()
    assert accounts(worker.store) == ["a", "d"]
    kinds = {(one.kind, one.chain, one.seq) for one in verify(worker.store, worker.place.data_dir, worker.place.sealer).findings}
    assert ("added", old, 3) in kinds
    assert {chain for _, chain, _ in kinds} == {old}


def test_shipping_within_a_group_is_part_of_it(worker: Worker):
    reads = [worker.read(), worker.read()]
    worker.recorder.flush()
    written = worker.write("a")
    assert worker.recorder.ship() == 2
    assert spooled(worker) == reads, "kept until the group is in the database"
    later = worker.read()
    worker.recorder.flush()
    assert spooled(worker) == [later]
    assert stored(worker.store) == [*reads, written]
    assert clean(worker)
    worker.recorder.ship()
    assert clean(worker)


def test_shipping_within_a_group_that_fails_loses_nothing(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    reads = [worker.read(), worker.read()]
    worker.recorder.flush()
    worker.write("a")
    worker.recorder.ship()

    def fail() -> None:
        raise StoreUnavailable("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(worker.store._engine, "commit", fail)
        with pytest.raises(StoreUnavailable):
            worker.recorder.flush()
    assert spooled(worker) == reads
    assert worker.recorder.ship() == 2
    assert stored(worker.store) == reads
    assert spooled(worker) == []
    assert clean(worker)


def test_a_background_process_drains_finished_files(worker: Worker, place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.import_module("garrison.audit.adopt"), "_BATCH", 2)
    background = place.open(1)
    reads = [worker.read() for _ in range(5)]
    worker.recorder.flush()
    assert drain(background, place.data_dir) == 0, "its owner may still append to it"
    worker.recorder.rotate()
    more = worker.read()
    worker.recorder.flush()
    assert drain(background, place.data_dir) == 5
    assert stored(background) == reads
    assert spooled(worker) == [more]
    assert clean(worker)
    worker.recorder.ship()
    assert stored(background) == [*reads, more]
    with background.writing():
        assert drain(background, place.data_dir) == 0, "within a group it does nothing"
    background.rollback()
    worker.recorder.close()
    assert [path.name for path in (place.data_dir / "audit").iterdir()] == ["ledger"]
    assert clean(worker)


def test_nothing_is_shipped_within_a_unit(worker: Worker):
    read = worker.read()
    worker.recorder.flush()
    with worker.store.writing():
        assert worker.recorder.ship() == 0
    worker.recorder.flush()
    assert spooled(worker) == [read]


def test_closing_leaves_a_final_head_and_no_files(worker: Worker):
    worker.read()
    worker.write("a")
    worker.read()
    worker.recorder.close()
    assert [path.name for path in (worker.place.data_dir / "audit").iterdir()] == ["ledger"]
    assert worker.store.reading().one("SELECT seq, state FROM audit_head") == (3, 1)
    assert clean(worker)


def test_a_dead_process_is_taken_over_once(place: Place):
    dead = Worker(place, 0)
    ids = [dead.read(), dead.read()]
    dead.recorder.flush()
    ids.append(dead.write("a"))
    dead.recorder.flush()
    torn = spool_files(place.data_dir / "audit")[dead.recorder.chain][0]
    with torn.open("ab") as file:
        file.write(b'[4,"00')
    alive = Worker(place, 1)
    alive.read()
    alive.recorder.flush()
    assert adopt(alive.store, place.data_dir, place.sealer) == 0, "both live"
    dead.die()
    alive.write("b")
    assert adopt(alive.store, place.data_dir, place.sealer) == 0, "within a group nothing is taken over"
    alive.store.rollback()
    assert adopt(alive.store, place.data_dir, place.sealer) == 1
    assert adopt(alive.store, place.data_dir, place.sealer) == 0
    assert stored(alive.store) == ids
    row = alive.store.reading().one("SELECT seq, state FROM audit_head WHERE chain = ?", dead.recorder.chain)
    assert row == (3, 1)
    assert clean(alive)
    assert not torn.exists()


def test_a_process_that_died_between_commit_and_head_is_whole(place: Place, monkeypatch: pytest.MonkeyPatch):
    dead = Worker(place, 0)
    dead.read()
    dead.recorder.flush()
    with monkeypatch.context() as patch:
        patch.setattr(dead.recorder, "_move_head", lambda: None)
        dead.read()
        dead.write("a")
        dead.recorder.flush()
    dead.die()
    alive = Worker(place, 1)
    adopt(alive.store, place.data_dir, place.sealer)
    assert alive.store.reading().one("SELECT seq, state FROM audit_head WHERE chain = ?", dead.recorder.chain) == (3, 1)
    assert clean(alive)


def test_a_restore_begins_a_new_chain(place: Place, tmp_path: Path):
    worker, beside = Worker(place, 0), Worker(place, 1)
    worker.write("a")
    worker.recorder.flush()
    worker.store.backup(tmp_path / "copy")
    worker.write("b")
    worker.recorder.flush()
    late = beside.read()
    beside.recorder.flush()
    chains = {worker.recorder.chain, beside.recorder.chain}
    worker.store.restore(tmp_path / "copy")
    beside.store.refresh()
    for one in (worker, beside):
        one.write(f"after{one.recorder.slot}")
        # The first group after the restore may still be of the old chain: a chain is not changed in the middle of one.
        one.recorder.flush()
        one.read()
        one.recorder.flush()
    assert worker.recorder.chain not in chains
    assert accounts(worker.store) == ["a", "after0", "after1"]
    worker.recorder.ship()
    beside.recorder.ship()
    assert late in stored(worker.store) or late in spooled(beside)
    assert clean(worker)


def test_memory(tmp_path: Path):
    sealer = TestSealer()
    store = open_store("", sealer=sealer, memory=True)
    recorder = Recorder(store, None, sealer)
    recorder.observe(event(), None)
    recorder.flush()
    recorder.ship()
    store.snapshot()
    for _ in range(3):
        recorder.observe(event(), None)
        with store.writing():
            recorder.write(write_event(), None)
        recorder.flush()
        recorder.observe(event(), None)
        recorder.flush()
        store.reset()
        recorder.observe(event(), None)
        recorder.flush()
        recorder.ship()
        assert verify(store, None, sealer).findings == []
    recorder.close()
    store.close()


def test_memory_begins_anew_with_nothing_left():
    sealer = TestSealer()
    store = open_store("", sealer=sealer, memory=True)
    store.snapshot()
    recorder = Recorder(store, None, sealer)
    recorder.observe(event(), None)
    recorder.flush()
    recorder.observe(event(), None)
    old = recorder.chain
    store.reset()
    recorder.begin_anew()
    assert recorder.chain != old
    recorder.observe(event(event_id="new"), None)
    recorder.flush()
    recorder.ship()
    assert stored(store) == ["new"]
    assert verify(store, None, sealer).findings == []
    store.close()


def test_durable_reads_are_flushed_to_the_disk(place: Place, monkeypatch: pytest.MonkeyPatch):
    flushed: list[int] = []
    monkeypatch.setattr(os, "fdatasync", flushed.append)
    worker = Worker(place, durable_reads=True)
    worker.read()
    worker.recorder.flush()
    assert len(flushed) == 1
