"""Managed policies: create, get, list, delete, and who has them."""

from __future__ import annotations

from typing import NamedTuple

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.core.ports import Transaction
from garrison.identity.delegation.partners import BOUNDARIES, boundary_document
from garrison.identity.iam import errors, managed
from garrison.identity.iam.details import Usage, usage_of
from garrison.identity.iam.documents import checked_managed
from garrison.identity.iam.items import deleted, policy_changed
from garrison.identity.iam.managed import ManagedPolicy
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.rows import POLICY, PolicyRow, count, find_policy, iam_arn, policy_arn_account, policy_at
from garrison.identity.iam.tagging import drop_tags, put_tags, tag_list
from garrison.identity.iam.targets import (
    declared_policy,
    declared_tags,
    listed_policies,
    new_policy,
    policy_target,
    request_tags,
    written_policy,
)

POLICIES_PER_ACCOUNT = 1500


@operation("iam", resource=new_policy, context=request_tags)
def create_policy(ctx: Context, req: api.CreatePolicyRequest) -> api.CreatePolicyResponse:
    """Create a managed policy whose document is version v1. Names are unique per account regardless of case.

    Raises EntityAlreadyExists, LimitExceeded (1,500 policies; 6,144 characters), MalformedPolicyDocument, InvalidInput (tags).
    """
    taken = ctx.tx.one("SELECT 1 FROM iam_policy WHERE account = ? AND name_folded = ?", ctx.account, req.policy_name.lower())
    if taken:
        raise api.EntityAlreadyExistsException(
            f"A policy called {req.policy_name} already exists. Duplicate names are not allowed."
        )
    checked_managed(req.policy_document)
    if count(ctx.tx, "iam_policy", "account = ?", ctx.account) >= POLICIES_PER_ACCOUNT:
        raise errors.quota("PoliciesPerAccount", POLICIES_PER_ACCOUNT)
    path = req.path or "/"
    arn = iam_arn(ctx.account, "policy", path, req.policy_name)
    row = PolicyRow(ctx.account, ctx.unique_id("ANPA"), arn, req.policy_name, path, req.description, ctx.now, ctx.now, 1, 1)
    ctx.tx.run(
        f"INSERT INTO iam_policy ({POLICY}, name_folded) VALUES ({', '.join('?' * 11)})",  # noqa: S608 - constant column list
        *row,
        row.name.lower(),
    )
    insert_version(ctx, row.id, 1, req.policy_document)
    put_tags(ctx.tx, ctx.account, row.id, req.tags or [])
    policy_changed(ctx, row, ("policy", arn))
    policy = shown(ctx.tx, row)
    policy.tags = req.tags or None
    return api.CreatePolicyResponse(policy=policy)


@operation("iam", resource=policy_target, read=True)
def get_policy(ctx: Context, req: api.GetPolicyRequest) -> api.GetPolicyResponse:
    """Describe a managed policy, the account's or AWS's. Raises NoSuchEntity, InvalidInput."""
    account = policy_arn_account(req.policy_arn)
    if account == "aws":
        policy = managed.find(req.policy_arn)
        if policy is None:
            raise errors.policy_not_found(req.policy_arn)
        found = shown_aws(ctx.tx, ctx.account, policy)
        found.tags = []
        return api.GetPolicyResponse(policy=found)
    row = declared_policy(ctx, req.policy_arn)
    if row is None:
        raise errors.policy_not_found(req.policy_arn)
    found = shown(ctx.tx, row)
    found.description = row.description
    found.tags = tag_list(declared_tags(ctx, row.id))
    return api.GetPolicyResponse(policy=found)


@operation("iam", resource=written_policy)
def delete_policy(ctx: Context, req: api.DeletePolicyRequest) -> None:
    """Delete a managed policy with its last version. Raises NoSuchEntity, DeleteConflict."""
    row = own_policy(ctx, req.policy_arn)
    if usage_of(ctx.tx, ctx.account, [row.arn]).used(row.arn):
        raise api.DeleteConflictException("Cannot delete a policy attached to entities.")
    if count(ctx.tx, "iam_policy_version", "account = ? AND policy_id = ?", ctx.account, row.id) > 1:
        raise api.DeleteConflictException(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions."
            " The default version is deleted with the policy."
        )
    drop_tags(ctx.tx, ctx.account, row.id)
    ctx.tx.run("DELETE FROM iam_policy_version WHERE account = ? AND policy_id = ?", ctx.account, row.id)
    ctx.tx.run("DELETE FROM iam_policy WHERE account = ? AND policy_id = ?", ctx.account, row.id)
    deleted(ctx, "Policy", row, ("policy", row.arn))


@operation("iam", resource=listed_policies, read=True)
def list_policies(ctx: Context, req: api.ListPoliciesRequest) -> api.ListPoliciesResponse:
    """Managed policies: AWS's and the account's own, by scope, path, and whether they are in use."""
    scope, prefix = req.scope or "All", req.path_prefix or "/"
    pager = Pager(ctx, req, scope, prefix, bool(req.only_attached), req.policy_usage_filter)
    usage = usage_of(ctx.tx, ctx.account)
    rows: list[ManagedPolicy | PolicyRow] = []
    if scope != "Local":
        rows += managed.everything()
    if scope != "AWS":
        found = ctx.tx.all(f"SELECT {POLICY} FROM iam_policy WHERE account = ?", ctx.account)  # noqa: S608 - constant column list
        rows += [PolicyRow(*row) for row in found]
    wanted = [row for row in rows if row.path.startswith(prefix)]
    if req.only_attached or req.policy_usage_filter:
        wanted = [row for row in wanted if usage.used(row.arn, req.policy_usage_filter)]
    page = pager.cut(sorted(wanted, key=_order), _order)
    return api.ListPoliciesResponse(
        policies=[_listed(row, usage) for row in page.items], is_truncated=page.truncated, marker=page.marker
    )


@operation("iam", resource=policy_target, read=True)
def list_entities_for_policy(ctx: Context, req: api.ListEntitiesForPolicyRequest) -> api.ListEntitiesForPolicyResponse:
    """The users, groups and roles that have a policy attached, or as their boundary. Raises NoSuchEntity."""
    account = policy_arn_account(req.policy_arn)
    known = managed.find(req.policy_arn) if account == "aws" else declared_policy(ctx, req.policy_arn)
    if known is None:
        raise errors.policy_not_attachable(req.policy_arn)
    prefix = req.path_prefix or "/"
    pager = Pager(ctx, req, req.policy_arn, req.entity_filter, prefix, req.policy_usage_filter)
    page = pager.page(_entities(ctx, req, prefix, pager), lambda row: f"{row.kind}/{row.folded}")
    return api.ListEntitiesForPolicyResponse(
        policy_groups=[api.PolicyGroup(group_name=row.name, group_id=row.id) for row in page.items if row.kind == "group"],
        policy_roles=[api.PolicyRole(role_name=row.name, role_id=row.id) for row in page.items if row.kind == "role"],
        policy_users=[api.PolicyUser(user_name=row.name, user_id=row.id) for row in page.items if row.kind == "user"],
        is_truncated=page.truncated,
        marker=page.marker,
    )


class _Entity(NamedTuple):
    kind: str
    folded: str
    name: str
    id: str
    path: str


_KINDS = {"group": "Group", "role": "Role", "user": "User"}
"""Kinds of entities, in the order of the list, and how a filter names them."""


def _entities(ctx: Context, req: api.ListEntitiesForPolicyRequest, prefix: str, pager: Pager) -> list[_Entity]:
    """Who uses the policy: those of one page, and one more."""
    at, _, name = pager.after.partition("/")
    found: list[_Entity] = []
    for kind, filtered in _KINDS.items():
        if kind >= at and req.entity_filter in {None, filtered} and len(found) <= pager.limit:
            following = name if kind == at else ""
            found += _entities_of(ctx, kind, req, prefix, following, pager.limit + 1 - len(found))
    return found


def _entities_of(
    ctx: Context, kind: str, req: api.ListEntitiesForPolicyRequest, prefix: str, following: str, limit: int
) -> list[_Entity]:
    """So many of one kind, by name after ``following``. The SQL is made of the names in :data:`_KINDS` alone."""
    uses: list[str] = []
    if req.policy_usage_filter != "PermissionsBoundary":
        attached = f"a.account = e.account AND a.owner_id = e.{kind}_id AND a.policy_arn = ?"
        uses.append(f"EXISTS (SELECT 1 FROM iam_attachment a WHERE {attached})")  # noqa: S608 - constants
    if req.policy_usage_filter != "PermissionsPolicy" and kind != "group":
        uses.append("e.boundary_arn = ?")
    if not uses:
        return []
    rows = ctx.tx.all(
        f"SELECT e.name_folded, e.name, e.{kind}_id, e.path FROM iam_{kind} e WHERE e.account = ? AND e.name_folded > ?"  # noqa: S608 - constants
        f" AND substr(e.path, 1, CAST(? AS INTEGER)) = ? AND ({' OR '.join(uses)}) ORDER BY e.name_folded LIMIT ?",
        ctx.account,
        following,
        len(prefix),
        prefix,
        *[req.policy_arn] * len(uses),
        limit,
    )
    return [_Entity(kind, *row) for row in rows]


def own_policy(ctx: Context, arn: str) -> PolicyRow:
    """A policy that the account may write to. Raises NoSuchEntity."""
    if policy_arn_account(arn) != ctx.account:
        raise errors.policy_not_found(arn)
    return policy_at(ctx.tx, arn)


def insert_version(ctx: Context, policy_id: str, number: int, document: str) -> None:
    """Write a version's row."""
    ctx.tx.run(
        "INSERT INTO iam_policy_version (account, policy_id, version, document, created) VALUES (?, ?, ?, ?, ?)",
        ctx.account,
        policy_id,
        number,
        document,
        ctx.now,
    )


def document_of(tx: Transaction, arn: str) -> str | None:
    """The document in force of any managed policy; None where there is no such policy."""
    if arn.startswith(managed.PREFIX):
        return managed.document(arn)
    if arn.startswith(BOUNDARIES):
        return boundary_document(tx, arn)
    row = find_policy(tx, arn)
    if row is None:
        return None
    version = tx.one(
        "SELECT document FROM iam_policy_version WHERE account = ? AND policy_id = ? AND version = ?",
        row.account,
        row.id,
        row.default_version,
    )
    return version[0] if version else None


def shown(tx: Transaction, row: PolicyRow) -> api.Policy:
    """A customer managed policy, without description and tags, which only GetPolicy tells."""
    return _listed(row, usage_of(tx, row.account, [row.arn]))


def shown_aws(tx: Transaction, account: str, policy: ManagedPolicy) -> api.Policy:
    """An AWS managed policy, with the account's use of it."""
    return _listed(policy, usage_of(tx, account, [policy.arn]))


def _listed(row: PolicyRow | ManagedPolicy, usage: Usage) -> api.Policy:
    version = row.default_version if isinstance(row, PolicyRow) else row.version
    return api.Policy(
        policy_name=row.name,
        policy_id=row.id,
        arn=row.arn,
        path=row.path,
        default_version_id=f"v{version}",
        attachment_count=usage.attached.get(row.arn, 0),
        permissions_boundary_usage_count=usage.boundaries.get(row.arn, 0),
        is_attachable=True,
        create_date=row.created,
        update_date=row.updated,
    )


def _order(row: PolicyRow | ManagedPolicy) -> str:
    """By name regardless of case; the account's own before AWS's of the same name."""
    return f"{row.name.lower()}\0{row.arn}"
