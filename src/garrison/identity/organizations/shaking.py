"""Handshakes as rows: how they are found, shown, and taken from one state to the next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from garrison.api import organizations as api
from garrison.core.context import Context
from garrison.identity.organizations import errors, ids, items
from garrison.identity.organizations.rows import OrganizationRow
from garrison.identity.organizations.targets import handshake_arn

DAY = 86_400.0
INVITATION_DAYS, FEATURES_DAYS, KEPT_DAYS = 15, 90, 30
"""How long an invitation and a request to enable all features stand, and how long either is listed after its end."""
_OPEN = ("REQUESTED", "OPEN")
_COLUMNS = (
    "handshake_id, organization, management, action, state, target_type, target_id, parent, resources, tags, requested, expires"
)


class HandshakeRow(NamedTuple):
    """A row of org_handshake."""

    id: str
    organization: str
    management: str
    action: str
    stored_state: str
    target_type: str
    target: str
    parent: str | None
    resources: str
    tags: str
    requested: float
    expires: float

    @property
    def arn(self) -> str:
        """Its ARN: the organization's that began it."""
        return handshake_arn(self.management, self.organization, self.action, self.id)

    def state(self, now: float) -> str:
        """Where it stands: what nobody answered in time is expired."""
        return "EXPIRED" if self.stored_state in _OPEN and now >= self.expires else self.stored_state

    def is_for(self, account: str, email: str) -> bool:
        """Whether an account is who it was sent to."""
        return self.target == account or (self.target_type == "EMAIL" and bool(email) and self.target.lower() == email.lower())


def find(ctx: Context, handshake: str) -> HandshakeRow:
    """A handshake that is the caller's business: its account began it, or it was sent to it. Raises HandshakeNotFound."""
    row = ctx.tx.one(f"SELECT {_COLUMNS} FROM org_handshake WHERE handshake_id = ?", handshake)  # noqa: S608 - constant
    found = HandshakeRow(*row) if row else None
    if found is None or not (found.management == ctx.account or found.is_for(ctx.account, email_of(ctx, ctx.account))):
        raise errors.handshake_not_found()
    return found


def listed(ctx: Context, where: str, *parameters: str) -> list[HandshakeRow]:
    """Handshakes by id, those that ended long ago left out; ``where`` is a constant of the caller."""
    rows = ctx.tx.all(
        f"SELECT {_COLUMNS} FROM org_handshake WHERE {where} AND expires > ? ORDER BY handshake_id",  # noqa: S608 - constants
        *parameters,
        ctx.now - KEPT_DAYS * DAY,
    )
    return [HandshakeRow(*row) for row in rows]


def begin(
    ctx: Context,
    row: OrganizationRow,
    action: str,
    *,
    target: api.HandshakeParty,
    days: int,
    resources: Sequence[api.HandshakeResource],
    state: str = "REQUESTED",
    parent: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> HandshakeRow:
    """Write a new handshake."""
    found = HandshakeRow(
        ids.handshake_id(ctx),
        row.id,
        row.management,
        action,
        state,
        target.type,
        target.id,
        parent,
        json.dumps([msgspec.to_builtins(resource) for resource in resources]),
        json.dumps(tags or {}),
        ctx.now,
        ctx.now + days * DAY,
    )
    ctx.tx.run(f"INSERT INTO org_handshake ({_COLUMNS}) VALUES ({', '.join('?' * 12)})", *found)  # noqa: S608 - constants
    _changed(ctx, found)
    return found


def go_to(ctx: Context, found: HandshakeRow, state: str) -> HandshakeRow:
    """Take a handshake to an end. Raises HandshakeAlreadyInState, InvalidHandshakeTransition."""
    now = found.state(ctx.now)
    if now == state:
        message = (
            "The specified handshake is already in the requested state. For example, you can't accept a handshake that was"
            " already accepted."
        )
        raise api.HandshakeAlreadyInStateException(message)
    if now not in _OPEN:
        raise wrong_state()
    return put(ctx, found, state)


def put(ctx: Context, found: HandshakeRow, state: str) -> HandshakeRow:
    """Write a handshake's new state."""
    ctx.tx.run("UPDATE org_handshake SET state = ? WHERE handshake_id = ?", state, found.id)
    new = found._replace(stored_state=state)
    _changed(ctx, new)
    return new


def wrong_state() -> api.InvalidHandshakeTransitionException:
    """What cannot be done to a handshake as it stands, or not by who asks."""
    message = (
        "You can't perform the operation on the handshake in its current state. For example, you can't cancel a handshake that"
        " was already accepted or accept a handshake that was already declined."
    )
    return api.InvalidHandshakeTransitionException(message)


def organization_resource(ctx: Context, row: OrganizationRow) -> api.HandshakeResource:
    """The organization that began a handshake, as the other side is shown it."""
    name = ctx.tx.one("SELECT name FROM account WHERE id = ?", row.management)
    inside = [
        api.HandshakeResource(type="MASTER_EMAIL", value=email_of(ctx, row.management)),
        api.HandshakeResource(type="MASTER_NAME", value=name[0] if name else ""),
        api.HandshakeResource(type="ORGANIZATION_FEATURE_SET", value=row.feature_set),
    ]
    return api.HandshakeResource(type="ORGANIZATION", value=row.id, resources=inside)


def email_of(ctx: Context, account: str) -> str:
    """The e-mail address of an account; empty where it has none."""
    found = ctx.tx.one("SELECT email FROM account WHERE id = ?", account)
    return str(found[0]) if found else ""


def shown(ctx: Context, found: HandshakeRow) -> api.Handshake:
    """A handshake as answers show it."""
    parties = [api.HandshakeParty(id=found.organization, type="ORGANIZATION")]
    if found.action != "ENABLE_ALL_FEATURES":
        parties.append(api.HandshakeParty(id=found.target, type=found.target_type))
    return api.Handshake(
        id=found.id,
        arn=found.arn,
        parties=parties,
        state=found.state(ctx.now),
        requested_timestamp=found.requested,
        expiration_timestamp=found.expires,
        action=found.action,
        resources=msgspec.convert(json.loads(found.resources), list[api.HandshakeResource]),
    )


def _changed(ctx: Context, found: HandshakeRow) -> None:
    configuration: dict[str, Any] = {"Id": found.id, "Action": found.action, "State": found.stored_state, "Target": found.target}
    items.handshake_changed(ctx, found.arn, configuration)
