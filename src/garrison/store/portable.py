"""The state as a file of JSON lines that either engine takes back.

First line: what wrote it (format, migrations, the seal that proves the root key). Then each table: its name and columns, its
rows, one array a line, binary values as ``{"b": base64}``; sealed columns stay sealed. Last line: the number of rows and a MAC
under the root key over all lines before it, so that a cut or edited file is refused before anything is touched.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from garrison.core.ports import Sealer, Value
from garrison.store.engine import Engine
from garrison.store.errors import SchemaError
from garrison.store.migrate import Migration

_FORMAT = "garrison-state-1"
_MAC_PURPOSE = "store-export"
_OF_THE_DATABASE = frozenset({"migration"})
_BATCH = 500
OpenSeal = Callable[[bytes], None]
"""Raises SchemaError where the seal is of another root key."""


def is_database(path: Path) -> bool:
    """True for a SQLite database file."""
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A partial file beside ``path`` that takes its place, flushed to the disk, when the block succeeds."""
    partial = path.with_name(f".{path.name}.partial")
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        yield partial
        for flushed in (partial, path.parent):
            descriptor = os.open(flushed, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def export(engine: Engine, sealer: Sealer, known: Sequence[Migration], path: Path, seal: bytes) -> None:
    """Write every table as of one moment."""
    digest = hashlib.sha256()
    rows = 0
    engine.snapshot_reads()
    try:
        with path.open("wb") as file:
            for line, is_row in _lines(engine, known, seal):
                digest.update(line)
                file.write(line)
                rows += is_row
            mac = sealer.mac(_MAC_PURPOSE, digest.digest()).hex()
            file.write(msgspec.json.encode({"rows": rows, "mac": mac}) + b"\n")
    finally:
        engine.rollback()


def restore(engine: Engine, sealer: Sealer, known: Sequence[Migration], path: Path, open_seal: OpenSeal) -> None:
    """Replace every table's rows by the file's, in one transaction."""
    _check(path, sealer, known, open_seal)
    columns = engine.tables()
    engine.begin()
    try:
        for table in reversed(columns):
            if table not in _OF_THE_DATABASE:
                engine.run(f'DELETE FROM "{table}"', ())  # noqa: S608 - the database's own table name
        _insert(engine, path, columns)
        engine.reset_sequences()
        engine.commit()
    except BaseException:
        engine.rollback()
        raise


def _lines(engine: Engine, known: Sequence[Migration], seal: bytes) -> Iterator[tuple[bytes, bool]]:
    numbers = {f"{migration.number:04d}": migration.checksum for migration in known}
    yield _line({"format": _FORMAT, "migrations": numbers, "seal": b64encode(seal).decode()}), False
    for table, columns in engine.tables().items():
        if table in _OF_THE_DATABASE:
            continue
        yield _line({"table": table, "columns": columns}), False
        quoted = ", ".join(f'"{column}"' for column in columns)
        for row in engine.each(f'SELECT {quoted} FROM "{table}"'):  # noqa: S608 - the database's own names
            yield _line([_plain(value) for value in row]), True


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _plain(value: Value) -> object:
    return {"b": b64encode(value).decode()} if isinstance(value, bytes) else value


def _value(value: Any) -> Value:  # noqa: ANN401 - what JSON holds
    return b64decode(value["b"]) if isinstance(value, dict) else value


def _check(path: Path, sealer: Sealer, known: Sequence[Migration], open_seal: OpenSeal) -> None:
    """Read the whole file once: header, count, MAC."""
    digest = hashlib.sha256()
    rows = 0
    last = b""
    header: dict[str, Any] | None = None
    with path.open("rb") as file:
        for line in file:
            if last:
                digest.update(last)
                rows += last.startswith(b"[")
            else:
                header = _object(line)
            last = line
    if header is None or header.get("format") != _FORMAT:
        msg = f"`{path.name}` is not a state file of this program"
        raise SchemaError(msg)
    trailer = _object(last)
    mac = sealer.mac(_MAC_PURPOSE, digest.digest()).hex()
    open_seal(b64decode(str(header.get("seal", ""))))
    if trailer.get("rows") != rows or not hmac.compare_digest(str(trailer.get("mac")), mac):
        msg = f"`{path.name}` is not whole: it was cut or altered"
        raise SchemaError(msg)
    _check_migrations(header["migrations"], known)


def _check_migrations(written: dict[str, str], known: Sequence[Migration]) -> None:
    ours = {f"{migration.number:04d}": migration.checksum for migration in known}
    unknown = sorted(number for number, checksum in written.items() if ours.get(number) != checksum)
    if unknown:
        msg = f"the file was written with migrations that this version does not have: {', '.join(unknown)}"
        raise SchemaError(msg)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _insert(engine: Engine, path: Path, columns: dict[str, list[str]]) -> None:
    sql = ""
    batch: list[list[Value]] = []
    with path.open("rb") as file:
        next(file)
        for line in file:
            value = msgspec.json.decode(line)
            if isinstance(value, list):
                batch.append([_value(item) for item in value])
            if batch and (len(batch) == _BATCH or isinstance(value, dict)):
                engine.many(sql, batch)
                batch = []
            if isinstance(value, dict) and "table" in value:
                sql = _insert_sql(value["table"], value["columns"], columns)


def _insert_sql(table: str, names: list[str], columns: dict[str, list[str]]) -> str:
    # Names from the file become SQL only if the database has them.
    if table not in columns or not set(names) <= set(columns[table]):
        msg = f"the file has a table or columns that this version does not have: `{table}`"
        raise SchemaError(msg)
    quoted = ", ".join(f'"{name}"' for name in names)
    return f'INSERT INTO "{table}" ({quoted}) VALUES ({", ".join("?" * len(names))})'  # noqa: S608 - checked above
