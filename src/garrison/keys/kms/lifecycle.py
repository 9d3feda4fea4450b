"""Keys: made, described, listed, enabled and disabled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import PREPARED, Check, Target, operation
from garrison.identity.resource_principals import Resolved
from garrison.keys.kms import conditions, errors, items, names, policies, states
from garrison.keys.kms.ciphertext import ID_BYTES
from garrison.keys.kms.custom import keys as custom_keys
from garrison.keys.kms.keymaker import KEYMAKER
from garrison.keys.kms.live import key_arn, key_conditions
from garrison.keys.kms.pages import Pager
from garrison.keys.kms.specs import ENCRYPT, SPECS, SYMMETRIC, Spec
from garrison.keys.kms.tags import checked_tags, put_tags

AWS_KMS, EXTERNAL = "AWS_KMS", "EXTERNAL"
"""Origins: who makes the material."""


def own_key(ctx: Context, req: Any) -> Target:  # noqa: ANN401 - any request that names a key
    """The key of a request, for operations within the account."""
    return names.own(ctx, req.key_id).target


def caller(ctx: Context, _req: Any) -> dict[str, Any]:  # noqa: ANN401 - any request
    """The condition keys of operations that have no others."""
    return conditions.caller(ctx)


# CreateKey


def _new_key(ctx: Context, req: api.CreateKeyRequest) -> dict[str, Any]:
    spec = req.key_spec or req.customer_master_key_spec or conditions.SYMMETRIC
    usage, origin = req.key_usage or "ENCRYPT_DECRYPT", req.origin or "AWS_KMS"
    return {
        **conditions.caller(ctx),
        **key_conditions(spec, usage, origin, multi_region=bool(req.multi_region)),
        **conditions.request_tags(req.tags),
        "kms:BypassPolicyLockoutSafetyCheck": bool(req.bypass_policy_lockout_safety_check),
    }


def _tagging(ctx: Context, req: api.CreateKeyRequest) -> Sequence[Check]:
    """A key that is made with tags is tagged: that needs its own permission (CreateKey, parameter Tags)."""
    if not req.tags:
        return ()
    target = Target(arn=key_arn(ctx.region, ctx.account, "*", ctx.partition), account=ctx.account)
    return (Check("kms:TagResource", target, {**conditions.caller(ctx), **conditions.request_tags(req.tags)}),)


def _slow_material(ctx: Context, req: api.CreateKeyRequest) -> Callable[[], bytes] | None:
    """RSA keys take up to seconds to make, and custom key stores their time: beside the event loop, before the transaction."""
    spec, _ = _kind(req)
    if custom_keys.in_store(req):
        return custom_keys.prepared(ctx, req)
    return partial(KEYMAKER.make, spec, ctx.random) if spec.slow and req.origin != EXTERNAL else None


@operation("kms", resource="*", context=_new_key, checks=_tagging, prepare=_slow_material)
def create_key(ctx: Context, req: api.CreateKeyRequest) -> api.CreateKeyResponse:
    """Make a key of any spec, with material of its own, or without any where its owner imports it."""
    spec, usage = _kind(req)
    checked_tags(req.tags or [])
    key_id = f"mrk-{ctx.random(16).hex()}" if req.multi_region else ctx.uuid()
    target = Target(arn=key_arn(ctx.region, ctx.account, key_id, ctx.partition), account=ctx.account)
    text = req.policy or policies.default_policy(ctx.account, ctx.partition)
    policy = policies.checked(ctx, text, target, bypass=bool(req.bypass_policy_lockout_safety_check))
    _insert_key(ctx, key_id, req, (spec, usage), (text, policy))
    if custom_keys.in_store(req):
        custom_keys.bind(ctx, req, key_id)
    put_tags(ctx.tx, ctx.region, key_id, req.tags or [])
    return api.CreateKeyResponse(key_metadata=items.metadata(items.changed(ctx, ctx.region, key_id)))


_INSERT_KEY = (
    "INSERT INTO kms_key (region, key_id, account, description, state, usage, spec, origin, manager, multi_region, created_at,"
    " primary_region, policy, policy_resolved, policy_principals)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'CUSTOMER', ?, ?, ?, ?, ?, ?)"
)
_INSERT_MATERIAL = "INSERT INTO kms_material (region, material_id, key_id, sealed, created_at) VALUES (?, ?, ?, ?, ?)"


def _insert_key(
    ctx: Context, key_id: str, req: api.CreateKeyRequest, kind: tuple[Spec, str], policy: tuple[str, Resolved]
) -> None:
    """The rows of a new key: its metadata, and the material that is made here. ``policy``: as it was put, and resolved."""
    spec, usage = kind
    text, resolved = policy
    ctx.tx.run(
        _INSERT_KEY,
        ctx.region,
        key_id,
        ctx.account,
        req.description or "",
        states.PENDING_IMPORT if req.origin == EXTERNAL else states.ENABLED,
        usage,
        spec.name,
        req.origin or AWS_KMS,
        int(bool(req.multi_region)),
        ctx.now,
        ctx.region if req.multi_region else "",
        text,
        resolved.text,
        resolved.principals,
    )
    if req.origin != EXTERNAL:
        _insert_material(ctx, key_id, spec)


def _insert_material(ctx: Context, key_id: str, spec: Spec) -> None:
    """The first material of a key: made here, and sealed at once."""
    material_id = ctx.random(ID_BYTES).hex()
    secret = ctx.scratch[PREPARED] if PREPARED in ctx.scratch else KEYMAKER.make(spec, ctx.random)
    sealed = names.live_keys(ctx).seal(ctx.region, key_id, material_id, secret)
    ctx.tx.run(_INSERT_MATERIAL, ctx.region, material_id, key_id, sealed, ctx.now)
    ctx.tx.run("UPDATE kms_key SET material_id = ? WHERE region = ? AND key_id = ?", material_id, ctx.region, key_id)


def _kind(req: api.CreateKeyRequest) -> tuple[Spec, str]:
    """Spec and usage of a new key.

    Raises ValidationException for what KMS refuses, UnsupportedOperationException for what Garrison does not have.
    """
    if req.key_spec and req.customer_master_key_spec:
        raise errors.two_specs()
    name = req.key_spec or req.customer_master_key_spec or SYMMETRIC
    spec = SPECS.get(name)
    if spec is None:
        raise errors.not_built("KeySpec", name)
    if req.key_usage is None and not spec.symmetric:
        raise errors.no_usage()
    usage = req.key_usage or ENCRYPT
    if usage not in spec.algorithms:
        raise errors.wrong_usage(usage, name)
    custom_keys.in_store(req)
    return spec, usage


# DescribeKey, ListKeys


def _describing(ctx: Context, req: api.DescribeKeyRequest) -> dict[str, Any]:
    return conditions.cryptographic(ctx, alias=names.named(ctx, req.key_id).alias, algorithm=None)


def _described(ctx: Context, req: api.DescribeKeyRequest) -> Target:
    return names.named(ctx, req.key_id, tokens=req.grant_tokens).target


@operation("kms", resource=_described, context=_describing, read=True)
def describe_key(ctx: Context, req: api.DescribeKeyRequest) -> api.DescribeKeyResponse:
    """Show a key's metadata, in any state."""
    key = names.named(ctx, req.key_id).key
    return api.DescribeKeyResponse(key_metadata=items.metadata(key))


@operation("kms", resource="*", read=True)
def list_keys(ctx: Context, req: api.ListKeysRequest) -> api.ListKeysResponse:
    """List the keys of the account in this Region, by id. No account shares a key through RAM here, so that list is empty."""
    owners = req.resource_owners or ["SELF"]
    pager = Pager(ctx, req, sorted(set(owners)), default=100, most=1000)
    rows: list[tuple[str]] = []
    if "SELF" in owners:
        rows = ctx.tx.all(
            "SELECT key_id FROM kms_key WHERE account = ? AND region = ? AND key_id > ? ORDER BY key_id LIMIT ?",
            ctx.account,
            ctx.region,
            pager.after,
            pager.limit + 1,
        )
    page = pager.cut(rows, lambda row: row[0])
    keys = [
        api.KeyListEntry(key_id=key_id, key_arn=key_arn(ctx.region, ctx.account, key_id, ctx.partition))
        for (key_id,) in page.items
    ]
    return api.ListKeysResponse(keys=keys, next_marker=page.marker, truncated=page.truncated)


# EnableKey, DisableKey, UpdateKeyDescription


@operation("kms", resource=own_key, context=caller)
def enable_key(ctx: Context, req: api.EnableKeyRequest) -> None:
    """Let a key be used."""
    _set_state(ctx, "EnableKey", req.key_id, states.ENABLED)


def _disabling(ctx: Context, req: api.DisableKeyRequest) -> dict[str, Any]:
    key = names.own(ctx, req.key_id).found
    return {**conditions.caller(ctx), **conditions.unused(ctx, key, names.last_use(ctx, key))}


@operation("kms", resource=own_key, context=_disabling)
def disable_key(ctx: Context, req: api.DisableKeyRequest) -> None:
    """Keep a key from being used, until it is enabled again."""
    _set_state(ctx, "DisableKey", req.key_id, states.DISABLED)


def _set_state(ctx: Context, operation: str, key_id: str, state: str) -> None:
    key = names.locked(ctx, key_id)
    states.check(operation, key)
    ctx.tx.run("UPDATE kms_key SET state = ? WHERE region = ? AND key_id = ?", state, key.region, key.key_id)
    items.changed(ctx, key.region, key.key_id)


@operation("kms", resource=own_key, context=caller)
def update_key_description(ctx: Context, req: api.UpdateKeyDescriptionRequest) -> None:
    """Change what a key's description says."""
    key = names.locked(ctx, req.key_id)
    states.must_not_be_pending_deletion(key)
    ctx.tx.run("UPDATE kms_key SET description = ? WHERE region = ? AND key_id = ?", req.description, key.region, key.key_id)
    items.changed(ctx, key.region, key.key_id)
