"""What a write to Organizations leaves behind: a configuration item, and which cached entries it makes stale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrison.core.context import ConfigurationItem, Context
from garrison.core.ports import Transaction
from garrison.identity.organizations.rows import AccountRow, OrganizationRow, PolicyRow, UnitRow, enabled_types, path_of

Touched = tuple[str, str]


def tags_of(tx: Transaction, organization: str, resource: str) -> dict[str, str]:
    """Tags by key, in its order."""
    return dict(
        tx.all(
            "SELECT tag_key, tag_value FROM org_tag WHERE organization = ? AND resource_id = ? ORDER BY tag_key",
            organization,
            resource,
        )
    )


def organization_changed(ctx: Context, row: OrganizationRow, *touched: Touched, deleted: bool = False) -> None:
    """The organization itself: its features, its types of policy, its services and administrators."""
    configuration: dict[str, Any] = {
        "Id": row.id,
        "FeatureSet": row.feature_set,
        "MasterAccountId": row.management,
        "RootId": row.root,
        "PolicyTypes": enabled_types(ctx.tx, row.id),
        "ServiceAccess": [name for (name,) in ctx.tx.all(_SERVICES, row.id)],
        "DelegatedAdministrators": [list(pair) for pair in ctx.tx.all(_DELEGATES, row.id)],
    }
    _changed(ctx, row, "Organization", row.id, row.arn, configuration, *touched, deleted=deleted)


_SERVICES = "SELECT service FROM org_service_access WHERE organization = ? ORDER BY service"
_DELEGATES = "SELECT account, service FROM org_delegation WHERE organization = ? ORDER BY account, service"


def root_changed(ctx: Context, row: OrganizationRow, *touched: Touched) -> None:
    """The root: what is attached to it, and its tags."""
    _changed(ctx, row, "Root", row.root, row.root_arn, {"Id": row.root, **_attached(ctx, row, row.root)}, *touched)


def unit_changed(ctx: Context, row: OrganizationRow, unit: UnitRow, *touched: Touched, deleted: bool = False) -> None:
    """A unit: its name, what is attached to it, and its tags."""
    configuration = {"Id": unit.id, "Name": unit.name, "ParentId": unit.parent, **_attached(ctx, row, unit.id)}
    arn = row.arn_of("ou", unit.id)
    _changed(ctx, row, "OrganizationalUnit", unit.id, arn, configuration, *touched, name=unit.name, deleted=deleted)


def account_changed(ctx: Context, row: OrganizationRow, account: AccountRow, *touched: Touched, left: bool = False) -> None:
    """A member: its place, what is attached to it, and its tags; ``left``: it is none any more."""
    configuration = {
        "Id": account.id,
        "Name": account.name,
        "Email": account.email,
        "ParentId": account.parent,
        "Status": account.status(ctx.now)[0],
        "JoinedMethod": account.joined_method,
        "Path": path_of(ctx.tx, row.id, account.parent),
        **_attached(ctx, row, account.id),
    }
    arn = row.arn_of("account", account.id)
    # One that leaves by itself is told to itself: nothing else of the organization is its business.
    owner = ctx.account if left else row.management
    _changed(ctx, row, "Account", account.id, arn, configuration, *touched, name=account.name, deleted=left, owner=owner)


def policy_changed(ctx: Context, row: OrganizationRow, policy: PolicyRow, *touched: Touched, deleted: bool = False) -> None:
    """A policy, its targets or its tags."""
    targets = ctx.tx.all(
        "SELECT target_id FROM org_attachment WHERE organization = ? AND policy_id = ? ORDER BY seq", row.id, policy.id
    )
    configuration = {
        "Id": policy.id,
        "Name": policy.name,
        "Type": policy.type,
        "Description": policy.description,
        "Content": policy.content,
        "TargetIds": [target for (target,) in targets],
    }
    _changed(ctx, row, "Policy", policy.id, policy.arn, configuration, *touched, name=policy.name, deleted=deleted)


def resource_policy_changed(ctx: Context, row: OrganizationRow, policy_id: str, content: str | None) -> None:
    """The organization's resource policy; None where it was deleted."""
    arn = row.arn_of("resourcepolicy", policy_id)
    _changed(ctx, row, "ResourcePolicy", policy_id, arn, {"Id": policy_id, "Content": content}, deleted=content is None)


def handshake_changed(ctx: Context, arn: str, configuration: Mapping[str, Any]) -> None:
    """A handshake went on; each side has it on its own record when it acts."""
    name = arn.rpartition("/")[2]
    ctx.changed(
        ConfigurationItem(
            "Garrison::Organizations::Handshake", name, arn, ctx.account, "global", name=name, configuration=configuration
        )
    )


def transfer_changed(ctx: Context, arn: str, configuration: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """A transfer of responsibility went on."""
    name = arn.rpartition("/")[2]
    ctx.changed(
        ConfigurationItem(
            "Garrison::Organizations::ResponsibilityTransfer",
            name,
            arn,
            ctx.account,
            "global",
            name=name,
            tags=tags,
            configuration=configuration,
        )
    )


def _attached(ctx: Context, row: OrganizationRow, target: str) -> dict[str, Any]:
    rows = ctx.tx.all(
        "SELECT policy_id FROM org_attachment WHERE organization = ? AND target_id = ? ORDER BY seq", row.id, target
    )
    return {"Policies": [policy for (policy,) in rows]}


def _changed(
    ctx: Context,
    row: OrganizationRow,
    kind: str,
    resource: str,
    arn: str,
    configuration: Mapping[str, Any],
    *touched: Touched,
    name: str = "",
    deleted: bool = False,
    owner: str = "",
) -> None:
    item = ConfigurationItem(
        type=f"AWS::Organizations::{kind}",
        id=resource,
        arn=arn,
        account=owner or row.management,
        region="global",
        name=name,
        tags={} if deleted else tags_of(ctx.tx, row.id, resource),
        configuration=configuration,
        deleted=deleted,
    )
    ctx.changed(item, *touched)
