"""Steps 5 and 6 of a request's life: on what the call acts, and whether it may.

The operation's own declaration names action, resources and condition keys; the policy room decides. Every
target and every further check must be allowed; the first that is not decides the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.operation import Check, Declaration, Keys, Target
from garrison.core.principal import Principal
from garrison.policy import Decision, PolicyInputs, Request, authorize, denied_message, global_context

_NO_KEYS: Keys = {}


def declared_checks(declaration: Declaration, action: str, ctx: Context, req: Any) -> Iterator[Check]:  # noqa: ANN401 - any request struct
    """Everything that must be allowed for this call, as the operation declares it."""
    resource = declaration.resource
    targets: Target | Sequence[Target] = (
        Target(arn=resource, account=ctx.account) if isinstance(resource, str) else resource(ctx, req)
    )
    keys = declaration.context(ctx, req) if declaration.context is not None else _NO_KEYS
    for target in (targets,) if isinstance(targets, Target) else targets:
        yield Check(action, target, keys)
    if declaration.checks is not None:
        yield from declaration.checks(ctx, req)


def decide(check: Check, ctx: Context, inputs: PolicyInputs) -> Decision:
    """The decision on one check."""
    target = check.target
    principals = ctx.ports.principals
    context = global_context(
        ctx.principal, ctx.call, now=ctx.now, region=ctx.region, target=target, extra=check.keys, place=principals.place
    )
    request = Request(
        action=check.action,
        resource=target.arn,
        resource_account=target.account,
        principal=ctx.principal,
        context=context,
    )
    return authorize(
        request,
        inputs,
        resource_policy=target.policy,
        resource_policy_decides=target.policy_decides,
        rcps=principals.resource_controls(target.account, check.action, ctx.principal),
        grants=target.grants,
    )


def authorize_call(checks: Iterator[Check], ctx: Context, inputs: PolicyInputs) -> Decision:
    """Decide every check; the decision is kept in ``ctx.decision``.

    Answers the decision on the operation's own action. Raises CommonError("access_denied") with AWS's text.
    """
    first: Decision | None = None
    decisions: list[Decision] = []
    ctx.scratch["decisions"] = decisions
    for check in checks:
        decision = decide(check, ctx, inputs)
        decisions.append(decision)
        if first is None or not decision.allowed:
            first = ctx.decision = decision
        if not decision.allowed:
            raise CommonError("access_denied", _denial(decision, ctx.principal, check))
    if first is None:
        # A declaration that names nothing has authorized nothing.
        raise CommonError("access_denied")
    return first


def _denial(decision: Decision, principal: Principal, check: Check) -> str:
    """AWS's sentence; where the target says so, without what would tell a stranger that it exists."""
    target = check.target
    if target.denied_tersely:
        return f"Not authorized to perform {check.action}"
    usual = denied_message(decision, principal.arn, check.action, target.arn)
    if not target.denied_on:
        return usual
    # What the caller's own policies deny says nothing of the resource; what the resource's policy denies does.
    own = decision.outcome == "explicitDeny" and decision.decided_by != "resource"
    if target.denied_because and not own:
        who = f"User: {principal.arn} is not authorized to perform: {check.action}"
        return f"{who} {target.denied_on} because {target.denied_because}"
    return usual.replace(f"on resource: {target.arn}", target.denied_on, 1)
