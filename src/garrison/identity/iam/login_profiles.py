"""Login profiles: the passwords of users, set by administrators and changed by their owners.

Texts as AWS answered them (publicly recorded). A password is calculated beside the loop (``prepare``), and written only where
nobody set another one meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.operation import PREPARED, Target, operation
from garrison.identity import attempts, passwords
from garrison.identity.iam import errors
from garrison.identity.iam.account import display_name
from garrison.identity.iam.items import login_changed
from garrison.identity.iam.rows import UserRow, user_named
from garrison.identity.iam.targets import declared_user, named_user, user_target
from garrison.identity.passwords import Change, Login, Made
from garrison.policy import Policy, compile_policy


class _Owner(NamedTuple):
    """Whose password: a user's, or the root user's in a session of AssumeRoot."""

    id: str
    name: str
    row: UserRow | None


def _owner(ctx: Context, name: str | None) -> _Owner:
    """Raises NoSuchEntity; ValidationError without a name, where the caller is neither a user nor in a session of AssumeRoot."""
    session = ctx.principal.session
    if name is None and ctx.principal.kind == "root" and session is not None and session.kind == "assume-root":
        return _Owner(ctx.account, display_name(ctx), None)
    if name is None and ctx.principal.kind != "user":
        raise errors.user_name_needed()
    row = user_named(ctx.tx, ctx.account, ctx.principal.name if name is None else name)
    return _Owner(row.id, row.name, row)


def _login(ctx: Context, owner: _Owner) -> Login:
    found = passwords.find_login(ctx.tx, ctx.account, owner.id)
    if found is None:
        raise errors.no_login_profile(owner.name)
    return found


# By administrators


def _to_create(ctx: Context, req: api.CreateLoginProfileRequest) -> Callable[[], Made]:
    owner = _owner(ctx, req.user_name)
    if owner.row is None:
        message = "The root user's password is set by the operator of this installation: it cannot be recovered by e-mail."
        raise CommonError("validation", message)
    if req.password is None:
        message = "1 validation error detected: Value null at 'password' failed to satisfy constraint: Member must not be null"
        raise CommonError("validation", message)
    change = ctx.scratch["change"] = passwords.look_up(ctx.tx, ctx.ports.sealer, ctx.account, owner.id)
    if change.login is not None:
        raise errors.login_profile_exists(owner.name)
    change.rules.check(req.password)
    return partial(passwords.make, change, req.password, ctx.random)


@operation("iam", resource=user_target, prepare=_to_create)
def create_login_profile(ctx: Context, req: api.CreateLoginProfileRequest) -> api.CreateLoginProfileResponse:
    """Give a user a password to sign in with.

    Raises NoSuchEntity, EntityAlreadyExists, PasswordPolicyViolation, ValidationError (no password, or the root user's).
    """
    owner, change = _same_owner(ctx, req.user_name)
    if passwords.find_login(ctx.tx, ctx.account, owner.id) is not None:
        raise errors.login_profile_exists(owner.name)
    made: Made = ctx.scratch[PREPARED]
    login = passwords.keep(ctx.tx, ctx.ports.sealer, change, made, ctx.now, reset_required=bool(req.password_reset_required))
    if req.max_signin_session_duration is not None:
        login = passwords.limit_session(ctx.tx, login, req.max_signin_session_duration)
    attempts.cleared(ctx.tx, passwords.password_subject(ctx.ports.sealer, ctx.account, owner.id))
    login_changed(ctx, owner.row)
    return api.CreateLoginProfileResponse(login_profile=_shown(owner, login))


@operation("iam", resource=user_target, read=True)
def get_login_profile(ctx: Context, req: api.GetLoginProfileRequest) -> api.GetLoginProfileResponse:
    """When a user got a password, and whether the next sign-in must set another. Raises NoSuchEntity."""
    owner = _owner(ctx, req.user_name)
    return api.GetLoginProfileResponse(login_profile=_shown(owner, _login(ctx, owner)))


def _to_update(ctx: Context, req: api.UpdateLoginProfileRequest) -> Callable[[], Made] | None:
    if req.max_signin_session_duration is not None and req.reset_max_signin_session_duration:
        raise api.InvalidInputException("MaxSigninSessionDuration and ResetMaxSigninSessionDuration cannot be used together.")
    owner = _owner(ctx, req.user_name)
    _login(ctx, owner)
    if req.password is None:
        return None
    change = ctx.scratch["change"] = passwords.look_up(ctx.tx, ctx.ports.sealer, ctx.account, owner.id)
    change.rules.check(req.password)
    return partial(passwords.make, change, req.password, ctx.random)


@operation("iam", resource=user_target, prepare=_to_update)
def update_login_profile(ctx: Context, req: api.UpdateLoginProfileRequest) -> None:
    """Set another password, whether it must be changed, or how long sessions last.

    Raises NoSuchEntity, PasswordPolicyViolation, InvalidInput, EntityTemporarilyUnmodifiable (another was set at the same time).
    """
    owner = _owner(ctx, req.user_name)
    login = _login(ctx, owner)
    if req.password is not None:
        owner, change = _same_owner(ctx, req.user_name)
        made: Made = ctx.scratch[PREPARED]
        passwords.keep(ctx.tx, ctx.ports.sealer, change, made, ctx.now, reset_required=bool(req.password_reset_required))
        attempts.cleared(ctx.tx, passwords.password_subject(ctx.ports.sealer, ctx.account, owner.id))
    elif req.password_reset_required is not None:
        passwords.require_reset(ctx.tx, login, required=req.password_reset_required)
    if req.max_signin_session_duration is not None or req.reset_max_signin_session_duration:
        passwords.limit_session(ctx.tx, login, req.max_signin_session_duration)
    login_changed(ctx, owner.row)


@operation("iam", resource=user_target)
def delete_login_profile(ctx: Context, req: api.DeleteLoginProfileRequest) -> None:
    """Take a user's password away: no more sign-in with it; access keys stay. Raises NoSuchEntity."""
    owner = _owner(ctx, req.user_name)
    if not passwords.drop_login(ctx.tx, ctx.account, owner.id):
        raise errors.no_login_profile(owner.name)
    login_changed(ctx, owner.row)


# By their owners


def own_user(ctx: Context, _req: object) -> Target:
    """The calling user; with the permission that the account's password policy gives, where it gives it."""
    if ctx.principal.kind != "user":
        return Target(ctx.principal.arn, ctx.account)
    target = named_user(ctx, ctx.principal.name)
    if not passwords.rules_of(ctx.tx, ctx.account).users_may_change:
        return target
    return Target(
        target.arn,
        target.account,
        tags=target.tags,
        keys=target.keys,
        denied_on=target.denied_on,
        policy=_own_password(target.arn, ctx.principal.id),
    )


def _own_password(arn: str, user_id: str) -> Policy:
    """AllowUsersToChangePassword lets each user change their own password, where no policy denies it."""
    statement = {
        "Sid": "AllowUsersToChangePassword",
        "Effect": "Allow",
        "Principal": {"AWS": user_id},
        "Action": "iam:ChangePassword",
        "Resource": arn,
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return compile_policy(text, "resource", id="account-password-policy", arn=arn, name="AccountPasswordPolicy")


def _to_change(ctx: Context, req: api.ChangePasswordRequest) -> Callable[[], Made]:
    user = _caller(ctx)
    change = ctx.scratch["change"] = passwords.look_up(ctx.tx, ctx.ports.sealer, ctx.account, user.id)
    if change.login is None:
        raise errors.no_login_profile(user.name)
    _refuse_while_locked(ctx, user)
    change.rules.check(req.new_password)
    return partial(passwords.make, change, req.new_password, ctx.random, old=req.old_password)


@operation("iam", resource=own_user, prepare=_to_change)
def change_password(ctx: Context, _req: api.ChangePasswordRequest) -> None:
    """Change the caller's own password, by the present one.

    Raises InvalidUserType (no user calls), NoSuchEntity (no password yet), AccessDenied (the old one is wrong),
    PasswordPolicyViolation, EntityTemporarilyUnmodifiable (too many wrong ones, or another was set at the same time).
    """
    user = _caller(ctx)
    change, made = ctx.scratch["change"], ctx.scratch[PREPARED]
    subject = _refuse_while_locked(ctx, user)
    if not made.old_right:
        ctx.though_failed.append(lambda tx: attempts.failed(tx, ctx.now, subject))
        raise CommonError("access_denied", "The old password was incorrect.")
    passwords.keep(ctx.tx, ctx.ports.sealer, change, made, ctx.now)
    attempts.cleared(ctx.tx, subject)
    login_changed(ctx, user)


def _caller(ctx: Context) -> UserRow:
    row = declared_user(ctx, ctx.principal.name) if ctx.principal.kind == "user" else None
    if row is None:
        raise api.InvalidUserTypeException("Only IAM Users can change their own password.")
    return row


def _refuse_while_locked(ctx: Context, user: UserRow) -> attempts.Subject:
    subject = passwords.password_subject(ctx.ports.sealer, ctx.account, user.id)
    if attempts.wait(ctx.tx, ctx.now, subject) > 0:
        message = f"Too many wrong passwords were given for user {user.name}. Try again later."
        raise api.EntityTemporarilyUnmodifiableException(message)
    return subject


def _same_owner(ctx: Context, name: str | None) -> tuple[_Owner, Change]:
    """The owner for whom the password was calculated. Raises NoSuchEntity where the user is gone, or another has its name now."""
    owner = _owner(ctx, name)
    change: Change = ctx.scratch["change"]
    if owner.id != change.owner_id:
        raise errors.not_found("user", owner.name)
    return owner, change


def _shown(owner: _Owner, login: Login) -> api.LoginProfile:
    return api.LoginProfile(
        user_name=owner.name,
        create_date=login.created,
        password_reset_required=login.reset_required,
        max_signin_session_duration=login.max_session,
    )
