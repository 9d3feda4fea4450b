"""Groups and units: what is kept, what is undone, what is refused."""

from __future__ import annotations

import psycopg
import pytest

from garrison.store import Conflict, ConstraintError, Store, StoreUnavailable
from tests.support.stores import Place

INSERT = "INSERT INTO account (id, name, created_at) VALUES (?, ?, ?)"


def names(store: Store) -> list[str]:
    return [name for (name,) in store.reading().all("SELECT name FROM account ORDER BY name")]


def add(store: Store, name: str) -> None:
    with store.writing() as tx:
        tx.run(INSERT, name, name, 1.5)


def pending(store: Store) -> bool:
    return store.has_pending


def fail(store: Store, *names: str) -> None:
    """A unit that inserts and then fails."""
    with store.writing() as tx:
        for name in names:
            tx.run(INSERT, name, name, 1.5)
        raise KeyError


def test_a_committed_group_is_there_for_another_connection(place: Place):
    first, second = place.open(0), place.open(1)
    add(first, "a")
    add(first, "b")
    assert pending(first)
    assert names(first) == ["a", "b"], "the worker sees its own open group"
    assert names(second) == [], "nobody else does"
    first.commit()
    assert not pending(first)
    assert names(second) == ["a", "b"]


def test_a_failed_unit_is_undone_alone(store: Store):
    add(store, "a")
    with pytest.raises(KeyError):
        fail(store, "b")
    add(store, "c")
    store.commit()
    assert names(store) == ["a", "c"]


def test_the_first_unit_may_fail_too(store: Store):
    with pytest.raises(KeyError):
        fail(store, "a")
    add(store, "b")
    store.commit()
    assert names(store) == ["b"]


def test_rollback_undoes_the_whole_group(store: Store):
    add(store, "a")
    store.rollback()
    store.commit()
    assert names(store) == []


def test_units_inside_units(store: Store):
    with store.writing() as outer:
        outer.run(INSERT, "a", "a", 1.5)
        with pytest.raises(KeyError):
            fail(store, "b")
        with store.writing() as inner:
            inner.run(INSERT, "c", "c", 1.5)
        assert store.in_unit
    store.commit()
    assert names(store) == ["a", "c"]


def test_commit_within_a_unit_is_an_error(store: Store):
    with store.writing(), pytest.raises(RuntimeError, match="still open"):
        store.commit()


def test_uniqueness_is_a_conflict_and_undoes_the_unit(store: Store):
    add(store, "a")
    with pytest.raises(Conflict):
        fail(store, "b", "a")
    store.commit()
    assert names(store) == ["a"]


def test_a_conflict_that_is_swallowed_still_undoes_the_unit(store: Store):
    add(store, "a")

    def swallow(*, go_on: bool) -> None:
        with store.writing() as tx:
            with pytest.raises(Conflict):
                tx.run(INSERT, "a", "again", 1.5)
            if go_on:
                tx.one("SELECT 1")

    for go_on in (True, False):
        with pytest.raises(RuntimeError, match="only be undone"):
            swallow(go_on=go_on)
    store.commit()
    assert names(store) == ["a"]


def test_other_rules_are_constraint_errors(store: Store):
    with pytest.raises(ConstraintError) as caught, store.writing() as tx:
        tx.run(INSERT, "a", None, 1.5)
    assert not isinstance(caught.value, Conflict)


def test_a_read_that_fails_does_not_undo_the_group(store: Store):
    add(store, "a")
    with pytest.raises(Exception, match="nowhere"):
        store.reading().all("SELECT 1 FROM nowhere")
    with store.writing() as tx:
        tx.run(INSERT, "b", "b", 1.5)
        with pytest.raises(Exception, match="nowhere"):
            store.reading().one("SELECT 1 FROM nowhere")
        tx.run(INSERT, "c", "c", 1.5)
    store.commit()
    assert names(store) == ["a", "b", "c"]


def test_a_reading_transaction_changes_nothing(store: Store):
    with pytest.raises(RuntimeError, match="changes nothing"):
        store.reading().run(INSERT, "a", "a", 1.5)
    with pytest.raises(RuntimeError, match="changes nothing"):
        store.reading().changed("account", "a")


def test_values_come_back_as_they_went_in(store: Store):
    with store.writing() as tx:
        tx.run(INSERT, "a", "n\u00e4me \U0001f512", 1700000000.25)
        tx.run("INSERT INTO meta (name, value) VALUES (?, ?)", "blob", bytes(range(256)))
        assert tx.run("UPDATE account SET email = ? WHERE id = ?", "x@example.com", "a") == 1
        assert tx.run("UPDATE account SET email = ? WHERE id = ?", "x", "nobody") == 0
        tx.many(INSERT, [("b", "b", 1.0), ("c", "c", 2.0)])
    store.commit()
    reading = store.reading()
    assert reading.one("SELECT name, email, created_at FROM account WHERE id = ?", "a") == (
        "n\u00e4me \U0001f512",
        "x@example.com",
        1700000000.25,
    )
    row = reading.one("SELECT value FROM meta WHERE name = ?", "blob")
    assert row is not None
    assert bytes(row[0]) == bytes(range(256))
    assert reading.one("SELECT name FROM account WHERE id = ?", "nobody") is None
    assert reading.one("SELECT count(*), sum(length(id)) FROM account") == (3, 3)


def test_flags_are_integers_on_both_engines(store: Store):
    with store.writing() as tx:
        tx.run("INSERT INTO audit_head (chain, seq, hash, state, mac) VALUES (?, ?, ?, ?, ?)", "c", 2**62, b"", True, b"")
    store.commit()
    assert store.reading().one("SELECT seq, state FROM audit_head") == (2**62, 1)


def test_text_sorts_by_bytes_and_like_minds_case_on_both_engines(store: Store):
    with store.writing() as tx:
        tx.many(INSERT, [(name, name, 1.0) for name in ("b", "B", "a", "_", "Z", "\u00e4")])
    store.commit()
    assert names(store) == ["B", "Z", "_", "a", "b", "\u00e4"]
    rows = store.reading().all("SELECT id FROM account WHERE id LIKE ? ESCAPE '!'", "b%")
    assert rows == [("b",)]
    assert store.reading().all("SELECT id FROM account WHERE id LIKE ? ESCAPE '!'", "!_") == [("_",)]


def test_a_question_mark_in_a_literal_is_no_parameter(store: Store):
    assert store.reading().one("SELECT 'what?', ? -- really?", "yes") == ("what?", "yes")


def test_a_lock_that_is_not_had_in_time_costs_one_wait_a_tick(place: Place):
    holder, other = place.open(0), place.open(1, lock_wait=0.05)
    add(holder, "a")
    with pytest.raises(StoreUnavailable) as first:
        add(other, "b")
    with pytest.raises(StoreUnavailable) as second:
        add(other, "c")
    assert second.value is first.value, "the rest of the tick is refused at once"
    assert first.value.kind == "unavailable"
    assert not other.has_pending
    other.commit()
    holder.commit()
    add(other, "d")
    other.commit()
    assert names(holder) == ["a", "d"]


def test_writers_take_turns_and_see_what_was_before(place: Place):
    first, second = place.open(0), place.open(1)
    for turn in range(6):
        writer = (first, second)[turn % 2]
        with writer.writing() as tx:
            row = tx.one("SELECT count(*) FROM account")
            assert row == (turn,)
            tx.run(INSERT, str(turn), str(turn), 1.0)
        writer.commit()


def lose(store: Store, place: Place) -> None:
    """End the transaction behind the store's back, as SQLite does on a full disk and a server that is stopped."""
    if place.url is None:
        store._engine._connection.execute("ROLLBACK")  # type: ignore[attr-defined] # the engine's own
        return
    process = store.reading().one("SELECT pg_backend_pid()")
    with psycopg.connect(place.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", process)


def test_a_statement_never_commits_alone_after_a_loss(place: Place):
    store = place.open()

    def go_on() -> None:
        with store.writing() as tx:
            tx.run(INSERT, "a", "a", 1.0)
            lose(store, place)
            tx.run(INSERT, "b", "b", 1.0)

    with pytest.raises(StoreUnavailable):
        go_on()
    with pytest.raises(StoreUnavailable):
        store.commit()
    assert names(store) == []


def test_what_the_database_lost_is_refused_for_the_whole_tick(place: Place):
    store = place.open()
    dropped: list[str | None] = []
    store.on_change("account", dropped.append)
    add(store, "a")
    lose(store, place)
    with pytest.raises(StoreUnavailable), store.writing() as tx:
        tx.run(INSERT, "b", "b", 1.0)
    with pytest.raises(StoreUnavailable):
        store.commit()
    assert dropped == [None]
    add(store, "c")
    store.commit()
    assert names(store) == ["c"]
