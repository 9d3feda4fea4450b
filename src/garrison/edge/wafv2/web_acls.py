"""Web ACLs: made, read, changed, deleted, listed. A change is under a new lock token, and live in inspectors at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from garrison.api import wafv2 as api
from garrison.core.context import Context
from garrison.core.operation import Target, operation
from garrison.edge import entities
from garrison.edge.entities import Entity
from garrison.edge.wafv2 import documents, protections, store, tags
from garrison.edge.wafv2.names import by_arn, checked_scope, found, named, new, own, referred, request_tags
from garrison.edge.wafv2.pages import Pager

USES: Final = ("ipset", "regexpatternset", "rulegroup")


def _made(ctx: Context, req: api.CreateWebACLRequest) -> list[Target]:
    """A web ACL, and everything that its rules refer to: each needs the permission."""
    return [new("webacl")(ctx, req), *_referred(ctx, req)]


def _changed(ctx: Context, req: api.UpdateWebACLRequest) -> list[Target]:
    return [named("webacl")(ctx, req), *_referred(ctx, req)]


def _referred(ctx: Context, req: api.CreateWebACLRequest | api.UpdateWebACLRequest) -> list[Target]:
    arns = documents.refers_to(ctx, req)
    return [*referred(ctx, arns), *_managed(ctx, req.scope, ctx.scratch["wafv2:managed"])]


def _managed(ctx: Context, scope: str, specs: Sequence[documents.Document]) -> list[Target]:
    """Managed rule groups, each once: ``managedruleset/NAME/VENDOR``."""
    segment = "global" if scope == "CLOUDFRONT" else "regional"
    names = dict.fromkeys((spec["Name"], spec["VendorName"]) for spec in specs)
    prefix = f"arn:{ctx.partition}:wafv2:{ctx.region}:{ctx.account}:{segment}/managedruleset"
    return [Target(arn=f"{prefix}/{name}/{vendor}", account=ctx.account) for name, vendor in names]


@operation("wafv2", resource=_made, context=request_tags, prepare=documents.prepared_web_acl)
def create_web_acl(ctx: Context, req: api.CreateWebACLRequest) -> api.CreateWebACLResponse:
    """Create a web ACL, with a name that is free in this scope.

    Raises WAFInvalidParameterException, WAFNonexistentItemException (of what its rules refer to), WAFDuplicateItemException,
    WAFLimitsExceededException, WAFTagOperationException.
    """
    document, targets = _checked(ctx, req)
    entity = store.create(ctx, "webacl", req.scope, req.name, document, targets)
    tags.put(ctx, entity.arn, req.tags)
    store.changed(ctx, entity)
    return api.CreateWebACLResponse(summary=api.WebACLSummary(**documents.summary(entity)))


@operation("wafv2", resource=named("webacl"), read=True)
def get_web_acl(ctx: Context, req: api.GetWebACLRequest) -> api.GetWebACLResponse:
    """A web ACL by scope, name and id, or by its ARN. Raises WAFNonexistentItemException."""
    entity = found(ctx, "webacl", req)
    return api.GetWebACLResponse(web_acl=shown(entity), lock_token=entity.lock_token)


@operation("wafv2", resource=_changed, prepare=documents.prepared_web_acl)
def update_web_acl(ctx: Context, req: api.UpdateWebACLRequest) -> api.UpdateWebACLResponse:
    """Put new settings in the place of all that a web ACL has.

    Raises WAFOptimisticLockException, and as CreateWebACL.
    """
    entity = found(ctx, "webacl", req)
    store.locked(entity, req.lock_token)
    document, targets = _checked(ctx, req)
    entity = store.update(ctx, entity, document, targets)
    store.changed(ctx, entity)
    return api.UpdateWebACLResponse(next_lock_token=entity.lock_token)


@operation("wafv2", resource=named("webacl"))
def delete_web_acl(ctx: Context, req: api.DeleteWebACLRequest) -> api.DeleteWebACLResponse:
    """Delete a web ACL that protects nothing. Raises WAFAssociatedItemException, WAFOptimisticLockException."""
    entity = found(ctx, "webacl", req)
    store.locked(entity, req.lock_token)
    store.delete(ctx, entity)
    return api.DeleteWebACLResponse()


@operation("wafv2", resource="*", read=True)
def list_web_acls(ctx: Context, req: api.ListWebACLsRequest) -> api.ListWebACLsResponse:
    """The web ACLs of a scope, by name."""
    scope = checked_scope(ctx, req.scope)
    pager = Pager(ctx, req, scope)
    rows = store.listed(ctx, "webacl", scope, pager.after, pager.limit + 1)
    page, marker = pager.cut(rows, lambda each: each.name)
    return api.ListWebACLsResponse(web_acls=[api.WebACLSummary(**documents.summary(each)) for each in page], next_marker=marker)


@operation("wafv2", resource=by_arn("web_acl_arn"))
def delete_firewall_manager_rule_groups(
    ctx: Context, req: api.DeleteFirewallManagerRuleGroupsRequest
) -> api.DeleteFirewallManagerRuleGroupsResponse:
    """Take the rule groups of Firewall Manager out of a web ACL. Nothing here puts any in, so there are none to take out.

    Raises WAFOptimisticLockException, WAFNonexistentItemException.
    """
    entity = own(ctx, req.web_acl_arn, "webacl")
    store.locked(entity, req.web_acl_lock_token)
    entity = store.update(ctx, entity, entity.document, entities.targets(ctx.tx, entity.arn))
    store.changed(ctx, entity)
    return api.DeleteFirewallManagerRuleGroupsResponse(next_web_acl_lock_token=entity.lock_token)


def shown(entity: Entity) -> api.WebACL:
    """A web ACL as GetWebACL shows it."""
    return msgspec.convert(dict(entity.document), api.WebACL, strict=False)


def _checked(ctx: Context, req: Any) -> tuple[dict[str, Any], list[str]]:  # noqa: ANN401 - CreateWebACL or UpdateWebACL
    """The document to store, and what it refers to."""
    document = documents.of(ctx)
    protections.check(req.scope, document)
    targets = documents.refers_to(ctx, req)
    used = documents.usable(ctx, req.scope, targets, USES)
    documents.check_managed(document["Rules"])
    documents.check_whole(ctx, {"Name": req.name, **document}, used)
    document["Capacity"] = documents.cost(ctx, used, document["Rules"], "WEB_ACL")
    document["LabelNamespace"] = f"awswaf:{ctx.account}:webacl:{req.name}:"
    document["ManagedByFirewallManager"] = False
    document["RetrofittedByFirewallManager"] = False
    return document, targets
