"""Events, resources, configuration items, heads and the register of chains as rows of the store."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from garrison.audit import event as events
from garrison.audit.chain import OPEN, Head, chain_mac, genesis, head_mac
from garrison.audit.event import Event
from garrison.audit.spool import Line
from garrison.core.arn import parse_arn
from garrison.core.context import ConfigurationItem
from garrison.core.ports import Sealer, Transaction, Value
from garrison.store import Unit

_EVENT_SQL = """
INSERT INTO audit_event (chain, seq, hash, event_time, event_id, request_id, event_source, event_name, account, region,
  user_name, access_key_id, read_only, error_code, record, decision)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_RESOURCE_SQL = """
INSERT INTO audit_resource (chain, seq, position, account, type, name, arn) VALUES (?, ?, ?, ?, ?, ?, ?)"""
_ITEM_SQL = """
INSERT INTO config_item (chain, seq, position, captured_at, account, region, resource_type, resource_id, resource_name, arn,
  deleted, tags, configuration, facts)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_ONCE = " ON CONFLICT DO NOTHING"
_HEAD_SQL = """
INSERT INTO audit_head (chain, seq, hash, state, mac) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, state = excluded.state, mac = excluded.mac"""

LOOKUP_COLUMNS = (
    "event_time, event_id, request_id, event_source, event_name, account, region, user_name, access_key_id, read_only, error_code"
)

_INDEXED = 2000
"""Bytes of an indexed text that are kept."""

Row = tuple[Value, ...]


class Written(NamedTuple):
    """An event of a write with what belongs to it, ready to become rows."""

    line: Line
    event: Event
    items: Sequence[ConfigurationItem]


class StoredHead(NamedTuple):
    """A head as the database has it."""

    head: Head
    state: int
    genuine: bool


def lookup_columns(event: Event) -> Row:
    """What lookups need of an event, in the order of ``LOOKUP_COLUMNS``."""
    identity = event.user_identity
    return (
        int(events.epoch_second(event.event_time)),
        event.event_id,
        event.request_id,
        event.event_source,
        indexed(event.event_name),
        event.account,
        event.region,
        indexed(events.user_name(identity)),
        identity.access_key_id,
        int(event.read_only),
        event.error_code,
    )


def resource_columns(event: Event) -> list[Row]:
    """(position, account, type, name, ARN) of each resource of an event."""
    return [
        (position, event.account, resource.type, indexed(resource_name(resource.arn)), indexed(resource.arn))
        for position, resource in enumerate(event.resources)
    ]


def indexed(text: str) -> str:
    """Text that a caller chose, as an index of either engine can hold it; the record beside it has it whole.

    PostgreSQL's text knows no NUL, and an entry of its indexes has at most 2,704 bytes: one event that cannot be stored would
    hold up all that follow it in a spool.
    """
    if len(text) > _INDEXED // 4 or "\0" in text:
        text = text.replace("\0", "\ufffd")
        text = text.encode("utf-8", "replace")[:_INDEXED].decode("utf-8", "ignore")
    return text


def insert_written(tx: Unit, chain: str, written: Sequence[Written]) -> None:
    """The events of a group's writes and the configuration items that they made."""
    tx.many(_EVENT_SQL, (_event_row(chain, one.line, one.event) for one in written))
    resources = [(chain, one.line.seq, *row) for one in written if one.event.resources for row in resource_columns(one.event)]
    if resources:
        tx.many(_RESOURCE_SQL, resources)
    items = [row for one in written if one.items for row in _item_rows(chain, one)]
    if items:
        tx.many(_ITEM_SQL, items)


def insert_lines(tx: Unit, chain: str, lines: Iterable[Line]) -> int:
    """Events from a spool, each once however often it is tried; how many could be read."""
    count = 0
    rows: list[Row] = []
    resources: list[Row] = []
    for line in lines:
        try:
            event = events.decode(line.event)
            rows.append(_event_row(chain, line, event))
        except (msgspec.DecodeError, ValueError):
            # Not what this program wrote: its number is missing from the chain, and verification names it.
            continue
        resources += [(chain, line.seq, *row) for row in resource_columns(event)]
        count += 1
    if rows:
        tx.many(_EVENT_SQL + _ONCE, rows)
    if resources:
        tx.many(_RESOURCE_SQL + _ONCE, resources)
    return count


def store_head(tx: Transaction, sealer: Sealer, chain: str, head: Head, state: int) -> None:
    """Tell the database how far a chain reached."""
    tx.run(_HEAD_SQL, chain, head.seq, head.hash, state, head_mac(sealer, chain, head, state))


def stored_head(tx: Transaction, sealer: Sealer, chain: str) -> StoredHead | None:
    """How far the database was told that a chain reached."""
    row = tx.one("SELECT seq, hash, state, mac FROM audit_head WHERE chain = ?", chain)
    if row is None:
        return None
    seq, digest, state, mac = row
    head = Head(seq, bytes(digest))
    return StoredHead(head, state, hmac.compare_digest(bytes(mac), head_mac(sealer, chain, head, state)))


def register(tx: Transaction, sealer: Sealer, chain: str, now: float) -> tuple[int, bytes]:
    """Enter a new chain in the register; its number and MAC."""
    row = tx.one("SELECT number, mac FROM audit_chain ORDER BY number DESC LIMIT 1")
    number, previous = (row[0] + 1, bytes(row[1])) if row else (1, b"")
    mac = chain_mac(sealer, number, chain, previous)
    tx.run("INSERT INTO audit_chain (number, chain, started_at, mac) VALUES (?, ?, ?, ?)", number, chain, now, mac)
    store_head(tx, sealer, chain, Head(0, genesis(chain)), OPEN)
    return number, mac


def last_event(tx: Transaction, chain: str) -> Head:
    """The newest event of a chain in the database."""
    row = tx.one("SELECT seq, hash FROM audit_event WHERE chain = ? ORDER BY seq DESC LIMIT 1", chain)
    return Head(row[0], bytes(row[1])) if row else Head(0, genesis(chain))


def _event_row(chain: str, line: Line, event: Event) -> Row:
    return (chain, line.seq, line.hash, *lookup_columns(event), line.event.decode(), line.decision.decode())


def _item_rows(chain: str, written: Written) -> list[Row]:
    second = int(events.epoch_second(written.event.event_time))
    return [_item_row(chain, written.line.seq, position, second, item) for position, item in enumerate(written.items)]


def _item_row(chain: str, seq: int, position: int, second: int, item: ConfigurationItem) -> Row:
    return (
        chain,
        seq,
        position,
        second,
        item.account,
        item.region,
        item.type,
        item.id,
        item.name,
        item.arn,
        int(item.deleted),
        events.encode_plain(item.tags),
        events.encode_plain(item.configuration),
        events.encode_plain(item.facts),
    )


def resource_name(arn: str) -> str:
    """The name that a resource is looked up by: the one in its ARN; what is no ARN is its own name."""
    try:
        return parse_arn(arn).resource_name
    except ValueError:
        return arn
