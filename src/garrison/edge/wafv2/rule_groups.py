"""Rule groups: rules that web ACLs share, in this account and in others. Their capacity is fixed when they are made."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from garrison.api import wafv2 as api
from garrison.core.context import Context
from garrison.core.operation import Target, operation
from garrison.edge.entities import Entity
from garrison.edge.wafv2 import documents, errors, store, tags
from garrison.edge.wafv2.names import checked_scope, found, named, new, referred, request_tags
from garrison.edge.wafv2.pages import Pager

USES: Final = ("ipset", "regexpatternset")
DERIVED: Final = ("Capacity", "LabelNamespace", "AvailableLabels", "ConsumedLabels")
"""Members that a request does not set, or not any more."""


def _made(ctx: Context, req: api.CreateRuleGroupRequest) -> list[Target]:
    """A rule group, and every set that its rules refer to: each needs the permission."""
    return [new("rulegroup")(ctx, req), *referred(ctx, documents.refers_to(ctx, req))]


def _changed(ctx: Context, req: api.UpdateRuleGroupRequest) -> list[Target]:
    return [named("rulegroup")(ctx, req), *referred(ctx, documents.refers_to(ctx, req))]


@operation("wafv2", resource=_made, context=request_tags, prepare=documents.prepared_rule_group)
def create_rule_group(ctx: Context, req: api.CreateRuleGroupRequest) -> api.CreateRuleGroupResponse:
    """Create a rule group, with a name that is free in this scope.

    Raises WAFInvalidParameterException, WAFNonexistentItemException (of what its rules refer to), WAFDuplicateItemException,
    WAFLimitsExceededException, WAFTagOperationException.
    """
    if req.capacity > documents.MOST:
        raise errors.limit("RULE_GROUP")
    document, targets = _checked(ctx, req, req.capacity)
    entity = store.create(ctx, "rulegroup", req.scope, req.name, document, targets)
    tags.put(ctx, entity.arn, req.tags)
    store.changed(ctx, entity)
    return api.CreateRuleGroupResponse(summary=api.RuleGroupSummary(**documents.summary(entity)))


@operation("wafv2", resource=named("rulegroup"), read=True)
def get_rule_group(ctx: Context, req: api.GetRuleGroupRequest) -> api.GetRuleGroupResponse:
    """A rule group by scope, name and id, or by its ARN; another account's where its permission policy allows it."""
    entity = found(ctx, "rulegroup", req)
    return api.GetRuleGroupResponse(rule_group=shown(entity), lock_token=entity.lock_token)


@operation("wafv2", resource=_changed, prepare=documents.prepared_rule_group)
def update_rule_group(ctx: Context, req: api.UpdateRuleGroupRequest) -> api.UpdateRuleGroupResponse:
    """Put new rules in the place of all that a group has, within the capacity that it was made with.

    Raises WAFOptimisticLockException, and as CreateRuleGroup.
    """
    entity = found(ctx, "rulegroup", req)
    store.locked(entity, req.lock_token)
    document, targets = _checked(ctx, req, entity.document["Capacity"])
    entity = store.update(ctx, entity, document, targets)
    store.changed(ctx, entity)
    return api.UpdateRuleGroupResponse(next_lock_token=entity.lock_token)


@operation("wafv2", resource=named("rulegroup"))
def delete_rule_group(ctx: Context, req: api.DeleteRuleGroupRequest) -> api.DeleteRuleGroupResponse:
    """Delete a rule group that no web ACL refers to. Raises WAFAssociatedItemException, WAFOptimisticLockException."""
    entity = found(ctx, "rulegroup", req)
    store.locked(entity, req.lock_token)
    store.delete(ctx, entity)
    return api.DeleteRuleGroupResponse()


@operation("wafv2", resource="*", read=True)
def list_rule_groups(ctx: Context, req: api.ListRuleGroupsRequest) -> api.ListRuleGroupsResponse:
    """The account's own rule groups of a scope, by name."""
    scope = checked_scope(ctx, req.scope)
    pager = Pager(ctx, req, scope)
    page, marker = pager.cut(store.listed(ctx, "rulegroup", scope, pager.after, pager.limit + 1), lambda each: each.name)
    shown_page = [api.RuleGroupSummary(**documents.summary(each)) for each in page]
    return api.ListRuleGroupsResponse(rule_groups=shown_page, next_marker=marker)


def shown(entity: Entity) -> api.RuleGroup:
    """A rule group as GetRuleGroup shows it, with the labels that its rules add and match on."""
    document = dict(entity.document)
    made = msgspec.convert(document, api.RuleGroup, strict=False)
    made.available_labels, made.consumed_labels = documents.labels(document["Rules"], document["LabelNamespace"])
    return made


def _checked(ctx: Context, req: Any, capacity: int) -> tuple[dict[str, Any], list[str]]:  # noqa: ANN401 - Create or Update
    """The document to store, and what it refers to."""
    document = {name: value for name, value in documents.of(ctx).items() if name not in DERIVED}
    if document.get("MonetizationConfig") is not None:
        raise errors.not_included()
    targets = documents.refers_to(ctx, req)
    used = documents.usable(ctx, req.scope, targets, USES)
    total = documents.cost(ctx, used, document["Rules"], "RULE_GROUP")
    if total > capacity:
        raise errors.invalid("RULE_GROUP", str(total), errors.TOO_MUCH)
    document["Capacity"] = capacity
    document["LabelNamespace"] = f"awswaf:{ctx.account}:rulegroup:{req.name}:"
    return document, targets
