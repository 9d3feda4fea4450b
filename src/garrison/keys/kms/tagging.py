"""Tags of keys: set, taken away, listed."""

from __future__ import annotations

from typing import Any

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.keys.kms import conditions, errors, items, names, states
from garrison.keys.kms.lifecycle import caller, own_key
from garrison.keys.kms.pages import Pager
from garrison.keys.kms.tags import checked_tags, put_tags


def _tags(ctx: Context, req: api.TagResourceRequest) -> dict[str, Any]:
    return {**conditions.caller(ctx), **conditions.request_tags(req.tags)}


def _tag_keys(ctx: Context, req: api.UntagResourceRequest) -> dict[str, Any]:
    return {**conditions.caller(ctx), "aws:TagKeys": tuple(req.tag_keys)}


@operation("kms", resource=own_key, context=_tags)
def tag_resource(ctx: Context, req: api.TagResourceRequest) -> None:
    """Add tags to a key, or change their values."""
    key = names.locked(ctx, req.key_id)
    states.must_not_be_pending_deletion(key)
    checked_tags(req.tags)
    put_tags(ctx.tx, key.region, key.key_id, req.tags)
    items.changed(ctx, key.region, key.key_id)


@operation("kms", resource=own_key, context=_tag_keys)
def untag_resource(ctx: Context, req: api.UntagResourceRequest) -> None:
    """Take tags from a key. One that is not there is no error. Raises TagException on ``aws:`` keys, NotFoundException."""
    key = names.locked(ctx, req.key_id)
    states.must_not_be_pending_deletion(key)
    if any(name.lower().startswith("aws:") for name in req.tag_keys):
        raise errors.reserved_tags()
    for name in req.tag_keys:
        ctx.tx.run("DELETE FROM kms_tag WHERE region = ? AND key_id = ? AND tag_key = ?", key.region, key.key_id, name)
    items.changed(ctx, key.region, key.key_id)


@operation("kms", resource=own_key, context=caller, read=True)
def list_resource_tags(ctx: Context, req: api.ListResourceTagsRequest) -> api.ListResourceTagsResponse:
    """List a key's tags, by tag key."""
    key = names.own(ctx, req.key_id).key
    pager = Pager(ctx, req, key.arn, default=50, most=50)
    page = pager.cut([pair for pair in sorted(key.tags.items()) if pair[0] > pager.after], lambda pair: pair[0])
    tags = [api.Tag(tag_key=name, tag_value=value) for name, value in page.items]
    return api.ListResourceTagsResponse(tags=tags, next_marker=page.marker, truncated=page.truncated)
