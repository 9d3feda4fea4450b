"""Instance profiles: what hands a role to an EC2 instance.

A profile holds one role. Names are unique per account regardless of case. Source: IAM User Guide, "Use instance profiles", and
IAM API Reference, the operations named here.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import Check, operation
from garrison.identity.iam import errors
from garrison.identity.iam.items import role_changed
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.profile_rows import (
    PROFILE,
    ProfileRow,
    find_profile,
    profile_changed,
    profile_deleted,
    profile_named,
    profiles_of_roles,
    shown_profile,
    shown_profiles,
)
from garrison.identity.iam.rows import RoleRow, by_name, count, role_by_id, role_named, writable_role
from garrison.identity.iam.tagging import drop_tags, put_tags, remove_tags, tag_list, tags_of
from garrison.identity.iam.targets import (
    declared_profile,
    listed,
    new_profile,
    profile_target,
    request_tags,
    role_target,
    tag_keys,
)

PROFILES_PER_ACCOUNT = 1000


def pass_role(ctx: Context, req: api.AddRoleToInstanceProfileRequest) -> Sequence[Check]:
    """Whoever puts a role into a profile hands it to every instance: iam:PassRole on the role, for EC2.

    The instance is not known yet; ``iam:AssociatedResourceArn`` is then any of the account (API Reference).
    """
    keys = {
        "iam:PassedToService": "ec2.amazonaws.com",
        "iam:AssociatedResourceArn": f"arn:aws:ec2:*:{ctx.account}:instance/*",
    }
    role = msgspec.structs.replace(role_target(ctx, req), denied_on="")  # this denial names the ARN
    return [Check("iam:PassRole", role, keys)]


@operation("iam", resource=new_profile, context=request_tags)
def create_instance_profile(ctx: Context, req: api.CreateInstanceProfileRequest) -> api.CreateInstanceProfileResponse:
    """Create an instance profile without a role. Raises EntityAlreadyExists, LimitExceeded (1,000), InvalidInput (tags)."""
    if find_profile(ctx.tx, ctx.account, req.instance_profile_name):
        raise errors.named_exists("Instance Profile", req.instance_profile_name)
    if count(ctx.tx, "iam_instance_profile", "account = ?", ctx.account) >= PROFILES_PER_ACCOUNT:
        raise errors.quota("InstanceProfilesPerAccount", PROFILES_PER_ACCOUNT)
    row = ProfileRow(ctx.account, ctx.unique_id("AIPA"), req.instance_profile_name, req.path or "/", ctx.now, None)
    ctx.tx.run(
        f"INSERT INTO iam_instance_profile ({PROFILE}, name_folded) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant columns
        *row,
        row.name.lower(),
    )
    put_tags(ctx.tx, ctx.account, row.id, req.tags or [])
    profile_changed(ctx, row)
    return api.CreateInstanceProfileResponse(instance_profile=shown_profile(ctx.tx, row))


@operation("iam", resource=profile_target, read=True)
def get_instance_profile(ctx: Context, req: api.GetInstanceProfileRequest) -> api.GetInstanceProfileResponse:
    """Describe an instance profile with its role. Raises NoSuchEntity."""
    row = declared_profile(ctx, req.instance_profile_name)
    if row is None:
        raise errors.named_not_found("Instance Profile", req.instance_profile_name)
    return api.GetInstanceProfileResponse(instance_profile=shown_profile(ctx.tx, row))


@operation("iam", resource=profile_target)
def delete_instance_profile(ctx: Context, req: api.DeleteInstanceProfileRequest) -> None:
    """Delete an instance profile that holds no role. Raises NoSuchEntity, DeleteConflict."""
    row = profile_named(ctx.tx, ctx.account, req.instance_profile_name)
    if row.role_id is not None:
        raise errors.conflict("remove roles from instance profile")
    drop_tags(ctx.tx, ctx.account, row.id)
    ctx.tx.run("DELETE FROM iam_instance_profile WHERE account = ? AND profile_id = ?", ctx.account, row.id)
    profile_deleted(ctx, row)


@operation("iam", resource=listed("instance-profile"), read=True)
def list_instance_profiles(ctx: Context, req: api.ListInstanceProfilesRequest) -> api.ListInstanceProfilesResponse:
    """Instance profiles by name, under a path where one is given; without tags, as AWS lists them."""
    prefix = req.path_prefix or "/"
    pager = Pager(ctx, req, prefix)
    rows = by_name(ctx.tx, "iam_instance_profile", PROFILE, ctx.account, after=pager.after, limit=pager.limit + 1, prefix=prefix)
    page = pager.page([ProfileRow(*row) for row in rows], _order)
    shown = shown_profiles(ctx.tx, page.items)
    return api.ListInstanceProfilesResponse(instance_profiles=shown, is_truncated=page.truncated, marker=page.marker)


@operation("iam", resource=role_target, read=True)
def list_instance_profiles_for_role(
    ctx: Context, req: api.ListInstanceProfilesForRoleRequest
) -> api.ListInstanceProfilesForRoleResponse:
    """The instance profiles that a role is in. Raises NoSuchEntity."""
    role = role_named(ctx.tx, ctx.account, req.role_name)
    page = Pager(ctx, req, role.id).cut(profiles_of_roles(ctx.tx, ctx.account, [role.id]), _order)
    shown = shown_profiles(ctx.tx, page.items)
    return api.ListInstanceProfilesForRoleResponse(instance_profiles=shown, is_truncated=page.truncated, marker=page.marker)


@operation("iam", resource=profile_target, checks=pass_role)
def add_role_to_instance_profile(ctx: Context, req: api.AddRoleToInstanceProfileRequest) -> None:
    """Put a role into a profile that holds none. Raises NoSuchEntity, LimitExceeded (1 role), UnmodifiableEntity."""
    row = profile_named(ctx.tx, ctx.account, req.instance_profile_name)
    role = writable_role(ctx.tx, ctx.account, req.role_name)
    if row.role_id is not None:
        raise errors.quota("InstanceSessionsPerInstanceProfile", 1)
    _hold(ctx, row, role, role.id)


@operation("iam", resource=profile_target)
def remove_role_from_instance_profile(ctx: Context, req: api.RemoveRoleFromInstanceProfileRequest) -> None:
    """Take the role out of a profile. Raises NoSuchEntity, also for a role that is not in it; UnmodifiableEntity."""
    row = profile_named(ctx.tx, ctx.account, req.instance_profile_name)
    role = writable_role(ctx.tx, ctx.account, req.role_name)
    if row.role_id != role.id:
        raise errors.not_found("role", req.role_name)
    _hold(ctx, row, role, None)


@operation("iam", resource=profile_target, context=request_tags)
def tag_instance_profile(ctx: Context, req: api.TagInstanceProfileRequest) -> None:
    """Set tags of an instance profile. Raises NoSuchEntity, InvalidInput (a key twice), LimitExceeded (50)."""
    row = profile_named(ctx.tx, ctx.account, req.instance_profile_name)
    put_tags(ctx.tx, ctx.account, row.id, req.tags)
    profile_changed(ctx, row)


@operation("iam", resource=profile_target, context=tag_keys)
def untag_instance_profile(ctx: Context, req: api.UntagInstanceProfileRequest) -> None:
    """Take tags off an instance profile. Raises NoSuchEntity."""
    row = profile_named(ctx.tx, ctx.account, req.instance_profile_name)
    remove_tags(ctx.tx, ctx.account, row.id, req.tag_keys)
    profile_changed(ctx, row)


@operation("iam", resource=profile_target, read=True)
def list_instance_profile_tags(ctx: Context, req: api.ListInstanceProfileTagsRequest) -> api.ListInstanceProfileTagsResponse:
    """The tags of an instance profile by key. Raises NoSuchEntity."""
    row = profile_named(ctx.tx, ctx.account, req.instance_profile_name)
    page = Pager(ctx, req, row.id).cut(tag_list(tags_of(ctx.tx, ctx.account, row.id)), lambda tag: tag.key)
    return api.ListInstanceProfileTagsResponse(tags=page.items, is_truncated=page.truncated, marker=page.marker)


def _hold(ctx: Context, row: ProfileRow, role: RoleRow, role_id: str | None) -> None:
    """Let the profile hold a role, or none; the role's own description names its profiles too."""
    ctx.tx.run("UPDATE iam_instance_profile SET role_id = ? WHERE account = ? AND profile_id = ?", role_id, ctx.account, row.id)
    profile_changed(ctx, row._replace(role_id=role_id))
    after = role_by_id(ctx.tx, ctx.account, role.id)
    if after is not None:
        role_changed(ctx, after)


def _order(row: ProfileRow) -> str:
    return row.name.lower()
