"""GetWebIdentityToken: a signed token that tells an external service who calls.

Source: STS API Reference, GetWebIdentityToken; IAM User Guide, "Understanding token claims" and "Controlling access with IAM
policies" (outbound identity federation).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from garrison.api import sts as api
from garrison.core.clock import iso8601
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.operation import Check, Keys, Target, operation
from garrison.identity.outbound import find, signing_key
from garrison.identity.sts.sessions import invalid, session_keys, tag_keys, tags_of
from garrison.policy.principal import FEDERATED_PROVIDER

_DEFAULT_SECONDS = 300
NAMESPACE = "https://sts.amazonaws.com/"
MOST_CLAIMS = 16 * 1024
"""Bytes of a token's claims; AWS does not say its own limit. Fifty of the longest tags would pass it."""
_DISABLED = (
    "The outbound web identity federation feature is not enabled for this account. To use this feature, you must first enable it"
    " through the Amazon Web Services Management Console or API."
)
_TOO_LONG = "The requested token duration would extend the session beyond its original expiration time."
_TOO_LARGE = "The requested token payload size exceeds the maximum allowed size. Reduce the number of request tags."
_NO_ORIGIN = (
    "SubjectMode OriginIdentity needs a session with a trusted identity propagation context that names its subject and issuer;"
    " the calling session has none."
)
_SCOPE = "Scope can be specified only with SubjectMode OriginIdentity and exactly one audience."


def token_keys(_ctx: Context, req: api.GetWebIdentityTokenRequest) -> Keys:
    """Condition keys of the call (IAM User Guide, "Controlling access with IAM policies")."""
    return session_keys(
        {
            "sts:IdentityTokenAudience": tuple(req.audience),
            "sts:DurationSeconds": _seconds(req),
            "sts:SigningAlgorithm": req.signing_algorithm,
            **tag_keys({tag.key: tag.value for tag in req.tags or ()}),
        }
    )


def token_checks(ctx: Context, req: api.GetWebIdentityTokenRequest) -> Sequence[Check]:
    """Tags in the token are a permission of their own."""
    if not req.tags:
        return ()
    keys = session_keys(tag_keys({tag.key: tag.value for tag in req.tags}))
    return (Check("sts:TagGetWebIdentityToken", Target("*", ctx.account), keys),)


@operation("sts", resource="*", context=token_keys, checks=token_checks, read=True)
def get_web_identity_token(ctx: Context, req: api.GetWebIdentityTokenRequest) -> api.GetWebIdentityTokenResponse:
    """A token that names the caller, for the audience alone and for minutes.

    Raises ValidationError (what needs an origin identity, an algorithm that is none), InvalidParameterValue (tags),
    OutboundWebIdentityFederationDisabled, SessionDurationEscalation, JWTPayloadSizeExceeded.
    """
    _refuse_origin(req)
    tags = tags_of(req.tags)
    federation = find(ctx.tx, ctx.account)
    key = signing_key(ctx.tx, ctx.account, req.signing_algorithm)
    if federation is None or not federation.enabled or key is None:
        raise api.OutboundWebIdentityFederationDisabledException(_DISABLED)
    issued = int(ctx.now)
    ends = issued + _seconds(req)
    session = ctx.principal.session
    if session is not None and ends > session.expires_at:
        raise api.SessionDurationEscalationException(_TOO_LONG)
    claims = {
        "iss": federation.issuer,
        "aud": req.audience[0] if len(req.audience) == 1 else list(req.audience),
        "sub": _subject(ctx),
        "iat": issued,
        "exp": ends,
        "jti": ctx.uuid(),
        NAMESPACE: _about(ctx, tags),
    }
    if len(str(claims).encode()) > MOST_CLAIMS:
        raise api.JWTPayloadSizeExceededException(_TOO_LARGE)
    token = ctx.ports.tokens.sign(ctx.account, key.key_id, key.sealed, req.signing_algorithm, claims)
    return api.GetWebIdentityTokenResponse(web_identity_token=token, expiration=float(ends))


def _seconds(req: api.GetWebIdentityTokenRequest) -> int:
    return req.duration_seconds or _DEFAULT_SECONDS


def _refuse_origin(req: api.GetWebIdentityTokenRequest) -> None:
    """Sessions here carry no trusted identity propagation context, and an algorithm must be one that the issuer publishes."""
    if req.signing_algorithm not in {"RS256", "ES384"}:
        message = f"Invalid signing algorithm: {req.signing_algorithm}. Valid values are RS256 and ES384."
        raise invalid(message)
    if req.subject_mode == "OriginIdentity":
        raise CommonError("validation", _NO_ORIGIN)
    if req.scope is not None:
        raise CommonError("validation", _SCOPE)


def _subject(ctx: Context) -> str:
    """The ARN of the user, the root user or, for a session, of the role behind it."""
    session = ctx.principal.session
    return session.issuer_arn if ctx.principal.kind == "assumed-role" and session is not None else ctx.principal.arn


def _about(ctx: Context, tags: dict[str, str]) -> dict[str, Any]:
    """The claims about the caller; those that do not apply are left out."""
    principal = ctx.principal
    session = principal.session
    organization, path = ctx.ports.principals.place(principal.account) or (None, None)
    found = {
        "aws_account": principal.account,
        "source_region": ctx.region,
        "principal_id": _subject(ctx),
        "org_id": organization,
        "ou_path": path,
        "principal_tags": dict(principal.tags),
        "original_session_exp": iso8601(session.expires_at) if session is not None and principal.kind == "assumed-role" else None,
        "federated_provider": _key(ctx, FEDERATED_PROVIDER),
        "source_identity": session.source_identity if session is not None else None,
        "request_tags": tags,
    }
    return {name: value for name, value in found.items() if value}


def _key(ctx: Context, key: str) -> Any:  # noqa: ANN401 - a condition key's value
    """A condition key of this call, as it was decided."""
    return ctx.decision.request.context.get(key) if ctx.decision is not None else None
