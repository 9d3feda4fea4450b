"""Roles and their trust policies."""

from __future__ import annotations

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.iam import errors
from garrison.identity.iam.boundaries import checked_boundary
from garrison.identity.iam.details import last_used
from garrison.identity.iam.documents import encoded
from garrison.identity.iam.items import deleted, role_changed
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.rows import ROLE, RoleRow, boundary, by_name, count, describable_role, find_role, writable_role
from garrison.identity.iam.tagging import drop_tags, put_tags, tag_list
from garrison.identity.iam.targets import (
    declared_role,
    declared_tags,
    listed,
    new_role,
    role_target,
    tags_and_boundary,
)
from garrison.identity.iam.trust import Trust, checked_trust, shown_trust

ROLES_PER_ACCOUNT = 1000
SESSION_DURATION = 3600
"""Seconds: MaxSessionDuration where none is given."""


@operation("iam", resource=new_role, context=tags_and_boundary)
def create_role(ctx: Context, req: api.CreateRoleRequest) -> api.CreateRoleResponse:
    """Create a role. Names are unique per account regardless of case.

    Raises EntityAlreadyExists, LimitExceeded (1,000 roles; trust policy of 2,048 characters), MalformedPolicyDocument,
    NoSuchEntity (boundary), InvalidInput (tags, a path that belongs to services).
    """
    path = req.path or "/"
    if path.startswith(("/aws-service-role/", "/aws-reserved/")):
        raise api.InvalidInputException(f"The path {path} is reserved for AWS services.")
    trust = checked_trust(ctx.tx, req.assume_role_policy_document)
    if req.permissions_boundary:
        checked_boundary(ctx, req.permissions_boundary)
    row = insert_role(
        ctx,
        RoleRow(
            account=ctx.account,
            id=ctx.unique_id("AROA"),
            name=req.role_name,
            path=path,
            created=ctx.now,
            description=req.description,
            max_session_duration=req.max_session_duration or SESSION_DURATION,
            max_signin_session_duration=req.max_signin_session_duration,
            trust_policy=trust.text,
            trust_principals=trust.principals,
            boundary=req.permissions_boundary,
            last_used=None,
            last_used_region=None,
            service=None,
        ),
        trust,
    )
    put_tags(ctx.tx, ctx.account, row.id, req.tags or [])
    role_changed(ctx, row)
    return api.CreateRoleResponse(role=shown_new(ctx, row, req.tags))


@operation("iam", resource=role_target, read=True)
def get_role(ctx: Context, req: api.GetRoleRequest) -> api.GetRoleResponse:
    """Describe a role. Raises NoSuchEntity."""
    row = declared_role(ctx, req.role_name)
    if row is None:
        raise errors.not_found("role", req.role_name)
    role = shown(ctx, row)
    role.permissions_boundary = boundary(row.boundary)
    role.tags = tag_list(declared_tags(ctx, row.id)) or None
    role.role_last_used = last_used(row)
    return api.GetRoleResponse(role=role)


@operation("iam", resource=role_target)
def update_role(ctx: Context, req: api.UpdateRoleRequest) -> api.UpdateRoleResponse:
    """Change a role's description and longest sessions; what is left out stays. Raises NoSuchEntity, UnmodifiableEntity."""
    durations = req.max_session_duration or req.max_signin_session_duration or req.reset_max_signin_session_duration
    row = (writable_role if durations else describable_role)(ctx.tx, ctx.account, req.role_name)
    signin = None if req.reset_max_signin_session_duration else req.max_signin_session_duration or row.max_signin_session_duration
    new = row._replace(
        description=row.description if req.description is None else req.description,
        max_session_duration=req.max_session_duration or row.max_session_duration,
        max_signin_session_duration=signin,
    )
    _update(ctx, new)
    return api.UpdateRoleResponse()


@operation("iam", resource=role_target)
def update_role_description(ctx: Context, req: api.UpdateRoleDescriptionRequest) -> api.UpdateRoleDescriptionResponse:
    """Change a role's description alone. Raises NoSuchEntity, UnmodifiableEntity."""
    row = describable_role(ctx.tx, ctx.account, req.role_name)._replace(description=req.description)
    _update(ctx, row)
    role = shown(ctx, row)
    role.max_session_duration = None
    return api.UpdateRoleDescriptionResponse(role=role)


@operation("iam", resource=role_target)
def update_assume_role_policy(ctx: Context, req: api.UpdateAssumeRolePolicyRequest) -> None:
    """Replace a role's trust policy. Raises NoSuchEntity, UnmodifiableEntity, MalformedPolicyDocument, LimitExceeded."""
    row = writable_role(ctx.tx, ctx.account, req.role_name)
    trust = checked_trust(ctx.tx, req.policy_document)
    ctx.tx.run(
        "UPDATE iam_role SET trust_policy = ?, trust_resolved = ?, trust_principals = ? WHERE account = ? AND role_id = ?",
        *trust,
        ctx.account,
        row.id,
    )
    role_changed(ctx, row._replace(trust_policy=trust.text, trust_principals=trust.principals))


@operation("iam", resource=role_target)
def delete_role(ctx: Context, req: api.DeleteRoleRequest) -> None:
    """Delete a role without policies that is in no instance profile. Raises NoSuchEntity, DeleteConflict, UnmodifiableEntity."""
    row = writable_role(ctx.tx, ctx.account, req.role_name)
    if count(ctx.tx, "iam_instance_profile", "account = ? AND role_id = ?", ctx.account, row.id):
        raise errors.conflict("remove roles from instance profile")
    if count(ctx.tx, "iam_attachment", "account = ? AND owner_id = ?", ctx.account, row.id):
        raise errors.conflict("detach all policies")
    if count(ctx.tx, "iam_inline_policy", "account = ? AND owner_id = ?", ctx.account, row.id):
        raise errors.conflict("delete policies")
    remove_role(ctx, row)


@operation("iam", resource=listed("role"), read=True)
def list_roles(ctx: Context, req: api.ListRolesRequest) -> api.ListRolesResponse:
    """Roles by name, under a path where one is given; without tags, boundaries and last use, as AWS lists them."""
    prefix = req.path_prefix or "/"
    pager = Pager(ctx, req, prefix)
    rows = by_name(ctx.tx, "iam_role", ROLE, ctx.account, after=pager.after, limit=pager.limit + 1, prefix=prefix)
    page = pager.page([RoleRow(*row) for row in rows], lambda row: row.name.lower())
    return api.ListRolesResponse(roles=[shown(ctx, row) for row in page.items], is_truncated=page.truncated, marker=page.marker)


def insert_role(ctx: Context, row: RoleRow, trust: Trust) -> RoleRow:
    """Write a new role's row. Raises EntityAlreadyExists, LimitExceeded."""
    if find_role(ctx.tx, ctx.account, row.name):
        raise errors.exists("Role", row.name)
    if count(ctx.tx, "iam_role", "account = ?", ctx.account) >= ROLES_PER_ACCOUNT:
        raise errors.quota("RolesPerAccount", ROLES_PER_ACCOUNT)
    ctx.tx.run(
        f"INSERT INTO iam_role ({ROLE}, name_folded, trust_resolved) VALUES ({', '.join('?' * 16)})",  # noqa: S608 - constant
        *row[:14],
        row.name.lower(),
        trust.resolved,
    )
    return row


def remove_role(ctx: Context, row: RoleRow) -> None:
    """Delete a role's rows. Its sessions end with it: nothing is found under its id any more."""
    drop_tags(ctx.tx, ctx.account, row.id)
    ctx.tx.run("DELETE FROM iam_role WHERE account = ? AND role_id = ?", ctx.account, row.id)
    deleted(ctx, "Role", row, ("role", row.id))


def shown(ctx: Context, row: RoleRow) -> api.Role:
    """A role as lists show it."""
    return api.Role(
        path=row.path,
        role_name=row.name,
        role_id=row.id,
        arn=row.arn,
        create_date=row.created,
        assume_role_policy_document=encoded(shown_trust(ctx.tx, row)),
        description=row.description or None,
        max_session_duration=row.max_session_duration,
        max_signin_session_duration=row.max_signin_session_duration,
    )


def shown_new(ctx: Context, row: RoleRow, tags: list[api.Tag] | None) -> api.Role:
    """A role as its creation answers it: with boundary and tags, without description and duration."""
    role = shown(ctx, row)
    role.description = role.max_session_duration = None
    role.permissions_boundary = boundary(row.boundary)
    role.tags = tags or None
    return role


def _update(ctx: Context, row: RoleRow) -> None:
    ctx.tx.run(
        "UPDATE iam_role SET description = ?, max_session_duration = ?, max_signin_session_duration = ?"
        " WHERE account = ? AND role_id = ?",
        row.description,
        row.max_session_duration,
        row.max_signin_session_duration,
        ctx.account,
        row.id,
    )
    role_changed(ctx, row)
