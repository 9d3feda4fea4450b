"""Services that work with the organization, and the members that administer it for them.

Source: AWS Organizations User Guide, "AWS services that you can use with AWS Organizations".
"""

from __future__ import annotations

from collections.abc import Mapping

from garrison.api import organizations as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.organizations import access, errors, items
from garrison.identity.organizations.accounts import existing
from garrison.identity.organizations.pages import Pager
from garrison.identity.organizations.rows import AccountRow, OrganizationRow, count
from garrison.identity.organizations.targets import anything, of_account, service_principal

_ONE, _SOME = 1, 5
SERVICES: Mapping[str, int] = {
    "access-analyzer.amazonaws.com": _ONE,
    "account.amazonaws.com": _ONE,
    "auditmanager.amazonaws.com": _ONE,
    "aws-artifact-account-sync.amazonaws.com": 0,
    "backup.amazonaws.com": 0,
    "billing-cost-management.amazonaws.com": 0,
    "cloudtrail.amazonaws.com": 3,
    "compute-optimizer.amazonaws.com": _ONE,
    "config-multiaccountsetup.amazonaws.com": 3,
    "config.amazonaws.com": 3,
    "controltower.amazonaws.com": 0,
    "cost-optimization-hub.bcm.amazonaws.com": _ONE,
    "detective.amazonaws.com": _ONE,
    "devops-guru.amazonaws.com": _SOME,
    "ds.amazonaws.com": 0,
    "ec2.amazonaws.com": 0,
    "fms.amazonaws.com": 10,
    "guardduty.amazonaws.com": _ONE,
    "health.amazonaws.com": _SOME,
    "iam.amazonaws.com": _ONE,
    "inspector2.amazonaws.com": _ONE,
    "ipam.amazonaws.com": _ONE,
    "license-manager-linux-subscriptions.amazonaws.com": _ONE,
    "license-manager.amazonaws.com": _ONE,
    "license-manager.member-account.amazonaws.com": 0,
    "macie.amazonaws.com": _ONE,
    "malware-protection.guardduty.amazonaws.com": 0,
    "member.org.stacksets.cloudformation.amazonaws.com": _SOME,
    "network-security-director.amazonaws.com": _ONE,
    "networkmanager.amazonaws.com": 10,
    "notifications.amazonaws.com": _SOME,
    "observabilityadmin.amazonaws.com": _ONE,
    "opsdatasync.ssm.amazonaws.com": _ONE,
    "ram.amazonaws.com": 0,
    "reachabilityanalyzer.networkinsights.amazonaws.com": _SOME,
    "reporting.trustedadvisor.amazonaws.com": _SOME,
    "resource-explorer-2.amazonaws.com": _ONE,
    "securityhub.amazonaws.com": _ONE,
    "securitylake.amazonaws.com": _ONE,
    "servicecatalog.amazonaws.com": 50,
    "servicequotas.amazonaws.com": 0,
    "ssm-quicksetup.amazonaws.com": _SOME,
    "ssm.amazonaws.com": _ONE,
    "sso.amazonaws.com": _ONE,
    "storage-lens.s3.amazonaws.com": _SOME,
    "tagpolicies.tag.amazonaws.com": 0,
    "user-subscriptions.amazonaws.com": 0,
    "wellarchitected.amazonaws.com": 0,
}
"""The services that AWS documents, and how many delegated administrators each may have; 0: it knows none."""


@operation("organizations", resource=anything, context=service_principal)
def enable_aws_service_access(ctx: Context, req: api.EnableAWSServiceAccessRequest) -> None:
    """Let a service work in every member; again is no error. Raises InvalidInput (a service that AWS does not document)."""
    row = _with_all_features(access.management(ctx))
    _known(req.service_principal)
    if not _enabled(ctx, row, req.service_principal):
        ctx.tx.run(
            "INSERT INTO org_service_access (organization, service, enabled) VALUES (?, ?, ?)",
            row.id,
            req.service_principal,
            ctx.now,
        )
    items.organization_changed(ctx, row)


@operation("organizations", resource=anything, context=service_principal)
def disable_aws_service_access(ctx: Context, req: api.DisableAWSServiceAccessRequest) -> None:
    """Take a service's access away; of one that has none is no error.

    Raises InvalidInput (a service that AWS does not document), ConstraintViolation (it has a delegated administrator).
    """
    row = _with_all_features(access.management(ctx))
    _known(req.service_principal)
    if count(ctx.tx, "org_delegation", "organization = ? AND service = ?", row.id, req.service_principal):
        message = "You can't disable access for a service that has a delegated administrator. Deregister it first."
        raise errors.constraint("DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE", message)
    taken = "DELETE FROM org_service_access WHERE organization = ? AND service = ?"
    ctx.tx.run(taken, row.id, req.service_principal)
    if req.service_principal == "iam.amazonaws.com":
        # What IAM did with root users it did by this access.
        ctx.tx.run("DELETE FROM org_root_feature WHERE organization = ?", row.id)
    items.organization_changed(ctx, row, ("org", row.id))


@operation("organizations", resource=anything, read=True)
def list_aws_service_access_for_organization(
    ctx: Context, req: api.ListAWSServiceAccessForOrganizationRequest
) -> api.ListAWSServiceAccessForOrganizationResponse:
    """The services that have access, and since when."""
    row = access.administrator(ctx)
    rows = ctx.tx.all("SELECT service, enabled FROM org_service_access WHERE organization = ? ORDER BY service", row.id)
    page = Pager(ctx, req).cut(rows, lambda found: str(found[0]))
    found = [api.EnabledServicePrincipal(service_principal=service, date_enabled=since) for service, since in page.items]
    return api.ListAWSServiceAccessForOrganizationResponse(enabled_service_principals=found, next_token=page.token)


@operation("organizations", resource=of_account, context=service_principal)
def register_delegated_administrator(ctx: Context, req: api.RegisterDelegatedAdministratorRequest) -> None:
    """Let a member administer the organization for a service.

    Raises AccountNotFound, AccountAlreadyRegistered, InvalidInput (the service knows no administrators), ConstraintViolation (the
    management account; a closed account; no service access; as many as the service may have).
    """
    row = _with_all_features(access.management(ctx))
    account = existing(ctx, row, req.account_id)
    most = _known(req.service_principal, delegable=True)
    _registrable(ctx, row, account, req.service_principal)
    where = "organization = ? AND service = ?"
    if count(ctx.tx, "org_delegation", f"{where} AND account = ?", row.id, req.service_principal, account.id):
        message = "The provided account is already a delegated administrator for your organization."
        raise api.AccountAlreadyRegisteredException(message)
    if count(ctx.tx, "org_delegation", where, row.id, req.service_principal) >= most:
        message = "You have exceeded the allowed number of delegated administrators for the delegated service."
        raise errors.constraint("MAX_DELEGATED_ADMINISTRATORS_FOR_SERVICE_LIMIT_EXCEEDED", message)
    ctx.tx.run(
        "INSERT INTO org_delegation (organization, account, service, enabled) VALUES (?, ?, ?, ?)",
        row.id,
        account.id,
        req.service_principal,
        ctx.now,
    )
    items.organization_changed(ctx, row)


@operation("organizations", resource=of_account, context=service_principal)
def deregister_delegated_administrator(ctx: Context, req: api.DeregisterDelegatedAdministratorRequest) -> None:
    """Take a member's part away. Raises AccountNotFound, AccountNotRegistered, InvalidInput."""
    row = _with_all_features(access.management(ctx))
    account = existing(ctx, row, req.account_id)
    _known(req.service_principal, delegable=True)
    taken = "DELETE FROM org_delegation WHERE organization = ? AND account = ? AND service = ?"
    if not ctx.tx.run(taken, row.id, account.id, req.service_principal):
        raise _not_registered()
    items.organization_changed(ctx, row)


@operation("organizations", resource=anything, context=service_principal, read=True)
def list_delegated_administrators(
    ctx: Context, req: api.ListDelegatedAdministratorsRequest
) -> api.ListDelegatedAdministratorsResponse:
    """The members that administer something, of one service where one is named."""
    row = access.administrator(ctx)
    if req.service_principal is not None:
        _known(req.service_principal, delegable=True)
    rows = ctx.tx.all(
        "SELECT account, MIN(enabled) FROM org_delegation WHERE organization = ? AND (service = ? OR ? = '')"
        " GROUP BY account ORDER BY account",
        row.id,
        req.service_principal or "",
        req.service_principal or "",
    )
    page = Pager(ctx, req, req.service_principal).cut(rows, lambda found: str(found[0]))
    found = [_administrator(ctx, row, existing(ctx, row, account), since) for account, since in page.items]
    return api.ListDelegatedAdministratorsResponse(delegated_administrators=found, next_token=page.token)


@operation("organizations", resource=of_account, read=True)
def list_delegated_services_for_account(
    ctx: Context, req: api.ListDelegatedServicesForAccountRequest
) -> api.ListDelegatedServicesForAccountResponse:
    """The services that a member administers. Raises AccountNotFound, AccountNotRegistered."""
    row = access.administrator(ctx)
    account = existing(ctx, row, req.account_id)
    rows = ctx.tx.all(
        "SELECT service, enabled FROM org_delegation WHERE organization = ? AND account = ? ORDER BY service", row.id, account.id
    )
    if not rows:
        raise _not_registered()
    page = Pager(ctx, req, account.id).cut(rows, lambda found: str(found[0]))
    found = [api.DelegatedService(service_principal=service, delegation_enabled_date=since) for service, since in page.items]
    return api.ListDelegatedServicesForAccountResponse(delegated_services=found, next_token=page.token)


def _registrable(ctx: Context, row: OrganizationRow, account: AccountRow, service: str) -> None:
    if account.id == row.management:
        message = "You cannot register master account/yourself as delegated administrator for your organization."
        raise errors.constraint("CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR", message)
    if account.state != "ACTIVE":
        message = "You can't register a suspended account as a delegated administrator."
        raise errors.constraint("CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR", message)
    if not _enabled(ctx, row, service):
        message = "You attempted to register a delegated administrator before you enabled service access."
        raise errors.constraint("SERVICE_ACCESS_NOT_ENABLED", message)


def _enabled(ctx: Context, row: OrganizationRow, service: str) -> bool:
    return count(ctx.tx, "org_service_access", "organization = ? AND service = ?", row.id, service) > 0


def _known(service: str, *, delegable: bool = False) -> int:
    """How many administrators a service may have. Raises InvalidInput."""
    most = SERVICES.get(service)
    if most is None or (delegable and not most):
        raise errors.invalid("UNRECOGNIZED_SERVICE_PRINCIPAL", "You specified an unrecognized service principal.")
    return most


def _with_all_features(row: OrganizationRow) -> OrganizationRow:
    if row.feature_set != "ALL":
        raise errors.all_features_needed()
    return row


def _not_registered() -> api.AccountNotRegisteredException:
    message = "The provided account is not a registered delegated administrator for your organization."
    return api.AccountNotRegisteredException(message)


def _administrator(ctx: Context, row: OrganizationRow, account: AccountRow, since: float) -> api.DelegatedAdministrator:
    status, state = account.status(ctx.now)
    return api.DelegatedAdministrator(
        id=account.id,
        arn=row.arn_of("account", account.id),
        email=account.email or None,
        name=account.name,
        status=status,
        state=state,
        joined_method=account.joined_method,
        joined_timestamp=account.joined,
        delegation_enabled_date=since,
    )
