"""Delegation requests: where a partner's deep link leads, and what becomes of the request there.

Everything is a call of the session's own identity through the gateway: the page may do nothing that the API would not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

from garrison.api import iam as api
from garrison.console.answers import redirect
from garrison.console.calls import CallFailedError
from garrison.console.home import SIGN_IN
from garrison.console.site import Site
from garrison.console.visits import Visit, text_of
from garrison.core.clock import iso8601
from garrison.core.http import Response
from garrison.identity.delegation.partners import boundary_document

PATH = "/_console/delegation"
_STEPS: Mapping[str, tuple[str, ...]] = {
    "UNASSIGNED": ("AssociateDelegationRequest",),
    "ASSIGNED": ("AcceptDelegationRequest", "UpdateDelegationRequest", "RejectDelegationRequest"),
    "PENDING_APPROVAL": ("AcceptDelegationRequest", "RejectDelegationRequest"),
    "ACCEPTED": ("SendDelegationToken", "RejectDelegationRequest"),
}
"""What can be done in which state."""
_WORDS: Mapping[str, str] = {
    "AssociateDelegationRequest": "Take up",
    "UpdateDelegationRequest": "Forward to an administrator",
    "AcceptDelegationRequest": "Accept",
    "RejectDelegationRequest": "Reject",
    "SendDelegationToken": "Share access",
}
_WITH_NOTES = frozenset({"UpdateDelegationRequest", "RejectDelegationRequest"})


async def shown(site: Site, visit: Visit) -> Response:
    """One request, or those that somebody of the account took up."""
    request_id = text_of(visit.query, "id", 128)
    if visit.session is None:
        # A partner sends people here: whoever signs in first comes back.
        onward = f"{PATH}?id={quote(request_id)}" if request_id else PATH
        return redirect(visit.call, f"{SIGN_IN}?next={quote(onward, safe='')}", visit.cookies)
    return await (_one(site, visit, request_id) if request_id else _listed(site, visit))


async def step(site: Site, visit: Visit) -> Response:
    """Do one thing with a request, and look at it again."""
    request_id, operation = text_of(visit.form, "id", 128), text_of(visit.form, "step", 64)
    if operation not in _WORDS:
        return await _one(site, visit, request_id, "There is no such step.", 400)
    members = {"DelegationRequestId": request_id}
    notes = text_of(visit.form, "notes", 500)
    if operation in _WITH_NOTES and notes:
        members["Notes"] = notes
    try:
        await site.calls.ask(visit, "iam", operation, **members)
    except CallFailedError as error:
        return await _one(site, visit, request_id, str(error), 403)
    return redirect(visit.call, f"{PATH}?id={quote(request_id)}", visit.cookies)


async def _listed(site: Site, visit: Visit) -> Response:
    try:
        found = await site.calls.ask(visit, "iam", "ListDelegationRequests")
    except CallFailedError as error:
        return visit.page("delegations.html", {"requests": [], "message": str(error)}, status=403)
    rows = [
        {
            "id": each.delegation_request_id,
            "state": each.state,
            "requestor": each.requestor_name,
            "owner": each.owner_id,
            "expires": iso8601(each.expiration_time),
        }
        for each in found.delegation_requests or ()
    ]
    return visit.page("delegations.html", {"requests": rows})


async def _one(site: Site, visit: Visit, request_id: str, message: str = "", status: int = 200) -> Response:
    members = {"DelegationRequestId": request_id, "DelegationPermissionCheck": "true"}
    try:
        answer: api.GetDelegationRequestResponse = await site.calls.ask(visit, "iam", "GetDelegationRequest", **members)
    except CallFailedError as error:
        return visit.page("message.html", {"message": message or str(error)}, status=403)
    found = answer.delegation_request or api.DelegationRequest()
    state = found.state or ""
    values = {
        "request": found,
        "created": iso8601(found.create_date or 0.0),
        "expires": iso8601(found.expiration_time or 0.0),
        "policy": json.dumps(json.loads(found.permission_policy or "{}"), indent=2),
        "boundaries": [(arn, _boundary(visit, arn)) for arn in found.role_permission_restriction_arns or ()],
        "check": answer.permission_check_result,
        "steps": [(name, _WORDS[name]) for name in _STEPS.get(state, ())],
        "notes": any(name in _WITH_NOTES for name in _STEPS.get(state, ())),
        "message": message,
    }
    return visit.page("delegation.html", values, status=status)


def _boundary(visit: Visit, arn: str) -> str:
    """A partner's boundary as it is registered; AWS's own are read where AWS's policies are."""
    document = boundary_document(visit.tx, arn)
    return "" if document is None else json.dumps(json.loads(document), indent=2)
