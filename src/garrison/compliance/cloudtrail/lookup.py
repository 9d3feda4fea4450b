"""LookupEvents: the trail of the caller's account and Region, newest first."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from garrison.api import cloudtrail as api
from garrison.core.clock import from_iso8601
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.core.paging import page_token, read_token

_DAYS = 90
_DEFAULT = 50
_CRITERIA = {
    "EventId": "event_id",
    "EventName": "event_name",
    "Username": "user_name",
    "ResourceType": "resource_type",
    "ResourceName": "resource_name",
    "EventSource": "event_source",
    "AccessKeyId": "access_key_id",
    "ReadOnly": "read_only",
}


@operation("cloudtrail", resource="*", read=True)
def lookup_events(ctx: Context, req: api.LookupEventsRequest) -> api.LookupEventsResponse:
    """Management events of the last 90 days in this Region; global services' stand in us-east-1 (CloudTrail API reference).

    Raises InvalidNextToken on a token that was not made for this very question.
    """
    criteria = _criteria(ctx, req)
    limit = req.max_results or _DEFAULT
    scope = json.dumps(["cloudtrail", ctx.account, ctx.region, criteria], default=str)
    mac = partial(ctx.ports.sealer.mac, "page")
    if req.next_token is not None:
        try:
            criteria["after"] = json.loads(read_token(mac, scope, req.next_token))
        except ValueError:
            message = "Invalid token."
            raise api.InvalidNextTokenException(message) from None
    criteria["start"] = max(req.start_time or 0.0, ctx.now - _DAYS * 86400)
    found = ctx.ports.events.lookup(ctx.account, **criteria, limit=limit + 1)
    more = len(found) > limit
    page = found[:limit]
    token = page_token(mac, scope, json.dumps(page[-1]["position"])) if more else None
    return api.LookupEventsResponse(events=[_event(entry) for entry in page], next_token=token)


def _criteria(ctx: Context, req: api.LookupEventsRequest) -> dict[str, Any]:
    if req.event_category is not None:
        # Insights events come from an analysis that is not built: there are none, and that is said, not an empty list.
        message = "Insights events are not available: no trail of this account has Insights enabled."
        raise api.InvalidEventCategoryException(message)
    if req.start_time is not None and req.end_time is not None and req.start_time > req.end_time:
        message = "Start time must be before or equal to end time."
        raise api.InvalidTimeRangeException(message)
    attributes = req.lookup_attributes or []
    if len(attributes) > 1:
        message = "You can only specify one lookup attribute."
        raise api.InvalidLookupAttributesException(message)
    criteria: dict[str, Any] = {"region": ctx.region, "start": req.start_time, "end": req.end_time}
    for attribute in attributes:
        criteria[_CRITERIA[attribute.attribute_key]] = _value(attribute)
    return criteria


def _value(attribute: api.LookupAttribute) -> str | bool:
    value = attribute.attribute_value
    if attribute.attribute_key != "ReadOnly":
        return value
    if value not in {"true", "false"}:
        message = "The value of the ReadOnly attribute must be true or false."
        raise api.InvalidLookupAttributesException(message)
    return value == "true"


def _event(entry: dict[str, Any]) -> api.Event:
    record = entry["event"]
    return api.Event(
        event_id=record["eventID"],
        event_name=record["eventName"],
        read_only="true" if record["readOnly"] else "false",
        access_key_id=entry["access_key_id"] or None,
        event_time=from_iso8601(record["eventTime"]),
        event_source=record["eventSource"],
        username=entry["user_name"] or None,
        resources=[api.Resource(resource_type=each["type"] or None, resource_name=each["name"]) for each in entry["resources"]],
        cloud_trail_event=entry["record"],
    )
