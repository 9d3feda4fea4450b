"""Operations on what only AWS has: each answers what is true here, that there is none, and that what is named does not exist.

They are of products of the AWS Marketplace's vendors, releases of the mobile SDK, payments for access, and analyses of API
traffic.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from garrison.api import wafv2 as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.edge.wafv2 import errors
from garrison.edge.wafv2.names import by_arn, checked_scope, named, own, target
from garrison.edge.wafv2.pages import Pager

NOTHING: Final = "0"
"""An amount of money."""


def _none(ctx: Context, req: Any, *filters: object) -> None:  # noqa: ANN401 - any list request
    """An empty list has no second page: no marker is one of it. Raises WAFInvalidParameterException."""
    Pager(ctx, req, *filters)


# Managed rule sets are what vendors of the Marketplace publish. No account here is one.


@operation("wafv2", resource="*", read=True)
def list_managed_rule_sets(ctx: Context, req: api.ListManagedRuleSetsRequest) -> api.ListManagedRuleSetsResponse:
    """The managed rule sets that the account offers as a vendor: none."""
    _none(ctx, req, checked_scope(ctx, req.scope))
    return api.ListManagedRuleSetsResponse(managed_rule_sets=[])


@operation("wafv2", resource=named("managedruleset"), read=True)
def get_managed_rule_set(ctx: Context, req: api.GetManagedRuleSetRequest) -> NoReturn:
    """Raises WAFNonexistentItemException: the account is no vendor and has no managed rule set."""
    checked_scope(ctx, req.scope)
    raise errors.nonexistent()


def _set_and_groups(ctx: Context, req: api.PutManagedRuleSetVersionsRequest) -> Any:  # noqa: ANN401 - a list of targets
    published = [each.associated_rule_group_arn for each in (req.versions_to_publish or {}).values()]
    return [named("managedruleset")(ctx, req), *(target(ctx, arn) for arn in published if arn is not None)]


@operation("wafv2", resource=_set_and_groups)
def put_managed_rule_set_versions(ctx: Context, req: api.PutManagedRuleSetVersionsRequest) -> NoReturn:
    """Raises WAFNonexistentItemException: the account is no vendor and has no managed rule set."""
    checked_scope(ctx, req.scope)
    raise errors.nonexistent()


@operation("wafv2", resource=named("managedruleset"))
def update_managed_rule_set_version_expiry_date(ctx: Context, req: api.UpdateManagedRuleSetVersionExpiryDateRequest) -> NoReturn:
    """Raises WAFNonexistentItemException: the account is no vendor and has no managed rule set."""
    checked_scope(ctx, req.scope)
    raise errors.nonexistent()


# The mobile SDK is AWS's own program, which only AWS hands out.


@operation("wafv2", resource="*", read=True)
def list_mobile_sdk_releases(ctx: Context, req: api.ListMobileSdkReleasesRequest) -> api.ListMobileSdkReleasesResponse:
    """The releases of the mobile SDK that are here: none."""
    _none(ctx, req, req.platform)
    return api.ListMobileSdkReleasesResponse(release_summaries=[])


@operation("wafv2", resource="*", read=True)
def get_mobile_sdk_release(ctx: Context, req: api.GetMobileSdkReleaseRequest) -> NoReturn:  # noqa: ARG001 - of every release
    """Raises WAFNonexistentItemException: no release of the mobile SDK is here."""
    raise errors.nonexistent()


@operation("wafv2", resource="*", read=True)
def generate_mobile_sdk_release_url(
    ctx: Context,  # noqa: ARG001 - of every release
    req: api.GenerateMobileSdkReleaseUrlRequest,  # noqa: ARG001 - the same
) -> NoReturn:
    """Raises WAFNonexistentItemException: no release of the mobile SDK is here."""
    raise errors.nonexistent()


# Nobody pays here: web ACLs that ask for it are refused, so no money was ever taken.


def _window(req: Any) -> None:  # noqa: ANN401 - any request with a time window
    if req.time_window.start_time > req.time_window.end_time:
        raise errors.invalid("MONETIZATION_CONFIG", "TimeWindow", "The time window must end after it starts.")


@operation("wafv2", resource="*", read=True)
def get_revenue_statistics(ctx: Context, req: api.GetRevenueStatisticsRequest) -> api.GetRevenueStatisticsResponse:
    """Which sources or paths brought most money: none did."""
    _window(req)
    _none(ctx, req, checked_scope(ctx, req.scope), req.statistic_type)
    if req.statistic_type == "TOP_PATHS_BY_REVENUE":
        return api.GetRevenueStatisticsResponse(revenue_path_statistics=[])
    return api.GetRevenueStatisticsResponse(source_statistics=[])


@operation("wafv2", resource="*", read=True)
def get_revenue_statistics_summary(
    ctx: Context, req: api.GetRevenueStatisticsSummaryRequest
) -> api.GetRevenueStatisticsSummaryResponse:
    """How much was paid: nothing."""
    _window(req)
    checked_scope(ctx, req.scope)
    breakdown = api.RevenueBreakdown(
        total_amount=NOTHING,
        verified_amount=NOTHING,
        unverified_amount=NOTHING,
        currency=req.currency,
        total_settled=0,
        total_monetize_served=0,
    )
    return api.GetRevenueStatisticsSummaryResponse(revenue_breakdown=breakdown)


@operation("wafv2", resource="*", read=True)
def get_revenue_statistics_time_series(
    ctx: Context, req: api.GetRevenueStatisticsTimeSeriesRequest
) -> api.GetRevenueStatisticsTimeSeriesResponse:
    """When how much was paid: never anything."""
    _window(req)
    _none(ctx, req, checked_scope(ctx, req.scope), req.statistic_type)
    return api.GetRevenueStatisticsTimeSeriesResponse(data_points=[])


@operation("wafv2", resource="*", read=True)
def list_settlement_records(ctx: Context, req: api.ListSettlementRecordsRequest) -> api.ListSettlementRecordsResponse:
    """The payments: none."""
    _window(req)
    _none(ctx, req, checked_scope(ctx, req.scope))
    return api.ListSettlementRecordsResponse(settlements=[])


# API security events are found by an analysis of AWS's across Regions. Web ACLs that ask for it are refused.


@operation("wafv2", resource="*", read=True)
def list_events(ctx: Context, req: api.ListEventsRequest) -> api.ListEventsResponse:
    """The API security events of a scope: none, as nothing looks for any."""
    _none(ctx, req, checked_scope(ctx, req.scope))
    return api.ListEventsResponse(events=[])


@operation("wafv2", resource=by_arn("web_acl_arn"), read=True)
def list_events_by_web_acl(ctx: Context, req: api.ListEventsByWebACLRequest) -> api.ListEventsByWebACLResponse:
    """The same of one web ACL. Raises WAFNonexistentItemException where there is no such web ACL."""
    acl = own(ctx, req.web_acl_arn, "webacl")
    _none(ctx, req, checked_scope(ctx, req.scope), acl.arn)
    return api.ListEventsByWebACLResponse(events=[])


@operation("wafv2", resource=by_arn("web_acl_arn"), read=True)
def get_event(ctx: Context, req: api.GetEventRequest) -> NoReturn:
    """Raises WAFNonexistentItemException: there is no event."""
    own(ctx, req.web_acl_arn, "webacl")
    raise errors.nonexistent()


@operation("wafv2", resource="*", read=True)
def list_event_actors(ctx: Context, req: api.ListEventActorsRequest) -> api.ListEventActorsResponse:
    """Who made API security events: nobody."""
    _window(req)
    _none(ctx, req, checked_scope(ctx, req.scope))
    return api.ListEventActorsResponse(event_actors=[])


@operation("wafv2", resource="*", read=True)
def get_event_actor(ctx: Context, req: api.GetEventActorRequest) -> NoReturn:
    """Raises WAFNonexistentItemException: there is no actor."""
    checked_scope(ctx, req.scope)
    raise errors.nonexistent()
