"""Reads the trail: lookups, newest first, and the decision behind a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from garrison.audit import rows
from garrison.audit.adopt import gather
from garrison.audit.recorder import Recorder
from garrison.core.ports import Value
from garrison.store import Store

_COLUMNS = "e.event_time, e.id, e.user_name, e.access_key_id, e.chain, e.seq, e.record, e.decision"
_EQUAL = {
    "event_id": "e.event_id",
    "event_name": "e.event_name",
    "event_source": "e.event_source",
    "user_name": "e.user_name",
    "access_key_id": "e.access_key_id",
    "region": "e.region",
    "request_id": "e.request_id",
    "error_code": "e.error_code",
}
_COMPARED = {"read_only": "e.read_only = ?", "start": "e.event_time >= ?", "end": "e.event_time <= ?"}


_NAMED = (
    "(e.chain, e.seq) IN (SELECT r.chain, r.seq FROM audit_resource r"
    " WHERE r.account = ? AND (r.name = ? OR (r.name = ? AND r.arn = ?)))"
)
_TYPED = "EXISTS (SELECT 1 FROM audit_resource r WHERE r.chain = e.chain AND r.seq = e.seq AND r.account = ? AND r.type = ?)"
"""Newest first, event by event: most types have more events than a page."""


class Trail:
    """The trail of every chain in the store; what still waits in spools is brought in before each question."""

    def __init__(self, store: Store, data_dir: Path | None, recorder: Recorder | None = None) -> None:
        self._store = store
        self._data_dir = data_dir
        self._recorder = recorder

    def lookup(self, account: str, **criteria: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - ports.Events
        """Events of an account, newest first.

        Criteria, all optional and all of them met: ``event_id``, ``event_name``, ``event_source``, ``user_name``,
        ``access_key_id``, ``region``, ``request_id``, ``error_code``; ``read_only`` (bool); ``resource_name`` (a name or an ARN),
        ``resource_type``; ``start``, ``end`` (seconds since the epoch, both included); ``limit`` (50); ``after``: the
        ``position`` of the last event of the page before. Raises TypeError on a criterion that does not exist, StoreUnavailable.
        Each answer has ``event`` (the record), ``record`` (its exact JSON), ``decision``, ``resources`` [{type, name, arn}],
        ``user_name``, ``access_key_id``, ``chain``, ``seq`` and ``position`` (for ``after``).
        """
        self._bring_in()
        limit = int(criteria.pop("limit", 50))
        where, parameters = _where(account, criteria)
        # The conditions are this module's own words; values are parameters.
        sql = f"SELECT {_COLUMNS} FROM audit_event e WHERE {where} ORDER BY e.event_time DESC, e.id DESC LIMIT ?"  # noqa: S608 - fixed words
        return [self._entry(row) for row in self._store.reading().all(sql, *parameters, limit)]

    def find(self, request_id: str, account: str | None = None) -> dict[str, Any] | None:
        """The event of a request with its decision, as ``lookup`` answers it; None where there is none (in that account)."""
        self._bring_in()
        sql = f"SELECT {_COLUMNS} FROM audit_event e WHERE e.request_id = ?"  # noqa: S608 - this module's own columns
        if account is None:
            row = self._store.reading().one(sql + " ORDER BY e.id DESC LIMIT 1", request_id)
        else:
            row = self._store.reading().one(sql + " AND e.account = ? ORDER BY e.id DESC LIMIT 1", request_id, account)
        return self._entry(row) if row else None

    def following(self, number: int, limit: int) -> list[dict[str, Any]]:
        """Events of every account after the one with this number (the second part of its ``position``), oldest first."""
        self._bring_in()
        sql = f"SELECT {_COLUMNS} FROM audit_event e WHERE e.id > ? ORDER BY e.id LIMIT ?"  # noqa: S608 - this module's own columns
        return [self._entry(row) for row in self._store.reading().all(sql, number, limit)]

    def last(self) -> int:
        """The number of the newest event; 0 where there is none."""
        self._bring_in()
        row = self._store.reading().one("SELECT max(id) FROM audit_event")
        return int(row[0] or 0) if row else 0

    def _bring_in(self) -> None:
        if self._recorder is not None:
            self._recorder.ship()
        if self._data_dir is not None and not self._store.in_unit:
            gather(self._store, self._data_dir)

    def _entry(self, row: tuple[Any, ...]) -> dict[str, Any]:
        second, number, user_name, access_key_id, chain, seq, record, decision = row
        sql = "SELECT type, name, arn FROM audit_resource WHERE chain = ? AND seq = ? ORDER BY position"
        resources = self._store.reading().all(sql, chain, seq)
        return {
            "event": msgspec.json.decode(record),
            "record": record,
            "decision": msgspec.json.decode(decision),
            "resources": [{"type": kind, "name": name, "arn": arn} for kind, name, arn in resources],
            "user_name": user_name,
            "access_key_id": access_key_id,
            "chain": chain,
            "seq": seq,
            "position": (second, number),
        }


def _where(account: str, criteria: dict[str, Any]) -> tuple[str, list[Value]]:
    parts = ["e.account = ?"]
    parameters: list[Value] = [account]
    for name, value in criteria.items():
        if value is None:
            continue
        condition, values = _condition(name, value, account)
        parts.append(condition)
        parameters += values
    return " AND ".join(parts), parameters


def _condition(name: str, value: Any, account: str) -> tuple[str, list[Value]]:  # noqa: ANN401 - a criterion's value
    if name in _EQUAL:
        return f"{_EQUAL[name]} = ?", [str(value)]
    if name in _COMPARED:
        return _COMPARED[name], [int(value)]
    if name == "after":
        second, number = value
        return "(e.event_time < ? OR (e.event_time = ? AND e.id < ?))", [int(second), int(second), int(number)]
    if name == "resource_name":
        # An ARN is found by the name in it: one index serves both.
        text = rows.indexed(str(value))
        return _NAMED, [account, text, rows.indexed(rows.resource_name(str(value))), text]
    if name == "resource_type":
        return _TYPED, [account, str(value)]
    msg = f"no such criterion: `{name}`"
    raise TypeError(msg)
