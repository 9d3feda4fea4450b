"""Users: create, get, update, delete, list."""

from __future__ import annotations

from typing import Any

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import Target, operation
from garrison.identity.iam import errors
from garrison.identity.iam.account import display_name
from garrison.identity.iam.boundaries import checked_boundary
from garrison.identity.iam.items import deleted, user_changed
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.rows import USER, UserRow, boundary, by_name, count, find_user, moved, user_named
from garrison.identity.iam.tagging import drop_tags, put_tags, tag_list
from garrison.identity.iam.targets import (
    declared_tags,
    declared_user,
    listed,
    named_user,
    new_user,
    tags_and_boundary,
    user_target,
)

USERS_PER_ACCOUNT = 5000


def both_users(ctx: Context, req: api.UpdateUserRequest) -> list[Target]:
    """A rename needs the permission on the old user and on the new one."""
    targets = [named_user(ctx, req.user_name)]
    if req.new_user_name or req.new_path:
        row = declared_user(ctx, req.user_name)
        path = req.new_path or (row.path if row else "/")
        targets.append(named_user(ctx, req.new_user_name or req.user_name, path))
    return targets


@operation("iam", resource=new_user, context=tags_and_boundary)
def create_user(ctx: Context, req: api.CreateUserRequest) -> api.CreateUserResponse:
    """Create a user. Names are unique per account regardless of case.

    Raises EntityAlreadyExists, LimitExceeded (5,000 users), NoSuchEntity (boundary), InvalidInput (tags).
    """
    if find_user(ctx.tx, ctx.account, req.user_name):
        raise errors.exists("User", req.user_name)
    if count(ctx.tx, "iam_user", "account = ?", ctx.account) >= USERS_PER_ACCOUNT:
        raise errors.quota("UsersPerAccount", USERS_PER_ACCOUNT)
    if req.permissions_boundary:
        checked_boundary(ctx, req.permissions_boundary)
    row = UserRow(ctx.account, ctx.unique_id("AIDA"), req.user_name, req.path or "/", ctx.now, req.permissions_boundary, None)
    ctx.tx.run(
        f"INSERT INTO iam_user ({USER}, name_folded) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant column list
        *row[:7],
        row.name.lower(),
    )
    put_tags(ctx.tx, ctx.account, row.id, req.tags or [])
    user_changed(ctx, row)
    return api.CreateUserResponse(user=shown(row, req.tags, full=True))


@operation("iam", resource=user_target, read=True)
def get_user(ctx: Context, req: api.GetUserRequest) -> api.GetUserResponse:
    """Describe a user; the caller where no name is given. Raises NoSuchEntity."""
    if req.user_name is None and ctx.principal.kind == "root":
        return api.GetUserResponse(user=shown_root(ctx))
    name = req.user_name or ctx.principal.name
    row = declared_user(ctx, name)
    if row is None:
        raise errors.not_found("user", name)
    return api.GetUserResponse(user=shown(row, tag_list(declared_tags(ctx, row.id)), full=True))


@operation("iam", resource=both_users)
def update_user(ctx: Context, req: api.UpdateUserRequest) -> None:
    """Rename or move a user; its id, keys and policies stay. Raises NoSuchEntity, EntityAlreadyExists."""
    row = user_named(ctx.tx, ctx.account, req.user_name)
    user_changed(ctx, moved(ctx.tx, row, req.new_user_name, req.new_path))


@operation("iam", resource=user_target)
def delete_user(ctx: Context, req: api.DeleteUserRequest) -> None:
    """Delete a user that has nothing left. Raises NoSuchEntity, DeleteConflict."""
    row = user_named(ctx.tx, ctx.account, req.user_name)
    _refuse_while_used(ctx, row)
    drop_tags(ctx.tx, ctx.account, row.id)
    ctx.tx.run("DELETE FROM iam_user WHERE account = ? AND user_id = ?", ctx.account, row.id)
    deleted(ctx, "User", row, ("user", row.id))


@operation("iam", resource=listed("user"), read=True)
def list_users(ctx: Context, req: api.ListUsersRequest) -> api.ListUsersResponse:
    """Users by name, under a path where one is given; without tags and boundaries, as AWS lists them."""
    prefix = req.path_prefix or "/"
    pager = Pager(ctx, req, prefix)
    rows = by_name(ctx.tx, "iam_user", USER, ctx.account, after=pager.after, limit=pager.limit + 1, prefix=prefix)
    page = pager.page([UserRow(*row) for row in rows], _name)
    return api.ListUsersResponse(users=[shown(row) for row in page.items], is_truncated=page.truncated, marker=page.marker)


def shown(row: UserRow, tags: list[api.Tag] | None = None, *, full: bool = False) -> api.User:
    """A user as answers show it; ``full`` with the boundary, which lists leave out."""
    return api.User(
        path=row.path,
        user_name=row.name,
        user_id=row.id,
        arn=row.arn,
        create_date=row.created,
        password_last_used=row.password_last_used,
        permissions_boundary=boundary(row.boundary) if full else None,
        tags=tags or None,
    )


def _name(row: UserRow) -> str:
    return row.name.lower()


def shown_root(ctx: Context) -> api.User:
    """The account's root user, who is no row of iam_user: AWS names it by the account's alias."""
    found: tuple[Any, ...] | None = ctx.tx.one(
        "SELECT created, root_password_last_used FROM iam_account WHERE account = ?", ctx.account
    )
    created, used = found or (ctx.now, None)
    return api.User(
        path="/",
        user_name=display_name(ctx),
        user_id=ctx.account,
        arn=f"arn:aws:iam::{ctx.account}:root",
        create_date=created,
        password_last_used=used,
    )


def _refuse_while_used(ctx: Context, row: UserRow) -> None:
    """AWS's order: managed policies, inline policies, keys, groups; then what it signs in with."""
    owned = "account = ? AND owner_id = ?"
    if count(ctx.tx, "iam_attachment", owned, ctx.account, row.id):
        raise errors.conflict("detach all policies")
    if count(ctx.tx, "iam_inline_policy", owned, ctx.account, row.id):
        raise errors.conflict("delete policies")
    if count(ctx.tx, "iam_access_key", owned, ctx.account, row.id):
        raise errors.conflict("delete access keys")
    if count(ctx.tx, "iam_membership", "account = ? AND user_id = ?", ctx.account, row.id):
        raise errors.conflict("remove users from group")
    if count(ctx.tx, "iam_login_profile", owned, ctx.account, row.id):
        raise errors.conflict("delete login profile")
    if count(ctx.tx, "iam_mfa_device", owned, ctx.account, row.id):
        raise errors.conflict("delete MFA device")
    for table, what in (
        ("iam_signing_certificate", "signing certificates"),
        ("iam_ssh_public_key", "SSH public keys"),
        ("iam_service_credential", "service-specific credentials"),
    ):
        if count(ctx.tx, table, owned, ctx.account, row.id):
            raise errors.conflict(f"delete {what}")
