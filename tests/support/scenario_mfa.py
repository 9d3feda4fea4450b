"""Steps of the scenario: passwords and MFA devices of users."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.support.secrets import Phone

if TYPE_CHECKING:
    from tests.support.scenario import Answers, Step

PASSWORDS = ("Correct-horse-1", "Battery-staple-2", "Another-word-33")


def passwords_and_devices(answers: Answers) -> Iterator[Step]:
    """Each operation once, and nothing is left."""
    yield from _passwords()
    yield from _devices(answers)


def _passwords() -> Iterator[Step]:
    from tests.support.scenario import IAM, Wanted, iam  # noqa: PLC0415 - the scenario imports its parts

    user, admin = (Wanted("AWS::IAM::User", f"{IAM}:user/{name}") for name in ("signer", "admin"))
    yield iam("CreateUser", user, UserName="signer")
    yield iam("CreateLoginProfile", user, UserName="signer", Password=PASSWORDS[0], PasswordResetRequired=True)
    yield iam("GetLoginProfile", UserName="signer")
    yield iam("UpdateLoginProfile", user, UserName="signer", Password=PASSWORDS[1])
    yield iam("DeleteLoginProfile", user, UserName="signer")
    yield iam("CreateLoginProfile", admin, UserName="admin", Password=PASSWORDS[1])
    yield iam("ChangePassword", admin, OldPassword=PASSWORDS[1], NewPassword=PASSWORDS[2])
    yield iam("DeleteLoginProfile", admin, UserName="admin")


def _devices(answers: Answers) -> Iterator[Step]:
    from tests.support.scenario import IAM, TAG_LIST, TAGS, Step, Wanted, iam  # noqa: PLC0415 - the scenario imports its parts

    serial = f"{IAM}:mfa/signer"
    device = Wanted("AWS::IAM::VirtualMFADevice", serial, tags=TAGS)
    named: dict[str, Any] = {"UserName": "signer", "SerialNumber": serial}
    yield iam("CreateVirtualMFADevice", device, VirtualMFADeviceName="signer", Tags=TAG_LIST)
    phone = Phone(answers["CreateVirtualMFADevice"]["VirtualMFADevice"]["Base32StringSeed"])
    yield iam("TagMFADevice", device, SerialNumber=serial, Tags=TAG_LIST)
    yield iam("ListMFADeviceTags", SerialNumber=serial)
    yield iam("EnableMFADevice", device, **named, **_two(phone, -2))
    yield iam("ListMFADevices", UserName="signer")
    yield iam("ListVirtualMFADevices")
    yield iam("ResyncMFADevice", device, **named, **_two(phone, 1))
    # It answers for passkeys and security keys, which a browser registers.
    yield Step("iam", "GetMFADevice", named, fails="NoSuchEntity")
    yield iam("DeactivateMFADevice", device, **named)
    untagged = device._replace(tags={})
    yield iam("UntagMFADevice", untagged, SerialNumber=serial, TagKeys=list(TAGS))
    yield iam("DeleteVirtualMFADevice", untagged._replace(deleted=True), SerialNumber=serial)
    yield iam("DeleteUser", Wanted("AWS::IAM::User", f"{IAM}:user/signer", deleted=True), UserName="signer")


def _two(phone: Phone, steps: int) -> dict[str, str]:
    now = time.time()
    return {"AuthenticationCode1": phone.code(now, steps), "AuthenticationCode2": phone.code(now, steps + 1)}
