"""What AssumeRoleWithWebIdentity and AssumeRoleWithSAML share: a provider vouches for the caller, a trust policy decides.

Nobody learns from a refusal whether a role exists: what is not trusted and what is not there are told alike, and only once the
token or assertion was proven. Source: STS API Reference, AssumeRoleWithWebIdentity and AssumeRoleWithSAML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from garrison.api import sts as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.ids import secret_access_key
from garrison.core.operation import Check, Keys, Target
from garrison.core.principal import Principal
from garrison.identity.federation.session_claims import Tagging
from garrison.identity.principals import Credential
from garrison.identity.sts.sessions import mint, packed_percentage, session_policies, tag_keys, token_use
from garrison.identity.tokens import Grant
from garrison.policy import compile_policy

_TRUSTS_NOBODY = compile_policy(
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"AIDAXXXXXXXXXXXXXXXXX"},"Action":"sts:AssumeRole"}}',
    "trust",
    id="no-such-role",
)
"""The trust policy of a role that does not exist: a unique id that no user can have."""
_DEFAULT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Vouched:
    """Somebody whom an identity provider vouches for, and what it says of the session."""

    principal: Principal
    keys: Mapping[str, str | tuple[str, ...]]
    """Condition keys from the token, for the role's trust policy."""
    kept: Mapping[str, str | tuple[str, ...]]
    """Those of them that the session keeps."""
    session_name: str
    tagging: Tagging = field(default_factory=Tagging)
    source_identity: str = ""
    ends: float | None = None
    """When the provider's own session with the caller ends; None: it does not say."""

    @property
    def credential(self) -> Credential:
        """Without a secret: nothing was signed."""
        return Credential("", self.principal, "")


def account_in(arn: str) -> str:
    """The account that a role's ARN names. Raises ValidationError where it is not a role's ARN."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[:1] != ["arn"] or parts[2] != "iam" or not parts[5].startswith("role/"):
        raise CommonError("validation", "Request ARN is invalid")
    return parts[4]


def trusting_role(ctx: Context, arn: str) -> Target:
    """The role, with its trust policy. One that does not exist trusts nobody."""
    role = ctx.ports.principals.role(arn)
    ctx.scratch["role"] = role
    if role is None:
        return Target(arn=arn, account=account_in(arn), policy=_TRUSTS_NOBODY, policy_decides=True, denied_tersely=True)
    return Target(arn=role.arn, account=role.account, tags=role.tags, policy=role.trust, policy_decides=True, denied_tersely=True)


def trust_keys(who: Vouched) -> Keys:
    """The condition keys of the call."""
    tags = who.tagging
    named = {"sts:RoleSessionName": who.session_name}
    if who.source_identity:
        named["sts:SourceIdentity"] = who.source_identity
    transitive = {"sts:TransitiveTagKeys": tags.transitive} if tags.transitive else {}
    return {**who.keys, **named, **transitive, **tag_keys(tags.tags)}  # type: ignore[dict-item] # tag_keys: texts and tuples


def further_checks(who: Vouched, target: Target) -> Sequence[Check]:
    """Tags and a source identity are permissions of their own, in the trust policy too."""
    keys = trust_keys(who)
    checks = [Check("sts:TagSession", target, keys)] if who.tagging.tags or who.tagging.transitive else []
    return [*checks, Check("sts:SetSourceIdentity", target, keys)] if who.source_identity else checks


def answer(ctx: Context, req: Any, who: Vouched) -> dict[str, Any]:  # noqa: ANN401 - either operation's request
    """Mint the session; the members that both operations answer.

    Raises ValidationError (duration), MalformedPolicyDocument, PackedPolicyTooLarge.
    """
    role = ctx.scratch["role"]
    policies, arns = session_policies(ctx, req.policy, req.policy_arns, role.account)
    packed = packed_percentage(policies, arns, who.tagging.tags)
    ends = float(int(ctx.now) + _seconds(req.duration_seconds, role.max_session_duration))
    grant = Grant(
        kind="assume-role",
        account=role.account,
        owner_id=role.role_id,
        secret=secret_access_key(ctx.random),
        issued_at=ctx.now,
        expires_at=ends if who.ends is None else min(ends, float(int(who.ends))),
        session_name=who.session_name,
        tags=who.tagging.tags,
        transitive_tags=who.tagging.transitive,
        source_identity=who.source_identity,
        policies=policies,
        policy_arns=arns,
        provider=who.principal.provider,
        claims=who.kept,
    )
    credentials = mint(ctx, grant, req.minimum_session_token_size)
    return {
        "credentials": credentials,
        "assumed_role_user": api.AssumedRoleUser(
            assumed_role_id=f"{role.role_id}:{who.session_name}",
            arn=f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{who.session_name}",
        ),
        "packed_policy_size": packed,
        "source_identity": who.source_identity or None,
        **token_use(credentials),
    }


def _seconds(asked: int | None, longest: int) -> int:
    seconds = asked or min(_DEFAULT_SECONDS, longest)
    if seconds > longest:
        raise CommonError("validation", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return seconds
