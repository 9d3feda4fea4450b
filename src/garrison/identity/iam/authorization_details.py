"""GetAccountAuthorizationDetails: everything that decides what an account's identities may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.iam import managed
from garrison.identity.iam.details import aws_policy_detail, group_detail, policy_detail, role_detail, user_detail
from garrison.identity.iam.managed import ManagedPolicy
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.rows import GROUP, POLICY, ROLE, USER, GroupRow, PolicyRow, RoleRow, UserRow
from garrison.identity.iam.targets import anything


class _Entry(NamedTuple):
    """One thing to describe: ``key`` orders kinds, then names; ``row`` is described only when its page is asked for."""

    key: str
    row: UserRow | GroupRow | RoleRow | PolicyRow | ManagedPolicy


@operation("iam", resource=anything, read=True)
def get_account_authorization_details(
    ctx: Context, req: api.GetAccountAuthorizationDetailsRequest
) -> api.GetAccountAuthorizationDetailsResponse:
    """Users, groups, roles and managed policies with all that hangs on them; of AWS's policies those that the account uses."""
    wanted = req.filter or list(_SOURCES)
    entries = [entry for kind, source in _SOURCES.items() if kind in wanted for entry in source(ctx)]
    page = Pager(ctx, req, sorted(set(wanted))).cut(sorted(entries, key=_key), _key)
    answer = api.GetAccountAuthorizationDetailsResponse(
        user_detail_list=[],
        group_detail_list=[],
        role_detail_list=[],
        policies=[],
        is_truncated=page.truncated,
        marker=page.marker,
    )
    for entry in page.items:
        _describe(ctx, entry.row, answer)
    return answer


def _describe(ctx: Context, row: object, answer: api.GetAccountAuthorizationDetailsResponse) -> None:
    users, groups, roles, policies = answer.user_detail_list, answer.group_detail_list, answer.role_detail_list, answer.policies
    if isinstance(row, UserRow) and users is not None:
        users.append(user_detail(ctx.tx, row))
    elif isinstance(row, GroupRow) and groups is not None:
        groups.append(group_detail(ctx.tx, row))
    elif isinstance(row, RoleRow) and roles is not None:
        roles.append(role_detail(ctx.tx, row))
    elif isinstance(row, PolicyRow) and policies is not None:
        policies.append(policy_detail(ctx.tx, row))
    elif isinstance(row, ManagedPolicy) and policies is not None:
        policies.append(aws_policy_detail(ctx.tx, ctx.account, row))


def _key(entry: _Entry) -> str:
    return entry.key


def _users(ctx: Context) -> list[_Entry]:
    return [_Entry(f"1/{row.name.lower()}", row) for row in (UserRow(*each) for each in _all(ctx, USER, "iam_user"))]


def _groups(ctx: Context) -> list[_Entry]:
    return [_Entry(f"2/{row.name.lower()}", row) for row in (GroupRow(*each) for each in _all(ctx, GROUP, "iam_group"))]


def _roles(ctx: Context) -> list[_Entry]:
    return [_Entry(f"3/{row.name.lower()}", row) for row in (RoleRow(*each) for each in _all(ctx, ROLE, "iam_role"))]


def _policies(ctx: Context) -> list[_Entry]:
    return [_Entry(f"4/{row.name.lower()}", row) for row in (PolicyRow(*each) for each in _all(ctx, POLICY, "iam_policy"))]


def _aws_policies(ctx: Context) -> list[_Entry]:
    """AWS's policies that somebody has attached or bears as a boundary."""
    used = ctx.tx.all(
        "SELECT policy_arn FROM iam_attachment WHERE account = ?"
        " UNION SELECT boundary_arn FROM iam_user WHERE account = ? AND boundary_arn IS NOT NULL"
        " UNION SELECT boundary_arn FROM iam_role WHERE account = ? AND boundary_arn IS NOT NULL",
        *(ctx.account,) * 3,
    )
    found = [managed.find(arn) for (arn,) in used]
    return [_Entry(f"5/{policy.name.lower()}", policy) for policy in found if policy is not None]


def _all(ctx: Context, columns: str, table: str) -> list[tuple[Any, ...]]:
    return ctx.tx.all(f"SELECT {columns} FROM {table} WHERE account = ?", ctx.account)  # noqa: S608 - constants of this module


_SOURCES: dict[str, Callable[[Context], list[_Entry]]] = {
    "User": _users,
    "Group": _groups,
    "Role": _roles,
    "LocalManagedPolicy": _policies,
    "AWSManagedPolicy": _aws_policies,
}
