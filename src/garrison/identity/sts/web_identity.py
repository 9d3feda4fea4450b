"""AssumeRoleWithWebIdentity: a role's credentials for whoever holds an ID token of a provider that the account trusts.

The call is not signed: the token proves the caller. The keys that verify it are fetched beside the event loop where they are not
at hand. Source: STS API Reference, AssumeRoleWithWebIdentity. Texts as AWS answered them in 2021 to 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from garrison.api import sts as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.operation import PREPARED, Check, Keys, Target, operation
from garrison.core.principal import Principal
from garrison.identity.federation import claim_keys, session_claims, web_tokens
from garrison.identity.federation.keysets import Keys as PublicKeys
from garrison.identity.federation.providers import OidcProvider, find_oidc_by_issuer
from garrison.identity.federation.web_tokens import Audience, Claims
from garrison.identity.principals import Credential
from garrison.identity.sts.vouched import Vouched, account_in, answer, further_checks, trust_keys, trusting_role


def _provider(ctx: Context, req: api.AssumeRoleWithWebIdentityRequest) -> OidcProvider:
    """The provider in the role's account that the token says it is of. Raises ValidationError, InvalidIdentityToken."""
    if req.provider_id is not None:
        message = "Garrison verifies OpenID Connect ID tokens alone: ProviderId, for OAuth 2.0 access tokens, is not taken."
        raise CommonError("validation", message)
    account = account_in(req.role_arn)
    token = ctx.scratch["token"] = web_tokens.read(req.web_identity_token)
    found = find_oidc_by_issuer(ctx.tx, account, token.issuer)
    if found is None:
        web_tokens.refuse(f"No OpenIDConnect provider found in your account for {token.issuer}")
    ctx.scratch["provider"] = found
    return found


def keys_of_issuer(ctx: Context, req: api.AssumeRoleWithWebIdentityRequest) -> Callable[[], PublicKeys] | None:
    """The keys that would prove the token: at hand, or what fetches them beside the loop."""
    issuer = _provider(ctx, req).issuer
    token = ctx.scratch["token"]
    held = ctx.ports.issuers.held(issuer, token)
    if held is None:
        return partial(ctx.ports.issuers.keys, issuer, token)
    ctx.scratch[PREPARED] = held
    return None


def prove(ctx: Context, req: api.AssumeRoleWithWebIdentityRequest) -> Credential:
    """Whom the token proves. Raises InvalidIdentityToken, ExpiredToken."""
    provider: OidcProvider = ctx.scratch["provider"]
    claims = web_tokens.verify(ctx.scratch["token"], ctx.scratch[PREPARED])
    audience = web_tokens.check(claims, issuer=provider.url, client_ids=provider.client_ids, now=ctx.now)
    ctx.scratch["audience"] = audience
    who = ctx.scratch["who"] = _vouched(provider, claims, audience, req.role_session_name)
    return who.credential


def _vouched(provider: OidcProvider, claims: Claims, audience: Audience, session_name: str) -> Vouched:
    subject: str = claims["sub"]
    return Vouched(
        principal=Principal(
            kind="web-identity",
            account=provider.account,
            arn="",
            id=f"{provider.arn}:{audience.client}:{subject}",
            name=subject,
            provider=provider.arn,
        ),
        keys=claim_keys.trust_keys(provider.name, claims, audience),
        kept=claim_keys.session_keys(provider.name, claims, audience),
        session_name=session_name,
        tagging=session_claims.tags_of(claims),
        source_identity=session_claims.source_identity_of(claims),
    )


def role_target(ctx: Context, req: api.AssumeRoleWithWebIdentityRequest) -> Target:
    """The role, with its trust policy."""
    if "target" not in ctx.scratch:
        ctx.scratch["target"] = trusting_role(ctx, req.role_arn)
    return ctx.scratch["target"]  # type: ignore[no-any-return] # scratch holds anything


def web_identity_keys(ctx: Context, _req: api.AssumeRoleWithWebIdentityRequest) -> Keys:
    """Condition keys of the call."""
    return trust_keys(ctx.scratch["who"])


def web_identity_checks(ctx: Context, req: api.AssumeRoleWithWebIdentityRequest) -> Sequence[Check]:
    """What the token's tags and source identity need."""
    return further_checks(ctx.scratch["who"], role_target(ctx, req))


@operation(
    "sts",
    resource=role_target,
    context=web_identity_keys,
    checks=web_identity_checks,
    read=True,
    auth="unsigned",
    prepare=keys_of_issuer,
    proves=prove,
)
def assume_role_with_web_identity(
    ctx: Context, req: api.AssumeRoleWithWebIdentityRequest
) -> api.AssumeRoleWithWebIdentityResponse:
    """Credentials of a role that trusts the provider, for at most its MaxSessionDuration.

    Raises InvalidIdentityToken, ExpiredToken, IDPCommunicationError, AccessDenied, ValidationError, MalformedPolicyDocument,
    PackedPolicyTooLarge.
    """
    who: Vouched = ctx.scratch["who"]
    audience: Audience = ctx.scratch["audience"]
    provider: OidcProvider = ctx.scratch["provider"]
    return api.AssumeRoleWithWebIdentityResponse(
        subject_from_web_identity_token=who.principal.name,
        provider=provider.arn,
        audience=audience.client,
        **answer(ctx, req, who),
    )
