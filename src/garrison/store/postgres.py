"""PostgreSQL: one connection a worker, one writer at a time over all workers and nodes.

The writer's lock is an advisory one, taken when a group opens and let go by its COMMIT. It gives both engines one meaning: a
handler that read, decided and wrote saw nothing change in between, and the change log is in commit order.
"""

# ruff: noqa: D102 - the engine protocol says what each method does
from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import pq
from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.types.numeric import Int8Dumper

from garrison.core.errors import CommonError
from garrison.core.ports import Value
from garrison.store.dialect import postgres_query, postgres_schema, statements
from garrison.store.engine import LOCK_WAIT, Row, parents_first
from garrison.store.errors import Conflict, ConstraintError, SchemaError, StoreUnavailable
from garrison.store.migrate import LEDGER, Migration, pending

_WRITER = int.from_bytes(b"garrison")
_MIGRATOR = _WRITER + 1
_FETCH = 1000

_TABLES = """
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum"""
_PARENTS = """
SELECT child.relname, parent.relname FROM pg_constraint
JOIN pg_class child ON child.oid = conrelid JOIN pg_class parent ON parent.oid = confrelid
WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"""
_IDENTITIES = """
SELECT table_name, column_name FROM information_schema.columns WHERE is_identity = 'YES' AND table_schema = current_schema()"""


class _Flag(Dumper):
    """A bool as the INTEGER that its column is."""

    oid = 20

    def dump(self, obj: bool) -> Buffer:  # noqa: FBT001 - psycopg's signature
        return b"1" if obj else b"0"


class _Number(Loader):
    """What sum() and the like answer: an int where it is whole, as SQLite gives it."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data)
        return int(text) if text.lstrip(b"-").isdigit() else float(text)


def translated(error: psycopg.Error) -> Exception:
    """The house's error for the driver's; the driver's own where the SQL or the program is wrong."""
    if isinstance(error, psycopg.errors.UniqueViolation):
        return Conflict(str(error))
    if isinstance(error, psycopg.IntegrityError):
        return ConstraintError(str(error))
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction)):
        return StoreUnavailable(f"postgresql: {type(error).__name__}: {error}")
    if isinstance(error, psycopg.DataError) and "NUL" in str(error):
        return CommonError("validation", "Text must not contain a null character.")
    return error


class Postgres:
    """One connection, made again when it was lost, but never in the middle of a group."""

    name = "postgresql"

    def __init__(self, url: str, *, lock_wait: float = LOCK_WAIT) -> None:
        self._url = url
        self._begin = (
            f"BEGIN; SET LOCAL lock_timeout = {int(lock_wait * 1000)}; SELECT pg_advisory_xact_lock({_WRITER}); SAVEPOINT u0"
        )
        self._group = False
        self._fresh = False
        """BEGIN set the first unit's savepoint already."""
        self._stale = False
        """The last unit's savepoint is still to be released, together with the next statement that goes out anyway."""
        self._connection = self._connect()

    def _connect(self) -> psycopg.Connection[Row]:
        try:
            connection = psycopg.connect(
                self._url,
                autocommit=True,
                cursor_factory=psycopg.RawCursor,
                connect_timeout=5,
                application_name="garrison",
                options="-c synchronous_commit=on -c standard_conforming_strings=on",
            )
        except psycopg.Error as error:
            raise translated(error) from error
        connection.adapters.register_dumper(bool, _Flag)
        connection.adapters.register_dumper(int, Int8Dumper)
        connection.adapters.register_loader("numeric", _Number)
        return connection

    def _cursor(self, sql: str, parameters: Sequence[Value] | None) -> psycopg.Cursor[Row]:
        if self._connection.closed and not self._group:
            self._connection = self._connect()
        try:
            return self._connection.execute(postgres_query(sql).encode(), parameters or None)
        except psycopg.Error as error:
            raise translated(error) from error

    def _simple(self, sql: str) -> psycopg.Cursor[Row]:
        """Statements without parameters, several at once: one round trip."""
        try:
            return self._connection.execute(sql.encode())
        except psycopg.Error as error:
            raise translated(error) from error

    def all(self, sql: str, parameters: Sequence[Value]) -> list[Row]:
        return self._cursor(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Sequence[Value]) -> Row | None:
        return self._cursor(sql, parameters).fetchone()

    def run(self, sql: str, parameters: Sequence[Value]) -> int:
        return self._cursor(sql, parameters).rowcount

    def read_all(self, sql: str, parameters: Sequence[Value]) -> list[Row]:
        return self._guarded(sql, parameters).fetchall()

    def read_one(self, sql: str, parameters: Sequence[Value]) -> Row | None:
        return self._guarded(sql, parameters).fetchone()

    def _guarded(self, sql: str, parameters: Sequence[Value]) -> psycopg.Cursor[Row]:
        """A failed statement spoils the transaction it stands in; a read must not do that to the group."""
        if not self._group:
            return self._cursor(sql, parameters)
        self._simple("SAVEPOINT r")
        try:
            cursor = self._cursor(sql, parameters)
        except BaseException:
            with suppress(StoreUnavailable):
                self._simple("ROLLBACK TO r; RELEASE r")
            raise
        self._simple("RELEASE r")
        return cursor

    def each(self, sql: str) -> Iterator[Row]:
        self._simple(f"DECLARE rows NO SCROLL CURSOR FOR {sql}")
        while batch := self.all(f"FETCH {_FETCH} FROM rows", ()):
            yield from batch
        self._simple("CLOSE rows")

    def many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        try:
            with self._connection.cursor() as cursor:
                cursor.executemany(postgres_query(sql).encode(), rows)
        except psycopg.Error as error:
            raise translated(error) from error

    def begin(self) -> None:
        if self._connection.closed:
            self._connection = self._connect()
        try:
            self._simple(self._begin)
        except BaseException:
            self.rollback()
            raise
        self._group = self._fresh = True

    def commit(self) -> None:
        status = self._simple("COMMIT").statusmessage
        self._group = self._fresh = self._stale = False
        if status != "COMMIT":
            msg = f"postgresql: COMMIT was answered {status}"
            raise StoreUnavailable(msg)

    def settle(self) -> bool:
        return True  # the server's own affair, and its administrator's

    def rollback(self) -> None:
        self._group = self._fresh = self._stale = False
        if self._connection.closed or self._connection.info.transaction_status == pq.TransactionStatus.IDLE:
            return
        try:
            self._connection.execute(b"ROLLBACK")
        except psycopg.Error:
            # It cannot be told what it still holds; the server undoes the transaction of a lost connection.
            self._connection.close()

    def savepoint(self, depth: int) -> None:
        if depth == 0 and self._fresh:
            self._fresh = False
            return
        release = "RELEASE u0; " if depth == 0 and self._stale else ""
        self._simple(f"{release}SAVEPOINT u{depth}")
        self._stale = False

    def release(self, depth: int) -> None:
        if depth == 0:
            self._stale = True
        else:
            self._simple(f"RELEASE u{depth}")

    def rollback_to(self, depth: int) -> None:
        self._simple(f"ROLLBACK TO u{depth}; RELEASE u{depth}")

    @property
    def alive(self) -> bool:
        open_states = (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR)
        return not self._connection.closed and self._connection.info.transaction_status in open_states

    def migrate(self, known: Sequence[Migration]) -> list[int]:
        self._simple(f"SELECT pg_advisory_lock({_MIGRATOR})")
        try:
            self._simple(postgres_schema(LEDGER))
            rows = self.all("SELECT number, name, checksum FROM migration", ())
            left = pending(known, {number: (name, checksum) for number, name, checksum in rows})
            for migration in left:
                self._apply(migration)
        finally:
            if not self._connection.closed:
                self._simple(f"SELECT pg_advisory_unlock({_MIGRATOR})")
        return [migration.number for migration in left]

    def _apply(self, migration: Migration) -> None:
        row = (migration.number, migration.name, migration.checksum, time.time())
        try:
            with self._connection.transaction():
                for statement in statements(migration.script):
                    self._connection.execute(postgres_schema(statement).encode())
                sql = "INSERT INTO migration (number, name, checksum, applied_at) VALUES ($1, $2, $3, $4)"
                self._connection.execute(sql.encode(), row)
        except psycopg.Error as error:
            msg = f"migration {migration.number:04d}_{migration.name}: {error}"
            raise SchemaError(msg) from error

    def tables(self) -> dict[str, list[str]]:
        columns: dict[str, list[str]] = {}
        for table, column in self.all(_TABLES, ()):
            columns.setdefault(table, []).append(column)
        parents: dict[str, set[str]] = {table: set() for table in columns}
        for child, parent in self.all(_PARENTS, ()):
            parents[child].add(parent)
        return {table: columns[table] for table in parents_first(parents)}

    def snapshot_reads(self) -> None:
        self._cursor("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", ())

    def backup(self, path: Path) -> bool:  # noqa: ARG002 - the portable form serves
        return False

    def reset_sequences(self) -> None:
        for table, column in self.all(_IDENTITIES, ()):
            sql = f"""SELECT setval(pg_get_serial_sequence('"{table}"', '{column}'), coalesce(max("{column}"), 0) + 1, false)
                FROM "{table}\""""  # noqa: S608 - the database's own names
            self._simple(sql)

    def close(self) -> None:
        self._connection.close()
