"""The end of a key: scheduled, called off, and done by the background worker once it is due."""

from __future__ import annotations

from typing import Any

from garrison.api import kms as api
from garrison.audit import Recorder
from garrison.core.context import ConfigurationItem, Context
from garrison.core.ids import Random, system_random
from garrison.core.operation import operation
from garrison.core.ports import Transaction
from garrison.keys.kms import conditions, errors, items, materials, names, states
from garrison.keys.kms.lifecycle import caller, own_key
from garrison.keys.kms.live import LiveKeys, key_arn
from garrison.keys.kms.service_events import service_event
from garrison.store import Store

DAY = 86_400
SHORTEST, LONGEST = 7, 30
"""Days. Source: KMS API Reference, "ScheduleKeyDeletion", PendingWindowInDays."""


def _window(ctx: Context, req: api.ScheduleKeyDeletionRequest) -> dict[str, Any]:
    key = names.own(ctx, req.key_id).found
    return {
        **conditions.caller(ctx),
        **conditions.unused(ctx, key, names.last_use(ctx, key)),
        "kms:ScheduleKeyDeletionPendingWindowInDays": req.pending_window_in_days or LONGEST,
    }


@operation("kms", resource=own_key, context=_window)
def schedule_key_deletion(ctx: Context, req: api.ScheduleKeyDeletionRequest) -> api.ScheduleKeyDeletionResponse:
    """Have a key deleted after a waiting period of 7 to 30 days, in which it cannot be used.

    Raises ValidationException on another period, NotFoundException, KMSInvalidStateException.
    """
    days = req.pending_window_in_days or LONGEST
    if not SHORTEST <= days <= LONGEST:
        raise errors.pending_window(days, SHORTEST, LONGEST)
    key = names.locked(ctx, req.key_id)
    states.check("ScheduleKeyDeletion", key)
    # A primary key outlives its replicas: its waiting period begins when the last of them is gone.
    waits = key.is_primary and len(key.life.regions) > 1
    ctx.tx.run(
        "UPDATE kms_key SET state = ?, deletion_at = ?, pending_window = ? WHERE region = ? AND key_id = ?",
        states.PENDING_REPLICA_DELETION if waits else states.PENDING_DELETION,
        None if waits else ctx.now + days * DAY,
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


def due_deletions(
    store: Store,
    recorder: Recorder,
    now: float,
    *,
    keys: LiveKeys | None = None,
    partition: str = "aws",
    random: Random = system_random,
) -> int:
    """Delete the keys whose waiting period is over, with their material, aliases and tags; how many.

    For the background worker. What was encrypted under these keys can never be read again: the sealed material is overwritten
    before its row goes, and SQLite overwrites what it deletes (``secure_delete``). Each deletion is committed with its event and
    the key's last configuration item; with ``keys``, also with those of its relatives in other Regions, which hear of it. Raises
    StoreUnavailable.
    """
    rows = store.reading().all(_DUE, states.PENDING_DELETION, now)
    for region, key_id in rows:
        with store.writing() as tx:
            item = _delete(tx, region, key_id, now, partition)
            if item is not None:
                event = service_event("DeleteKey", item, now, random, response={"keyId": item.arn})
                recorder.write(event, None, [item, *_relatives(tx, keys, item)])
        recorder.flush()
    return len(rows)


_DUE = "SELECT region, key_id FROM kms_key WHERE state = ? AND deletion_at <= ? ORDER BY deletion_at LIMIT 100"


def _delete(tx: Transaction, region: str, key_id: str, now: float, partition: str) -> ConfigurationItem | None:
    """The key's last item; None where its deletion was called off in the meantime."""
    row = tx.one("SELECT account, state, deletion_at FROM kms_key WHERE region = ? AND key_id = ?", region, key_id)
    if row is None or row[1] != states.PENDING_DELETION or row[2] > now:
        return None
    account = str(row[0])
    tags = dict(tx.all("SELECT tag_key, tag_value FROM kms_tag WHERE region = ? AND key_id = ?", region, key_id))
    aliases = tx.all("SELECT name FROM kms_alias WHERE region = ? AND key_id = ?", region, key_id)
    materials.record(tx, region, key_id, now)
    tx.run("UPDATE kms_material SET sealed = ? WHERE region = ? AND key_id = ?", b"", region, key_id)
    for table in ("kms_material", "kms_grant", "kms_usage", "kms_alias", "kms_tag", "kms_store_key", "kms_key"):
        tx.run(f"DELETE FROM {table} WHERE region = ? AND key_id = ?", region, key_id)  # noqa: S608 - constant names
    tx.changed("kms-key", f"{region}/{key_id}")
    tx.changed("kms-grant", f"{region}/{key_id}")
    for (name,) in aliases:
        tx.changed("kms-alias", f"{account}/{region}/{name}")
    _release_primary(tx, account, key_id, now)
    arn = key_arn(region, account, key_id, partition)
    return ConfigurationItem(type="AWS::KMS::Key", id=key_id, arn=arn, account=account, region=region, tags=tags, deleted=True)


def _relatives(tx: Transaction, keys: LiveKeys | None, item: ConfigurationItem) -> list[ConfigurationItem]:
    if keys is None:
        return []
    rows = tx.all("SELECT region FROM kms_key WHERE key_id = ? AND account = ? ORDER BY region", item.id, item.account)
    return items.everywhere(tx, keys, (region for (region,) in rows), item.id)


def _release_primary(tx: Transaction, account: str, key_id: str, now: float) -> None:
    """What is left of a multi-Region key hears of it; a primary key that waited for its last replica waits its own time now."""
    rows = tx.all("SELECT region, state, pending_window FROM kms_key WHERE key_id = ? AND account = ?", key_id, account)
    for region, state, window in rows:
        if len(rows) == 1 and state == states.PENDING_REPLICA_DELETION:
            tx.run(
                "UPDATE kms_key SET state = ?, deletion_at = ? WHERE region = ? AND key_id = ?",
                states.PENDING_DELETION,
                now + window * DAY,
                region,
                key_id,
            )
        tx.changed("kms-key", f"{region}/{key_id}")
