"""Files that an operator changes while they are read: whether one is another than before."""

from __future__ import annotations

from pathlib import Path

Stamp = tuple[int, int, int]
"""Inode, size in bytes, and time of the last change in nanoseconds."""
ABSENT: Stamp = (0, 0, 0)


def stamp(path: Path) -> Stamp:
    """Another one whenever the file is; ``ABSENT`` where none can be seen."""
    try:
        found = path.stat()
    except OSError:
        return ABSENT
    return found.st_ino, found.st_size, found.st_mtime_ns
