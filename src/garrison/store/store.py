"""One connection a worker, one group of writes a tick of its event loop.

The first write of a tick opens a transaction and makes this process the one writer; each request's work runs in a savepoint of it
and can fail alone; the gateway commits once for all of them and only then sends its answers.
Everything here runs on one thread.
"""

from __future__ import annotations

import mmap
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from garrison.core.ports import Sealer, Value
from garrison.store import portable
from garrison.store.changes import Counter, Drop, Subscribers
from garrison.store.engine import Engine
from garrison.store.errors import SchemaError, StoreUnavailable
from garrison.store.migrate import Migration, migrations
from garrison.store.sqlite import SQLite

_KEEP_CHANGES = 100_000
_CATCH_UP = 10_000
"""Changes that are read one by one; with more to read, dropping everything is cheaper."""
_DEPTH = 8
"""Units inside units: a handler that asks another room, which asks another."""
_SEAL_PURPOSE = "store-root"
_SEAL_TEXT = b"garrison store"
_ROOT_RECORD = "root_ring"
_ROOT_KIND = "root-ring"


class Reading:
    """Reads outside a unit of work: each sees what is committed, and this worker's own open group."""

    __slots__ = ("_all", "_one")

    def __init__(self, engine: Engine) -> None:
        self._all = engine.read_all
        self._one = engine.read_one

    def all(self, sql: str, *parameters: Value) -> list[tuple[Any, ...]]:
        """Every row."""
        return self._all(sql, parameters)

    def one(self, sql: str, *parameters: Value) -> tuple[Any, ...] | None:
        """The first row, or None."""
        return self._one(sql, parameters)

    def run(self, sql: str, *parameters: Value) -> int:
        """Raises RuntimeError: an operation that writes is not declared ``read=True``."""
        msg = f"a reading transaction changes nothing: `{sql[:60]}` with {len(parameters)} parameters"
        raise RuntimeError(msg)

    def changed(self, kind: str, key: str) -> None:
        """Raises RuntimeError, as ``run`` does."""
        msg = f"a reading transaction changes nothing: `{kind}` `{key}`"
        raise RuntimeError(msg)


class Unit:
    """One request's work inside the group.

    After a failed statement the unit is finished: PostgreSQL answers nothing more until the savepoint is rolled back, so
    neither engine does here. The handler raises its own error and the unit is undone.
    """

    __slots__ = ("_engine", "_subscribers", "broken", "touched")

    def __init__(self, engine: Engine, subscribers: Subscribers) -> None:
        self._engine = engine
        self._subscribers = subscribers
        self.broken = False
        """True once a statement failed: nothing of this unit can be kept."""
        self.touched: list[tuple[str, str]] = []

    def all(self, sql: str, *parameters: Value) -> list[tuple[Any, ...]]:
        """Every row."""
        self.check()
        try:
            return self._engine.all(sql, parameters)
        except Exception:
            self.broken = True
            raise

    def one(self, sql: str, *parameters: Value) -> tuple[Any, ...] | None:
        """The first row, or None."""
        self.check()
        try:
            return self._engine.one(sql, parameters)
        except Exception:
            self.broken = True
            raise

    def run(self, sql: str, *parameters: Value) -> int:
        """Change rows; answers how many. Raises Conflict where a uniqueness rule is broken, ConstraintError for other rules."""
        self.check()
        try:
            return self._engine.run(sql, parameters)
        except Exception:
            self.broken = True
            raise

    def many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """Run once for each row of parameters. Raises as ``run``."""
        self.check()
        try:
            self._engine.many(sql, rows)
        except Exception:
            self.broken = True
            raise

    def changed(self, kind: str, key: str) -> None:
        """Note that ``(kind, key)`` is stale: at once for this worker, for all others when the group commits."""
        self.touched.append((kind, key))
        self._subscribers.tell(kind, key)

    def check(self) -> None:
        """Raises RuntimeError where a statement failed: nothing of this unit can be kept."""
        if self.broken:
            msg = "a statement of this unit failed: it can only be undone"
            raise RuntimeError(msg)


class Store:
    """The state of the installation, as one worker holds it. ``open_store`` makes one."""

    def __init__(self, engine: Engine, sealer: Sealer, counter: Counter | None, known: Sequence[Migration]) -> None:
        self._engine = engine
        self._sealer = sealer
        self._counter = counter
        # Both constant and equal where there is no other process to hear from.
        self._slots: mmap.mmap | bytes = counter.slots if counter else b""
        self._seen: bytes = counter.seen if counter else b""
        self._known = known
        self._subscribers = Subscribers()
        self._reading = Reading(engine)
        self._origin = secrets.token_hex(8)
        self._open = False
        self._depth = 0
        self._refused: StoreUnavailable | None = None
        self._touched: dict[tuple[str, str], None] = {}
        self._follow_root()
        self._subscribers.add(_ROOT_KIND, lambda _: self._follow_root())
        self._prove_root_key()
        self._last, self._generation = self._position()

    # Reading and writing

    def reading(self) -> Reading:
        """For operations that change nothing."""
        return self._reading

    @contextmanager
    def writing(self) -> Iterator[Unit]:
        """A unit of work in this tick's group; an exception undoes the unit alone and goes on to the caller.

        Raises StoreUnavailable where the group cannot be opened or was lost; the rest of the tick is refused at once then,
        so that a locked database costs one wait and not one a request.
        """
        unit = self._enter()
        try:
            yield unit
            unit.check()
        except BaseException:
            self._undo(unit)
            raise
        self._leave(unit)

    @property
    def has_pending(self) -> bool:
        """True while a group is open."""
        return self._open

    @property
    def in_unit(self) -> bool:
        """True within a unit of work, which may yet be undone alone."""
        return self._depth > 0

    def commit(self) -> None:
        """Make the group durable, then tell the other processes. Without a group: nothing.

        Raises StoreUnavailable where nothing of the group was kept; every subscriber is told to drop everything then.
        """
        self._refused = None
        if not self._open:
            return
        if self._depth:
            msg = "a unit of work is still open"
            raise RuntimeError(msg)
        try:
            self._finish()
        except Exception as error:
            self.rollback()
            if isinstance(error, StoreUnavailable):
                raise
            reason = f"{type(error).__name__}: {error}"
            raise StoreUnavailable(reason) from error
        self._open = False
        if self._touched:
            self._touched.clear()
            if self._counter:
                self._counter.publish()
                self._seen = self._counter.seen

    def rollback(self) -> None:
        """Undo the whole group; what was cached from it is dropped."""
        self._refused = None
        if self._open:
            self._engine.rollback()
            self._open = False
            self._touched.clear()
            # Who has to read for that may find the database gone: the next ``refresh`` tells it again, or refuses the call.
            with suppress(StoreUnavailable):
                self._subscribers.tell_all()

    def _enter(self) -> Unit:
        if self._refused is not None:
            raise self._refused
        if self._depth >= _DEPTH:
            msg = f"more than {_DEPTH} units of work inside each other"
            raise RuntimeError(msg)
        try:
            if not self._open:
                self._engine.begin()
                self._open = True
            self._still_there()
            self._engine.savepoint(self._depth)
        except StoreUnavailable as error:
            self._refused = error
            raise
        self._depth += 1
        return Unit(self._engine, self._subscribers)

    def _leave(self, unit: Unit) -> None:
        self._depth -= 1
        self._engine.release(self._depth)
        self._touched.update(dict.fromkeys(unit.touched))

    def _undo(self, unit: Unit) -> None:
        self._depth -= 1
        if self._engine.alive:
            self._engine.rollback_to(self._depth)
        else:
            self._refused = StoreUnavailable("the group of this tick was lost")
        # The unit's own changes may have been read into caches before it failed.
        for kind, key in unit.touched:
            self._subscribers.tell(kind, key)

    def _still_there(self) -> None:
        # Without its transaction a statement would commit alone.
        if not self._engine.alive:
            msg = "the group of this tick was lost"
            raise StoreUnavailable(msg)

    def _finish(self) -> None:
        self._still_there()
        if self._touched:
            rows = [(self._origin, kind, key) for kind, key in self._touched]
            self._engine.many("INSERT INTO change (origin, kind, key) VALUES (?, ?, ?)", rows)
        self._engine.commit()

    # Caches

    def on_change(self, kind: str, drop: Drop) -> None:
        """Call ``drop`` with the key of each change of this kind, or with None where everything may be stale."""
        self._subscribers.add(kind, drop)

    def refresh(self) -> None:
        """Hear of what other processes of this node committed. Call before each request; a fraction of a microsecond if nothing.

        Raises StoreUnavailable where the change log cannot be read: what is cached may be stale then, and may not be used.
        """
        if self._subscribers.missed:
            self._subscribers.tell_missed()
        if self._slots[:] != self._seen:
            # The slots first, then the log: a change in between is seen twice, not missed.
            seen = self._slots[:]
            self._catch_up()
            self._see(seen)

    def poll(self) -> bool:
        """Hear of what other nodes committed (PostgreSQL); call each second. True where there was something."""
        seen = self._slots[:]
        row = self._engine.read_one("SELECT coalesce(max(seq), 0) FROM change", ())
        newest = row[0] if row else 0
        if newest == self._last:
            return False
        foreign = self._catch_up()
        self._see(seen)
        if foreign and self._counter:
            self._counter.publish()
            self._seen = self._counter.seen
        return foreign

    def prune(self, keep: int = _KEEP_CHANGES) -> int:
        """Forget old changes; how many. A worker that had not read them drops everything instead.

        Commits by itself; within a group it does nothing, which is for the next time.
        """
        if self._open:
            return 0
        with self.writing() as tx:
            row = tx.one("SELECT coalesce(max(seq), 0) FROM change")
            floor = (row[0] if row else 0) - keep
            gone = tx.run("DELETE FROM change WHERE seq <= ?", floor) if floor > 0 else 0
            if gone:
                self._set_meta(tx, "change_floor", str(floor).encode())
        self.commit()
        return gone

    def _see(self, seen: bytes) -> None:
        self._seen = seen
        if self._counter:
            self._counter.seen = seen

    def _catch_up(self) -> bool:
        last, generation = self._last, self._generation
        newest, self._generation = self._position()
        floor = int(self._meta("change_floor") or b"0")
        sql = "SELECT seq, origin, kind, key FROM change WHERE seq > ? ORDER BY seq LIMIT ?"
        if self._generation != generation or last < floor or newest - last > _CATCH_UP:
            self._last = newest
            self._subscribers.tell_all()
            return True
        foreign = False
        for seq, origin, kind, key in self._engine.read_all(sql, (last, 2 * _CATCH_UP)):
            self._last = seq
            if origin != self._origin:
                foreign = True
                self._subscribers.tell(kind, key)
        return foreign

    def _position(self) -> tuple[int, bytes]:
        row = self._engine.read_one("SELECT coalesce(max(seq), 0) FROM change", ())
        return (row[0] if row else 0), self._meta("generation") or b""

    # Facts about the installation

    def _meta(self, name: str) -> bytes | None:
        row = self._engine.read_one("SELECT value FROM meta WHERE name = ?", (name,))
        return bytes(row[0]) if row else None

    @staticmethod
    def _set_meta(tx: Unit, name: str, value: bytes) -> None:
        sql = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        tx.run(sql, name, value)

    # The root key

    def _follow_root(self) -> None:
        """Let the sealer know of a root key that took, or takes, the place of the one that it was opened with."""
        record = self.root_record()
        if record is not None:
            self._sealer.follow(record)

    def root_record(self) -> bytes | None:
        """The record of root keys (``keys.keyring``); None where the first one was never replaced."""
        return self._meta(_ROOT_RECORD)

    def turn_root(self, record: bytes, *, prove: bool = False) -> None:
        """Keep a record of root keys; every process follows it before its next call. ``prove``: seal the proof anew under it.

        Commits by itself. Raises StoreUnavailable.
        """
        with self.writing() as tx:
            self._set_meta(tx, _ROOT_RECORD, record)
            tx.changed(_ROOT_KIND, "")
        self._sealer.follow(record)
        if prove:
            with self.writing() as tx:
                self._set_meta(tx, "root_seal", self._sealer.seal(_SEAL_PURPOSE, _SEAL_TEXT))
        self.commit()

    def _prove_root_key(self) -> None:
        blob = self._meta("root_seal")
        if blob is None:
            with self.writing() as tx:
                sealed = self._sealer.seal(_SEAL_PURPOSE, _SEAL_TEXT)
                tx.run("INSERT INTO meta (name, value) VALUES ('root_seal', ?) ON CONFLICT (name) DO NOTHING", sealed)
            self.commit()
            blob = self._meta("root_seal") or b""
        self._open_seal(blob)

    def _open_copys_seal(self, blob: bytes) -> None:
        """A copy must be of the present root key: one that is on its way out would not open it at the next start."""
        try:
            present = self._sealer.sealed_now(_SEAL_PURPOSE, blob)
        except ValueError:
            present = False
        if not present:
            msg = "the copy was written under another root key: restore it with the one that it was written under"
            raise SchemaError(msg)
        self._open_seal(blob)

    def _open_seal(self, blob: bytes) -> None:
        try:
            proven = self._sealer.unseal(_SEAL_PURPOSE, blob) == _SEAL_TEXT
        except ValueError:
            proven = False
        if not proven:
            msg = "the state was written under another root key"
            raise SchemaError(msg)

    # Copies

    @property
    def engine_name(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.name

    def settle(self) -> bool:
        """Empty the database's write-ahead log, so that nothing that was deleted lies in it; False where readers are in the way.

        Raises StoreUnavailable.
        """
        return not self._open and self._engine.settle()

    def backup(self, path: Path) -> None:
        """Write a copy of the state to ``path`` (0600) while everything runs on; it appears whole or not at all.

        SQLite's is a database file; PostgreSQL's is the portable form. Raises StoreUnavailable, OSError.
        """
        if self._open:
            msg = "a group is open: its writes may yet be undone"
            raise RuntimeError(msg)
        with portable.whole_file(path) as partial:
            if not self._engine.backup(partial):
                portable.export(self._engine, self._sealer, self._known, partial, self._meta("root_seal") or b"")

    def export(self, path: Path) -> None:
        """Write the portable form: JSON lines that either engine takes back; sealed columns stay sealed.

        Raises StoreUnavailable, OSError.
        """
        if self._open:
            msg = "a group is open: its writes may yet be undone"
            raise RuntimeError(msg)
        with portable.whole_file(path) as partial:
            portable.export(self._engine, self._sealer, self._known, partial, self._meta("root_seal") or b"")

    def restore(self, path: Path) -> None:
        """Replace the whole state by a backup or an export. One transaction; every cache of every process is dropped.

        Raises SchemaError where the file is damaged, of a newer version, or written under another root key.
        """
        self.rollback()
        if portable.is_database(path):
            self._engine_sqlite().restore_file(path, self._known, self._open_copys_seal)
        else:
            portable.restore(self._engine, self._sealer, self._known, path, self._open_copys_seal)
        with self.writing() as tx:
            self._set_meta(tx, "generation", secrets.token_bytes(8))
            # Counts on from the old numbers: a worker must not mistake new changes for ones that it has read.
            self._touched[("store", "restored")] = None
        self.commit()
        self._last, self._generation = self._position()
        self._subscribers.tell_all()

    def _engine_sqlite(self) -> SQLite:
        if not isinstance(self._engine, SQLite):
            msg = "a SQLite database file can only be restored into SQLite: export it first"
            raise SchemaError(msg)
        return self._engine

    def snapshot(self) -> None:
        """Memory mode: remember the state as it is now. Raises RuntimeError elsewhere, and within a group."""
        if self._open or self._counter is not None:
            msg = "a snapshot is of a whole state in memory"
            raise RuntimeError(msg)
        self._engine_sqlite().save()

    def reset(self) -> None:
        """Memory mode: back to the snapshot; every cache is dropped. A few milliseconds."""
        self.rollback()
        self._engine_sqlite().restore_saved()
        self._last, self._generation = self._position()
        self._subscribers.tell_all()

    def close(self) -> None:
        """Undo what is open and end the connection."""
        self.rollback()
        self._engine.close()
        if self._counter:
            self._slots = self._seen
            self._counter.close()


def open_store(
    where: str | Path,
    *,
    sealer: Sealer,
    slot: int = 0,
    memory: bool = False,
    data_dir: Path | None = None,
    lock_wait: float = 5.0,
) -> Store:
    """Open the state, migrated and proven to belong to this root key.

    ``where``: a data directory (SQLite, in ``garrison.db``) or a ``postgresql://`` URL, which also needs ``data_dir`` for the
    node's change counter. ``slot``: this process's number on the node, 0 to 127, no two alike at one time.
    ``memory``: nothing touches the disk and ``where`` is not looked at. ``lock_wait``: seconds to wait for another writer.
    Raises StoreUnavailable where the database does not answer, SchemaError where it is not ours.
    """
    known = migrations()
    if memory:
        return _migrated(SQLite(None, lock_wait=lock_wait), sealer, None, known)
    text = str(where)
    if text.startswith(("postgresql://", "postgres://")):
        if data_dir is None:
            msg = "a PostgreSQL URL needs a data directory too: the processes of a node share a change counter there"
            raise ValueError(msg)
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        from garrison.store.postgres import Postgres  # noqa: PLC0415 - loading it costs a tenth of a start

        return _migrated(Postgres(text, lock_wait=lock_wait), sealer, Counter(data_dir / "changes", slot), known)
    folder = Path(where)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = SQLite(folder / "garrison.db", lock_wait=lock_wait)
    return _migrated(engine, sealer, Counter((data_dir or folder) / "changes", slot), known)


def _migrated(engine: Engine, sealer: Sealer, counter: Counter | None, known: Sequence[Migration]) -> Store:
    try:
        engine.migrate(known)
        return Store(engine, sealer, counter, known)
    except BaseException:
        engine.close()
        if counter:
            counter.close()
        raise
