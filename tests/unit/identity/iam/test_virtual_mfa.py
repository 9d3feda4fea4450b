"""Virtual MFA devices. Expected texts: AWS's answers as publicly recorded; rules: IAM API Reference."""

from __future__ import annotations

import io
from base64 import b32decode
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from garrison.api import iam as api
from garrison.core.errors import CommonError
from garrison.identity.mfa import devices
from tests.support.iam import ACCOUNT, Cloud, tags
from tests.support.secrets import Phone

SERIAL = f"arn:aws:iam::{ACCOUNT}:mfa/phone"


def new(cloud: Cloud, name: str = "phone", path: str | None = None) -> api.VirtualMFADevice:
    found: api.VirtualMFADevice = cloud.create_virtual_mfa_device(virtual_mfa_device_name=name, path=path).virtual_mfa_device
    return found


def test_the_seed_has_160_bits_and_the_image_carries_it(cloud: Cloud):
    made = new(cloud)
    assert cloud.targets[0].arn == made.serial_number == SERIAL
    text = (made.base32_string_seed or b"").decode()
    assert len(b32decode(text)) == 20
    (read,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(made.qr_code_png or b"")))
    label = f"Amazon%20Web%20Services:phone@{ACCOUNT}"
    assert read.text == f"otpauth://totp/{label}?secret={text}&issuer=Amazon%20Web%20Services"


def test_the_image_names_the_accounts_alias(cloud: Cloud):
    cloud.create_account_alias(account_alias="my-alias")
    (read,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(new(cloud).qr_code_png or b"")))
    assert ":phone@my-alias?" in read.text


def test_no_two_seeds_are_alike(cloud: Cloud):
    assert len({new(cloud, f"phone{number}").base32_string_seed for number in range(20)}) == 20


def test_the_seed_is_shown_once_and_stands_nowhere_else(cloud: Cloud):
    made = new(cloud)
    seed = b32decode(made.base32_string_seed or b"")
    row = cloud.row("SELECT seed FROM iam_mfa_device WHERE serial = ?", SERIAL)
    assert row is not None
    assert seed not in row[0]
    assert (made.base32_string_seed or b"").decode() not in repr(cloud.items)
    (listed,) = cloud.list_virtual_mfa_devices().virtual_mfa_devices
    assert (listed.base32_string_seed, listed.qr_code_png) == (None, None)
    assert devices.opened_seed(cloud.sealer, devices.find(cloud.store.reading(), ACCOUNT, SERIAL)) == seed  # type: ignore[arg-type] # it is there


def test_paths(cloud: Cloud):
    assert new(cloud, "phone", "/a/b/").serial_number == f"arn:aws:iam::{ACCOUNT}:mfa/a/b/phone"
    assert new(cloud, "phone", "/").serial_number == SERIAL


@pytest.mark.parametrize("name", ["phone", "PHONE"])
def test_a_name_that_is_taken(cloud: Cloud, name: str):
    new(cloud)
    with pytest.raises(api.EntityAlreadyExistsException, match=r"^MFADevice entity at the same path and name already exists\.$"):
        new(cloud, name)


def test_as_many_as_users(cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(devices, "PER_ACCOUNT", 2)
    new(cloud, "one")
    new(cloud, "two")
    with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for VirtualMFADevicesPerAccount: 2$"):
        new(cloud, "three")


def test_delete(cloud: Cloud):
    cloud.create_user(user_name="bob")
    phone = Phone(new(cloud).base32_string_seed or b"")
    cloud.enable_mfa_device(user_name="bob", serial_number=SERIAL, **phone.two(cloud.now))
    with pytest.raises(api.DeleteConflictException, match=r"^MFA VirtualDevice in use\. Must deactivate first\.$"):
        cloud.delete_virtual_mfa_device(serial_number=SERIAL)
    cloud.deactivate_mfa_device(user_name="bob", serial_number=SERIAL)
    cloud.tag_mfa_device(serial_number=SERIAL, tags=tags(a="b"))
    cloud.delete_virtual_mfa_device(serial_number=SERIAL)
    assert cloud.items[0].deleted
    text = rf"^VirtualMFADevice with serial number {SERIAL} doesn't exist\.$"
    with pytest.raises(api.NoSuchEntityException, match=text):
        cloud.delete_virtual_mfa_device(serial_number=SERIAL)
    assert new(cloud).tags is None
    assert cloud.list_mfa_device_tags(serial_number=SERIAL).tags == []


def test_what_is_deleted_is_what_is_authorized(cloud: Cloud):
    """Attack: a denial of one spelling is gone round by another."""
    new(cloud, "Phone")
    cloud.delete_virtual_mfa_device(serial_number=SERIAL.upper().replace("ARN:AWS:IAM", "arn:aws:iam"))
    assert cloud.targets[0].arn == f"arn:aws:iam::{ACCOUNT}:mfa/Phone"


@pytest.mark.parametrize(("path", "longest"), [(None, 226), ("/a/b/", 222), (f"/{'p' * 300}/", 0)])
def test_a_name_of_which_no_serial_number_can_be_made(cloud: Cloud, path: str | None, longest: int):
    """SerialNumber has 256 characters at most (IAM API Reference, EnableMFADevice)."""
    with pytest.raises(CommonError, match=f"Member must have length less than or equal to {longest}$") as caught:
        new(cloud, "n" * (longest + 1), path)
    assert caught.value.kind == "validation"
    if longest:
        assert len(new(cloud, "n" * longest, path).serial_number) == 256


def test_lists(cloud: Cloud):
    cloud.create_user(user_name="bob")
    for name in ("b", "A", "c"):
        new(cloud, name)
    phone = Phone(new(cloud).base32_string_seed or b"")
    cloud.enable_mfa_device(user_name="bob", serial_number=SERIAL, **phone.two(cloud.now))

    def names(status: str | None = None, **more: object) -> list[str]:
        page = cloud.list_virtual_mfa_devices(assignment_status=status, **more)
        return [each.serial_number.rpartition("/")[2] for each in page.virtual_mfa_devices]

    assert names() == names("Any") == ["A", "b", "c", "phone"]
    assert names("Assigned") == ["phone"]
    assert names("Unassigned") == ["A", "b", "c"]
    (assigned,) = cloud.list_virtual_mfa_devices(assignment_status="Assigned").virtual_mfa_devices
    assert (assigned.user.user_name, assigned.enable_date is not None, assigned.tags) == ("bob", True, None)
    page = cloud.list_virtual_mfa_devices(assignment_status="Unassigned", max_items=2)
    assert page.is_truncated
    assert names("Unassigned", max_items=2, marker=page.marker) == ["c"]
    with pytest.raises(CommonError, match="Invalid Marker"):
        names("Assigned", marker=page.marker)


def test_tags(cloud: Cloud):
    made = cloud.create_virtual_mfa_device(virtual_mfa_device_name="phone", tags=tags(team="blue")).virtual_mfa_device
    assert made.tags == tags(team="blue")
    assert cloud.keys == {"aws:TagKeys": ["team"], "aws:RequestTag/team": "blue"}
    assert cloud.items[0].tags == {"team": "blue"}
    cloud.tag_mfa_device(serial_number=SERIAL, tags=tags(Team="red", other="x"))
    assert cloud.targets[0].tags == {"team": "blue"}
    found = {tag.key: tag.value for tag in cloud.list_mfa_device_tags(serial_number=SERIAL).tags}
    assert found == {"team": "blue", "Team": "red", "other": "x"}
    page = cloud.list_mfa_device_tags(serial_number=SERIAL, max_items=2)
    assert page.is_truncated
    assert len(cloud.list_mfa_device_tags(serial_number=SERIAL, max_items=2, marker=page.marker).tags) == 1
    cloud.untag_mfa_device(serial_number=SERIAL, tag_keys=["team", "other"])
    assert cloud.keys == {"aws:TagKeys": ["team", "other"]}
    assert [tag.key for tag in cloud.list_mfa_device_tags(serial_number=SERIAL).tags] == ["Team"]
    with pytest.raises(api.InvalidInputException):
        cloud.tag_mfa_device(serial_number=SERIAL, tags=[*tags(a="b"), *tags(a="c")])
    with pytest.raises(api.LimitExceededException):
        cloud.tag_mfa_device(serial_number=SERIAL, tags=tags(**{f"k{number}": "v" for number in range(50)}))


@pytest.mark.parametrize("operation", ["tag_mfa_device", "untag_mfa_device", "list_mfa_device_tags"])
def test_tags_of_nothing(cloud: Cloud, operation: str):
    members: dict[str, dict[str, Any]] = {"tag_mfa_device": {"tags": tags(a="b")}, "untag_mfa_device": {"tag_keys": ["a"]}}
    more = members.get(operation, {})
    with pytest.raises(api.NoSuchEntityException):
        getattr(cloud, operation)(serial_number=SERIAL, **more)
