"""What a write to IAM leaves behind: the resource's configuration item, and which cached entries it makes stale.

Configuration items are global ones, as AWS Config records IAM's.
"""

from __future__ import annotations

from typing import Any

import msgspec

from garrison.core.context import ConfigurationItem, Context
from garrison.identity.iam.details import group_details, policy_details, role_details, user_details
from garrison.identity.iam.documents import plain
from garrison.identity.iam.rows import GroupRow, Owner, PolicyRow, RoleRow, UserRow, find_policy
from garrison.identity.iam.tagging import tags_of
from garrison.identity.mfa.devices import Device

Touched = tuple[str, str]


def user_changed(ctx: Context, row: UserRow, *touched: Touched) -> None:
    """A user, its policies, groups, boundary or tags changed."""
    (detail,) = user_details(ctx.tx, [row], plain)
    ctx.changed(_item(ctx, "User", row, detail, tagged=True), ("user", row.id), *touched)


def group_changed(ctx: Context, row: GroupRow, *touched: Touched) -> None:
    """A group or its policies changed."""
    (detail,) = group_details(ctx.tx, [row], plain)
    ctx.changed(_item(ctx, "Group", row, detail), ("group", row.id), *touched)


def role_changed(ctx: Context, row: RoleRow, *touched: Touched) -> None:
    """A role, its trust policy, policies, boundary or tags changed."""
    (detail,) = role_details(ctx.tx, [row], plain)
    ctx.changed(_item(ctx, "Role", row, detail, tagged=True), ("role", row.id), *touched)


def policy_changed(ctx: Context, row: PolicyRow, *touched: Touched) -> None:
    """A managed policy, its versions, tags or attachments changed; ``touched`` says whether its default document did."""
    (detail,) = policy_details(ctx.tx, [row], plain)
    ctx.changed(_item(ctx, "Policy", row, detail, tagged=True), *touched)


def owner_changed(ctx: Context, row: Owner, *policy_arns: str) -> None:
    """The policies of a user, group or role changed; a customer managed policy among them counts its attachments."""
    if row.kind == "user":
        user_changed(ctx, row)
    elif row.kind == "group":
        group_changed(ctx, row)
    else:
        role_changed(ctx, row)
    for arn in policy_arns:
        policy = find_policy(ctx.tx, arn)
        if policy is not None:
            policy_changed(ctx, policy)


def deleted(ctx: Context, kind: str, row: Owner | PolicyRow, *touched: Touched) -> None:
    """A resource is gone."""
    item = ConfigurationItem(
        type=f"AWS::IAM::{kind}", id=row.id, arn=row.arn, account=ctx.account, region="global", name=row.name, deleted=True
    )
    ctx.changed(item, *touched)


def access_key_changed(ctx: Context, key_id: str, owner: str, configuration: dict[str, Any] | None) -> None:
    """An access key was made, switched or deleted (None). Its secret stands nowhere here."""
    item = ConfigurationItem(
        type="AWS::IAM::AccessKey",
        id=key_id,
        arn=owner,
        account=ctx.account,
        region="global",
        name=key_id,
        configuration=configuration or {},
        deleted=configuration is None,
    )
    ctx.changed(item, ("access-key", key_id))


def login_changed(ctx: Context, row: UserRow | None) -> None:
    """A user's password or MFA devices changed; None: the root user's."""
    if row is not None:
        user_changed(ctx, row)
        return
    arn = f"arn:aws:iam::{ctx.account}:root"
    item = ConfigurationItem(type="AWS::IAM::RootUser", id=ctx.account, arn=arn, account=ctx.account, region="global")
    ctx.changed(item, ("account", ctx.account))


def mfa_device_changed(ctx: Context, device: Device, owner_arn: str | None, *, gone: bool = False) -> None:
    """An MFA device was made, given, taken back, tagged or deleted. Its seed stands nowhere here."""
    virtual = device.kind == "virtual"
    item = ConfigurationItem(
        type="AWS::IAM::VirtualMFADevice" if virtual else "AWS::IAM::MFADevice",
        id=device.serial,
        arn=device.serial if device.serial.startswith("arn:") else owner_arn or "",
        account=ctx.account,
        region="global",
        name=device.name,
        tags=tags_of(ctx.tx, ctx.account, device.serial) if virtual and not gone else {},
        configuration={} if gone else {"SerialNumber": device.serial, "Owner": owner_arn, "EnableDate": device.enabled},
        facts={} if gone else {"assigned": owner_arn is not None},
        deleted=gone,
    )
    ctx.changed(item)


def account_changed(ctx: Context, configuration: dict[str, Any]) -> None:
    """The account's alias or password policy changed."""
    item = ConfigurationItem(
        type="AWS::::Account",
        id=ctx.account,
        arn=f"arn:aws:iam::{ctx.account}:root",
        account=ctx.account,
        region="global",
        configuration=configuration,
    )
    ctx.changed(item, ("account", ctx.account))


def _item(ctx: Context, kind: str, row: Owner | PolicyRow, detail: msgspec.Struct, *, tagged: bool = False) -> ConfigurationItem:
    return ConfigurationItem(
        type=f"AWS::IAM::{kind}",
        id=row.id,
        arn=row.arn,
        account=row.account,
        region="global",
        name=row.name,
        tags=tags_of(ctx.tx, row.account, row.id) if tagged else {},
        configuration=msgspec.to_builtins(detail),
    )
