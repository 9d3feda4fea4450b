"""CreateOAuth2Token: what a code and a refresh token are good for, and every way in which they are not.

Sources: AWS Sign-In API Reference, CreateOAuth2Token; RFC 6749, 7636, 9449 and 9700; AWS CLI User Guide, ``aws login``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from garrison.core.http import Request
from garrison.identity.signin import codes, refresh, sessions
from tests.support.browsing import Browser, browser_of
from tests.support.inprocess import HOST, InProcess
from tests.support.server import AccessKey
from tests.support.signing_in import (
    CONFIRMATION,
    CROSS,
    LOCAL_DEVELOPMENT,
    PASSWORD,
    SAME,
    Clock,
    CommandLine,
    answer_of,
    dpop,
    error_of,
    new_key,
    new_user,
)


@pytest.fixture
def process() -> Iterator[InProcess]:
    made = InProcess()
    yield made
    made.close()


@pytest.fixture
def clock(process: InProcess) -> Clock:
    return Clock(process)


@pytest.fixture
def browser(process: InProcess, clock: Clock) -> Browser:
    """Ann's, who may use command lines, signed in."""
    new_user(process, "ann", LOCAL_DEVELOPMENT)
    found = browser_of(process)
    assert found.sign_in(process.account, "ann", PASSWORD).status == 303
    return found


@pytest.fixture
def cli(process: InProcess, clock: Clock) -> CommandLine:
    return CommandLine(process, clock)


def key_in(answer: dict[str, object]) -> AccessKey:
    made = answer["accessToken"]
    assert isinstance(made, dict)
    return AccessKey(made["accessKeyId"], made["secretAccessKey"], made["sessionToken"])


def whoami(process: InProcess, key: AccessKey) -> str:
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    answer = process.send(process.signed("sts", body, {"content-type": "application/x-www-form-urlencoded"}, key))
    return answer.body.decode().partition("<Arn>")[2].partition("</Arn>")[0] or answer.body.decode()


# What they are good for


def test_a_code_becomes_credentials_for_a_quarter_of_an_hour(
    process: InProcess, clock: Clock, browser: Browser, cli: CommandLine
):
    answer = cli.login(browser)
    arn = f"arn:aws:iam::{process.account}:user/ann"
    assert (answer["tokenType"], answer["expiresIn"]) == ("aws_sigv4", 900)
    assert whoami(process, key_in(answer)) == arn
    head, body, _ = answer["idToken"].split(".")
    assert json.loads(base64.urlsafe_b64decode(head + "=="))["alg"] == "HS256"
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    assert (claims["sub"], claims["aud"]) == (arn, SAME)
    # The signature of a call is held against the same clock.
    event = process.last_event()
    assert event["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"] == "false"


def test_for_another_device_the_code_is_shown(process: InProcess, clock: Clock, browser: Browser):
    cli = CommandLine(process, clock, client=CROSS, redirect_uri=CONFIRMATION)
    assert whoami(process, key_in(cli.login(browser))) == f"arn:aws:iam::{process.account}:user/ann"


def test_a_refresh_changes_the_token_and_has_no_id_token(process: InProcess, clock: Clock, browser: Browser, cli: CommandLine):
    first = cli.login(browser)
    clock.go(600)
    second = answer_of(cli.refresh(first["refreshToken"]))
    assert "idToken" not in second
    assert second["refreshToken"] != first["refreshToken"]
    assert second["accessToken"]["accessKeyId"] != first["accessToken"]["accessKeyId"]
    answer_of(cli.refresh(second["refreshToken"]))


def test_a_session_lasts_twelve_hours(clock: Clock, browser: Browser, cli: CommandLine):
    token = cli.login(browser)["refreshToken"]
    clock.go(sessions.SESSION_SECONDS - 300)
    answer = answer_of(cli.refresh(token))
    assert answer["expiresIn"] == 300
    clock.go(300)
    assert error_of(cli.refresh(answer["refreshToken"])) == ("AccessDeniedException", "TOKEN_EXPIRED")


def test_a_session_lasts_no_longer_than_the_login_profile_lets_it(process: InProcess, clock: Clock, browser: Browser):
    """IAM API Reference, UpdateLoginProfile: MaxSigninSessionDuration is of every sign-in session of the user."""
    assert process.iam("UpdateLoginProfile", UserName="ann", MaxSigninSessionDuration="3600").status == 200
    cli = CommandLine(process, clock)
    token = cli.login(browser)["refreshToken"]
    clock.go(3300)
    answer = answer_of(cli.refresh(token))
    assert answer["expiresIn"] == 300
    clock.go(300)
    assert error_of(cli.refresh(answer["refreshToken"])) == ("AccessDeniedException", "TOKEN_EXPIRED")


def test_credentials_carry_the_session_and_its_time_into_policies(process: InProcess, browser: Browser, cli: CommandLine):
    answer = cli.login(browser)
    session = process.gateway.principals.credential(
        answer["accessToken"]["accessKeyId"], answer["accessToken"]["sessionToken"], process.gateway.clock()
    ).principal.session
    assert session is not None
    assert session.signin_session.startswith(f"arn:aws:signin:us-east-1:{process.account}:session/")
    deny = {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"ArnEquals": {"aws:SignInSessionArn": session.signin_session}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    assert process.iam("PutUserPolicy", UserName="ann", PolicyName="end", PolicyDocument=document).status == 200
    assert process.iam("ListUsers", key_in(answer)).status == 403
    assert error_of(cli.refresh(answer["refreshToken"])) == ("AccessDeniedException", "INSUFFICIENT_PERMISSIONS")


# Codes


def test_a_code_counts_once_and_who_comes_again_ends_what_it_opened(clock: Clock, browser: Browser, cli: CommandLine):
    code = cli.code(browser)
    answer = answer_of(cli.redeem(code))
    thief = CommandLine(cli.process, clock, verifier=cli.verifier)
    assert error_of(thief.redeem(code)) == ("AccessDeniedException", "AUTHCODE_EXPIRED")
    assert error_of(cli.refresh(answer["refreshToken"])) == ("AccessDeniedException", "TOKEN_EXPIRED")


def test_a_code_counts_for_minutes(clock: Clock, browser: Browser, cli: CommandLine):
    assert codes.CODE_SECONDS <= 600
    code = cli.code(browser)
    clock.go(codes.CODE_SECONDS)
    assert error_of(cli.redeem(code)) == ("AccessDeniedException", "AUTHCODE_EXPIRED")


@pytest.mark.parametrize(
    "changed",
    [
        {"codeVerifier": "x" * 64},
        {"redirectUri": "http://127.0.0.1:1/oauth/callback"},
        {"redirectUri": "http://localhost:34567/oauth/callback"},
        {"clientId": CROSS},
    ],
    ids=["verifier", "port", "host", "client"],
)
def test_a_code_is_for_its_client_address_and_verifier_and_burns(browser: Browser, cli: CommandLine, changed: dict[str, str]):
    code = cli.code(browser)
    assert error_of(cli.token({**cli.request(code), **changed})) == ("ValidationException", "INVALID_REQUEST")
    assert error_of(cli.redeem(code)) == ("AccessDeniedException", "AUTHCODE_EXPIRED")


def test_a_wrong_code_and_a_wrong_verifier_read_alike(browser: Browser, cli: CommandLine):
    wrong = cli.redeem(cli.code(browser), codeVerifier="x" * 64)
    unknown = cli.redeem("A" * 43)
    assert (wrong.status, wrong.body) == (unknown.status, unknown.body)


@pytest.mark.parametrize("missing", ["code", "redirectUri", "codeVerifier"])
def test_what_a_code_needs_beside_it(cli: CommandLine, missing: str):
    response = cli.token({name: value for name, value in cli.request("A" * 43).items() if name != missing})
    assert error_of(response) == ("ValidationException", "INVALID_REQUEST")
    assert missing in json.loads(response.body)["message"]


def test_a_key_that_was_named_beforehand_is_the_only_one(process: InProcess, clock: Clock, browser: Browser):
    """RFC 9449, section 10: ``dpop_jkt``."""
    cli = CommandLine(process, clock)
    thumbprint = cli.challenge  # of the same form, and of no key here
    browser.get(cli.address(dpop_jkt=thumbprint))
    page = browser.send("/v1/authorize")
    code = page.location.partition("code=")[2].partition("&")[0]
    assert error_of(cli.redeem(code)) == ("ValidationException", "INVALID_REQUEST")


def test_a_browser_that_signed_out_takes_its_codes_along(browser: Browser, cli: CommandLine):
    code = cli.code(browser)
    browser.get("/_console/mfa")
    browser.send("/_console/sign-out")
    assert error_of(cli.redeem(code)) == ("AccessDeniedException", "TOKEN_EXPIRED")


# Proofs


def test_without_one_proof_there_is_no_token(clock: Clock, browser: Browser, cli: CommandLine):
    code = cli.code(browser)
    one, two = dpop(cli.key, clock.now), dpop(cli.key, clock.now)
    for proofs in ((), (one, two), ("",), ("a.b.c",), (dpop(cli.key, clock.now, htu="https://signin.example/v1/token"),)):
        assert error_of(cli.redeem(code, proofs)) == ("ValidationException", "INVALID_REQUEST")
    answer_of(cli.redeem(code, (one,)))


def test_a_proof_counts_once(clock: Clock, browser: Browser, cli: CommandLine):
    token = cli.login(browser)["refreshToken"]
    proof = dpop(cli.key, clock.now)
    after = answer_of(cli.refresh(token, (proof,)))["refreshToken"]
    assert error_of(cli.refresh(after, (proof,))) == ("ValidationException", "INVALID_REQUEST")
    answer_of(cli.refresh(after))


def test_a_refresh_token_is_of_no_use_without_its_key(clock: Clock, browser: Browser, cli: CommandLine):
    token = cli.login(browser)["refreshToken"]
    stolen = cli.refresh(token, (dpop(new_key(), clock.now),))
    assert error_of(stolen) == ("ValidationException", "INVALID_REQUEST")
    answer_of(cli.refresh(token))


# Refresh tokens


def test_an_old_refresh_token_ends_the_session(clock: Clock, browser: Browser, cli: CommandLine):
    first = cli.login(browser)["refreshToken"]
    second = answer_of(cli.refresh(first))["refreshToken"]
    clock.go(refresh.OVERLAP_SECONDS + 1)
    assert error_of(cli.refresh(first)) == ("AccessDeniedException", "TOKEN_EXPIRED")
    assert error_of(cli.refresh(second)) == ("AccessDeniedException", "TOKEN_EXPIRED")


def test_a_token_two_refreshes_old_ends_the_session_at_once(browser: Browser, cli: CommandLine):
    first = cli.login(browser)["refreshToken"]
    second = answer_of(cli.refresh(first))["refreshToken"]
    third = answer_of(cli.refresh(second))["refreshToken"]
    assert error_of(cli.refresh(first)) == ("AccessDeniedException", "TOKEN_EXPIRED")
    assert error_of(cli.refresh(third)) == ("AccessDeniedException", "TOKEN_EXPIRED")


def test_two_commands_that_refresh_at_one_time_both_go_on(browser: Browser, cli: CommandLine):
    token = cli.login(browser)["refreshToken"]
    one, other = answer_of(cli.refresh(token)), answer_of(cli.refresh(token))
    answer_of(cli.refresh(one["refreshToken"]))
    answer_of(cli.refresh(other["refreshToken"]))


def test_a_token_of_one_client_is_not_anothers(browser: Browser, cli: CommandLine):
    token = cli.login(browser)["refreshToken"]
    assert error_of(cli.refresh(token, clientId=CROSS)) == ("ValidationException", "INVALID_REQUEST")


@pytest.mark.parametrize("token", ["x", "A" * 200, "not base64url!", "é", "A" * 12288])
def test_what_is_no_refresh_token(cli: CommandLine, token: str):
    assert error_of(cli.refresh(token)) == ("ValidationException", "INVALID_REQUEST")


def test_an_altered_refresh_token_is_refused(browser: Browser, cli: CommandLine):
    token = cli.login(browser)["refreshToken"]
    for place in range(0, len(token) - 1, 5):
        altered = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert error_of(cli.refresh(altered))[0] == "ValidationException"
    answer_of(cli.refresh(token))


# The user behind it


def test_a_changed_password_ends_every_session(process: InProcess, clock: Clock, browser: Browser, cli: CommandLine):
    token = cli.login(browser)["refreshToken"]
    clock.go(1)
    assert process.iam("UpdateLoginProfile", UserName="ann", Password="Another-horse-2").status == 200
    assert error_of(cli.refresh(token)) == ("AccessDeniedException", "USER_CREDENTIALS_CHANGED")
    assert browser.get("/_console/").location == "/_console/sign-in"


def test_a_password_that_was_taken_away_ends_them_too(process: InProcess, browser: Browser, cli: CommandLine):
    token = cli.login(browser)["refreshToken"]
    assert process.iam("DeleteLoginProfile", UserName="ann").status == 200
    assert error_of(cli.refresh(token)) == ("AccessDeniedException", "USER_CREDENTIALS_CHANGED")


def test_signing_out_everywhere_ends_command_lines(browser: Browser, cli: CommandLine):
    token = cli.login(browser)["refreshToken"]
    browser.get("/_console/")
    form = next(each for each in browser.page.forms if "everywhere" in each.fields)
    browser.post(form.action, form.fields)
    assert error_of(cli.refresh(token)) == ("AccessDeniedException", "USER_CREDENTIALS_CHANGED")


def test_a_permission_that_was_taken_away(process: InProcess, clock: Clock, browser: Browser, cli: CommandLine):
    code = cli.code(browser)
    other = CommandLine(process, clock)
    token = other.login(browser)["refreshToken"]
    assert process.iam("DetachUserPolicy", UserName="ann", PolicyArn=LOCAL_DEVELOPMENT).status == 200
    assert error_of(cli.redeem(code)) == ("AccessDeniedException", "INSUFFICIENT_PERMISSIONS")
    assert error_of(other.refresh(token)) == ("AccessDeniedException", "INSUFFICIENT_PERMISSIONS")
    event = process.last_event()
    assert event["errorCode"] == "AccessDeniedException"
    assert event["userIdentity"]["userName"] == "ann"
    assert event["decision"]["action"] == "signin:CreateOAuth2Token"


def test_a_policy_may_allow_one_kind_of_client_alone(process: InProcess, clock: Clock):
    new_user(process, "bob")
    statement = {
        "Effect": "Allow",
        "Action": ["signin:AuthorizeOAuth2Access", "signin:CreateOAuth2Token"],
        "Resource": f"arn:aws:signin:*:{process.account}:oauth2/public-client/localhost",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert process.iam("PutUserPolicy", UserName="bob", PolicyName="local", PolicyDocument=document).status == 200
    browser = browser_of(process)
    browser.sign_in(process.account, "bob", PASSWORD)
    CommandLine(process, clock).login(browser)
    remote = CommandLine(process, clock, client=CROSS, redirect_uri=CONFIRMATION)
    browser.get(remote.address())
    page = browser.send("/v1/authorize")
    assert page.status == 403
    assert "signin:AuthorizeOAuth2Access on resource" in page.message


# On record


def test_neither_code_nor_token_nor_key_is_on_record(process: InProcess, browser: Browser, cli: CommandLine):
    code = cli.code(browser)
    answer = answer_of(cli.redeem(code))
    cli.refresh(answer["refreshToken"])
    trail = json.dumps(process.events())
    made = answer["accessToken"]
    for secret in (
        code,
        cli.verifier,
        answer["refreshToken"],
        made["secretAccessKey"],
        made["sessionToken"],
        answer["idToken"],
        PASSWORD,
    ):
        assert secret not in trail
    names = [event["eventName"] for event in process.events()]
    assert names.count("CreateOAuth2Token") == 2
    assert "AuthorizeOAuth2Access" in names


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"clientId":"x","grantType":"authorization_code"}',
        b'{"clientId":"arn:aws:signin:::devtools/same-device","grantType":"password"}',
        b'{"clientId":"arn:aws:signin:::devtools/same-device","grantType":"refresh_token"}',
        b'{"clientId":5,"grantType":6}',
        b"{" * 5000,
    ],
)
def test_bad_bodies_are_refused_as_such(process: InProcess, clock: Clock, body: bytes):
    headers = [("host", HOST), ("content-type", "application/json"), ("dpop", dpop(new_key(), clock.now))]
    response = process.send(Request("POST", "/v1/token", "", headers, body))
    assert response.status == 400
    assert error_of(response)[0] in {"ValidationException", "SerializationException"}
