"""Permissions boundaries of users and roles."""

from __future__ import annotations

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.delegation.partners import BOUNDARIES, boundary_document
from garrison.identity.iam import errors, managed
from garrison.identity.iam.items import role_changed, user_changed
from garrison.identity.iam.rows import find_policy, policy_arn_account, user_named, writable_role
from garrison.identity.iam.targets import present_boundary, requested_boundary, role_target, user_target


def checked_boundary(ctx: Context, arn: str) -> None:
    """Raises InvalidInput or ValidationError where ``arn`` is no policy's, NoSuchEntity where no such policy is in reach."""
    if arn.startswith(BOUNDARIES):
        if boundary_document(ctx.tx, arn) is None:
            raise errors.boundary_not_found(arn)
        return
    account = policy_arn_account(arn)
    known = managed.find(arn) if account == "aws" else find_policy(ctx.tx, arn) if account == ctx.account else None
    if known is None:
        raise errors.boundary_not_found(arn)


@operation("iam", resource=user_target, context=requested_boundary)
def put_user_permissions_boundary(ctx: Context, req: api.PutUserPermissionsBoundaryRequest) -> None:
    """Set a user's permissions boundary. Raises NoSuchEntity, InvalidInput."""
    row = user_named(ctx.tx, ctx.account, req.user_name)
    checked_boundary(ctx, req.permissions_boundary)
    _set_user(ctx, row.id, req.permissions_boundary)
    user_changed(ctx, row._replace(boundary=req.permissions_boundary))


@operation("iam", resource=user_target, context=present_boundary)
def delete_user_permissions_boundary(ctx: Context, req: api.DeleteUserPermissionsBoundaryRequest) -> None:
    """Take a user's permissions boundary away. Raises NoSuchEntity."""
    row = user_named(ctx.tx, ctx.account, req.user_name)
    _set_user(ctx, row.id, None)
    user_changed(ctx, row._replace(boundary=None))


@operation("iam", resource=role_target, context=requested_boundary)
def put_role_permissions_boundary(ctx: Context, req: api.PutRolePermissionsBoundaryRequest) -> None:
    """Set a role's permissions boundary. Raises NoSuchEntity, InvalidInput, UnmodifiableEntity."""
    row = writable_role(ctx.tx, ctx.account, req.role_name)
    checked_boundary(ctx, req.permissions_boundary)
    _set_role(ctx, row.id, req.permissions_boundary)
    role_changed(ctx, row._replace(boundary=req.permissions_boundary))


@operation("iam", resource=role_target, context=present_boundary)
def delete_role_permissions_boundary(ctx: Context, req: api.DeleteRolePermissionsBoundaryRequest) -> None:
    """Take a role's permissions boundary away. Raises NoSuchEntity, UnmodifiableEntity."""
    row = writable_role(ctx.tx, ctx.account, req.role_name)
    _set_role(ctx, row.id, None)
    role_changed(ctx, row._replace(boundary=None))


def _set_user(ctx: Context, user_id: str, arn: str | None) -> None:
    ctx.tx.run("UPDATE iam_user SET boundary_arn = ? WHERE account = ? AND user_id = ?", arn, ctx.account, user_id)


def _set_role(ctx: Context, role_id: str, arn: str | None) -> None:
    ctx.tx.run("UPDATE iam_role SET boundary_arn = ? WHERE account = ? AND role_id = ?", arn, ctx.account, role_id)
