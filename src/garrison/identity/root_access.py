"""What IAM may do with the root users of an organization's members: shared by IAM, which switches it, and STS, which uses it.

Source: IAM User Guide, "Centrally manage root access for member accounts".
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from garrison.core.ports import Transaction

Feature = Literal["RootCredentialsManagement", "RootSessions"]
SERVICE = "iam.amazonaws.com"


class Organization(NamedTuple):
    """An organization, as far as root users are concerned."""

    id: str
    management: str
    feature_set: str

    @property
    def arn(self) -> str:
        """``arn:aws:organizations::111122223333:organization/o-…``."""
        return f"arn:aws:organizations::{self.management}:organization/{self.id}"


def organization_of(tx: Transaction, account: str) -> Organization | None:
    """The organization of an account."""
    row = tx.one(
        "SELECT o.organization, o.management, o.feature_set FROM org_account a"
        " JOIN org_organization o ON o.organization = a.organization WHERE a.account = ?",
        account,
    )
    return Organization(*row) if row else None


def administers(tx: Transaction, organization: Organization, account: str) -> bool:
    """Whether an account manages root users: the management account, or IAM's delegated administrator."""
    if account == organization.management:
        return True
    sql = "SELECT service FROM org_delegation WHERE organization = ? AND account = ? AND service = ?"
    return tx.one(sql, organization.id, account, SERVICE) is not None


def trusted(tx: Transaction, organization: Organization) -> bool:
    """Whether IAM has access to the organization."""
    sql = "SELECT service FROM org_service_access WHERE organization = ? AND service = ?"
    return tx.one(sql, organization.id, SERVICE) is not None


def features(tx: Transaction, organization: Organization) -> list[str]:
    """What is enabled, by name."""
    rows = tx.all("SELECT feature FROM org_root_feature WHERE organization = ? ORDER BY feature", organization.id)
    return [name for (name,) in rows]
