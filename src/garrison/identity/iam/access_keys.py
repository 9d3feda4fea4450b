"""Access keys of users and of the root user. A secret is shown once, when it is made, and kept sealed."""

from __future__ import annotations

from typing import NamedTuple

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.ids import access_key_id, secret_access_key
from garrison.core.operation import Target, operation
from garrison.identity.iam import errors
from garrison.identity.iam.account import display_name
from garrison.identity.iam.holders import holder_of
from garrison.identity.iam.items import access_key_changed
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.rows import user_by_id
from garrison.identity.iam.targets import user_target

KEYS_PER_USER = 2
PURPOSE = "access-key"
"""What secrets are sealed for; the associated bytes are the key's id."""


class NewKey(NamedTuple):
    """A key that was just made."""

    id: str
    secret: str


def key_target(ctx: Context, req: api.GetAccessKeyLastUsedRequest) -> Target:
    """The user who has the key.

    Raises AccessDenied for one that is not this account's: AWS does not say NoSuchEntity.
    """
    row = ctx.tx.one("SELECT account, owner_id FROM iam_access_key WHERE access_key_id = ?", req.access_key_id)
    if row is None or row[0] != ctx.account:
        raise CommonError(
            "access_denied",
            f"User: {ctx.principal.arn} is not authorized to perform iam:GetAccessKeyLastUsed"
            f" on resource: access key {req.access_key_id}",
        )
    user = user_by_id(ctx.tx, ctx.account, row[1])
    return Target(user.arn if user else f"arn:aws:iam::{ctx.account}:root", ctx.account)


@operation("iam", resource=user_target)
def create_access_key(ctx: Context, req: api.CreateAccessKeyRequest) -> api.CreateAccessKeyResponse:
    """Make an access key for a user; for the caller, who may be the root user, where no name is given.

    Raises NoSuchEntity, LimitExceeded (2 keys), ValidationError (a role's session names no user).
    """
    owner = holder_of(ctx, req.user_name)
    key = make_key(ctx, owner.id, owner.arn)
    return api.CreateAccessKeyResponse(
        access_key=api.AccessKey(
            user_name=owner.name, access_key_id=key.id, status="Active", secret_access_key=key.secret, create_date=ctx.now
        )
    )


@operation("iam", resource=user_target)
def update_access_key(ctx: Context, req: api.UpdateAccessKeyRequest) -> None:
    """Switch a key on or off. Raises NoSuchEntity."""
    owner = holder_of(ctx, req.user_name)
    if req.status == "Expired":
        raise api.InvalidInputException("Invalid Status value")
    changed = ctx.tx.run(
        "UPDATE iam_access_key SET status = ? WHERE access_key_id = ? AND account = ? AND owner_id = ?",
        req.status,
        req.access_key_id,
        ctx.account,
        owner.id,
    )
    if not changed:
        raise _not_found(req.access_key_id)
    _changed(ctx, req.access_key_id, owner.arn, req.status)


@operation("iam", resource=user_target)
def delete_access_key(ctx: Context, req: api.DeleteAccessKeyRequest) -> None:
    """Delete a key. Raises NoSuchEntity."""
    owner = holder_of(ctx, req.user_name)
    gone = ctx.tx.run(
        "DELETE FROM iam_access_key WHERE access_key_id = ? AND account = ? AND owner_id = ?",
        req.access_key_id,
        ctx.account,
        owner.id,
    )
    if not gone:
        raise _not_found(req.access_key_id)
    access_key_changed(ctx, req.access_key_id, owner.arn, None)


@operation("iam", resource=user_target, read=True)
def list_access_keys(ctx: Context, req: api.ListAccessKeysRequest) -> api.ListAccessKeysResponse:
    """A user's keys without their secrets; the caller's where no name is given. Raises NoSuchEntity."""
    owner = holder_of(ctx, req.user_name)
    rows = ctx.tx.all(
        "SELECT access_key_id, status, created FROM iam_access_key WHERE account = ? AND owner_id = ? ORDER BY access_key_id",
        ctx.account,
        owner.id,
    )
    page = Pager(ctx, req, owner.id).cut(rows, lambda row: str(row[0]))
    metadata = [
        api.AccessKeyMetadata(user_name=owner.name, access_key_id=key, status=status, create_date=created)
        for key, status, created in page.items
    ]
    return api.ListAccessKeysResponse(access_key_metadata=metadata, is_truncated=page.truncated, marker=page.marker)


@operation("iam", resource=key_target, read=True)
def get_access_key_last_used(ctx: Context, req: api.GetAccessKeyLastUsedRequest) -> api.GetAccessKeyLastUsedResponse:
    """When (seconds since the epoch), where and for which service a key was last used. Raises NoSuchEntity."""
    row = ctx.tx.one(
        "SELECT owner_id, last_used, last_used_service, last_used_region FROM iam_access_key WHERE access_key_id = ?",
        req.access_key_id,
    )
    if row is None:
        raise _not_found(req.access_key_id)
    owner_id, used, service, region = row
    user = user_by_id(ctx.tx, ctx.account, owner_id)
    return api.GetAccessKeyLastUsedResponse(
        user_name=user.name if user else display_name(ctx),
        access_key_last_used=api.AccessKeyLastUsed(service_name=service or "N/A", region=region or "N/A", last_used_date=used),
    )


def make_key(ctx: Context, owner_id: str, owner_arn: str) -> NewKey:
    """Make a key and seal its secret. Raises LimitExceeded past two keys."""
    taken = ctx.tx.all("SELECT access_key_id FROM iam_access_key WHERE account = ? AND owner_id = ?", ctx.account, owner_id)
    if len(taken) >= KEYS_PER_USER:
        raise errors.quota("AccessKeysPerUser", KEYS_PER_USER)
    key = NewKey(access_key_id("AKIA", ctx.account, ctx.random), secret_access_key(ctx.random))
    ctx.tx.run(
        "INSERT INTO iam_access_key (access_key_id, account, owner_id, secret, status, created) VALUES (?, ?, ?, ?, ?, ?)",
        key.id,
        ctx.account,
        owner_id,
        ctx.ports.sealer.seal(PURPOSE, key.secret.encode(), key.id.encode()),
        "Active",
        ctx.now,
    )
    _changed(ctx, key.id, owner_arn, "Active")
    return key


def _not_found(key_id: str) -> api.NoSuchEntityException:
    return api.NoSuchEntityException(f"The Access Key with id {key_id} cannot be found.")


def _changed(ctx: Context, key_id: str, owner_arn: str, status: str) -> None:
    access_key_changed(ctx, key_id, owner_arn, {"AccessKeyId": key_id, "Status": status, "Owner": owner_arn})
