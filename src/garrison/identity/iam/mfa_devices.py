"""MFA devices of users and the root user: enabled, brought back into step, taken away, listed.

Texts as AWS answered them (publicly recorded). A wrong code is counted though its call fails.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import Target, operation
from garrison.identity.iam import errors
from garrison.identity.iam.account import display_name
from garrison.identity.iam.items import login_changed, mfa_device_changed
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.rows import UserRow, find_user, user_named
from garrison.identity.iam.targets import user_target
from garrison.identity.mfa import devices, tokens
from garrison.identity.mfa.devices import Device, Judged


class _Owner(NamedTuple):
    """Whose device: a user's, or the root user's, who is known by the account's alias or number."""

    id: str
    name: str
    arn: str
    row: UserRow | None


def _means_root(ctx: Context, name: str | None) -> bool:
    """Whether the root user means itself: EnableMFADevice and ResyncMFADevice always carry a name."""
    if ctx.principal.kind != "root" or name is None:
        return ctx.principal.kind == "root"
    return name in {ctx.account, display_name(ctx)} and find_user(ctx.tx, ctx.account, name) is None


def owner_target(ctx: Context, req: Any) -> Target:  # noqa: ANN401 - any request with a user's name
    """The user of ``UserName``, or the caller; the root user where that is who calls and is meant."""
    if _means_root(ctx, req.user_name):
        return Target(f"arn:aws:iam::{ctx.account}:root", ctx.account)
    return user_target(ctx, req)


def _owner(ctx: Context, name: str | None) -> _Owner:
    """Raises NoSuchEntity; ValidationError where no name is given and a role's session calls."""
    if _means_root(ctx, name):
        return _Owner(ctx.account, display_name(ctx), f"arn:aws:iam::{ctx.account}:root", None)
    if name is None and ctx.principal.kind != "user":
        raise errors.user_name_needed()
    row = user_named(ctx.tx, ctx.account, ctx.principal.name if name is None else name)
    return _Owner(row.id, row.name, row.arn, row)


def _own_device(ctx: Context, owner: _Owner, serial: str) -> Device:
    device = devices.find(ctx.tx, ctx.account, serial)
    if device is None:
        raise errors.no_mfa_device(serial)
    if device.owner_id != owner.id:
        raise api.NoSuchEntityException("MFA Device invalid for user.")
    return device


def _settled(ctx: Context, judged: Judged) -> Judged:
    """Use two codes up. Raises InvalidAuthenticationCode, and sees to it that wrong ones are counted."""
    found = devices.settle(ctx.tx, judged, ctx.now) if judged.accepted else judged
    if not found.accepted:
        ctx.though_failed.append(lambda tx: devices.settle(tx, found, ctx.now))
        raise api.InvalidAuthenticationCodeException("Authentication code for device is not valid.")
    return found


@operation("iam", resource=owner_target)
def enable_mfa_device(ctx: Context, req: api.EnableMFADeviceRequest) -> None:
    """Give a virtual device or a hardware token to a user, or to the root user who calls, by two codes in a row.

    Raises NoSuchEntity, EntityAlreadyExists (somebody has it), LimitExceeded (8 devices), InvalidAuthenticationCode,
    EntityTemporarilyUnmodifiable (too many wrong codes).
    """
    owner = _owner(ctx, req.user_name)
    device = _free_device(ctx, req.serial_number)
    if len(devices.of_owner(ctx.tx, ctx.account, owner.id)) >= devices.PER_OWNER:
        raise errors.quota("MFADevicesPerUser", devices.PER_OWNER)
    sealer = ctx.ports.sealer
    judged = devices.judge_two(ctx.tx, sealer, device, req.authentication_code1, req.authentication_code2, ctx.now)
    if judged.refusal == "locked":
        message = f"Too many wrong codes were given for device {device.serial}. Try again later."
        raise api.EntityTemporarilyUnmodifiableException(message)
    _settled(ctx, judged)
    given = devices.assign(ctx.tx, device, owner.id, ctx.now)
    login_changed(ctx, owner.row)
    mfa_device_changed(ctx, given, owner.arn)


def _free_device(ctx: Context, serial: str) -> Device:
    """A virtual device that is nobody's, or a hardware token, which becomes this account's."""
    device = devices.find(ctx.tx, ctx.account, serial)
    if device is None:
        device = tokens.free_token(ctx.tx, ctx.ports.sealer, ctx.account, serial, ctx.now)
        if device is None:
            raise errors.no_mfa_device(serial)
        devices.add(ctx.tx, device)
        tokens.taken(ctx.tx, device)
    if device.owner_id is not None:
        raise api.EntityAlreadyExistsException("MFA Device is already in use.")
    return device


@operation("iam", resource=owner_target)
def resync_mfa_device(ctx: Context, req: api.ResyncMFADeviceRequest) -> None:
    """Learn by how much a device's clock differs, from two codes in a row up to an hour away; none that was used counts.

    Raises NoSuchEntity, InvalidAuthenticationCode (wrong, used, or too many wrong ones before).
    """
    owner = _owner(ctx, req.user_name)
    device = _own_device(ctx, owner, req.serial_number)
    first, second = req.authentication_code1, req.authentication_code2
    judged = devices.judge_two(ctx.tx, ctx.ports.sealer, device, first, second, ctx.now, owner_id=owner.id)
    _settled(ctx, judged)
    mfa_device_changed(ctx, device, owner.arn)


@operation("iam", resource=owner_target)
def deactivate_mfa_device(ctx: Context, req: api.DeactivateMFADeviceRequest) -> None:
    """Take a device from its owner. A virtual one stays, and must be deleted; a token is free again; a key is forgotten.

    Raises NoSuchEntity.
    """
    owner = _owner(ctx, req.user_name)
    device = _own_device(ctx, owner, req.serial_number)
    devices.release(ctx.tx, device)
    if device.kind == "token":
        tokens.given_back(ctx.tx, device)
    login_changed(ctx, owner.row)
    mfa_device_changed(ctx, device._replace(owner_id=None, enabled=None), None, gone=device.kind != "virtual")


@operation("iam", resource=owner_target, read=True)
def list_mfa_devices(ctx: Context, req: api.ListMFADevicesRequest) -> api.ListMFADevicesResponse:
    """The devices of a user, or of the caller, by serial number. Raises NoSuchEntity."""
    owner = _owner(ctx, req.user_name)
    page = Pager(ctx, req, owner.id).cut(devices.of_owner(ctx.tx, ctx.account, owner.id), _serial)
    listed = [
        api.MFADevice(user_name=owner.name, serial_number=each.serial, enable_date=each.enabled or each.created)
        for each in page.items
    ]
    return api.ListMFADevicesResponse(mfa_devices=listed, is_truncated=page.truncated, marker=page.marker)


@operation("iam", resource=owner_target, read=True)
def get_mfa_device(ctx: Context, req: api.GetMFADeviceRequest) -> api.GetMFADeviceResponse:
    """A passkey or security key of a user, or of the caller: AWS answers for no other kind. Raises NoSuchEntity.

    Certifications are left out: Garrison has no register of certified models, and vouches for none.
    """
    owner = _owner(ctx, req.user_name)
    device = _own_device(ctx, owner, req.serial_number)
    if device.kind != "key":
        raise errors.no_mfa_device(req.serial_number)
    return api.GetMFADeviceResponse(serial_number=device.serial, user_name=owner.name, enable_date=device.enabled)


def _serial(device: Device) -> str:
    return device.serial.lower()
