"""Virtual MFA devices: their seeds made and shown once, listed, tagged, deleted.

Texts as AWS answered them (publicly recorded).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.operation import PREPARED, Target, operation
from garrison.identity.iam import errors
from garrison.identity.iam.account import display_name
from garrison.identity.iam.items import mfa_device_changed
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.rows import count, iam_arn, user_by_id
from garrison.identity.iam.tagging import drop_tags, listing_order, put_tags, remove_tags, tag_list, tags_of
from garrison.identity.iam.targets import anything, declared_tags, request_tags, tag_keys
from garrison.identity.iam.users import shown as shown_user
from garrison.identity.iam.users import shown_root
from garrison.identity.mfa import devices, qr, totp
from garrison.identity.mfa.devices import Device

LONGEST_SERIAL = 256
"""Characters of a serial number (IAM API Reference, EnableMFADevice): a device with a longer one could never be enabled."""


class _New(NamedTuple):
    """A device's secret, and the image that carries it."""

    seed: bytes
    png: bytes


def new_device(ctx: Context, req: api.CreateVirtualMFADeviceRequest) -> Target:
    """The device that is about to be made."""
    return Target(iam_arn(ctx.account, "mfa", req.path or "/", req.virtual_mfa_device_name), ctx.account)


def device_target(ctx: Context, req: Any) -> Target:  # noqa: ANN401 - any request with a serial number
    """The device of ``SerialNumber`` as it was named when it was made; what is none of this account's is named as if it were."""
    device = devices.find(ctx.tx, ctx.account, req.serial_number)
    mine = f"arn:aws:iam::{ctx.account}:mfa/"
    if device is None or device.kind != "virtual":
        serial = req.serial_number
        return Target(serial if serial.startswith(mine) else mine + serial, ctx.account)
    tags = declared_tags(ctx, device.serial)
    return Target(device.serial, ctx.account, tags=tags, keys={f"iam:ResourceTag/{key}": value for key, value in tags.items()})


def _device(ctx: Context, serial: str) -> Device:
    device = devices.find(ctx.tx, ctx.account, serial)
    if device is None or device.kind != "virtual":
        raise api.NoSuchEntityException(f"VirtualMFADevice with serial number {serial} doesn't exist.")
    return device


def _seed_and_image(ctx: Context, req: api.CreateVirtualMFADeviceRequest) -> Callable[[], _New]:
    room = LONGEST_SERIAL - len(iam_arn(ctx.account, "mfa", req.path or "/", ""))
    if len(req.virtual_mfa_device_name) > room:
        message = (
            "1 validation error detected: Value at 'virtualMFADeviceName' failed to satisfy constraint: "
            f"Member must have length less than or equal to {max(room, 0)}"
        )
        raise CommonError("validation", message)
    seed, account_name, random = totp.SEED_BYTES, display_name(ctx), ctx.random

    def draw() -> _New:
        made = random(seed)
        return _New(made, qr.png(qr.otpauth(req.virtual_mfa_device_name, account_name, made)))

    return draw


@operation("iam", resource=new_device, context=request_tags, prepare=_seed_and_image)
def create_virtual_mfa_device(ctx: Context, req: api.CreateVirtualMFADeviceRequest) -> api.CreateVirtualMFADeviceResponse:
    """Make a virtual device. Its seed and QR image are in this answer and nowhere else, ever.

    Raises EntityAlreadyExists, LimitExceeded (5,000 devices), InvalidInput (tags).
    """
    serial = iam_arn(ctx.account, "mfa", req.path or "/", req.virtual_mfa_device_name)
    if devices.find(ctx.tx, ctx.account, serial) is not None:
        raise api.EntityAlreadyExistsException("MFADevice entity at the same path and name already exists.")
    if count(ctx.tx, "iam_mfa_device", "account = ? AND kind = 'virtual'", ctx.account) >= devices.PER_ACCOUNT:
        raise errors.quota("VirtualMFADevicesPerAccount", devices.PER_ACCOUNT)
    new: _New = ctx.scratch[PREPARED]
    seed = devices.sealed_seed(ctx.ports.sealer, ctx.account, serial, new.seed)
    device = Device(ctx.account, serial, "virtual", ctx.now, None, None, seed, 0, -1)
    devices.add(ctx.tx, device)
    put_tags(ctx.tx, ctx.account, serial, req.tags or [])
    mfa_device_changed(ctx, device, None)
    return api.CreateVirtualMFADeviceResponse(
        virtual_mfa_device=api.VirtualMFADevice(
            serial_number=serial,
            base32_string_seed=qr.base32(new.seed).encode(),
            qr_code_png=new.png,
            tags=req.tags or None,
        )
    )


@operation("iam", resource=device_target)
def delete_virtual_mfa_device(ctx: Context, req: api.DeleteVirtualMFADeviceRequest) -> None:
    """Delete a virtual device that is nobody's. Raises NoSuchEntity, DeleteConflict."""
    device = _device(ctx, req.serial_number)
    if device.owner_id is not None:
        raise api.DeleteConflictException("MFA VirtualDevice in use. Must deactivate first.")
    drop_tags(ctx.tx, ctx.account, device.serial)
    devices.remove(ctx.tx, device)
    mfa_device_changed(ctx, device, None, gone=True)


@operation("iam", resource=anything, read=True)
def list_virtual_mfa_devices(ctx: Context, req: api.ListVirtualMFADevicesRequest) -> api.ListVirtualMFADevicesResponse:
    """Virtual devices by serial number and whose they are, without seeds and tags."""
    assigned = {"Assigned": True, "Unassigned": False}.get(req.assignment_status or "Any")
    pager = Pager(ctx, req, req.assignment_status)
    rows = devices.virtual(ctx.tx, ctx.account, pager.after, pager.limit + 1, assigned)
    page = pager.page(rows, lambda device: device.serial.lower())
    listed = [
        api.VirtualMFADevice(serial_number=each.serial, enable_date=each.enabled, user=_user(ctx, each)) for each in page.items
    ]
    return api.ListVirtualMFADevicesResponse(virtual_mfa_devices=listed, is_truncated=page.truncated, marker=page.marker)


def _user(ctx: Context, device: Device) -> api.User | None:
    if device.owner_id is None:
        return None
    if device.owner_id == ctx.account:
        return shown_root(ctx)
    row = user_by_id(ctx.tx, ctx.account, device.owner_id)
    return None if row is None else shown_user(row)


@operation("iam", resource=device_target, context=request_tags)
def tag_mfa_device(ctx: Context, req: api.TagMFADeviceRequest) -> None:
    """Set tags of a virtual device. Raises NoSuchEntity, InvalidInput (a key twice), LimitExceeded (50)."""
    device = _device(ctx, req.serial_number)
    put_tags(ctx.tx, ctx.account, device.serial, req.tags)
    mfa_device_changed(ctx, device, _owner_arn(ctx, device))


@operation("iam", resource=device_target, context=tag_keys)
def untag_mfa_device(ctx: Context, req: api.UntagMFADeviceRequest) -> None:
    """Take tags off a virtual device. Raises NoSuchEntity."""
    device = _device(ctx, req.serial_number)
    remove_tags(ctx.tx, ctx.account, device.serial, req.tag_keys)
    mfa_device_changed(ctx, device, _owner_arn(ctx, device))


@operation("iam", resource=device_target, read=True)
def list_mfa_device_tags(ctx: Context, req: api.ListMFADeviceTagsRequest) -> api.ListMFADeviceTagsResponse:
    """The tags of a virtual device by key. Raises NoSuchEntity."""
    serial = _device(ctx, req.serial_number).serial
    found = tag_list(tags_of(ctx.tx, ctx.account, serial))
    page = Pager(ctx, req, serial).cut(found, lambda tag: listing_order(serial, tag.key))
    return api.ListMFADeviceTagsResponse(tags=page.items, is_truncated=page.truncated, marker=page.marker)


def _owner_arn(ctx: Context, device: Device) -> str | None:
    user = _user(ctx, device)
    return None if user is None else user.arn
