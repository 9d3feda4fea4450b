"""Who calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PrincipalKind = Literal["root", "user", "assumed-role", "federated-user", "web-identity", "saml", "service", "anonymous"]
"""``web-identity`` and ``saml``: somebody whom an identity provider vouches for, while a role is assumed for it."""

OUTSIDE: frozenset[PrincipalKind] = frozenset({"web-identity", "saml", "service", "anonymous"})
"""Kinds that are no identities of an account: they have no policies of their own, and no account's policies bound them."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a temporary credential carries. All of it comes out of the sealed session token."""

    issued_at: float
    """Seconds since the epoch: ``aws:TokenIssueTime``."""
    expires_at: float
    issuer_arn: str = ""
    """The role or user that the session stands for (``arn:aws:iam::…:role/x``)."""
    issuer_id: str = ""
    issuer_name: str = ""
    session_name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive_tags: tuple[str, ...] = ()
    source_identity: str = ""
    policies: tuple[str, ...] = ()
    """Session policies, JSON, given inline."""
    policy_arns: tuple[str, ...] = ()
    mfa_at: float | None = None
    """When the MFA code was given; None where none was."""
    chained: bool = False
    """True where a role's session made this one (role chaining)."""
    kind: Literal["assume-role", "session-token", "federation-token", "assume-root", "sign-in", "delegated"] = "assume-role"
    signin_session: str = ""
    """The ARN of the sign-in session that made it: ``aws:SignInSessionArn``."""
    provider: str = ""
    """The ARN of the identity provider that vouched for the caller of a role's session: ``aws:FederatedProvider``."""
    claims: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Condition keys from that provider's token that the session keeps (``saml:sub``)."""
    scopes: tuple[str, ...] = ()
    """Policies that scoped the session down, JSON: each must allow, whatever else does (GetScopedCredentials)."""
    delegate: str = ""
    """The account of the partner that uses a session that was delegated to it."""
    delegation: str = ""
    """The id of that delegation's request."""

    @property
    def service_linked(self) -> bool:
        """Whether a service acts by its own role: by where the role's path begins, since its further parts may read like that."""
        return self.issuer_arn.partition(":role/")[2].startswith("aws-service-role/")


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller, as the signature proved it.

    ``arn`` is the one that policies and error texts name: a user's, ``arn:aws:sts::…:assumed-role/role/session``,
    ``arn:aws:iam::…:root``. ``id`` is ``aws:userid``: ``AIDA…``, ``AROA…:session``, the account for root.
    """

    kind: PrincipalKind
    account: str
    arn: str
    id: str
    name: str = ""
    """User name; role name for a role's session; empty for root."""
    access_key_id: str = ""
    session: Session | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """``aws:PrincipalTag/…``: the user's or role's tags with the session's over them."""
    service: str = ""
    """The service principal, for ``kind == "service"``."""
    provider: str = ""
    """The ARN of the identity provider that vouches, for ``web-identity`` and ``saml``; ``name`` is the subject there."""


ANONYMOUS = Principal(kind="anonymous", account="", arn="", id="")
