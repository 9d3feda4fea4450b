"""GetSessionToken: temporary credentials of a user, or of the root user, for the caller itself."""

from __future__ import annotations

from garrison.api import sts as api
from garrison.core.context import Context
from garrison.core.ids import secret_access_key
from garrison.core.operation import operation
from garrison.identity.sts.mfa import used_up, uses_code
from garrison.identity.sts.sessions import mint, refuse_sessions, token_use, users_session_ends
from garrison.identity.tokens import Grant


@operation("sts", resource="*", read=True, auth="signed", writes=uses_code)
def get_session_token(ctx: Context, req: api.GetSessionTokenRequest) -> api.GetSessionTokenResponse:
    """Credentials with the caller's own permissions. Policies do not control it: it authenticates (STS API reference).

    With a code of the caller's MFA device the credentials carry that it was given. Raises AccessDenied (session credentials, a
    wrong code), ValidationError.
    """
    principal = ctx.principal
    refuse_sessions(ctx)
    mfa_at = used_up(ctx, req)
    credentials = mint(
        ctx,
        Grant(
            kind="session-token",
            account=principal.account,
            owner_id=principal.id,
            secret=secret_access_key(ctx.random),
            issued_at=ctx.now,
            expires_at=users_session_ends(ctx, req.duration_seconds),
            mfa_at=mfa_at,
        ),
        req.minimum_session_token_size,
    )
    return api.GetSessionTokenResponse(credentials=credentials, **token_use(credentials))
