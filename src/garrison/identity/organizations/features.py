"""From an organization that shares bills to one with all features: every invited member is asked first.

Source: AWS Organizations User Guide, "Enabling all features for an organization with AWS Organizations".
"""

from __future__ import annotations

from garrison.api import organizations as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.organizations import access, errors, items, shaking
from garrison.identity.organizations.rows import OrganizationRow, count, find_organization
from garrison.identity.organizations.shaking import HandshakeRow, shown
from garrison.identity.organizations.targets import anything

_OPEN = "organization = ? AND action = 'ENABLE_ALL_FEATURES' AND state IN ('REQUESTED', 'OPEN') AND expires > ?"


@operation("organizations", resource=anything)
def enable_all_features(ctx: Context, _req: api.EnableAllFeaturesRequest) -> api.EnableAllFeaturesResponse:
    """Ask every invited member whether all features may be enabled; once all agreed, AcceptHandshake finishes it.

    Raises HandshakeConstraintViolation (all features are enabled already, or being enabled).
    """
    row = access.management(ctx)
    if row.feature_set == "ALL":
        message = "The handshake request is invalid because the organization has already enabled all features."
        raise errors.handshake_constraint("ORGANIZATION_ALREADY_HAS_ALL_FEATURES", message)
    if enabling(ctx, row):
        message = "The handshake request is invalid because the organization is already enabling all features."
        raise errors.handshake_constraint("ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION", message)
    invited = [
        account
        for (account,) in ctx.tx.all(
            "SELECT account FROM org_account WHERE organization = ? AND joined_method = 'INVITED' AND account <> ?"
            " ORDER BY account",
            row.id,
            row.management,
        )
    ]
    resources = [shaking.organization_resource(ctx, row)]
    whole = api.HandshakeParty(id=row.id, type="ORGANIZATION")
    state = "REQUESTED" if invited else "OPEN"
    found = shaking.begin(
        ctx, row, "ENABLE_ALL_FEATURES", target=whole, days=shaking.FEATURES_DAYS, resources=resources, state=state
    )
    for account in invited:
        party = api.HandshakeParty(id=account, type="ACCOUNT")
        inside = [*resources, api.HandshakeResource(type="PARENT_HANDSHAKE", value=found.id)]
        shaking.begin(
            ctx, row, "APPROVE_ALL_FEATURES", target=party, days=shaking.FEATURES_DAYS, resources=inside, parent=found.id
        )
    return api.EnableAllFeaturesResponse(handshake=shown(ctx, found))


def enabling(ctx: Context, row: OrganizationRow) -> bool:
    """Whether members are being asked."""
    return count(ctx.tx, "org_handshake", _OPEN, row.id, ctx.now) > 0


def approved(ctx: Context, found: HandshakeRow) -> None:
    """One more member agreed; with the last of them the request can be finished."""
    waiting = "parent = ? AND state <> 'ACCEPTED'"
    if found.parent is not None and not count(ctx.tx, "org_handshake", waiting, found.parent):
        ctx.tx.run("UPDATE org_handshake SET state = 'OPEN' WHERE handshake_id = ? AND state = 'REQUESTED'", found.parent)


def finish(ctx: Context, found: HandshakeRow) -> None:
    """All features from now on."""
    row = find_organization(ctx.tx, found.organization)
    if row is None:
        raise errors.handshake_not_found()
    ctx.tx.run("UPDATE org_organization SET feature_set = 'ALL' WHERE organization = ?", row.id)
    items.organization_changed(ctx, row._replace(feature_set="ALL"), ("org", row.id))


def called_off(ctx: Context, found: HandshakeRow) -> None:
    """Nobody needs to answer any more."""
    ctx.tx.run("UPDATE org_handshake SET state = 'CANCELED' WHERE parent = ? AND state IN ('REQUESTED', 'OPEN')", found.id)
