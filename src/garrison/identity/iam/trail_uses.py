"""Who last tried which action, out of the audit trail.

The trail is gone through once, from where it was left; what is kept is the newest attempt of each identity at each action. All
attempts count, refused ones too, as AWS counts them (IAM API Reference, "GenerateServiceLastAccessedDetails").
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from garrison.core.ports import Transaction

AT_ONCE = 500
"""Events of one step: a record has 100 KiB at most."""
BEHIND = 2000
"""Events that are looked at again: on PostgreSQL a lower number may be committed after a higher one."""
_TRAIL = "trail"


class _Issuer(msgspec.Struct, rename="camel"):
    principal_id: str = ""


class _SessionContext(msgspec.Struct, rename="camel"):
    session_issuer: _Issuer | None = None


class _Identity(msgspec.Struct, rename="camel"):
    type: str = ""
    principal_id: str = ""
    account_id: str = ""
    session_context: _SessionContext | None = None


class _Record(msgspec.Struct, rename="camel"):
    user_identity: _Identity


class _Decision(msgspec.Struct):
    action: str = ""


class _Key(NamedTuple):
    account: str
    entity_id: str
    service: str
    action: str


class _Use(NamedTuple):
    at: float
    region: str


_RECORD = msgspec.json.Decoder(_Record)
_DECISION = msgspec.json.Decoder(_Decision | None)


def newest(tx: Transaction) -> int:
    """The number of the newest event."""
    row = tx.one("SELECT max(id) FROM audit_event")
    return int(row[0] or 0) if row else 0


def begin(tx: Transaction) -> None:
    """Step back a little before a new pass."""
    _move(tx, max(0, _position(tx) - BEHIND))


def follow(tx: Transaction, until: int) -> bool:
    """Take in so many events up to this number; whether there may be more."""
    position = _position(tx)
    if position >= until:
        return False
    rows = tx.all(
        "SELECT id, account, event_time, event_source, event_name, region, record, decision FROM audit_event"
        " WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
        position,
        until,
        AT_ONCE,
    )
    found: dict[_Key, _Use] = {}
    for _, account, at, source, name, region, record, decision in rows:
        entity = _entity(record)
        if entity:
            service, action = _action(decision, source, name)
            key, use = _Key(account, entity, service, action), _Use(float(at), region)
            found[key] = max(use, found.get(key, use))
    for key, use in found.items():
        _keep(tx, key, use)
    _move(tx, rows[-1][0] if len(rows) == AT_ONCE else until)
    return len(rows) == AT_ONCE


def _entity(record: str) -> str:
    """The unique id of the user or role behind a call; empty where there is none."""
    try:
        identity = _RECORD.decode(record).user_identity
    except msgspec.MsgspecError:
        return ""
    if identity.type == "Root":
        return identity.account_id
    if identity.type == "IAMUser":
        return identity.principal_id
    issuer = identity.session_context.session_issuer if identity.session_context is not None else None
    return issuer.principal_id if issuer is not None else ""


def _action(decision: str, source: str, name: str) -> tuple[str, str]:
    """What was decided on; the service's name and the operation's where nothing was."""
    try:
        found = _DECISION.decode(decision)
    except msgspec.MsgspecError:
        found = None
    if found is not None and ":" in found.action:
        service, _, action = found.action.partition(":")
        return service, action
    return source.partition(".")[0], name


def _keep(tx: Transaction, key: _Key, use: _Use) -> None:
    tx.run(
        "INSERT INTO iam_last_access (account, entity_id, service, action, at, region) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (account, entity_id, service, action) DO UPDATE SET at = excluded.at, region = excluded.region"
        " WHERE excluded.at >= iam_last_access.at",
        *key,
        *use,
    )


def _position(tx: Transaction) -> int:
    row = tx.one("SELECT position FROM iam_last_access_cursor WHERE name = ?", _TRAIL)
    return int(row[0]) if row else 0


def _move(tx: Transaction, position: int) -> None:
    tx.run(
        "INSERT INTO iam_last_access_cursor (name, position) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET position = excluded.position",
        _TRAIL,
        position,
    )
