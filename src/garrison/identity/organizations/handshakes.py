"""Invitations and their answers: invite, accept, decline, cancel, describe, list."""

from __future__ import annotations

import json
import re

from garrison.api import organizations as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.organizations import access, errors, features, shaking, transferring
from garrison.identity.organizations.joining import has_room, join, linked
from garrison.identity.organizations.pages import Page, Pager
from garrison.identity.organizations.rows import count, find_account, find_organization, organization_of
from garrison.identity.organizations.shaking import HandshakeRow, shown
from garrison.identity.organizations.tagging import checked_tags
from garrison.identity.organizations.targets import anything, handshake, invited, oneself, request_tags

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)


@operation("organizations", resource=invited, context=request_tags)
def invite_account_to_organization(
    ctx: Context, req: api.InviteAccountToOrganizationRequest
) -> api.InviteAccountToOrganizationResponse:
    """Ask an account, by its number or its e-mail address, to join. Whether there is such an account the answer does not tell.

    Raises InvalidInput (who is asked, tags), DuplicateHandshake, HandshakeConstraintViolation (a member already; no room; all
    features are being enabled).
    """
    row = access.management(ctx)
    _checked_party(req.target)
    checked_tags(req.tags)
    if req.target.type == "ACCOUNT" and find_account(ctx.tx, row.id, req.target.id) is not None:
        raise _already_in_one()
    if _open_one(ctx, row.id, "INVITE", req.target.id):
        raise api.DuplicateHandshakeException("A handshake with the same action and target already exists.")
    if features.enabling(ctx, row):
        message = "You can't issue new invitations to join an organization while it's in the process of enabling all features."
        raise errors.handshake_constraint("INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES", message)
    if not has_room(ctx, row):
        message = "You attempted to exceed the number of accounts that you can have in an organization."
        raise errors.handshake_constraint("ACCOUNT_NUMBER_LIMIT_EXCEEDED", message)
    resources = [
        shaking.organization_resource(ctx, row),
        api.HandshakeResource(type=req.target.type, value=req.target.id),
        *([api.HandshakeResource(type="NOTES", value=req.notes)] if req.notes else []),
    ]
    found = shaking.begin(
        ctx,
        row,
        "INVITE",
        target=req.target,
        days=shaking.INVITATION_DAYS,
        resources=resources,
        tags={tag.key: tag.value for tag in req.tags or ()},
    )
    return api.InviteAccountToOrganizationResponse(handshake=shown(ctx, found))


@operation("organizations", resource=handshake, read=True)
def describe_handshake(ctx: Context, req: api.DescribeHandshakeRequest) -> api.DescribeHandshakeResponse:
    """A handshake, for either of its sides. Raises HandshakeNotFound."""
    return api.DescribeHandshakeResponse(handshake=shown(ctx, shaking.find(ctx, req.handshake_id)))


@operation("organizations", resource=handshake)
def accept_handshake(ctx: Context, req: api.AcceptHandshakeRequest) -> api.AcceptHandshakeResponse:
    """Agree: to join, to let all features be enabled, to hand over bills; for who began it, to finish what all agreed to.

    Raises HandshakeNotFound, HandshakeAlreadyInState, InvalidHandshakeTransition, HandshakeConstraintViolation (a member of an
    organization already; no room).
    """
    found = shaking.find(ctx, req.handshake_id)
    _answerable(ctx, found)
    new = shaking.go_to(ctx, found, "ACCEPTED")
    if found.action == "INVITE":
        _join(ctx, found)
    elif found.action == "APPROVE_ALL_FEATURES":
        features.approved(ctx, found)
    elif found.action == "ENABLE_ALL_FEATURES":
        features.finish(ctx, found)
    else:
        transferring.answered(ctx, found, "ACCEPTED")
    return api.AcceptHandshakeResponse(handshake=shown(ctx, new))


@operation("organizations", resource=handshake)
def decline_handshake(ctx: Context, req: api.DeclineHandshakeRequest) -> api.DeclineHandshakeResponse:
    """Refuse, which is the end of it. Raises HandshakeNotFound, HandshakeAlreadyInState, InvalidHandshakeTransition."""
    found = shaking.find(ctx, req.handshake_id)
    if found.action == "ENABLE_ALL_FEATURES":
        raise shaking.wrong_state()
    _answerable(ctx, found)
    new = shaking.go_to(ctx, found, "DECLINED")
    if found.action == "TRANSFER_RESPONSIBILITY":
        transferring.answered(ctx, found, "DECLINED")
    return api.DeclineHandshakeResponse(handshake=shown(ctx, new))


@operation("organizations", resource=handshake)
def cancel_handshake(ctx: Context, req: api.CancelHandshakeRequest) -> api.CancelHandshakeResponse:
    """Take back what the caller's account asked.

    Raises HandshakeNotFound, AccessDenied, HandshakeAlreadyInState, InvalidHandshakeTransition.
    """
    found = shaking.find(ctx, req.handshake_id)
    if found.management != ctx.account:
        raise errors.denied()
    new = shaking.go_to(ctx, found, "CANCELED")
    if found.action == "ENABLE_ALL_FEATURES":
        features.called_off(ctx, found)
    elif found.action == "TRANSFER_RESPONSIBILITY":
        transferring.answered(ctx, found, "CANCELED")
    return api.CancelHandshakeResponse(handshake=shown(ctx, new))


@operation("organizations", resource=oneself, read=True)
def list_handshakes_for_account(ctx: Context, req: api.ListHandshakesForAccountRequest) -> api.ListHandshakesForAccountResponse:
    """What the caller's account was asked, in or out of an organization."""
    email = shaking.email_of(ctx, ctx.account)
    found = shaking.listed(ctx, "(target_id = ? OR (target_type = 'EMAIL' AND lower(target_id) = ?))", ctx.account, email.lower())
    page = _filtered(ctx, req, found)
    return api.ListHandshakesForAccountResponse(handshakes=[shown(ctx, each) for each in page.items], next_token=page.token)


@operation("organizations", resource=anything, read=True)
def list_handshakes_for_organization(
    ctx: Context, req: api.ListHandshakesForOrganizationRequest
) -> api.ListHandshakesForOrganizationResponse:
    """What the organization asked of accounts."""
    row = access.administrator(ctx)
    page = _filtered(ctx, req, shaking.listed(ctx, "organization = ?", row.id))
    found = [shown(ctx, each) for each in page.items]
    return api.ListHandshakesForOrganizationResponse(handshakes=found, next_token=page.token)


Filtered = api.ListHandshakesForAccountRequest | api.ListHandshakesForOrganizationRequest


def _filtered(ctx: Context, req: Filtered, found: list[HandshakeRow]) -> Page:
    action = req.filter.action_type if req.filter else None
    parent = req.filter.parent_handshake_id if req.filter else None
    wanted = [each for each in found if (action is None or each.action == action) and (parent is None or each.parent == parent)]
    return Pager(ctx, req, action, parent).cut(wanted, lambda each: each.id)


def _answerable(ctx: Context, found: HandshakeRow) -> None:
    """Who was asked answers; what all were asked is finished by who asked, once all have answered.

    Raises AccessDenied, InvalidHandshakeTransition.
    """
    if found.action == "ENABLE_ALL_FEATURES":
        if found.management != ctx.account:
            raise errors.denied()
        if found.state(ctx.now) == "REQUESTED":
            raise shaking.wrong_state()
    elif not found.is_for(ctx.account, shaking.email_of(ctx, ctx.account)):
        raise errors.denied()


def _join(ctx: Context, found: HandshakeRow) -> None:
    if organization_of(ctx.tx, ctx.account) is not None:
        raise _already_in_one()
    row = find_organization(ctx.tx, found.organization)
    if row is None:
        raise errors.handshake_not_found()
    join(ctx, row, ctx.account, "INVITED", json.loads(found.tags))
    linked(ctx, ctx.account)


def _checked_party(party: api.HandshakeParty) -> None:
    if party.type == "ACCOUNT":
        if _ACCOUNT.fullmatch(party.id) is None:
            raise errors.invalid(
                "INVALID_PATTERN_TARGET_ID", "You specified a target ID that doesn't match the required pattern."
            )
    elif party.type != "EMAIL":
        message = "You specified the wrong type of entity (account, organization, or email) as a party."
        raise errors.invalid("INVALID_PARTY_TYPE_TARGET", message)
    elif _EMAIL.fullmatch(party.id) is None:
        raise errors.invalid(
            "INVALID_EMAIL_ADDRESS_TARGET", "You specified an invalid email address for the invited account owner."
        )


def _open_one(ctx: Context, organization: str, action: str, target: str) -> bool:
    where = "organization = ? AND action = ? AND lower(target_id) = ? AND state IN ('REQUESTED', 'OPEN') AND expires > ?"
    return count(ctx.tx, "org_handshake", where, organization, action, target.lower(), ctx.now) > 0


def _already_in_one() -> api.HandshakeConstraintViolationException:
    message = "The invited account is already a member of an organization."
    return errors.handshake_constraint("ALREADY_IN_AN_ORGANIZATION", message)
