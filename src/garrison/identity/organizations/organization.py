"""The organization itself: create, describe, delete."""

from __future__ import annotations

from collections.abc import Sequence

from garrison.api import organizations as api
from garrison.core.context import Context
from garrison.core.operation import Check, Target, operation
from garrison.identity.memberships import SCP
from garrison.identity.organizations import access, ids, items
from garrison.identity.organizations.attaching import attach_defaults
from garrison.identity.organizations.joining import join, linked
from garrison.identity.organizations.rows import OrganizationRow, count, organization_of
from garrison.identity.organizations.targets import anything, oneself

_TABLES = (
    "org_unit",
    "org_account",
    "org_create_status",
    "org_policy",
    "org_attachment",
    "org_policy_type",
    "org_service_access",
    "org_delegation",
    "org_resource_policy",
    "org_tag",
    "org_root_feature",
    "org_organization",
)
"""What goes with an organization. Handshakes stay: the other side may still ask about them."""


def linking(ctx: Context, _req: api.CreateOrganizationRequest) -> Sequence[Check]:
    """The organization comes with a service-linked role in the caller's account, which the caller must be allowed to make."""
    arn = f"arn:aws:iam::{ctx.account}:role/aws-service-role/organizations.amazonaws.com/AWSServiceRoleForOrganizations"
    return [Check("iam:CreateServiceLinkedRole", Target(arn, ctx.account), {"iam:AWSServiceName": "organizations.amazonaws.com"})]


@operation("organizations", resource=oneself, checks=linking)
def create_organization(ctx: Context, req: api.CreateOrganizationRequest) -> api.CreateOrganizationResponse:
    """Make an organization with the caller's account as its management account. Raises AlreadyInOrganization."""
    if organization_of(ctx.tx, ctx.account) is not None:
        raise api.AlreadyInOrganizationException("The provided account is already a member of an organization.")
    features = req.feature_set or "ALL"
    row = OrganizationRow(ids.organization_id(ctx), ctx.account, features, ids.root_id(ctx), ctx.now)
    ctx.tx.run(
        "INSERT INTO org_organization (organization, management, feature_set, root_id, created) VALUES (?, ?, ?, ?, ?)", *row
    )
    if features == "ALL":
        ctx.tx.run("INSERT INTO org_policy_type (organization, type) VALUES (?, ?)", row.id, SCP)
    attach_defaults(ctx, row, row.root)
    join(ctx, row, ctx.account, "INVITED", {})
    linked(ctx, ctx.account)
    items.organization_changed(ctx, row, ("org", row.id))
    return api.CreateOrganizationResponse(organization=shown(ctx, row))


@operation("organizations", resource=oneself, read=True)
def describe_organization(ctx: Context, _req: None) -> api.DescribeOrganizationResponse:
    """The organization of the caller's account; every member may ask. Raises AWSOrganizationsNotInUse."""
    return api.DescribeOrganizationResponse(organization=shown(ctx, access.member(ctx)))


@operation("organizations", resource=anything)
def delete_organization(ctx: Context, _req: None) -> None:
    """Delete an organization that has no member but the management account. Raises OrganizationNotEmpty."""
    row = access.management(ctx)
    if count(ctx.tx, "org_account", "organization = ?", row.id) > 1:
        message = "To delete an organization you must first remove all member accounts (except the master)."
        raise api.OrganizationNotEmptyException(message)
    items.organization_changed(ctx, row, ("org", row.id), ("org-account", row.management), deleted=True)
    open_ones = "UPDATE org_handshake SET state = 'CANCELED' WHERE organization = ? AND state IN ('REQUESTED', 'OPEN')"
    ctx.tx.run(open_ones, row.id)
    for table in _TABLES:
        ctx.tx.run(f"DELETE FROM {table} WHERE organization = ?", row.id)  # noqa: S608 - constants


def shown(ctx: Context, row: OrganizationRow) -> api.Organization:
    """An organization as answers show it. AvailablePolicyTypes is kept by AWS for old clients, and names SCPs alone."""
    email = ctx.tx.one("SELECT email FROM account WHERE id = ?", row.management)
    types = [api.PolicyTypeSummary(type=SCP, status="ENABLED")] if row.feature_set == "ALL" else []
    return api.Organization(
        id=row.id,
        arn=row.arn,
        feature_set=row.feature_set,
        master_account_arn=row.arn_of("account", row.management),
        master_account_id=row.management,
        master_account_email=email[0] if email and email[0] else None,
        available_policy_types=types,
    )
