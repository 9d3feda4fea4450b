"""Transfers of responsibility: the management account of one organization takes over the bills of another.

There are no bills here: what is kept is the agreement, as AWS keeps it. Source: AWS Organizations API Reference, operations on
responsibility transfers; times are whole months in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime

from garrison.api import organizations as api
from garrison.core.context import Context
from garrison.core.operation import Keys, operation
from garrison.identity.organizations import access, errors, ids, shaking
from garrison.identity.organizations.pages import Pager
from garrison.identity.organizations.rows import OrganizationRow, count, organization_of
from garrison.identity.organizations.tagging import checked_tags, put_tags
from garrison.identity.organizations.targets import anything, invited, of_transfer
from garrison.identity.organizations.transferring import (
    COLUMNS,
    TransferRow,
    find_transfer,
    of_side,
    shown,
    transfer_changed,
)

_LIVE = "source_organization = ? AND status = 'ACCEPTED' AND (ends IS NULL OR ends > ?)"


def inbound(_ctx: Context, req: api.InviteOrganizationToTransferResponsibilityRequest) -> Keys:
    """``organizations:TransferType`` and ``organizations:TransferDirection``."""
    return {"organizations:TransferType": req.type.lower(), "organizations:TransferDirection": "inbound"}


def outbound(_ctx: Context, req: api.ListOutboundResponsibilityTransfersRequest) -> Keys:
    """The same of a list of what the caller's organization handed over."""
    return {"organizations:TransferType": req.type.lower(), "organizations:TransferDirection": "outbound"}


def listed_inbound(_ctx: Context, req: api.ListInboundResponsibilityTransfersRequest) -> Keys:
    """The same of a list of what it took over."""
    return {"organizations:TransferType": req.type.lower(), "organizations:TransferDirection": "inbound"}


@operation("organizations", resource=invited, context=inbound)
def invite_organization_to_transfer_responsibility(
    ctx: Context, req: api.InviteOrganizationToTransferResponsibilityRequest
) -> api.InviteOrganizationToTransferResponsibilityResponse:
    """Ask the management account of another organization to hand its bills over, from the first of a month on.

    Raises InvalidInput (start, tags), HandshakeConstraintViolation (no management account of another organization; its bills are
    handed over already), DuplicateHandshake.
    """
    row = access.management(ctx)
    checked_tags(req.tags)
    source = _other_side(ctx, row, req.target)
    _check_start(ctx, req.start_timestamp)
    if count(ctx.tx, "org_transfer", _LIVE, source.id, ctx.now):
        message = "The responsibility for this organization is transferred already."
        raise errors.handshake_constraint("RESPONSIBILITY_TRANSFER_ALREADY_EXISTS", message)
    same = "organization = ? AND action = 'TRANSFER_RESPONSIBILITY' AND target_id = ? AND state = 'REQUESTED' AND expires > ?"
    if count(ctx.tx, "org_handshake", same, row.id, req.target.id, ctx.now):
        raise api.DuplicateHandshakeException("A handshake with the same action and target already exists.")
    name = ids.transfer_id(ctx)
    resources = [
        shaking.organization_resource(ctx, row),
        api.HandshakeResource(type="RESPONSIBILITY_TRANSFER", value=name),
        api.HandshakeResource(type="TRANSFER_TYPE", value=req.type),
        api.HandshakeResource(type="TRANSFER_START_TIMESTAMP", value=_iso(req.start_timestamp)),
        api.HandshakeResource(type="MANAGEMENT_ACCOUNT", value=source.management),
        *([api.HandshakeResource(type="NOTES", value=req.notes)] if req.notes else []),
    ]
    handshake = shaking.begin(
        ctx, row, "TRANSFER_RESPONSIBILITY", target=req.target, days=shaking.INVITATION_DAYS, resources=resources
    )
    found = TransferRow(
        name,
        req.type,
        req.source_name,
        "REQUESTED",
        source.id,
        source.management,
        row.id,
        row.management,
        req.start_timestamp,
        None,
        handshake.id,
    )
    ctx.tx.run(f"INSERT INTO org_transfer ({COLUMNS}) VALUES ({', '.join('?' * 11)})", *found)  # noqa: S608 - constants
    put_tags(ctx, row, name, req.tags)
    transfer_changed(ctx, row, found)
    return api.InviteOrganizationToTransferResponsibilityResponse(handshake=shaking.shown(ctx, handshake))


@operation("organizations", resource=of_transfer, read=True)
def describe_responsibility_transfer(
    ctx: Context, req: api.DescribeResponsibilityTransferRequest
) -> api.DescribeResponsibilityTransferResponse:
    """A transfer, for either of its sides. Raises ResponsibilityTransferNotFound."""
    row = access.management(ctx)
    return api.DescribeResponsibilityTransferResponse(responsibility_transfer=shown(ctx, row, _existing(ctx, row, req.id)))


@operation("organizations", resource=anything, context=listed_inbound, read=True)
def list_inbound_responsibility_transfers(
    ctx: Context, req: api.ListInboundResponsibilityTransfersRequest
) -> api.ListInboundResponsibilityTransfersResponse:
    """What the caller's organization took over or asked to take over, or one of it. Raises ResponsibilityTransferNotFound."""
    row = access.management(ctx)
    if req.id is not None:
        one = _existing(ctx, row, req.id)
        if one.target_organization != row.id:
            raise _not_found()
        return api.ListInboundResponsibilityTransfersResponse(responsibility_transfers=[shown(ctx, row, one)])
    pager = Pager(ctx, req, req.type)
    page = pager.page(of_side(ctx, "target", row.id, pager.after, pager.limit + 1), lambda each: each.id)
    found = [shown(ctx, row, each) for each in page.items]
    return api.ListInboundResponsibilityTransfersResponse(responsibility_transfers=found, next_token=page.token)


@operation("organizations", resource=anything, context=outbound, read=True)
def list_outbound_responsibility_transfers(
    ctx: Context, req: api.ListOutboundResponsibilityTransfersRequest
) -> api.ListOutboundResponsibilityTransfersResponse:
    """What the caller's organization handed over, or was asked to."""
    row = access.management(ctx)
    pager = Pager(ctx, req, req.type)
    page = pager.page(of_side(ctx, "source", row.id, pager.after, pager.limit + 1), lambda each: each.id)
    found = [shown(ctx, row, each) for each in page.items]
    return api.ListOutboundResponsibilityTransfersResponse(responsibility_transfers=found, next_token=page.token)


@operation("organizations", resource=of_transfer)
def update_responsibility_transfer(
    ctx: Context, req: api.UpdateResponsibilityTransferRequest
) -> api.UpdateResponsibilityTransferResponse:
    """Rename a transfer; its name is that of who asked for it. Raises ResponsibilityTransferNotFound, ConstraintViolation."""
    row = access.management(ctx)
    found = _existing(ctx, row, req.id)
    if found.target_organization != row.id:
        message = "Only the account that takes the responsibility over can update the transfer."
        raise errors.constraint("TRANSFER_RESPONSIBILITY_UPDATE_NOT_ALLOWED", message)
    ctx.tx.run("UPDATE org_transfer SET name = ? WHERE transfer_id = ?", req.name, found.id)
    new = found._replace(name=req.name)
    transfer_changed(ctx, row, new)
    return api.UpdateResponsibilityTransferResponse(responsibility_transfer=shown(ctx, row, new))


@operation("organizations", resource=of_transfer)
def terminate_responsibility_transfer(
    ctx: Context, req: api.TerminateResponsibilityTransferRequest
) -> api.TerminateResponsibilityTransferResponse:
    """End a transfer with the end of a month: of this one, where none is given. Either side may.

    Raises ResponsibilityTransferNotFound, ResponsibilityTransferAlreadyInStatus, InvalidResponsibilityTransferTransition,
    InvalidInput (the end).
    """
    row = access.management(ctx)
    found = _existing(ctx, row, req.id)
    status = found.status(ctx)
    if status == "WITHDRAWN":
        message = "The responsibility transfer is already in the status that you specified."
        raise api.ResponsibilityTransferAlreadyInStatusException(message)
    if status != "ACCEPTED":
        message = "The responsibility transfer can't transition to the requested status."
        raise api.InvalidResponsibilityTransferTransitionException(message)
    ends = _end(ctx, req.end_timestamp)
    ctx.tx.run("UPDATE org_transfer SET status = 'WITHDRAWN', ends = ? WHERE transfer_id = ?", ends, found.id)
    new = found._replace(stored_status="WITHDRAWN", ends=ends)
    transfer_changed(ctx, row, new)
    return api.TerminateResponsibilityTransferResponse(responsibility_transfer=shown(ctx, row, new))


def _existing(ctx: Context, row: OrganizationRow, transfer: str) -> TransferRow:
    found = find_transfer(ctx, row.id, transfer)
    if found is None:
        raise _not_found()
    return found


def _not_found() -> api.ResponsibilityTransferNotFoundException:
    return api.ResponsibilityTransferNotFoundException("You specified a responsibility transfer that doesn't exist.")


def _other_side(ctx: Context, row: OrganizationRow, party: api.HandshakeParty) -> OrganizationRow:
    """The organization whose management account is asked. Raises HandshakeConstraintViolation."""
    account = party.id if party.type == "ACCOUNT" else _account_of(ctx, party.id) if party.type == "EMAIL" else ""
    if account == row.management:
        message = "The source and the target of a responsibility transfer can't be the same."
        raise errors.handshake_constraint("SOURCE_AND_TARGET_CANNOT_MATCH", message)
    found = organization_of(ctx.tx, account)
    if found is None or found.management != account:
        message = "The account that you specified is not the management account of an organization."
        raise errors.handshake_constraint("TARGET_ACCOUNT_VALIDATION_FAILURE", message)
    return found


def _account_of(ctx: Context, email: str) -> str:
    found = ctx.tx.one("SELECT id FROM account WHERE lower(email) = ? AND email <> ''", email.lower())
    return str(found[0]) if found else ""


def _check_start(ctx: Context, start: float) -> None:
    """The first moment of a month to come."""
    at = datetime.fromtimestamp(start, UTC)
    if (at.hour, at.minute, at.second, at.microsecond) != (0, 0, 0, 0):
        raise errors.invalid("START_DATE_NOT_BEGINNING_OF_DAY", "The start date must be the beginning of a day.")
    if at.day != 1:
        raise errors.invalid("START_DATE_NOT_BEGINNING_OF_MONTH", "The start date must be the beginning of a month.")
    if start <= ctx.now:
        raise errors.invalid("START_DATE_TOO_EARLY", "The start date must be in the future.")


def _end(ctx: Context, end: float | None) -> float:
    """The last second of a month: of this one where none is given. Raises InvalidInput."""
    now = datetime.fromtimestamp(ctx.now, UTC)
    this_month = _month_after(now) - 1
    if end is None:
        return this_month
    if end < this_month:
        raise errors.invalid("END_DATE_TOO_EARLY", "The end date can't be before the end of this month.")
    if end != _month_after(datetime.fromtimestamp(end, UTC)) - 1:
        raise errors.invalid("END_DATE_NOT_END_OF_MONTH", "The end date must be the end of a month.")
    return end


def _month_after(at: datetime) -> float:
    first = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    later = first.replace(year=first.year + 1, month=1) if first.month == 12 else first.replace(month=first.month + 1)
    return later.timestamp()


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
