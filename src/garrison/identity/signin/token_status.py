"""Refresh tokens as an API: whether one is good, and ending its session. For services of the account, not for the clients.

Sources: AWS Sign-In API Reference, IntrospectOAuth2TokenWithIAM and RevokeOAuth2TokenWithIAM; RFC 7662; RFC 7009.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrison.api import signin as api
from garrison.core.context import Context
from garrison.core.operation import Keys, Target, operation
from garrison.identity.signin import refresh, sessions
from garrison.identity.signin.clients import CLIENTS
from garrison.identity.signin.sessions import Session

_Request = api.IntrospectOAuth2TokenWithIAMRequest | api.RevokeOAuth2TokenWithIAMRequest


def _session(ctx: Context, token: str) -> tuple[Session, bool] | None:
    """The session of a token of the caller's account, and whether the token is its present one; None for any other text."""
    told = refresh.unseal(ctx.ports.sealer, token)
    found = sessions.find(ctx.tx, told.session_id) if told is not None else None
    if told is None or found is None or found.account != ctx.account:
        return None
    return found, told.is_present(found, ctx.now)


def client_target(ctx: Context, req: _Request) -> Target:
    """The client that has the token; any of them where it is none of ours."""
    found = _session(ctx, req.token)
    client = CLIENTS[found[0].client] if found is not None else next(iter(CLIENTS.values()))
    return client.target(ctx.region, ctx.account)


def introspect_keys(ctx: Context, req: api.IntrospectOAuth2TokenWithIAMRequest) -> Keys:
    """Condition keys (service authorization reference for AWS Signin)."""
    found = _session(ctx, req.token)
    keys = {"signin:OAuthTokenType": "refresh_token" if req.token.startswith(refresh.PREFIX) else "access_token"}
    return keys if found is None else {**keys, "signin:OAuthClientId": found[0].client}


def revoke_keys(_ctx: Context, _req: api.RevokeOAuth2TokenWithIAMRequest) -> Keys:
    """The same."""
    return {"signin:OAuthTokenType": "refresh_token"}


def nothing_on_record(_req: _Request) -> Mapping[str, Any]:
    """The request is the token alone."""
    return {}


@operation(
    "signin",
    action="signin:IntrospectOAuth2Token",
    resource=client_target,
    context=introspect_keys,
    read=True,
    audit_request=nothing_on_record,
)
def introspect_oauth2_token_with_iam(
    ctx: Context, req: api.IntrospectOAuth2TokenWithIAMRequest
) -> api.IntrospectOAuth2TokenWithIAMResponse:
    """Whether a token is good, and whose it is; of one that is not, nothing else is told."""
    found = _session(ctx, req.token)
    if found is None or not found[1] or sessions.over(ctx.tx, found[0], ctx.now):
        return api.IntrospectOAuth2TokenWithIAMResponse(active=False)
    session = found[0]
    issued = int(session.rotated_at)
    return api.IntrospectOAuth2TokenWithIAMResponse(
        active=True,
        client_id=session.client,
        user_id=_user_id(session),
        token_type="refresh_token",  # noqa: S106 - the type's name
        exp=int(session.expires_at),
        iat=issued,
        nbf=issued,
        sub=_subject(session),
        iss="signin.amazonaws.com",
        jti=f"{session.session_id}.{session.generation}",
        account_id=session.account,
        signin_session=session.arn,
    )


def _user_id(session: Session) -> str:
    """As sts:GetCallerIdentity tells it."""
    name = session.name.rpartition("/")[2]
    if session.owner_id.startswith("AROA"):
        return f"{session.owner_id}:{name}"
    return f"{session.account}:{name}" if session.stands_for is not None else session.owner_id


def _subject(session: Session) -> str:
    """The caller's ARN: of a role, its session's."""
    is_role = session.owner_id.startswith("AROA")
    return f"arn:aws:sts::{session.account}:assumed-role/{session.name}" if is_role else session.principal_arn


@operation(
    "signin", action="signin:RevokeOAuth2Token", resource=client_target, context=revoke_keys, audit_request=nothing_on_record
)
def revoke_oauth2_token_with_iam(ctx: Context, req: api.RevokeOAuth2TokenWithIAMRequest) -> api.RevokeOAuth2TokenWithIAMResponse:
    """End the session of a refresh token. A token that is none, or not good any more, is answered the same (RFC 7009, 2.2)."""
    found = _session(ctx, req.token)
    if found is not None:
        sessions.end(ctx.tx, found[0].session_id, sessions.EXPIRED, ctx.now)
    return api.RevokeOAuth2TokenWithIAMResponse()
