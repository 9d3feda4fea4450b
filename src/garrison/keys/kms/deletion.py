"""The end of a key: scheduled, called off, and done by the background worker once it is due."""

from __future__ import annotations

from typing import Any

from garrison.api import kms as api
from garrison.core.context import ConfigurationItem, Context
from garrison.core.operation import operation
from garrison.core.ports import Transaction
from garrison.keys.kms import conditions, errors, items, names, states
from garrison.keys.kms.lifecycle import caller, own_key
from garrison.keys.kms.live import LiveKeys

DAY = 86_400
SHORTEST, LONGEST = 7, 30
"""Days. Source: KMS API Reference, "ScheduleKeyDeletion", PendingWindowInDays."""


def _window(ctx: Context, req: api.ScheduleKeyDeletionRequest) -> dict[str, Any]:
    return {**conditions.caller(ctx), "kms:ScheduleKeyDeletionPendingWindowInDays": req.pending_window_in_days or LONGEST}


@operation("kms", resource=own_key, context=_window)
def schedule_key_deletion(ctx: Context, req: api.ScheduleKeyDeletionRequest) -> api.ScheduleKeyDeletionResponse:
    """Have a key deleted after a waiting period of 7 to 30 days, in which it cannot be used."""
    days = req.pending_window_in_days or LONGEST
    if not SHORTEST <= days <= LONGEST:
        raise errors.pending_window(days, SHORTEST, LONGEST)
    key = names.locked(ctx, req.key_id)
    states.must_not_be_pending_deletion(key)
    ctx.tx.run(
        "UPDATE kms_key SET state = ?, deletion_at = ?, pending_window = ? WHERE region = ? AND key_id = ?",
        states.PENDING_DELETION,
        ctx.now + days * DAY,
        days,
        key.region,
        key.key_id,
    )
    changed = items.changed(ctx, key.region, key.key_id)
    return api.ScheduleKeyDeletionResponse(
        key_id=changed.arn, deletion_date=changed.deletion_at, key_state=changed.state, pending_window_in_days=days
    )


@operation("kms", resource=own_key, context=caller)
def cancel_key_deletion(ctx: Context, req: api.CancelKeyDeletionRequest) -> api.CancelKeyDeletionResponse:
    """Keep a key after all. It is disabled then, until it is enabled."""
    key = names.locked(ctx, req.key_id)
    states.must_be_pending_deletion(key)
    ctx.tx.run(
        "UPDATE kms_key SET state = ?, deletion_at = NULL, pending_window = NULL WHERE region = ? AND key_id = ?",
        states.DISABLED,
        key.region,
        key.key_id,
    )
    return api.CancelKeyDeletionResponse(key_id=items.changed(ctx, key.region, key.key_id).arn)


def due_deletions(tx: Transaction, keys: LiveKeys, now: float, *, limit: int = 100) -> list[ConfigurationItem]:
    """Delete the keys whose waiting period is over, with their material, aliases and tags.

    For the background worker, inside a unit of work; answers each key's last configuration item, to be written with it. What was
    encrypted under these keys can never be read again: the sealed material is overwritten before its row goes, and SQLite
    overwrites what it deletes (``secure_delete``).
    """
    rows = tx.all(
        "SELECT region, key_id FROM kms_key WHERE state = ? AND deletion_at <= ? ORDER BY deletion_at LIMIT ?",
        states.PENDING_DELETION,
        now,
        limit,
    )
    return [_delete(tx, keys, region, key_id) for region, key_id in rows]


def _delete(tx: Transaction, keys: LiveKeys, region: str, key_id: str) -> ConfigurationItem:
    key = keys.reread(tx, region, key_id)
    if key is None:
        raise errors.no_such_key(key_id)
    tx.run("UPDATE kms_material SET sealed = ? WHERE region = ? AND key_id = ?", b"", region, key_id)
    for table in ("kms_material", "kms_alias", "kms_tag", "kms_key"):
        tx.run(f"DELETE FROM {table} WHERE region = ? AND key_id = ?", region, key_id)  # noqa: S608 - constant names
    tx.changed("kms-key", f"{region}/{key_id}")
    for alias in key.aliases:
        tx.changed("kms-alias", f"{key.account}/{region}/{alias}")
    return items.gone(key)
