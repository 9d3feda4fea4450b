"""``/v1/authorize``: who may be allowed what, and where a code never goes.

Sources: RFC 6749, sections 4.1 and 10; RFC 7636; RFC 8252; RFC 9700.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.browsing import Browser, browser_of
from tests.support.inprocess import HOST, InProcess
from tests.support.signing_in import CONFIRMATION, CROSS, LOCAL_DEVELOPMENT, PASSWORD, Clock, CommandLine, new_user


@pytest.fixture
def process() -> Iterator[InProcess]:
    made = InProcess()
    yield made
    made.close()


@pytest.fixture
def browser(process: InProcess) -> Browser:
    new_user(process, "ann", LOCAL_DEVELOPMENT)
    found = browser_of(process)
    assert found.sign_in(process.account, "ann", PASSWORD).status == 303
    return found


@pytest.fixture
def cli(process: InProcess) -> CommandLine:
    return CommandLine(process, Clock(process))


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/oauth/callback",
        "http://evil.example:80/oauth/callback",
        "http://127.0.0.1.evil.example:8000/",
        "http://127.0.0.1@evil.example:8000/",
        "http://evil.example#@127.0.0.1:8000/",
        "http://127.0.0.1:8000\\@evil.example/",
        "http://127.0.0.1:8000/#fragment",
        "http://127.0.0.1:8000/?code=mine",
        "http://user@127.0.0.1:8000/",
        "http://127.0.0.1/oauth/callback",
        "http://127.0.0.1:99999/",
        "http://2130706433:8000/",
        "https://127.0.0.1:8000/",
        "javascript:alert(1)",
        "//127.0.0.1:8000/",
        "http://127.0.0.1:8000/\r\nset-cookie:a=b",
        "http://127.0.0.1:8000/" + "x" * 3000,
        "",
    ],
)
def test_a_code_for_this_device_goes_to_a_port_of_the_loopback_alone(browser: Browser, cli: CommandLine, uri: str):
    page = browser.get(cli.address(redirect_uri=uri))
    assert (page.status, page.location) == (400, "")
    token = csrf(browser)
    fields = {"response_type": "code", "client_id": cli.client, "state": "s", "code_challenge_method": "SHA-256"}
    fields |= {"scope": "openid", "code_challenge": cli.challenge, "redirect_uri": uri, "csrf": token}
    page = browser.post("/v1/authorize", fields)
    assert (page.status, page.location) == (400, "")


def csrf(browser: Browser) -> str:
    return browser.get("/_console/password").forms[-1].fields["csrf"]


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1/oauth/callback", "http://localhost:65535/", "http://[::1]:8000/x"])
def test_any_port_and_path_of_the_loopback_will_do(browser: Browser, cli: CommandLine, uri: str):
    cli.redirect_uri = uri
    assert cli.code(browser)


@pytest.mark.parametrize(
    "uri",
    [
        "http://evil.example/v1/sessions/confirmation",
        f"http://{HOST}/v1/sessions/confirmation/x",
        f"http://{HOST}/v1/sessions/confirmation?x",
        f"http://{HOST}.evil.example/v1/sessions/confirmation",
        f"ftp://{HOST}/v1/sessions/confirmation",
        "http://127.0.0.1:34567/oauth/callback",
    ],
)
def test_a_code_for_another_device_goes_nowhere_but_on_our_own_page(browser: Browser, cli: CommandLine, uri: str):
    cli.client = CROSS
    assert browser.get(cli.address(redirect_uri=uri)).status == 400


@pytest.mark.parametrize(
    "changed",
    [
        {"response_type": "token"},
        {"response_type": ""},
        {"client_id": "arn:aws:signin:::devtools/other"},
        {"client_id": ""},
        {"scope": "openid profile"},
        {"scope": ""},
        {"state": ""},
        {"state": "x" * 1025},
        {"state": "\r\n"},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": ""},
        {"code_challenge": ""},
        {"code_challenge": "short"},
        {"code_challenge": "x" * 64},
        {"dpop_jkt": "short"},
    ],
)
def test_a_request_that_proves_less_is_refused(browser: Browser, cli: CommandLine, changed: dict[str, str]):
    """PKCE cannot be left out or made plain; nothing of a refused request leads anywhere."""
    page = browser.get(cli.address(**changed))
    assert (page.status, page.location, page.forms[1:]) == (400, "", [])


def test_a_link_alone_allows_nothing(process: InProcess, browser: Browser, cli: CommandLine):
    page = browser.get(cli.address())
    assert (page.status, page.location) == (200, "")
    assert process.state.store.reading().one("SELECT count(*) FROM signin_code") == (0,)


def test_the_form_leads_to_the_client_and_nowhere_else(browser: Browser, cli: CommandLine):
    policy = browser.get(cli.address()).header("content-security-policy")
    assert "form-action 'self' http://127.0.0.1:34567;" in policy
    cli.client, cli.redirect_uri = CROSS, CONFIRMATION
    assert "form-action 'self';" in browser.get(cli.address()).header("content-security-policy")


def test_who_is_not_signed_in_does_that_first(process: InProcess, cli: CommandLine):
    new_user(process, "bob", LOCAL_DEVELOPMENT)
    browser = browser_of(process)
    page = browser.get(cli.address())
    assert page.location.startswith("/_console/sign-in?next=%2Fv1%2Fauthorize")
    browser.get(page.location)
    page = browser.send("/_console/sign-in", account=process.account, user="bob", password=PASSWORD)
    assert browser.get(page.location).texts["arn"] == f"arn:aws:iam::{process.account}:user/bob"


def test_the_form_of_a_session_that_is_over_allows_nothing(process: InProcess, browser: Browser, cli: CommandLine):
    browser.get(cli.address())
    form = browser.page.form("/v1/authorize")
    browser.get("/_console/mfa")
    browser.send("/_console/sign-out")
    assert browser.post("/v1/authorize", form.fields).status == 403
    assert process.state.store.reading().one("SELECT count(*) FROM signin_code") == (0,)


def test_without_the_permission_the_reason_is_told_and_on_record(process: InProcess, cli: CommandLine):
    arn = new_user(process, "bob")
    browser = browser_of(process)
    browser.sign_in(process.account, "bob", PASSWORD)
    browser.get(cli.address())
    page = browser.send("/v1/authorize")
    assert page.status == 403
    resource = f"arn:aws:signin:us-east-1:{process.account}:oauth2/public-client/localhost"
    assert page.message == (
        f"User: {arn} is not authorized to perform: signin:AuthorizeOAuth2Access on resource: {resource}"
        " because no identity-based policy allows the signin:AuthorizeOAuth2Access action"
    )
    event = process.last_event()
    assert (event["eventName"], event["errorCode"]) == ("AuthorizeOAuth2Access", "AccessDeniedException")
    assert event["decision"]["outcome"] == "implicitDeny"


def test_the_state_comes_back_as_it_went(browser: Browser, cli: CommandLine):
    cli.state = "a&b=c d%20+/?#\"'<>"
    assert cli.code(browser)


def test_the_page_of_codes_shows_none_by_itself(browser: Browser):
    page = browser.get("/v1/sessions/confirmation?code=mine")
    assert page.status == 200
    assert "mine" not in page.body
