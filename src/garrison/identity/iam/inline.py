"""Policies embedded in a user, a group or a role."""

from __future__ import annotations

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.iam import errors
from garrison.identity.iam.documents import INLINE_LIMITS, checked, encoded, size
from garrison.identity.iam.items import owner_changed
from garrison.identity.iam.pages import Page, Pager, PageRequest
from garrison.identity.iam.rows import Owner, group_named, role_named, user_named, writable_role
from garrison.identity.iam.targets import group_target, present_boundary, role_target, user_target

_ONE = "account = ? AND owner_id = ? AND name = ?"


@operation("iam", resource=user_target, context=present_boundary)
def put_user_policy(ctx: Context, req: api.PutUserPolicyRequest) -> None:
    """Embed a policy in a user, over one of the same name.

    Raises NoSuchEntity, MalformedPolicyDocument, LimitExceeded (2,048 characters in all).
    """
    _put(ctx, user_named(ctx.tx, ctx.account, req.user_name), req.policy_name, req.policy_document)


@operation("iam", resource=group_target)
def put_group_policy(ctx: Context, req: api.PutGroupPolicyRequest) -> None:
    """Embed a policy in a group, over one of the same name.

    Raises NoSuchEntity, MalformedPolicyDocument, LimitExceeded (5,120 characters in all).
    """
    _put(ctx, group_named(ctx.tx, ctx.account, req.group_name), req.policy_name, req.policy_document)


@operation("iam", resource=role_target, context=present_boundary)
def put_role_policy(ctx: Context, req: api.PutRolePolicyRequest) -> None:
    """Embed a policy in a role, over one of the same name.

    Raises NoSuchEntity, MalformedPolicyDocument, UnmodifiableEntity, LimitExceeded (10,240 characters in all).
    """
    _put(ctx, writable_role(ctx.tx, ctx.account, req.role_name), req.policy_name, req.policy_document)


@operation("iam", resource=user_target, read=True)
def get_user_policy(ctx: Context, req: api.GetUserPolicyRequest) -> api.GetUserPolicyResponse:
    """A policy embedded in a user. Raises NoSuchEntity."""
    row = user_named(ctx.tx, ctx.account, req.user_name)
    document = _get(ctx, row, req.policy_name)
    return api.GetUserPolicyResponse(user_name=row.name, policy_name=req.policy_name, policy_document=document)


@operation("iam", resource=group_target, read=True)
def get_group_policy(ctx: Context, req: api.GetGroupPolicyRequest) -> api.GetGroupPolicyResponse:
    """A policy embedded in a group. Raises NoSuchEntity."""
    row = group_named(ctx.tx, ctx.account, req.group_name)
    document = _get(ctx, row, req.policy_name)
    return api.GetGroupPolicyResponse(group_name=row.name, policy_name=req.policy_name, policy_document=document)


@operation("iam", resource=role_target, read=True)
def get_role_policy(ctx: Context, req: api.GetRolePolicyRequest) -> api.GetRolePolicyResponse:
    """A policy embedded in a role. Raises NoSuchEntity."""
    row = role_named(ctx.tx, ctx.account, req.role_name)
    document = _get(ctx, row, req.policy_name)
    return api.GetRolePolicyResponse(role_name=row.name, policy_name=req.policy_name, policy_document=document)


@operation("iam", resource=user_target, context=present_boundary)
def delete_user_policy(ctx: Context, req: api.DeleteUserPolicyRequest) -> None:
    """Delete a policy embedded in a user. Raises NoSuchEntity."""
    _delete(ctx, user_named(ctx.tx, ctx.account, req.user_name), req.policy_name)


@operation("iam", resource=group_target)
def delete_group_policy(ctx: Context, req: api.DeleteGroupPolicyRequest) -> None:
    """Delete a policy embedded in a group. Raises NoSuchEntity."""
    _delete(ctx, group_named(ctx.tx, ctx.account, req.group_name), req.policy_name)


@operation("iam", resource=role_target, context=present_boundary)
def delete_role_policy(ctx: Context, req: api.DeleteRolePolicyRequest) -> None:
    """Delete a policy embedded in a role. Raises NoSuchEntity, UnmodifiableEntity."""
    _delete(ctx, writable_role(ctx.tx, ctx.account, req.role_name), req.policy_name)


@operation("iam", resource=user_target, read=True)
def list_user_policies(ctx: Context, req: api.ListUserPoliciesRequest) -> api.ListUserPoliciesResponse:
    """The names of a user's embedded policies. Raises NoSuchEntity."""
    page = _list(ctx, user_named(ctx.tx, ctx.account, req.user_name), req)
    return api.ListUserPoliciesResponse(policy_names=page.items, is_truncated=page.truncated, marker=page.marker)


@operation("iam", resource=group_target, read=True)
def list_group_policies(ctx: Context, req: api.ListGroupPoliciesRequest) -> api.ListGroupPoliciesResponse:
    """The names of a group's embedded policies. Raises NoSuchEntity."""
    page = _list(ctx, group_named(ctx.tx, ctx.account, req.group_name), req)
    return api.ListGroupPoliciesResponse(policy_names=page.items, is_truncated=page.truncated, marker=page.marker)


@operation("iam", resource=role_target, read=True)
def list_role_policies(ctx: Context, req: api.ListRolePoliciesRequest) -> api.ListRolePoliciesResponse:
    """The names of a role's embedded policies. Raises NoSuchEntity."""
    page = _list(ctx, role_named(ctx.tx, ctx.account, req.role_name), req)
    return api.ListRolePoliciesResponse(policy_names=page.items, is_truncated=page.truncated, marker=page.marker)


def _put(ctx: Context, owner: Owner, name: str, document: str) -> None:
    checked(document, "identity")
    others = ctx.tx.all(
        "SELECT document FROM iam_inline_policy WHERE account = ? AND owner_id = ? AND name <> ?", ctx.account, owner.id, name
    )
    limit = INLINE_LIMITS[owner.kind]
    if size(document) + sum(size(text) for (text,) in others) > limit:
        raise api.LimitExceededException(f"Maximum policy size of {limit} bytes exceeded for {owner.kind} {owner.name}")
    ctx.tx.run(f"DELETE FROM iam_inline_policy WHERE {_ONE}", ctx.account, owner.id, name)  # noqa: S608 - constant
    ctx.tx.run(
        "INSERT INTO iam_inline_policy (account, owner_id, name, document) VALUES (?, ?, ?, ?)",
        ctx.account,
        owner.id,
        name,
        document,
    )
    owner_changed(ctx, owner)


def _get(ctx: Context, owner: Owner, name: str) -> str:
    row = ctx.tx.one(f"SELECT document FROM iam_inline_policy WHERE {_ONE}", ctx.account, owner.id, name)  # noqa: S608 - constant
    if row is None:
        raise errors.not_found(f"{owner.kind} policy", name)
    return encoded(row[0])


def _delete(ctx: Context, owner: Owner, name: str) -> None:
    if not ctx.tx.run(f"DELETE FROM iam_inline_policy WHERE {_ONE}", ctx.account, owner.id, name):  # noqa: S608 - constant
        raise errors.not_found(f"{owner.kind} policy", name)
    owner_changed(ctx, owner)


def _list(ctx: Context, owner: Owner, req: PageRequest) -> Page:
    rows = ctx.tx.all("SELECT name FROM iam_inline_policy WHERE account = ? AND owner_id = ?", ctx.account, owner.id)
    return Pager(ctx, req, owner.id).cut(sorted(name for (name,) in rows), str)
