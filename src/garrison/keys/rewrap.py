"""One root key in another's place, while everything runs.

1. The store keeps a record that both roots open: every process of every node learns of the new one, and could open what it seals.
2. Once all have, another record lets the new root seal, and it goes into custody. No process meets a blob that it cannot open.
3. Every sealed column is sealed anew, in batches, until a pass finds nothing left.
4. The record that the new root alone opens takes the place of the others: from here on the old root opens nothing.

Killed at any point, either root opens everything that it is still asked for, and :func:`rewrap` goes on where it was.
What nobody keeps a row of (session tokens, import tokens, grant tokens) opens for :data:`GRACE` more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from garrison.core.ids import Random, system_random
from garrison.keys.keyring import ANNOUNCED, ENDED, Keyring
from garrison.keys.ring import ROOT_BYTES
from garrison.store import Store

GRACE = 37 * 3600.0
"""Seconds: the longest session lasts 36 hours (STS API Reference, GetFederationToken)."""
SETTLING = 5.0
"""Seconds for calls that were under way, and for every process to hear of the new root, which each does once a second."""
_BATCH = 200


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of sealed blobs."""

    table: str
    key: tuple[str, ...]
    """The primary key's columns."""
    column: str
    purpose: str
    associated: tuple[str, ...]
    """The columns, or expressions, whose texts, joined by slashes, are bound to the blob."""


_PROVIDER = (
    "(SELECT p.uuid FROM iam_saml_provider p"
    " WHERE p.account = iam_saml_private_key.account AND p.name = iam_saml_private_key.provider)"
)
COLUMNS = (
    Sealed("iam_access_key", ("access_key_id",), "secret", "access-key", ("access_key_id",)),
    Sealed("iam_login_profile", ("account", "owner_id"), "hash", "password", ("account", "owner_id")),
    Sealed("iam_login_profile", ("account", "owner_id"), "history", "password", ("account", "owner_id")),
    Sealed("iam_mfa_device", ("account", "serial"), "seed", "mfa-seed", ("account", "serial")),
    Sealed("identity_token_seed", ("serial",), "seed", "token-seed", ("serial",)),
    Sealed(
        "iam_server_certificate",
        ("account", "certificate_id"),
        "private_key",
        "server-certificate",
        ("account", "certificate_id"),
    ),
    Sealed("iam_service_credential", ("account", "credential_id"), "proof", "service-credential", ("account", "credential_id")),
    Sealed("kms_material", ("region", "material_id"), "sealed", "kms-material", ("region", "key_id", "material_id")),
    Sealed("kms_key_store", ("region", "store_id"), "sealed", "kms-key-store", ("region", "store_id")),
    Sealed("iam_outbound_key", ("account", "key_id"), "sealed", "web-token-key", ("account", "key_id")),
    Sealed("iam_saml_private_key", ("account", "provider", "key_id"), "sealed", "saml-private-key", ("account", _PROVIDER)),
    Sealed("signin_session", ("session_id",), "stands_for", "signin-grant", ("session_id",)),
    Sealed("iam_delegation_topic", ("topic_arn",), "secret", "delegation-topic", ("topic_arn",)),
    Sealed("iam_delegation_notice", ("position",), "body", "delegation-notice", ("topic_arn || ' ' || CAST(position AS TEXT)",)),
    Sealed("waf_token_key", ("key_id",), "sealed", "waf-token-key", ("key_id",)),
    Sealed("kms_xks_credential", ("access_key_id",), "sealed", "kms-xks-credential", ("access_key_id",)),
)
"""Every sealed column there is; a test holds it against the schema."""


def unfinished(store: Store, keyring: Keyring) -> bool:
    """Whether a rewrap began and did not end."""
    return _stage(store, keyring) != ENDED


def _stage(store: Store, keyring: Keyring) -> str:
    record = store.root_record()
    return ENDED if record is None else keyring.stage_of(record)


def rewrap(
    store: Store,
    keyring: Keyring,
    keep: Callable[[bytes], None],
    *,
    now: Callable[[], float] = time.time,
    settle: Callable[[float], None] = time.sleep,
    random: Random = system_random,
) -> int:
    """Put a new root in the present one's place, or finish doing so; how many blobs were sealed anew.

    ``keep`` puts a root into custody, for good, before it returns. Raises StoreUnavailable, RootKeyError, what ``keep`` raises.
    """
    if _stage(store, keyring) == ENDED:
        store.turn_root(keyring.announce(random(ROOT_BYTES)))
    if _stage(store, keyring) == ANNOUNCED:
        settle(SETTLING)
        store.turn_root(keyring.begin_turn())
    keyring.entrust(keep)
    total = 0
    while True:
        settle(SETTLING)
        count = sweep(store, keyring)
        total += count
        if not count:
            break
    store.turn_root(keyring.end_turn(now() + GRACE), prove=True)
    return total


def sweep(store: Store, keyring: Keyring) -> int:
    """Seal anew whatever an older root sealed; how many. Commits batch by batch."""
    return sum(_sweep(store, keyring, column) for column in COLUMNS)


def _sweep(store: Store, keyring: Keyring, sealed: Sealed) -> int:
    count = 0
    after: Sequence[str] | None = None
    while True:
        rows = _page(store, sealed, after)
        if not rows:
            return count
        count += _anew(store, keyring, sealed, rows)
        after = rows[-1][: len(sealed.key)]


def _page(store: Store, sealed: Sealed, after: Sequence[str] | None) -> list[tuple[Any, ...]]:
    """Key, associated texts and blob of the next rows."""
    keys = ", ".join(sealed.key)
    where = f"WHERE ({keys}) > ({', '.join('?' * len(sealed.key))})" if after is not None else ""
    chosen = f"{keys}, {', '.join(sealed.associated)}, {sealed.column}"
    sql = f"SELECT {chosen} FROM {sealed.table} {where} ORDER BY {keys} LIMIT {_BATCH}"  # noqa: S608 - constants
    return store.reading().all(sql, *(after or ()))


def _anew(store: Store, keyring: Keyring, sealed: Sealed, rows: Sequence[tuple[Any, ...]]) -> int:
    """A blob that somebody else changed meanwhile is left alone: it was sealed with the new root."""
    stale = [row for row in rows if row[-1] and not keyring.sealed_now(sealed.purpose, row[-1], _associated(sealed, row))]
    if not stale:
        return 0
    where = " AND ".join(f"{name} = ?" for name in (*sealed.key, sealed.column))
    sql = f"UPDATE {sealed.table} SET {sealed.column} = ? WHERE {where}"  # noqa: S608 - constants
    with store.writing() as tx:
        for row in stale:
            associated = _associated(sealed, row)
            fresh = keyring.seal(sealed.purpose, keyring.unseal(sealed.purpose, row[-1], associated), associated)
            tx.run(sql, fresh, *row[: len(sealed.key)], row[-1])
    store.commit()
    return len(stale)


def _associated(sealed: Sealed, row: tuple[Any, ...]) -> bytes:
    return "/".join(row[len(sealed.key) : -1]).encode()
