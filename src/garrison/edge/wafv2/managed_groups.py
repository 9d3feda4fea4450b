"""Managed rule groups, as they can be looked at before a web ACL uses them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from garrison.api import wafv2 as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.edge.inspect.managed.names import DEFAULT_VERSION, DESCRIPTIONS, VENDOR
from garrison.edge.wafv2 import documents, errors
from garrison.edge.wafv2.names import checked_scope
from garrison.edge.wafv2.pages import Pager

ADVANCED: Final = frozenset(
    {
        "AWSManagedRulesACFPRuleSet",
        "AWSManagedRulesATPRuleSet",
        "AWSManagedRulesAntiDDoSRuleSet",
        "AWSManagedRulesBotControlRuleSet",
    }
)
"""Groups with settings of their own (``ManagedRuleGroupConfigs``)."""
IMPORTED: Final = "Rules that were imported from a directory of the operator."


@operation("wafv2", resource="*", read=True)
def list_available_managed_rule_groups(
    ctx: Context, req: api.ListAvailableManagedRuleGroupsRequest
) -> api.ListAvailableManagedRuleGroupsResponse:
    """The managed rule groups, by name."""
    pager = Pager(ctx, req, checked_scope(ctx, req.scope))
    imported = {each.name: each for each in documents.catalog().imported}
    names = sorted({*documents.catalog().names, *imported})
    page, marker = pager.cut([name for name in names if name > pager.after], str)
    shown = [
        api.ManagedRuleGroupSummary(
            vendor_name=imported[name].vendor if name in imported else VENDOR,
            name=name,
            versioning_supported=name not in imported,
            description=DESCRIPTIONS.get(name, IMPORTED),
        )
        for name in page
    ]
    return api.ListAvailableManagedRuleGroupsResponse(managed_rule_groups=shown, next_marker=marker)


@operation("wafv2", resource="*", read=True)
def list_available_managed_rule_group_versions(
    ctx: Context, req: api.ListAvailableManagedRuleGroupVersionsRequest
) -> api.ListAvailableManagedRuleGroupVersionsResponse:
    """The versions of a managed rule group, oldest first, and the one that a web ACL gets that names none.

    Raises WAFNonexistentItemException.
    """
    pager = Pager(ctx, req, checked_scope(ctx, req.scope), req.vendor_name, req.name)
    group = documents.managed_group(req.vendor_name, req.name)
    versions = documents.catalog().versions(req.name) if req.vendor_name == VENDOR else (group.version,)
    page, marker = pager.cut([name for name in versions if name > pager.after], str)
    shown = [api.ManagedRuleGroupVersion(name=name) for name in page]
    default = DEFAULT_VERSION if req.vendor_name == VENDOR else group.version
    return api.ListAvailableManagedRuleGroupVersionsResponse(versions=shown, current_default_version=default, next_marker=marker)


@operation("wafv2", resource="*", read=True)
def describe_managed_rule_group(ctx: Context, req: api.DescribeManagedRuleGroupRequest) -> api.DescribeManagedRuleGroupResponse:
    """A version of a managed rule group: its capacity, its rules with their actions, and labels.

    Raises WAFNonexistentItemException.
    """
    checked_scope(ctx, req.scope)
    group = documents.managed_group(req.vendor_name, req.name, req.version_name)
    added, consumed = documents.labels(group.rules, group.label_namespace)
    rules = [api.RuleSummary(name=rule["Name"], action=msgspec.convert(rule["Action"], api.RuleAction)) for rule in group.rules]
    return api.DescribeManagedRuleGroupResponse(
        version_name=group.version,
        capacity=group.capacity,
        rules=rules,
        label_namespace=group.label_namespace,
        available_labels=added,
        consumed_labels=consumed,
    )


@operation("wafv2", resource="*", read=True)
def describe_all_managed_products(
    ctx: Context, req: api.DescribeAllManagedProductsRequest
) -> api.DescribeAllManagedProductsResponse:
    """What the managed rule groups are for."""
    checked_scope(ctx, req.scope)
    return api.DescribeAllManagedProductsResponse(managed_products=list(_products()))


@operation("wafv2", resource="*", read=True)
def describe_managed_products_by_vendor(
    ctx: Context, req: api.DescribeManagedProductsByVendorRequest
) -> api.DescribeManagedProductsByVendorResponse:
    """The same of one vendor. Raises WAFInvalidParameterException for one that offers nothing."""
    checked_scope(ctx, req.scope)
    if req.vendor_name != VENDOR:
        raise errors.invalid("MANAGED_RULE_SET", req.vendor_name, "The vendor offers no managed rule groups.")
    return api.DescribeManagedProductsByVendorResponse(managed_products=list(_products()))


def _products() -> Iterator[api.ManagedProductDescriptor]:
    for name in sorted(documents.catalog().names):
        yield api.ManagedProductDescriptor(
            vendor_name=VENDOR,
            managed_rule_set_name=name,
            product_title=name,
            product_description=DESCRIPTIONS[name],
            is_versioning_supported=True,
            is_advanced_managed_rule_set=name in ADVANCED,
        )
