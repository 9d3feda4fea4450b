"""CheckCapacity: what rules would cost."""

from __future__ import annotations

from typing import Final

from garrison.api import wafv2 as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.edge import entities, live
from garrison.edge.inspect import InvalidParameter, capacity, check_rules, references
from garrison.edge.wafv2 import documents, errors
from garrison.edge.wafv2.web_acls import USES

_USED: Final = "wafv2:capacity"


def _look_up(ctx: Context, req: api.CheckCapacityRequest) -> bool:
    """Find what the rules refer to; then the rest, which compiles regular expressions, runs beside the loop."""
    rules = documents.rules_of(req)
    used = documents.usable(ctx, req.scope, references(rules), USES)
    if any(each.account != ctx.account for each in used.values()):
        raise errors.nonexistent()
    ctx.scratch[_USED] = rules, {**used, **entities.closure(ctx.tx, list(used))}
    return True


@operation("wafv2", resource="*", read=True, beside=_look_up)
def check_capacity(ctx: Context, req: api.CheckCapacityRequest) -> api.CheckCapacityResponse:  # noqa: ARG001 - read by _look_up
    """The web ACL capacity units of rules.

    Raises WAFInvalidParameterException, WAFNonexistentItemException (of what they refer to), WAFLimitsExceededException (rules).
    """
    rules, used = ctx.scratch[_USED]
    documents.check_managed(rules)
    try:
        check_rules(rules, "WEB_ACL")
        return api.CheckCapacityResponse(capacity=capacity(rules, live.of(used, documents.catalog())))
    except InvalidParameter as error:
        raise errors.refused(error) from error
