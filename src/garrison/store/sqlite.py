"""SQLite: one file, write-ahead log, every commit flushed to the disk."""

# ruff: noqa: D102 - the engine protocol says what each method does
from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from garrison.core.ports import Value
from garrison.store.dialect import sqlite_schema, statements
from garrison.store.engine import LOCK_WAIT, Row, parents_first
from garrison.store.errors import Conflict, ConstraintError, SchemaError, StoreUnavailable
from garrison.store.migrate import LEDGER, Migration, pending

_UNIQUE = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID})
# Primary result codes (the low byte) that mean "not now" or "not on this disk", and not "wrong SQL".
_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
_LOST = "sqlite: the transaction was ended by the database"
_SAVEPOINT = tuple(f"SAVEPOINT u{depth}" for depth in range(16))
_RELEASE = tuple(f"RELEASE u{depth}" for depth in range(16))
_ROLLBACK_TO = tuple(f"ROLLBACK TO u{depth}" for depth in range(16))


def translated(error: sqlite3.Error) -> Exception:
    """The house's error for the driver's; the driver's own where the SQL or the program is wrong."""
    code = getattr(error, "sqlite_errorcode", 0)
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict(str(error)) if code in _UNIQUE else ConstraintError(str(error))
    if code & 0xFF in _UNAVAILABLE:
        return StoreUnavailable(f"sqlite: {error}")
    return error


_RETRY = 0.01
"""Seconds between two tries at what SQLite does not wait for."""


def connect(path: str, *, lock_wait: float = LOCK_WAIT) -> sqlite3.Connection:
    """A connection with the house's settings: WAL, FULL, foreign keys, case-sensitive LIKE, explicit transactions."""
    connection = sqlite3.connect(path, timeout=lock_wait, isolation_level=None, cached_statements=1024)
    _use_wal(connection, lock_wait)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # deleted key material is overwritten, whatever the default of this SQLite
    connection.execute("PRAGMA case_sensitive_like=ON")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA cache_size=-16000")
    connection.execute("PRAGMA journal_size_limit=67108864")
    return connection


def _use_wal(connection: sqlite3.Connection, lock_wait: float) -> None:
    """Keep a write-ahead log.

    Of processes that start beside each other on a new file one changes its mode. SQLite does not make the others wait for that as
    it does for a write, so they wait here. Raises sqlite3.OperationalError once ``lock_wait`` (seconds) is over.
    """
    until = time.monotonic() + lock_wait
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as error:
            if (error.sqlite_errorcode & 0xFF) != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_RETRY)
        else:
            return


class SQLite:
    """One connection. ``path`` None keeps everything in memory."""

    name = "sqlite"

    def __init__(self, path: Path | None, *, lock_wait: float = LOCK_WAIT) -> None:
        self._path = path
        self._saved: sqlite3.Connection | None = None
        self._group = False
        """A group is open. SQLite may end it by itself (disk full): a statement would then commit alone, so none is run."""
        try:
            self._connection = connect(":memory:" if path is None else str(path), lock_wait=lock_wait)
        except sqlite3.Error as error:
            raise translated(error) from error
        if path is not None:
            path.chmod(0o600)
        self._execute = self._connection.execute

    def all(self, sql: str, parameters: Sequence[Value]) -> list[Row]:
        try:
            return self._execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise translated(error) from error

    def one(self, sql: str, parameters: Sequence[Value]) -> Row | None:
        try:
            row: Row | None = self._execute(sql, parameters).fetchone()
        except sqlite3.Error as error:
            raise translated(error) from error
        return row

    # A failed statement undoes itself alone, inside a transaction too: reads need no guard.
    read_all = all  # noqa: A003 - the method above, not the builtin
    read_one = one

    def run(self, sql: str, parameters: Sequence[Value]) -> int:
        if self._group and not self._connection.in_transaction:
            raise StoreUnavailable(_LOST)
        try:
            return self._execute(sql, parameters).rowcount
        except sqlite3.Error as error:
            raise translated(error) from error

    def each(self, sql: str) -> Iterator[Row]:
        try:
            yield from self._connection.execute(sql)
        except sqlite3.Error as error:
            raise translated(error) from error

    def many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        if self._group and not self._connection.in_transaction:
            raise StoreUnavailable(_LOST)
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise translated(error) from error

    def begin(self) -> None:
        self.run("BEGIN IMMEDIATE", ())
        self._group = True

    def commit(self) -> None:
        self.run("COMMIT", ())
        self._group = False

    def settle(self) -> bool:
        row = self.one("PRAGMA wal_checkpoint(TRUNCATE)", ())
        return row is not None and row[0] == 0

    def rollback(self) -> None:
        self._group = False
        with suppress(sqlite3.Error):
            self._execute("ROLLBACK")

    def savepoint(self, depth: int) -> None:
        self.run(_SAVEPOINT[depth], ())

    def release(self, depth: int) -> None:
        self.run(_RELEASE[depth], ())

    def rollback_to(self, depth: int) -> None:
        self.run(_ROLLBACK_TO[depth], ())
        self.run(_RELEASE[depth], ())

    @property
    def alive(self) -> bool:
        return self._connection.in_transaction

    def migrate(self, known: Sequence[Migration]) -> list[int]:
        # One transaction for the whole row of them would also do; one each leaves a long upgrade where it stopped.
        done: list[int] = []
        self.run(sqlite_schema(LEDGER), ())
        # Looked at without the writer's lock first: a start must not wait for the groups of others.
        while self._pending(known):
            self.begin()
            try:
                left = self._pending(known)
                if left:
                    self._apply(left[0])
                    done.append(left[0].number)
                self.commit()
            except BaseException:
                self.rollback()
                raise
        return done

    def _pending(self, known: Sequence[Migration]) -> list[Migration]:
        rows = self.all("SELECT number, name, checksum FROM migration", ())
        return pending(known, {number: (name, checksum) for number, name, checksum in rows})

    def _apply(self, migration: Migration) -> None:
        try:
            for statement in statements(migration.script):
                self._execute(sqlite_schema(statement))
        except sqlite3.Error as error:
            msg = f"migration {migration.number:04d}_{migration.name}: {error}"
            raise SchemaError(msg) from error
        row = (migration.number, migration.name, migration.checksum, time.time())
        self._execute("INSERT INTO migration (number, name, checksum, applied_at) VALUES (?, ?, ?, ?)", row)

    def tables(self) -> dict[str, list[str]]:
        names = [name for (name,) in self.all("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", ())]
        ours = [name for name in names if not name.startswith("sqlite_")]
        parents = {name: {row[2] for row in self.all(f'PRAGMA foreign_key_list("{name}")', ())} for name in ours}
        return {name: [row[1] for row in self.all(f'PRAGMA table_info("{name}")', ())] for name in parents_first(parents)}

    def snapshot_reads(self) -> None:
        self.run("BEGIN", ())

    def backup(self, path: Path) -> bool:
        source = self._connection if self._path is None else sqlite3.connect(self._path)
        try:
            with closing(sqlite3.connect(path)) as target:
                source.backup(target)
        except sqlite3.Error as error:
            raise translated(error) from error
        finally:
            if source is not self._connection:
                source.close()
        return True

    def restore_file(self, path: Path, known: Sequence[Migration], open_seal: Callable[[bytes], None]) -> None:
        """Take in another database file, page by page, as one transaction. Raises SchemaError where it is not ours or damaged."""
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as source:
                check_file(source, known, open_seal)
                source.backup(self._connection)
        except sqlite3.Error as error:
            raise translated(error) from error
        self.migrate(known)

    def reset_sequences(self) -> None:
        """SQLite's AUTOINCREMENT follows the highest number by itself."""

    def save(self) -> None:
        """Memory mode: keep a copy to come back to."""
        saved = sqlite3.connect(":memory:")
        self._connection.backup(saved)
        self._saved = saved

    def restore_saved(self) -> None:
        """Memory mode: back to the copy. Raises RuntimeError where there is none."""
        if self._saved is None:
            msg = "nothing was saved"
            raise RuntimeError(msg)
        self._saved.backup(self._connection)

    def close(self) -> None:
        self._connection.close()
        if self._saved is not None:
            self._saved.close()


def check_file(source: sqlite3.Connection, known: Sequence[Migration], open_seal: Callable[[bytes], None]) -> None:
    """Raises SchemaError where the file is damaged, from a newer version or under another root key."""
    try:
        (answer,) = source.execute("PRAGMA integrity_check(1)").fetchone()
        rows = source.execute("SELECT number, name, checksum FROM migration").fetchall() if answer == "ok" else []
        seal = source.execute("SELECT value FROM meta WHERE name = 'root_seal'").fetchone() if answer == "ok" else None
    except sqlite3.Error as error:
        answer, rows, seal = str(error), [], None
    if answer != "ok":
        msg = f"the backup is damaged: {answer}"
        raise SchemaError(msg)
    pending(known, {number: (name, checksum) for number, name, checksum in rows})
    open_seal(seal[0] if seal else b"")
