"""Managed policies on users, groups and roles."""

from __future__ import annotations

from typing import Protocol

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.iam import errors, managed
from garrison.identity.iam.items import owner_changed
from garrison.identity.iam.pages import Page, Pager, PageRequest
from garrison.identity.iam.rows import (
    Owner,
    count,
    find_policy,
    group_named,
    policy_arn_account,
    role_named,
    user_named,
    writable_role,
)
from garrison.identity.iam.targets import (
    attached_policy,
    attached_policy_and_boundary,
    group_target,
    role_target,
    user_target,
)

ATTACHED_PER_OWNER = 10


class _ListRequest(PageRequest, Protocol):
    path_prefix: str | None


@operation("iam", resource=user_target, context=attached_policy_and_boundary)
def attach_user_policy(ctx: Context, req: api.AttachUserPolicyRequest) -> None:
    """Attach a managed policy to a user; again is no error.

    Raises NoSuchEntity, InvalidInput, LimitExceeded (10), PolicyNotAttachable.
    """
    attach(ctx, user_named(ctx.tx, ctx.account, req.user_name), req.policy_arn)


@operation("iam", resource=group_target, context=attached_policy)
def attach_group_policy(ctx: Context, req: api.AttachGroupPolicyRequest) -> None:
    """Attach a managed policy to a group; again is no error. Raises as AttachUserPolicy."""
    attach(ctx, group_named(ctx.tx, ctx.account, req.group_name), req.policy_arn)


@operation("iam", resource=role_target, context=attached_policy_and_boundary)
def attach_role_policy(ctx: Context, req: api.AttachRolePolicyRequest) -> None:
    """Attach a managed policy to a role; again is no error. Raises as AttachUserPolicy, and UnmodifiableEntity."""
    attach(ctx, writable_role(ctx.tx, ctx.account, req.role_name), req.policy_arn)


@operation("iam", resource=user_target, context=attached_policy_and_boundary)
def detach_user_policy(ctx: Context, req: api.DetachUserPolicyRequest) -> None:
    """Take a managed policy off a user. Raises NoSuchEntity."""
    _detach(ctx, user_named(ctx.tx, ctx.account, req.user_name), req.policy_arn)


@operation("iam", resource=group_target, context=attached_policy)
def detach_group_policy(ctx: Context, req: api.DetachGroupPolicyRequest) -> None:
    """Take a managed policy off a group. Raises NoSuchEntity."""
    _detach(ctx, group_named(ctx.tx, ctx.account, req.group_name), req.policy_arn)


@operation("iam", resource=role_target, context=attached_policy_and_boundary)
def detach_role_policy(ctx: Context, req: api.DetachRolePolicyRequest) -> None:
    """Take a managed policy off a role. Raises NoSuchEntity, UnmodifiableEntity."""
    _detach(ctx, writable_role(ctx.tx, ctx.account, req.role_name), req.policy_arn)


@operation("iam", resource=user_target, read=True)
def list_attached_user_policies(ctx: Context, req: api.ListAttachedUserPoliciesRequest) -> api.ListAttachedUserPoliciesResponse:
    """The managed policies on a user, under a path where one is given. Raises NoSuchEntity."""
    page = _list(ctx, user_named(ctx.tx, ctx.account, req.user_name), req)
    return api.ListAttachedUserPoliciesResponse(attached_policies=page.items, is_truncated=page.truncated, marker=page.marker)


@operation("iam", resource=group_target, read=True)
def list_attached_group_policies(
    ctx: Context, req: api.ListAttachedGroupPoliciesRequest
) -> api.ListAttachedGroupPoliciesResponse:
    """The managed policies on a group, under a path where one is given. Raises NoSuchEntity."""
    page = _list(ctx, group_named(ctx.tx, ctx.account, req.group_name), req)
    return api.ListAttachedGroupPoliciesResponse(attached_policies=page.items, is_truncated=page.truncated, marker=page.marker)


@operation("iam", resource=role_target, read=True)
def list_attached_role_policies(ctx: Context, req: api.ListAttachedRolePoliciesRequest) -> api.ListAttachedRolePoliciesResponse:
    """The managed policies on a role, under a path where one is given. Raises NoSuchEntity."""
    page = _list(ctx, role_named(ctx.tx, ctx.account, req.role_name), req)
    return api.ListAttachedRolePoliciesResponse(attached_policies=page.items, is_truncated=page.truncated, marker=page.marker)


def attach(ctx: Context, owner: Owner, arn: str) -> None:
    """Attach a policy that anybody may have. Raises as :func:`attach_user_policy`."""
    account = policy_arn_account(arn)
    if account == "aws":
        policy = managed.find(arn)
        if policy is None:
            raise errors.policy_not_attachable(arn)
        if policy.service_linked:
            raise api.PolicyNotAttachableException("Cannot attach a Service Role Policy to a Customer Role.")
    elif account != ctx.account or find_policy(ctx.tx, arn) is None:
        raise errors.policy_not_attachable(arn)
    if count(ctx.tx, "iam_attachment", "account = ? AND owner_id = ? AND policy_arn = ?", ctx.account, owner.id, arn):
        return
    if count(ctx.tx, "iam_attachment", "account = ? AND owner_id = ?", ctx.account, owner.id) >= ATTACHED_PER_OWNER:
        raise errors.quota(f"PoliciesPer{owner.kind.title()}", ATTACHED_PER_OWNER)
    insert_attachment(ctx, owner, arn)
    owner_changed(ctx, owner, arn)


def insert_attachment(ctx: Context, owner: Owner, arn: str) -> None:
    """Write an attachment's row, whatever the policy."""
    ctx.tx.run(
        "INSERT INTO iam_attachment (account, owner_id, policy_arn, attached) VALUES (?, ?, ?, ?)",
        ctx.account,
        owner.id,
        arn,
        ctx.now,
    )


def _detach(ctx: Context, owner: Owner, arn: str) -> None:
    policy_arn_account(arn)
    gone = ctx.tx.run(
        "DELETE FROM iam_attachment WHERE account = ? AND owner_id = ? AND policy_arn = ?", ctx.account, owner.id, arn
    )
    if not gone:
        raise errors.policy_not_found(arn)
    owner_changed(ctx, owner, arn)


def _list(ctx: Context, owner: Owner, req: _ListRequest) -> Page:
    """In the order of attaching."""
    prefix = req.path_prefix or "/"
    rows = ctx.tx.all("SELECT attached, policy_arn FROM iam_attachment WHERE account = ? AND owner_id = ?", ctx.account, owner.id)
    found = sorted(f"{attached:020.6f}{arn}" for attached, arn in rows if _path(arn).startswith(prefix))
    page = Pager(ctx, req, owner.id, prefix).cut(found, str)
    arns = [key[20:] for key in page.items]
    return page._replace(items=[api.AttachedPolicy(policy_name=arn.rpartition("/")[2], policy_arn=arn) for arn in arns])


def _path(arn: str) -> str:
    """``/team/`` of ``arn:aws:iam::123456789012:policy/team/name``."""
    resource = arn.split(":", 5)[5].removeprefix("policy")
    return resource[: resource.rfind("/") + 1]
