"""What is attached to a node: AWS's own policies everywhere from the start, and everything taken off with it."""

from __future__ import annotations

from garrison.core.context import Context
from garrison.identity.memberships import AWS_TYPES
from garrison.identity.organizations.rows import OrganizationRow, enabled_types


def attach(ctx: Context, row: OrganizationRow, target: str, policy: str, kind: str) -> None:
    """Attach a policy; the caller has checked that it may be."""
    ctx.tx.run(
        "INSERT INTO org_attachment (organization, target_id, policy_id, type, attached) VALUES (?, ?, ?, ?, ?)",
        row.id,
        target,
        policy,
        kind,
        ctx.now,
    )
    ctx.tx.changed("org-node", target)


def attach_defaults(ctx: Context, row: OrganizationRow, target: str) -> None:
    """AWS's policies of the types that are enabled, on a node that is new."""
    enabled = set(enabled_types(ctx.tx, row.id))
    for policy, kind in AWS_TYPES.items():
        if kind in enabled:
            attach(ctx, row, target, policy, kind)


def detach_all(ctx: Context, row: OrganizationRow, target: str) -> None:
    """Take everything off a node that goes."""
    ctx.tx.run("DELETE FROM org_attachment WHERE organization = ? AND target_id = ?", row.id, target)
    ctx.tx.changed("org-node", target)
