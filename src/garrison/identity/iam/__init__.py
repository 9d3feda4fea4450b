"""AWS Identity and Access Management: users, groups, roles, policies, access keys.

Importing this package registers its operations. One file for each family of resources.
"""

from __future__ import annotations

from garrison.identity.iam import (
    access_keys,
    account,
    attachments,
    authorization_details,
    boundaries,
    context_keys,
    groups,
    inline,
    instance_profiles,
    login_profiles,
    mfa_devices,
    outbound,
    policies,
    preferences,
    roles,
    root_features,
    server_certificates,
    service_linked,
    service_specific_credentials,
    signing_certificates,
    simulate,
    ssh_public_keys,
    tags,
    users,
    versions,
    virtual_mfa,
)

__all__ = [
    "access_keys",
    "account",
    "attachments",
    "authorization_details",
    "boundaries",
    "context_keys",
    "groups",
    "inline",
    "instance_profiles",
    "login_profiles",
    "mfa_devices",
    "outbound",
    "policies",
    "preferences",
    "roles",
    "root_features",
    "server_certificates",
    "service_linked",
    "service_specific_credentials",
    "signing_certificates",
    "simulate",
    "ssh_public_keys",
    "tags",
    "users",
    "versions",
    "virtual_mfa",
]
