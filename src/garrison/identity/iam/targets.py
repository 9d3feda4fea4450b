"""What IAM's operations act on, as authorization sees it.

A name that nobody has still makes an ARN, so that a caller without the permission learns nothing from it. ``denied_on`` is how
AWS's denials name the resource: ``user bob``, ``policy arn:…``, and ``*`` where there is none.
Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Identity and Access Management".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.operation import Keys, Target
from garrison.identity.iam import errors
from garrison.identity.iam.certificate_rows import find_certificate
from garrison.identity.iam.managed import PREFIX
from garrison.identity.iam.profile_rows import ProfileRow, find_profile
from garrison.identity.iam.rows import (
    GroupRow,
    PolicyRow,
    RoleRow,
    UserRow,
    find_group,
    find_policy,
    find_role,
    find_user,
    iam_arn,
)
from garrison.identity.iam.tagging import tags_of

Asked = Any
"""Any request that has the member which the function reads."""

T = TypeVar("T")


def user_target(ctx: Context, req: Asked) -> Target:
    """The user of ``UserName``; the caller where it is left out. Raises ValidationError where the caller is no user."""
    if req.user_name is not None:
        return named_user(ctx, req.user_name)
    if ctx.principal.kind == "user":
        return named_user(ctx, ctx.principal.name)
    if ctx.principal.kind == "root":
        return Target(ctx.principal.arn, ctx.account)
    raise errors.user_name_needed()


def named_user(ctx: Context, name: str, path: str | None = None) -> Target:
    """A user by name; ``path`` where it is to be made there."""
    if path is not None:
        return Target(iam_arn(ctx.account, "user", path, name), ctx.account)
    row = declared_user(ctx, name)
    return _target(ctx, row.arn if row else iam_arn(ctx.account, "user", "/", name), f"user {name}", row.id if row else None)


def group_target(ctx: Context, req: Asked) -> Target:
    """The group of ``GroupName``."""
    return named_group(ctx, req.group_name)


def named_group(ctx: Context, name: str, path: str | None = None) -> Target:
    """A group by name; ``path`` where it is to be made there."""
    if path is not None:
        return Target(iam_arn(ctx.account, "group", path, name), ctx.account)
    row = declared_group(ctx, name)
    return _target(ctx, row.arn if row else iam_arn(ctx.account, "group", "/", name), f"group {name}")


def role_target(ctx: Context, req: Asked) -> Target:
    """The role of ``RoleName``."""
    name: str = req.role_name
    row = declared_role(ctx, name)
    return _target(ctx, row.arn if row else iam_arn(ctx.account, "role", "/", name), f"role {name}", row.id if row else None)


def policy_target(ctx: Context, req: Asked) -> Target:
    """The managed policy of ``PolicyArn``, the account's or AWS's, to be read."""
    arn: str = req.policy_arn
    row = declared_policy(ctx, arn)
    return _target(ctx, arn, f"policy {arn}", row.id if row else None)


def written_policy(ctx: Context, req: Asked) -> Target:
    """The managed policy of ``PolicyArn``, to be changed.

    Raises AccessDenied for AWS's own: nobody changes them, whatever the caller's policies say.
    """
    if req.policy_arn.startswith(PREFIX):
        denial = (
            f"User: {ctx.principal.arn} is not authorized to perform: iam:{ctx.operation} on resource: policy {req.policy_arn}"
        )
        raise CommonError("access_denied", denial)
    return policy_target(ctx, req)


def new_user(ctx: Context, req: Asked) -> Target:
    """The user that is about to be made."""
    return Target(iam_arn(ctx.account, "user", req.path or "/", req.user_name), ctx.account)


def new_group(ctx: Context, req: Asked) -> Target:
    """The group that is about to be made."""
    return Target(iam_arn(ctx.account, "group", req.path or "/", req.group_name), ctx.account)


def new_role(ctx: Context, req: Asked) -> Target:
    """The role that is about to be made."""
    return Target(iam_arn(ctx.account, "role", req.path or "/", req.role_name), ctx.account)


def new_policy(ctx: Context, req: Asked) -> Target:
    """The managed policy that is about to be made."""
    return _target(ctx, iam_arn(ctx.account, "policy", req.path or "/", req.policy_name), f"policy {req.policy_name}")


def listed(kind: str) -> Callable[[Context, Asked], Target]:
    """All users, groups or roles under a path: AWS names them ``arn:aws:iam::123456789012:user/``."""

    def target(ctx: Context, req: Asked) -> Target:
        return Target(f"arn:aws:iam::{ctx.account}:{kind}{req.path_prefix or '/'}", ctx.account)

    return target


def listed_policies(ctx: Context, req: Asked) -> Target:
    """All managed policies under a path: they have no ARN together."""
    return _target(ctx, "*", f"policy path {req.path_prefix or '/'}")


def anything(ctx: Context, _req: Asked) -> Target:
    """Actions without a resource."""
    return _target(ctx, "*", "*")


def profile_target(ctx: Context, req: Asked) -> Target:
    """The instance profile of ``InstanceProfileName``."""
    name: str = req.instance_profile_name
    row = declared_profile(ctx, name)
    arn = row.arn if row else iam_arn(ctx.account, "instance-profile", "/", name)
    return _plainly_tagged(ctx, arn, f"instance profile {name}", row.id if row else None)


def new_profile(ctx: Context, req: Asked) -> Target:
    """The instance profile that is about to be made."""
    return Target(iam_arn(ctx.account, "instance-profile", req.path or "/", req.instance_profile_name), ctx.account)


def certificate_target(ctx: Context, req: Asked) -> Target:
    """The server certificate of ``ServerCertificateName``."""
    return named_certificate(ctx, req.server_certificate_name)


def named_certificate(ctx: Context, name: str, path: str | None = None) -> Target:
    """A server certificate by name; ``path`` where it is to be moved there."""
    if path is not None:
        return Target(iam_arn(ctx.account, "server-certificate", path, name), ctx.account)
    row = find_certificate(ctx.tx, ctx.account, name)
    arn = row.arn if row else iam_arn(ctx.account, "server-certificate", "/", name)
    return _plainly_tagged(ctx, arn, f"server certificate {name}", row.id if row else None)


def new_certificate(ctx: Context, req: Asked) -> Target:
    """The server certificate that is about to be uploaded."""
    return Target(iam_arn(ctx.account, "server-certificate", req.path or "/", req.server_certificate_name), ctx.account)


def anyones_credentials(ctx: Context, req: Asked) -> Target:
    """The user of ``UserName``, as :func:`user_target`; every user where ``AllUsers`` is set."""
    if req.all_users:
        return Target(iam_arn(ctx.account, "user", "/", "*"), ctx.account)
    return user_target(ctx, req)


def noted(_ctx: Context, _req: Asked) -> bool:
    """Of calls that have a report made: the trail calls them reads, as AWS does, and yet something is noted."""
    return True


# Condition keys


def request_tags(_ctx: Context, req: Asked) -> Keys:
    """``aws:RequestTag/…`` and ``aws:TagKeys`` of the tags in a request."""
    if not req.tags:
        return {}
    return {"aws:TagKeys": [tag.key for tag in req.tags], **{f"aws:RequestTag/{tag.key}": tag.value for tag in req.tags}}


def tag_keys(_ctx: Context, req: Asked) -> Keys:
    """``aws:TagKeys`` of a request that takes tags away."""
    return {"aws:TagKeys": list(req.tag_keys)}


def requested_boundary(_ctx: Context, req: Asked) -> Keys:
    """``iam:PermissionsBoundary``: the boundary that the request sets."""
    return {"iam:PermissionsBoundary": req.permissions_boundary} if req.permissions_boundary else {}


def tags_and_boundary(ctx: Context, req: Asked) -> Keys:
    """The keys of a request that makes a user or role."""
    return {**request_tags(ctx, req), **requested_boundary(ctx, req)}


def present_boundary(ctx: Context, req: Asked) -> Keys:
    """``iam:PermissionsBoundary``: the boundary that the user or role has."""
    if hasattr(req, "role_name"):
        role = declared_role(ctx, req.role_name)
        arn = role.boundary if role else None
    else:
        user = declared_user(ctx, req.user_name)
        arn = user.boundary if user else None
    return {"iam:PermissionsBoundary": arn} if arn else {}


def attached_policy(_ctx: Context, req: Asked) -> Keys:
    """``iam:PolicyARN``: the managed policy that is attached or detached."""
    return {"iam:PolicyARN": req.policy_arn}


def attached_policy_and_boundary(ctx: Context, req: Asked) -> Keys:
    """The keys of attaching to a user or role."""
    return {**attached_policy(ctx, req), **present_boundary(ctx, req)}


# What was looked up while declaring; a handler that only reads uses it again


def declared_user(ctx: Context, name: str) -> UserRow | None:
    """A user by name, read once a call."""
    return _once(ctx, ("iam:user", name), lambda: find_user(ctx.tx, ctx.account, name))


def declared_group(ctx: Context, name: str) -> GroupRow | None:
    """A group by name, read once a call."""
    return _once(ctx, ("iam:group", name), lambda: find_group(ctx.tx, ctx.account, name))


def declared_role(ctx: Context, name: str) -> RoleRow | None:
    """A role by name, read once a call."""
    return _once(ctx, ("iam:role", name), lambda: find_role(ctx.tx, ctx.account, name))


def declared_policy(ctx: Context, arn: str) -> PolicyRow | None:
    """A customer managed policy of this account by ARN, read once a call; None for AWS's own."""
    if arn.startswith(PREFIX) or not arn.startswith(f"arn:aws:iam::{ctx.account}:policy/"):
        return None
    return _once(ctx, ("iam:policy", arn), lambda: find_policy(ctx.tx, arn))


def declared_profile(ctx: Context, name: str) -> ProfileRow | None:
    """An instance profile by name, read once a call."""
    return _once(ctx, ("iam:instance-profile", name), lambda: find_profile(ctx.tx, ctx.account, name))


def declared_tags(ctx: Context, resource_id: str) -> Mapping[str, str]:
    """A resource's tags, read once a call."""
    return _once(ctx, ("iam:tags", resource_id), lambda: tags_of(ctx.tx, ctx.account, resource_id))


def _target(ctx: Context, arn: str, named: str, resource_id: str | None = None) -> Target:
    """A resource of this account: with its tags where it exists and can have some."""
    tags = declared_tags(ctx, resource_id) if resource_id else {}
    keys = {f"iam:ResourceTag/{key}": value for key, value in tags.items()}
    return Target(arn, ctx.account, tags=tags, keys=keys, denied_on=f"on resource: {named}")


def _plainly_tagged(ctx: Context, arn: str, named: str, resource_id: str | None) -> Target:
    """A resource of a kind for which the reference knows ``aws:ResourceTag`` alone."""
    return Target(
        arn, ctx.account, tags=declared_tags(ctx, resource_id) if resource_id else {}, denied_on=f"on resource: {named}"
    )


def _once(ctx: Context, key: tuple[str, str], read: Callable[[], T]) -> T:
    name = "\0".join(key)
    if name not in ctx.scratch:
        ctx.scratch[name] = read()
    found: T = ctx.scratch[name]
    return found
