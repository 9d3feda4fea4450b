"""Whatever is done to the trail behind the recorder's back is found and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from garrison.audit import Recorder, Report, accept_restore, adopt, verify
from garrison.audit.chain import head_path, link
from garrison.audit.spool import spool_files
from garrison.store import Store
from tests.support.events import decision, event, write_event
from tests.support.stores import Place, TestSealer

COPY = (
    "INSERT INTO audit_event (chain, seq, hash, event_time, event_id, request_id, event_source, event_name, account, region, "
    "user_name, access_key_id, read_only, error_code, record, decision) SELECT chain, {seq}, hash, event_time, event_id, request_id, "
    "event_source, event_name, account, region, user_name, access_key_id, read_only, error_code, record, decision "
    "FROM audit_event WHERE seq = ?"
)


class Scene:
    """A closed chain of ten events and a living one of ten: four in its spool, six in the database."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.store = place.open(0)
        closed = Recorder(self.store, place.data_dir, place.sealer, 0)
        self._fill(closed, 5)
        closed.close()
        self.closed = closed.chain
        self.recorder = Recorder(self.store, place.data_dir, place.sealer, 0)
        self.live = self.recorder.chain
        self._fill(self.recorder, 3)
        self.recorder.ship()
        for number in range(4):
            self.recorder.observe(event(event_id=f"{self.live}-s{number}"), None)
            self.recorder.flush()

    def _fill(self, recorder: Recorder, pairs: int) -> None:
        for number in range(pairs):
            recorder.observe(event(event_id=f"{recorder.chain}-r{number}"), decision())
            with self.store.writing():
                recorder.write(write_event(event_id=f"{recorder.chain}-w{number}"), decision())
            recorder.flush()

    def tamper(self, sql: str, *parameters: str | int | bytes) -> None:
        with self.store.writing() as tx:
            assert tx.run(sql, *parameters)
        self.store.commit()

    def rehash(self, chain: str, first: int) -> None:
        """Make the chain consistent again from an event on, as one who knows how it is made would."""
        sql = "SELECT seq, hash, record, decision FROM audit_event WHERE chain = ? AND seq >= ? ORDER BY seq"
        with self.store.writing() as tx:
            rows = tx.all(sql, chain, first - 1)
            previous = bytes(rows[0][1])
            for seq, _, record, made in rows[1:]:
                previous = link(previous, record.encode(), made.encode())
                tx.run("UPDATE audit_event SET hash = ? WHERE chain = ? AND seq = ?", previous, chain, seq)
        self.store.commit()

    def verify(self) -> Report:
        return verify(self.store, self.place.data_dir, self.place.sealer)

    def found(self) -> set[tuple[str, str, int]]:
        return {(finding.kind, finding.chain, finding.seq) for finding in self.verify().findings}


@pytest.fixture
def scene(place: Place) -> Scene:
    return Scene(place)


def test_an_untouched_trail_is_clean(scene: Scene):
    report = scene.verify()
    assert report == Report(2, 20, [])
    assert report.clean


@pytest.mark.parametrize("seq", [1, 2, 5, 9])
def test_removed(scene: Scene, seq: int):
    scene.tamper("DELETE FROM audit_event WHERE chain = ? AND seq = ?", scene.closed, seq)
    assert scene.found() == {("removed", scene.closed, seq)}


def test_removed_and_closed_up(scene: Scene):
    scene.tamper("DELETE FROM audit_event WHERE chain = ? AND seq = 4", scene.closed)
    for seq in range(5, 11):
        scene.tamper("UPDATE audit_event SET seq = ? WHERE chain = ? AND seq = ?", seq - 1, scene.closed, seq)
        scene.tamper(
            "UPDATE audit_resource SET seq = ? WHERE chain = ? AND seq = ?", seq - 1, scene.closed, seq
        ) if seq % 2 == 0 else None
    scene.rehash(scene.closed, 4)
    assert ("truncated", scene.closed, 10) in scene.found()


@pytest.mark.parametrize("cut", [10, 9, 2])
def test_truncated(scene: Scene, cut: int):
    scene.tamper("DELETE FROM audit_event WHERE chain = ? AND seq >= ?", scene.closed, cut)
    assert scene.found() == {("truncated", scene.closed, 10)}
    assert f"events {cut} to 10" in scene.verify().findings[0].detail


def test_the_tail_of_a_living_chain_cut_from_its_spool(scene: Scene):
    (path,) = spool_files(scene.place.data_dir / "audit")[scene.live]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert scene.found() == {("truncated", scene.live, 10)}
    path.unlink()
    assert scene.found() == {("truncated", scene.live, 10)}


def test_altered_in_the_spool(scene: Scene):
    (path,) = spool_files(scene.place.data_dir / "audit")[scene.live]
    path.write_bytes(path.read_bytes().replace(b"192.0.2.7", b"192.0.2.8", 1))
    assert scene.found() == {("altered", scene.live, 7)}


@pytest.mark.parametrize("seq", [1, 4, 10])
@pytest.mark.parametrize("column", ["record", "decision"])
def test_altered(scene: Scene, seq: int, column: str):
    changed = f"UPDATE audit_event SET {column} = replace({column}, 'Alice', 'Mallory') WHERE chain = ? AND seq = ?"  # noqa: S608 - this file's own names
    scene.tamper(changed, scene.closed, seq)
    assert ("altered", scene.closed, seq) in scene.found()
    assert {one for one in scene.found() if one[2] != seq} == set()
    event_id = next(one.event_id for one in scene.verify().findings if one.event_id)
    assert event_id.startswith(scene.closed)


def test_altered_and_rehashed_to_the_end(scene: Scene):
    scene.tamper("UPDATE audit_event SET decision = replace(decision, 'allow', 'deny') WHERE chain = ? AND seq = 4", scene.closed)
    scene.rehash(scene.closed, 4)
    assert scene.found() == {("altered", scene.closed, 10)}, "the sealed head does not end this chain"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("event_time", 5),
        ("event_id", "x"),
        ("request_id", "x"),
        ("event_source", "x"),
        ("event_name", "x"),
        ("account", "x"),
        ("region", "x"),
        ("user_name", "Mallory"),
        ("access_key_id", "x"),
        ("read_only", 1),
        ("error_code", "x"),
    ],
)
def test_a_column_that_leads_lookups_astray(scene: Scene, column: str, value: str | int):
    scene.tamper(f"UPDATE audit_event SET {column} = ? WHERE chain = ? AND seq = 4", value, scene.closed)  # noqa: S608 - this file's own names
    assert scene.found() == {("altered", scene.closed, 4)}


def test_a_resource_that_leads_lookups_astray(scene: Scene):
    scene.tamper("UPDATE audit_resource SET name = 'x' WHERE chain = ? AND seq = 4", scene.closed)
    assert scene.found() == {("altered", scene.closed, 4)}
    scene.tamper("DELETE FROM audit_resource WHERE chain = ? AND seq = 4", scene.closed)
    assert scene.found() == {("altered", scene.closed, 4)}


def test_reordered(scene: Scene):
    for old, new in ((4, 1000), (6, 4), (1000, 6)):
        scene.tamper("UPDATE audit_event SET seq = ? WHERE chain = ? AND seq = ?", new, scene.closed, old)
        scene.tamper("UPDATE audit_resource SET seq = ? WHERE chain = ? AND seq = ?", new, scene.closed, old)
    found = scene.found()
    assert {("reordered", scene.closed, 4), ("reordered", scene.closed, 6)} <= found
    assert {kind for kind, _, _ in found} == {"reordered"}


def test_added_behind_the_end(scene: Scene):
    with scene.store.writing() as tx:
        tx.run(COPY.format(seq=11) + " AND chain = ?", 9, scene.closed)
    scene.store.commit()
    found = scene.found()
    assert ("added", scene.closed, 11) in found
    assert ("duplicated", scene.closed, 11) in found


def test_duplicated_into_another_chain(scene: Scene):
    with scene.store.writing() as tx:
        row = tx.one("SELECT event_id FROM audit_event WHERE chain = ? AND seq = 3", scene.closed)
        tx.run("UPDATE audit_event SET event_id = ? WHERE chain = ? AND seq = 3", row[0] if row else "", scene.live)
    scene.store.commit()
    assert ("duplicated", scene.live, 3) in scene.found()


def test_a_whole_chain_taken_away(scene: Scene):
    for table in ("audit_event", "audit_head", "audit_chain"):
        scene.tamper(f"DELETE FROM {table} WHERE chain = ?", scene.closed)  # noqa: S608 - this file's own names
    assert ("removed", "", 0) in scene.found()


def test_the_last_chain_taken_away(scene: Scene):
    for table in ("audit_event", "audit_head", "audit_chain"):
        scene.tamper(f"DELETE FROM {table} WHERE chain = ?", scene.live)  # noqa: S608 - this file's own names
    assert ("truncated", "", 0) in scene.found()


def test_the_register_edited(scene: Scene):
    scene.tamper("UPDATE audit_chain SET mac = ? WHERE chain = ?", bytes(32), scene.closed)
    assert ("altered", scene.closed, 0) in scene.found()


def test_a_chain_that_nobody_registered(scene: Scene):
    scene.tamper("UPDATE audit_event SET chain = 'forged' WHERE chain = ? AND seq = 10", scene.closed)
    assert ("unregistered", "forged", 0) in scene.found()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_head SET seq = 9 WHERE chain = ?",
        "UPDATE audit_head SET state = 2 WHERE chain = ?",
        "UPDATE audit_head SET hash = mac WHERE chain = ?",
        "DELETE FROM audit_head WHERE chain = ?",
    ],
)
def test_a_head_that_nobody_sealed(scene: Scene, sql: str):
    scene.tamper(sql, scene.closed)
    assert ("altered", scene.closed, 0) in scene.found()


def test_the_head_file_of_a_living_chain_removed(scene: Scene):
    head_path(scene.place.data_dir / "audit", scene.live).unlink()
    assert ("unproven", scene.live, 0) in scene.found()


def test_another_root_key_proves_nothing(scene: Scene):
    assert not verify(scene.store, scene.place.data_dir, TestSealer(b"other")).clean


def test_a_tail_cut_after_a_death_is_found_when_it_was_taken_over(place: Place):
    scene = Scene(place)
    scene.recorder._spool.close()
    assert scene.recorder._head_file is not None
    scene.recorder._head_file.close(remove=False)
    (path,) = spool_files(place.data_dir / "audit")[scene.live]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    assert adopt(scene.store, place.data_dir, place.sealer) == 1
    assert scene.found() == {("truncated", scene.live, 10)}


@pytest.mark.parametrize("accept", [True, False])
def test_a_restored_copy_is_accepted_by_who_holds_the_root_key(place: Place, tmp_path: Path, *, accept: bool):
    scene = Scene(place)
    scene.store.backup(tmp_path / "copy")
    scene.tamper("DELETE FROM audit_event WHERE chain = ? AND seq = 2", scene.closed)
    fresh = Place(place.engine, tmp_path / "fresh", place.url)
    store = fresh.open(0)
    store.restore(tmp_path / "copy")
    if accept:
        assert accept_restore(store, fresh.data_dir, fresh.sealer) == 1
    report = verify(store, fresh.data_dir, fresh.sealer)
    assert {finding.kind for finding in report.findings} == (set() if accept else {"unproven"})
    tampered(store, scene.closed)
    assert not verify(store, fresh.data_dir, fresh.sealer).clean
    fresh.close()


def tampered(store: Store, chain: str) -> None:
    with store.writing() as tx:
        tx.run("UPDATE audit_event SET record = replace(record, 'Alice', 'Eve') WHERE chain = ? AND seq = 3", chain)
    store.commit()


def test_verifying_while_others_write_is_clean(place: Place, monkeypatch: pytest.MonkeyPatch):
    scene = Scene(place)
    beside = place.open(1)
    other = Recorder(beside, place.data_dir, place.sealer, 1)
    reading = scene.store.reading()
    real: Callable[..., list[tuple[object, ...]]] = type(reading).all

    def busy(self: object, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        other.observe(event(), None)
        with beside.writing():
            other.write(write_event(), None)
        other.flush()
        if "LIMIT" in sql:
            other.ship()
        return real(self, sql, *parameters)

    monkeypatch.setattr(type(reading), "all", busy)
    for _ in range(5):
        assert verify(scene.store, place.data_dir, place.sealer).findings == []


def test_findings_are_bounded(scene: Scene):
    scene.tamper("UPDATE audit_head SET seq = 5 WHERE chain = ?", scene.closed)
    scene.tamper("UPDATE audit_event SET seq = 100000 WHERE chain = ? AND seq = 10", scene.closed)
    assert len(scene.verify().findings) <= 1000
