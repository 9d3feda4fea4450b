"""Whose credentials a call means, and what is left when one of them changes."""

from __future__ import annotations

from typing import Any, NamedTuple

from garrison.api import iam as api
from garrison.core.context import ConfigurationItem, Context
from garrison.identity.iam import errors
from garrison.identity.iam.account import display_name
from garrison.identity.iam.rows import user_by_id, user_named


class Holder(NamedTuple):
    """A user, or the root user, whose id is the account's number."""

    id: str
    name: str
    arn: str


def holder_of(ctx: Context, name: str | None) -> Holder:
    """The user of this name; the caller where none is given.

    Raises NoSuchEntity, ValidationError (a role's session names no user).
    """
    if name is None and ctx.principal.kind == "root":
        return Holder(ctx.account, display_name(ctx), ctx.principal.arn)
    if name is None and ctx.principal.kind != "user":
        raise errors.user_name_needed()
    user = user_named(ctx.tx, ctx.account, ctx.principal.name if name is None else name)
    return Holder(user.id, user.name, user.arn)


def holder_by_id(ctx: Context, owner_id: str) -> Holder:
    """The user, or the root user, of an id that stands in a row. Raises NoSuchEntity."""
    if owner_id == ctx.account:
        return Holder(ctx.account, display_name(ctx), f"arn:aws:iam::{ctx.account}:root")
    user = user_by_id(ctx.tx, ctx.account, owner_id)
    if user is None:
        raise errors.not_found("user", owner_id)
    return Holder(user.id, user.name, user.arn)


def checked_status(status: str) -> str:
    """``Active`` or ``Inactive``. Raises InvalidInput for ``Expired``, which time alone makes of a credential."""
    if status == "Expired":
        raise api.InvalidInputException("Invalid Status value")
    return status


def credential_changed(ctx: Context, kind: str, credential_id: str, owner: Holder, configuration: dict[str, Any] | None) -> None:
    """A credential was made, switched or deleted (None). No secret of it stands here."""
    item = ConfigurationItem(
        type=f"AWS::IAM::{kind}",
        id=credential_id,
        arn=owner.arn,
        account=ctx.account,
        region="global",
        name=credential_id,
        configuration={**configuration, "Owner": owner.arn} if configuration is not None else {},
        deleted=configuration is None,
    )
    ctx.changed(item)
