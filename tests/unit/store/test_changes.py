"""Caches hear of every change, and of nothing twice."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from garrison.store import Store, StoreUnavailable, open_store
from garrison.store.changes import SLOTS, Counter
from tests.support.stores import Place, TestSealer


class Cache:
    """Notes what it is told to drop."""

    def __init__(self, store: Store, kind: str = "user") -> None:
        self.dropped: list[str | None] = []
        store.on_change(kind, self.dropped.append)

    def heard(self) -> list[str | None]:
        heard, self.dropped[:] = list(self.dropped), []
        return heard


def change(store: Store, *keys: str, kind: str = "user") -> None:
    with store.writing() as tx:
        for key in keys:
            tx.changed(kind, key)


def test_own_changes_are_heard_at_once_and_not_again(place: Place):
    store, other = place.open(0), place.open(1)
    cache = Cache(store)
    change(store, "a")
    assert cache.heard() == ["a"]
    store.commit()
    change(other, "b")
    other.commit()
    store.refresh()
    assert cache.heard() == ["b"]


def test_another_process_hears_after_the_commit_and_once(place: Place):
    store, other = place.open(0), place.open(1)
    cache, wrong = Cache(other), Cache(other, "key")
    change(store, "a", "b", "a")
    other.refresh()
    assert cache.heard() == [], "nothing is committed yet"
    store.commit()
    other.refresh()
    assert cache.heard() == ["a", "b"]
    other.refresh()
    assert cache.heard() == []
    assert wrong.heard() == []


def test_a_failed_unit_drops_what_it_touched_again(store: Store):
    cache = Cache(store)

    def fail() -> None:
        with store.writing() as tx:
            tx.changed("user", "a")
            cache.heard()  # here the handler might have read the new state into the cache
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert cache.heard() == ["a"]
    store.commit()
    assert store.reading().one("SELECT count(*) FROM change") == (0,)


def test_a_failed_group_drops_everything(store: Store):
    cache = Cache(store)
    change(store, "a")
    store.rollback()
    assert cache.heard() == ["a", None]


def test_who_cannot_drop_what_it_holds_keeps_no_other_from_it_and_no_call_goes_on_until_it_did(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    """The database is lost with the group: who reads to follow a change cannot, and it has subscribed first."""
    heard: list[str | None] = []
    store.on_change("user", heard.append)

    def gone(*_: object) -> None:
        reason = "gone"
        raise StoreUnavailable(reason)

    with store.writing() as tx:
        tx.changed("user", "u")
    with monkeypatch.context() as patch:
        patch.setattr(store._engine, "read_one", gone)
        patch.setattr(store._engine, "commit", gone)
        with pytest.raises(StoreUnavailable):
            store.commit()
        assert heard == ["u", None]
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                store.refresh()
    store.refresh()
    store.refresh()
    assert heard == ["u", None], "it was told already"


def test_a_group_without_changes_disturbs_nobody(place: Place):
    store, other = place.open(0), place.open(1)
    before = bytes(other._slots[:])
    with store.writing() as tx:
        tx.run("INSERT INTO account (id, name, created_at) VALUES ('a', 'a', 1)")
    store.commit()
    assert bytes(other._slots[:]) == before


def test_pruned_changes_drop_everything_of_those_who_had_not_read_them(place: Place):
    store, other = place.open(0), place.open(1)
    cache = Cache(other)
    for number in range(10):
        change(store, str(number))
    store.commit()
    assert store.prune(keep=4) == 6
    assert store.reading().one("SELECT count(*) FROM change") == (4,)
    other.refresh()
    assert cache.heard() == [None]
    change(store, "x")
    store.commit()
    other.refresh()
    assert cache.heard() == ["x"]
    assert store.prune(keep=100) == 0
    change(store, "y")
    assert store.prune(keep=0) == 0, "a group is others' to commit"
    assert store.has_pending


def test_far_behind_drops_everything(place: Place):
    store, other = place.open(0), place.open(1)
    cache = Cache(other)
    change(store, *[str(number) for number in range(10_001)])
    store.commit()
    other.refresh()
    assert cache.heard() == [None]


def test_poll_finds_what_the_counter_does_not_tell(shared: str, tmp_path: Path):
    # Two nodes: one database, two data directories.
    store, far, neighbour = (
        open_store(shared, sealer=TestSealer(), slot=slot, data_dir=tmp_path / node)
        for node, slot in (("node1", 0), ("node2", 0), ("node2", 1))
    )
    cache, beside = Cache(far), Cache(neighbour)
    change(store, "a")
    store.commit()
    far.refresh()
    assert cache.heard() == []
    assert far.poll()
    assert cache.heard() == ["a"]
    neighbour.refresh()
    assert beside.heard() == ["a"], "whoever polled first tells the others of its node"
    assert not far.poll()
    for one in (store, far, neighbour):
        one.close()


def test_a_change_log_that_cannot_be_read_is_an_error_each_time(place: Place, monkeypatch: pytest.MonkeyPatch):
    store, other = place.open(0), place.open(1)
    cache = Cache(other)
    change(store, "a")
    store.commit()

    def fail(*_: object) -> None:
        msg = "disk gone"
        raise StoreUnavailable(msg)

    with monkeypatch.context() as patch:
        patch.setattr(other._engine, "read_all", fail)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                other.refresh()
    other.refresh()
    assert cache.heard() == ["a"]


def _watch(folder: Path, pipe: Connection) -> None:
    store = open_store(folder, sealer=TestSealer(), slot=1)
    heard: list[str | None] = []
    store.on_change("user", heard.append)
    pipe.send("ready")
    while pipe.recv() == "refresh":
        store.refresh()
        pipe.send((heard.copy(), store.reading().all("SELECT id FROM account ORDER BY id")))
        heard.clear()
    store.close()


def test_a_change_in_one_process_is_seen_by_the_next_refresh_of_another(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_watch, args=(tmp_path, theirs))
    store = open_store(tmp_path, sealer=TestSealer(), slot=0)
    process.start()
    assert ours.recv() == "ready"
    for number in range(50):
        with store.writing() as tx:
            tx.run("INSERT INTO account (id, name, created_at) VALUES (?, 'x', 1)", f"{number:02}")
            tx.changed("user", str(number))
        store.commit()
        ours.send("refresh")
        heard, rows = ours.recv()
        assert heard == [str(number)]
        assert len(rows) == number + 1
    ours.send("stop")
    process.join()
    assert process.exitcode == 0
    store.close()


def test_slots_are_apart(tmp_path: Path):
    first, second, last = (Counter(tmp_path / "changes", slot) for slot in (0, 1, SLOTS - 1))
    assert (tmp_path / "changes").stat().st_size == SLOTS * 8
    second.publish()
    last.publish()
    last.publish()
    assert first.slots[:8] == bytes(8)
    assert first.slots[8:16] == (1).to_bytes(8, "little")
    assert first.slots[-8:] == (2).to_bytes(8, "little")
    assert first.slots[:] != first.seen
    assert second.slots[:] != second.seen, "the owner of one slot hears of the others"
    with pytest.raises(ValueError, match="slot must be"):
        Counter(tmp_path / "changes", SLOTS)
    for counter in (first, second, last):
        counter.close()


def test_a_counter_goes_on_from_where_its_slot_was(tmp_path: Path):
    counter = Counter(tmp_path / "changes", 3)
    counter.publish()
    counter.close()
    watcher = Counter(tmp_path / "changes", 0)
    counter = Counter(tmp_path / "changes", 3)
    counter.publish()
    assert watcher.slots[:] != watcher.seen
    counter.close()
    watcher.close()


def test_store_unavailable_is_told_in_amazons_words_only():
    error = StoreUnavailable("sqlite: database or disk is full")
    assert error.message == "Service is unable to handle request."
    assert str(error) == "sqlite: database or disk is full"
