"""``/federation``: temporary credentials that become a browser's session.

Source: IAM User Guide, "Enable custom identity broker access to the AWS console".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.browsing import Browser, Page, browser_of
from tests.support.inprocess import HOST, InProcess, between
from tests.support.server import AccessKey
from tests.support.signing_in import LOCAL_DEVELOPMENT, PASSWORD, Clock, CommandLine, new_user


@pytest.fixture
def process() -> Iterator[InProcess]:
    made = InProcess()
    yield made
    made.close()


@pytest.fixture
def clock(process: InProcess) -> Clock:
    return Clock(process)


def sts(process: InProcess, action: str, key: AccessKey | None = None, **members: str) -> AccessKey:
    body = urlencode({"Action": action, "Version": "2011-06-15", **members}).encode()
    answer = process.send(process.signed("sts", body, {"content-type": "application/x-www-form-urlencoded"}, key)).body.decode()
    found = AccessKey(*(between(answer, name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")))
    assert found.access_key_id, answer
    return found


def role(process: InProcess, name: str = "work", **more: str) -> AccessKey:
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{process.account}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    process.iam("CreateRole", RoleName=name, AssumeRolePolicyDocument=document, **more)
    return sts(process, "AssumeRole", RoleArn=f"arn:aws:iam::{process.account}:role/{name}", RoleSessionName="broker")


def session_of(key: AccessKey) -> str:
    return json.dumps({"sessionId": key.access_key_id, "sessionKey": key.secret_access_key, "sessionToken": key.session_token})


def ask(browser: Browser, session: str, **more: str) -> Page:
    return browser.get("/federation?" + urlencode({"Action": "getSigninToken", "Session": session, **more}))


def token(browser: Browser, key: AccessKey, **more: str) -> str:
    page = ask(browser, session_of(key), **more)
    assert page.status == 200, page.body
    return str(json.loads(page.body)["SigninToken"])


def follow(browser: Browser, signin_token: str, **more: str) -> Page:
    given = {"Action": "login", "Issuer": "https://broker.example/", "SigninToken": signin_token, **more}
    return browser.get("/federation?" + urlencode(given))


def go_on(browser: Browser) -> Page:
    return browser.send("/_console/federation")


def test_a_role_signs_in(process: InProcess, clock: Clock):
    browser = browser_of(process)
    page = follow(browser, token(browser, role(process)))
    arn = f"arn:aws:sts::{process.account}:assumed-role/work/broker"
    assert page.texts["arn"] == arn
    assert "garrison-session" not in browser.cookies
    assert go_on(browser).location == "/_console/"
    assert browser.get("/_console/").texts["arn"] == arn
    login = next(event for event in reversed(process.events()) if event["eventName"] == "ConsoleLogin")
    assert (login["userIdentity"]["type"], login["userIdentity"]["arn"]) == ("AssumedRole", arn)
    assert login["responseElements"] == {"ConsoleLogin": "Success"}


def test_a_federated_user_signs_in(process: InProcess, clock: Clock):
    key = sts(process, "GetFederationToken", Name="guest")
    browser = browser_of(process)
    follow(browser, token(browser, key))
    go_on(browser)
    assert browser.get("/_console/").texts["arn"] == f"arn:aws:sts::{process.account}:federated-user/guest"


def test_the_session_ends_with_the_credentials_or_as_was_asked(process: InProcess, clock: Clock):
    key = role(process, MaxSessionDuration="7200")
    for more, seconds in (({}, 3600), ({"SessionDuration": "7200"}, 7200)):
        browser = browser_of(process)
        follow(browser, token(browser, key, **more))
        go_on(browser)
        start = clock.now
        clock.now = start + seconds - 60
        assert browser.get("/_console/").status == 200
        clock.now = start + seconds + 60
        assert browser.get("/_console/").status == 303
        clock.now = start


def test_a_token_counts_once(process: InProcess, clock: Clock):
    browser, thief = browser_of(process), browser_of(process)
    made = token(browser, role(process))
    follow(browser, made)
    follow(thief, made)
    assert go_on(browser).status == 303
    assert go_on(thief).status == 403
    assert "garrison-session" not in thief.cookies


def test_a_token_counts_for_a_quarter_of_an_hour(process: InProcess, clock: Clock):
    browser = browser_of(process)
    made = token(browser, role(process))
    follow(browser, made)
    clock.go(900)
    assert follow(browser_of(process), made).status == 403
    assert go_on(browser).status == 403


def test_an_altered_token_is_none(process: InProcess, clock: Clock):
    browser = browser_of(process)
    made = token(browser, role(process))
    for altered in ("", "x", "00", made[:-1] + ("0" if made[-1] != "0" else "1"), made[2:], "é", "0" * 200_000):
        assert follow(browser, altered).status == 403


def test_a_role_that_is_gone_takes_its_tokens_along(process: InProcess, clock: Clock):
    browser = browser_of(process)
    made = token(browser, role(process))
    follow(browser, made)
    assert process.iam("DeleteRole", RoleName="work").status == 200
    assert go_on(browser).status == 403


@pytest.mark.parametrize(
    "destination",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "http://127.0.0.1:4566.evil.example/",
        "http://127.0.0.1:4566@evil.example/",
        "https://console.aws.amazon.com.evil.example/",
        "https://evil.example/console.aws.amazon.com/",
        "javascript:alert(1)",
        "http://[",
    ],
)
def test_it_leads_to_pages_of_ours_alone(process: InProcess, clock: Clock, destination: str):
    browser = browser_of(process)
    assert follow(browser, token(browser, role(process)), Destination=destination).status == 400
    made = token(browser, role(process))
    follow(browser, made)
    fields = {**browser.page.form("/_console/federation").fields, "next": destination}
    assert browser.post("/_console/federation", fields).location == "/_console/"


@pytest.mark.parametrize(
    ("destination", "leads"),
    [
        ("http://127.0.0.1:4566/_console/mfa", "/_console/mfa"),
        ("/_console/sessions", "/_console/sessions"),
        ("https://console.aws.amazon.com/s3/home", "/_console/"),
        ("https://eu-central-1.console.aws.amazon.com/", "/_console/"),
    ],
)
def test_our_own_pages_are_fine_and_aws_own_console_is_ours(process: InProcess, clock: Clock, destination: str, leads: str):
    browser = browser_of(process)
    follow(browser, token(browser, role(process)), Destination=destination)
    assert go_on(browser).location == leads


def test_a_link_signs_nobody_in_as_somebody_else(process: InProcess, clock: Clock):
    arn = new_user(process, "ann")
    victim = browser_of(process)
    victim.sign_in(process.account, "ann", PASSWORD)
    made = token(browser_of(process), role(process))
    follow(victim, made)
    assert victim.get("/_console/").texts["arn"] == arn
    assert victim.post("/_console/federation", {"token": made, "next": "/_console/"}).status == 403
    assert victim.get("/_console/").texts["arn"] == arn


@pytest.mark.parametrize("seconds", ["899", "43201", "x", "-1", "3601", "9" * 30, "٣٦٠٠"])
def test_durations_that_are_refused(process: InProcess, clock: Clock, seconds: str):
    assert ask(browser_of(process), session_of(role(process)), SessionDuration=seconds).status == 400


def test_a_duration_is_refused_for_federated_users_and_chained_roles(process: InProcess, clock: Clock):
    federated = sts(process, "GetFederationToken", Name="guest")
    assert ask(browser_of(process), session_of(federated), SessionDuration="900").status == 400


def test_credentials_of_other_kinds_are_refused(process: InProcess, clock: Clock):
    own = sts(process, "GetSessionToken")
    browser = browser_of(process)
    assert ask(browser, session_of(own)).status == 400
    assert ask(browser, session_of(process.admin)).status == 400


def test_the_secret_must_be_right_too(process: InProcess, clock: Clock):
    key = role(process)
    stolen: dict[str, Any] = json.loads(session_of(key))
    browser = browser_of(process)
    assert ask(browser, json.dumps({**stolen, "sessionKey": "x" * 40})).status == 403
    assert ask(browser, json.dumps({**stolen, "sessionId": "ASIAXXXXXXXXXXXXXXXX"})).status == 403
    clock.go(3600)
    assert ask(browser, json.dumps(stolen)).status == 403


@pytest.mark.parametrize(
    "session", ["", "{", "[]", "null", '{"sessionId":1}', '{"sessionId":"a","sessionKey":"b"}', "[" * 9000, "x" * 60_000]
)
def test_what_is_no_session(process: InProcess, clock: Clock, session: str):
    assert ask(browser_of(process), session).status == 400


def test_a_session_of_a_role_has_no_devices_or_passwords(process: InProcess, clock: Clock):
    browser = browser_of(process)
    follow(browser, token(browser, role(process)))
    go_on(browser)
    assert browser.get("/_console/mfa/key").location == "/_console/mfa"
    browser.get("/_console/password")
    page = browser.send("/_console/password", old="a", new="b", repeated="b")
    assert page.status == 400


# Whose session it is


def admin_of(process: InProcess, name: str) -> AccessKey:
    """A user with a password, an access key and every permission."""
    new_user(process, name, "arn:aws:iam::aws:policy/AdministratorAccess")
    made = process.iam("CreateAccessKey", UserName=name).body.decode()
    return AccessKey(between(made, "AccessKeyId"), between(made, "SecretAccessKey"))


def guest_of(process: InProcess, key: AccessKey, host: str = HOST) -> Browser:
    """A federated user, whose session policy allows everything, in a browser."""
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    browser = browser_of(process)
    browser.host, browser.origin = host, f"http://{host}"
    follow(browser, token(browser, sts(process, "GetFederationToken", key, Name="guest", Policy=json.dumps(everything))))
    assert go_on(browser).status == 303
    return browser


def test_a_federated_user_is_not_the_user_who_lent_the_credentials(process: InProcess, clock: Clock):
    key = admin_of(process, "ann")
    ann = browser_of(process)
    assert ann.sign_in(process.account, "ann", PASSWORD).status == 303
    guest = guest_of(process, key, "localhost:4566")
    assert guest.get("/_console/sessions").body.count("browser") == 1
    of_ann = ann.cookies["garrison-session"].partition(".")[0]
    form = guest.page.form("/_console/sessions")
    assert guest.post("/_console/sessions", {**form.fields, "id": of_ann}).status == 303
    assert guest.get("/_console/mfa/key").location == "/_console/mfa"
    guest.get("/_console/")
    assert guest.send("/_console/sign-out", everywhere="1").status == 303
    assert ann.get("/_console/").status == 200
    assert guest.get("/_console/").status == 303


def test_a_federated_user_of_the_root_user_changes_no_password_of_it(process: InProcess, clock: Clock):
    guest = guest_of(process, process.root)
    guest.get("/_console/password")
    page = guest.send("/_console/password", old=PASSWORD, new="Another-horse-2", repeated="Another-horse-2")
    assert (page.status, "The old password" in page.message) == (400, False)
    assert guest.get("/_console/mfa/key").location == "/_console/mfa"


def test_one_roles_sessions_are_of_as_many_people_as_they_have_names(process: InProcess, clock: Clock):
    key = role(process)
    other = sts(process, "AssumeRole", RoleArn=f"arn:aws:iam::{process.account}:role/work", RoleSessionName="another")
    one, two, third = browser_of(process), browser_of(process), browser_of(process)
    for browser, credentials in ((one, key), (two, key), (third, other)):
        follow(browser, token(browser, credentials))
        go_on(browser)
    assert one.get("/_console/sessions").body.count("<li>browser") == 2
    one.get("/_console/")
    one.send("/_console/sign-out", everywhere="1")
    assert [each.get("/_console/").status for each in (one, two, third)] == [303, 303, 200]


def test_credentials_of_a_sign_in_session_make_no_longer_one(process: InProcess, clock: Clock):
    """A quarter of an hour at a time is all that they have; a role's session would go on for ever otherwise."""
    key = role(process, MaxSessionDuration="43200")
    process.iam("AttachRolePolicy", RoleName="work", PolicyArn=LOCAL_DEVELOPMENT)
    browser = browser_of(process)
    follow(browser, token(browser, key))
    go_on(browser)
    made = CommandLine(process, clock).login(browser)["accessToken"]
    minted = AccessKey(made["accessKeyId"], made["secretAccessKey"], made["sessionToken"])
    assert ask(browser, session_of(minted), SessionDuration="43200").status == 400
    again = browser_of(process)
    follow(again, token(again, minted))
    go_on(again)
    clock.go(901)
    assert again.get("/_console/").status == 303


def test_a_sign_in_session_of_a_role_lasts_as_long_as_the_role_lets_it(process: InProcess, clock: Clock):
    """IAM API Reference, CreateRole: MaxSigninSessionDuration is independent of MaxSessionDuration."""
    key = role(process, MaxSessionDuration="43200", MaxSigninSessionDuration="3600")
    browser = browser_of(process)
    follow(browser, token(browser, key, SessionDuration="43200"))
    go_on(browser)
    clock.go(3599)
    assert browser.get("/_console/").status == 200
    clock.go(1)
    assert browser.get("/_console/").status == 303
