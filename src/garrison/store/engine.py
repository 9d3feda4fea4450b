"""What the group-commit logic asks of a database engine. Two answer: SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from garrison.core.ports import Value
from garrison.store.migrate import Migration

LOCK_WAIT = 5.0
"""Seconds to wait for another process's group to end before the work is refused."""

Row = tuple[Any, ...]


class Engine(Protocol):
    """One connection to one database. Every method raises ``store.StoreUnavailable`` where the database cannot work."""

    name: str
    """``sqlite`` or ``postgresql``."""

    def all(self, sql: str, parameters: Sequence[Value]) -> list[Row]:
        """Every row."""
        ...

    def one(self, sql: str, parameters: Sequence[Value]) -> Row | None:
        """The first row."""
        ...

    def run(self, sql: str, parameters: Sequence[Value]) -> int:
        """Change rows; how many. Raises Conflict, ConstraintError."""
        ...

    def each(self, sql: str) -> Iterator[Row]:
        """Rows one by one, for tables that need not fit in memory."""
        ...

    def many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """Run once for each row of parameters."""
        ...

    def read_all(self, sql: str, parameters: Sequence[Value]) -> list[Row]:
        """``all`` from outside a unit: a failure must not undo the open group."""
        ...

    def read_one(self, sql: str, parameters: Sequence[Value]) -> Row | None:
        """``one``, in the same way."""
        ...

    def begin(self) -> None:
        """Open a write transaction and become the one writer."""
        ...

    def commit(self) -> None:
        """Make it durable."""
        ...

    def settle(self) -> bool:
        """Have the log that runs ahead of the database written into it and emptied; whether that was possible now."""
        ...

    def rollback(self) -> None:
        """Undo it; never raises where there is nothing to undo."""
        ...

    def savepoint(self, depth: int) -> None:
        """Mark a point to return to."""
        ...

    def release(self, depth: int) -> None:
        """Keep what came since."""
        ...

    def rollback_to(self, depth: int) -> None:
        """Undo what came since."""
        ...

    @property
    def alive(self) -> bool:
        """False where the database ended the open transaction by itself (disk full, connection lost)."""
        ...

    def migrate(self, known: Sequence[Migration]) -> list[int]:
        """Apply what is pending under a lock, each in a transaction; the numbers applied. Raises SchemaError."""
        ...

    def tables(self) -> dict[str, list[str]]:
        """Our tables and their columns, parents before children."""
        ...

    def snapshot_reads(self) -> None:
        """Begin a read-only transaction in which every read sees one moment."""
        ...

    def backup(self, path: Path) -> bool:
        """Copy the running database to a file in the engine's own way; False where it has none."""
        ...

    def reset_sequences(self) -> None:
        """After rows came with their numbers: let the next number be higher than all of them."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


def parents_first(parents: dict[str, set[str]]) -> list[str]:
    """Tables ordered so that each comes after those it refers to. Raises ValueError on a circle."""
    order: list[str] = []
    left = {name: {parent for parent in on if parent in parents and parent != name} for name, on in parents.items()}
    while left:
        ready = [name for name, on in left.items() if not on]
        if not ready:
            msg = f"tables refer to each other in a circle: {sorted(left)}"
            raise ValueError(msg)
        order += ready
        left = {name: on - set(ready) for name, on in left.items() if name not in ready}
    return order
