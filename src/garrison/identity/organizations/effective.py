"""Effective policies: what all management policies over an account come to, and what is wrong with it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from garrison.api import organizations as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.organizations import access, errors
from garrison.identity.organizations.accounts import existing, shown
from garrison.identity.organizations.content import Wrong, effective_faults
from garrison.identity.organizations.inheritance import effective
from garrison.identity.organizations.pages import Pager
from garrison.identity.organizations.rows import (
    AccountRow,
    OrganizationRow,
    accounts_after,
    enabled_types,
    nodes_over,
    path_of,
)
from garrison.identity.organizations.targets import anything, of_account, of_effective, policy_type

_AT_ONCE = 500
"""Members read at one time."""


class InForce(NamedTuple):
    """An effective policy."""

    content: dict[str, Any]
    updated: float
    """When one of the policies, or an attachment, last changed."""
    contributing: list[str]
    """Ids of the policies, from the root down."""


@operation("organizations", resource=of_effective, context=policy_type, read=True)
def describe_effective_policy(ctx: Context, req: api.DescribeEffectivePolicyRequest) -> api.DescribeEffectivePolicyResponse:
    """What policies of a type come to for an account; every member may ask for itself.

    Raises EffectivePolicyNotFound, TargetNotFound, InvalidInput (a root or unit), AccessDenied (another account).
    """
    target = req.target_id or ctx.account
    row = access.member(ctx) if target == ctx.account else access.administrator(ctx)
    if target.startswith(("r-", "ou-")):
        raise errors.invalid("TARGET_NOT_SUPPORTED", "You can't perform the specified operation on that target entity.")
    found = in_force(ctx, row, target, req.policy_type)
    policy = api.EffectivePolicy(
        policy_content=json.dumps(found.content, separators=(",", ":")),
        last_updated_timestamp=found.updated,
        target_id=target,
        policy_type=req.policy_type,
    )
    return api.DescribeEffectivePolicyResponse(effective_policy=policy)


@operation("organizations", resource=anything, context=policy_type, read=True)
def list_accounts_with_invalid_effective_policy(
    ctx: Context, req: api.ListAccountsWithInvalidEffectivePolicyRequest
) -> api.ListAccountsWithInvalidEffectivePolicyResponse:
    """The members whose policies of a type come to something that cannot be in effect. Raises EffectivePolicyNotFound."""
    row = access.administrator(ctx)
    _refuse_disabled(ctx, row, req.policy_type)
    pager = Pager(ctx, req, req.policy_type)
    page = pager.page(_invalid_after(ctx, row, req.policy_type, pager.after, pager.limit + 1), lambda account: account.id)
    accounts = [shown(ctx, row, account) for account in page.items]
    return api.ListAccountsWithInvalidEffectivePolicyResponse(
        accounts=accounts, policy_type=req.policy_type, next_token=page.token
    )


@operation("organizations", resource=of_account, context=policy_type, read=True)
def list_effective_policy_validation_errors(
    ctx: Context, req: api.ListEffectivePolicyValidationErrorsRequest
) -> api.ListEffectivePolicyValidationErrorsResponse:
    """What is wrong with the effective policy of a member. Raises AccountNotFound, EffectivePolicyNotFound."""
    row = access.administrator(ctx)
    account = existing(ctx, row, req.account_id)
    found = in_force(ctx, row, account.id, req.policy_type)
    faults = [(f"{number:04}", fault) for number, fault in enumerate(effective_faults(req.policy_type, found.content))]
    page = Pager(ctx, req, account.id, req.policy_type).cut(faults, lambda fault: fault[0])
    return api.ListEffectivePolicyValidationErrorsResponse(
        account_id=account.id,
        policy_type=req.policy_type,
        path=f"{path_of(ctx.tx, row.id, account.parent)}{account.id}/",
        evaluation_timestamp=ctx.now,
        effective_policy_validation_errors=[_error(fault, found.contributing) for _, fault in page.items],
        next_token=page.token,
    )


def in_force(ctx: Context, row: OrganizationRow, account: str, kind: str) -> InForce:
    """The effective policy of an account. Raises TargetNotFound, EffectivePolicyNotFound."""
    _refuse_disabled(ctx, row, kind)
    nodes = nodes_over(ctx.tx, row, account)
    if nodes is None:
        raise errors.target_not_found()
    found = _merged(ctx, row, nodes, kind)
    if not found.contributing:
        raise _none()
    return found


def _merged(ctx: Context, row: OrganizationRow, nodes: tuple[str, ...], kind: str) -> InForce:
    levels: list[list[dict[str, Any]]] = []
    contributing: list[str] = []
    updated = 0.0
    for node in nodes:
        rows = ctx.tx.all(
            "SELECT p.policy_id, p.content, p.updated, a.attached FROM org_attachment a JOIN org_policy p"
            " ON p.policy_id = a.policy_id WHERE a.organization = ? AND a.target_id = ? AND a.type = ? ORDER BY a.seq",
            row.id,
            node,
            kind,
        )
        levels.append([json.loads(content) for _, content, _, _ in rows])
        contributing += [policy for policy, _, _, _ in rows if policy not in contributing]
        updated = max([updated, *(max(changed, since) for _, _, changed, since in rows)])
    return InForce(effective(levels), updated, contributing)


def _invalid_after(ctx: Context, row: OrganizationRow, kind: str, after: str, limit: int) -> list[AccountRow]:
    """So many members with an effective policy that has faults, by number."""
    found: list[AccountRow] = []
    while len(found) < limit:
        some = accounts_after(ctx.tx, row.id, after, _AT_ONCE)
        found += [account for account in some if _is_invalid(ctx, row, account, kind)]
        if len(some) < _AT_ONCE:
            break
        after = some[-1].id
    return found[:limit]


def _is_invalid(ctx: Context, row: OrganizationRow, account: AccountRow, kind: str) -> bool:
    merged = _merged(ctx, row, nodes_over(ctx.tx, row, account.id) or (), kind)
    return bool(merged.contributing) and bool(effective_faults(kind, merged.content))


def _refuse_disabled(ctx: Context, row: OrganizationRow, kind: str) -> None:
    if kind not in enabled_types(ctx.tx, row.id):
        raise _none()


def _none() -> api.EffectivePolicyNotFoundException:
    message = (
        "If you ran this action on the management account, this policy type is not enabled. If you ran the action on a member"
        " account, the account doesn't have an effective policy of this type. Contact the administrator of your organization"
        " about attaching a policy of this type to the account."
    )
    return api.EffectivePolicyNotFoundException(message)


def _error(fault: Wrong, contributing: list[str]) -> api.EffectivePolicyValidationError:
    return api.EffectivePolicyValidationError(
        error_code=fault.code, error_message=str(fault), path_to_error=fault.path or None, contributing_policies=contributing
    )
