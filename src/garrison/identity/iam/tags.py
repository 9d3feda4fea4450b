"""Tag, untag and list the tags of users, roles and customer managed policies."""

from __future__ import annotations

from collections.abc import Mapping

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.iam import managed
from garrison.identity.iam.items import policy_changed, role_changed, user_changed
from garrison.identity.iam.pages import Page, Pager, PageRequest
from garrison.identity.iam.policies import own_policy
from garrison.identity.iam.rows import policy_arn_account, role_named, user_named, writable_role
from garrison.identity.iam.tagging import listing_order, put_tags, remove_tags, tag_list, tags_of
from garrison.identity.iam.targets import policy_target, request_tags, role_target, tag_keys, user_target, written_policy


@operation("iam", resource=user_target, context=request_tags)
def tag_user(ctx: Context, req: api.TagUserRequest) -> None:
    """Set tags of a user. Raises NoSuchEntity, InvalidInput (a key twice), LimitExceeded (50)."""
    row = user_named(ctx.tx, ctx.account, req.user_name)
    put_tags(ctx.tx, ctx.account, row.id, req.tags)
    user_changed(ctx, row)


@operation("iam", resource=role_target, context=request_tags)
def tag_role(ctx: Context, req: api.TagRoleRequest) -> None:
    """Set tags of a role. Raises NoSuchEntity, UnmodifiableEntity, InvalidInput (a key twice), LimitExceeded (50)."""
    row = writable_role(ctx.tx, ctx.account, req.role_name)
    put_tags(ctx.tx, ctx.account, row.id, req.tags)
    role_changed(ctx, row)


@operation("iam", resource=written_policy, context=request_tags)
def tag_policy(ctx: Context, req: api.TagPolicyRequest) -> None:
    """Set tags of a customer managed policy. Raises NoSuchEntity, InvalidInput (a key twice), LimitExceeded (50)."""
    row = own_policy(ctx, req.policy_arn)
    put_tags(ctx.tx, ctx.account, row.id, req.tags)
    policy_changed(ctx, row)


@operation("iam", resource=user_target, context=tag_keys)
def untag_user(ctx: Context, req: api.UntagUserRequest) -> None:
    """Take tags off a user. Raises NoSuchEntity."""
    row = user_named(ctx.tx, ctx.account, req.user_name)
    remove_tags(ctx.tx, ctx.account, row.id, req.tag_keys)
    user_changed(ctx, row)


@operation("iam", resource=role_target, context=tag_keys)
def untag_role(ctx: Context, req: api.UntagRoleRequest) -> None:
    """Take tags off a role. Raises NoSuchEntity, UnmodifiableEntity."""
    row = writable_role(ctx.tx, ctx.account, req.role_name)
    remove_tags(ctx.tx, ctx.account, row.id, req.tag_keys)
    role_changed(ctx, row)


@operation("iam", resource=written_policy, context=tag_keys)
def untag_policy(ctx: Context, req: api.UntagPolicyRequest) -> None:
    """Take tags off a customer managed policy. Raises NoSuchEntity."""
    row = own_policy(ctx, req.policy_arn)
    remove_tags(ctx.tx, ctx.account, row.id, req.tag_keys)
    policy_changed(ctx, row)


@operation("iam", resource=user_target, read=True)
def list_user_tags(ctx: Context, req: api.ListUserTagsRequest) -> api.ListUserTagsResponse:
    """The tags of a user by key. Raises NoSuchEntity."""
    page = _list(ctx, user_named(ctx.tx, ctx.account, req.user_name).id, req)
    return api.ListUserTagsResponse(tags=page.items, is_truncated=page.truncated, marker=page.marker)


@operation("iam", resource=role_target, read=True)
def list_role_tags(ctx: Context, req: api.ListRoleTagsRequest) -> api.ListRoleTagsResponse:
    """The tags of a role by key. Raises NoSuchEntity."""
    page = _list(ctx, role_named(ctx.tx, ctx.account, req.role_name).id, req)
    return api.ListRoleTagsResponse(tags=page.items, is_truncated=page.truncated, marker=page.marker)


@operation("iam", resource=policy_target, read=True)
def list_policy_tags(ctx: Context, req: api.ListPolicyTagsRequest) -> api.ListPolicyTagsResponse:
    """The tags of a managed policy; AWS's own have none. Raises NoSuchEntity."""
    if policy_arn_account(req.policy_arn) == "aws" and managed.find(req.policy_arn):
        return api.ListPolicyTagsResponse(tags=[], is_truncated=False)
    page = _list(ctx, own_policy(ctx, req.policy_arn).id, req)
    return api.ListPolicyTagsResponse(tags=page.items, is_truncated=page.truncated, marker=page.marker)


def _list(ctx: Context, resource_id: str, req: PageRequest) -> Page:
    tags: Mapping[str, str] = tags_of(ctx.tx, ctx.account, resource_id)
    return Pager(ctx, req, resource_id).cut(tag_list(tags), lambda tag: listing_order(resource_id, tag.key))
