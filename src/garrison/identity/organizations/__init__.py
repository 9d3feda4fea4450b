"""AWS Organizations: accounts, organizational units and the policies that bound them.

Importing this package registers its operations. One file for each family of resources; what is in force on a request is in
``identity.memberships``.
"""

from __future__ import annotations

from garrison.identity.organizations import (
    accounts,
    attachments,
    delegation,
    effective,
    features,
    handshakes,
    organization,
    policies,
    resource_policies,
    tagging,
    transfers,
    units,
)

__all__ = [
    "accounts",
    "attachments",
    "delegation",
    "effective",
    "features",
    "handshakes",
    "organization",
    "policies",
    "resource_policies",
    "tagging",
    "transfers",
    "units",
]
