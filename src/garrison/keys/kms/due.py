"""What falls due without a request: deletions, expiries, rotations. Done by one background process, and each once.

Whoever does it looks again while it holds the store's lock, so that two that meet do the work once.
"""

from __future__ import annotations

from garrison.audit import Recorder
from garrison.core.ids import Random, system_random
from garrison.core.ports import Transaction
from garrison.keys.kms import items, materials, states
from garrison.keys.kms.ciphertext import ID_BYTES, MATERIAL_BYTES
from garrison.keys.kms.deletion import due_deletions
from garrison.keys.kms.importing import due_expirations
from garrison.keys.kms.live import LiveKey, LiveKeys
from garrison.keys.kms.rotation import DAY, related
from garrison.keys.kms.service_events import rotation, service_event
from garrison.store import Store

_ROTATIONS = "SELECT region, key_id FROM kms_key WHERE rotation_at <= ? AND state = ? ORDER BY rotation_at LIMIT 100"


def due_work(store: Store, recorder: Recorder, keys: LiveKeys, now: float, *, random: Random = system_random) -> int:
    """Do all that is due; how much it was. Raises StoreUnavailable."""
    done = (
        due_deletions(store, recorder, now, keys=keys, random=random)
        + due_expirations(store, recorder, keys, now, random=random)
        + due_rotations(store, recorder, keys, now, random=random)
    )
    _settle(store, keys)
    return done


def _settle(store: Store, keys: LiveKeys) -> None:
    """Where material was destroyed, by whichever process, have the database's log let go of it; again until it has."""
    row = store.reading().one("SELECT MAX(destroyed_at) FROM kms_destroyed")
    newest = row[0] if row is not None and row[0] is not None else 0.0
    if newest > keys.settled_until and store.settle():
        keys.settled_until = newest


def due_rotations(store: Store, recorder: Recorder, keys: LiveKeys, now: float, *, random: Random = system_random) -> int:
    """Rotate the keys whose period is over; how many. A key that was disabled meanwhile is rotated once it is enabled."""
    rows = store.reading().all(_ROTATIONS, now, states.ENABLED)
    done = 0
    for region, key_id in rows:
        with store.writing() as tx:
            key = keys.reread(tx, region, key_id)
            if key is None or not _is_due(key, now):
                continue
            fresh = _rotate(tx, keys, key, now, random)
            done += 1
            after = keys.find(tx, region, key_id)
            if after is not None:
                changed = items.everywhere(tx, keys, related(key), key_id)
                details = rotation("AUTOMATIC", key, fresh)
                event = service_event("RotateKey", items.item(after), now, random, details=details)
                recorder.write(event, None, changed)
        recorder.flush()
    return done


def _is_due(key: LiveKey, now: float) -> bool:
    """Of a multi-Region key the primary is rotated, and its replicas with it."""
    at = key.life.rotation_at
    return key.state == states.ENABLED and at is not None and at <= now and (not key.multi_region or key.is_primary)


def _rotate(tx: Transaction, keys: LiveKeys, key: LiveKey, now: float, random: Random) -> str:
    """The id of the new material."""
    fresh = random(ID_BYTES).hex(), random(MATERIAL_BYTES)
    materials.rotate(tx, keys.seal, related(key), key.key_id, fresh, now, "AUTOMATIC")
    period = (key.life.rotation_days or 0) * DAY
    following = (key.life.rotation_at or now) + period
    for region in related(key):
        tx.run(
            "UPDATE kms_key SET rotation_at = ? WHERE region = ? AND key_id = ?",
            following if following > now else now + period,
            region,
            key.key_id,
        )
    return fresh[0]
