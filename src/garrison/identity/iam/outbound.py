"""Outbound identity federation: an account's own issuer of tokens, switched on and off.

Source: IAM API Reference, EnableOutboundWebIdentityFederation, DisableOutboundWebIdentityFederation and
GetOutboundWebIdentityFederationInfo; IAM User Guide, "Getting started with outbound identity federation".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import PREPARED, operation
from garrison.core.ports import NewTokenKey, TokenKeys
from garrison.identity.iam.items import account_changed
from garrison.identity.iam.targets import anything
from garrison.identity.outbound import ALGORITHMS, PATH, find, put_key

_ENABLED = "Outbound web identity federation is already enabled for this account."
_DISABLED = "Outbound web identity federation is not enabled for this account."


def _new_keys(ctx: Context, _req: object) -> Callable[[], dict[str, NewTokenKey]] | None:
    """The first time there are keys to make, beside the event loop."""
    if find(ctx.tx, ctx.account) is not None:
        return None
    return partial(_make, ctx.ports.tokens, ctx.account)


def _make(tokens: TokenKeys, account: str) -> dict[str, NewTokenKey]:
    return {algorithm: tokens.make(algorithm, account) for algorithm in ALGORITHMS}


@operation("iam", resource=anything, prepare=_new_keys)
def enable_outbound_web_identity_federation(ctx: Context, _req: object) -> api.EnableOutboundWebIdentityFederationResponse:
    """Let the account's principals get tokens. Its issuer is made once and stays. Raises FeatureEnabled."""
    known = find(ctx.tx, ctx.account)
    if known is not None and known.enabled:
        raise api.FeatureEnabledException(_ENABLED)
    if known is None:
        issuer_id = ctx.uuid()
        made = ctx.scratch[PREPARED] if PREPARED in ctx.scratch else _make(ctx.ports.tokens, ctx.account)
        for algorithm, key in made.items():
            put_key(ctx.tx, ctx.account, algorithm, key, ctx.now)
        sql = "INSERT INTO iam_outbound_federation (account, issuer_id, issuer, enabled, created) VALUES (?, ?, ?, 1, ?)"
        issuer = f"{_base(ctx)}{PATH}{issuer_id}"
        ctx.tx.run(sql, ctx.account, issuer_id, issuer, ctx.now)
    else:
        issuer = f"{_base(ctx)}{PATH}{known.issuer_id}"
        ctx.tx.run("UPDATE iam_outbound_federation SET enabled = 1, issuer = ? WHERE account = ?", issuer, ctx.account)
    _changed(ctx, issuer, enabled=True)
    return api.EnableOutboundWebIdentityFederationResponse(issuer_identifier=issuer)


def _base(ctx: Context) -> str:
    """Where others find the issuer: as the settings say, else where this call came to."""
    return ctx.ports.public_url or f"{'https' if ctx.call.secure else 'http'}://{ctx.call.host}"


@operation("iam", resource=anything)
def disable_outbound_web_identity_federation(ctx: Context, _req: object) -> None:
    """No new tokens; those that are out stay valid until they end, and verifiable. Raises FeatureDisabled."""
    known = find(ctx.tx, ctx.account)
    if known is None or not known.enabled:
        raise api.FeatureDisabledException(_DISABLED)
    ctx.tx.run("UPDATE iam_outbound_federation SET enabled = 0 WHERE account = ?", ctx.account)
    _changed(ctx, known.issuer, enabled=False)


@operation("iam", resource=anything, read=True)
def get_outbound_web_identity_federation_info(ctx: Context, _req: object) -> api.GetOutboundWebIdentityFederationInfoResponse:
    """The account's issuer. Raises FeatureDisabled."""
    known = find(ctx.tx, ctx.account)
    if known is None or not known.enabled:
        raise api.FeatureDisabledException(_DISABLED)
    return api.GetOutboundWebIdentityFederationInfoResponse(issuer_identifier=known.issuer, jwt_vending_enabled=True)


def _changed(ctx: Context, issuer: str, *, enabled: bool) -> None:
    account_changed(ctx, {"OutboundWebIdentityFederation": {"IssuerIdentifier": issuer, "JwtVendingEnabled": enabled}})
