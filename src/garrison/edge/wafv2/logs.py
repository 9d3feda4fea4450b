"""Logging configurations: where the records of a web ACL go, which of them, and what they do not show.

Source: AWS WAF API reference, PutLoggingConfiguration; AWS WAF Developer Guide, "Managing logging for a web ACL".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from garrison.api import wafv2 as api
from garrison.core.context import Context
from garrison.core.operation import Check, Keys, Target, operation
from garrison.edge import entities
from garrison.edge.destinations import destination
from garrison.edge.entities import CHANGED
from garrison.edge.wafv2 import errors, store
from garrison.edge.wafv2.names import by_arn, checked_scope, own, target
from garrison.edge.wafv2.pages import Pager

Document = Mapping[str, Any]
CUSTOMER: Final = "CUSTOMER"
REDACTABLE: Final = frozenset({"UriPath", "QueryString", "SingleHeader", "Method"})
FILTERS: Final = 20
"""Filters, and conditions of one, that a configuration may have."""
EXACTLY_ONE: Final = "You have used none or multiple values for a field that requires exactly one value."


def _acl(ctx: Context, req: api.PutLoggingConfigurationRequest) -> Target:
    return target(ctx, req.logging_configuration.resource_arn)


def _put_keys(_ctx: Context, req: api.PutLoggingConfigurationRequest) -> Keys:
    config = req.logging_configuration
    return {"wafv2:LogDestinationResource": config.log_destination_configs[0], "wafv2:LogScope": config.log_scope or CUSTOMER}


def _scope_key(_ctx: Context, req: Any) -> Keys:  # noqa: ANN401 - any request with a log scope
    return {"wafv2:LogScope": req.log_scope or CUSTOMER}


def _delivery(ctx: Context, req: api.PutLoggingConfigurationRequest) -> Sequence[Check]:
    """Whoever lets records into a bucket changes that bucket's policy."""
    arn = req.logging_configuration.log_destination_configs[0]
    if not arn.startswith(f"arn:{ctx.partition}:s3:::"):
        return ()
    bucket = Target(arn=arn.partition("/")[0], account=ctx.account)
    return tuple(Check(action, bucket) for action in ("s3:PutBucketPolicy", "s3:GetBucketPolicy"))


@operation("wafv2", resource=_acl, context=_put_keys, checks=_delivery)
def put_logging_configuration(ctx: Context, req: api.PutLoggingConfigurationRequest) -> api.PutLoggingConfigurationResponse:
    """Say where the records of a web ACL go, in the place of what was said before.

    Raises WAFNonexistentItemException, WAFInvalidParameterException, WAFInvalidOperationException (a scope of another service),
    WAFLogDestinationPermissionIssueException (a bucket or stream that is not there).
    """
    config = req.logging_configuration
    acl = own(ctx, config.resource_arn, "webacl")
    if (config.log_scope or CUSTOMER) != CUSTOMER:
        raise errors.invalid_operation("Only the service that a log scope is named after manages configurations of it.")
    document: dict[str, Any] = msgspec.to_builtins(config)
    document |= {"LogType": config.log_type or "WAF_LOGS", "LogScope": CUSTOMER, "ManagedByFirewallManager": False}
    _check(document)
    _check_destination(ctx, config.log_destination_configs)
    ctx.tx.run(
        "INSERT INTO waf_logging (web_acl, log_scope, account, region, scope, document) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (web_acl, log_scope) DO UPDATE SET document = excluded.document",
        *(acl.arn, CUSTOMER, acl.account, acl.region, acl.scope, json.dumps(document)),
    )
    _changed(ctx, acl)
    return api.PutLoggingConfigurationResponse(logging_configuration=_shown(document))


@operation("wafv2", resource=by_arn("resource_arn"), context=_scope_key, read=True)
def get_logging_configuration(ctx: Context, req: api.GetLoggingConfigurationRequest) -> api.GetLoggingConfigurationResponse:
    """The logging configuration of a web ACL. Raises WAFNonexistentItemException where it has none."""
    acl = own(ctx, req.resource_arn, "webacl")
    row = ctx.tx.one("SELECT document FROM waf_logging WHERE web_acl = ? AND log_scope = ?", acl.arn, req.log_scope or CUSTOMER)
    if row is None:
        raise errors.nonexistent()
    return api.GetLoggingConfigurationResponse(logging_configuration=_shown(json.loads(row[0])))


@operation("wafv2", resource=by_arn("resource_arn"), context=_scope_key)
def delete_logging_configuration(
    ctx: Context, req: api.DeleteLoggingConfigurationRequest
) -> api.DeleteLoggingConfigurationResponse:
    """Let no more records of a web ACL be written. Raises WAFNonexistentItemException."""
    acl = own(ctx, req.resource_arn, "webacl")
    gone = "DELETE FROM waf_logging WHERE web_acl = ? AND log_scope = ?"
    if not ctx.tx.run(gone, acl.arn, req.log_scope or CUSTOMER):
        raise errors.nonexistent()
    _changed(ctx, acl)
    return api.DeleteLoggingConfigurationResponse()


@operation("wafv2", resource="*", context=_scope_key, read=True)
def list_logging_configurations(ctx: Context, req: api.ListLoggingConfigurationsRequest) -> api.ListLoggingConfigurationsResponse:
    """The logging configurations of a scope's web ACLs, by the web ACL's ARN."""
    scope = checked_scope(ctx, req.scope)
    log_scope = req.log_scope or CUSTOMER
    pager = Pager(ctx, req, scope, log_scope)
    rows = ctx.tx.all(
        "SELECT web_acl, document FROM waf_logging WHERE account = ? AND region = ? AND scope = ? AND log_scope = ?"
        " AND web_acl > ? ORDER BY web_acl LIMIT ?",
        *(ctx.account, ctx.region, scope, log_scope, pager.after),
        pager.limit + 1,
    )
    page, marker = pager.cut(rows, lambda row: str(row[0]))
    shown = [_shown(json.loads(row[1])) for row in page]
    return api.ListLoggingConfigurationsResponse(logging_configurations=shown, next_marker=marker)


def _shown(document: Document) -> api.LoggingConfiguration:
    return msgspec.convert(dict(document), api.LoggingConfiguration)


def _changed(ctx: Context, acl: entities.Entity) -> None:
    """Inspectors read the configuration with the web ACL."""
    ctx.tx.changed(CHANGED, acl.arn)
    store.changed(ctx, acl)


def _check(document: Document) -> None:
    for each in document.get("RedactedFields") or ():
        if len(each) != 1:
            raise errors.invalid("FIELD_TO_MATCH", "FieldToMatch", EXACTLY_ONE)
        if next(iter(each)) not in REDACTABLE:
            reason = "The URI path, the query string, the method and single headers can be redacted."
            raise errors.invalid("FIELD_TO_MATCH", next(iter(each)), reason)
    filters = (document.get("LoggingFilter") or {}).get("Filters") or ()
    if len(filters) > FILTERS or any(len(each["Conditions"]) > FILTERS for each in filters):
        raise errors.invalid("LOGGING_FILTER", "Filters", f"There can be {FILTERS} filters with {FILTERS} conditions each.")
    for condition in (one for each in filters for one in each["Conditions"]):
        if len(condition) != 1:
            raise errors.invalid("FILTER_CONDITION", "Condition", EXACTLY_ONE)


def _check_destination(ctx: Context, arns: Sequence[str]) -> None:
    if len(arns) != 1:
        raise errors.invalid("LOG_DESTINATION", "LogDestinationConfigs", "A web ACL has one log destination.")
    try:
        found = destination(arns[0])
    except ValueError:
        raise errors.invalid("LOG_DESTINATION", arns[0], errors.ARN) from None
    if found.kind in {"bucket", "stream"}:
        # Neither service is here: nothing of either exists to write to.
        raise errors.log_destination()
    if (found.account, found.region) != (ctx.account, ctx.region):
        raise errors.invalid("LOG_DESTINATION", arns[0], errors.ARN)
