"""The proof that destroyed material is gone: that nothing here opens what was encrypted under it.

Material is kept sealed, so a copy that survives is a sealed blob. Every byte of every file is taken for the beginning of one, as
it is in a database page or log, in base64 as exports have it, and in hex, and is tried with the root key. What the seal is bound
to, and how long it was, is remembered of each material that was destroyed. So a copy is found wherever it lies, with its row or
without.
"""

from __future__ import annotations

import mmap
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from garrison.core.clock import iso8601
from garrison.core.ports import Sealer, Transaction
from garrison.keys.kms.ciphertext import Unreadable, material_id_of
from garrison.keys.kms.live import PURPOSE

Verdict = Literal["shredded", "readable", "unknown"]
_KEY_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}")
_VERSION = b"\x01"
_SMALLEST = 30
"""Bytes of a sealed blob with one byte in it."""


class Gone(NamedTuple):
    """One material that was destroyed."""

    region: str
    material_id: str
    key_id: str
    account: str
    sealed_bytes: int
    destroyed_at: float

    @property
    def bound_to(self) -> bytes:
        """What its seal is bound to."""
        return f"{self.region}/{self.key_id}/{self.material_id}".encode()


class Kept(NamedTuple):
    """One material that is still in the database."""

    region: str
    material_id: str
    key_id: str


class Copy(NamedTuple):
    """A surviving copy."""

    path: Path
    offset: int
    form: str
    """``bytes``, ``base64`` or ``hex``."""
    material_id: str


@dataclass(slots=True)
class Report:
    """What was asked, what was looked for and where, and what was found."""

    subject: str
    gone: list[Gone] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    files: list[tuple[Path, int]] = field(default_factory=list)
    """Files that were searched, and their bytes."""
    unsearched: list[str] = field(default_factory=list)
    """What could not be looked into, and why."""

    @property
    def verdict(self) -> Verdict:
        """``shredded`` only where material is known, none of it is kept, no copy was found, and all was looked into."""
        if self.kept or self.copies:
            return "readable"
        return "shredded" if self.gone and not self.unsearched else "unknown"

    def as_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "subject": self.subject,
            "verdict": self.verdict,
            "destroyed": [
                {
                    "region": one.region,
                    "account": one.account,
                    "keyId": one.key_id,
                    "keyMaterialId": one.material_id,
                    "destroyedAt": iso8601(one.destroyed_at),
                }
                for one in self.gone
            ],
            "kept": [{"region": one.region, "keyId": one.key_id, "keyMaterialId": one.material_id} for one in self.kept],
            "copies": [
                {"file": str(one.path), "offset": one.offset, "form": one.form, "keyMaterialId": one.material_id}
                for one in self.copies
            ],
            "searched": [{"file": str(path), "bytes": size} for path, size in self.files],
            "notSearched": list(self.unsearched),
        }

    def as_text(self) -> str:
        """Lines for a person."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.verdict}: {self.subject}"
        for gone in self.gone:
            yield f"  destroyed {iso8601(gone.destroyed_at)}: material {gone.material_id} of {gone.key_id} in {gone.region}"
        for kept in self.kept:
            yield f"  still here: material {kept.material_id} of {kept.key_id} in {kept.region}"
        for copy in self.copies:
            yield f"  a copy of {copy.material_id} survives in {copy.path} at byte {copy.offset} ({copy.form})"
        for reason in self.unsearched:
            yield f"  not searched: {reason}"
        if not self.gone and not self.kept:
            yield "  nothing is known of its material: no key of this installation, or destroyed before that was recorded"
        yield f"  searched {len(self.files)} files, {sum(size for _, size in self.files)} bytes"
        yield "  not covered: copies outside these files, freed blocks of the disk, and material whose owner imported it"


def materials_of(tx: Transaction, subject: str, blob: bytes | None) -> Report:
    """What is known of the material of a key (id or ARN), or of the one that a ciphertext names; nothing is searched yet."""
    report = Report(subject)
    if blob is not None:
        try:
            column, value = "material_id", material_id_of(blob)
        except Unreadable:
            return report
    else:
        column, value = "key_id", subject.rpartition("/")[2]
    report.gone = [
        Gone(*row)
        for row in tx.all(
            f"SELECT region, material_id, key_id, account, sealed_bytes, destroyed_at FROM kms_destroyed WHERE {column} = ?"  # noqa: S608 - one of two names
            " ORDER BY destroyed_at",
            value,
        )
    ]
    report.kept = [
        Kept(*row)
        for row in tx.all(
            f"SELECT region, material_id, key_id FROM kms_material WHERE {column} = ? AND present = 1 ORDER BY region",  # noqa: S608 - the same
            value,
        )
    ]
    return report


def is_key(text: str) -> bool:
    """Whether a text names a key rather than being a ciphertext."""
    return _KEY_ID.fullmatch(text.rpartition("/")[2]) is not None


def search(report: Report, sealer: Sealer, places: Sequence[Path]) -> None:
    """Look for copies in files and in all files of folders; what cannot be read is put down in the report."""
    for path in _files(places, report):
        try:
            size = path.stat().st_size
            report.files.append((path, size))
            if size >= _SMALLEST:
                report.copies += _in_file(path, sealer, report.gone)
        except OSError as error:
            report.unsearched.append(f"{path}: {error.strerror}")


def _files(places: Sequence[Path], report: Report) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from sorted(path for path in place.rglob("*") if path.is_file() and not path.is_symlink())
        elif place.is_file():
            yield place
        else:
            report.unsearched.append(f"{place}: not a file or folder")


def _in_file(path: Path, sealer: Sealer, gone: Sequence[Gone]) -> list[Copy]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return [
            Copy(path, offset, form, one.material_id)
            for offset, form, blob in _candidates(content, {one.sealed_bytes for one in gone})
            for one in gone
            if len(blob) == one.sealed_bytes and _opens(sealer, blob, one)
        ]


def _candidates(content: mmap.mmap, lengths: Iterable[int]) -> Iterator[tuple[int, str, bytes]]:
    """Everything of one of these lengths that could be a sealed blob."""
    for length in lengths:
        at = content.find(_VERSION)
        while at >= 0:
            if at + length <= len(content):
                yield at, "bytes", content[at : at + length]
            at = content.find(_VERSION, at + 1)
        yield from _encoded(content, length)


def _encoded(content: mmap.mmap, length: int) -> Iterator[tuple[int, str, bytes]]:
    # The first byte is 1: six bits of zero, then 01 and four bits of what follows.
    digits = -(-length * 4 // 3) - 2
    for found in re.finditer(rb"(?=(A[Q-Za-f][A-Za-z0-9+/]{%d}))" % digits, content):
        try:
            yield found.start(), "base64", b64decode(found[1] + b"=" * (-len(found[1]) % 4))[:length]
        except NotBase64:
            continue
    for found in re.finditer(rb"(?=(01[0-9a-fA-F]{%d}))" % (2 * length - 2), content):
        yield found.start(), "hex", bytes.fromhex(found[1].decode())


def _opens(sealer: Sealer, blob: bytes, one: Gone) -> bool:
    try:
        sealer.unseal(PURPOSE, blob, one.bound_to)
    except ValueError:
        return False
    return True
