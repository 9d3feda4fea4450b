"""The last successful cryptographic operation of each key.

A use costs its call one entry in memory; workers write what they saw once a second. Source: KMS API Reference, "GetKeyLastUsage".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.keys.kms import names
from garrison.keys.kms.lifecycle import caller, own_key
from garrison.keys.kms.live_uses import Use

Req = TypeVar("Req")
Res = TypeVar("Res")
_KEYS = ("key_id", "source_key_id")
"""The members of answers that name keys."""
_MIGRATION = 24
"""Since when uses are tracked."""


def tracked(handler: Callable[[Context, Req], Res]) -> Callable[[Context, Req], Res]:
    """Note each success of a cryptographic operation, for the keys that its answer names."""

    @wraps(handler)
    def run(ctx: Context, req: Req) -> Res:
        result = handler(ctx, req)
        use = Use(ctx.operation, ctx.now, ctx.event_id(), ctx.request_id)
        for arn in {getattr(result, "key_id", None), getattr(result, "source_key_id", None)} - {None}:
            names.live_keys(ctx).uses.note(ctx.region, str(arn).rpartition("/")[2], use)
        return result

    return run


@operation("kms", resource=own_key, context=caller, read=True)
def get_key_last_usage(ctx: Context, req: api.GetKeyLastUsageRequest) -> api.GetKeyLastUsageResponse:
    """Tell when a key was last used, and for what; of a multi-Region key each Region for itself."""
    key = names.own(ctx, req.key_id).key
    use = names.live_keys(ctx).uses.newest(ctx.tx, key.region, key.key_id)
    row = ctx.tx.one("SELECT applied_at FROM migration WHERE number = ?", _MIGRATION)
    return api.GetKeyLastUsageResponse(
        key_id=key.key_id,
        key_last_usage=api.KeyLastUsageData() if use is None else _shown(use),
        tracking_start_date=max(key.created_at, float(row[0]) if row is not None else 0.0),
        key_creation_date=key.created_at,
    )


def _shown(use: Use) -> api.KeyLastUsageData:
    return api.KeyLastUsageData(
        operation=use.operation, timestamp=use.at, cloud_trail_event_id=use.event_id, kms_request_id=use.request_id
    )
