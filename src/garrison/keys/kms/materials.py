"""The materials of a key as rows: added, made current, taken away.

Old material decrypts for ever. Of a multi-Region key each Region has rows of its own, sealed for itself, with the same ids.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from garrison.core.ports import Transaction

CURRENT = "CURRENT"
NON_CURRENT = "NON_CURRENT"
PENDING_ROTATION = "PENDING_ROTATION"
PENDING_REPLICAS = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
OWNED = frozenset({CURRENT, NON_CURRENT})
"""States of material that belongs to its key for good."""

Seal = Callable[[str, str, str, bytes], bytes]
"""Seals material for a Region, key and material id: ``LiveKeys.seal``."""


class Row(NamedTuple):
    """One material, without its secret."""

    material_id: str
    number: int
    state: str
    created_at: float
    rotated_at: float | None
    rotation_type: str
    present: bool
    valid_to: float | None
    description: str


_SELECT = (
    "SELECT material_id, number, state, created_at, rotated_at, rotation_type, present, valid_to, description FROM kms_material"
    " WHERE region = ? AND key_id = ? ORDER BY number"
)
_INSERT = (
    "INSERT INTO kms_material (region, key_id, material_id, sealed, number, state, created_at, rotated_at, rotation_type,"
    " present, valid_to, description) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def rows(tx: Transaction, region: str, key_id: str) -> list[Row]:
    """A key's materials, the first one first."""
    return [Row._make((*row[:6], bool(row[6]), *row[7:])) for row in tx.all(_SELECT, region, key_id)]


def add(tx: Transaction, region: str, key_id: str, row: Row, sealed: bytes) -> None:
    """Write one; ``sealed`` is empty where it is not present."""
    tx.run(
        _INSERT,
        region,
        key_id,
        row.material_id,
        sealed,
        row.number,
        row.state,
        row.created_at,
        row.rotated_at,
        row.rotation_type,
        int(row.present),
        row.valid_to,
        row.description,
    )


_RECORD = (
    "INSERT INTO kms_destroyed (region, material_id, key_id, account, sealed_bytes, destroyed_at)"
    " SELECT m.region, m.material_id, m.key_id, k.account, LENGTH(m.sealed), ? FROM kms_material m"
    " JOIN kms_key k ON k.region = m.region AND k.key_id = m.key_id"
    " WHERE m.region = ? AND m.key_id = ? AND m.present = 1 AND (? = '' OR m.material_id = ?)"
    " ON CONFLICT (region, material_id) DO UPDATE SET destroyed_at = excluded.destroyed_at"
)


def record(tx: Transaction, region: str, key_id: str, now: float, *, material_id: str = "") -> None:
    """Remember that the material of a key, or one of it, is about to be destroyed: for whoever asks for proof."""
    tx.run(_RECORD, now, region, key_id, material_id, material_id)


def destroy(tx: Transaction, region: str, key_id: str, row: Row, now: float) -> None:
    """Take a material's secret away. What belongs to the key is remembered by its id; what waited for a rotation is not."""
    record(tx, region, key_id, now, material_id=row.material_id)
    # Overwritten first: the row's page may be kept for other rows.
    tx.run(
        "UPDATE kms_material SET sealed = ?, present = 0, valid_to = NULL WHERE region = ? AND material_id = ?",
        b"",
        region,
        row.material_id,
    )
    if row.state not in OWNED:
        tx.run("DELETE FROM kms_material WHERE region = ? AND material_id = ?", region, row.material_id)
    tx.changed("kms-key", f"{region}/{key_id}")


def make_current(tx: Transaction, region: str, key_id: str, material_id: str, now: float, kind: str) -> None:
    """Let a material that is there encrypt from now on. ``kind`` is the rotation's type."""
    tx.run(
        "UPDATE kms_material SET state = ? WHERE region = ? AND key_id = ? AND state = ?", NON_CURRENT, region, key_id, CURRENT
    )
    tx.run(
        "UPDATE kms_material SET state = ?, rotated_at = ?, rotation_type = ? WHERE region = ? AND material_id = ?",
        CURRENT,
        now,
        kind,
        region,
        material_id,
    )
    tx.run("UPDATE kms_key SET material_id = ? WHERE region = ? AND key_id = ?", material_id, region, key_id)
    tx.changed("kms-key", f"{region}/{key_id}")


def rotate(
    tx: Transaction, seal: Seal, regions: tuple[str, ...], key_id: str, fresh: tuple[str, bytes], now: float, kind: str
) -> None:
    """Give a key new material, id and secret, in every Region where it is."""
    material_id, secret = fresh
    for region in regions:
        number = 1 + max((row.number for row in rows(tx, region, key_id)), default=0)
        row = Row(material_id, number, PENDING_ROTATION, now, None, "", present=True, valid_to=None, description="")
        add(tx, region, key_id, row, seal(region, key_id, material_id, secret))
        make_current(tx, region, key_id, material_id, now, kind)
