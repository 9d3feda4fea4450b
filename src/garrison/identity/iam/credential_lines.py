"""The lines of a credential report: who has which credentials, how old they are and when they were used.

Source: IAM User Guide, "Generate credential reports for your AWS account", for columns and values; AWS's reports as published for
the spelling (``true``, ``N/A``, ``2024-01-31T12:00:00+00:00``).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from garrison.core.ports import Transaction
from garrison.identity.iam.rows import USER, UserRow, of_keys
from garrison.identity.passwords import DAY

_KEY = ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")
COLUMNS = (
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    *(f"access_key_1_{part}" for part in _KEY),
    *(f"access_key_2_{part}" for part in _KEY),
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
    "additional_credentials_info",
)
ROOT = "<root_account>"
NONE = "N/A"
_NO_KEY = ("false", *[NONE] * 4)
_NO_CERTIFICATE = ("false", NONE)


class _Held(NamedTuple):
    """What users hold, by their ids."""

    passwords: dict[str, float]
    """When it was last set."""
    devices: frozenset[str]
    keys: dict[str, list[tuple[Any, ...]]]
    certificates: dict[str, list[tuple[Any, ...]]]


def header() -> str:
    """The first line."""
    return _line(COLUMNS)


def root_line(tx: Transaction, account: str) -> str:
    """The root user's line."""
    held = _held(tx, account, [account])
    found = tx.one("SELECT created, root_password_last_used FROM iam_account WHERE account = ?", account)
    created, used = found or (None, None)
    fields = (ROOT, f"arn:aws:iam::{account}:root", _time(created), _flag(account in held.passwords))
    password = (_used(used, enabled=account in held.passwords), "not_supported", "not_supported")
    return _line((*fields, *password, *_rest(held, account)))


def user_lines(tx: Transaction, account: str, after: str, limit: int) -> Iterator[tuple[UserRow, str]]:
    """The lines of so many users, by unique id after this one; five reads, however many they are."""
    sql = f"SELECT {USER} FROM iam_user WHERE account = ? AND user_id > ? ORDER BY user_id LIMIT ?"  # noqa: S608 - constant columns
    rows = [UserRow(*row) for row in tx.all(sql, account, after, limit)]
    held = _held(tx, account, [row.id for row in rows])
    policy = tx.one("SELECT max_age FROM iam_password_policy WHERE account = ?", account)
    max_age = float(policy[0]) * DAY if policy else 0.0
    for row in rows:
        yield row, _line((row.name, row.arn, _time(row.created), *_password(row, held, max_age), *_rest(held, row.id)))


def _held(tx: Transaction, account: str, ids: Sequence[str]) -> _Held:
    def of(sql: str) -> list[tuple[Any, ...]]:
        return of_keys(tx, sql, account, ids)

    keys: dict[str, list[tuple[Any, ...]]] = {}
    for owner, *rest in of(
        "SELECT owner_id, status, created, last_used, last_used_region, last_used_service FROM iam_access_key"
        " WHERE account = ? AND owner_id IN ({keys}) ORDER BY access_key_id"
    ):
        keys.setdefault(owner, []).append(tuple(rest))
    certificates: dict[str, list[tuple[Any, ...]]] = {}
    for owner, *rest in of(
        "SELECT owner_id, status, uploaded FROM iam_signing_certificate"
        " WHERE account = ? AND owner_id IN ({keys}) ORDER BY certificate_id"
    ):
        certificates.setdefault(owner, []).append(tuple(rest))
    passwords = of("SELECT owner_id, changed FROM iam_login_profile WHERE account = ? AND owner_id IN ({keys})")
    devices = of("SELECT DISTINCT owner_id FROM iam_mfa_device WHERE account = ? AND owner_id IN ({keys})")
    return _Held(dict(passwords), frozenset(owner for (owner,) in devices), keys, certificates)


def _password(row: UserRow, held: _Held, max_age: float) -> tuple[str, str, str, str]:
    changed = held.passwords.get(row.id)
    if changed is None:
        return "false", NONE, NONE, NONE
    rotation = _time(changed + max_age) if max_age else NONE
    return "true", _used(row.password_last_used, enabled=True), _time(changed), rotation


def _rest(held: _Held, owner_id: str) -> Iterator[str]:
    """From ``mfa_active`` on: what users and the root user have alike."""
    yield _flag(owner_id in held.devices)
    keys = held.keys.get(owner_id, [])
    for number in range(2):
        yield from _key(keys[number]) if number < len(keys) else _NO_KEY
    certificates = held.certificates.get(owner_id, [])
    for number in range(2):
        yield from _certificate(certificates[number]) if number < len(certificates) else _NO_CERTIFICATE
    # Nobody has more than two of either: the quotas are below it.
    yield NONE


def _key(row: tuple[Any, ...]) -> tuple[str, ...]:
    status, created, used, region, service = row
    return _flag(status == "Active"), _time(created), _time(used), region or NONE, service or NONE


def _certificate(row: tuple[Any, ...]) -> tuple[str, str]:
    status, uploaded = row
    return _flag(status == "Active"), _time(uploaded)


def _used(at: float | None, *, enabled: bool) -> str:
    if at is not None:
        return _time(at)
    return "no_information" if enabled else NONE


def _time(at: float | None) -> str:
    return NONE if at is None else datetime.fromtimestamp(int(at), UTC).isoformat()


def _flag(value: bool) -> str:  # noqa: FBT001 - a value, not a switch
    return "true" if value else "false"


def _line(fields: Sequence[str]) -> str:
    """A row of CSV (RFC 4180) without its end: names may hold commas, paths quotation marks."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()
