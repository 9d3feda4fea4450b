"""The rows of Organizations as values, and how they are found. ``find_…`` answers None where there is none."""

from __future__ import annotations

from typing import Any, NamedTuple

from garrison.core.ports import Transaction
from garrison.identity.memberships import AWS_CONTENT, AWS_NAMES, AWS_TYPES, ancestors, aws_arn

CLOSED_SECONDS = 90 * 86_400.0
"""After so long a closed account is closed for good."""
_AWS_DESCRIPTION = {
    "p-FullAWSAccess": "Allows access to every operation",
    "p-RCPFullAWSAccess": "Allows access to every resource",
}


class OrganizationRow(NamedTuple):
    """A row of org_organization."""

    id: str
    management: str
    feature_set: str
    root: str
    created: float

    @property
    def arn(self) -> str:
        """``arn:aws:organizations::111122223333:organization/o-…``."""
        return self.arn_of("organization")

    @property
    def root_arn(self) -> str:
        """The root's."""
        return self.arn_of("root", self.root)

    def arn_of(self, kind: str, *rest: str) -> str:
        """The ARN of something in the organization: ``account``, ``ou``, ``root``, ``policy``, ``handshake`` and so on."""
        return f"arn:aws:organizations::{self.management}:{'/'.join((f'{kind}/{self.id}', *rest))}"


NOWHERE = "o-0000000000"
"""Stands in ARNs where there is no organization: authorization is asked before that is told."""


class AccountRow(NamedTuple):
    """A member of an organization."""

    organization: str
    id: str
    parent: str
    joined_method: str
    joined: float
    name: str
    email: str
    state: str
    closed: float | None

    def status(self, now: float) -> tuple[str, str]:
        """Status and state, as answers show them."""
        if self.state == "ACTIVE":
            return "ACTIVE", "ACTIVE"
        return "SUSPENDED", "CLOSED" if self.closed is not None and now >= self.closed + CLOSED_SECONDS else "SUSPENDED"


class UnitRow(NamedTuple):
    """A row of org_unit."""

    organization: str
    id: str
    parent: str
    name: str
    created: float


class PolicyRow(NamedTuple):
    """A row of org_policy, or one of AWS's own."""

    organization: str
    id: str
    arn: str
    type: str
    name: str
    description: str
    content: str
    created: float
    updated: float

    @property
    def aws_managed(self) -> bool:
        """Whether it is AWS's: the same everywhere, and never changed."""
        return self.id in AWS_CONTENT


_ORGANIZATION = "organization, management, feature_set, root_id, created"
_ACCOUNT = "m.organization, m.account, m.parent_id, m.joined_method, m.joined, a.name, a.email, a.state, a.closed"
_MEMBERS = f"SELECT {_ACCOUNT} FROM org_account m JOIN account a ON a.id = m.account"  # noqa: S608 - constants
_UNIT = "organization, unit_id, parent_id, name, created"
_POLICY = "organization, policy_id, arn, type, name, description, content, created, updated"


def organization_of(tx: Transaction, account: str) -> OrganizationRow | None:
    """The organization of an account."""
    columns = ", ".join(f"o.{name}" for name in _ORGANIZATION.split(", "))
    row = tx.one(
        f"SELECT {columns} FROM org_account m JOIN org_organization o ON o.organization = m.organization"  # noqa: S608 - constants
        " WHERE m.account = ?",
        account,
    )
    return OrganizationRow(*row) if row else None


def find_organization(tx: Transaction, organization: str) -> OrganizationRow | None:
    """An organization by id."""
    row = tx.one(f"SELECT {_ORGANIZATION} FROM org_organization WHERE organization = ?", organization)  # noqa: S608 - constant
    return OrganizationRow(*row) if row else None


def find_account(tx: Transaction, organization: str, account: str) -> AccountRow | None:
    """A member by its number."""
    row = tx.one(f"{_MEMBERS} WHERE m.organization = ? AND m.account = ?", organization, account)
    return AccountRow(*row) if row else None


def accounts_after(tx: Transaction, organization: str, after: str, limit: int) -> list[AccountRow]:
    """So many members by number, from the one that follows ``after``."""
    rows = tx.all(f"{_MEMBERS} WHERE m.organization = ? AND m.account > ? ORDER BY m.account LIMIT ?", organization, after, limit)
    return [AccountRow(*row) for row in rows]


def children_after(tx: Transaction, organization: str, parent: str, after: str, limit: int) -> list[AccountRow]:
    """So many members right under a node."""
    rows = tx.all(
        f"{_MEMBERS} WHERE m.organization = ? AND m.parent_id = ? AND m.account > ? ORDER BY m.account LIMIT ?",
        organization,
        parent,
        after,
        limit,
    )
    return [AccountRow(*row) for row in rows]


def find_unit(tx: Transaction, organization: str, unit: str) -> UnitRow | None:
    """A unit by id."""
    row = tx.one(f"SELECT {_UNIT} FROM org_unit WHERE organization = ? AND unit_id = ?", organization, unit)  # noqa: S608 - constant
    return UnitRow(*row) if row else None


def units_after(tx: Transaction, organization: str, parent: str, after: str, limit: int) -> list[UnitRow]:
    """So many units right under a node, by id."""
    rows = tx.all(
        f"SELECT {_UNIT} FROM org_unit WHERE organization = ? AND parent_id = ? AND unit_id > ? ORDER BY unit_id LIMIT ?",  # noqa: S608 - constant
        organization,
        parent,
        after,
        limit,
    )
    return [UnitRow(*row) for row in rows]


def find_policy(tx: Transaction, organization: str, policy: str) -> PolicyRow | None:
    """A policy by id: the organization's or AWS's."""
    if policy in AWS_CONTENT:
        return aws_policy(organization, policy)
    row = tx.one(f"SELECT {_POLICY} FROM org_policy WHERE organization = ? AND policy_id = ?", organization, policy)  # noqa: S608 - constant
    return PolicyRow(*row) if row else None


def policies_of_type(tx: Transaction, organization: str, kind: str) -> list[PolicyRow]:
    """Every policy of a type, AWS's among them, by id."""
    rows = tx.all(f"SELECT {_POLICY} FROM org_policy WHERE organization = ? AND type = ?", organization, kind)  # noqa: S608 - constant
    own = [aws_policy(organization, policy) for policy, its_kind in AWS_TYPES.items() if its_kind == kind]
    return sorted([*own, *(PolicyRow(*row) for row in rows)], key=lambda row: row.id)


def aws_policy(organization: str, policy: str) -> PolicyRow:
    """One of AWS's own policies."""
    return PolicyRow(
        organization,
        policy,
        aws_arn(policy),
        AWS_TYPES[policy],
        AWS_NAMES[policy],
        _AWS_DESCRIPTION[policy],
        AWS_CONTENT[policy],
        0.0,
        0.0,
    )


def attached(tx: Transaction, organization: str, target: str, kind: str) -> list[str]:
    """Ids of the policies of a type on a node, in the order in which they were attached."""
    rows = tx.all(
        "SELECT policy_id FROM org_attachment WHERE organization = ? AND target_id = ? AND type = ? ORDER BY seq",
        organization,
        target,
        kind,
    )
    return [policy for (policy,) in rows]


def enabled_types(tx: Transaction, organization: str) -> list[str]:
    """The types of policy that are enabled in the root."""
    rows = tx.all("SELECT type FROM org_policy_type WHERE organization = ? ORDER BY type", organization)
    return [kind for (kind,) in rows]


def count(tx: Transaction, table: str, where: str, *parameters: Any) -> int:  # noqa: ANN401 - values of columns
    """How many rows; ``table`` and ``where`` are constants of the caller."""
    row = tx.one(f"SELECT COUNT(*) FROM {table} WHERE {where}", *parameters)  # noqa: S608 - both are constants of the caller
    return int(row[0]) if row else 0


def path_of(tx: Transaction, organization: str, node: str) -> str:
    """``o-…/r-…/ou-…/`` of a root or a unit."""
    return "/".join((organization, *ancestors(tx, node))) + "/"


def nodes_over(tx: Transaction, organization: OrganizationRow, target: str) -> tuple[str, ...] | None:
    """The nodes from the root down to a root, unit or account; None where it is not in the organization."""
    if target.startswith("r-"):
        return (target,) if target == organization.root else None
    if target.startswith("ou-"):
        return ancestors(tx, target) if find_unit(tx, organization.id, target) else None
    account = find_account(tx, organization.id, target)
    return None if account is None else (*ancestors(tx, account.parent), target)
