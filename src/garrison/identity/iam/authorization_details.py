"""GetAccountAuthorizationDetails: everything that decides what an account's identities may do.

A page is read as a page: the rows that it shows and what hangs on them, in a fixed number of reads however large it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.iam import managed
from garrison.identity.iam.details import (
    aws_policy_details,
    group_details,
    policy_details,
    role_details,
    usage_of,
    user_details,
)
from garrison.identity.iam.managed import ManagedPolicy
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.rows import GROUP, POLICY, ROLE, USER, GroupRow, PolicyRow, RoleRow, UserRow, by_name
from garrison.identity.iam.targets import anything

Row = UserRow | GroupRow | RoleRow | PolicyRow | ManagedPolicy
T = TypeVar("T")


class _Entry(NamedTuple):
    """One thing to describe: ``key`` orders kinds, then names."""

    key: str
    row: Row


@operation("iam", resource=anything, read=True)
def get_account_authorization_details(
    ctx: Context, req: api.GetAccountAuthorizationDetailsRequest
) -> api.GetAccountAuthorizationDetailsResponse:
    """Users, groups, roles and managed policies with all that hangs on them; of AWS's policies those that the account uses."""
    wanted = req.filter or list(_SOURCES)
    pager = Pager(ctx, req, sorted(set(wanted)))
    page = pager.page(_entries(ctx, wanted, pager), _key)
    rows = [entry.row for entry in page.items]
    return api.GetAccountAuthorizationDetailsResponse(
        user_detail_list=user_details(ctx.tx, _of(rows, UserRow)),
        group_detail_list=group_details(ctx.tx, _of(rows, GroupRow)),
        role_detail_list=role_details(ctx.tx, _of(rows, RoleRow)),
        policies=policy_details(ctx.tx, _of(rows, PolicyRow)) + aws_policy_details(ctx.tx, ctx.account, _of(rows, ManagedPolicy)),
        is_truncated=page.truncated,
        marker=page.marker,
    )


def _entries(ctx: Context, wanted: Sequence[str], pager: Pager) -> list[_Entry]:
    """What stands on the page, and one more: kind after kind, until there is enough."""
    at, _, name = pager.after.partition("/")
    found: list[_Entry] = []
    for number, (kind, source) in enumerate(_SOURCES.items(), 1):
        if kind in wanted and str(number) >= at and len(found) <= pager.limit:
            rows = source(ctx, name if str(number) == at else "", pager.limit + 1 - len(found))
            found += [_Entry(f"{number}/{row.name.lower()}", row) for row in rows]
    return found


def _of(rows: Sequence[Row], kind: type[T]) -> list[T]:
    return [row for row in rows if isinstance(row, kind)]


def _key(entry: _Entry) -> str:
    return entry.key


def _users(ctx: Context, after: str, limit: int) -> list[Row]:
    return [UserRow(*row) for row in by_name(ctx.tx, "iam_user", USER, ctx.account, after=after, limit=limit)]


def _groups(ctx: Context, after: str, limit: int) -> list[Row]:
    return [GroupRow(*row) for row in by_name(ctx.tx, "iam_group", GROUP, ctx.account, after=after, limit=limit)]


def _roles(ctx: Context, after: str, limit: int) -> list[Row]:
    return [RoleRow(*row) for row in by_name(ctx.tx, "iam_role", ROLE, ctx.account, after=after, limit=limit)]


def _policies(ctx: Context, after: str, limit: int) -> list[Row]:
    return [PolicyRow(*row) for row in by_name(ctx.tx, "iam_policy", POLICY, ctx.account, after=after, limit=limit)]


def _aws_policies(ctx: Context, after: str, limit: int) -> list[Row]:
    """AWS's policies that somebody has attached or bears as a boundary."""
    usage = usage_of(ctx.tx, ctx.account)
    used = [policy for policy in managed.everything() if policy.name.lower() > after and usage.used(policy.arn)]
    return list(used[:limit])


_SOURCES: dict[str, Callable[[Context, str, int], list[Row]]] = {
    "User": _users,
    "Group": _groups,
    "Role": _roles,
    "LocalManagedPolicy": _policies,
    "AWSManagedPolicy": _aws_policies,
}
"""By the filter's name: so many rows of a kind, by name after the last one that was shown."""
