"""Instance profiles as rows, as answers show them, and what is left when one changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from garrison.api import iam as api
from garrison.core.context import ConfigurationItem, Context
from garrison.core.ports import Transaction
from garrison.identity.iam import errors
from garrison.identity.iam.documents import Written, encoded, plain
from garrison.identity.iam.rows import RoleRow, iam_arn, of_keys, roles_by_id
from garrison.identity.iam.tagging import tag_list, tags_of
from garrison.identity.iam.trust import shown_trusts

PROFILE = "account, profile_id, name, path, created, role_id"


class ProfileRow(NamedTuple):
    """A row of iam_instance_profile."""

    account: str
    id: str
    name: str
    path: str
    created: float
    role_id: str | None

    @property
    def arn(self) -> str:
        """Its ARN, with the path."""
        return iam_arn(self.account, "instance-profile", self.path, self.name)


def find_profile(tx: Transaction, account: str, name: str) -> ProfileRow | None:
    """An instance profile by name."""
    sql = f"SELECT {PROFILE} FROM iam_instance_profile WHERE account = ? AND name_folded = ?"  # noqa: S608 - constant columns
    row = tx.one(sql, account, name.lower())
    return ProfileRow(*row) if row else None


def profile_named(tx: Transaction, account: str, name: str) -> ProfileRow:
    """An instance profile by name. Raises NoSuchEntity."""
    row = find_profile(tx, account, name)
    if row is None:
        raise errors.named_not_found("Instance Profile", name)
    return row


def profiles_of_roles(tx: Transaction, account: str, role_ids: Sequence[str]) -> list[ProfileRow]:
    """The instance profiles that these roles are in, by name."""
    sql = f"SELECT {PROFILE} FROM iam_instance_profile WHERE account = ? AND role_id IN ({{keys}}) ORDER BY name_folded"  # noqa: S608 - the same
    return [ProfileRow(*row) for row in of_keys(tx, sql, account, role_ids)]


def shown_profiles(tx: Transaction, rows: Sequence[ProfileRow], write: Written = encoded) -> list[api.InstanceProfile]:
    """Instance profiles of one account with their roles, without tags; as many reads for a thousand as for one."""
    account = rows[0].account if rows else ""
    roles = roles_by_id(tx, account, sorted({row.role_id for row in rows if row.role_id}))
    trusts = {role.id: write(text) for role, text in zip(roles, shown_trusts(tx, roles), strict=True)}
    known = {role.id: role for role in roles}
    return [
        api.InstanceProfile(
            path=row.path,
            instance_profile_name=row.name,
            instance_profile_id=row.id,
            arn=row.arn,
            create_date=row.created,
            roles=[_role(known[row.role_id], trusts[row.role_id])] if row.role_id in known else [],
        )
        for row in rows
    ]


def _role(row: RoleRow, trust: str) -> api.Role:
    """A role as an instance profile shows it."""
    return api.Role(
        path=row.path,
        role_name=row.name,
        role_id=row.id,
        arn=row.arn,
        create_date=row.created,
        assume_role_policy_document=trust,
    )


def shown_profile(tx: Transaction, row: ProfileRow, write: Written = encoded) -> api.InstanceProfile:
    """One instance profile with its role and tags."""
    (shown,) = shown_profiles(tx, [row], write)
    shown.tags = tag_list(tags_of(tx, row.account, row.id))
    return shown


def profile_changed(ctx: Context, row: ProfileRow) -> None:
    """An instance profile, its role or its tags changed."""
    item = ConfigurationItem(
        type="AWS::IAM::InstanceProfile",
        id=row.id,
        arn=row.arn,
        account=row.account,
        region="global",
        name=row.name,
        tags=tags_of(ctx.tx, row.account, row.id),
        configuration=msgspec.to_builtins(shown_profile(ctx.tx, row, plain)),
    )
    ctx.changed(item, ("instance-profile", row.id))


def profile_deleted(ctx: Context, row: ProfileRow) -> None:
    """An instance profile is gone."""
    item = ConfigurationItem(
        type="AWS::IAM::InstanceProfile",
        id=row.id,
        arn=row.arn,
        account=row.account,
        region="global",
        name=row.name,
        deleted=True,
    )
    ctx.changed(item, ("instance-profile", row.id))
