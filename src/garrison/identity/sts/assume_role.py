"""AssumeRole: a role's temporary credentials, where its trust policy and the caller's own policies admit it."""

from __future__ import annotations

from collections.abc import Sequence

from garrison.api import sts as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.ids import secret_access_key
from garrison.core.operation import Check, Keys, Target, operation
from garrison.identity.sts.mfa import proven, used_up, uses_code
from garrison.identity.sts.sessions import (
    invalid,
    mint,
    packed_percentage,
    session_keys,
    session_policies,
    tag_keys,
    tags_of,
    token_use,
    within_delegation,
)
from garrison.identity.tokens import Grant
from garrison.policy import compile_policy

_CHAINED_SECONDS = 3600
"""Longest session of a role assumed by a role's session (IAM User Guide, "Roles terms and concepts")."""

_TRUSTS_NOBODY = compile_policy(
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"AIDAXXXXXXXXXXXXXXXXX"},"Action":"sts:AssumeRole"}}',
    "trust",
    id="no-such-role",
)
"""The trust policy of a role that does not exist: a unique id that no user can have."""


def role_target(ctx: Context, req: api.AssumeRoleRequest) -> Target:
    """The role, with its trust policy. One that does not exist trusts nobody, so that nobody learns whether it exists."""
    if "role" in ctx.scratch:
        return ctx.scratch["target"]  # type: ignore[no-any-return] # scratch holds anything
    role = ctx.ports.principals.role(req.role_arn)
    ctx.scratch["role"] = role
    if role is None:
        target = Target(
            arn=req.role_arn, account=_account_in(req.role_arn) or ctx.account, policy=_TRUSTS_NOBODY, policy_decides=True
        )
    else:
        target = Target(arn=role.arn, account=role.account, tags=role.tags, policy=role.trust, policy_decides=True)
    ctx.scratch["target"] = target
    return target


def _account_in(arn: str) -> str:
    parts = arn.split(":")
    return parts[4] if len(parts) > 4 else ""


def assume_role_keys(ctx: Context, req: api.AssumeRoleRequest) -> Keys:
    """Condition keys of the call (service authorization reference for STS).

    A code in the call counts for the call itself: a trust policy that asks for MFA admits it. Raises AccessDenied for a wrong
    one.
    """
    with_code = proven(ctx, req) is not None
    return session_keys(
        {
            **({"aws:MultiFactorAuthPresent": True, "aws:MultiFactorAuthAge": 0} if with_code else {}),
            "sts:RoleSessionName": req.role_session_name,
            "sts:ExternalId": req.external_id,
            "sts:SourceIdentity": _source_identity(ctx, req) or None,
            "sts:TransitiveTagKeys": tuple(req.transitive_tag_keys or ()) or None,
            **tag_keys({tag.key: tag.value for tag in req.tags or ()}),
        }
    )


def assume_role_checks(ctx: Context, req: api.AssumeRoleRequest) -> Sequence[Check]:
    """Tags and a source identity are permissions of their own, in the trust policy too."""
    session = ctx.principal.session
    further = []
    if req.tags or req.transitive_tag_keys or (session is not None and session.transitive_tags):
        further.append("sts:TagSession")
    if _source_identity(ctx, req):
        further.append("sts:SetSourceIdentity")
    if not further:
        return ()
    target, keys = role_target(ctx, req), assume_role_keys(ctx, req)
    return [Check(action, target, keys) for action in further]


@operation("sts", resource=role_target, context=assume_role_keys, checks=assume_role_checks, read=True, writes=uses_code)
def assume_role(ctx: Context, req: api.AssumeRoleRequest) -> api.AssumeRoleResponse:
    """Credentials of a role for at most its MaxSessionDuration (STS API reference, AssumeRole).

    Raises AccessDenied (root, an MFA code), InvalidParameterValue and ValidationError (durations, tags, source identity),
    MalformedPolicyDocument, PackedPolicyTooLarge, InvalidContextAssertion.
    """
    role = ctx.scratch["role"]
    if ctx.principal.kind == "root":
        message = "Roles may not be assumed by root accounts."
        raise CommonError("access_denied", message)
    if req.provided_contexts:
        message = "Garrison has no trusted context provider: ProvidedContexts cannot be verified."
        raise api.InvalidContextAssertionException(message)
    mfa_at = used_up(ctx, req)
    session = ctx.principal.session
    chained = ctx.principal.kind == "assumed-role"
    tags, transitive = _session_tags(ctx, req)
    policies, arns = session_policies(ctx, req.policy, req.policy_arns, role.account)
    packed = packed_percentage(policies, arns, tags)
    grant = Grant(
        kind="assume-role",
        account=role.account,
        owner_id=role.role_id,
        secret=secret_access_key(ctx.random),
        issued_at=ctx.now,
        expires_at=float(int(ctx.now) + _duration(req.duration_seconds, role.max_session_duration, chained=chained)),
        session_name=req.role_session_name,
        tags=tags,
        transitive_tags=transitive,
        source_identity=_source_identity(ctx, req),
        policies=policies,
        policy_arns=arns,
        # For the trail alone: policies see no MFA in a role's session (IAM User Guide, "Configuring MFA-protected API access").
        mfa_at=mfa_at if mfa_at is not None or session is None or chained else session.mfa_at,
        chained=chained,
    )
    credentials = mint(ctx, within_delegation(session, grant), req.minimum_session_token_size)
    return api.AssumeRoleResponse(
        credentials=credentials,
        assumed_role_user=api.AssumedRoleUser(
            assumed_role_id=f"{role.role_id}:{req.role_session_name}",
            arn=f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{req.role_session_name}",
        ),
        packed_policy_size=packed,
        source_identity=grant.source_identity or None,
        **token_use(credentials),
    )


def _duration(asked: int | None, longest: int, *, chained: bool) -> int:
    if chained:
        longest = _CHAINED_SECONDS
        message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    else:
        message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    seconds = asked or min(3600, longest)
    if seconds > longest:
        raise CommonError("validation", message)
    return seconds


def _source_identity(ctx: Context, req: api.AssumeRoleRequest) -> str:
    """The source identity of the new session: once set it goes along the chain and cannot change."""
    session = ctx.principal.session
    kept = session.source_identity if session is not None else ""
    asked = req.source_identity or ""
    if kept and asked and kept != asked:
        message = "SourceIdentity cannot be changed: the calling session already has one."
        raise CommonError("access_denied", message)
    return kept or asked


def _session_tags(ctx: Context, req: api.AssumeRoleRequest) -> tuple[dict[str, str], tuple[str, ...]]:
    """Tags of the new session, and which of them go on to the next role (IAM User Guide, "Pass session tags")."""
    tags = tags_of(req.tags)
    folded = {key.lower() for key in tags}
    for key in req.transitive_tag_keys or ():
        if key.lower() not in folded:
            message = "The specified transitive tag key must be included in the requested tags."
            raise invalid(message)
    session = ctx.principal.session
    if session is None or ctx.principal.kind != "assumed-role":
        return tags, tuple(req.transitive_tag_keys or ())
    # Regardless of case, as tags are: what was asked for as `team` goes on though the tag is written `Team`.
    transitive = {key.lower() for key in session.transitive_tags}
    inherited = {key: value for key, value in session.tags.items() if key.lower() in transitive}
    if folded & {key.lower() for key in inherited}:
        message = (
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
            "from the calling session."
        )
        raise invalid(message)
    return {**inherited, **tags}, (*inherited, *(req.transitive_tag_keys or ()))
