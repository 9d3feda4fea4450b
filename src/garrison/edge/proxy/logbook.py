"""Where log records go, and which of them: a logging configuration at work.

Sources: AWS WAF API reference, LoggingConfiguration, LoggingFilter. A record is one line of JSON. Records wait in memory for at
most a second; several inspectors append whole lines to one file, which may be moved away beneath them.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from garrison.core.arn import parse_arn
from garrison.edge.destinations import destination
from garrison.edge.inspect import Verdict, WebRequest
from garrison.edge.privacy import Privacy, privacy
from garrison.edge.proxy.records import record

LOG = logging.getLogger("garrison.edge")
Document = Mapping[str, Any]
FULL: Final = 256 * 1024
"""Bytes that wait; more are written at once."""
LOST: Final = 16 * 1024 * 1024
"""Bytes that wait while nothing can be written; beyond them records are dropped, and counted."""
Write = Callable[[bytes], None]
"""Writes whole lines. Raises OSError where it cannot."""
_encode: Final = msgspec.json.Encoder().encode


def actions_of(verdict: Verdict) -> frozenset[str]:
    """What rules did with a request: the one that decided, and those that matched before it."""
    found = {str(verdict.action), *(str(each.action) for each in verdict.matches)}
    for group in verdict.groups:
        found |= {str(each.action) for each in group.non_terminating}
        found |= {str(group.terminating.action)} if group.terminating else set()
        found |= {"EXCLUDED_AS_COUNT"} if group.excluded else set()
    return frozenset(found)


def kept(filters: Document | None, verdict: Verdict) -> bool:
    """Whether a ``LoggingFilter`` keeps the record: the first filter whose conditions are met decides, else the default."""
    if not filters:
        return True
    actions, labels = actions_of(verdict), frozenset(verdict.labels)
    for each in filters["Filters"]:
        met = [_met(one, actions, labels) for one in each["Conditions"]]
        if all(met) if each["Requirement"] == "MEETS_ALL" else any(met):
            return bool(each["Behavior"] == "KEEP")
    return bool(filters["DefaultBehavior"] == "KEEP")


def _met(condition: Document, actions: frozenset[str], labels: frozenset[str]) -> bool:
    if "ActionCondition" in condition:
        return condition["ActionCondition"]["Action"] in actions
    if "LabelNameCondition" in condition:
        return condition["LabelNameCondition"]["LabelName"] in labels
    return False


class LineFile:
    """A file that lines are appended to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __call__(self, lines: bytes) -> None:
        """As of ``Write``. A file that was moved away is left alone, and begun anew under its name."""
        if self._descriptor is not None and self._moved(self._descriptor):
            os.close(self._descriptor)
            self._descriptor = None
        if self._descriptor is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        _write_all(self._descriptor, lines)

    def _moved(self, descriptor: int) -> bool:
        try:
            return os.fstat(descriptor).st_ino != self._path.stat().st_ino
        except OSError:
            return True


def _write_all(descriptor: int, lines: bytes) -> None:
    view = memoryview(lines)
    while view:
        view = view[os.write(descriptor, view) :]


def to_stdout(lines: bytes) -> None:
    """As of ``Write``."""
    _write_all(sys.stdout.fileno(), lines)


def writer_of(arn: str, folder: Path) -> Write | None:
    """Who writes to a destination of a logging configuration; None where nothing here can."""
    found = destination(arn)
    if found.kind == "stdout":
        return to_stdout
    return LineFile(folder / found.account / found.region / f"{found.name}.jsonl") if found.kind == "file" else None


@dataclass(slots=True)
class LogBook:
    """The records of one inspector. Used by one thread."""

    write: Write
    source: str
    """ARN of what is protected."""
    acl: str
    masks: Privacy = field(default_factory=Privacy)
    filters: Document | None = None
    lost: int = 0
    """Records that were dropped because they could not be written."""
    _waiting: list[bytes] = field(default_factory=list)
    _bytes: int = 0
    _failing: bool = False

    def add(self, request: WebRequest, verdict: Verdict) -> None:
        """One inspection."""
        if not kept(self.filters, verdict):
            return
        if self._bytes >= LOST:
            self.lost += 1
            return
        line = _encode(record(request, verdict, self.source, self.acl, self.masks)) + b"\n"
        self._waiting.append(line)
        self._bytes += len(line)
        if self._bytes >= FULL and not self._failing:
            self.flush()

    def flush(self) -> None:
        """Write what waits. Never raises: what could not be written waits for the next time."""
        if not self._waiting:
            return
        try:
            self.write(b"".join(self._waiting))
        except OSError as error:
            if not self._failing:
                LOG.error("log records cannot be written: %s", error)  # noqa: TRY400 - whose text says it all
            self._failing = True
            return
        self._failing, self._waiting, self._bytes = False, [], 0


def log_book(write: Write, acl: Document, source: str, configuration: Document | None) -> LogBook:
    """The log book of a web ACL, with the masks and filters of a logging configuration."""
    asked = configuration or {}
    arn = str(acl["ARN"])
    masks = privacy(acl, asked.get("RedactedFields") or (), parse_arn(arn).account)
    return LogBook(write, source, arn, masks, asked.get("LoggingFilter"))
