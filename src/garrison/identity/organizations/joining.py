"""How an account comes into an organization and leaves it."""

from __future__ import annotations

from collections.abc import Mapping

from garrison.core.context import Context
from garrison.core.ports import Accounts
from garrison.identity.organizations import errors, items
from garrison.identity.organizations.attaching import attach_defaults, detach_all
from garrison.identity.organizations.rows import AccountRow, OrganizationRow, count, find_account
from garrison.identity.organizations.tagging import drop_tags

ACCOUNTS = 10_000
"""Accounts of an organization: the most that AWS raises its quota to, since there is nobody here to ask for more."""
WAIT_DAYS = 7
"""So old must an account be that the organization made, before it leaves."""


def has_room(ctx: Context, row: OrganizationRow) -> bool:
    """Whether one more account fits. Open invitations count, as AWS counts them."""
    open_ones = "organization = ? AND action = 'INVITE' AND state = 'REQUESTED' AND expires > ?"
    members = count(ctx.tx, "org_account", "organization = ?", row.id)
    return members + count(ctx.tx, "org_handshake", open_ones, row.id, ctx.now) < ACCOUNTS


def join(ctx: Context, row: OrganizationRow, account: str, method: str, tags: Mapping[str, str]) -> AccountRow:
    """Put an account that exists under the root. The caller has checked that it is in no organization."""
    ctx.tx.run(
        "INSERT INTO org_account (organization, account, parent_id, joined_method, joined) VALUES (?, ?, ?, ?, ?)",
        row.id,
        account,
        row.root,
        method,
        ctx.now,
    )
    for key, value in tags.items():
        ctx.tx.run(
            "INSERT INTO org_tag (organization, resource_id, tag_key, tag_value) VALUES (?, ?, ?, ?)", row.id, account, key, value
        )
    attach_defaults(ctx, row, account)
    found = find_account(ctx.tx, row.id, account)
    if found is None:
        msg = f"the account {account} does not exist"
        raise LookupError(msg)
    items.account_changed(ctx, row, found, ("org-account", account))
    return found


def leave(ctx: Context, row: OrganizationRow, account: AccountRow) -> None:
    """Take a member out, with all that the organization attached to it.

    Raises MasterCannotLeaveOrganization, ConstraintViolation (a delegated administrator; made here less than seven days ago).
    """
    if account.id == row.management:
        raise errors.master_cannot_leave()
    if count(ctx.tx, "org_delegation", "organization = ? AND account = ?", row.id, account.id):
        raise errors.delegated_cannot_leave()
    if account.joined_method == "CREATED" and ctx.now < account.joined + WAIT_DAYS * 86_400:
        raise errors.wait_period(WAIT_DAYS)
    items.account_changed(ctx, row, account, ("org-account", account.id), left=True)
    ctx.tx.run("DELETE FROM org_account WHERE account = ?", account.id)
    detach_all(ctx, row, account.id)
    drop_tags(ctx, row.id, account.id)


def linked(ctx: Context, account: str) -> None:
    """The service-linked role that Organizations has in every member."""
    makers(ctx).link(ctx, account)


def makers(ctx: Context) -> Accounts:
    """Who makes accounts. Raises RuntimeError where nobody does."""
    if ctx.ports.accounts is None:
        msg = "nobody here makes accounts"
        raise RuntimeError(msg)
    return ctx.ports.accounts
