"""Central management of the root users of member accounts: what an organization lets IAM do with them.

Source: IAM API Reference, the four operations that enable and disable, and ListOrganizationsFeatures.
"""

from __future__ import annotations

from garrison.api import iam as api
from garrison.core.context import ConfigurationItem, Context
from garrison.core.operation import operation
from garrison.identity.iam.targets import anything
from garrison.identity.root_access import Feature, Organization, administers, features, organization_of, trusted


@operation("iam", resource=anything)
def enable_organizations_root_credentials_management(
    ctx: Context, _req: api.EnableOrganizationsRootCredentialsManagementRequest
) -> api.EnableOrganizationsRootCredentialsManagementResponse:
    """Let the management account delete the credentials of members' root users.

    Raises OrganizationNotFound, CallerIsNotManagementAccount, OrganizationNotInAllFeaturesMode, ServiceAccessNotEnabled.
    """
    organization = _switch(ctx, "RootCredentialsManagement", on=True)
    return api.EnableOrganizationsRootCredentialsManagementResponse(
        organization_id=organization.id, enabled_features=features(ctx.tx, organization)
    )


@operation("iam", resource=anything)
def disable_organizations_root_credentials_management(
    ctx: Context, _req: api.DisableOrganizationsRootCredentialsManagementRequest
) -> api.DisableOrganizationsRootCredentialsManagementResponse:
    """Take that away. Raises as EnableOrganizationsRootCredentialsManagement."""
    organization = _switch(ctx, "RootCredentialsManagement", on=False)
    return api.DisableOrganizationsRootCredentialsManagementResponse(
        organization_id=organization.id, enabled_features=features(ctx.tx, organization)
    )


@operation("iam", resource=anything)
def enable_organizations_root_sessions(
    ctx: Context, _req: api.EnableOrganizationsRootSessionsRequest
) -> api.EnableOrganizationsRootSessionsResponse:
    """Let the management account do privileged tasks as a member's root user. Raises as the others."""
    organization = _switch(ctx, "RootSessions", on=True)
    return api.EnableOrganizationsRootSessionsResponse(
        organization_id=organization.id, enabled_features=features(ctx.tx, organization)
    )


@operation("iam", resource=anything)
def disable_organizations_root_sessions(
    ctx: Context, _req: api.DisableOrganizationsRootSessionsRequest
) -> api.DisableOrganizationsRootSessionsResponse:
    """Take that away. Raises as the others."""
    organization = _switch(ctx, "RootSessions", on=False)
    return api.DisableOrganizationsRootSessionsResponse(
        organization_id=organization.id, enabled_features=features(ctx.tx, organization)
    )


@operation("iam", resource=anything, read=True)
def list_organizations_features(
    ctx: Context, _req: api.ListOrganizationsFeaturesRequest
) -> api.ListOrganizationsFeaturesResponse:
    """What is enabled. Raises as the others, and AccountNotManagementOrDelegatedAdministrator."""
    organization = _usable(ctx)
    if not administers(ctx.tx, organization, ctx.account):
        message = (
            "The request was rejected because the account making the request is not the management account or delegated"
            " administrator account for centralized root access."
        )
        raise api.AccountNotManagementOrDelegatedAdministratorException(message)
    return api.ListOrganizationsFeaturesResponse(organization_id=organization.id, enabled_features=features(ctx.tx, organization))


def _switch(ctx: Context, feature: Feature, *, on: bool) -> Organization:
    organization = _usable(ctx)
    if ctx.account != organization.management:
        message = (
            "The request was rejected because the account making the request is not the management account for the organization."
        )
        raise api.CallerIsNotManagementAccountException(message)
    ctx.tx.run("DELETE FROM org_root_feature WHERE organization = ? AND feature = ?", organization.id, feature)
    if on:
        ctx.tx.run("INSERT INTO org_root_feature (organization, feature) VALUES (?, ?)", organization.id, feature)
    ctx.changed(
        ConfigurationItem(
            "Garrison::IAM::RootAccess",
            organization.id,
            organization.arn,
            ctx.account,
            "global",
            configuration={"EnabledFeatures": features(ctx.tx, organization)},
        )
    )
    return organization


def _usable(ctx: Context) -> Organization:
    """The caller's organization, which has all features and trusts IAM. Raises what each of it is called where it is missing."""
    organization = organization_of(ctx.tx, ctx.account)
    if organization is None:
        message = "The request was rejected because no organization is associated with your account."
        raise api.OrganizationNotFoundException(message)
    if organization.feature_set != "ALL":
        message = "The request was rejected because your organization does not have All features enabled."
        raise api.OrganizationNotInAllFeaturesModeException(message)
    if not trusted(ctx.tx, organization):
        message = "The request was rejected because trusted access is not enabled for IAM in AWS Organizations."
        raise api.ServiceAccessNotEnabledException(message)
    return organization
