"""Where events of reads, denials and failures wait for the database: files that one process appends to.

A line is ``[seq, "hash in hex", event, decision]``. All lines of a tick are one write(2) before any answer leaves: they survive
the death of the process. A file is only ever appended to; to ship it, the process goes on in a new one and removes the old one
once the database has its lines. A last line without its end was never acknowledged and is dropped.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

_NAME = re.compile(r"spool-([0-9a-f]{32})\.(\d+)\.jsonl")


class Line(NamedTuple):
    """One event as it waits."""

    seq: int
    hash: bytes
    event: bytes
    decision: bytes


_DECODER = msgspec.json.Decoder(tuple[int, str, msgspec.Raw, msgspec.Raw])


def encode_line(line: Line) -> bytes:
    """A line of the file; JSON never holds a raw end of line inside."""
    return b'[%d,"%s",%s,%s]\n' % (line.seq, line.hash.hex().encode(), line.event, line.decision)


def audit_folder(data_dir: Path) -> Path:
    """Where a data directory keeps spools and heads; made if it is not there (0700)."""
    folder = data_dir / "audit"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


class Spool:
    """The files of one living chain. ``folder`` None keeps them in memory."""

    def __init__(self, folder: Path | None, chain: str, *, durable: bool = False) -> None:
        self._folder = folder
        self._chain = chain
        self._durable = durable
        self._number = 0
        self._size = 0
        self._file: int | None = None
        self._memory: list[Line] = []
        self.full: list[Path] = []
        """Files that are no longer appended to and whose lines the database may not have yet."""

    def append(self, lines: Sequence[Line]) -> int:
        """Write the lines; how many of them are there now. Fewer than given: the disk took no more."""
        if self._folder is None:
            self._memory += lines
            return len(lines)
        encoded = [encode_line(line) for line in lines]
        data = b"".join(encoded)
        try:
            file = self._open(self._folder)
            written = os.write(file, data)
            if written == len(data) and self._durable:
                os.fdatasync(file)
        except OSError:
            return 0
        self._size += written
        return len(lines) if written == len(data) else self._cut(file, encoded, written)

    def _cut(self, file: int, encoded: Sequence[bytes], written: int) -> int:
        """Take the torn line back, keep the whole ones: another process may have read them already."""
        kept = count = 0
        for line in encoded:
            if kept + len(line) > written:
                break
            kept += len(line)
            count += 1
        self._size -= written - kept
        os.ftruncate(file, self._size)
        return count

    def turn(self) -> None:
        """Go on in a new file: whoever sees it knows that the ones before are finished."""
        if self._folder is None or not self._size:
            return
        # Another process may have drained them.
        self.full = [path for path in self.full if path.exists()] + [self._path(self._folder)]
        self.close()
        self._number += 1
        with suppress(OSError):
            self._open(self._folder)

    def rotate(self) -> list[Line]:
        """Go on in a new file; the lines of all full ones, to be shipped."""
        if self._folder is None:
            return self._memory
        self.turn()
        return [line for path in self.full for line in read_lines(path)]

    def shipped(self, count: int, files: Sequence[Path]) -> None:
        """The database has them: forget ``count`` lines in memory, or these files."""
        if self._folder is None:
            del self._memory[:count]
        for path in files:
            path.unlink(missing_ok=True)
        self.full = [path for path in self.full if path not in files]

    def end(self) -> None:
        """Close the file that is appended to, and remove it if nothing is in it."""
        empty = self._file is not None and not self._size
        self.close()
        if empty and self._folder is not None:
            self._path(self._folder).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file that is appended to."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            self._size = 0

    def _path(self, folder: Path) -> Path:
        return folder / f"spool-{self._chain}.{self._number}.jsonl"

    def _open(self, folder: Path) -> int:
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self._path(folder), flags, 0o600)
        return self._file


def spool_files(folder: Path) -> dict[str, list[Path]]:
    """Every chain's files in the order they were written."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match:
            found.setdefault(match[1], []).append((int(match[2]), path))
    return {chain: [path for _, path in sorted(numbered)] for chain, numbered in found.items()}


def read_lines(path: Path) -> Iterator[Line]:
    """The whole lines of a file that may be appended to, or removed, at the same time.

    A line that cannot be read is passed over here: its number is missing then, and verification says so.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    for text in data.split(b"\n")[:-1]:
        line = _parse(text)
        if line is not None:
            yield line


def _parse(text: bytes) -> Line | None:
    try:
        seq, digest, event, decision = _DECODER.decode(text)
        return Line(seq, bytes.fromhex(digest), bytes(event), bytes(decision))
    except (msgspec.DecodeError, ValueError):
        return None
