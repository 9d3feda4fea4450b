"""GetSessionToken: temporary credentials of a user, or of the root user, for the caller itself."""

from __future__ import annotations

from garrison.api import sts as api
from garrison.core.context import Context
from garrison.core.ids import secret_access_key
from garrison.core.operation import operation
from garrison.identity.sts.sessions import mint, refuse_mfa, refuse_sessions, token_use, users_session_ends
from garrison.identity.tokens import Grant


@operation("sts", resource="*", read=True, auth="signed")
def get_session_token(ctx: Context, req: api.GetSessionTokenRequest) -> api.GetSessionTokenResponse:
    """Credentials with the caller's own permissions. Policies do not control it: it authenticates (STS API reference)."""
    principal = ctx.principal
    refuse_sessions(ctx)
    refuse_mfa(req.serial_number, req.token_code)
    credentials = mint(
        ctx,
        Grant(
            kind="session-token",
            account=principal.account,
            owner_id=principal.id,
            secret=secret_access_key(ctx.random),
            issued_at=ctx.now,
            expires_at=users_session_ends(ctx, req.duration_seconds),
        ),
        req.minimum_session_token_size,
    )
    return api.GetSessionTokenResponse(credentials=credentials, **token_use(credentials))
