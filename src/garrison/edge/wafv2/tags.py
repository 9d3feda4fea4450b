"""Tags: set with an entity or later, taken away, listed. Their keys are case-sensitive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from garrison.api import wafv2 as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.edge.entities import Entity, Kind
from garrison.edge.wafv2 import errors, store
from garrison.edge.wafv2.names import by_arn, own, request_tags, tags_of, untagged
from garrison.edge.wafv2.pages import Pager

MOST: Final = 50
TAGGED: Final[tuple[Kind, ...]] = ("webacl", "rulegroup", "ipset", "regexpatternset")


def put(ctx: Context, arn: str, tags: Sequence[api.Tag] | None) -> None:
    """Set tags, over those of the same key. Raises WAFTagOperationException, WAFLimitsExceededException past 50."""
    given = tags or ()
    keys = [tag.key for tag in given]
    if any(key.lower().startswith("aws:") for key in keys):
        raise errors.tag_operation("Tag keys that begin with aws: are reserved.")
    if len(set(keys)) != len(keys):
        raise errors.tag_operation("A tag key is given more than once.")
    for tag in given:
        ctx.tx.run(
            "INSERT INTO waf_tag (arn, tag_key, tag_value) VALUES (?, ?, ?)"
            " ON CONFLICT (arn, tag_key) DO UPDATE SET tag_value = excluded.tag_value",
            arn,
            tag.key,
            tag.value,
        )
    if given and len(tags_of(ctx.tx, arn)) > MOST:
        raise errors.limit("TAG")


@operation("wafv2", resource=by_arn("resource_arn"), context=request_tags)
def tag_resource(ctx: Context, req: api.TagResourceRequest) -> api.TagResourceResponse:
    """Add tags to an entity, or change their values."""
    entity = _tagged(ctx, req.resource_arn)
    put(ctx, entity.arn, req.tags)
    store.changed(ctx, entity)
    return api.TagResourceResponse()


@operation("wafv2", resource=by_arn("resource_arn"), context=untagged)
def untag_resource(ctx: Context, req: api.UntagResourceRequest) -> api.UntagResourceResponse:
    """Take tags from an entity. One that is not there is no error."""
    entity = _tagged(ctx, req.resource_arn)
    if any(key.lower().startswith("aws:") for key in req.tag_keys):
        raise errors.tag_operation("Tag keys that begin with aws: are reserved.")
    for key in req.tag_keys:
        ctx.tx.run("DELETE FROM waf_tag WHERE arn = ? AND tag_key = ?", entity.arn, key)
    store.changed(ctx, entity)
    return api.UntagResourceResponse()


@operation("wafv2", resource=by_arn("resource_arn"), read=True)
def list_tags_for_resource(ctx: Context, req: api.ListTagsForResourceRequest) -> api.ListTagsForResourceResponse:
    """The tags of an entity, by key."""
    entity = _tagged(ctx, req.resource_arn)
    pager = Pager(ctx, req, entity.arn)
    page, marker = pager.cut(
        [pair for pair in tags_of(ctx.tx, entity.arn).items() if pair[0] > pager.after], lambda pair: pair[0]
    )
    tags = [api.Tag(key=key, value=value) for key, value in page]
    shown = api.TagInfoForResource(resource_arn=entity.arn, tag_list=tags)
    return api.ListTagsForResourceResponse(tag_info_for_resource=shown, next_marker=marker)


def _tagged(ctx: Context, arn: str) -> Entity:
    return own(ctx, arn, *TAGGED)
