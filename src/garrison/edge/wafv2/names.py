"""Scopes, ARNs, and on what a call acts.

Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS WAF V2".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from garrison.core.arn import parse_arn
from garrison.core.context import Context
from garrison.core.operation import Keys, Target
from garrison.core.ports import Transaction
from garrison.edge import entities
from garrison.edge.entities import Entity, Kind
from garrison.edge.wafv2 import errors
from garrison.policy import Policy, compile_policy

GLOBAL_REGION: Final = "us-east-1"
_SEGMENT: Final[Mapping[str, str]] = {"REGIONAL": "regional", "CLOUDFRONT": "global"}
_SCOPE: Final[Mapping[str, str]] = {segment: scope for scope, segment in _SEGMENT.items()}
_ENTITY: Final = re.compile(
    r"(regional|global)/(webacl|rulegroup|ipset|regexpatternset|managedruleset)/([\w-]+)/([\w-]+)", re.ASCII
)


def checked_scope(ctx: Context, scope: str) -> str:
    """The scope. Raises WAFInvalidParameterException for CLOUDFRONT outside of us-east-1, where alone it is."""
    if scope == "CLOUDFRONT" and ctx.region != GLOBAL_REGION:
        raise errors.invalid("SCOPE_VALUE", scope, errors.SCOPE)
    return scope


def entity_arn(ctx: Context, kind: Kind, scope: str, name: str, identifier: str) -> str:
    """The ARN of an entity of the caller's account."""
    segment = _SEGMENT.get(scope, scope)
    return f"arn:{ctx.partition}:wafv2:{ctx.region}:{ctx.account}:{segment}/{kind}/{name}/{identifier}"


def kind_of(arn: str) -> Kind | None:
    """The kind of entity that an ARN is of, existing or not; None for any other ARN."""
    try:
        parts = parse_arn(arn)
    except ValueError:
        return None
    found = _ENTITY.fullmatch(parts.resource) if parts.service == "wafv2" else None
    return found[2] if found is not None else None  # type: ignore[return-value] # the pattern has the five kinds


def checked_arn(arn: str, *kinds: Kind) -> str:
    """An ARN of one of these kinds. Raises WAFInvalidParameterException."""
    if kind_of(arn) not in kinds:
        raise errors.invalid("RESOURCE_ARN", arn, errors.ARN)
    return arn


def tags_of(tx: Transaction, arn: str) -> dict[str, str]:
    """The tags of an entity."""
    return dict(tx.all("SELECT tag_key, tag_value FROM waf_tag WHERE arn = ? ORDER BY tag_key", arn))


def shared(tx: Transaction, arn: str) -> Policy | None:
    """The permission policy of a rule group, compiled."""
    row = tx.one("SELECT resolved FROM waf_policy WHERE rule_group = ?", arn)
    return None if row is None else compile_policy(row[0], "resource", id=arn, name=arn)


def target(ctx: Context, arn: str) -> Target:
    """An entity by its ARN, existing or not, as authorization sees it."""
    try:
        account = parse_arn(arn).account
    except ValueError:
        account = ctx.account
    policy = shared(ctx.tx, arn) if kind_of(arn) == "rulegroup" else None
    return Target(arn=arn, account=account or ctx.account, tags=tags_of(ctx.tx, arn), policy=policy)


def new(kind: Kind) -> Callable[[Context, Any], Target]:
    """The declaration of what a Create call makes: its id is not known before."""

    def declared(ctx: Context, req: Any) -> Target:  # noqa: ANN401 - any Create request
        return Target(arn=entity_arn(ctx, kind, req.scope, req.name, "*"), account=ctx.account)

    return declared


def named(kind: Kind) -> Callable[[Context, Any], Target]:
    """The declaration of an operation that names an entity by scope, name and id, or by its ARN where it takes one."""

    def declared(ctx: Context, req: Any) -> Target:  # noqa: ANN401 - any request with these members
        return target(ctx, asked_arn(ctx, kind, req))

    return declared


def asked_arn(ctx: Context, kind: Kind, req: Any) -> str:  # noqa: ANN401 - any request with these members
    """The ARN that a request means."""
    given = getattr(req, "arn", None)
    if given:
        return str(given)
    return entity_arn(ctx, kind, req.scope or "REGIONAL", req.name or "*", req.id or "*")


def by_arn(member: str) -> Callable[[Context, Any], Target]:
    """The declaration of an operation that names an entity by the ARN in this member."""

    def declared(ctx: Context, req: Any) -> Target:  # noqa: ANN401 - any request with this member
        return target(ctx, getattr(req, member))

    return declared


def found(ctx: Context, kind: Kind, req: Any) -> Entity:  # noqa: ANN401 - any request with scope, name and id, or an ARN
    """The entity that a request names. Raises WAFNonexistentItemException, WAFInvalidParameterException."""
    given = getattr(req, "arn", None)
    if given:
        checked_arn(given, kind)
    elif not (req.name and req.scope and req.id):
        raise errors.invalid("WEB_ACL" if kind == "webacl" else "RULE_GROUP", "ARN", MISSING)
    else:
        checked_scope(ctx, req.scope)
    entity = entities.find(ctx.tx, asked_arn(ctx, kind, req))
    if entity is None or entity.region != ctx.region:
        raise errors.nonexistent()
    return entity


MISSING: Final = "You have used none or multiple values for a field that requires exactly one value."


def own(ctx: Context, arn: str, *kinds: Kind) -> Entity:
    """The entity of this ARN, which must be the caller's. Raises WAFNonexistentItemException, WAFInvalidParameterException."""
    entity = entities.find(ctx.tx, checked_arn(arn, *kinds))
    if entity is None or entity.account != ctx.account or entity.region != ctx.region:
        raise errors.nonexistent()
    return entity


def request_tags(_ctx: Context, req: Any) -> Keys:  # noqa: ANN401 - any request with tags
    """``aws:RequestTag/…`` and ``aws:TagKeys``."""
    if not req.tags:
        return {}
    return {"aws:TagKeys": [tag.key for tag in req.tags], **{f"aws:RequestTag/{tag.key}": tag.value for tag in req.tags}}


def untagged(_ctx: Context, req: Any) -> Keys:  # noqa: ANN401 - a request with the keys of tags
    """``aws:TagKeys`` of tags to take away."""
    return {"aws:TagKeys": list(req.tag_keys)}


def referred(ctx: Context, arns: Sequence[str]) -> list[Target]:
    """What rules refer to, as authorization sees it."""
    return [target(ctx, arn) for arn in arns if kind_of(arn) is not None]


def scope_of(arn: str) -> str:
    """The scope in an entity's ARN."""
    segment = parse_arn(arn).resource.partition("/")[0]
    return _SCOPE[segment]
