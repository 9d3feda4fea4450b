"""Who a resource policy speaks of, and how directly.

Source: IAM User Guide, "AWS JSON policy elements: Principal" and "…: NotPrincipal", and "How AWS enforcement code logic
evaluates requests to allow or deny access" for what a grant to each kind of principal is limited by.
"""

from __future__ import annotations

from enum import IntEnum

from garrison.core.principal import OUTSIDE, Principal
from garrison.policy.document import PrincipalElement
from garrison.policy.variables import Getter

FEDERATED_PROVIDER = "aws:federatedprovider"
"""The key that names who vouched for a federated caller, while a role is assumed and in its session afterwards."""


class Grant(IntEnum):
    """How a statement names a principal, weakest first."""

    NONE = 0
    """Not at all."""
    ACCOUNT = 1
    """By its account, which leaves the rest to the account's own policies."""
    ENTITY = 2
    """By the role, or the user behind a federated session: boundary and session policy still limit it."""
    DIRECT = 3
    """By itself: user, session, service, or everyone. No implicit deny of another policy limits it."""


class PrincipalPattern:
    """A compiled Principal or NotPrincipal."""

    __slots__ = ("accounts", "canonical", "everyone", "federated", "names", "negated", "services")

    def __init__(self, element: PrincipalElement, *, negated: bool) -> None:
        self.negated = negated
        self.everyone = element.everyone
        accounts = [account_of(entry) for entry in element.aws]
        self.accounts = frozenset(account for account in accounts if account)
        self.names = frozenset(entry for entry, account in zip(element.aws, accounts, strict=True) if not account)
        self.services = frozenset(element.service)
        self.federated = frozenset(element.federated)
        self.canonical = frozenset(element.canonical)

    def grant(self, principal: Principal, get: Getter, canonical_id: str = "") -> Grant:
        """How directly an element that is not negated names ``principal``."""
        if self.everyone:
            return Grant.DIRECT
        if self.federated and get(FEDERATED_PROVIDER) in self.federated:
            return Grant.DIRECT
        if principal.kind == "service":
            return Grant.DIRECT if principal.service in self.services or "*" in self.services else Grant.NONE
        return Grant.NONE if principal.kind in OUTSIDE else self._named(principal, canonical_id)

    def _named(self, principal: Principal, canonical_id: str) -> Grant:
        """How directly the AWS and CanonicalUser entries name an identity of an account."""
        if self.names and (principal.arn in self.names or principal.id in self.names):
            return Grant.DIRECT
        if self.names and self._names_issuer(principal):
            return Grant.ENTITY
        if principal.account in self.accounts or (self.canonical and canonical_id in self.canonical):
            return Grant.ACCOUNT
        return Grant.NONE

    def _names_issuer(self, principal: Principal) -> bool:
        session = principal.session
        if session is None or principal.kind not in {"assumed-role", "federated-user"}:
            return False
        return session.issuer_arn in self.names or session.issuer_id in self.names

    def excludes(self, principal: Principal, get: Getter, canonical_id: str = "") -> bool:
        """Whether a negated element spares ``principal`` from its Deny.

        Every name that stands for the caller must be listed: account and user; account, role and session.
        """
        if self.everyone:
            return True
        if principal.kind in OUTSIDE or (self.federated and get(FEDERATED_PROVIDER) in self.federated):
            return self.grant(principal, get, canonical_id) is not Grant.NONE
        if principal.account not in self.accounts and canonical_id not in self.canonical:
            return False
        if principal.kind == "root":
            return True
        if principal.arn not in self.names and principal.id not in self.names:
            return False
        return principal.kind not in {"assumed-role", "federated-user"} or self._names_issuer(principal)


def account_of(entry: str) -> str:
    """The account that an element's entry stands for as a whole: twelve digits, or ``arn:…:root``; else empty."""
    if len(entry) == 12 and entry.isdigit() and entry.isascii():
        return entry
    parts = entry.split(":")
    if len(parts) == 6 and parts[0] == "arn" and parts[2] == "iam" and parts[5] == "root":
        return parts[4]
    return ""
