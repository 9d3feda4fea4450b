"""Messages to partners: AWS publishes them to the SNS topic that the request names; here they go where the operator said.

The message is the one of AWS's guide ("Building your integration", "Notification Message Format") in the envelope of an SNS
notification, without SNS's signature, which only AWS can make. A topic with a URL has it sent there (``delivery``); one without
keeps it for the operator, who reads it by ``garrison delegation messages``.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import NamedTuple

from garrison.core.ids import Random, uuid4
from garrison.core.ports import Sealer, Transaction
from garrison.identity.delegation.requests import RequestRow

_PURPOSE = "delegation-notice"


class Notice(NamedTuple):
    """A message that is to be sent."""

    position: int
    topic_arn: str
    body: bytes
    created: float
    attempts: int
    url: str
    authority: str
    secret: bytes
    """Sealed."""


def state_changed(tx: Transaction, sealer: Sealer, row: RequestRow, random: Random) -> None:
    """Tell the partner of a request's new state."""
    _publish(tx, sealer, row, {"Type": "StateChange"}, random)


def token_released(tx: Transaction, sealer: Sealer, row: RequestRow, token: str, random: Random) -> None:
    """Hand the partner the token."""
    _publish(tx, sealer, row, {"Type": "ExchangeToken", "ExchangeToken": token, "ExpiresAt": _iso(row.access_ends)}, random)


def kept(tx: Transaction, sealer: Sealer, topic_arn: str) -> list[str]:
    """The messages of a topic, oldest first, as JSON."""
    rows = tx.all("SELECT position, body FROM iam_delegation_notice WHERE topic_arn = ? ORDER BY position", topic_arn)
    return [sealer.unseal(_PURPOSE, body, _bound(topic_arn, position)).decode() for position, body in rows]


def waiting(tx: Transaction, sealer: Sealer, now: float, limit: int) -> list[Notice]:
    """Messages that are to be sent by now, oldest first; none before an older one of its topic that is to be sent later."""
    rows = tx.all(
        "SELECT n.position, n.topic_arn, n.body, n.created, n.attempts, t.url, t.authority, t.secret FROM iam_delegation_notice n"
        " JOIN iam_delegation_topic t ON t.topic_arn = n.topic_arn WHERE n.next_at <= ? AND t.url <> ''"
        " AND NOT EXISTS (SELECT 1 FROM iam_delegation_notice e"
        " WHERE e.topic_arn = n.topic_arn AND e.position < n.position AND e.next_at > ?)"
        " ORDER BY n.position LIMIT ?",
        now,
        now,
        limit,
    )
    return [Notice(row[0], row[1], sealer.unseal(_PURPOSE, row[2], _bound(row[1], row[0])), *row[3:]) for row in rows]


def delivered(tx: Transaction, notice: Notice) -> None:
    """Keep a message that arrived no longer: it may hold a token."""
    tx.run("DELETE FROM iam_delegation_notice WHERE position = ?", notice.position)


def failed(tx: Transaction, notice: Notice, next_at: float | None) -> None:
    """Note that a message did not arrive: the next attempt, or None where there is none; the operator can still read it."""
    sql = "UPDATE iam_delegation_notice SET attempts = attempts + 1, next_at = ? WHERE position = ?"
    tx.run(sql, next_at, notice.position)


def has_older(tx: Transaction, before: float) -> bool:
    """Whether there are messages that are older."""
    return tx.one("SELECT position FROM iam_delegation_notice WHERE created < ? LIMIT 1", before) is not None


def forget(tx: Transaction, before: float) -> None:
    """Forget what nobody fetched: the tokens in it are of no use any more."""
    tx.run("DELETE FROM iam_delegation_notice WHERE created < ?", before)


def _publish(tx: Transaction, sealer: Sealer, row: RequestRow, members: dict[str, str], random: Random) -> None:
    at = row.updated
    message = {
        "RequestId": row.id,
        "RequestorWorkflowId": row.workflow_id,
        "State": row.state,
        "OwnerAccountId": row.owner_account,
        "UpdatedAt": _iso(at),
        **members,
    }
    envelope = {
        "Type": "Notification",
        "MessageId": uuid4(random),
        "TopicArn": row.topic_arn,
        "Message": json.dumps(message, separators=(",", ":")),
        "Timestamp": _iso(at),
    }
    last = tx.one("SELECT max(position) FROM iam_delegation_notice")
    position = 1 + (last[0] or 0 if last else 0)
    body = sealer.seal(_PURPOSE, json.dumps(envelope).encode(), _bound(row.topic_arn, position))
    sql = "INSERT INTO iam_delegation_notice (position, topic_arn, body, created, attempts, next_at) VALUES (?, ?, ?, ?, 0, ?)"
    tx.run(sql, position, row.topic_arn, body, at, at)


def _bound(topic_arn: str, position: int) -> bytes:
    """What a message is sealed to: its place."""
    return f"{topic_arn} {position}".encode()


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
