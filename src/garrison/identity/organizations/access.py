"""Who may call what in an organization, beside the policies of the caller's own account.

The management account may everything. A member that is a delegated administrator of any service may read, and one that the
organization's resource policy names may what that policy allows it, on top of what its own policies allow. Every member may ask
about the organization itself and leave it. Source: AWS Organizations API Reference, each operation's second paragraph, and User
Guide, "Delegated administrator for AWS Organizations".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from garrison.core.context import Context
from garrison.core.operation import Keys, Target
from garrison.identity.organizations import errors
from garrison.identity.organizations.rows import OrganizationRow, organization_of
from garrison.policy import Policy, compile_policy

_HERE = "organizations:here"

DELEGABLE = frozenset(
    {
        "AttachPolicy",
        "CreatePolicy",
        "DeletePolicy",
        "DetachPolicy",
        "DisablePolicyType",
        "EnablePolicyType",
        "TagResource",
        "UntagResource",
        "UpdatePolicy",
    }
)
"""What a resource policy can allow beside everything that reads."""


class Here(NamedTuple):
    """Where a call comes from."""

    organization: OrganizationRow | None
    management: bool
    delegated: bool
    """Registered for any service."""
    policy: Policy | None
    """The organization's resource policy, where it may decide for this caller."""


def here(ctx: Context) -> Here:
    """The caller's organization and its part there, read once to decide and once more to write.

    Between the two another worker may have deleted the organization or taken the caller out of it.
    """
    kept = ctx.scratch.get(_HERE)
    if kept is None or kept[0] is not ctx.tx:
        kept = ctx.scratch[_HERE] = (ctx.tx, _here(ctx))
    found: Here = kept[1]
    return found


def _here(ctx: Context) -> Here:
    row = organization_of(ctx.tx, ctx.account)
    if row is None or row.management == ctx.account:
        return Here(row, management=row is not None, delegated=False, policy=None)
    service = ctx.tx.one("SELECT service FROM org_delegation WHERE organization = ? AND account = ? LIMIT 1", row.id, ctx.account)
    text = ctx.tx.one("SELECT resolved FROM org_resource_policy WHERE organization = ?", row.id)
    policy = None if text is None else compile_policy(text[0], "resource", id="organization's resource policy")
    return Here(row, management=False, delegated=service is not None, policy=policy)


def reads(operation: str) -> bool:
    """Whether an operation only reads."""
    return operation.startswith(("Describe", "List"))


def _by_policy(ctx: Context) -> Here | None:
    """Where the organization's resource policy decides: for a member that has no other right to this operation."""
    found = here(ctx)
    if found.policy is None or (found.delegated and reads(ctx.operation)):
        return None
    return found if reads(ctx.operation) or ctx.operation in DELEGABLE else None


def target(ctx: Context, arn: str, tags: Mapping[str, str] | None = None, keys: Keys | None = None) -> Target:
    """Something of the organization as authorization sees it.

    For a member that the organization's resource policy may name it is the management account's, so that both sides must allow.
    """
    found = _by_policy(ctx)
    if found is None or found.organization is None:
        return Target(arn, ctx.account, tags=tags or {}, keys=keys or {})
    return Target(arn, found.organization.management, tags=tags or {}, keys=keys or {}, policy=found.policy)


def member(ctx: Context) -> OrganizationRow:
    """The caller's organization. Raises AWSOrganizationsNotInUse."""
    row = here(ctx).organization
    if row is None:
        raise errors.not_in_use()
    return row


def administrator(ctx: Context) -> OrganizationRow:
    """The organization, for whoever may run it: the management account, or the delegates of this very operation.

    Raises AWSOrganizationsNotInUse, AccessDenied.
    """
    row, found = member(ctx), here(ctx)
    if found.management or (found.delegated and reads(ctx.operation)) or _by_policy(ctx) is not None:
        return row
    raise errors.denied()


def management(ctx: Context) -> OrganizationRow:
    """The organization, for its management account alone. Raises AWSOrganizationsNotInUse, AccessDenied."""
    row = member(ctx)
    if not here(ctx).management:
        raise errors.denied()
    return row
