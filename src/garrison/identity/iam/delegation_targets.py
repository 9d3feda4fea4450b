"""Delegation requests as authorization sees them.

Nobody needs a policy for the request that is their own: as AWS's guide has it ("Managing Permissions for Delegation Requests"),
who took a request up may look at it, forward and reject it, and release its token; to accept one always takes a policy. That
default is a resource-based policy of the request here, so that a Deny of any policy overrules it as ever. To another account
than the customer's a request is not there.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from garrison.core.context import Context
from garrison.core.operation import Keys, Target
from garrison.identity.delegation.requests import RequestRow, find
from garrison.policy import Policy, compile_policy

_ANYBODYS = tuple(f"iam:{name}" for name in ("AssociateDelegationRequest", "GetDelegationRequest", "GetHumanReadableSummary"))
_OWNERS = (
    *_ANYBODYS,
    *(f"iam:{name}" for name in ("RejectDelegationRequest", "SendDelegationToken", "UpdateDelegationRequest")),
)
_ENTITY = "delegation-request/"


def request_target(ctx: Context, req: Any) -> Target:  # noqa: ANN401 - any request that has the member
    """The request of ``DelegationRequestId``."""
    return _target(ctx, req.delegation_request_id)


def entity_target(ctx: Context, req: Any) -> Target:  # noqa: ANN401 - as above
    """The request of ``EntityArn``."""
    return _target(ctx, entity_id(req.entity_arn))


def entity_id(arn: str) -> str:
    """The id in the ARN of a delegation request; empty where it is another entity's."""
    parts = arn.split(":", 5)
    ours = len(parts) == 6 and parts[0] == "arn" and parts[2:4] == ["iam", ""] and parts[5].startswith(_ENTITY)
    return parts[5].removeprefix(_ENTITY) if ours else ""


def new_request(ctx: Context, _req: Any) -> Target:  # noqa: ANN401 - as above
    """Any request of the caller's account: the new one has no id yet."""
    return Target(f"arn:aws:iam::{ctx.account}:{_ENTITY}*", ctx.account)


def creation_keys(_ctx: Context, req: Any) -> Keys:  # noqa: ANN401 - as above
    """What a partner's administrator may bound requests by."""
    keys = {"iam:DelegationDuration": str(req.session_duration), "iam:NotificationChannel": req.notification_channel}
    template = req.permissions.policy_template_arn
    return {**keys, "iam:TemplateArn": template} if template else keys


def listed_target(ctx: Context, req: Any) -> Target:  # noqa: ANN401 - as above
    """All requests of an account; one's own need no permission."""
    own = req.owner_id == ctx.principal.arn
    policy = allowing((ctx.principal.id,), ("iam:ListDelegationRequests",)) if own else None
    return Target("*", ctx.account, policy=policy)


def listed_keys(_ctx: Context, req: Any) -> Keys:  # noqa: ANN401 - as above
    """``iam:DelegationRequestOwner``: whose requests are asked for."""
    return {"iam:DelegationRequestOwner": req.owner_id} if req.owner_id else {}


def visible(ctx: Context, request_id: str) -> RequestRow | None:
    """A request, read once a call, as far as the caller's account may know of it."""
    key = f"iam:delegation-request\0{request_id}"
    if key not in ctx.scratch:
        row = find(ctx.tx, request_id) if request_id else None
        ctx.scratch[key] = None if row is not None and row.owner_account not in {"", ctx.account} else row
    found: RequestRow | None = ctx.scratch[key]
    return found


def _target(ctx: Context, request_id: str) -> Target:
    row = visible(ctx, request_id)
    arn = f"arn:aws:iam::{ctx.account}:{_ENTITY}{request_id or '*'}"
    if row is None:
        return Target(arn, ctx.account)
    if not row.owner_id:
        return Target(arn, ctx.account, policy=allowing((), _ANYBODYS))
    return Target(arn, ctx.account, policy=allowing((row.owner_id,), _OWNERS), keys={"iam:DelegationRequestOwner": row.owner_arn})


@lru_cache(maxsize=1024)
def allowing(ids: tuple[str, ...], actions: tuple[str, ...]) -> Policy:
    """A resource's policy that allows actions to who has one of these unique ids; to everybody where there are none."""
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": list(actions), "Resource": "*"}
    if ids:
        statement["Condition"] = {"StringEquals": {"aws:userid": list(ids)}}
    return compile_policy(
        json.dumps({"Version": "2012-10-17", "Statement": statement}), "resource", id="delegation-request-owner"
    )
