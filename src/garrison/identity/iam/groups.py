"""Groups and who is in them."""

from __future__ import annotations

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import Target, operation
from garrison.identity.iam import errors
from garrison.identity.iam.items import deleted, group_changed, user_changed
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.rows import GROUP, GroupRow, UserRow, by_name, count, find_group, group_named, moved, user_named
from garrison.identity.iam.targets import declared_group, group_target, listed, named_group, new_group, user_target
from garrison.identity.iam.users import shown as shown_user

GROUPS_PER_ACCOUNT = 300
GROUPS_PER_USER = 10

_MEMBER = "u.account, u.user_id, u.name, u.path, u.created, u.boundary_arn, u.password_last_used"
_OF_USER = "g.account, g.group_id, g.name, g.path, g.created"


def both_groups(ctx: Context, req: api.UpdateGroupRequest) -> list[Target]:
    """A rename needs the permission on the old group and on the new one."""
    targets = [named_group(ctx, req.group_name)]
    if req.new_group_name or req.new_path:
        row = declared_group(ctx, req.group_name)
        path = req.new_path or (row.path if row else "/")
        targets.append(named_group(ctx, req.new_group_name or req.group_name, path))
    return targets


@operation("iam", resource=new_group)
def create_group(ctx: Context, req: api.CreateGroupRequest) -> api.CreateGroupResponse:
    """Create a group. Names are unique per account regardless of case. Raises EntityAlreadyExists, LimitExceeded (300)."""
    if find_group(ctx.tx, ctx.account, req.group_name):
        raise errors.exists("Group", req.group_name)
    if count(ctx.tx, "iam_group", "account = ?", ctx.account) >= GROUPS_PER_ACCOUNT:
        raise errors.quota("GroupsPerAccount", GROUPS_PER_ACCOUNT)
    row = GroupRow(ctx.account, ctx.unique_id("AGPA"), req.group_name, req.path or "/", ctx.now)
    ctx.tx.run(
        f"INSERT INTO iam_group ({GROUP}, name_folded) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant column list
        row.account,
        row.id,
        row.name,
        row.path,
        row.created,
        row.name.lower(),
    )
    group_changed(ctx, row)
    return api.CreateGroupResponse(group=shown(row))


@operation("iam", resource=group_target, read=True)
def get_group(ctx: Context, req: api.GetGroupRequest) -> api.GetGroupResponse:
    """A group and its users by name. Raises NoSuchEntity."""
    row = group_named(ctx.tx, ctx.account, req.group_name)
    pager = Pager(ctx, req, row.id)
    users = ctx.tx.all(
        f"SELECT {_MEMBER} FROM iam_membership m"  # noqa: S608 - constant column list
        " JOIN iam_user u ON u.account = m.account AND u.user_id = m.user_id"
        " WHERE m.account = ? AND m.group_id = ? AND u.name_folded > ? ORDER BY u.name_folded LIMIT ?",
        ctx.account,
        row.id,
        pager.after,
        pager.limit + 1,
    )
    page = pager.page([UserRow(*user) for user in users], lambda user: user.name.lower())
    return api.GetGroupResponse(
        group=shown(row), users=[shown_user(user) for user in page.items], is_truncated=page.truncated, marker=page.marker
    )


@operation("iam", resource=both_groups)
def update_group(ctx: Context, req: api.UpdateGroupRequest) -> None:
    """Rename or move a group; its id, users and policies stay. Raises NoSuchEntity, EntityAlreadyExists."""
    row = group_named(ctx.tx, ctx.account, req.group_name)
    group_changed(ctx, moved(ctx.tx, row, req.new_group_name, req.new_path))


@operation("iam", resource=group_target)
def delete_group(ctx: Context, req: api.DeleteGroupRequest) -> None:
    """Delete a group without users and policies. Raises NoSuchEntity, DeleteConflict."""
    row = group_named(ctx.tx, ctx.account, req.group_name)
    if count(ctx.tx, "iam_membership", "account = ? AND group_id = ?", ctx.account, row.id):
        raise errors.conflict("remove users from group")
    if count(ctx.tx, "iam_attachment", "account = ? AND owner_id = ?", ctx.account, row.id):
        raise errors.conflict("detach all policies")
    if count(ctx.tx, "iam_inline_policy", "account = ? AND owner_id = ?", ctx.account, row.id):
        raise errors.conflict("delete policies")
    ctx.tx.run("DELETE FROM iam_group WHERE account = ? AND group_id = ?", ctx.account, row.id)
    deleted(ctx, "Group", row, ("group", row.id))


@operation("iam", resource=listed("group"), read=True)
def list_groups(ctx: Context, req: api.ListGroupsRequest) -> api.ListGroupsResponse:
    """Groups by name, under a path where one is given."""
    prefix = req.path_prefix or "/"
    pager = Pager(ctx, req, prefix)
    rows = by_name(ctx.tx, "iam_group", GROUP, ctx.account, after=pager.after, limit=pager.limit + 1, prefix=prefix)
    page = pager.page([GroupRow(*row) for row in rows], _name)
    return api.ListGroupsResponse(groups=[shown(row) for row in page.items], is_truncated=page.truncated, marker=page.marker)


@operation("iam", resource=group_target)
def add_user_to_group(ctx: Context, req: api.AddUserToGroupRequest) -> None:
    """Put a user into a group; again is no error. Raises NoSuchEntity, LimitExceeded (10 groups a user)."""
    user = user_named(ctx.tx, ctx.account, req.user_name)
    group = group_named(ctx.tx, ctx.account, req.group_name)
    if count(ctx.tx, "iam_membership", "account = ? AND user_id = ? AND group_id = ?", ctx.account, user.id, group.id):
        return
    if count(ctx.tx, "iam_membership", "account = ? AND user_id = ?", ctx.account, user.id) >= GROUPS_PER_USER:
        raise errors.quota("GroupsPerUser", GROUPS_PER_USER)
    ctx.tx.run("INSERT INTO iam_membership (account, user_id, group_id) VALUES (?, ?, ?)", ctx.account, user.id, group.id)
    user_changed(ctx, user)


@operation("iam", resource=group_target)
def remove_user_from_group(ctx: Context, req: api.RemoveUserFromGroupRequest) -> None:
    """Take a user out of a group; one who is not in it is no error. Raises NoSuchEntity."""
    user = user_named(ctx.tx, ctx.account, req.user_name)
    group = group_named(ctx.tx, ctx.account, req.group_name)
    gone = ctx.tx.run(
        "DELETE FROM iam_membership WHERE account = ? AND user_id = ? AND group_id = ?", ctx.account, user.id, group.id
    )
    if gone:
        user_changed(ctx, user)


@operation("iam", resource=user_target, read=True)
def list_groups_for_user(ctx: Context, req: api.ListGroupsForUserRequest) -> api.ListGroupsForUserResponse:
    """The groups of a user by name. Raises NoSuchEntity."""
    user = user_named(ctx.tx, ctx.account, req.user_name)
    rows = ctx.tx.all(
        f"SELECT {_OF_USER} FROM iam_membership m"  # noqa: S608 - constant column list
        " JOIN iam_group g ON g.account = m.account AND g.group_id = m.group_id"
        " WHERE m.account = ? AND m.user_id = ? ORDER BY g.name_folded",
        ctx.account,
        user.id,
    )
    page = Pager(ctx, req, user.id).cut([GroupRow(*row) for row in rows], _name)
    return api.ListGroupsForUserResponse(
        groups=[shown(row) for row in page.items], is_truncated=page.truncated, marker=page.marker
    )


def shown(row: GroupRow) -> api.Group:
    """A group as answers show it."""
    return api.Group(path=row.path, group_name=row.name, group_id=row.id, arn=row.arn, create_date=row.created)


def _name(row: GroupRow) -> str:
    return row.name.lower()
