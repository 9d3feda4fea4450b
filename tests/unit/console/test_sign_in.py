"""Signing in by password and second factor, and what guessing, replaying and asking about others gets.

Sources: AWS CloudTrail User Guide, "AWS Management Console sign-in events"; AWS Sign-In User Guide.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pyotp
import pytest

from garrison.console import sign_in
from garrison.identity import attempts, passwords
from tests.support.browsing import Browser, browser_of
from tests.support.inprocess import InProcess, between
from tests.support.signing_in import PASSWORD, Clock, allow, new_user


@pytest.fixture
def process() -> Iterator[InProcess]:
    made = InProcess()
    yield made
    made.close()


@pytest.fixture
def clock(process: InProcess) -> Clock:
    return Clock(process)


@pytest.fixture
def browser(process: InProcess) -> Browser:
    return browser_of(process)


def events(process: InProcess, name: str) -> list[dict[str, Any]]:
    return [event for event in process.events() if event["eventName"] == name]


def new_device(process: InProcess, clock: Clock, user: str, name: str = "phone") -> pyotp.TOTP:
    """A virtual device of a user; its codes up to now are used up."""
    made = process.iam("CreateVirtualMFADevice", VirtualMFADeviceName=name).body.decode()
    totp = pyotp.TOTP(b64decode(between(made, "Base32StringSeed")).decode())
    codes = {"AuthenticationCode1": totp.at(int(clock.now) - 30), "AuthenticationCode2": totp.at(int(clock.now))}
    serial = f"arn:aws:iam::{process.account}:mfa/{name}"
    assert process.iam("EnableMFADevice", UserName=user, SerialNumber=serial, **codes).status == 200
    clock.go(30)
    return totp


# A password


def test_a_user_signs_in_and_sees_who_that_is(process: InProcess, browser: Browser):
    arn = new_user(process, "ann")
    assert browser.sign_in(process.account, "ann", PASSWORD).location == "/_console/"
    assert browser.get("/_console/").texts["arn"] == arn
    event = events(process, "ConsoleLogin")[-1]
    user_id = between(process.iam("GetUser", UserName="ann").body.decode(), "UserId")
    assert event["userIdentity"] == {
        "type": "IAMUser",
        "principalId": user_id,
        "arn": arn,
        "accountId": process.account,
        "userName": "ann",
    }
    assert event["eventSource"] == "signin.amazonaws.com"
    assert event["eventType"] == "AwsConsoleSignIn"
    assert event["responseElements"] == {"ConsoleLogin": "Success"}
    assert event["additionalEventData"] == {
        "LoginTo": "http://127.0.0.1:4566/_console/",
        "MobileVersion": "No",
        "MFAUsed": "No",
    }
    assert between(process.iam("GetUser", UserName="ann").body.decode(), "PasswordLastUsed")


def test_by_the_accounts_alias_and_by_its_number_with_dashes(process: InProcess, browser: Browser):
    new_user(process, "ann")
    assert process.iam("CreateAccountAlias", AccountAlias="acme").status == 200
    number = f"{process.account[:4]}-{process.account[4:8]}-{process.account[8:]}"
    for account in ("acme", "ACME", number):
        assert browser_of(process).sign_in(account, "ann", PASSWORD).status == 303


def test_nobody_signs_in_to_a_closed_account(process: InProcess, browser: Browser):
    new_user(process, "ann")
    assert process.iam("CreateAccountAlias", AccountAlias="gone").status == 200
    with process.state.store.writing() as tx:
        tx.run("UPDATE account SET state = 'SUSPENDED' WHERE id = ?", process.account)
    process.state.store.commit()
    for account in (process.account, "gone"):
        page = browser.sign_in(account, "ann", PASSWORD)
        assert (page.status, page.message) == (403, sign_in.WRONG)
    assert events(process, "ConsoleLogin") == []


def test_a_root_user_has_no_password_until_the_operator_sets_one(process: InProcess, browser: Browser):
    assert browser.sign_in_as_root("", "").status == 403
    assert browser.sign_in_as_root("root@example.com", "anything").status == 403


def test_whatever_is_wrong_the_same_page_comes_and_the_same_work_is_done(process: InProcess, monkeypatch: pytest.MonkeyPatch):
    new_user(process, "ann")
    process.iam("CreateUser", UserName="without-password")
    calculated: list[int] = []
    hashed = passwords.matches

    def counting(password: str, kept: Any) -> bool:
        calculated.append(len({each.rpartition("$")[0] for each in kept}))
        return hashed(password, kept)

    monkeypatch.setattr(passwords, "matches", counting)
    seen = set()
    tries = [
        (process.account, "ann", "wrong"),
        (process.account, "nobody", "wrong"),
        (process.account, "without-password", "wrong"),
        ("000000000000", "ann", "wrong"),
        ("no-such-alias", "ann", PASSWORD),
    ]
    for account, user, password in tries:
        browser = browser_of(process)
        page = browser.sign_in(account, user, password)
        typed = page.body.replace(f'value="{account}"', "").replace(f'value="{user}"', "")
        seen.add((page.status, re.sub(r'name="csrf" value="\w+"', "", typed)))
    assert len(seen) == 1
    assert sign_in.WRONG in seen.pop()[1]
    assert calculated == [1] * len(tries)


def test_failures_are_on_record_as_aws_has_them(process: InProcess, browser: Browser):
    arn = new_user(process, "ann")
    browser.sign_in(process.account, "ann", "wrong")
    event = events(process, "ConsoleLogin")[-1]
    assert (event["errorMessage"], event["responseElements"]) == ("Failed authentication", {"ConsoleLogin": "Failure"})
    assert event["userIdentity"]["arn"] == arn
    browser.sign_in(process.account, "my-Secret-1-in-the-wrong-field", "wrong")
    event = events(process, "ConsoleLogin")[-1]
    assert event["errorMessage"] == "No username found in supplied account"
    assert event["userIdentity"]["userName"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert "my-Secret-1" not in json.dumps(process.events())


def test_guessing_locks_and_the_right_password_then_reads_like_a_wrong_one(process: InProcess, clock: Clock):
    new_user(process, "ann")
    for _ in range(attempts.PASSWORD.free):
        assert browser_of(process).sign_in(process.account, "ann", "wrong").status == 403
    page = browser_of(process).sign_in(process.account, "ann", PASSWORD)
    assert (page.status, page.message) == (403, sign_in.WRONG)
    clock.go(attempts.PASSWORD.first + 1)
    assert browser_of(process).sign_in(process.account, "ann", PASSWORD).status == 303


def test_guessing_about_many_users_locks_the_address(process: InProcess, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(passwords, "prove", lambda _, password: password == PASSWORD)
    new_user(process, "ann")
    for number in range(attempts.ADDRESS.free):
        browser_of(process, "192.0.2.7").sign_in(process.account, f"user-{number}", "wrong")
    assert browser_of(process, "192.0.2.7").sign_in(process.account, "ann", PASSWORD).status == 403
    assert browser_of(process, "192.0.2.8").sign_in(process.account, "ann", PASSWORD).status == 303


def test_more_than_can_be_calculated_are_told_to_come_back(process: InProcess, browser: Browser, monkeypatch: pytest.MonkeyPatch):
    new_user(process, "ann")
    monkeypatch.setattr(passwords, "GATE", passwords.Gate(running=0, waiting=0))
    page = browser.sign_in(process.account, "ann", PASSWORD)
    assert (page.status, page.message) == (503, sign_in.BUSY)


# A second factor


def test_a_code_is_asked_for_and_then_policies_know_of_it(process: InProcess, clock: Clock, browser: Browser):
    new_user(process, "ann")
    totp = new_device(process, clock, "ann")
    page = browser.sign_in(process.account, "ann", PASSWORD)
    assert page.status == 200
    assert "garrison-session" not in browser.cookies
    check = events(process, "CheckMfa")[-1]
    assert (check["responseElements"], check["additionalEventData"]) == ({"CheckMfa": "Success"}, {"MfaType": "Virtual MFA"})
    assert browser.send("/_console/sign-in/code", code=totp.at(int(clock.now))).status == 303
    assert browser.get("/_console/").texts["mfa"] == "given"
    login = events(process, "ConsoleLogin")[-1]
    assert login["additionalEventData"]["MFAUsed"] == "Yes"
    assert login["additionalEventData"]["MFAIdentifier"] == f"arn:aws:iam::{process.account}:mfa/phone"
    assert process.last_event()["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"] == "true"


def test_a_wrong_code_and_a_used_one_open_nothing(process: InProcess, clock: Clock, browser: Browser):
    new_user(process, "ann")
    totp = new_device(process, clock, "ann")
    browser.sign_in(process.account, "ann", PASSWORD)
    page = browser.send("/_console/sign-in/code", code="000000")
    assert (page.status, page.message) == (403, sign_in.WRONG)
    code = totp.at(int(clock.now))
    assert browser.send("/_console/sign-in/code", code=code).status == 303
    other = browser_of(process)
    other.sign_in(process.account, "ann", PASSWORD)
    assert other.send("/_console/sign-in/code", code=code).status == 403
    assert "garrison-session" not in other.cookies


def test_codes_are_not_guessed(process: InProcess, clock: Clock, browser: Browser):
    new_user(process, "ann")
    totp = new_device(process, clock, "ann")
    browser.sign_in(process.account, "ann", PASSWORD)
    for _ in range(attempts.CODE.free):
        assert browser.send("/_console/sign-in/code", code="000000").status == 403
    assert browser.send("/_console/sign-in/code", code=totp.at(int(clock.now))).status == 403


def test_the_step_after_the_password_is_of_one_browser_and_for_minutes(process: InProcess, clock: Clock, browser: Browser):
    new_user(process, "ann")
    totp = new_device(process, clock, "ann")
    browser.sign_in(process.account, "ann", PASSWORD)
    step = browser.page.form("/_console/sign-in/code").fields
    thief = browser_of(process)
    thief.get("/_console/sign-in")
    csrf = thief.page.form("/_console/sign-in").fields["csrf"]
    stolen = thief.post("/_console/sign-in/code", {**step, "csrf": csrf, "code": totp.at(int(clock.now))})
    assert stolen.status == 403
    assert "garrison-session" not in thief.cookies
    clock.go(sign_in.STEP_SECONDS)
    assert browser.send("/_console/sign-in/code", code=totp.at(int(clock.now))).status == 403


def test_a_step_cannot_be_left_out(process: InProcess, clock: Clock, browser: Browser):
    """The form of one step, sent to the page of another."""
    new_user(process, "ann")
    new_device(process, clock, "ann")
    browser.sign_in(process.account, "ann", PASSWORD)
    fields = browser.page.form("/_console/sign-in/code").fields
    for path in ("/_console/sign-in/password", "/_console/sign-in/passkey"):
        page = browser.post(path, {**fields, "old": PASSWORD, "new": "x", "repeated": "x", "credential": "{}"})
        assert page.status == 400
    assert "garrison-session" not in browser.cookies
    assert browser.get("/_console/").location == "/_console/sign-in"


def test_a_password_that_changes_between_the_steps_ends_the_sign_in(process: InProcess, clock: Clock, browser: Browser):
    new_user(process, "ann")
    totp = new_device(process, clock, "ann")
    browser.sign_in(process.account, "ann", PASSWORD)
    assert process.iam("UpdateLoginProfile", UserName="ann", Password="Another-horse-2").status == 200
    assert browser.send("/_console/sign-in/code", code=totp.at(int(clock.now))).status == 403
    assert "garrison-session" not in browser.cookies


# A new password


def test_a_first_password_must_be_changed(process: InProcess, clock: Clock, browser: Browser):
    new_user(process, "ann", PasswordResetRequired="true")
    allow(process, "ann", "iam:ChangePassword")
    page = browser.sign_in(process.account, "ann", PASSWORD)
    assert page.status == 200
    assert browser.get("/_console/").status == 303
    browser.sign_in(process.account, "ann", PASSWORD)
    clock.go(1)
    wrong = browser.send("/_console/sign-in/password", old="wrong", new="Another-horse-2", repeated="Another-horse-2")
    assert wrong.message == "The old password was incorrect."
    weak = browser.send("/_console/sign-in/password", old=PASSWORD, new="short", repeated="short")
    assert "password policy" in weak.message
    two = browser.send("/_console/sign-in/password", old=PASSWORD, new="Another-horse-2", repeated="Another-horse-3")
    assert two.message == "The two new passwords differ."
    done = browser.send("/_console/sign-in/password", old=PASSWORD, new="Another-horse-2", repeated="Another-horse-2")
    assert done.status == 303
    assert browser.get("/_console/").status == 200
    assert browser_of(process).sign_in(process.account, "ann", PASSWORD).status == 403
    assert browser_of(process).sign_in(process.account, "ann", "Another-horse-2").status == 303


def test_who_may_not_change_the_password_does_not_get_in(process: InProcess, browser: Browser):
    new_user(process, "ann", PasswordResetRequired="true")
    browser.sign_in(process.account, "ann", PASSWORD)
    page = browser.send("/_console/sign-in/password", old=PASSWORD, new="Another-horse-2", repeated="Another-horse-2")
    assert "is not authorized to perform: iam:ChangePassword" in page.message
    assert "garrison-session" not in browser.cookies


@pytest.mark.parametrize("hard", ["true", "false"])
def test_an_expired_password_must_be_changed_and_with_hard_expiry_lets_nobody_in(
    process: InProcess, clock: Clock, browser: Browser, hard: str
):
    new_user(process, "ann")
    process.iam("UpdateAccountPasswordPolicy", MaxPasswordAge="1", HardExpiry=hard, MinimumPasswordLength="8")
    clock.go(86_400)
    page = browser.sign_in(process.account, "ann", PASSWORD)
    if hard == "true":
        assert (page.status, page.message) == (403, sign_in.SHUT_OUT)
    else:
        assert page.forms[0].action == "/_console/sign-in/password"
    assert "garrison-session" not in browser.cookies


# Where it leads


@pytest.mark.parametrize(
    "onward",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "/_console/\\evil",
        "http:evil",
        "/federation?Action=login",
        "javascript:alert(1)",
        "/_console/\r\nset-cookie: a=b",
        "/v1/token",
        "/_consolex",
        "/" * 9000,
    ],
)
def test_a_sign_in_leads_to_pages_of_ours_alone(process: InProcess, browser: Browser, onward: str):
    new_user(process, "ann")
    browser.get("/_console/sign-in")
    fields = {**browser.page.form("/_console/sign-in").fields, "account": process.account, "user": "ann", "password": PASSWORD}
    page = browser.post("/_console/sign-in", {**fields, "next": onward})
    assert page.location == "/_console/"
    assert all("a=b" not in value for _, value in page.response.headers)


def test_it_leads_back_to_what_was_asked_for(process: InProcess, browser: Browser):
    new_user(process, "ann")
    onward = "/v1/authorize?client_id=x&state=a%20b"
    assert browser.sign_in(process.account, "ann", PASSWORD, onward).location == onward


def test_a_number_is_an_account_and_no_alias(process: InProcess, browser: Browser):
    """Of an alias that is there from before: whoever types the number of an account does not come to another one's role."""
    new_user(process, "ann", "arn:aws:iam::aws:policy/AdministratorAccess")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{process.account}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    assert process.iam("CreateRole", RoleName="work", AssumeRolePolicyDocument=document).status == 200
    with process.state.store.writing() as tx:
        tx.run("UPDATE iam_account SET alias = '999999999999' WHERE account = ?", process.account)
    process.state.store.commit()
    browser.sign_in(process.account, "ann", PASSWORD)
    for typed, status in (("999999999999", 403), ("9999-9999-9999", 403), (process.account, 303)):
        browser.get("/_console/switch-role")
        assert browser.send("/_console/switch-role", account=typed, role="work").status == status
