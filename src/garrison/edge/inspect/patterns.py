"""Many patterns over one value at once: Vectorscan databases, linear in the value whatever the patterns.

AWS WAF takes the constructs of PCRE that an automaton can run, which are those that Vectorscan compiles: no back-references,
no look-around, no recursion, no atomic groups. So Vectorscan is the exact engine here, not only a prefilter.

Where a lane has several values (all headers, all arguments) they are scanned in one go, joined by newlines in a database whose
anchors also hold at line breaks; every match of a single value is a match there, and what matches there is scanned value by
value with the exact database. So joining saves time and never loses or invents a match.

Vectorscan 5.4.12 itself loses matches near the end of a value; no scan is done with an engine that fails :func:`self_test`.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from typing import Final, NamedTuple, Protocol

import hyperscan as hs

from garrison.edge.inspect.errors import EngineFault, InvalidParameter

FLAGS: Final = hs.HS_FLAG_SINGLEMATCH | hs.HS_FLAG_ALLOWEMPTY
REGEX_LENGTH: Final = 512
FIRST: Final = 64
"""Matches that are looked at to tell where a pattern matched."""
_WHOLE_BUFFER = re.compile(rb"\\[AzZG]|\(\?[a-zA-Z^]*-[a-zA-Z]*m")
"""What means the ends of the buffer even with multi-line anchors, or turns these off: not for joined values."""


class PatternCache(Protocol):
    """Keeps compiled databases: compiling many expressions takes seconds, loading them milliseconds.

    Whoever may write to it decides what matches: it belongs to the engine's own user alone.
    """

    def get(self, digest: str) -> bytes | None:
        """What was put under the digest, None for nothing."""
        ...

    def put(self, digest: str, database: bytes) -> None:
        """Keep ``database``."""
        ...


class Pattern(NamedTuple):
    """One expression in Vectorscan's syntax, over bytes."""

    expression: bytes
    flags: int = 0


def literal(text: bytes) -> Pattern:
    """A pattern of exactly these bytes."""
    return Pattern(b"".join(b"\\x%02x" % byte for byte in text))


def word(text: bytes) -> Pattern:
    """A pattern of these bytes with no letter, digit or underscore beside them (``CONTAINS_WORD``)."""
    return Pattern(b"\\b" + literal(text).expression + b"\\b")


def check_regex(regex: str, field: str) -> Pattern:
    """The pattern of a customer's regular expression.

    Raises InvalidParameter for one that AWS WAF does not take: longer than 512 characters, or with a construct that no
    automaton runs.
    """
    if not 1 <= len(regex) <= REGEX_LENGTH:
        raise InvalidParameter(field, regex[:64], f"The regular expression must have 1 to {REGEX_LENGTH} characters.")
    if regex.startswith("(*"):
        raise InvalidParameter(field, regex[:64], "Control verbs are not supported in a regular expression.")
    try:
        pattern = Pattern(regex.encode())
    except UnicodeEncodeError:
        raise InvalidParameter(field, "RegexString", "The regular expression is not valid Unicode.") from None
    refused = _refused(pattern)
    if refused is not None:
        raise InvalidParameter(field, regex[:64], f"The regular expression is not valid or supported: {refused}")
    return pattern


@lru_cache(maxsize=4096)
def _refused(pattern: Pattern) -> str | None:
    """Why the engine does not take the pattern. Remembered: the expressions of a web ACL stay when one of its rules changes."""
    try:
        _compiled([pattern], 0)
    except hs.HyperscanError as error:
        return str(error)
    return None


_MUST_MATCH: Final = (
    *((b"[ab]$", b"2" * length + b"a\n") for length in range(80)),
    *((rb"(?:a|bc)$", b"2" * length + b"xa\n") for length in range(80)),
    *((rb"(?:x.|/[a-f0-9]){1,20}", b"ab" * length + b"b/a") for length in range(40)),
)
"""What Vectorscan 5.4.12 loses at some lengths, near the end of a value."""


@lru_cache(maxsize=1)
def self_test() -> None:
    """Raises EngineFault where the installed Vectorscan loses matches that one is known to have lost. Costs 2 ms, once."""
    for expression, values in _by_expression(_MUST_MATCH).items():
        database = hs.Database(mode=hs.HS_MODE_BLOCK)
        database.compile(expressions=[expression], ids=[0], flags=[FLAGS])
        if not all(_hit(database, value) for value in values):
            used = f"hyperscan {version('hyperscan')} loses matches"
            raise EngineFault(f"{used}: use a release with Vectorscan 5.4.11, such as 0.7.21 (for Python 3.11 to 3.13)")


def _hit(database: hs.Database, value: bytes) -> bool:
    found: list[int] = []

    def matched(index: int, _start: int, _end: int, _flags: int, _context: object) -> None:
        found.append(index)

    database.scan(value, match_event_handler=matched)
    return bool(found)


def _by_expression(pairs: Sequence[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for expression, value in pairs:
        found.setdefault(expression, []).append(value)
    return found


def _compiled(patterns: Sequence[Pattern], extra: int) -> hs.Database:
    self_test()
    database = hs.Database(mode=hs.HS_MODE_BLOCK)
    database.compile(
        expressions=[each.expression for each in patterns],
        ids=list(range(len(patterns))),
        flags=[FLAGS | extra | each.flags for each in patterns],
    )
    return database


def digest(patterns: Sequence[Pattern], extra: int) -> str:
    """Names what a database is compiled from, the engine's version included."""
    state = hashlib.sha256(f"{version('hyperscan')}\n{FLAGS | extra}\n".encode())
    for each in patterns:
        state.update(b"%d:%d:" % (each.flags, len(each.expression)) + each.expression)
    return state.hexdigest()


class _Scratches:
    """Working memory of each thread for one database: two scans at a time must not share one."""

    __slots__ = ("_by_thread", "_database")

    def __init__(self, database: hs.Database) -> None:
        self._database = database
        self._by_thread: dict[int, hs.Scratch] = {}

    def mine(self) -> hs.Scratch:
        """This thread's."""
        thread = threading.get_ident()
        found = self._by_thread.get(thread)
        if found is None:
            found = self._by_thread[thread] = hs.Scratch(self._database)
        return found


class Matcher:
    """A compiled set of patterns. Safe to use from several threads."""

    __slots__ = ("_database", "_scratches")

    def __init__(self, patterns: Sequence[Pattern], cache: PatternCache | None, *, multiline: bool = False) -> None:
        self._database = _cached(patterns, hs.HS_FLAG_MULTILINE if multiline else 0, cache)
        self._scratches = _Scratches(self._database)

    def scan(self, value: bytes) -> list[int]:
        """The indexes of the patterns that match anywhere in ``value``, in no order, each once."""
        found: list[int] = []

        def matched(index: int, _start: int, _end: int, _flags: int, _context: object) -> None:
            found.append(index)

        self._database.scan(value, match_event_handler=matched, scratch=self._scratches.mine())
        return found


def _cached(patterns: Sequence[Pattern], extra: int, cache: PatternCache | None) -> hs.Database:
    if cache is None:
        return _compiled(patterns, extra)
    name = digest(patterns, extra)
    self_test()
    kept = cache.get(name)
    if kept is not None:
        with suppress(hs.HyperscanError):  # of another processor, or damaged: compile it again
            return hs.loadb(kept, hs.HS_MODE_BLOCK)
    database = _compiled(patterns, extra)
    cache.put(name, hs.dumpb(database))
    return database


def _joined(patterns: Sequence[Pattern], cache: PatternCache | None) -> Matcher | None:
    """The patterns over joined values; None where one does not compile with anchors at line breaks."""
    try:
        return Matcher(patterns, cache, multiline=True)
    except hs.HyperscanError:
        return None


EMPTY: frozenset[int] = frozenset()


class PatternSet:
    """The patterns of one field and chain of transformations.

    ``several`` says that the field may have several values; then anchors are prepared for joining.
    """

    __slots__ = ("_exact", "_joined", "_own")

    def __init__(self, patterns: Sequence[Pattern], cache: PatternCache | None, *, several: bool) -> None:
        self._exact = Matcher(patterns, cache)
        own = [index for index, each in enumerate(patterns) if several and _WHOLE_BUFFER.search(each.expression)]
        joinable = [each for index, each in enumerate(patterns) if index not in set(own)]
        self._joined = _joined(joinable, cache) if several and joinable else None
        self._own = bool(own)

    def matches(self, values: Sequence[bytes]) -> frozenset[int]:
        """The indexes of the patterns that match one of the values."""
        if len(values) == 1:
            return frozenset(self._exact.scan(values[0]))
        if not values or not self._may_match(values):
            return EMPTY
        return frozenset(index for value in dict.fromkeys(values) for index in self._exact.scan(value))

    def _may_match(self, values: Sequence[bytes]) -> bool:
        if self._own or self._joined is None:
            return True
        return bool(self._joined.scan(b"\n".join((b"", *values, b""))))


class _Finder:
    """One pattern, with where it matches."""

    __slots__ = ("_database", "_scratches")

    def __init__(self, pattern: Pattern) -> None:
        self_test()
        self._database = hs.Database(mode=hs.HS_MODE_BLOCK)
        self._database.compile(expressions=[pattern.expression], ids=[0], flags=[pattern.flags | hs.HS_FLAG_SOM_LEFTMOST])
        self._scratches = _Scratches(self._database)

    def find(self, value: bytes) -> tuple[int, int] | None:
        """Of the first matches the leftmost, and the longest of these."""
        found: list[tuple[int, int]] = []

        def matched(_index: int, start: int, end: int, _flags: int, _context: object) -> bool:
            found.append((start, end))
            return len(found) >= FIRST

        with suppress(hs.ScanTerminated):
            self._database.scan(value, match_event_handler=matched, scratch=self._scratches.mine())
        return min(found, key=lambda each: (each[0], -each[1]), default=None)


@lru_cache(maxsize=1024)
def _finder(pattern: Pattern) -> _Finder | None:
    try:
        return _Finder(pattern)
    except hs.HyperscanError:
        return None


def span(pattern: Pattern, value: bytes) -> tuple[int, int] | None:
    """Where the pattern matches, for the log. None where it does not, may match nothing at all, or is too large to say."""
    finder = _finder(pattern)
    return None if finder is None else finder.find(value)
