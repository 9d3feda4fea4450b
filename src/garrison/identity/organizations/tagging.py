"""TagResource, UntagResource, ListTagsForResource: tags of roots, units, accounts, policies, resource policies and transfers."""

from __future__ import annotations

from collections.abc import Sequence

from garrison.api import organizations as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.organizations import access, errors, items
from garrison.identity.organizations.pages import Pager
from garrison.identity.organizations.rows import OrganizationRow, find_account, find_policy, find_unit
from garrison.identity.organizations.targets import tagged, tagging, transfer_arn, untagging

LIMIT = 50
"""Tags of one resource."""


@operation("organizations", resource=tagged, context=tagging)
def tag_resource(ctx: Context, req: api.TagResourceRequest) -> None:
    """Set tags. Raises TargetNotFound, InvalidInput (a key twice, AWS's own keys), ConstraintViolation (50)."""
    row = access.administrator(ctx)
    _existing(ctx, row, req.resource_id)
    put_tags(ctx, row, req.resource_id, req.tags)
    _changed(ctx, row, req.resource_id)


@operation("organizations", resource=tagged, context=untagging)
def untag_resource(ctx: Context, req: api.UntagResourceRequest) -> None:
    """Take tags away; a key that is not there is no error. Raises TargetNotFound."""
    row = access.administrator(ctx)
    _existing(ctx, row, req.resource_id)
    for key in req.tag_keys:
        ctx.tx.run("DELETE FROM org_tag WHERE organization = ? AND resource_id = ? AND tag_key = ?", row.id, req.resource_id, key)
    _changed(ctx, row, req.resource_id)


@operation("organizations", resource=tagged, read=True)
def list_tags_for_resource(ctx: Context, req: api.ListTagsForResourceRequest) -> api.ListTagsForResourceResponse:
    """The tags of a resource by key. Raises TargetNotFound."""
    row = access.administrator(ctx)
    _existing(ctx, row, req.resource_id)
    found = [api.Tag(key=key, value=value) for key, value in items.tags_of(ctx.tx, row.id, req.resource_id).items()]
    page = Pager(ctx, req, req.resource_id).cut(found, lambda tag: tag.key)
    return api.ListTagsForResourceResponse(tags=page.items, next_token=page.token)


def put_tags(ctx: Context, row: OrganizationRow, resource: str, tags: Sequence[api.Tag] | None) -> None:
    """Set tags of something that is known to exist. Raises InvalidInput, ConstraintViolation."""
    checked_tags(tags)
    for tag in tags or ():
        ctx.tx.run("DELETE FROM org_tag WHERE organization = ? AND resource_id = ? AND tag_key = ?", row.id, resource, tag.key)
        ctx.tx.run(
            "INSERT INTO org_tag (organization, resource_id, tag_key, tag_value) VALUES (?, ?, ?, ?)",
            row.id,
            resource,
            tag.key,
            tag.value,
        )
    if len(items.tags_of(ctx.tx, row.id, resource)) > LIMIT:
        raise _too_many()


def checked_tags(tags: Sequence[api.Tag] | None) -> None:
    """Raises InvalidInput on a key given twice or of AWS's own, ConstraintViolation past 50."""
    keys = [tag.key for tag in tags or ()]
    if len(set(keys)) != len(keys):
        raise errors.invalid("DUPLICATE_TAG_KEY", "Tag keys must be unique among the tags attached to the same entity.")
    if any(key.lower().startswith("aws:") for key in keys):
        message = "You specified a tag key that is a system tag. You can't add, edit, or delete system tag keys."
        raise errors.invalid("INVALID_SYSTEM_TAGS_PARAMETER", message)
    if len(keys) > LIMIT:
        raise _too_many()


def drop_tags(ctx: Context, organization: str, resource: str) -> None:
    """Take all tags of something that is gone."""
    ctx.tx.run("DELETE FROM org_tag WHERE organization = ? AND resource_id = ?", organization, resource)


def _too_many() -> api.ConstraintViolationException:
    return errors.constraint("MAX_TAG_LIMIT_EXCEEDED", "You have exceeded the number of tags allowed on this resource.")


def _existing(ctx: Context, row: OrganizationRow, resource: str) -> None:
    if not _exists(ctx, row, resource):
        raise errors.target_not_found()


def _exists(ctx: Context, row: OrganizationRow, resource: str) -> bool:
    if resource.startswith("r-"):
        return resource == row.root
    if resource.startswith("ou-"):
        return find_unit(ctx.tx, row.id, resource) is not None
    if resource.startswith("rp-"):
        own = "SELECT policy_id FROM org_resource_policy WHERE organization = ? AND policy_id = ?"
        return ctx.tx.one(own, row.id, resource) is not None
    if resource.startswith("rt-"):
        mine = (
            "SELECT transfer_id FROM org_transfer WHERE transfer_id = ? AND (source_organization = ? OR target_organization = ?)"
        )
        return ctx.tx.one(mine, resource, row.id, row.id) is not None
    if resource.startswith("p-"):
        policy = find_policy(ctx.tx, row.id, resource)
        return policy is not None and not policy.aws_managed
    return find_account(ctx.tx, row.id, resource) is not None


def _changed(ctx: Context, row: OrganizationRow, resource: str) -> None:
    """The item of a resource whose tags changed; it exists."""
    if resource.startswith("r-"):
        items.root_changed(ctx, row)
    elif unit := find_unit(ctx.tx, row.id, resource):
        items.unit_changed(ctx, row, unit)
    elif policy := find_policy(ctx.tx, row.id, resource):
        items.policy_changed(ctx, row, policy)
    elif account := find_account(ctx.tx, row.id, resource):
        items.account_changed(ctx, row, account)
    elif found := ctx.tx.one(
        "SELECT content FROM org_resource_policy WHERE organization = ? AND policy_id = ?", row.id, resource
    ):
        items.resource_policy_changed(ctx, row, resource, found[0])
    else:
        arn, _ = transfer_arn(ctx, row, resource)
        items.transfer_changed(ctx, arn, {"Id": resource}, items.tags_of(ctx.tx, row.id, resource))
