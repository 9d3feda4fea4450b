"""JSON of files, with the lines that its parts begin on."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

_BLANK: Final = re.compile(r"[ \t\r\n]*")
LARGEST: Final = 512 * 1024 * 1024
"""Bytes of a file."""


class FileError(ValueError):
    """A file that cannot be taken. The message begins with file and line where there is one."""


def read_bytes(path: Path) -> bytes:
    """A file's content. Raises FileError."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error
    if len(raw) > LARGEST:
        raise FileError(f"{path}: the file has more than {LARGEST} bytes")
    return raw


def read_text(path: Path) -> str:
    """A file's text, which is UTF-8. Raises FileError."""
    raw = read_bytes(path)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise FileError(f"{path}:{line}: the file is not UTF-8") from error


def read_json(path: Path) -> Any:  # noqa: ANN401 - any JSON
    """A file's JSON. Raises FileError with the line where it is none."""
    return parse(read_text(path), path)


def parse(text: str, path: Path) -> Any:  # noqa: ANN401 - as above
    """JSON of a text. Raises FileError."""
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise FileError(f"{path}:{error.lineno}: this is no JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"`{twice}` stands twice in one object")
    return found


class Element(NamedTuple):
    """An element of an array, and the line that it begins on."""

    line: int
    value: Any


class _Walker:
    """Walks to an array inside objects, and over its elements, without building what it passes by."""

    def __init__(self, text: str, path: Path) -> None:
        self._text = text
        self._path = path
        self._decoder = json.JSONDecoder()
        self._lines = [found.end() for found in re.finditer("\n", text)]

    def line(self, at: int) -> int:
        return bisect_right(self._lines, at) + 1

    def fault(self, at: int, message: str) -> FileError:
        return FileError(f"{self._path}:{self.line(at)}: {message}")

    def _skip(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        return found.end() if found else at

    def _value(self, at: int) -> tuple[Any, int]:
        try:
            return self._decoder.raw_decode(self._text, at)
        except json.JSONDecodeError as error:
            raise self.fault(error.pos, f"this is no JSON: {error.msg}") from error
        except RecursionError as error:
            raise self.fault(at, "the JSON is too deep") from error

    def _expect(self, at: int, wanted: str) -> int:
        at = self._skip(at)
        if self._text[at : at + 1] != wanted:
            raise self.fault(at, f"this is no JSON: `{wanted}` is expected")
        return self._skip(at + 1)

    def member(self, at: int, name: str, where: str) -> int:
        """Where the value of a member of the object at ``at`` begins."""
        at = self._skip(at)
        if self._text[at : at + 1] != "{":
            raise self.fault(at, f"{where} must be an object with `{name}`")
        at = self._skip(at + 1)
        while self._text[at : at + 1] != "}":
            key, end = self._value(at)
            at = self._expect(end, ":")
            if key == name:
                return at
            _, end = self._value(at)
            at = self._skip(end)
            if self._text[at : at + 1] == ",":
                at = self._skip(at + 1)
        raise self.fault(at, f"{where} has no `{name}`")

    def elements(self, at: int, where: str) -> Iterator[Element]:
        """The elements of the array at ``at``."""
        at = self._skip(at)
        if self._text[at : at + 1] != "[":
            raise self.fault(at, f"{where} must be an array")
        at = self._skip(at + 1)
        while self._text[at : at + 1] != "]":
            value, end = self._value(at)
            yield Element(self.line(at), value)
            at = self._skip(end)
            if self._text[at : at + 1] == ",":
                at = self._skip(at + 1)
            elif self._text[at : at + 1] != "]":
                raise self.fault(at, "this is no JSON: `,` or `]` is expected")


def elements(text: str, path: Path, *names: str) -> Iterator[Element]:
    """The elements of the array under ``names``, one object in the other. Raises FileError."""
    walker = _Walker(text, path)
    at, where = 0, "the file"
    for name in names:
        at = walker.member(at, name, where)
        where = f"`{name}`"
    yield from walker.elements(at, where)
