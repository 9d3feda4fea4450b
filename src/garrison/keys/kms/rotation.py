"""Rotation of key material: by a period, and on demand. Old material decrypts for ever.

Sources: KMS API Reference, "EnableKeyRotation", "DisableKeyRotation", "GetKeyRotationStatus", "ListKeyRotations",
"RotateKeyOnDemand"; KMS Developer Guide, "Rotate AWS KMS keys", and "RotateKey" in "Logging AWS KMS API calls with AWS
CloudTrail".
"""

from __future__ import annotations

from typing import Any

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import Target, operation
from garrison.keys.kms import conditions, errors, items, materials, names, service_events, states
from garrison.keys.kms.ciphertext import ID_BYTES, MATERIAL_BYTES
from garrison.keys.kms.lifecycle import caller, own_key
from garrison.keys.kms.live import LiveKey
from garrison.keys.kms.pages import Pager

DAY = 86_400
DEFAULT_DAYS = 365
ON_DEMAND = 25
"""On-demand rotations of one key. Source: KMS API Reference, "RotateKeyOnDemand"."""


def must_rotate(key: LiveKey, *, imported: bool = False) -> None:
    """Raises UnsupportedOperationException for a key whose material cannot be rotated; ``imported``: by the owner's import."""
    if key.spec != conditions.SYMMETRIC:
        raise errors.spec_without_operation(key.arn, key.spec)
    if key.origin not in ({"AWS_KMS", "EXTERNAL"} if imported else {"AWS_KMS"}):
        raise errors.wrong_origin(key.arn, key.origin)


def must_be_primary(key: LiveKey) -> None:
    """Raises UnsupportedOperationException for a replica: shared properties are set on the primary key."""
    if key.multi_region and not key.is_primary:
        raise errors.not_primary(key.arn)


def related(key: LiveKey) -> tuple[str, ...]:
    """The Regions whose keys share this one's material."""
    return key.life.regions or (key.region,)


# EnableKeyRotation, DisableKeyRotation


def _period(ctx: Context, req: api.EnableKeyRotationRequest) -> dict[str, Any]:
    found = conditions.caller(ctx)
    if req.rotation_period_in_days is not None:
        found["kms:RotationPeriodInDays"] = req.rotation_period_in_days
    return found


@operation("kms", resource=own_key, context=_period)
def enable_key_rotation(ctx: Context, req: api.EnableKeyRotationRequest) -> None:
    """Have a key's material rotated every 90 to 2,560 days, 365 where none are given, from now on."""
    days = req.rotation_period_in_days or DEFAULT_DAYS
    key = _rotating(ctx, "EnableKeyRotation", req.key_id)
    if key.life.rotation_days != days:
        _set_rotation(ctx, key, days, ctx.now + days * DAY)


@operation("kms", resource=own_key, context=caller)
def disable_key_rotation(ctx: Context, req: api.DisableKeyRotationRequest) -> None:
    """Have it rotated no more."""
    _set_rotation(ctx, _rotating(ctx, "DisableKeyRotation", req.key_id), None, None)


def _rotating(ctx: Context, name: str, key_id: str) -> LiveKey:
    key = names.locked(ctx, key_id)
    must_rotate(key)
    states.check(name, key)
    must_be_primary(key)
    return key


def _set_rotation(ctx: Context, key: LiveKey, days: int | None, at: float | None) -> None:
    for region in related(key):
        ctx.tx.run(
            "UPDATE kms_key SET rotation_days = ?, rotation_at = ? WHERE region = ? AND key_id = ?", days, at, region, key.key_id
        )
        items.changed(ctx, region, key.key_id)


# GetKeyRotationStatus


def _named(ctx: Context, req: api.GetKeyRotationStatusRequest) -> names.Named:
    """The key, of this account or another; alias names are not taken."""
    return names.named(ctx, req.key_id, aliases=False)


def _target(ctx: Context, req: api.GetKeyRotationStatusRequest) -> Target:
    return _named(ctx, req).target


@operation("kms", resource=_target, context=caller, read=True)
def get_key_rotation_status(ctx: Context, req: api.GetKeyRotationStatusRequest) -> api.GetKeyRotationStatusResponse:
    """Tell whether a key's material is rotated automatically, and when next. No rotation on demand is ever under way.

    Asymmetric and HMAC keys have a status too, which is always false: Terraform asks for it of every key.
    """
    key = _named(ctx, req).key
    if key.spec != conditions.SYMMETRIC:
        return api.GetKeyRotationStatusResponse(key_id=key.arn, key_rotation_enabled=False)
    must_rotate(key)
    life = key.life
    if life.rotation_days is None or key.state in states.LEAVING:
        return api.GetKeyRotationStatusResponse(key_id=key.arn, key_rotation_enabled=False)
    return api.GetKeyRotationStatusResponse(
        key_id=key.arn,
        key_rotation_enabled=True,
        rotation_period_in_days=life.rotation_days,
        next_rotation_date=life.rotation_at,
    )


# RotateKeyOnDemand


@operation("kms", resource=own_key, context=caller)
def rotate_key_on_demand(ctx: Context, req: api.RotateKeyOnDemandRequest) -> api.RotateKeyOnDemandResponse:
    """Rotate a key's material now: with new material, or with what was imported for it. The schedule stays as it is."""
    key = names.locked(ctx, req.key_id)
    must_rotate(key, imported=True)
    states.check("RotateKeyOnDemand", key)
    must_be_primary(key)
    if key.life.rotations_on_demand >= ON_DEMAND:
        raise errors.too_many_rotations(key.arn)
    current = _take_imported(ctx, key) if key.origin == "EXTERNAL" else _take_fresh(ctx, key)
    for region in related(key):
        ctx.tx.run(
            "UPDATE kms_key SET rotations_on_demand = rotations_on_demand + 1 WHERE region = ? AND key_id = ?", region, key.key_id
        )
        items.changed(ctx, region, key.key_id)
    details = service_events.rotation("ON_DEMAND", key, current)
    ctx.events.append(service_events.service_event("RotateKey", items.item(key), ctx.now, ctx.random, details=details))
    return api.RotateKeyOnDemandResponse(key_id=key.arn)


def _take_fresh(ctx: Context, key: LiveKey) -> str:
    """The id of new material."""
    fresh = ctx.random(ID_BYTES).hex(), ctx.random(MATERIAL_BYTES)
    materials.rotate(ctx.tx, names.live_keys(ctx).seal, related(key), key.key_id, fresh, ctx.now, "ON_DEMAND")
    return fresh[0]


def _take_imported(ctx: Context, key: LiveKey) -> str:
    """The id of what waited. Raises KMSInvalidStateException where no imported material waits for it in every Region."""
    waiting = [row for row in materials.rows(ctx.tx, key.region, key.key_id) if row.state == materials.PENDING_ROTATION]
    if not waiting:
        raise errors.nothing_to_rotate_to(key.arn)
    for region in related(key):
        materials.make_current(ctx.tx, region, key.key_id, waiting[0].material_id, ctx.now, "ON_DEMAND")
    return waiting[0].material_id


# ListKeyRotations


@operation("kms", resource=own_key, context=caller, read=True)
def list_key_rotations(ctx: Context, req: api.ListKeyRotationsRequest) -> api.ListKeyRotationsResponse:
    """List the materials that rotations made; with ALL_KEY_MATERIAL also the first, and those that wait."""
    key = names.own(ctx, req.key_id).key
    must_rotate(key, imported=True)
    everything = req.include_key_material == "ALL_KEY_MATERIAL"
    pager = Pager(ctx, req, key.arn, everything, default=100, most=1000)
    found = [row for row in materials.rows(ctx.tx, key.region, key.key_id) if everything or row.rotated_at is not None]
    page = pager.cut([row for row in found if _place(row) > pager.after], _place)
    return api.ListKeyRotationsResponse(
        rotations=[_entry(key, row) for row in page.items], next_marker=page.marker, truncated=page.truncated
    )


def _place(row: materials.Row) -> str:
    return f"{row.number:010}"


def _entry(key: LiveKey, row: materials.Row) -> api.RotationsListEntry:
    entry = api.RotationsListEntry(
        key_id=key.arn,
        key_material_id=row.material_id,
        key_material_state=row.state,
        rotation_date=row.rotated_at,
        rotation_type=row.rotation_type or None,
    )
    if key.origin == "EXTERNAL":
        entry.key_material_description = row.description or None
        entry.import_state = "IMPORTED" if row.present else "PENDING_IMPORT"
        if row.present:
            entry.expiration_model = "KEY_MATERIAL_EXPIRES" if row.valid_to is not None else "KEY_MATERIAL_DOES_NOT_EXPIRE"
            entry.valid_to = row.valid_to
    return entry
