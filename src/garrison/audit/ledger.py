"""How many chains the register has had, kept beside the database: the last ones cannot be struck from it unseen."""

from __future__ import annotations

import os
from pathlib import Path

_NAME = "ledger"


def write_ledger(folder: Path, number: int, mac: bytes, *, lower: bool = False) -> None:
    """Note the newest entry of the register; a lower number than the noted one only if ``lower``."""
    noted = read_ledger(folder)
    if noted is not None and noted[0] >= number and not lower:
        return
    partial = folder / f".{_NAME}-{number}"
    file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, number.to_bytes(8) + mac)
        os.fsync(file)
    finally:
        os.close(file)
    partial.replace(folder / _NAME)


def read_ledger(folder: Path) -> tuple[int, bytes] | None:
    """Number and MAC of the newest entry that this node knows of; None where nothing was noted."""
    try:
        data = (folder / _NAME).read_bytes()
    except FileNotFoundError:
        return None
    return int.from_bytes(data[:8]), data[8:40]
