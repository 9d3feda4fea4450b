"""MFA codes in GetSessionToken and AssumeRole, and what policies see of them: boto3 against a whole worker.

Texts: AWS's answers as publicly recorded. Rules: IAM User Guide, "Configuring MFA-protected API access" and "AWS global condition
context keys". Attacks: a code again, somebody else's device, guesses, a code of a call that was denied.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from garrison.core.errors import CommonError
from garrison.identity import attempts
from garrison.identity.mfa import devices
from tests.support.house import ACCOUNT, House
from tests.support.secrets import Phone
from tests.support.server import AccessKey

WRONG = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
UNKNOWN = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  "
    "Please verify your MFA serial number is valid and associated with this user."
)
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
YOUNG = {"NumericLessThan": {"aws:MultiFactorAuthAge": "300"}}


class Clock:
    """The gateway's own clock, in steps of the test's."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Person:
    """A user with a phone."""

    house: House
    clock: Clock
    name: str
    key: AccessKey
    phone: Phone
    serial: str

    def code(self, steps: int = 0) -> str:
        return self.phone.code(self.clock.now, steps)

    def with_code(self, steps: int = 0) -> dict[str, str]:
        return {"SerialNumber": self.serial, "TokenCode": self.code(steps)}

    def client(self, service: str) -> Any:
        return self.house.client(service, self.key)


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    made.worker.gateway.clock = Clock()
    yield made
    made.close()


def person(house: House, name: str, *statements: dict[str, Any]) -> Person:
    clock = house.worker.gateway.clock
    assert isinstance(clock, Clock)
    iam = house.client("iam")
    iam.create_user(UserName=name)
    document = {"Version": "2012-10-17", "Statement": [*statements, {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    phone = Phone(made["Base32StringSeed"])
    found = iam.create_access_key(UserName=name)["AccessKey"]
    key = AccessKey(found["AccessKeyId"], found["SecretAccessKey"])
    enabled = {"AuthenticationCode1": phone.code(clock.now, -3), "AuthenticationCode2": phone.code(clock.now, -2)}
    iam.enable_mfa_device(UserName=name, SerialNumber=made["SerialNumber"], **enabled)
    return Person(house, clock, name, key, phone, made["SerialNumber"])


@pytest.fixture
def bob(house: House) -> Person:
    return person(house, "bob", {"Effect": "Allow", "Action": ["iam:List*", "kms:ListKeys"], "Resource": "*", "Condition": MFA})


def refused(call: Callable[..., Any], **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def temporary(answer: dict[str, Any]) -> AccessKey:
    found = answer["Credentials"]
    return AccessKey(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def role(house: House, name: str, condition: dict[str, Any] | None = None, *statements: dict[str, Any]) -> str:
    trust: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    if condition is not None:
        trust["Condition"] = condition
    iam = house.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    allowed = json.dumps(
        {"Version": "2012-10-17", "Statement": [*statements, {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}
    )
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=allowed)
    return str(arn)


# GetSessionToken


def test_a_session_with_a_code_is_one_with_mfa(house: House, bob: Person):
    assert refused(bob.client("kms").list_keys)[0] == "AccessDeniedException", "the key is absent with a long-term key"
    without = temporary(bob.client("sts").get_session_token())
    assert refused(house.client("kms", without).list_keys)[0] == "AccessDeniedException", "it is false without a code"
    session = temporary(bob.client("sts").get_session_token(**bob.with_code()))
    house.client("kms", session).list_keys()
    house.client("iam", session).list_users()


def test_the_trail_tells_who_gave_a_code(house: House, bob: Person):
    session = temporary(bob.client("sts").get_session_token(**bob.with_code()))
    house.client("kms", session).list_keys()
    records = [json.loads(left.record) for left in house.events()]
    assert records[-1]["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"] == "true"
    asked = records[-2]
    assert (asked["eventName"], asked["readOnly"]) == ("GetSessionToken", True)
    assert asked["requestParameters"]["serialNumber"] == bob.serial
    assert bob.code() not in json.dumps(asked["requestParameters"])


def test_the_age_is_counted_from_the_code(house: House):
    eve = person(house, "eve", {"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*", "Condition": YOUNG})
    assert refused(eve.client("kms").list_keys)[0] == "AccessDeniedException"
    session = temporary(eve.client("sts").get_session_token(**eve.with_code()))
    house.client("kms", session).list_keys()
    eve.clock.now += 299
    request = house.client("kms", session)
    request.list_keys()
    eve.clock.now += 1
    assert refused(request.list_keys)[0] == "AccessDeniedException"


def test_a_code_is_good_once(house: House, bob: Person):
    bob.client("sts").get_session_token(**bob.with_code())
    assert refused(bob.client("sts").get_session_token, **bob.with_code()) == ("AccessDenied", WRONG)
    assert refused(bob.client("sts").get_session_token, **bob.with_code(-1)) == ("AccessDenied", WRONG)
    bob.client("sts").get_session_token(**bob.with_code(1))


def test_a_code_that_was_used_is_not_good_for_a_role(house: House, bob: Person):
    arn = role(house, "work", MFA)
    bob.client("sts").get_session_token(**bob.with_code())
    assert refused(bob.client("sts").assume_role, RoleArn=arn, RoleSessionName="s1", **bob.with_code()) == ("AccessDenied", WRONG)


def test_a_code_of_another_device(house: House, bob: Person):
    eve = person(house, "eve")
    get = bob.client("sts").get_session_token
    assert refused(get, SerialNumber=bob.serial, TokenCode=eve.code()) == ("AccessDenied", WRONG)
    assert refused(get, **eve.with_code()) == ("AccessDenied", UNKNOWN)
    assert refused(get, SerialNumber=bob.serial + "x", TokenCode=bob.code()) == ("AccessDenied", UNKNOWN)
    eve.client("sts").get_session_token(**eve.with_code())


def test_one_of_the_two_alone(bob: Person):
    text = "Both serial number and token code must be specified to use MFA."
    assert refused(bob.client("sts").get_session_token, SerialNumber=bob.serial) == ("ValidationError", text)
    assert refused(bob.client("sts").get_session_token, TokenCode=bob.code()) == ("ValidationError", text)


@pytest.mark.parametrize("code", ["\u0661\u0662\u0663\u0664\u0665\u0666", "000000"])
def test_six_digits_are_no_code(bob: Person, code: str):
    found = refused(bob.client("sts").get_session_token, SerialNumber=bob.serial, TokenCode=code)
    assert found[0] in {"AccessDenied", "ValidationError"}


def test_a_flood_of_guesses_is_locked_out(house: House, bob: Person):
    get = bob.client("sts").get_session_token
    arn = role(house, "work", MFA)
    for number in range(attempts.CODE.free):
        call = get if number % 2 else bob.client("sts").assume_role
        more = {} if number % 2 else {"RoleArn": arn, "RoleSessionName": "s1"}
        assert refused(call, SerialNumber=bob.serial, TokenCode="000000", **more) == ("AccessDenied", WRONG)
    assert refused(get, **bob.with_code()) == ("AccessDenied", WRONG), "the right code says nothing else than a wrong one"
    bob.clock.now += attempts.CODE.first
    get(**bob.with_code())


def test_a_guess_counts_only_where_it_is_safe(house: House, bob: Person, monkeypatch: pytest.MonkeyPatch):
    """Attack: guesses while the disk is full. Where a wrong code cannot be counted, nobody learns that it was wrong."""

    def full(*_: Any) -> None:
        raise CommonError("unavailable", "Service is unable to handle request.")

    monkeypatch.setattr(attempts, "failed", full)
    assert refused(bob.client("sts").get_session_token, SerialNumber=bob.serial, TokenCode="000000")[0] == "ServiceUnavailable"


def test_a_device_that_was_taken_away_proves_nothing(house: House, bob: Person):
    house.client("iam").deactivate_mfa_device(UserName="bob", SerialNumber=bob.serial)
    assert refused(bob.client("sts").get_session_token, **bob.with_code()) == ("AccessDenied", UNKNOWN)


def test_the_root_users_own_device(house: House):
    key = AccessKey(*house.first.root_key)
    made = house.client("iam", key).create_virtual_mfa_device(VirtualMFADeviceName="root-account-mfa-device")["VirtualMFADevice"]
    phone, clock = Phone(made["Base32StringSeed"]), house.worker.gateway.clock
    two = {"AuthenticationCode1": phone.code(clock(), -2), "AuthenticationCode2": phone.code(clock(), -1)}
    house.client("iam", key).enable_mfa_device(UserName=ACCOUNT, SerialNumber=made["SerialNumber"], **two)
    sts = house.client("sts", key)
    session = temporary(sts.get_session_token(SerialNumber=made["SerialNumber"], TokenCode=phone.code(clock())))
    house.client("iam", session).list_users()


# AssumeRole


def test_a_trust_policy_that_asks_for_mfa(house: House, bob: Person):
    arn = role(house, "work", MFA)
    sts = bob.client("sts")
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="s1")[0] == "AccessDenied"
    sts.assume_role(RoleArn=arn, RoleSessionName="s1", **bob.with_code())
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="s1", **bob.with_code()) == ("AccessDenied", WRONG)
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="s1", SerialNumber=bob.serial, TokenCode="000000")[1] == WRONG


def test_a_session_with_mfa_assumes_the_role_without_another_code(house: House, bob: Person):
    arn = role(house, "work", MFA)
    without = temporary(bob.client("sts").get_session_token())
    assert refused(house.client("sts", without).assume_role, RoleArn=arn, RoleSessionName="s1")[0] == "AccessDenied"
    session = temporary(bob.client("sts").get_session_token(**bob.with_code()))
    house.client("sts", session).assume_role(RoleArn=arn, RoleSessionName="s1")


def test_a_trust_policy_that_asks_for_a_young_code(house: House, bob: Person):
    arn = role(house, "work", YOUNG)
    session = temporary(bob.client("sts").get_session_token(**bob.with_code()))
    sts = house.client("sts", session)
    sts.assume_role(RoleArn=arn, RoleSessionName="s1")
    bob.clock.now += 300
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="s1")[0] == "AccessDenied"
    sts.assume_role(RoleArn=arn, RoleSessionName="s1", **bob.with_code())


def test_a_roles_session_shows_policies_no_mfa(house: House, bob: Person):
    """ "The temporary credentials returned by AssumeRole do not include MFA information in the context"; nor do those after it."""
    listing = {"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*", "Condition": MFA}
    first, second = role(house, "first", MFA, listing), role(house, "second", MFA)
    plain = role(house, "plain")
    session = temporary(bob.client("sts").assume_role(RoleArn=first, RoleSessionName="s1", **bob.with_code()))
    assert refused(house.client("kms", session).list_keys)[0] == "AccessDeniedException"
    sts = house.client("sts", session)
    assert refused(sts.assume_role, RoleArn=second, RoleSessionName="s1")[0] == "AccessDenied"
    sts.assume_role(RoleArn=plain, RoleSessionName="s1")
    assert refused(sts.assume_role, RoleArn=second, RoleSessionName="s1", **bob.with_code(1)) == ("AccessDenied", UNKNOWN)


def test_the_code_of_a_call_that_was_denied_is_used_up(house: House, bob: Person):
    """Attack: codes are tried on roles that deny, and the right one is kept for later."""
    nobody = role(house, "nobody", {"Bool": {"aws:SecureTransport": "true"}})
    sts = bob.client("sts")
    code, message = refused(sts.assume_role, RoleArn=nobody, RoleSessionName="s1", **bob.with_code())
    assert (code, "not authorized to perform: sts:AssumeRole" in message) == ("AccessDenied", True)
    assert refused(sts.get_session_token, **bob.with_code()) == ("AccessDenied", WRONG)


def test_the_code_of_a_call_that_failed_is_used_up(house: House, bob: Person):
    arn = role(house, "work")
    sts = bob.client("sts")
    bad = {"RoleArn": arn, "RoleSessionName": "s1", "DurationSeconds": 43_200}
    assert refused(sts.assume_role, **bad, **bob.with_code())[0] == "ValidationError"
    assert refused(sts.get_session_token, **bob.with_code()) == ("AccessDenied", WRONG)


def test_a_code_that_another_worker_used_meanwhile(house: House, bob: Person, monkeypatch: pytest.MonkeyPatch):
    real = devices.judge

    def judged_and_then_used(tx: Any, sealer: Any, **asked: Any) -> devices.Judged:
        found = real(tx, sealer, **asked)
        with house.state.store.writing() as other:
            devices.settle(other, real(other, sealer, **asked), asked["now"])
        return found

    monkeypatch.setattr(devices, "judge", judged_and_then_used)
    arn = role(house, "work", MFA)
    assert refused(bob.client("sts").assume_role, RoleArn=arn, RoleSessionName="s1", **bob.with_code()) == ("AccessDenied", WRONG)


def test_without_a_code_nothing_is_written(house: House, bob: Person):
    arn = role(house, "work")
    before = house.state.store.reading().all("SELECT * FROM iam_mfa_device")
    bob.client("sts").assume_role(RoleArn=arn, RoleSessionName="s1")
    bob.client("sts").get_session_token()
    assert house.state.store.reading().all("SELECT * FROM iam_mfa_device") == before
    assert house.state.store.reading().all("SELECT * FROM identity_attempt") == []
