"""Transfers of responsibility as rows, and what the answer to their handshake makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from garrison.api import organizations as api
from garrison.core.context import Context
from garrison.identity.organizations import items
from garrison.identity.organizations.rows import OrganizationRow
from garrison.identity.organizations.shaking import HandshakeRow, email_of
from garrison.identity.organizations.targets import transfer_arn

COLUMNS = (
    "transfer_id, type, name, status, source_organization, source_account, target_organization, target_account, starts, ends,"
    " handshake_id"
)


class TransferRow(NamedTuple):
    """A row of org_transfer."""

    id: str
    type: str
    name: str
    stored_status: str
    source_organization: str
    source_account: str
    target_organization: str
    target_account: str
    starts: float
    ends: float | None
    handshake: str

    def status(self, ctx: Context) -> str:
        """Where it stands: what nobody answered in time is expired."""
        if self.stored_status != "REQUESTED":
            return self.stored_status
        row = ctx.tx.one("SELECT expires FROM org_handshake WHERE handshake_id = ?", self.handshake)
        return "EXPIRED" if row is None or ctx.now >= row[0] else "REQUESTED"


def find_transfer(ctx: Context, organization: str, transfer: str) -> TransferRow | None:
    """A transfer that an organization is a side of."""
    row = ctx.tx.one(
        f"SELECT {COLUMNS} FROM org_transfer WHERE transfer_id = ? AND (source_organization = ? OR target_organization = ?)",  # noqa: S608 - constant
        transfer,
        organization,
        organization,
    )
    return TransferRow(*row) if row else None


def of_side(ctx: Context, side: str, organization: str, after: str, limit: int) -> Sequence[TransferRow]:
    """So many transfers by id that an organization is the ``source`` or the ``target`` of."""
    rows = ctx.tx.all(
        f"SELECT {COLUMNS} FROM org_transfer WHERE {side}_organization = ? AND transfer_id > ? ORDER BY transfer_id LIMIT ?",  # noqa: S608 - constants
        organization,
        after,
        limit,
    )
    return [TransferRow(*row) for row in rows]


def answered(ctx: Context, handshake: HandshakeRow, status: str) -> None:
    """What the answer to a handshake makes of its transfer."""
    ctx.tx.run("UPDATE org_transfer SET status = ? WHERE handshake_id = ?", status, handshake.id)


def transfer_changed(ctx: Context, row: OrganizationRow, found: TransferRow) -> None:
    """The configuration item of a transfer, as the caller's side has it."""
    arn, _ = transfer_arn(ctx, row, found.id)
    configuration = {"Id": found.id, "Name": found.name, "Status": found.stored_status, "EndTimestamp": found.ends}
    items.transfer_changed(ctx, arn, configuration, items.tags_of(ctx.tx, row.id, found.id))


def shown(ctx: Context, row: OrganizationRow, found: TransferRow) -> api.ResponsibilityTransfer:
    """A transfer as answers show it to one of its sides."""
    arn, _ = transfer_arn(ctx, row, found.id)
    status = found.status(ctx)
    return api.ResponsibilityTransfer(
        arn=arn,
        name=found.name,
        id=found.id,
        type=found.type,
        status=status,
        source=_side(ctx, found.source_account),
        target=_side(ctx, found.target_account),
        start_timestamp=found.starts,
        end_timestamp=found.ends,
        active_handshake_id=found.handshake if status == "REQUESTED" else None,
    )


def _side(ctx: Context, account: str) -> api.TransferParticipant:
    return api.TransferParticipant(management_account_id=account, management_account_email=email_of(ctx, account) or None)
