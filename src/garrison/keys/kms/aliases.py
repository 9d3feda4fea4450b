"""Aliases: names of keys in an account and Region.

Each needs the permission on the alias, which only identity policies can give, and on the key, whose policy decides.
Source: KMS Developer Guide, "Controlling access to aliases".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from garrison.api import kms as api
from garrison.core.context import ConfigurationItem, Context
from garrison.core.operation import Check, Target, operation
from garrison.keys.kms import conditions, errors, items, names, states
from garrison.keys.kms.lifecycle import caller
from garrison.keys.kms.live import LiveKey
from garrison.keys.kms.pages import Pager

PREFIX = "alias/"
RESERVED = "alias/aws/"
PER_KEY = 50
"""Source: KMS Developer Guide, "Resource quotas"."""
_NAME = re.compile(r"alias/[a-zA-Z0-9/_-]+")


def _alias(ctx: Context, req: api.CreateAliasRequest | api.UpdateAliasRequest | api.DeleteAliasRequest) -> Target:
    return names.alias_target(ctx, req.alias_name)


def _on_new_key(ctx: Context, req: api.CreateAliasRequest) -> Sequence[Check]:
    return (_on_key(ctx, "kms:CreateAlias", names.own(ctx, req.target_key_id).target),)


def _on_both_keys(ctx: Context, req: api.UpdateAliasRequest) -> Sequence[Check]:
    """The key that has the name now, and the one that is to have it."""
    now = names.named(ctx, req.alias_name)
    keys = [now.target] if now.found else []
    keys.append(names.own(ctx, req.target_key_id).target)
    return [_on_key(ctx, "kms:UpdateAlias", target) for target in keys]


def _on_old_key(ctx: Context, req: api.DeleteAliasRequest) -> Sequence[Check]:
    now = names.named(ctx, req.alias_name)
    return (_on_key(ctx, "kms:DeleteAlias", now.target),) if now.found else ()


def _on_key(ctx: Context, action: str, target: Target) -> Check:
    return Check(action, target, conditions.caller(ctx))


@operation("kms", resource=_alias, context=caller, checks=_on_new_key)
def create_alias(ctx: Context, req: api.CreateAliasRequest) -> None:
    """Give a key a name that is free in this account and Region.

    Raises AlreadyExistsException, LimitExceededException (50 a key), InvalidAliasNameException, NotFoundException,
    KMSInvalidStateException.
    """
    _checked_name(req.alias_name)
    key = names.locked(ctx, req.target_key_id)
    states.must_not_be_pending_deletion(key)
    arn = names.alias_arn(ctx, req.alias_name)
    if _key_of(ctx, req.alias_name) is not None:
        raise errors.alias_exists(arn)
    if len(key.aliases) >= PER_KEY:
        raise errors.too_many_aliases(PER_KEY)
    ctx.tx.run(
        "INSERT INTO kms_alias (account, region, name, key_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)",
        ctx.account,
        ctx.region,
        req.alias_name,
        key.key_id,
        ctx.now,
        ctx.now,
    )
    _changed(ctx, req.alias_name, key)


@operation("kms", resource=_alias, context=caller, checks=_on_both_keys)
def update_alias(ctx: Context, req: api.UpdateAliasRequest) -> None:
    """Let a name stand for another key of the same kind. Raises NotFoundException, LimitExceededException (50 a key)."""
    _checked_name(req.alias_name)
    old_id = _must_exist(ctx, req.alias_name)
    key = names.locked(ctx, req.target_key_id)
    states.must_not_be_pending_deletion(key)
    if key.key_id != old_id and len(key.aliases) >= PER_KEY:
        raise errors.too_many_aliases(PER_KEY)
    ctx.tx.run(
        "UPDATE kms_alias SET key_id = ?, updated_at = ? WHERE account = ? AND region = ? AND name = ?",
        key.key_id,
        ctx.now,
        ctx.account,
        ctx.region,
        req.alias_name,
    )
    if old_id != key.key_id:
        items.changed(ctx, ctx.region, old_id)
    _changed(ctx, req.alias_name, key)


@operation("kms", resource=_alias, context=caller, checks=_on_old_key)
def delete_alias(ctx: Context, req: api.DeleteAliasRequest) -> None:
    """Take a name away. The key stays as it is."""
    _checked_name(req.alias_name)
    key_id = _must_exist(ctx, req.alias_name)
    ctx.tx.run("DELETE FROM kms_alias WHERE account = ? AND region = ? AND name = ?", ctx.account, ctx.region, req.alias_name)
    arn = names.alias_arn(ctx, req.alias_name)
    ctx.changed(_item(ctx, req.alias_name, arn, deleted=True), ("kms-alias", f"{ctx.account}/{ctx.region}/{req.alias_name}"))
    items.changed(ctx, ctx.region, key_id)


@operation("kms", resource="*", read=True)
def list_aliases(ctx: Context, req: api.ListAliasesRequest) -> api.ListAliasesResponse:
    """List the names in this account and Region, or those of one key, in order."""
    key_id = names.own(ctx, req.key_id).key.key_id if req.key_id is not None else None
    pager = Pager(ctx, req, key_id, default=50, most=100)
    query = "SELECT name, key_id, created_at, updated_at FROM kms_alias WHERE account = ? AND region = ? AND name > ?"
    if key_id is None:
        rows = ctx.tx.all(f"{query} ORDER BY name LIMIT ?", ctx.account, ctx.region, pager.after, pager.limit + 1)
    else:
        rows = ctx.tx.all(
            f"{query} AND key_id = ? ORDER BY name LIMIT ?", ctx.account, ctx.region, pager.after, key_id, pager.limit + 1
        )
    page = pager.cut(rows, lambda row: str(row[0]))
    aliases = [
        api.AliasListEntry(
            alias_name=name,
            alias_arn=names.alias_arn(ctx, name),
            target_key_id=target,
            creation_date=created,
            last_updated_date=updated,
        )
        for name, target, created, updated in page.items
    ]
    return api.ListAliasesResponse(aliases=aliases, next_marker=page.marker, truncated=page.truncated)


def _checked_name(name: str) -> None:
    """Raises ValidationException, InvalidAliasNameException, NotAuthorizedException."""
    if not name.startswith(PREFIX):
        raise errors.alias_prefix()
    if name.startswith(RESERVED):
        raise errors.alias_reserved()
    if not _NAME.fullmatch(name):
        raise errors.alias_form(name)


def _key_of(ctx: Context, name: str) -> str | None:
    """The key that a name stands for while this write holds the lock."""
    row = ctx.tx.one("SELECT key_id FROM kms_alias WHERE account = ? AND region = ? AND name = ?", ctx.account, ctx.region, name)
    return None if row is None else str(row[0])


def _must_exist(ctx: Context, name: str) -> str:
    found = _key_of(ctx, name)
    if found is None:
        raise errors.no_such_alias(names.alias_arn(ctx, name))
    return found


def _changed(ctx: Context, name: str, key: LiveKey) -> None:
    item = _item(ctx, name, names.alias_arn(ctx, name), {"AliasName": name, "TargetKeyId": key.key_id})
    ctx.changed(item, ("kms-alias", f"{ctx.account}/{ctx.region}/{name}"))
    items.changed(ctx, key.region, key.key_id)


def _item(
    ctx: Context, name: str, arn: str, configuration: dict[str, Any] | None = None, *, deleted: bool = False
) -> ConfigurationItem:
    return ConfigurationItem(
        type="AWS::KMS::Alias",
        id=name,
        arn=arn,
        account=ctx.account,
        region=ctx.region,
        name=name,
        configuration=configuration or {},
        deleted=deleted,
    )
