"""Numbered migrations: which there are, which were applied, and whether the two agree.

A migration is a file ``NNNN_name.sql`` in the folder ``migrations``. Rooms have ranges of their own (0001 core, 0010 iam,
0020 kms ...), so a lower number may come after a higher one was applied: what counts is that each is applied once, unchanged.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise

from garrison.store.dialect import statements
from garrison.store.errors import SchemaError

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
LEDGER = """
CREATE TABLE IF NOT EXISTS migration (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied_at REAL NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file. ``checksum`` is the SHA-256 of its text in hex."""

    number: int
    name: str
    script: str
    checksum: str


def parse(file_name: str, script: str) -> Migration:
    """Check and take in one file. Raises SchemaError on a bad name or an unfinished statement."""
    match = _NAME.fullmatch(file_name)
    if match is None:
        msg = f"a migration is named `NNNN_name.sql`, was `{file_name}`"
        raise SchemaError(msg)
    try:
        statements(script)
    except ValueError as error:
        msg = f"{file_name}: {error}"
        raise SchemaError(msg) from error
    return Migration(int(match[1]), match[2], script, hashlib.sha256(script.encode()).hexdigest())


def migrations() -> list[Migration]:
    """All that come with this program, by number. Raises SchemaError where two have one number."""
    folder = files("garrison.store") / "migrations"
    found = [parse(entry.name, entry.read_text("utf-8")) for entry in folder.iterdir() if entry.name.endswith(".sql")]
    found.sort(key=lambda migration: migration.number)
    for first, second in pairwise(found):
        if first.number == second.number:
            msg = f"two migrations have the number {first.number:04d}: `{first.name}` and `{second.name}`"
            raise SchemaError(msg)
    return found


def pending(known: Sequence[Migration], applied: Mapping[int, tuple[str, str]]) -> list[Migration]:
    """What is still to apply. ``applied``: number to (name, checksum).

    Raises SchemaError where the database holds a migration that this program does not know, or knows differently.
    """
    by_number = {migration.number: migration for migration in known}
    for number, (name, checksum) in sorted(applied.items()):
        migration = by_number.get(number)
        if migration is None:
            msg = (
                f"the database has migration {number:04d}_{name}, which this version does not know: it was written by a newer one"
            )
            raise SchemaError(msg)
        if migration.checksum != checksum:
            msg = f"migration {number:04d}_{name} was edited after it was applied"
            raise SchemaError(msg)
    return [migration for migration in known if migration.number not in applied]
