"""GetFederationToken: temporary credentials for somebody whom an application of the caller's has signed in."""

from __future__ import annotations

from collections.abc import Sequence

from garrison.api import sts as api
from garrison.core.context import Context
from garrison.core.ids import secret_access_key
from garrison.core.operation import Check, Keys, Target, operation
from garrison.identity.sts.sessions import (
    mint,
    packed_percentage,
    refuse_sessions,
    session_policies,
    tag_keys,
    tags_of,
    token_use,
    users_session_ends,
)
from garrison.identity.tokens import Grant


def federated_user(ctx: Context, req: api.GetFederationTokenRequest) -> Target:
    """``arn:aws:sts::ACCOUNT:federated-user/NAME``."""
    return Target(arn=f"arn:aws:sts::{ctx.account}:federated-user/{req.name}", account=ctx.account)


def federation_keys(_ctx: Context, req: api.GetFederationTokenRequest) -> Keys:
    """``aws:RequestTag/…`` and ``aws:TagKeys``."""
    return tag_keys({tag.key: tag.value for tag in req.tags or ()})  # type: ignore[return-value] # tuples are sequences


def federation_checks(ctx: Context, req: api.GetFederationTokenRequest) -> Sequence[Check]:
    """Passing tags is a permission of its own."""
    return (Check("sts:TagSession", federated_user(ctx, req), federation_keys(ctx, req)),) if req.tags else ()


@operation("sts", resource=federated_user, context=federation_keys, checks=federation_checks, read=True)
def get_federation_token(ctx: Context, req: api.GetFederationTokenRequest) -> api.GetFederationTokenResponse:
    """Credentials with what both the caller's and the session policies allow; without session policies, nothing."""
    principal = ctx.principal
    refuse_sessions(ctx)
    policies, arns = session_policies(ctx, req.policy, req.policy_arns, principal.account)
    tags = tags_of(req.tags)
    packed = packed_percentage(policies, arns, tags)
    credentials = mint(
        ctx,
        Grant(
            kind="federation-token",
            account=principal.account,
            owner_id=principal.id,
            secret=secret_access_key(ctx.random),
            issued_at=ctx.now,
            expires_at=users_session_ends(ctx, req.duration_seconds),
            session_name=req.name,
            tags=tags,
            policies=policies,
            policy_arns=arns,
        ),
        req.minimum_session_token_size,
    )
    return api.GetFederationTokenResponse(
        credentials=credentials,
        federated_user=api.FederatedUser(
            federated_user_id=f"{principal.account}:{req.name}",
            arn=f"arn:aws:sts::{principal.account}:federated-user/{req.name}",
        ),
        packed_policy_size=packed,
        **token_use(credentials),
    )
