"""MFA devices of users and the root user. Expected texts: AWS's answers as publicly recorded; rules: IAM API Reference."""

from __future__ import annotations

from base64 import b32encode
from dataclasses import replace

import pytest

from garrison.api import iam as api
from garrison.core.errors import CommonError
from garrison.core.principal import Principal
from garrison.identity import attempts
from garrison.identity.mfa import devices, passkeys, tokens
from tests.support.authenticator import Authenticator
from tests.support.iam import ACCOUNT, Cloud, root
from tests.support.secrets import Phone

SERIAL = f"arn:aws:iam::{ACCOUNT}:mfa/phone"
INVALID = r"^Authentication code for device is not valid\.$"
NOT_THERE = rf"^VirtualMFADevice with serial number arn:aws:iam::{ACCOUNT}:mfa/nobody does not exist\.$"
TOKEN_SEED = bytes(range(16))


@pytest.fixture
def bob(cloud: Cloud) -> Cloud:
    cloud.create_user(user_name="bob")
    return cloud


def new_phone(cloud: Cloud, name: str = "phone") -> Phone:
    return Phone(cloud.create_virtual_mfa_device(virtual_mfa_device_name=name).virtual_mfa_device.base32_string_seed)


def enable(cloud: Cloud, phone: Phone, serial: str = SERIAL, user: str = "bob", steps: int = 0) -> None:
    cloud.enable_mfa_device(user_name=user, serial_number=serial, **phone.two(cloud.now + 1, steps))


def listed(cloud: Cloud, user: str | None = "bob") -> list[str]:
    return [each.serial_number for each in cloud.list_mfa_devices(user_name=user).mfa_devices]


def bring_in(cloud: Cloud, serial: str = "GAHT12345678") -> Phone:
    with cloud.store.writing() as tx:
        tokens.bring_in(tx, cloud.sealer, serial, TOKEN_SEED, cloud.now)
    cloud.store.commit()
    return Phone(b32encode(TOKEN_SEED).decode().rstrip("="))


def register_key(cloud: Cloud, owner_id: str) -> str:
    site = passkeys.Site("localhost", "http://localhost:4566")
    with cloud.store.writing() as tx:
        asked = passkeys.registration(tx, site, account=ACCOUNT, owner_id=owner_id, owner_name="bob", random=cloud.random)
        made = passkeys.register(
            tx,
            site,
            account=ACCOUNT,
            owner_id=owner_id,
            owner_name="bob",
            name="laptop",
            credential=Authenticator().create(asked.options),
            challenge=asked.challenge,
            now=cloud.now,
            random=cloud.random,
        )
    cloud.store.commit()
    return made.serial


def user_id(cloud: Cloud, name: str = "bob") -> str:
    return str(cloud.get_user(user_name=name).user.user_id)


# EnableMFADevice


def test_a_device_is_enabled_by_two_codes_in_a_row(bob: Cloud):
    phone = new_phone(bob)
    enable(bob, phone)
    assert bob.targets[0].arn == f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert [item.type for item in bob.items] == ["AWS::IAM::User", "AWS::IAM::VirtualMFADevice"]
    assert bob.items[1].facts == {"assigned": True}
    assert phone.totp.secret not in repr(bob.items)
    (found,) = bob.list_mfa_devices(user_name="BOB").mfa_devices
    assert found == api.MFADevice(user_name="bob", serial_number=SERIAL, enable_date=bob.now - 1)
    assert bob.get_account_summary().summary_map["MFADevicesInUse"] == 1


@pytest.mark.parametrize(
    "codes",
    [
        lambda phone, now: (phone.code(now), phone.code(now)),
        lambda phone, now: (phone.code(now), phone.code(now, -1)),
        lambda phone, now: (phone.code(now, -1), phone.code(now, 1)),
        lambda phone, now: (phone.code(now, -200), phone.code(now, -199)),
        lambda _phone, _now: ("000000", "000000"),
        lambda _phone, now: (Phone("A" * 32).code(now, -1), Phone("A" * 32).code(now)),
        lambda phone, now: ("\u0661" * 6, phone.code(now)),
    ],
)
def test_no_other_two_codes_do(bob: Cloud, codes: object):
    phone = new_phone(bob)
    first, second = codes(phone, bob.now + 1)  # type: ignore[operator] # one of the functions above
    with pytest.raises(api.InvalidAuthenticationCodeException, match=INVALID):
        bob.enable_mfa_device(user_name="bob", serial_number=SERIAL, authentication_code1=first, authentication_code2=second)
    assert listed(bob) == []
    assert bob.row("SELECT failures FROM identity_attempt") == (1,)


def test_guesses_at_a_device_are_locked_out(bob: Cloud):
    phone = bring_in(bob)
    wrong = {"authentication_code1": "000000", "authentication_code2": "000000"}
    for _ in range(attempts.CODE.free):
        with pytest.raises(api.InvalidAuthenticationCodeException):
            bob.enable_mfa_device(user_name="bob", serial_number="GAHT12345678", **wrong)
    with pytest.raises(api.EntityTemporarilyUnmodifiableException):
        enable(bob, phone, "GAHT12345678")
    bob.now += attempts.CODE.first
    enable(bob, phone, "GAHT12345678")


def test_what_is_not_there_or_in_use(bob: Cloud):
    phone = new_phone(bob)
    enable(bob, phone)
    bob.create_user(user_name="eve")
    for user in ("bob", "eve"):
        with pytest.raises(api.EntityAlreadyExistsException, match=r"^MFA Device is already in use\.$"):
            enable(bob, phone, user=user, steps=2)
    with pytest.raises(api.NoSuchEntityException, match=NOT_THERE):
        enable(bob, phone, f"arn:aws:iam::{ACCOUNT}:mfa/nobody")
    with pytest.raises(api.NoSuchEntityException, match=r"^MFADevice with serial number GAHT99999999 does not exist\.$"):
        enable(bob, phone, "GAHT99999999")
    with pytest.raises(api.NoSuchEntityException, match=r"^The user with name nobody cannot be found\.$"):
        enable(bob, phone, user="nobody")


def test_another_accounts_device_is_not_there(bob: Cloud):
    other = Cloud("999999999999", bob.store, bob.sealer)
    other.create_user(user_name="bob")
    phone = new_phone(bob)
    with pytest.raises(api.NoSuchEntityException):
        enable(other, phone)
    with pytest.raises(api.NoSuchEntityException):
        other.delete_virtual_mfa_device(serial_number=SERIAL)


def test_eight_devices_at_most(bob: Cloud):
    for number in range(devices.PER_OWNER):
        name = f"phone{number}"
        enable(bob, new_phone(bob, name), f"arn:aws:iam::{ACCOUNT}:mfa/{name}")
    phone = new_phone(bob)
    with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for MFADevicesPerUser: 8$"):
        enable(bob, phone)
    page = bob.list_mfa_devices(user_name="bob", max_items=5)
    assert page.is_truncated
    rest = bob.list_mfa_devices(user_name="bob", max_items=5, marker=page.marker)
    assert (len(page.mfa_devices), len(rest.mfa_devices), rest.is_truncated) == (5, 3, False)


def test_a_hardware_token(bob: Cloud):
    phone = bring_in(bob)
    enable(bob, phone, "gaht12345678")
    assert listed(bob) == ["GAHT12345678"]
    assert bob.list_virtual_mfa_devices().virtual_mfa_devices == []
    assert bob.get_account_summary().summary_map["MFADevices"] == 0
    other = Cloud("999999999999", bob.store, bob.sealer)
    other.create_user(user_name="eve")
    with pytest.raises(api.NoSuchEntityException):
        enable(other, phone, "GAHT12345678", "eve", 2)
    with pytest.raises(api.NoSuchEntityException):
        bob.delete_virtual_mfa_device(serial_number="GAHT12345678")
    bob.deactivate_mfa_device(user_name="bob", serial_number="GAHT12345678")
    assert bob.items[-1].deleted
    with pytest.raises(api.InvalidAuthenticationCodeException):
        enable(other, phone, "GAHT12345678", "eve")
    enable(other, phone, "GAHT12345678", "eve", 2)


# The root user's


def test_the_root_users_device(bob: Cloud):
    phone = new_phone(bob)
    enable(bob, phone, user=ACCOUNT)
    assert bob.targets[0].arn == f"arn:aws:iam::{ACCOUNT}:root"
    assert listed(bob, None) == [SERIAL]
    assert listed(bob) == []
    assert bob.get_account_summary().summary_map["AccountMFAEnabled"] == 1
    (shown,) = bob.list_virtual_mfa_devices().virtual_mfa_devices
    assert (shown.user.arn, shown.user.user_id) == (f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    bob.resync_mfa_device(user_name=ACCOUNT, serial_number=SERIAL, **phone.two(bob.now, 3))
    bob.deactivate_mfa_device(serial_number=SERIAL)
    assert listed(bob, None) == []
    assert bob.get_account_summary().summary_map["AccountMFAEnabled"] == 0


def test_the_root_user_by_its_alias_unless_a_user_has_the_name(bob: Cloud):
    with bob.store.writing() as tx:
        tx.run("INSERT INTO iam_account (account, alias, created) VALUES (?, 'bob', 1)", ACCOUNT)
    bob.store.commit()
    enable(bob, new_phone(bob))
    assert listed(bob, None) == []
    assert listed(bob) == [SERIAL]


def test_nobody_else_means_the_root_user(bob: Cloud):
    phone = new_phone(bob)
    bob.as_user("bob")
    with pytest.raises(api.NoSuchEntityException, match="cannot be found"):
        enable(bob, phone, user=ACCOUNT)


# ResyncMFADevice, DeactivateMFADevice


def test_resynchronization(bob: Cloud):
    phone = new_phone(bob)
    enable(bob, phone)
    fast = Phone(phone.totp.secret, ahead=1200)
    bob.resync_mfa_device(user_name="bob", serial_number=SERIAL, **fast.two(bob.now + 1))
    assert bob.row("SELECT drift FROM iam_mfa_device") == (40,)
    with pytest.raises(api.InvalidAuthenticationCodeException, match=INVALID):
        bob.resync_mfa_device(user_name="bob", serial_number=SERIAL, **fast.two(bob.now + 1))
    with pytest.raises(api.InvalidAuthenticationCodeException, match=INVALID):
        bob.resync_mfa_device(user_name="bob", serial_number=SERIAL, authentication_code1="000000", authentication_code2="000000")
    assert bob.row("SELECT failures FROM identity_attempt") == (2,)


@pytest.mark.parametrize("operation", ["resync_mfa_device", "deactivate_mfa_device"])
def test_of_a_device_that_is_not_theirs(bob: Cloud, operation: str):
    bob.create_user(user_name="eve")
    phone = new_phone(bob)
    more = phone.two(bob.now, 5) if operation == "resync_mfa_device" else {}
    for state in ("of nobody", "of bob"):
        if state == "of bob":
            enable(bob, phone)
        with pytest.raises(api.NoSuchEntityException, match=r"^MFA Device invalid for user\.$"):
            getattr(bob, operation)(user_name="eve", serial_number=SERIAL, **more)
    with pytest.raises(api.NoSuchEntityException, match=NOT_THERE):
        getattr(bob, operation)(user_name="bob", serial_number=f"arn:aws:iam::{ACCOUNT}:mfa/nobody", **more)
    with pytest.raises(api.NoSuchEntityException, match=r"^The user with name nobody cannot be found\.$"):
        getattr(bob, operation)(user_name="nobody", serial_number=SERIAL, **more)


def test_a_virtual_device_stays_when_it_is_deactivated(bob: Cloud):
    phone = new_phone(bob)
    enable(bob, phone)
    bob.deactivate_mfa_device(user_name="bob", serial_number=SERIAL)
    assert [item.deleted for item in bob.items] == [False, False]
    assert bob.items[-1].facts == {"assigned": False}
    assert listed(bob) == []
    (free,) = bob.list_virtual_mfa_devices(assignment_status="Unassigned").virtual_mfa_devices
    assert (free.serial_number, free.enable_date, free.user) == (SERIAL, None, None)
    with pytest.raises(api.InvalidAuthenticationCodeException):
        enable(bob, phone)
    enable(bob, phone, steps=2)


def test_the_callers_own(bob: Cloud):
    phone = new_phone(bob)
    enable(bob, phone)
    bob.as_user("bob")
    assert listed(bob, None) == [SERIAL]
    bob.deactivate_mfa_device(serial_number=SERIAL)


@pytest.mark.parametrize("operation", ["list_mfa_devices", "deactivate_mfa_device", "get_mfa_device"])
def test_a_session_must_name_a_user(bob: Cloud, operation: str):
    bob.as_session()
    more = {"user_name": None} if operation == "list_mfa_devices" else {"serial_number": SERIAL}
    with pytest.raises(CommonError, match=r"^Must specify userName when calling with non-User credentials$"):
        getattr(bob, operation)(**more)


# Keys


def test_a_key_is_listed_shown_and_forgotten(bob: Cloud):
    serial = register_key(bob, user_id(bob))
    assert listed(bob) == [serial]
    found = bob.get_mfa_device(serial_number=serial, user_name="bob")
    assert (found.serial_number, found.user_name, found.certifications) == (serial, "bob", None)
    bob.create_user(user_name="eve")
    with pytest.raises(api.NoSuchEntityException, match=r"^MFA Device invalid for user\.$"):
        bob.get_mfa_device(serial_number=serial, user_name="eve")
    with pytest.raises(api.InvalidAuthenticationCodeException):
        bob.resync_mfa_device(user_name="bob", serial_number=serial, authentication_code1="000000", authentication_code2="000000")
    with pytest.raises(api.EntityAlreadyExistsException):
        bob.enable_mfa_device(user_name="bob", serial_number=serial, authentication_code1="000000", authentication_code2="000000")
    bob.deactivate_mfa_device(user_name="bob", serial_number=serial)
    assert bob.items[-1].deleted
    with pytest.raises(api.NoSuchEntityException):
        bob.get_mfa_device(serial_number=serial, user_name="bob")


def test_only_keys_are_shown(bob: Cloud):
    phone = new_phone(bob)
    enable(bob, phone)
    with pytest.raises(api.NoSuchEntityException):
        bob.get_mfa_device(serial_number=SERIAL, user_name="bob")


def test_a_user_with_a_device_cannot_be_deleted(bob: Cloud):
    enable(bob, new_phone(bob))
    with pytest.raises(api.DeleteConflictException, match=r"^Cannot delete entity, must delete MFA device first\.$"):
        bob.delete_user(user_name="bob")
    bob.deactivate_mfa_device(user_name="bob", serial_number=SERIAL)
    bob.delete_user(user_name="bob")


def test_a_user_who_is_made_again_has_no_device(bob: Cloud):
    """Attack: a name that is deleted and made again inherits nothing."""
    enable(bob, new_phone(bob))
    bob.deactivate_mfa_device(user_name="bob", serial_number=SERIAL)
    bob.delete_user(user_name="bob")
    bob.create_user(user_name="bob")
    assert listed(bob) == []


def test_who_calls_is_who_is_meant(bob: Cloud):
    stranger = Principal(kind="user", account=ACCOUNT, arn=f"arn:aws:iam::{ACCOUNT}:user/eve", id="AIDAEVE", name="eve")
    bob.principal = replace(stranger)
    with pytest.raises(api.NoSuchEntityException):
        bob.list_mfa_devices(user_name=None)
    bob.principal = root(ACCOUNT)
