"""Users, groups, roles and policies with everything that hangs on them.

One description for two readers: GetAccountAuthorizationDetails, where documents are percent-encoded, and the configuration items
that every write leaves behind, where they are plain.
"""

from __future__ import annotations

from collections.abc import Callable

from garrison.api import iam as api
from garrison.core.ports import Transaction
from garrison.identity.iam.documents import encoded
from garrison.identity.iam.managed import ManagedPolicy
from garrison.identity.iam.managed import document as aws_document
from garrison.identity.iam.rows import GroupRow, PolicyRow, RoleRow, UserRow, boundary, count
from garrison.identity.iam.tagging import tag_list, tags_of
from garrison.identity.iam.trust import shown_trust

Written = Callable[[str], str]
"""How a document is written: :func:`encoded` or :func:`plain`."""


def plain(text: str) -> str:
    """A document as it was put."""
    return text


def user_detail(tx: Transaction, row: UserRow, write: Written = encoded) -> api.UserDetail:
    """A user with its policies, groups, boundary and tags."""
    return api.UserDetail(
        path=row.path,
        user_name=row.name,
        user_id=row.id,
        arn=row.arn,
        create_date=row.created,
        user_policy_list=inline_policies(tx, row.account, row.id, write) or None,
        group_list=group_names(tx, row.account, row.id),
        attached_managed_policies=attached_policies(tx, row.account, row.id),
        permissions_boundary=boundary(row.boundary),
        tags=tag_list(tags_of(tx, row.account, row.id)),
    )


def group_detail(tx: Transaction, row: GroupRow, write: Written = encoded) -> api.GroupDetail:
    """A group with its policies."""
    return api.GroupDetail(
        path=row.path,
        group_name=row.name,
        group_id=row.id,
        arn=row.arn,
        create_date=row.created,
        group_policy_list=inline_policies(tx, row.account, row.id, write),
        attached_managed_policies=attached_policies(tx, row.account, row.id),
    )


def role_detail(tx: Transaction, row: RoleRow, write: Written = encoded) -> api.RoleDetail:
    """A role with its trust policy, policies, boundary, tags and last use."""
    return api.RoleDetail(
        path=row.path,
        role_name=row.name,
        role_id=row.id,
        arn=row.arn,
        create_date=row.created,
        assume_role_policy_document=write(shown_trust(tx, row)),
        instance_profile_list=[],
        role_policy_list=inline_policies(tx, row.account, row.id, write),
        attached_managed_policies=attached_policies(tx, row.account, row.id),
        permissions_boundary=boundary(row.boundary),
        tags=tag_list(tags_of(tx, row.account, row.id)),
        role_last_used=last_used(row),
    )


def policy_detail(tx: Transaction, row: PolicyRow, write: Written = encoded) -> api.ManagedPolicyDetail:
    """A customer managed policy with all its versions, newest first."""
    versions = tx.all(
        "SELECT version, document, created FROM iam_policy_version WHERE account = ? AND policy_id = ? ORDER BY version DESC",
        row.account,
        row.id,
    )
    return api.ManagedPolicyDetail(
        policy_name=row.name,
        policy_id=row.id,
        arn=row.arn,
        path=row.path,
        default_version_id=f"v{row.default_version}",
        attachment_count=attachment_count(tx, row.account, row.arn),
        permissions_boundary_usage_count=boundary_count(tx, row.account, row.arn),
        is_attachable=True,
        description=row.description,
        create_date=row.created,
        update_date=row.updated,
        policy_version_list=[
            policy_version(number, created, default=number == row.default_version, document=write(text))
            for number, text, created in versions
        ],
    )


def aws_policy_detail(tx: Transaction, account: str, policy: ManagedPolicy) -> api.ManagedPolicyDetail:
    """An AWS managed policy as an account sees it."""
    return api.ManagedPolicyDetail(
        policy_name=policy.name,
        policy_id=policy.id,
        arn=policy.arn,
        path=policy.path,
        default_version_id=f"v{policy.version}",
        attachment_count=attachment_count(tx, account, policy.arn),
        permissions_boundary_usage_count=boundary_count(tx, account, policy.arn),
        is_attachable=True,
        create_date=policy.created,
        update_date=policy.updated,
        policy_version_list=[
            policy_version(policy.version, policy.version_created, default=True, document=encoded(aws_document(policy.arn) or ""))
        ],
    )


def policy_version(number: int, created: float, *, default: bool, document: str | None = None) -> api.PolicyVersion:
    """One version of a managed policy."""
    return api.PolicyVersion(document=document, version_id=f"v{number}", is_default_version=default, create_date=created)


def inline_policies(tx: Transaction, account: str, owner_id: str, write: Written) -> list[api.PolicyDetail]:
    """The policies embedded in a user, group or role, by name."""
    rows = tx.all(
        "SELECT name, document FROM iam_inline_policy WHERE account = ? AND owner_id = ? ORDER BY name", account, owner_id
    )
    return [api.PolicyDetail(policy_name=name, policy_document=write(document)) for name, document in rows]


def attached_policies(tx: Transaction, account: str, owner_id: str) -> list[api.AttachedPolicy]:
    """The managed policies on a user, group or role, in the order they were attached."""
    rows = tx.all(
        "SELECT policy_arn FROM iam_attachment WHERE account = ? AND owner_id = ? ORDER BY attached, policy_arn",
        account,
        owner_id,
    )
    return [api.AttachedPolicy(policy_name=arn.rpartition("/")[2], policy_arn=arn) for (arn,) in rows]


def group_names(tx: Transaction, account: str, user_id: str) -> list[str]:
    """The groups of a user, by name."""
    rows = tx.all(
        "SELECT g.name FROM iam_membership m JOIN iam_group g ON g.account = m.account AND g.group_id = m.group_id"
        " WHERE m.account = ? AND m.user_id = ? ORDER BY g.name_folded",
        account,
        user_id,
    )
    return [name for (name,) in rows]


def last_used(row: RoleRow) -> api.RoleLastUsed:
    """When and where a role's credentials were last used; empty where never."""
    return api.RoleLastUsed(last_used_date=row.last_used, region=row.last_used_region)


def attachment_count(tx: Transaction, account: str, arn: str) -> int:
    """On how many users, groups and roles a managed policy is."""
    return count(tx, "iam_attachment", "account = ? AND policy_arn = ?", account, arn)


def boundary_count(tx: Transaction, account: str, arn: str) -> int:
    """For how many users and roles a managed policy is the permissions boundary."""
    users = count(tx, "iam_user", "account = ? AND boundary_arn = ?", account, arn)
    return users + count(tx, "iam_role", "account = ? AND boundary_arn = ?", account, arn)
