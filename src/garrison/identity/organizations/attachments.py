"""Which policies bound what: attach, detach, list, and the types that are enabled in the root."""

from __future__ import annotations

from garrison.api import organizations as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.memberships import AWS_TYPES, RCP_FULL_ACCESS, SCP
from garrison.identity.organizations import access, errors, items
from garrison.identity.organizations.attaching import attach
from garrison.identity.organizations.content import TYPES
from garrison.identity.organizations.pages import Pager
from garrison.identity.organizations.policies import available, existing, summary
from garrison.identity.organizations.rows import (
    OrganizationRow,
    PolicyRow,
    attached,
    enabled_types,
    find_account,
    find_unit,
)
from garrison.identity.organizations.targets import attachment, of_policy, of_root, of_target, policy_type
from garrison.identity.organizations.units import node_type, shown_root


@operation("organizations", resource=attachment, context=policy_type)
def attach_policy(ctx: Context, req: api.AttachPolicyRequest) -> None:
    """Attach a policy to a root, unit or account: it bounds all below from the next request on.

    Raises PolicyNotFound, TargetNotFound, PolicyTypeNotEnabled, DuplicatePolicyAttachment, ConstraintViolation.
    """
    row = access.administrator(ctx)
    policy = _enabled(ctx, row, req.policy_id)
    _existing_target(ctx, row, req.target_id)
    present = attached(ctx.tx, row.id, req.target_id, policy.type)
    if policy.id in present:
        raise api.DuplicatePolicyAttachmentException("The selected policy is already attached to the specified target.")
    if len(present) >= TYPES[policy.type].attached:
        message = "You have attached the maximum number of policies to the specified target."
        raise errors.constraint("MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", message)
    attach(ctx, row, req.target_id, policy.id, policy.type)
    items.policy_changed(ctx, row, policy)


@operation("organizations", resource=attachment, context=policy_type)
def detach_policy(ctx: Context, req: api.DetachPolicyRequest) -> None:
    """Take a policy off. One SCP stays everywhere, and RCPFullAWSAccess cannot be taken off at all.

    Raises PolicyNotFound, TargetNotFound, PolicyNotAttached, ConstraintViolation (the last SCP), InvalidInput (RCPFullAWSAccess).
    """
    row = access.administrator(ctx)
    policy = existing(ctx, row, req.policy_id)
    _existing_target(ctx, row, req.target_id)
    present = attached(ctx.tx, row.id, req.target_id, policy.type)
    if policy.id not in present:
        raise api.PolicyNotAttachedException("The policy isn't attached to the specified target in the specified root.")
    if policy.id == RCP_FULL_ACCESS:
        raise errors.invalid("NON_DETACHABLE_POLICY", "You can't detach this AWS managed policy.")
    if policy.type == SCP and len(present) == 1:
        message = (
            "You cannot remove the last policy attached to the specified target. You must have at least one attached at all"
            " times."
        )
        raise errors.constraint("MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", message)
    taken = "DELETE FROM org_attachment WHERE organization = ? AND target_id = ? AND policy_id = ?"
    ctx.tx.run(taken, row.id, req.target_id, policy.id)
    items.policy_changed(ctx, row, policy, ("org-node", req.target_id))


@operation("organizations", resource=of_target, context=policy_type, read=True)
def list_policies_for_target(ctx: Context, req: api.ListPoliciesForTargetRequest) -> api.ListPoliciesForTargetResponse:
    """The policies of a type that are attached to a root, unit or account itself. Raises TargetNotFound."""
    row = access.administrator(ctx)
    _existing_target(ctx, row, req.target_id)
    found = [existing(ctx, row, policy) for policy in sorted(attached(ctx.tx, row.id, req.target_id, req.filter))]
    page = Pager(ctx, req, req.target_id, req.filter).cut(found, lambda policy: policy.id)
    return api.ListPoliciesForTargetResponse(policies=[summary(policy) for policy in page.items], next_token=page.token)


@operation("organizations", resource=of_policy, context=policy_type, read=True)
def list_targets_for_policy(ctx: Context, req: api.ListTargetsForPolicyRequest) -> api.ListTargetsForPolicyResponse:
    """What a policy is attached to. Raises PolicyNotFound."""
    row = access.administrator(ctx)
    policy = existing(ctx, row, req.policy_id)
    pager = Pager(ctx, req, policy.id)
    rows = ctx.tx.all(
        "SELECT target_id FROM org_attachment WHERE organization = ? AND policy_id = ? AND target_id > ?"
        " ORDER BY target_id LIMIT ?",
        row.id,
        policy.id,
        pager.after,
        pager.limit + 1,
    )
    page = pager.page([target for (target,) in rows], str)
    targets = [_target(ctx, row, target) for target in page.items]
    return api.ListTargetsForPolicyResponse(targets=targets, next_token=page.token)


@operation("organizations", resource=of_root, context=policy_type)
def enable_policy_type(ctx: Context, req: api.EnablePolicyTypeRequest) -> api.EnablePolicyTypeResponse:
    """Let policies of a type bound accounts. Of SCPs and RCPs AWS's own are attached everywhere: nothing is denied by it.

    Raises RootNotFound, PolicyTypeAlreadyEnabled, PolicyTypeNotAvailableForOrganization.
    """
    row = access.administrator(ctx)
    _own_root(row, req.root_id)
    available(row)
    if req.policy_type in enabled_types(ctx.tx, row.id):
        raise api.PolicyTypeAlreadyEnabledException("The specified policy type is already enabled.")
    ctx.tx.run("INSERT INTO org_policy_type (organization, type) VALUES (?, ?)", row.id, req.policy_type)
    for policy, kind in AWS_TYPES.items():
        if kind == req.policy_type:
            _everywhere(ctx, row, policy, kind)
    items.organization_changed(ctx, row, ("org", row.id))
    return api.EnablePolicyTypeResponse(root=shown_root(ctx, row))


@operation("organizations", resource=of_root, context=policy_type)
def disable_policy_type(ctx: Context, req: api.DisablePolicyTypeRequest) -> api.DisablePolicyTypeResponse:
    """Bound nobody by policies of a type any more: all of them are detached. Raises RootNotFound, PolicyTypeNotEnabled."""
    row = access.administrator(ctx)
    _own_root(row, req.root_id)
    if req.policy_type not in enabled_types(ctx.tx, row.id):
        raise errors.type_not_enabled()
    ctx.tx.run("DELETE FROM org_policy_type WHERE organization = ? AND type = ?", row.id, req.policy_type)
    ctx.tx.run("DELETE FROM org_attachment WHERE organization = ? AND type = ?", row.id, req.policy_type)
    items.organization_changed(ctx, row, ("org", row.id))
    return api.DisablePolicyTypeResponse(root=shown_root(ctx, row))


def _everywhere(ctx: Context, row: OrganizationRow, policy: str, kind: str) -> None:
    """Attach one of AWS's own to every node."""
    columns = "INSERT INTO org_attachment (organization, target_id, policy_id, type, attached)"
    ctx.tx.run(f"{columns} VALUES (?, ?, ?, ?, ?)", row.id, row.root, policy, kind, ctx.now)
    for table, name in (("org_unit", "unit_id"), ("org_account", "account")):
        ctx.tx.run(
            f"{columns} SELECT organization, {name}, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS DOUBLE PRECISION) FROM {table}"  # noqa: S608 - constants
            f" WHERE organization = ? ORDER BY {name}",
            policy,
            kind,
            ctx.now,
            row.id,
        )


def _own_root(row: OrganizationRow, root: str) -> None:
    if root != row.root:
        raise errors.root_not_found()


def _enabled(ctx: Context, row: OrganizationRow, policy_id: str) -> PolicyRow:
    policy = existing(ctx, row, policy_id)
    if policy.type not in enabled_types(ctx.tx, row.id):
        raise errors.type_not_enabled()
    return policy


def _existing_target(ctx: Context, row: OrganizationRow, target: str) -> None:
    found = (
        target == row.root
        or (target.startswith("ou-") and find_unit(ctx.tx, row.id, target) is not None)
        or find_account(ctx.tx, row.id, target) is not None
    )
    if not found:
        raise errors.target_not_found()


def _target(ctx: Context, row: OrganizationRow, target: str) -> api.PolicyTargetSummary:
    kind = node_type(target)
    if kind == "ROOT":
        return api.PolicyTargetSummary(target_id=target, arn=row.root_arn, name="Root", type=kind)
    unit, account = find_unit(ctx.tx, row.id, target), find_account(ctx.tx, row.id, target)
    name = unit.name if unit else account.name if account else None
    arn = row.arn_of("ou" if unit else "account", target)
    return api.PolicyTargetSummary(target_id=target, arn=arn, name=name, type=kind)
