"""Member accounts: make, describe, list, move, remove, leave, close."""

from __future__ import annotations

from garrison.api import organizations as api
from garrison.core.context import ConfigurationItem, Context
from garrison.core.ids import account_id
from garrison.core.operation import operation
from garrison.identity.organizations import access, errors, ids, items
from garrison.identity.organizations.joining import has_room, join, leave, linked, makers
from garrison.identity.organizations.pages import Pager
from garrison.identity.organizations.rows import (
    AccountRow,
    OrganizationRow,
    accounts_after,
    children_after,
    count,
    find_account,
    path_of,
)
from garrison.identity.organizations.tagging import checked_tags
from garrison.identity.organizations.targets import anything, moved, of_account, of_parent, oneself, request_tags
from garrison.identity.organizations.units import existing_parent

ROLE = "OrganizationAccountAccessRole"
CLOSED_WINDOW = 30 * 86_400
_CLOSED_SHARE, _CLOSED_LEAST, _CLOSED_MOST = 10, 10, 1000
"""Of 100 members so many may be closed in 30 days, and so many at least and at most."""


@operation("organizations", resource=anything, context=request_tags)
def create_account(ctx: Context, req: api.CreateAccountRequest) -> api.CreateAccountResponse:
    """Make an account in the organization, with a role in it that the management account may assume.

    As AWS answers, the account is being made; what came of it is in DescribeCreateAccountStatus. Raises InvalidInput (tags).
    """
    row = access.management(ctx)
    checked_tags(req.tags)
    request = ids.request_id(ctx)
    reason = None if has_room(ctx, row) else "ACCOUNT_LIMIT_EXCEEDED"
    if count(ctx.tx, "account", "lower(email) = ?", req.email.lower()):
        reason = "EMAIL_ALREADY_EXISTS"
    made = None if reason else _make(ctx, row, req)
    ctx.tx.run(
        "INSERT INTO org_create_status (organization, request_id, account_name, state, requested, completed, account,"
        " failure_reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        row.id,
        request,
        req.account_name,
        "FAILED" if reason else "SUCCEEDED",
        ctx.now,
        ctx.now,
        made,
        reason,
    )
    if made is None:
        items.organization_changed(ctx, row)
    status = api.CreateAccountStatus(id=request, account_name=req.account_name, state="IN_PROGRESS", requested_timestamp=ctx.now)
    return api.CreateAccountResponse(create_account_status=status)


def _make(ctx: Context, row: OrganizationRow, req: api.CreateAccountRequest) -> str:
    """A number that nobody has, the account under it, and its place under the root."""
    number = account_id(ctx.random)
    while count(ctx.tx, "account", "id = ?", number):
        number = account_id(ctx.random)
    role = req.role_name or ROLE
    makers(ctx).create(ctx, number, name=req.account_name, email=req.email, role=role, management=row.management)
    linked(ctx, number)
    join(ctx, row, number, "CREATED", {tag.key: tag.value for tag in req.tags or ()})
    return number


@operation("organizations", resource=anything, context=request_tags)
def create_gov_cloud_account(ctx: Context, _req: api.CreateGovCloudAccountRequest) -> api.CreateGovCloudAccountResponse:
    """Always ConstraintViolation: AWS GovCloud (US) is a partition of Amazon's own, and no account here is enabled for it."""
    access.management(ctx)
    raise errors.constraint(
        "MASTER_ACCOUNT_NOT_GOVCLOUD_ENABLED",
        "The management account must have an associated account in the AWS GovCloud (US-West) Region.",
    )


@operation("organizations", resource=anything, read=True)
def describe_create_account_status(
    ctx: Context, req: api.DescribeCreateAccountStatusRequest
) -> api.DescribeCreateAccountStatusResponse:
    """What came of a request to make an account. Raises CreateAccountStatusNotFound."""
    row = access.administrator(ctx)
    found = ctx.tx.one(f"{_STATUSES} AND request_id = ?", row.id, req.create_account_request_id)
    if found is None:
        raise api.CreateAccountStatusNotFoundException("You specified a create account request that doesn't exist.")
    return api.DescribeCreateAccountStatusResponse(create_account_status=_status(*found))


@operation("organizations", resource=anything, read=True)
def list_create_account_status(ctx: Context, req: api.ListCreateAccountStatusRequest) -> api.ListCreateAccountStatusResponse:
    """The requests to make accounts, of the states that are asked for."""
    row = access.administrator(ctx)
    rows = [_status(*found) for found in ctx.tx.all(f"{_STATUSES} ORDER BY request_id", row.id)]
    wanted = [status for status in rows if not req.states or status.state in req.states]
    page = Pager(ctx, req, sorted(req.states or [])).cut(wanted, lambda status: status.id or "")
    return api.ListCreateAccountStatusResponse(create_account_statuses=page.items, next_token=page.token)


_STATUSES = (
    "SELECT request_id, account_name, state, requested, completed, account, failure_reason FROM org_create_status"
    " WHERE organization = ?"
)


@operation("organizations", resource=of_account, read=True)
def describe_account(ctx: Context, req: api.DescribeAccountRequest) -> api.DescribeAccountResponse:
    """A member. Raises AccountNotFound."""
    row = access.administrator(ctx)
    return api.DescribeAccountResponse(account=shown(ctx, row, existing(ctx, row, req.account_id)))


@operation("organizations", resource=anything, read=True)
def list_accounts(ctx: Context, req: api.ListAccountsRequest) -> api.ListAccountsResponse:
    """Every member, by number."""
    row = access.administrator(ctx)
    pager = Pager(ctx, req)
    page = pager.page(accounts_after(ctx.tx, row.id, pager.after, pager.limit + 1), _number)
    return api.ListAccountsResponse(accounts=[shown(ctx, row, account) for account in page.items], next_token=page.token)


@operation("organizations", resource=of_parent, read=True)
def list_accounts_for_parent(ctx: Context, req: api.ListAccountsForParentRequest) -> api.ListAccountsForParentResponse:
    """The members right under a root or unit. Raises ParentNotFound."""
    row = access.administrator(ctx)
    parent = existing_parent(ctx, row, req.parent_id)
    pager = Pager(ctx, req, parent)
    page = pager.page(children_after(ctx.tx, row.id, parent, pager.after, pager.limit + 1), _number)
    found = [shown(ctx, row, account) for account in page.items]
    return api.ListAccountsForParentResponse(accounts=found, next_token=page.token)


@operation("organizations", resource=moved)
def move_account(ctx: Context, req: api.MoveAccountRequest) -> None:
    """Put a member under another root or unit, whose policies bound it from the next request on.

    Raises AccountNotFound, SourceParentNotFound, DestinationParentNotFound, DuplicateAccount.
    """
    row = access.management(ctx)
    account = existing(ctx, row, req.account_id)
    if account.parent != req.source_parent_id:
        raise api.SourceParentNotFoundException("You specified a source parent that doesn't exist.")
    try:
        destination = existing_parent(ctx, row, req.destination_parent_id)
    except api.ParentNotFoundException:
        raise api.DestinationParentNotFoundException("You specified a destination parent that doesn't exist.") from None
    if destination == account.parent:
        raise api.DuplicateAccountException("That account is already present in the specified destination.")
    ctx.tx.run("UPDATE org_account SET parent_id = ? WHERE account = ?", destination, account.id)
    items.account_changed(ctx, row, account._replace(parent=destination), ("org-account", account.id))


@operation("organizations", resource=of_account)
def remove_account_from_organization(ctx: Context, req: api.RemoveAccountFromOrganizationRequest) -> None:
    """Take a member out, which goes on by itself. Raises AccountNotFound, MasterCannotLeaveOrganization, ConstraintViolation."""
    row = access.management(ctx)
    leave(ctx, row, existing(ctx, row, req.account_id))


@operation("organizations", resource=oneself)
def leave_organization(ctx: Context, _req: None) -> None:
    """Take the caller's own account out. Raises AWSOrganizationsNotInUse, MasterCannotLeaveOrganization, ConstraintViolation."""
    row = access.member(ctx)
    leave(ctx, row, existing(ctx, row, ctx.account))


@operation("organizations", resource=of_account)
def close_account(ctx: Context, req: api.CloseAccountRequest) -> None:
    """Close a member: from the next request on nobody signs for it. It stays in the organization as suspended.

    Raises AccountNotFound, AccountAlreadyClosed, ConstraintViolation (the management account; a delegated administrator; more
    than a tenth of the members, and ten, within 30 days).
    """
    row = access.management(ctx)
    account = existing(ctx, row, req.account_id)
    if account.id == row.management:
        raise errors.constraint("CANNOT_CLOSE_MANAGEMENT_ACCOUNT", "You can't close the management account.")
    if account.state != "ACTIVE":
        raise api.AccountAlreadyClosedException("You attempted to close an account that is already closed.")
    if count(ctx.tx, "org_delegation", "organization = ? AND account = ?", row.id, account.id):
        raise errors.delegated_cannot_leave()
    _refuse_too_many(ctx, row)
    ctx.tx.run("UPDATE account SET state = 'SUSPENDED', closed = ? WHERE id = ?", ctx.now, account.id)
    items.account_changed(ctx, row, account._replace(state="SUSPENDED", closed=ctx.now))
    _tell_the_account(ctx, account)


def _refuse_too_many(ctx: Context, row: OrganizationRow) -> None:
    members = count(ctx.tx, "org_account", "organization = ?", row.id)
    closed = ctx.tx.one(
        "SELECT COUNT(*) FROM org_account m JOIN account a ON a.id = m.account WHERE m.organization = ? AND a.closed > ?",
        row.id,
        ctx.now - CLOSED_WINDOW,
    )
    if closed and closed[0] >= min(_CLOSED_MOST, max(_CLOSED_LEAST, members * _CLOSED_SHARE // 100)):
        message = "You have exceeded close account quota for the past 30 days."
        raise errors.constraint("CLOSE_ACCOUNT_QUOTA_EXCEEDED", message)


def _tell_the_account(ctx: Context, account: AccountRow) -> None:
    """The account's own record; credentials of it that are held in memory go."""
    ctx.changed(
        ConfigurationItem(
            "AWS::::Account",
            account.id,
            f"arn:aws:iam::{account.id}:root",
            account.id,
            "global",
            configuration={"AccountName": account.name, "Email": account.email, "State": "SUSPENDED"},
        ),
        ("account", account.id),
    )


def existing(ctx: Context, row: OrganizationRow, account: str) -> AccountRow:
    """A member. Raises AccountNotFound."""
    found = find_account(ctx.tx, row.id, account)
    if found is None:
        raise errors.account_not_found()
    return found


def shown(ctx: Context, row: OrganizationRow, account: AccountRow) -> api.Account:
    """A member as answers show it."""
    status, state = account.status(ctx.now)
    return api.Account(
        id=account.id,
        arn=row.arn_of("account", account.id),
        email=account.email or None,
        name=account.name,
        status=status,
        state=state,
        paths=[f"{path_of(ctx.tx, row.id, account.parent)}{account.id}/"],
        joined_method=account.joined_method,
        joined_timestamp=account.joined,
    )


def _status(
    request: str,
    name: str,
    state: str,
    requested: float,
    completed: float,
    account: str | None,
    reason: str | None,
) -> api.CreateAccountStatus:
    return api.CreateAccountStatus(
        id=request,
        account_name=name,
        state=state,
        requested_timestamp=requested,
        completed_timestamp=completed,
        account_id=account,
        failure_reason=reason,
    )


def _number(account: AccountRow) -> str:
    return account.id
