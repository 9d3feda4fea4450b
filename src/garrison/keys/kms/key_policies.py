"""The policy of a key: shown, put and listed. There is one, and its name is ``default``."""

from __future__ import annotations

from typing import Any

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.resource_principals import shown
from garrison.keys.kms import conditions, errors, items, names, policies
from garrison.keys.kms.lifecycle import caller, own_key
from garrison.keys.kms.pages import Pager


def _bypass(ctx: Context, req: api.PutKeyPolicyRequest) -> dict[str, Any]:
    return {
        **conditions.caller(ctx),
        "kms:BypassPolicyLockoutSafetyCheck": bool(req.bypass_policy_lockout_safety_check),
    }


@operation("kms", resource=own_key, context=caller, read=True)
def get_key_policy(ctx: Context, req: api.GetKeyPolicyRequest) -> api.GetKeyPolicyResponse:
    """Show a key's policy. A principal that is gone stands in it as its unique id. Raises NotFoundException."""
    key = names.own(ctx, req.key_id).key
    _must_be_default(req.policy_name)
    row = ctx.tx.one("SELECT policy_principals FROM kms_key WHERE region = ? AND key_id = ?", key.region, key.key_id)
    if row is None:
        raise errors.no_such_key(key.arn)
    return api.GetKeyPolicyResponse(policy=shown(ctx.tx, key.policy, row[0]), policy_name=policies.POLICY_NAME)


@operation("kms", resource=own_key, context=_bypass)
def put_key_policy(ctx: Context, req: api.PutKeyPolicyRequest) -> None:
    """Replace a key's policy, in any state of the key."""
    key = names.locked(ctx, req.key_id)
    _must_be_default(req.policy_name)
    policy = policies.checked(ctx, req.policy, key.target, bypass=bool(req.bypass_policy_lockout_safety_check))
    ctx.tx.run(
        "UPDATE kms_key SET policy = ?, policy_resolved = ?, policy_principals = ? WHERE region = ? AND key_id = ?",
        req.policy,
        policy.text,
        policy.principals,
        key.region,
        key.key_id,
    )
    items.changed(ctx, key.region, key.key_id)


@operation("kms", resource=own_key, context=caller, read=True)
def list_key_policies(ctx: Context, req: api.ListKeyPoliciesRequest) -> api.ListKeyPoliciesResponse:
    """List the names of a key's policies: ``default``."""
    key = names.own(ctx, req.key_id).key
    pager = Pager(ctx, req, key.arn, default=100, most=1000)
    found = [name for name in (policies.POLICY_NAME,) if name > pager.after]
    page = pager.cut(found, lambda name: name)
    return api.ListKeyPoliciesResponse(policy_names=page.items, next_marker=page.marker, truncated=page.truncated)


def _must_be_default(name: str | None) -> None:
    if name not in {None, policies.POLICY_NAME}:
        raise errors.no_such_policy()
