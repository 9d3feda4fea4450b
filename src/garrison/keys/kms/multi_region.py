"""Multi-Region keys: one key id and material in several Regions, each a key of its own for everything else.

All Regions of an installation share one store, so a replica is whole, and a new primary key in its place, when the call is
answered: the states Creating and Updating are never seen. Sources: KMS API Reference, "ReplicateKey", "UpdatePrimaryRegion"; KMS
Developer Guide, "Multi-Region keys in AWS KMS".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import Check, Target, operation
from garrison.keys.kms import conditions, errors, items, materials, names, policies, states
from garrison.keys.kms.lifecycle import own_key
from garrison.keys.kms.live import LiveKey, key_arn, key_conditions
from garrison.keys.kms.tags import checked_tags, put_tags

_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}")


# ReplicateKey


def _replicating(ctx: Context, req: api.ReplicateKeyRequest) -> dict[str, Any]:
    return {**conditions.caller(ctx), "kms:ReplicaRegion": req.replica_region}


def _creating(ctx: Context, req: api.ReplicateKeyRequest) -> Sequence[Check]:
    """In the replica's Region: kms:CreateKey, and kms:TagResource where it gets tags; by identity policies."""
    key = names.own(ctx, req.key_id).found
    keys = {
        **conditions.caller(ctx),
        **conditions.request_tags(req.tags),
        "kms:BypassPolicyLockoutSafetyCheck": bool(req.bypass_policy_lockout_safety_check),
    }
    if key is not None:
        keys |= key_conditions(key.spec, key.usage, key.origin, multi_region=True, primary=False)
    found = [Check("kms:CreateKey", Target(arn="*", account=ctx.account), keys)]
    if req.tags:
        target = Target(arn=key_arn(req.replica_region, ctx.account, "*", ctx.partition), account=ctx.account)
        found.append(Check("kms:TagResource", target, {**conditions.caller(ctx), **conditions.request_tags(req.tags)}))
    return found


@operation("kms", resource=own_key, context=_replicating, checks=_creating)
def replicate_key(ctx: Context, req: api.ReplicateKeyRequest) -> api.ReplicateKeyResponse:
    """Make a replica of a multi-Region primary key in another Region; with the same material, unless that was imported."""
    key = names.locked(ctx, req.key_id)
    _must_be_primary(key)
    states.check("ReplicateKey", key)
    region = _other_region(key, req.replica_region)
    if region in key.life.regions:
        raise errors.replica_exists(key_arn(region, ctx.account, key.key_id, ctx.partition))
    checked_tags(req.tags or [])
    text = req.policy or policies.default_policy(ctx.account, ctx.partition)
    target = Target(arn=key_arn(region, ctx.account, key.key_id, ctx.partition), account=ctx.account)
    policy = policies.checked(ctx, text, target, bypass=bool(req.bypass_policy_lockout_safety_check))
    ctx.tx.run(
        _COPY,
        region,
        req.description or "",
        states.PENDING_IMPORT if key.origin == "EXTERNAL" else states.ENABLED,
        ctx.now,
        text,
        policy.text,
        policy.principals,
        key.region,
        key.key_id,
    )
    _copy_materials(ctx, key, region)
    put_tags(ctx.tx, region, key.key_id, req.tags or [])
    for one in key.life.regions:
        items.changed(ctx, one, key.key_id)
    replica = items.changed(ctx, region, key.key_id)
    tags = [api.Tag(tag_key=name, tag_value=value) for name, value in sorted(replica.tags.items())]
    return api.ReplicateKeyResponse(replica_key_metadata=items.metadata(replica), replica_policy=text, replica_tags=tags)


_COPY = (
    "INSERT INTO kms_key (region, key_id, account, description, state, usage, spec, origin, manager, multi_region, created_at,"
    " material_id, policy, policy_resolved, policy_principals, rotation_days, rotation_at, rotations_on_demand, primary_region)"
    " SELECT ?, key_id, account, ?, ?, usage, spec, origin, manager, multi_region, ?, material_id, ?, ?, ?, rotation_days,"
    " rotation_at, rotations_on_demand, primary_region FROM kms_key WHERE region = ? AND key_id = ?"
)


def _copy_materials(ctx: Context, key: LiveKey, region: str) -> None:
    """Every material the primary key ever had, so that old ciphertexts open in the new Region too; imported ones by id alone."""
    live = names.live_keys(ctx)
    for row in materials.rows(ctx.tx, key.region, key.key_id):
        if key.origin == "EXTERNAL":
            waits = row.state not in materials.OWNED
            bare = row._replace(present=False, valid_to=None, state=materials.PENDING_REPLICAS if waits else row.state)
            materials.add(ctx.tx, region, key.key_id, bare, b"")
            if waits:
                ctx.tx.run(
                    "UPDATE kms_material SET state = ? WHERE region = ? AND material_id = ?",
                    materials.PENDING_REPLICAS,
                    key.region,
                    row.material_id,
                )
            continue
        found = ctx.tx.one("SELECT sealed FROM kms_material WHERE region = ? AND material_id = ?", key.region, row.material_id)
        sealed = b"" if found is None else found[0]
        secret = live.unseal(key.region, key.key_id, row.material_id, sealed)
        materials.add(ctx.tx, region, key.key_id, row, live.seal(region, key.key_id, row.material_id, secret))


def _must_be_primary(key: LiveKey) -> None:
    if not key.is_primary:
        raise errors.not_primary(key.arn)


def _other_region(key: LiveKey, region: str) -> str:
    if not _REGION.fullmatch(region) or region == key.region:
        raise errors.no_such_region(region)
    return region


# UpdatePrimaryRegion


def _promoting(ctx: Context, req: api.UpdatePrimaryRegionRequest) -> dict[str, Any]:
    return {**conditions.caller(ctx), "kms:PrimaryRegion": req.primary_region}


def _replica(ctx: Context, req: api.UpdatePrimaryRegionRequest) -> LiveKey | None:
    key = names.own(ctx, req.key_id).found
    return None if key is None else names.live_keys(ctx).find(ctx.tx, req.primary_region, key.key_id)


def _on_replica(ctx: Context, req: api.UpdatePrimaryRegionRequest) -> Sequence[Check]:
    """The permission is needed on the replica too, by its own policy."""
    replica = _replica(ctx, req)
    if replica is None or replica.account != ctx.account:
        return ()
    return (Check("kms:UpdatePrimaryRegion", replica.target, _promoting(ctx, req)),)


@operation("kms", resource=own_key, context=_promoting, checks=_on_replica)
def update_primary_region(ctx: Context, req: api.UpdatePrimaryRegionRequest) -> None:
    """Let the replica in another Region be the primary key, and the primary key a replica."""
    key = names.locked(ctx, req.key_id)
    _must_be_primary(key)
    states.check("UpdatePrimaryRegion", key)
    region = _other_region(key, req.primary_region)
    replica = names.live_keys(ctx).reread(ctx.tx, region, key.key_id)
    if replica is None or region not in key.life.regions:
        raise errors.no_such_key(key_arn(region, ctx.account, key.key_id, ctx.partition))
    states.check("UpdatePrimaryRegion", replica)
    ctx.tx.run("UPDATE kms_key SET primary_region = ? WHERE key_id = ? AND account = ?", region, key.key_id, ctx.account)
    for one in key.life.regions:
        ctx.tx.changed("kms-key", f"{one}/{key.key_id}")
    for one in key.life.regions:
        items.changed(ctx, one, key.key_id)
