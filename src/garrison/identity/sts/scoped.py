"""GetScopedCredentials: the caller's own session with fewer permissions, a shorter life, or both.

Source: STS API Reference, GetScopedCredentials; IAM User Guide, "Permissions for GetScopedCredentials": who the session is stays
as it is, and what it may do is what it could do before and each scope down policy allows. Nothing widens it again.
"""

from __future__ import annotations

from dataclasses import fields

from garrison.api import sts as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.ids import secret_access_key
from garrison.core.operation import operation
from garrison.core.principal import Session
from garrison.identity.sts.sessions import mint, session_policies, token_use
from garrison.identity.tokens import Grant

MOST_LAYERS = 3
"""Scope down policies that one session may have."""
_NEEDS_SESSION = "Cannot call GetScopedCredentials with long-term credentials: temporary security credentials are needed."
_NEEDS_ONE = "At least one of Policy and DurationSeconds must be specified."
_TOO_MANY = "The session has the maximum number of scope down policies: 3."
_TOO_LONG = "The requested DurationSeconds is greater than the remaining lifetime of the calling session."


@operation("sts", resource="*", read=True)
def get_scoped_credentials(ctx: Context, req: api.GetScopedCredentialsRequest) -> api.GetScopedCredentialsResponse:
    """Credentials of the same session, scoped down.

    Raises AccessDenied (long-term credentials, a fourth policy), ValidationError, MalformedPolicyDocument, PackedPolicyTooLarge,
    InsufficientSessionLifetime.
    """
    session = ctx.principal.session
    if session is None:
        raise CommonError("access_denied", _NEEDS_SESSION)
    if req.policy is None and req.duration_seconds is None:
        raise CommonError("validation", _NEEDS_ONE)
    if req.policy is not None and len(session.scopes) >= MOST_LAYERS:
        raise CommonError("access_denied", _TOO_MANY)
    added, _ = session_policies(ctx, req.policy, None, ctx.principal.account)
    grant = _scoped(ctx, session, (*session.scopes, *added), _ends(ctx, session, req.duration_seconds))
    credentials = mint(ctx, grant, req.minimum_session_token_size)
    return api.GetScopedCredentialsResponse(
        credentials=credentials,
        session_info=api.ScopedSession(scoped_session_id=ctx.principal.id, arn=ctx.principal.arn),
        scoped_policies_count=len(grant.scopes),
        source_identity=session.source_identity or None,
        **token_use(credentials),
    )


def _ends(ctx: Context, session: Session, seconds: int | None) -> float:
    """When the new credentials end: never later than the session that they come from."""
    if seconds is None:
        return session.expires_at
    ends = float(int(ctx.now) + seconds)
    if ends > session.expires_at:
        raise api.InsufficientSessionLifetimeException(_TOO_LONG)
    return ends


_CARRIED = frozenset(Grant.__struct_fields__) & {field.name for field in fields(Session)}
"""What a session and the grant behind it both know."""


def _scoped(ctx: Context, session: Session, scopes: tuple[str, ...], ends: float) -> Grant:
    """The session's own grant: all that it is stays, its beginning too, so that what refuses it by that still refuses it."""
    carried = {name: getattr(session, name) for name in _CARRIED}
    own = {"account": ctx.principal.account, "owner_id": session.issuer_id, "secret": secret_access_key(ctx.random)}
    return Grant(**{**carried, **own, "scopes": scopes, "expires_at": ends})
