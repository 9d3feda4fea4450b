"""What AssumeRole, GetSessionToken and GetFederationToken share: session tags, session policies, and minting."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec

from garrison.api import sts as api
from garrison.core.arn import parse_arn
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.ids import access_key_id
from garrison.core.operation import Keys
from garrison.core.principal import Session
from garrison.identity.tokens import MAX_TOKEN_CHARACTERS, Grant, seal_token_of_size
from garrison.policy import MalformedPolicy, parse_policy

_MAX_POLICY_CHARACTERS = 2048
_MAX_POLICY_ARNS = 10
_PACKED_BYTES = 4096
"""What PackedPolicySize is a percentage of; AWS does not say its own figure, and packs in a way of its own."""


def invalid(message: str) -> CommonError:
    """STS's InvalidParameterValue."""
    return CommonError("validation", message, code="InvalidParameterValue", status=400)


def mint(ctx: Context, grant: Grant, least: int | None = None) -> api.Credentials:
    """Temporary credentials for a grant: ``ASIA…``, a secret and the sealed token (of at least ``least`` characters)."""
    key = access_key_id("ASIA", grant.account, ctx.random)
    return api.Credentials(
        access_key_id=key,
        secret_access_key=grant.secret,
        session_token=seal_token_of_size(ctx.ports.sealer, key, grant, least or 0),
        expiration=grant.expires_at,
    )


def token_use(credentials: api.Credentials) -> dict[str, int]:
    """SessionTokenSize, and SessionTokenUtilization in per cent."""
    size = len(credentials.session_token)
    return {"session_token_size": size, "session_token_utilization": -(-size * 100 // MAX_TOKEN_CHARACTERS)}


def tags_of(given: Sequence[api.Tag] | None) -> dict[str, str]:
    """Session tags. Raises InvalidParameterValue on keys that differ by case alone, or ``aws:`` keys."""
    found: dict[str, str] = {}
    folded: set[str] = set()
    for tag in given or ():
        if tag.key.lower() in folded:
            message = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
            raise invalid(message)
        if tag.key.lower().startswith("aws:"):
            message = "Tag keys cannot start with the reserved prefix aws:."
            raise invalid(message)
        folded.add(tag.key.lower())
        found[tag.key] = tag.value
    return found


def tag_keys(tags: Mapping[str, str]) -> dict[str, object]:
    """``aws:RequestTag/…`` and ``aws:TagKeys``."""
    if not tags:
        return {}
    return {**{f"aws:RequestTag/{key}": value for key, value in tags.items()}, "aws:TagKeys": tuple(tags)}


def session_policies(
    ctx: Context, policy: str | None, arns: Sequence[api.PolicyDescriptorType] | None, account: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The session policies of a request, checked: inline documents and managed policies' ARNs.

    Raises MalformedPolicyDocument on a document that AWS refuses, ValidationError on an ARN of another account or of no policy.
    """
    documents: tuple[str, ...] = ()
    if policy is not None:
        if len(policy) > _MAX_POLICY_CHARACTERS:
            raise _too_large(len(policy) * 100 // _MAX_POLICY_CHARACTERS)
        try:
            parse_policy(policy, "session")
        except MalformedPolicy as error:
            raise api.MalformedPolicyDocumentException(str(error)) from error
        documents = (policy,)
    names = tuple(descriptor.arn or "" for descriptor in arns or ())
    if len(names) > _MAX_POLICY_ARNS:
        message = f"Limit exceeded: at most {_MAX_POLICY_ARNS} managed policies"
        raise CommonError("validation", message)
    for arn in names:
        _check_managed(ctx, arn, account)
    return documents, names


def _check_managed(ctx: Context, arn: str, account: str) -> None:
    try:
        named = parse_arn(arn)
    except ValueError as error:
        message = f"ARN {arn} is not valid."
        raise CommonError("validation", message) from error
    if named.account not in {"aws", account} or named.service != "iam" or not named.resource.startswith("policy/"):
        message = f"The policy is not in the role account {account}."
        raise CommonError("validation", message)
    if ctx.ports.principals.managed_document(arn) is None:
        message = f"Policy {arn} does not exist or is not attachable."
        raise api.MalformedPolicyDocumentException(message)


def _too_large(percentage: int) -> api.PackedPolicyTooLargeException:
    return api.PackedPolicyTooLargeException(f"Packed size of session token consumes {percentage}% of allotted space.")


def packed_percentage(policies: tuple[str, ...], arns: tuple[str, ...], tags: Mapping[str, str]) -> int | None:
    """PackedPolicySize: per cent of the room for policies and tags in use; None where there are none.

    Raises PackedPolicyTooLarge beyond 100.
    """
    if not policies and not arns and not tags:
        return None
    compact = "".join(json.dumps(json.loads(text), separators=(",", ":")) for text in policies)
    size = len(compact) + sum(map(len, arns)) + len(msgspec.msgpack.encode(dict(tags)))
    percentage = max(1, -(-size * 100 // _PACKED_BYTES))
    if percentage > 100:
        raise _too_large(percentage)
    return percentage


def within_delegation(session: Session | None, grant: Grant) -> Grant:
    """What a delegated session assumes: it never outlasts the delegation, is revoked with it, and told apart in the trail."""
    if session is None or not session.delegation:
        return grant
    ends = min(grant.expires_at, session.expires_at)
    return msgspec.structs.replace(grant, delegate=session.delegate, delegation=session.delegation, expires_at=ends)


def session_keys(given: Mapping[str, object]) -> Keys:
    """Condition keys without those that the request did not set."""
    return {key: value for key, value in given.items() if value is not None}  # type: ignore[misc] # None is left out on this line


def refuse_sessions(ctx: Context) -> None:
    """GetSessionToken and GetFederationToken take long-term credentials alone. Raises AccessDenied."""
    if ctx.principal.session is not None:
        message = f"Cannot call {ctx.operation} with session credentials"
        raise CommonError("access_denied", message)


def users_session_ends(ctx: Context, asked: int | None) -> float:
    """When a session of GetSessionToken or GetFederationToken ends, seconds since the epoch.

    ``asked`` seconds from now, 12 hours where it is None; root's are cut to one hour.
    """
    seconds = min(asked or 3600, 3600) if ctx.principal.kind == "root" else asked or 43_200
    return float(int(ctx.now) + seconds)
