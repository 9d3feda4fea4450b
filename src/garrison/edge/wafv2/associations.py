"""Associations: which resource is protected by which web ACL. A listener of the proxy stands as a load balancer.

Source: AWS WAF API reference, AssociateWebACL: it needs the permission on the web ACL and on the resource, and the resource's
service's own permission to set a web ACL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from garrison.api import wafv2 as api
from garrison.core.arn import parse_arn
from garrison.core.context import ConfigurationItem, Context
from garrison.core.operation import Check, Target, operation
from garrison.core.ports import Transaction
from garrison.edge import entities, listeners
from garrison.edge.entities import CHANGED
from garrison.edge.wafv2 import errors, store
from garrison.edge.wafv2.names import by_arn, own, target
from garrison.edge.wafv2.web_acls import shown

BALANCER: Final = "APPLICATION_LOAD_BALANCER"
GATEWAY: Final = "API_GATEWAY"


def _first_account(tx: Transaction) -> str:
    """The account that the installation began with: Garrison's own API is its resource, though the ARN names no account."""
    row = tx.one("SELECT id FROM account ORDER BY created_at LIMIT 1")
    return str(row[0]) if row is not None else ""


def _resource(ctx: Context, arn: str) -> Target:
    """What is to be protected, existing or not, as authorization sees it."""
    try:
        account = parse_arn(arn).account
    except ValueError:
        account = ctx.account
    return Target(arn=arn, account=account or _first_account(ctx.tx) or ctx.account)


def _both(ctx: Context, req: api.AssociateWebACLRequest) -> list[Target]:
    return [target(ctx, req.web_acl_arn), _resource(ctx, req.resource_arn)]


def _one(ctx: Context, req: api.DisassociateWebACLRequest) -> Target:
    return _resource(ctx, req.resource_arn)


def _and_its_acl(ctx: Context, req: api.GetWebACLForResourceRequest) -> list[Target]:
    acl = attached(ctx.tx, req.resource_arn)
    return [_resource(ctx, req.resource_arn), *([target(ctx, acl)] if acl is not None else [])]


def _set_web_acl(ctx: Context, req: api.AssociateWebACLRequest | api.DisassociateWebACLRequest) -> Sequence[Check]:
    """The permission of the resource's own service."""
    service = {"elasticloadbalancing": "elasticloadbalancing", "apigateway": "apigateway"}.get(_service(req.resource_arn))
    return (Check(f"{service}:SetWebACL", _resource(ctx, req.resource_arn)),) if service else ()


def _service(arn: str) -> str:
    try:
        return parse_arn(arn).service
    except ValueError:
        return ""


def attached(tx: Transaction, resource: str) -> str | None:
    """The ARN of a resource's web ACL."""
    row = tx.one("SELECT web_acl FROM waf_association WHERE resource = ?", resource)
    return None if row is None else str(row[0])


@operation("wafv2", resource=_both, checks=_set_web_acl)
def associate_web_acl(ctx: Context, req: api.AssociateWebACLRequest) -> api.AssociateWebACLResponse:
    """Protect a resource by a web ACL, in the place of the one that it has.

    Raises WAFNonexistentItemException, WAFInvalidParameterException (a web ACL for CloudFront, a resource of another Region).
    """
    acl = own(ctx, req.web_acl_arn, "webacl")
    if acl.scope != "REGIONAL":
        raise errors.invalid("SCOPE_VALUE", acl.scope, errors.SCOPE)
    kind = _existing(ctx, req.resource_arn)
    before = attached(ctx.tx, req.resource_arn)
    ctx.tx.run(
        "INSERT INTO waf_association (resource, web_acl, type, created) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (resource) DO UPDATE SET web_acl = excluded.web_acl, created = excluded.created",
        req.resource_arn,
        acl.arn,
        kind,
        ctx.now,
    )
    ctx.tx.changed(CHANGED, req.resource_arn)
    _told(ctx, before if before != acl.arn else None)
    store.changed(ctx, acl)
    return api.AssociateWebACLResponse()


@operation("wafv2", resource=_one, checks=_set_web_acl)
def disassociate_web_acl(ctx: Context, req: api.DisassociateWebACLRequest) -> api.DisassociateWebACLResponse:
    """Let a resource be protected by no web ACL. Raises WAFNonexistentItemException for a resource that is not there."""
    before = attached(ctx.tx, req.resource_arn)
    if before is None:
        _existing(ctx, req.resource_arn)
        return api.DisassociateWebACLResponse()
    _release(ctx.tx, req.resource_arn)
    _told(ctx, before)
    return api.DisassociateWebACLResponse()


def _release(tx: Transaction, resource: str) -> None:
    tx.run("DELETE FROM waf_association WHERE resource = ?", resource)
    tx.changed(CHANGED, resource)


def release(tx: Transaction, resource: str) -> ConfigurationItem | None:
    """Take a resource's web ACL away in the name of whoever owns the state; the web ACL's new item, None where it had none.

    For an operator whose own web ACL lets nobody call ``DisassociateWebACL`` any more.
    """
    entity = entities.find(tx, attached(tx, resource) or "")
    if entity is None:
        return None
    _release(tx, resource)
    tx.changed(CHANGED, entity.arn)
    return store.item(tx, entity)


def of_the_api(tx: Transaction) -> list[str]:
    """The ARNs of Garrison's own API that have a web ACL: one for each Region in which it was given one."""
    rows = tx.all("SELECT resource FROM waf_association WHERE type = ? ORDER BY resource", GATEWAY)
    return [row[0] for row in rows]


@operation("wafv2", resource=_and_its_acl, read=True)
def get_web_acl_for_resource(ctx: Context, req: api.GetWebACLForResourceRequest) -> api.GetWebACLForResourceResponse:
    """The web ACL of a resource; none where it has none. Raises WAFNonexistentItemException for a resource that is not there."""
    arn = attached(ctx.tx, req.resource_arn)
    if arn is None:
        _existing(ctx, req.resource_arn)
    entity = entities.find(ctx.tx, arn) if arn is not None else None
    return api.GetWebACLForResourceResponse(web_acl=shown(entity) if entity is not None else None)


@operation("wafv2", resource=by_arn("web_acl_arn"), read=True)
def list_resources_for_web_acl(ctx: Context, req: api.ListResourcesForWebACLRequest) -> api.ListResourcesForWebACLResponse:
    """The resources of one type that a web ACL protects: load balancers where the request names no type."""
    acl = own(ctx, req.web_acl_arn, "webacl")
    rows = ctx.tx.all(
        "SELECT resource FROM waf_association WHERE web_acl = ? AND type = ? ORDER BY resource",
        acl.arn,
        req.resource_type or BALANCER,
    )
    return api.ListResourcesForWebACLResponse(resource_arns=[row[0] for row in rows])


def _existing(ctx: Context, arn: str) -> str:
    """The type of a resource that can be protected here.

    Raises WAFInvalidParameterException for what is no ARN, WAFNonexistentItemException for what is not there.
    """
    if not _service(arn):
        raise errors.invalid("RESOURCE_ARN", arn, errors.ARN)
    parts = parse_arn(arn)
    if parts.region != ctx.region:
        raise errors.nonexistent()
    if listeners.is_api(arn) and ctx.account == _first_account(ctx.tx):
        return GATEWAY
    if parts.account == ctx.account and listeners.find(ctx.tx, arn) is not None:
        return BALANCER
    raise errors.nonexistent()


def _told(ctx: Context, arn: str | None) -> None:
    """The web ACL that a resource had has one resource less."""
    entity = entities.find(ctx.tx, arn) if arn is not None else None
    if entity is not None:
        store.changed(ctx, entity)
