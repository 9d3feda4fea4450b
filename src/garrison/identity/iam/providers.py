"""What the operations on identity providers share: on what they act, and what their changes leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from garrison.api import iam as api
from garrison.core.context import ConfigurationItem, Context
from garrison.core.operation import Target
from garrison.identity.federation.providers import ProviderArn, parse_provider_arn
from garrison.identity.iam import errors
from garrison.identity.iam.pages import Page, Pager, PageRequest
from garrison.identity.iam.tagging import listing_order, put_tags, remove_tags, tag_list, tags_of

PROVIDERS_PER_ACCOUNT = 100
NO_PROPAGATION = "Trusted identity propagation needs IAM Identity Center, which Garrison does not have."


def provider_target(ctx: Context, arn: str) -> Target:
    """A provider, by its ARN. Raises InvalidInput, ValidationError for what is no ARN."""
    if parse_provider_arn(arn) is None:
        raise errors.arn_not_valid(arn)
    tags = tags_of(ctx.tx, ctx.account, arn)
    return Target(arn, ctx.account, tags=tags, keys={f"iam:ResourceTag/{key}": value for key, value in tags.items()})


def every_provider(ctx: Context, _req: object) -> Target:
    """Lists know no resource."""
    return Target("*", ctx.account, denied_on="on resource: *")


def own_name(ctx: Context, arn: str, kind: str) -> str:
    """The name in the ARN of a provider of this account and kind; empty where it is another's."""
    named = parse_provider_arn(arn) or ProviderArn("", "", "")
    return named.name if (named.account, named.kind) == (ctx.account, kind) else ""


def refuse_propagation(*members: object) -> None:
    """Raises InvalidInput where a request asks for trusted identity propagation."""
    if any(member is not None for member in members):
        raise api.InvalidInputException(NO_PROPAGATION)


def changed(ctx: Context, kind: str, arn: str, configuration: Mapping[str, Any] | None) -> None:
    """A provider was made or changed, or is gone (None). ``kind``: ``OIDCProvider``, ``SAMLProvider``."""
    item = ConfigurationItem(
        type=f"AWS::IAM::{kind}",
        id=arn,
        arn=arn,
        account=ctx.account,
        region="global",
        name=arn.partition("-provider/")[2],
        tags=tags_of(ctx.tx, ctx.account, arn) if configuration is not None else {},
        configuration=configuration or {},
        deleted=configuration is None,
    )
    ctx.changed(item)


def first_tags(ctx: Context, arn: str, tags: Sequence[api.Tag] | None) -> list[api.Tag] | None:
    """Set the tags of a new provider; how the answer shows them. Raises InvalidInput, LimitExceeded."""
    put_tags(ctx.tx, ctx.account, arn, tags or [])
    return tag_list(tags_of(ctx.tx, ctx.account, arn)) or None


def add_tags(ctx: Context, arn: str, tags: Sequence[api.Tag]) -> None:
    """Set tags. Raises InvalidInput, LimitExceeded."""
    put_tags(ctx.tx, ctx.account, arn, tags)


def take_tags(ctx: Context, arn: str, keys: Sequence[str]) -> None:
    """Take tags away."""
    remove_tags(ctx.tx, ctx.account, arn, keys)


def listed_tags(ctx: Context, arn: str, req: PageRequest) -> Page:
    """A page of tags."""
    tags = tag_list(tags_of(ctx.tx, ctx.account, arn))
    return Pager(ctx, req, arn).cut(tags, lambda tag: listing_order(arn, tag.key))


def count_providers(ctx: Context, table: str) -> int:
    """How many an account has."""
    row = ctx.tx.one(f"SELECT COUNT(*) FROM {table} WHERE account = ?", ctx.account)  # noqa: S608 - this package's own tables
    return int(row[0]) if row else 0
