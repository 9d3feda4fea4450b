"""Users, groups, roles and policies with everything that hangs on them.

One description for two readers: GetAccountAuthorizationDetails, where documents are percent-encoded, and the configuration items
that every write leaves behind, where they are plain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from garrison.api import iam as api
from garrison.core.ports import Transaction
from garrison.identity.iam.documents import Written, encoded
from garrison.identity.iam.managed import ManagedPolicy
from garrison.identity.iam.managed import document as aws_document
from garrison.identity.iam.profile_rows import profiles_of_roles, shown_profiles
from garrison.identity.iam.rows import GroupRow, Owner, PolicyRow, RoleRow, UserRow, boundary, of_keys
from garrison.identity.iam.tagging import tag_list, tags_of_all
from garrison.identity.iam.trust import shown_trusts


class _Hanging(NamedTuple):
    """What hangs on users, groups and roles, by their unique ids."""

    inline: dict[str, list[api.PolicyDetail]]
    attached: dict[str, list[api.AttachedPolicy]]
    tags: dict[str, list[api.Tag]]


def user_details(tx: Transaction, rows: Sequence[UserRow], write: Written = encoded) -> list[api.UserDetail]:
    """Users of one account with their policies, groups, boundaries and tags; as many reads for a thousand as for one."""
    hanging = _hanging(tx, rows, write)
    groups = _group_names(tx, rows)
    return [
        api.UserDetail(
            path=row.path,
            user_name=row.name,
            user_id=row.id,
            arn=row.arn,
            create_date=row.created,
            user_policy_list=hanging.inline[row.id] or None,
            group_list=groups[row.id],
            attached_managed_policies=hanging.attached[row.id],
            permissions_boundary=boundary(row.boundary),
            tags=hanging.tags[row.id],
        )
        for row in rows
    ]


def group_details(tx: Transaction, rows: Sequence[GroupRow], write: Written = encoded) -> list[api.GroupDetail]:
    """Groups of one account with their policies."""
    hanging = _hanging(tx, rows, write)
    return [
        api.GroupDetail(
            path=row.path,
            group_name=row.name,
            group_id=row.id,
            arn=row.arn,
            create_date=row.created,
            group_policy_list=hanging.inline[row.id],
            attached_managed_policies=hanging.attached[row.id],
        )
        for row in rows
    ]


def role_details(tx: Transaction, rows: Sequence[RoleRow], write: Written = encoded) -> list[api.RoleDetail]:
    """Roles of one account with their trust policies, instance profiles, policies, boundaries, tags and last use."""
    hanging = _hanging(tx, rows, write)
    profiles = _profiles(tx, rows, write)
    return [
        api.RoleDetail(
            path=row.path,
            role_name=row.name,
            role_id=row.id,
            arn=row.arn,
            create_date=row.created,
            assume_role_policy_document=write(trust),
            instance_profile_list=profiles[row.id],
            role_policy_list=hanging.inline[row.id],
            attached_managed_policies=hanging.attached[row.id],
            permissions_boundary=boundary(row.boundary),
            tags=hanging.tags[row.id],
            role_last_used=last_used(row),
        )
        for row, trust in zip(rows, shown_trusts(tx, rows), strict=True)
    ]


def policy_details(tx: Transaction, rows: Sequence[PolicyRow], write: Written = encoded) -> list[api.ManagedPolicyDetail]:
    """Customer managed policies of one account with all their versions, newest first."""
    sql = (
        "SELECT policy_id, version, document, created FROM iam_policy_version"
        " WHERE account = ? AND policy_id IN ({keys}) ORDER BY version DESC"
    )
    versions = _grouped(tx, sql, _account(rows), [row.id for row in rows])
    usage = usage_of(tx, _account(rows), [row.arn for row in rows])
    return [
        api.ManagedPolicyDetail(
            policy_name=row.name,
            policy_id=row.id,
            arn=row.arn,
            path=row.path,
            default_version_id=f"v{row.default_version}",
            attachment_count=usage.attached.get(row.arn, 0),
            permissions_boundary_usage_count=usage.boundaries.get(row.arn, 0),
            is_attachable=True,
            description=row.description,
            create_date=row.created,
            update_date=row.updated,
            policy_version_list=[
                policy_version(number, created, default=number == row.default_version, document=write(text))
                for number, text, created in versions[row.id]
            ],
        )
        for row in rows
    ]


def aws_policy_details(tx: Transaction, account: str, policies: Sequence[ManagedPolicy]) -> list[api.ManagedPolicyDetail]:
    """AWS managed policies as an account sees them."""
    usage = usage_of(tx, account, [policy.arn for policy in policies])
    return [
        api.ManagedPolicyDetail(
            policy_name=policy.name,
            policy_id=policy.id,
            arn=policy.arn,
            path=policy.path,
            default_version_id=f"v{policy.version}",
            attachment_count=usage.attached.get(policy.arn, 0),
            permissions_boundary_usage_count=usage.boundaries.get(policy.arn, 0),
            is_attachable=True,
            create_date=policy.created,
            update_date=policy.updated,
            policy_version_list=[
                policy_version(
                    policy.version, policy.version_created, default=True, document=encoded(aws_document(policy.arn) or "")
                )
            ],
        )
        for policy in policies
    ]


def policy_version(number: int, created: float, *, default: bool, document: str | None = None) -> api.PolicyVersion:
    """One version of a managed policy."""
    return api.PolicyVersion(document=document, version_id=f"v{number}", is_default_version=default, create_date=created)


def last_used(row: RoleRow) -> api.RoleLastUsed:
    """When and where a role's credentials were last used; empty where never."""
    return api.RoleLastUsed(last_used_date=row.last_used, region=row.last_used_region)


class Usage(NamedTuple):
    """What an account uses managed policies for, by ARN: on how many identities, and as the boundary of how many."""

    attached: dict[str, int]
    boundaries: dict[str, int]

    def used(self, arn: str, usage: str | None = None) -> bool:
        """Whether a policy is attached, or a boundary, or (``usage`` None) either."""
        as_policy = usage != "PermissionsBoundary" and arn in self.attached
        return as_policy or (usage != "PermissionsPolicy" and arn in self.boundaries)


def usage_of(tx: Transaction, account: str, arns: Sequence[str] | None = None) -> Usage:
    """How an account uses these managed policies, or (None) all: three reads, however many they are."""
    attached = _counts(tx, "iam_attachment", "policy_arn", account, arns)
    boundaries = _counts(tx, "iam_user", "boundary_arn", account, arns)
    boundaries.update(_counts(tx, "iam_role", "boundary_arn", account, arns))
    return Usage(attached, boundaries)


def _counts(tx: Transaction, table: str, column: str, account: str, arns: Sequence[str] | None) -> Counter[str]:
    """How many rows name each ARN; ``table`` and ``column`` are this module's own."""
    sql = f"SELECT {column}, COUNT(*) FROM {table} WHERE account = ? AND {column} IS NOT NULL{{}} GROUP BY {column}"  # noqa: S608 - constants
    if arns is None:
        return Counter(dict(tx.all(sql.format(""), account)))
    return Counter(dict(of_keys(tx, sql.format(f" AND {column} IN ({{keys}})"), account, arns)))


def _hanging(tx: Transaction, rows: Sequence[Owner], write: Written) -> _Hanging:
    account, ids = _account(rows), [row.id for row in rows]
    inline = "SELECT owner_id, name, document FROM iam_inline_policy WHERE account = ? AND owner_id IN ({keys}) ORDER BY name"
    attached = (
        "SELECT owner_id, policy_arn FROM iam_attachment WHERE account = ? AND owner_id IN ({keys}) ORDER BY attached, policy_arn"
    )
    return _Hanging(
        inline={
            owner: [api.PolicyDetail(policy_name=name, policy_document=write(text)) for name, text in found]
            for owner, found in _grouped(tx, inline, account, ids).items()
        },
        attached={
            owner: [api.AttachedPolicy(policy_name=arn.rpartition("/")[2], policy_arn=arn) for (arn,) in found]
            for owner, found in _grouped(tx, attached, account, ids).items()
        },
        tags={owner: tag_list(tags) for owner, tags in tags_of_all(tx, account, ids).items()},
    )


def _group_names(tx: Transaction, rows: Sequence[UserRow]) -> dict[str, list[str]]:
    """The groups of users by the users' ids, each by name."""
    sql = (
        "SELECT m.user_id, g.name FROM iam_membership m JOIN iam_group g ON g.account = m.account AND g.group_id = m.group_id"
        " WHERE m.account = ? AND m.user_id IN ({keys}) ORDER BY g.name_folded"
    )
    found = _grouped(tx, sql, _account(rows), [row.id for row in rows])
    return {user: [name for (name,) in names] for user, names in found.items()}


def _profiles(tx: Transaction, rows: Sequence[RoleRow], write: Written) -> dict[str, list[api.InstanceProfile]]:
    """The instance profiles that roles are in, by the roles' ids."""
    found: dict[str, list[api.InstanceProfile]] = {row.id: [] for row in rows}
    profiles = profiles_of_roles(tx, _account(rows), list(found))
    for profile, shown in zip(profiles, shown_profiles(tx, profiles, write), strict=True):
        found[profile.role_id or ""].append(shown)
    return found


def _grouped(tx: Transaction, sql: str, account: str, ids: Sequence[str]) -> dict[str, list[tuple[Any, ...]]]:
    """What a query finds for many, by its first column; every id has a list."""
    found: dict[str, list[tuple[Any, ...]]] = {each: [] for each in ids}
    for key, *rest in of_keys(tx, sql, account, ids):
        found[key].append(tuple(rest))
    return found


def _account(rows: Sequence[Owner | PolicyRow]) -> str:
    """The account that all of these are of."""
    return rows[0].account if rows else ""
