"""AssumeRoleWithSAML: a role's credentials for whoever holds an assertion of a SAML provider that the account trusts.

The call is not signed: the assertion proves the caller. It is verified beside the event loop, and taken once.
Source: STS API Reference, AssumeRoleWithSAML; IAM User Guide, "Troubleshoot SAML federation with IAM" (error texts).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from garrison.api import sts as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.operation import PREPARED, Check, Keys, Target, operation
from garrison.core.principal import Principal
from garrison.identity.federation import saml_claims
from garrison.identity.federation.providers import SamlProvider, find_saml_by_arn, private_keys
from garrison.identity.federation.saml import Assertion, Expected, refuse, verify
from garrison.identity.federation.saml_claims import RoleChoice
from garrison.identity.federation.used_assertions import use_up
from garrison.identity.principals import Credential
from garrison.identity.sts.vouched import Vouched, account_in, answer, further_checks, trust_keys, trusting_role


def _verification(ctx: Context, req: api.AssumeRoleWithSAMLRequest) -> Callable[[], Assertion]:
    """What verifies the assertion, with the provider as it is now. Raises ValidationError, InvalidIdentityToken."""
    account = account_in(req.role_arn)
    provider = find_saml_by_arn(ctx.tx, req.principal_arn)
    # As with a role: a provider that the role's account does not have is not there.
    if provider is None or provider.account != account:
        refuse("Specified provider doesn't exist")
    ctx.scratch["provider"] = provider
    sealed = [each for _, each, _ in private_keys(ctx.tx, provider)]
    expected = Expected(ctx.now, ctx.ports.public_url)
    return partial(verify, req.saml_assertion, provider, expected, ctx.ports.assertions, sealed)


def prove(ctx: Context, req: api.AssumeRoleWithSAMLRequest) -> Credential:
    """Whom the assertion proves. Raises AccessDenied where it names another role, InvalidIdentityToken."""
    assertion: Assertion = ctx.scratch[PREPARED]
    if RoleChoice(req.role_arn, req.principal_arn) not in saml_claims.roles(assertion):
        raise CommonError("access_denied", "Not authorized to perform sts:AssumeRoleWithSAML")
    who = ctx.scratch["who"] = _vouched(ctx.scratch["provider"], assertion)
    return who.credential


def _vouched(provider: SamlProvider, assertion: Assertion) -> Vouched:
    return Vouched(
        principal=Principal(
            kind="saml",
            account=provider.account,
            arn="",
            id=f"{saml_claims.name_qualifier(assertion, provider)}:{assertion.subject}",
            name=assertion.subject,
            provider=provider.arn,
        ),
        keys=saml_claims.trust_keys(assertion, provider),
        kept=saml_claims.session_keys(assertion, provider),
        session_name=saml_claims.session_name(assertion),
        tagging=saml_claims.tagging(assertion),
        source_identity=saml_claims.source_identity(assertion),
        ends=assertion.session_ends,
    )


def role_target(ctx: Context, req: api.AssumeRoleWithSAMLRequest) -> Target:
    """The role, with its trust policy."""
    if "target" not in ctx.scratch:
        ctx.scratch["target"] = trusting_role(ctx, req.role_arn)
    return ctx.scratch["target"]  # type: ignore[no-any-return] # scratch holds anything


def saml_keys(ctx: Context, _req: api.AssumeRoleWithSAMLRequest) -> Keys:
    """Condition keys of the call."""
    return trust_keys(ctx.scratch["who"])


def saml_checks(ctx: Context, req: api.AssumeRoleWithSAMLRequest) -> Sequence[Check]:
    """What the assertion's tags and source identity need."""
    return further_checks(ctx.scratch["who"], role_target(ctx, req))


def _uses_up(_ctx: Context, _req: api.AssumeRoleWithSAMLRequest) -> bool:
    """The assertion is used up."""
    return True


@operation(
    "sts",
    resource=role_target,
    context=saml_keys,
    checks=saml_checks,
    read=True,
    writes=_uses_up,
    auth="unsigned",
    prepare=_verification,
    proves=prove,
)
def assume_role_with_saml(ctx: Context, req: api.AssumeRoleWithSAMLRequest) -> api.AssumeRoleWithSAMLResponse:
    """Credentials of a role that trusts the provider, until MaxSessionDuration or SessionNotOnOrAfter at the latest.

    Raises InvalidIdentityToken, ExpiredToken, IDPRejectedClaim, AccessDenied, ValidationError, MalformedPolicyDocument,
    PackedPolicyTooLarge.
    """
    provider: SamlProvider = ctx.scratch["provider"]
    assertion: Assertion = ctx.scratch[PREPARED]
    members = answer(ctx, req, ctx.scratch["who"])
    use_up(ctx.tx, provider, assertion, ctx.now)
    return api.AssumeRoleWithSAMLResponse(
        subject=assertion.subject,
        subject_type=assertion.subject_type,
        issuer=assertion.issuer,
        audience=assertion.recipient,
        name_qualifier=saml_claims.name_qualifier(assertion, provider),
        **members,
    )
