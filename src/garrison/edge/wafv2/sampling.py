"""What inspectors saw: sampled requests, limited addresses, and which paths bots ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final

import msgspec

from garrison.api import wafv2 as api
from garrison.core.context import Context
from garrison.core.operation import Target, operation
from garrison.edge import entities, samples
from garrison.edge.entities import Entity
from garrison.edge.inspect.rates import rule_id
from garrison.edge.inspect.verdict import DEFAULT_ACTION
from garrison.edge.wafv2 import errors
from garrison.edge.wafv2.names import by_arn, entity_arn, own, target
from garrison.edge.wafv2.pages import Pager

Document = Mapping[str, Any]
ADDRESSED: Final = frozenset({"IP", "FORWARDED_IP"})


@operation("wafv2", resource=by_arn("web_acl_arn"), read=True)
def get_sampled_requests(ctx: Context, req: api.GetSampledRequestsRequest) -> api.GetSampledRequestsResponse:
    """Some of the requests that a rule matched within the last three hours, chosen at random.

    The rule goes by its metric; ``Default_Action`` are the requests that no rule decided on, ``ALL`` or the web ACL's own metric
    all of them. Raises WAFNonexistentItemException, WAFInvalidParameterException (a window that is none).
    """
    acl = own(ctx, req.web_acl_arn, "webacl")
    if acl.scope != req.scope:
        raise errors.nonexistent()
    start, end = _window(ctx, req.time_window, samples.KEPT)
    metrics = _metrics(acl.document)
    whole = acl.document["VisibilityConfig"]["MetricName"] == req.rule_metric_name not in metrics
    asked = samples.ALL if whole else req.rule_metric_name
    population, kept = samples.sampled(ctx.tx, acl.arn, asked, (start, end))
    if not population and asked not in metrics:
        raise errors.nonexistent()
    chosen = _chosen(ctx, kept, req.max_items)
    return api.GetSampledRequestsResponse(
        sampled_requests=msgspec.convert(chosen, list[api.SampledHTTPRequest], strict=False),
        population_size=population,
        time_window=api.TimeWindow(start_time=start, end_time=end),
    )


def _acl_of_rule(ctx: Context, req: api.GetRateBasedStatementManagedKeysRequest) -> Target:
    return target(ctx, _named_acl(ctx, req))


@operation("wafv2", resource=_acl_of_rule, read=True)
def get_rate_based_statement_managed_keys(
    ctx: Context, req: api.GetRateBasedStatementManagedKeysRequest
) -> api.GetRateBasedStatementManagedKeysResponse:
    """The addresses that a rate-based rule limits at this moment, at most 10,000.

    Raises WAFNonexistentItemException, WAFUnsupportedAggregateKeyTypeException where the rule aggregates on something else.
    """
    acl = own(ctx, _named_acl(ctx, req), "webacl")
    owner, rule = _rate_based(ctx, acl, req.rule_name, req.rule_group_rule_name)
    spec = rule["Statement"]["RateBasedStatement"]
    if spec["AggregateKeyType"] not in ADDRESSED:
        raise errors.unsupported_keys()
    found = samples.limited(ctx.tx, rule_id(owner, rule["Name"], spec), ctx.now)
    by_version = {4: "IPV4", 6: "IPV6"}
    sets = {
        version: api.RateBasedStatementManagedKeysIPSet(
            ip_address_version=name,
            addresses=[f"{each}/{32 if version == 4 else 128}" for each in found if ip_address(each).version == version],
        )
        for version, name in by_version.items()
    }
    return api.GetRateBasedStatementManagedKeysResponse(managed_keys_ipv4=sets[4], managed_keys_ipv6=sets[6])


@operation("wafv2", resource=by_arn("web_acl_arn"), read=True)
def get_top_path_statistics_by_traffic(
    ctx: Context, req: api.GetTopPathStatisticsByTrafficRequest
) -> api.GetTopPathStatisticsByTrafficResponse:
    """The paths that bots ask for most, and which bots ask for each; those of one path's beginning, or of some bots, if asked.

    Counted by the hour, and kept for 14 days. Raises WAFNonexistentItemException, WAFInvalidParameterException.
    """
    acl = own(ctx, req.web_acl_arn, "webacl")
    if acl.scope != req.scope:
        raise errors.nonexistent()
    window = _window(ctx, req.time_window, samples.PATHS_KEPT)
    wanted = (req.bot_category, req.bot_organization, req.bot_name)
    prefix = req.uri_path_prefix or "/"
    counted = [each for each in samples.paths(ctx.tx, acl.arn, window) if each.bot or each.category]
    counted = [each for each in counted if each.path.startswith(prefix) and _is_wanted(each, wanted)]
    total = sum(each.requests for each in counted)
    pager = Pager(ctx, req, acl.arn, window, wanted, prefix)
    ranked = _ranked(counted)
    after = int(pager.after or 0)
    end = after + pager.limit
    page, marker = ranked[after:end], pager.marker(str(end)) if len(ranked) > end else None
    return api.GetTopPathStatisticsByTrafficResponse(
        path_statistics=[_statistics(path, bots, total, req.number_of_top_traffic_bots_per_path) for path, bots in page],
        total_request_count=total,
        next_marker=marker,
        top_categories=_categories(counted, total),
    )


def _named_acl(ctx: Context, req: api.GetRateBasedStatementManagedKeysRequest) -> str:
    return entity_arn(ctx, "webacl", req.scope, req.web_acl_name, req.web_acl_id)


def _window(ctx: Context, window: api.TimeWindow, kept: int) -> tuple[float, float]:
    """Start and end, as far as anything is kept. Raises WAFInvalidParameterException where there is nothing between them."""
    start, end = max(window.start_time, ctx.now - kept), min(window.end_time, ctx.now)
    if window.start_time > window.end_time or window.end_time < ctx.now - kept or window.start_time > ctx.now:
        reason = f"The time window must end after it starts, and be within the last {kept // 3600} hours."
        raise errors.invalid("STATEMENT", "TimeWindow", reason)
    return start, end


def _metrics(document: Document) -> set[str]:
    """Every metric that a web ACL can have."""
    visible = [rule.get("VisibilityConfig") or {} for rule in document["Rules"]]
    return {DEFAULT_ACTION, samples.ALL, *(each["MetricName"] for each in visible)}


def _chosen(ctx: Context, kept: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """At most so many, at random, in the order of their times."""
    if len(kept) <= most:
        return list(kept)
    drawn = sorted(range(len(kept)), key=lambda _: ctx.random(8))[:most]
    scale = len(kept) / most
    return [{**kept[index], "Weight": max(1, round(kept[index]["Weight"] * scale))} for index in sorted(drawn)]


def _rate_based(ctx: Context, acl: Entity, name: str, group_rule: str | None) -> tuple[str, Document]:
    """The owner of a rule's counters, and the rule: of the web ACL, or of the group that its ``group_rule`` refers to."""
    if group_rule is None:
        return acl.arn, _rule(acl.document, name, "RateBasedStatement")
    arn = _rule(acl.document, group_rule, "RuleGroupReferenceStatement")["Statement"]["RuleGroupReferenceStatement"]["ARN"]
    group = entities.find(ctx.tx, arn)
    if group is None:
        raise errors.nonexistent()
    return f"{acl.arn} {arn}", _rule(group.document, name, "RateBasedStatement")


def _rule(document: Document, name: str, statement: str) -> Document:
    for rule in document["Rules"]:
        if rule["Name"] == name and statement in rule["Statement"]:
            found: Document = rule
            return found
    raise errors.nonexistent()


def _is_wanted(count: samples.PathCount, wanted: tuple[str | None, ...]) -> bool:
    has = (count.category, count.organization, count.bot)
    return all(want is None or want == have for want, have in zip(wanted, has, strict=True))


def _ranked(counted: Sequence[samples.PathCount]) -> list[tuple[str, dict[str, int]]]:
    """Paths with the requests of each bot, the most requested first."""
    found: dict[str, dict[str, int]] = {}
    for each in counted:
        bots = found.setdefault(each.path, {})
        name = each.bot or each.category
        bots[name] = bots.get(name, 0) + each.requests
    return sorted(found.items(), key=lambda item: (-sum(item[1].values()), item[0]))


def _share(part: int, whole: int) -> float:
    return round(100.0 * part / whole, 2) if whole else 0.0


def _statistics(path: str, bots: Mapping[str, int], total: int, most: int) -> api.PathStatistics:
    requests = sum(bots.values())
    ranked = sorted(bots.items(), key=lambda item: (-item[1], item[0]))[:most]
    return api.PathStatistics(
        path=path,
        request_count=requests,
        percentage=_share(requests, total),
        top_bots=[
            api.BotStatistics(bot_name=name, request_count=count, percentage=_share(count, requests)) for name, count in ranked
        ],
    )


def _categories(counted: Sequence[samples.PathCount], total: int) -> list[api.PathStatistics]:
    """The categories of bots, each with the path that it asks for most."""
    return list(_by_category(counted, total))


def _by_category(counted: Sequence[samples.PathCount], total: int) -> Iterator[api.PathStatistics]:
    names = sorted({each.category for each in counted if each.category})
    for name in names:
        own_counts = [each for each in counted if each.category == name]
        path, bots = _ranked(own_counts)[0]
        source = api.FilterSource(bot_category=name)
        requests = sum(bots.values())
        yield api.PathStatistics(source=source, path=path, request_count=requests, percentage=_share(requests, total))
