"""Delegation requests: their rows and their states.

Source: IAM User Guide, "Building your integration", "Understanding the Request Lifecycle". A request is the customer's once it is
associated, and ends by itself: a day after it was made where nobody took it up, seven days after whatever happened to it last.
"""

from __future__ import annotations

import json
from typing import Literal, NamedTuple

from garrison.core.context import ConfigurationItem
from garrison.core.ports import Transaction

State = Literal["UNASSIGNED", "ASSIGNED", "PENDING_APPROVAL", "ACCEPTED", "FINALIZED", "REJECTED", "EXPIRED"]
DAY = 86_400.0
UNTAKEN_SECONDS = DAY
WAITING_SECONDS = 7 * DAY
RETENTION_SECONDS = 30 * DAY
"""How long an expired request can be looked at; AWS does not say its own figure."""
OPEN: tuple[State, ...] = ("UNASSIGNED", "ASSIGNED", "PENDING_APPROVAL", "ACCEPTED")
"""States that something is still to come of."""
_COLUMNS = (
    "request_id, requestor, requestor_name, workflow_id, owner_account, owner_arn, owner_id, approver_arn, approver, state,"
    " expires, created, updated, description, message, template_arn, parameters, policy, restrictions, session_seconds,"
    " only_send_by_owner, topic_arn, redirect_url, notes, rejection, released, token_mac, single_use, trades, revoked"
)


class RequestRow(NamedTuple):
    """A row of iam_delegation_request; its table says what each column is."""

    id: str
    requestor: str
    requestor_name: str
    workflow_id: str
    owner_account: str
    owner_arn: str
    owner_id: str
    approver_arn: str
    approver: str
    state: State
    expires: float
    created: float
    updated: float
    description: str
    message: str
    template_arn: str
    parameters: str
    policy: str
    restrictions: str
    session_seconds: int
    only_send_by_owner: int
    topic_arn: str
    redirect_url: str
    notes: str
    rejection: str
    released: float | None
    token_mac: bytes | None
    single_use: int
    trades: int
    revoked: int

    def state_at(self, now: float) -> State:
        """Its state: nobody has to have noted that it expired."""
        return "EXPIRED" if now >= self.expires else self.state

    @property
    def account(self) -> str:
        """Whose resource it is: the customer's, and the partner's until there is one."""
        return self.owner_account or self.requestor

    @property
    def arn(self) -> str:
        """``arn:aws:iam::111122223333:delegation-request/dr-…``."""
        return f"arn:aws:iam::{self.account}:delegation-request/{self.id}"

    @property
    def access_ends(self) -> float:
        """When its access ends, seconds since the epoch; 0 where it never began."""
        return 0.0 if self.released is None else self.released + self.session_seconds


def insert(tx: Transaction, row: RequestRow) -> None:
    """Write a new request."""
    marks = ", ".join("?" * len(row))
    tx.run(f"INSERT INTO iam_delegation_request ({_COLUMNS}) VALUES ({marks})", *row)  # noqa: S608 - constant


def has_workflow(tx: Transaction, requestor: str, workflow_id: str) -> bool:
    """Whether a partner's account used a workflow id for a request that is still known."""
    sql = "SELECT request_id FROM iam_delegation_request WHERE requestor = ? AND workflow_id = ?"
    return tx.one(sql, requestor, workflow_id) is not None


def find(tx: Transaction, request_id: str) -> RequestRow | None:
    """A request by its id."""
    row = tx.one(f"SELECT {_COLUMNS} FROM iam_delegation_request WHERE request_id = ?", request_id)  # noqa: S608 - constant
    return RequestRow(*row) if row else None


def of_account(tx: Transaction, account: str, owner_arn: str | None, after: str, limit: int) -> list[RequestRow]:
    """The requests that principals of an account own, by id; those of one owner where it is given."""
    only, values = (" AND owner_arn = ?", (owner_arn,)) if owner_arn is not None else ("", ())
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM iam_delegation_request WHERE owner_account = ? AND owner_arn <> '' AND request_id > ?{only}"  # noqa: S608 - constants
        " ORDER BY request_id LIMIT ?",
        account,
        after,
        *values,
        limit,
    )
    return [RequestRow(*row) for row in rows]


def open_of(tx: Transaction, requestor: str, now: float) -> int:
    """How many requests of a partner's account something is still to come of."""
    marks = ", ".join("?" * len(OPEN))
    sql = f"SELECT count(*) FROM iam_delegation_request WHERE requestor = ? AND expires > ? AND state IN ({marks})"  # noqa: S608 - constant
    row = tx.one(sql, requestor, now, *OPEN)
    return int(row[0]) if row else 0


def due(tx: Transaction, now: float, limit: int) -> list[RequestRow]:
    """Requests whose time is over, oldest first: to be told of, or to be forgotten."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM iam_delegation_request WHERE (expires <= ? AND state <> 'EXPIRED')"  # noqa: S608 - constant
        " OR expires <= ? ORDER BY expires LIMIT ?",
        now,
        now - RETENTION_SECONDS,
        limit,
    )
    return [RequestRow(*row) for row in rows]


def write(tx: Transaction, row: RequestRow) -> None:
    """Keep what a step changed of a request."""
    tx.run(
        "UPDATE iam_delegation_request SET owner_account = ?, owner_arn = ?, owner_id = ?, approver_arn = ?, approver = ?,"
        " state = ?, expires = ?, updated = ?, notes = ?, rejection = ?, released = ?,"
        " token_mac = ?, revoked = ? WHERE request_id = ?",
        row.owner_account,
        row.owner_arn,
        row.owner_id,
        row.approver_arn,
        row.approver,
        row.state,
        row.expires,
        row.updated,
        row.notes,
        row.rejection,
        row.released,
        row.token_mac,
        row.revoked,
        row.id,
    )


def trade(tx: Transaction, row: RequestRow) -> bool:
    """Count a trade of its token; False where it was the second of a token that is good for one."""
    once = " AND trades = 0" if row.single_use else ""
    return tx.run(f"UPDATE iam_delegation_request SET trades = trades + 1 WHERE request_id = ?{once}", row.id) == 1  # noqa: S608 - constant


def revoke(tx: Transaction, request_id: str, now: float) -> RequestRow | None:
    """End a request's access at once, for good: the request; None where there is none whose access lasts."""
    row = find(tx, request_id)
    if row is None or row.released is None or row.revoked or now >= row.access_ends:
        return None
    row = row._replace(revoked=1)
    write(tx, row)
    tx.changed("delegation", request_id)
    return row


def released(tx: Transaction, now: float) -> list[RequestRow]:
    """Requests whose access lasts, by when it began."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM iam_delegation_request WHERE released IS NOT NULL AND revoked = 0 ORDER BY released")  # noqa: S608 - constant
    found = [RequestRow(*row) for row in rows]
    return [row for row in found if now < row.access_ends]


def delete(tx: Transaction, row: RequestRow) -> None:
    """Forget a request."""
    tx.run("DELETE FROM iam_delegation_request WHERE request_id = ?", row.id)
    tx.changed("delegation", row.id)


def item(row: RequestRow) -> ConfigurationItem:
    """Its configuration item: of the customer's account once there is one."""
    return ConfigurationItem(
        type="AWS::IAM::DelegationRequest",
        id=row.id,
        arn=row.arn,
        account=row.account,
        region="global",
        name=row.id,
        configuration={
            "State": row.state,
            "RequestorId": row.requestor,
            "RequestorName": row.requestor_name,
            "PermissionPolicy": json.loads(row.policy),
            "SessionDuration": row.session_seconds,
            "OwnerId": row.owner_arn,
            "ApproverId": row.approver_arn,
        },
        facts={"accessEnds": row.access_ends, "revoked": bool(row.revoked)} if row.released is not None else {},
    )
