"""GetDelegatedAccessToken: a partner trades in the token that a customer released to it.

Source: STS API Reference, GetDelegatedAccessToken; IAM User Guide, "Exchange Tokens". A token may be traded in until the access
ends, each time for a session that ends then; the operator may have a partner's tokens be good for one trade.
"""

from __future__ import annotations

from typing import NoReturn

from garrison.api import sts as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.ids import secret_access_key
from garrison.core.operation import operation
from garrison.identity.delegation import exchange, requests
from garrison.identity.delegation.requests import RequestRow
from garrison.identity.sts.sessions import mint, packed_percentage

_EXPIRED = (
    "The trade-in token provided in the request has expired and can no longer be exchanged for credentials."
    " Request a new token and retry the operation."
)


@operation("sts", resource="*")
def get_delegated_access_token(ctx: Context, req: api.GetDelegatedAccessTokenRequest) -> api.GetDelegatedAccessTokenResponse:
    """Credentials of the identity that accepted, bounded by what the request asked for, until the delegation ends.

    Raises AccessDenied, the same one for a token of nobody, of another account, of a revoked delegation, of an identity that is
    gone and for a second trade where one is all; ExpiredTradeInToken, PackedPolicyTooLarge.
    """
    try:
        traded = exchange.open_token(ctx.ports.sealer, req.trade_in_token, ctx.account)
    except exchange.BadTokenError:
        _refuse()
    row = requests.find(ctx.tx, traded.request_id)
    if ctx.now >= traded.ends:
        raise api.ExpiredTradeInTokenException(_EXPIRED)
    if row is None or not _is_good(ctx, row, req.trade_in_token) or not requests.trade(ctx.tx, row):
        _refuse()
    grant = exchange.delegated_grant(row, secret_access_key(ctx.random))
    packed_percentage((*grant.policies, *grant.scopes), grant.policy_arns, grant.tags)
    credentials = mint(ctx, grant)
    return api.GetDelegatedAccessTokenResponse(credentials=credentials, assumed_principal=_principal(ctx, credentials))


def _is_good(ctx: Context, row: RequestRow, token: str) -> bool:
    released = row.state == "FINALIZED" and row.requestor == ctx.account and not row.revoked
    return released and exchange.is_its_token(ctx.ports.sealer, row, token)


def _principal(ctx: Context, credentials: api.Credentials) -> str:
    """Whose session it is; nobody's any more where the identity that accepted is gone."""
    try:
        found = ctx.ports.principals.credential(credentials.access_key_id, credentials.session_token, ctx.now)
    except CommonError:
        _refuse()
    arn: str = found.principal.arn
    return arn


def _refuse() -> NoReturn:
    message = "The trade-in token is not valid for this account."
    raise CommonError("access_denied", message)
