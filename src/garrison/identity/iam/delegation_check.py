"""Whether a caller has what a delegation request asks for: GetDelegationRequest's permission check.

It is an estimate, as AWS says of its own: resources that end with a wildcard are asked about as they are written, and where a
condition decides, nobody can know before the call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal

from garrison.core.context import Context
from garrison.core.operation import Target
from garrison.identity.principals import Credential
from garrison.policy import PolicyInputs, PolicySet, Request, authorize, global_context

Answer = Literal["ALLOWED", "DENIED", "UNSURE"]


def permission_check(ctx: Context, policy: str) -> Answer:
    """The worst of the answers to every action on every resource that the policy allows."""
    session = ctx.principal.session
    role = ctx.principal.kind == "assumed-role" and session is not None
    owner = session.issuer_id if role and session is not None else ctx.principal.id
    inputs: PolicyInputs = ctx.ports.principals.inputs(Credential("", ctx.principal, owner))
    found = {_one(ctx, inputs, action, resource) for action, resource in _asked(policy)}
    return next((answer for answer in _WORST if answer in found), "ALLOWED")


_WORST: tuple[Answer, ...] = ("DENIED", "UNSURE")


def _asked(policy: str) -> Iterator[tuple[str, str]]:
    for statement in json.loads(policy)["Statement"]:
        if statement["Effect"] == "Allow":
            for action in _list(statement["Action"]):
                for resource in _list(statement["Resource"]):
                    yield action, resource


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _one(ctx: Context, inputs: PolicyInputs, action: str, resource: str) -> Answer:
    target = Target(resource, ctx.account)
    context = global_context(ctx.principal, ctx.call, now=ctx.now, region=ctx.region, target=target, extra={}, place=None)
    decision = authorize(Request(action, resource, ctx.account, ctx.principal, context), inputs)
    if "*" in action or "?" in action:
        # As it is written it is within what allows all of it; any Deny may be of a part.
        whole = decision.allowed and not any(_denies(level) for level in _levels(inputs))
        return "ALLOWED" if whole else "UNSURE"
    if decision.outcome == "explicitDeny" and not any(each.conditions for each in decision.matched):
        return "DENIED"
    conditional = any(_conditions(level, action) for level in _levels(inputs))
    if decision.allowed:
        return "UNSURE" if any(_conditions(level, action, deny=True) for level in _levels(inputs)) else "ALLOWED"
    return "UNSURE" if conditional else "DENIED"


def _levels(inputs: PolicyInputs) -> tuple[PolicySet, ...]:
    boundary = () if inputs.boundary is None else (inputs.boundary,)
    return (inputs.identity, *boundary, *inputs.sessions, *inputs.scps, *inputs.scopes)


def _denies(policies: PolicySet) -> bool:
    return any(each.deny for policy in policies.policies for each in policy.statements)


def _conditions(policies: PolicySet, action: str, *, deny: bool = False) -> bool:
    """Whether a statement that speaks of the action has a condition; ``deny``: one that would deny it."""
    lowered = action.lower()
    statements = (each for policy in policies.policies for each in policy.speaking_of(lowered))
    return any(each.conditions for each in statements if each.deny or not deny)
