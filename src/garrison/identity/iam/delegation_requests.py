"""Delegation requests: a partner asks, a customer takes the request up, accepts or rejects it, and releases the token.

Sources: IAM API Reference, the nine operations; IAM User Guide, "IAM temporary delegation" (who may do what, four hours at most
for root) and "Building your integration" (states, what partners are told).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import msgspec

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.operation import operation
from garrison.identity.delegation import exchange, notices, partners, requests, templates
from garrison.identity.delegation.requests import RequestRow, State
from garrison.identity.iam import errors
from garrison.identity.iam.delegation_check import permission_check
from garrison.identity.iam.delegation_targets import (
    creation_keys,
    listed_keys,
    listed_target,
    new_request,
    request_target,
    visible,
)
from garrison.identity.iam.pages import Pager

OPEN_REQUESTS = 1000
"""Requests of one account that something is still to come of; AWS does not say its own figure."""
ROOT_SECONDS = 4 * 3600
"""The longest session that a root user may delegate."""
PAGE = "/_console/delegation"
"""Where the console shows a request."""


@operation("iam", resource=new_request, context=creation_keys)
def create_delegation_request(ctx: Context, req: api.CreateDelegationRequestRequest) -> api.CreateDelegationRequestResponse:
    """Ask for a delegation, as a partner whom the operator admitted.

    Raises AccessDenied (no partner), InvalidInput (template, parameters, topic), EntityAlreadyExists (workflow), LimitExceeded.
    """
    partner = partners.partner_of(ctx.tx, ctx.account)
    if partner is None:
        message = f"The account {ctx.account} is not registered for temporary delegation."
        raise CommonError("access_denied", message)
    if not partners.has_topic(ctx.tx, partner, req.notification_channel):
        message = f"The notification channel {req.notification_channel} is not registered for this partner."
        raise api.InvalidInputException(message)
    if requests.open_of(ctx.tx, ctx.account, ctx.now) >= OPEN_REQUESTS:
        raise errors.quota("DelegationRequestsPerAccount", OPEN_REQUESTS)
    row = _new(ctx, req, partner, _policy(ctx, req.permissions, partner))
    if requests.has_workflow(ctx.tx, ctx.account, row.workflow_id):
        message = f"A delegation request with the workflow id {row.workflow_id} already exists."
        raise api.EntityAlreadyExistsException(message)
    requests.insert(ctx.tx, row)
    ctx.changed(requests.item(row))
    base = ctx.ports.public_url or f"{'https' if ctx.call.secure else 'http'}://{ctx.call.host}"
    return api.CreateDelegationRequestResponse(console_deep_link=f"{base}{PAGE}?id={row.id}", delegation_request_id=row.id)


@operation("iam", resource=request_target)
def associate_delegation_request(ctx: Context, req: api.AssociateDelegationRequestRequest) -> None:
    """Take a request up, as the caller's and its account's own. Raises NoSuchEntity, InvalidInput (taken up before)."""
    row = _in_state(ctx, req.delegation_request_id, {"UNASSIGNED"})
    principal = ctx.principal
    _step(ctx, row._replace(owner_account=ctx.account, owner_arn=principal.arn, owner_id=principal.id), "ASSIGNED")


@operation("iam", resource=request_target, read=True)
def get_delegation_request(ctx: Context, req: api.GetDelegationRequestRequest) -> api.GetDelegationRequestResponse:
    """A request with the policy that it asks for, and whether the caller has what it asks for. Raises NoSuchEntity."""
    row = _known(ctx, req.delegation_request_id)
    answer = api.GetDelegationRequestResponse(delegation_request=shown(row, ctx.now))
    if req.delegation_permission_check:
        answer.permission_check_status, answer.permission_check_result = "COMPLETE", permission_check(ctx, row.policy)
    return answer


@operation("iam", resource=listed_target, context=listed_keys, read=True)
def list_delegation_requests(ctx: Context, req: api.ListDelegationRequestsRequest) -> api.ListDelegationRequestsResponse:
    """The requests that somebody of the account took up, all or one owner's."""
    pager = Pager(ctx, req, req.owner_id)
    rows = requests.of_account(ctx.tx, ctx.account, req.owner_id, pager.after, pager.limit + 1)
    page = pager.page(rows, lambda row: row.id)
    return api.ListDelegationRequestsResponse(
        delegation_requests=[shown(row, ctx.now) for row in page.items], is_truncated=page.truncated, marker=page.marker
    )


@operation("iam", resource=request_target)
def update_delegation_request(ctx: Context, req: api.UpdateDelegationRequestRequest) -> None:
    """Forward a request to an administrator, with notes. Raises NoSuchEntity, InvalidInput (a state past that)."""
    row = _in_state(ctx, req.delegation_request_id, {"ASSIGNED", "PENDING_APPROVAL"})
    _step(ctx, row._replace(notes=row.notes if req.notes is None else req.notes), "PENDING_APPROVAL")


@operation("iam", resource=request_target)
def accept_delegation_request(ctx: Context, req: api.AcceptDelegationRequestRequest) -> None:
    """Accept a request: the caller is whom the partner will act as, within what the request asks for.

    Raises NoSuchEntity, InvalidInput (a state past that, root for more than four hours), AccessDenied (delegated access).
    """
    _refuse_delegates(ctx)
    row = _in_state(ctx, req.delegation_request_id, {"ASSIGNED", "PENDING_APPROVAL"})
    if ctx.principal.kind == "root" and row.session_seconds > ROOT_SECONDS:
        message = "Root users can only accept delegation requests with a session duration of 4 hours or less."
        raise api.InvalidInputException(message)
    approver = exchange.approver_grant(ctx.principal)
    _step(ctx, row._replace(approver_arn=ctx.principal.arn, approver=approver), "ACCEPTED")


@operation("iam", resource=request_target)
def reject_delegation_request(ctx: Context, req: api.RejectDelegationRequestRequest) -> None:
    """Reject a request, also one that was accepted, until its token is sent. Raises NoSuchEntity, InvalidInput."""
    row = _in_state(ctx, req.delegation_request_id, {"ASSIGNED", "PENDING_APPROVAL", "ACCEPTED"})
    _step(ctx, row._replace(rejection=req.notes or "", approver=""), "REJECTED")


@operation("iam", resource=request_target)
def send_delegation_token(ctx: Context, req: api.SendDelegationTokenRequest) -> None:
    """Release the token of an accepted request to the partner: its access begins now.

    Raises NoSuchEntity, InvalidInput (not accepted), AccessDenied (another than the owner where it must be the owner).
    """
    _refuse_delegates(ctx)
    row = _in_state(ctx, req.delegation_request_id, {"ACCEPTED"})
    if row.only_send_by_owner and ctx.principal.id != row.owner_id:
        message = f"User: {ctx.principal.arn} is not authorized to perform: iam:SendDelegationToken: only the owner may send it"
        raise CommonError("access_denied", message)
    token = exchange.make_token(ctx.ports.sealer, row, ctx.now + row.session_seconds, ctx.random)
    row = _step(ctx, row._replace(released=ctx.now, token_mac=exchange.digest(ctx.ports.sealer, token)), "FINALIZED")
    notices.token_released(ctx.tx, ctx.ports.sealer, row, token, ctx.random)


def shown(row: RequestRow, now: float) -> api.DelegationRequest:
    """A request as AWS shows it."""
    return api.DelegationRequest(
        delegation_request_id=row.id,
        owner_account_id=row.owner_account or None,
        description=row.description,
        request_message=row.message or None,
        permissions=api.DelegationPermission(policy_template_arn=row.template_arn, parameters=_parameters(row) or None),
        permission_policy=row.policy,
        role_permission_restriction_arns=json.loads(row.restrictions) or None,
        owner_id=row.owner_arn or None,
        approver_id=row.approver_arn or None,
        state=row.state_at(now),
        expiration_time=row.expires,
        requestor_id=row.requestor,
        requestor_name=row.requestor_name,
        create_date=row.created,
        session_duration=row.session_seconds,
        redirect_url=row.redirect_url or None,
        notes=row.notes or None,
        rejection_reason=row.rejection or None,
        only_send_by_owner=bool(row.only_send_by_owner),
        updated_time=row.updated,
    )


# Steps


def _known(ctx: Context, request_id: str) -> RequestRow:
    row = visible(ctx, request_id)
    if row is None:
        raise errors.not_found("delegation request", request_id)
    return row


def _in_state(ctx: Context, request_id: str, wanted: Collection[State]) -> RequestRow:
    row = _known(ctx, request_id)
    state = row.state_at(ctx.now)
    if state not in wanted:
        message = f"The delegation request {request_id} is in the state {state}, which does not allow this operation."
        raise api.InvalidInputException(message)
    return row


def _step(ctx: Context, row: RequestRow, state: State) -> RequestRow:
    """Write a request's new state, which lasts seven days, and tell the partner."""
    row = row._replace(state=state, updated=ctx.now, expires=ctx.now + requests.WAITING_SECONDS)
    requests.write(ctx.tx, row)
    notices.state_changed(ctx.tx, ctx.ports.sealer, row, ctx.random)
    ctx.changed(requests.item(row), ("delegation", row.id))
    return row


def _refuse_delegates(ctx: Context) -> None:
    """Who has delegated access approves nothing: no delegation may make another, or renew itself."""
    session = ctx.principal.session
    if session is not None and session.delegation:
        message = f"User: {ctx.principal.arn} is not authorized to perform: iam:{ctx.operation} with delegated access"
        raise CommonError("access_denied", message)


def _policy(ctx: Context, asked: api.DelegationPermission, partner: partners.Partner) -> str:
    """The policy that is asked for. Raises InvalidInput."""
    document = partners.template_of(ctx.tx, partner, asked.policy_template_arn or "")
    if document is None:
        message = f"The policy template {asked.policy_template_arn or ''} is not registered for this partner."
        raise api.InvalidInputException(message)
    given = [
        templates.Parameter(each.name or "", tuple(each.values or ()), many=each.type == "stringList")
        for each in asked.parameters or ()
    ]
    try:
        return templates.render(document, given)
    except templates.BadParametersError as error:
        raise api.InvalidInputException(str(error)) from error


def _new(ctx: Context, req: api.CreateDelegationRequestRequest, partner: partners.Partner, policy: str) -> RequestRow:
    parameters: Any = msgspec.to_builtins(req.permissions.parameters or [])
    return RequestRow(
        id=f"dr-{ctx.uuid()}",
        requestor=ctx.account,
        requestor_name=partner.name,
        workflow_id=req.requestor_workflow_id,
        owner_account=req.owner_account_id or "",
        owner_arn="",
        owner_id="",
        approver_arn="",
        approver="",
        state="UNASSIGNED",
        expires=ctx.now + requests.UNTAKEN_SECONDS,
        created=ctx.now,
        updated=ctx.now,
        description=req.description,
        message=req.request_message or "",
        template_arn=req.permissions.policy_template_arn or "",
        parameters=json.dumps(parameters),
        policy=policy,
        restrictions=json.dumps(templates.restrictions(policy)),
        session_seconds=req.session_duration,
        only_send_by_owner=int(bool(req.only_send_by_owner)),
        topic_arn=req.notification_channel,
        redirect_url=req.redirect_url or "",
        notes="",
        rejection="",
        released=None,
        token_mac=None,
        single_use=int(partner.single_use),
        trades=0,
        revoked=0,
    )


def _parameters(row: RequestRow) -> list[api.PolicyParameter]:
    return msgspec.convert(json.loads(row.parameters), list[api.PolicyParameter])
