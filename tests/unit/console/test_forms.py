"""What a page lets in and gives out: forms of other sites, cookies of others, frames, headers, files.

Sources: OWASP Cheat Sheet Series (cross-site request forgery, session management, clickjacking); RFC 6265bis.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from garrison.console import answers, visits
from garrison.console.visits import RefusedFormError
from garrison.core.context import Call
from garrison.core.http import Request
from garrison.identity.signin import sessions
from tests.support.browsing import Browser, browser_of
from tests.support.inprocess import HOST, InProcess
from tests.support.signing_in import PASSWORD, Clock, CommandLine, new_user

PAGES = (
    "/_console/",
    "/_console/mfa",
    "/_console/mfa/key",
    "/_console/password",
    "/_console/switch-role",
    "/_console/sessions",
    "/_console/sign-in",
    "/_console/sign-in/root",
    "/_console/nothing",
    "/v1/sessions/confirmation",
    "/v1/authorize",
)


@pytest.fixture
def process() -> Iterator[InProcess]:
    made = InProcess()
    yield made
    made.close()


@pytest.fixture
def browser(process: InProcess) -> Browser:
    new_user(process, "ann")
    found = browser_of(process)
    assert found.sign_in(process.account, "ann", PASSWORD).status == 303
    return found


# Cross-site requests


@pytest.mark.parametrize(
    "path", ["/_console/sign-out", "/_console/password", "/_console/switch-role", "/_console/mfa/new", "/v1/authorize"]
)
def test_a_form_without_the_token_of_this_browser_and_session_is_refused(process: InProcess, browser: Browser, path: str):
    browser.get("/_console/password")
    token = browser.page.forms[-1].fields["csrf"]
    other = browser_of(process)
    other.get("/_console/sign-in")
    foreign = other.page.forms[0].fields["csrf"]
    for fields in ({}, {"csrf": ""}, {"csrf": foreign}, {"csrf": token[:-1] + ("0" if token[-1] != "0" else "1")}, {"csrf": "é"}):
        assert browser.post(path, fields).status == 403
    assert browser.get("/_console/").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://localhost:4566"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_a_form_that_comes_from_elsewhere_is_refused_even_with_the_token(browser: Browser, headers: dict[str, str]):
    browser.get("/_console/password")
    token = browser.page.forms[0].fields["csrf"]
    assert browser.post("/_console/sign-out", {"csrf": token}, **headers).status == 403
    assert browser.post("/_console/sign-out", {"csrf": token}).status == 303


def test_signing_somebody_in_from_elsewhere_is_refused_too(process: InProcess, browser: Browser):
    attacker = browser_of(process)
    attacker.get("/_console/sign-in")
    fields = {**attacker.page.forms[0].fields, "account": process.account, "user": "ann", "password": PASSWORD}
    assert browser_of(process).post("/_console/sign-in", fields).status == 403


# Sessions


def test_a_session_that_somebody_knew_before_is_not_the_one_that_is_opened(process: InProcess):
    new_user(process, "ann")
    victim, attacker = browser_of(process), browser_of(process)
    attacker.get("/_console/sign-in")
    victim.cookies |= attacker.cookies
    victim.cookies["garrison-session"] = "00000000-0000-4000-8000-000000000000." + "0" * 64
    before = dict(victim.cookies)
    victim.sign_in(process.account, "ann", PASSWORD)
    assert victim.cookies["garrison-session"] != before["garrison-session"]
    assert victim.cookies["garrison-visitor"] != before["garrison-visitor"]
    attacker.cookies["garrison-session"] = before["garrison-session"]
    assert attacker.get("/_console/").status == 303


def test_signing_in_anew_ends_the_session_before(process: InProcess, browser: Browser):
    old = browser.cookies["garrison-session"]
    browser.get("/_console/mfa")
    browser.send("/_console/sign-out")
    assert "garrison-session" not in browser.cookies
    thief = browser_of(process)
    thief.cookies["garrison-session"] = old
    assert thief.get("/_console/").status == 303


@pytest.mark.parametrize("wrong", ["", "x", ".", "a.b", "é", "0" * 5000, "'; DROP TABLE signin_session; --.0"])
def test_what_is_no_session(process: InProcess, wrong: str):
    browser = browser_of(process)
    browser.cookies["garrison-session"] = wrong
    assert browser.get("/_console/").status == 303


def test_the_id_of_one_session_with_the_secret_of_another_is_none(process: InProcess, browser: Browser):
    new_user(process, "bob")
    other = browser_of(process)
    other.sign_in(process.account, "bob", PASSWORD)
    mine, theirs = browser.cookies["garrison-session"], other.cookies["garrison-session"]
    browser.cookies["garrison-session"] = theirs.partition(".")[0] + "." + mine.partition(".")[2]
    assert browser.get("/_console/").status == 303


def test_a_command_lines_session_is_no_browsers(process: InProcess):
    clock = Clock(process)
    new_user(process, "cli", "arn:aws:iam::aws:policy/SignInLocalDevelopmentAccess")
    browser = browser_of(process)
    browser.sign_in(process.account, "cli", PASSWORD)
    CommandLine(process, clock).login(browser)
    tx = process.state.store.reading()
    opened = next(each for each in sessions.of_account(tx, process.account) if each.client)
    browser.cookies["garrison-session"] = f"{opened.session_id}.{opened.proof.hex()}"
    assert browser.get("/_console/").status == 303


def test_a_cookie_that_comes_twice_counts_for_nothing(browser: Browser):
    session = browser.cookies["garrison-session"]
    page = browser.get("/_console/", cookie=f"garrison-session={session}; garrison-session=x")
    assert page.status == 303


def test_cookies_are_for_our_pages_alone():
    call = Call(source_ip="192.0.2.1", host="console.example", secure=True)
    name, text = answers.cookie(call, "session", "value")
    assert name == "set-cookie"
    assert text == "__Host-garrison-session=value; Path=/; HttpOnly; SameSite=Strict; Secure"
    _, plain = answers.cookie(Call(source_ip="127.0.0.1", host=HOST), "session", "value")
    assert plain == "garrison-session=value; Path=/; HttpOnly; SameSite=Strict"


def test_nobody_ends_the_session_of_somebody_else(process: InProcess, browser: Browser):
    new_user(process, "bob")
    other = browser_of(process)
    other.sign_in(process.account, "bob", PASSWORD)
    browser.get("/_console/sessions")
    browser.send("/_console/sessions", id=other.cookies["garrison-session"].partition(".")[0])
    assert other.get("/_console/").status == 200
    browser.get("/_console/sessions")
    browser.send("/_console/sessions", id=browser.cookies["garrison-session"].partition(".")[0])
    assert browser.get("/_console/").status == 303


# What is given out


@pytest.mark.parametrize("path", PAGES)
def test_every_page_keeps_frames_scripts_and_caches_out(browser: Browser, path: str):
    page = browser.get(path)
    policy = page.header("content-security-policy")
    if page.status != 303:
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "<style" not in page.body
        assert " style=" not in page.body
        assert "<script>" not in page.body
        assert " on" not in [attribute[:3] for attribute in page.body.split("=")]
    assert page.header("x-frame-options") == "DENY"
    assert page.header("cache-control") == "no-store"
    assert page.header("x-content-type-options") == "nosniff"


def test_what_was_typed_is_shown_as_text(process: InProcess):
    browser = browser_of(process)
    page = browser.sign_in('"><script>alert(1)</script>', "<b>x</b>{{ 7*7 }}", "wrong")
    assert "<script>alert" not in page.body
    assert "<b>x" not in page.body
    assert "&lt;b&gt;x&lt;/b&gt;{{ 7*7 }}" in page.body


def test_scripts_are_there_for_passkeys_alone(browser: Browser):
    assert "script-src 'none'" in browser.get("/_console/").header("content-security-policy")
    assert browser.get("/_console/passkey.js").header("content-type").startswith("text/javascript")
    assert browser.get("/_console/style.css").status == 200
    for path in (
        "/_console/../app.py",
        "/_console/base.html",
        "/_console/%2e%2e/x",
        "/_console/passkey.js/",
        "/_console/__init__.py",
    ):
        assert browser.get(path).status == 404


def test_transport_security_is_asked_for_where_it_harms_nobody():
    def sent(host: str, *, secure: bool) -> bool:
        call = Call(source_ip="192.0.2.1", host=host, secure=secure)
        return any(name == "strict-transport-security" for name, _ in answers.redirect(call, "/").headers)

    assert sent("console.example", secure=True)
    assert not sent("console.example", secure=False)
    assert not any(sent(host, secure=True) for host in ("localhost:4566", "127.0.0.1:4566", "[::1]:4566", "app.localhost"))


def test_a_header_that_would_end_early_is_never_sent():
    with pytest.raises(ValueError, match="cannot be sent"):
        answers.redirect(Call(source_ip="", host=HOST), "/x\r\nset-cookie: a=b")


# Forms


def test_huge_and_odd_forms_are_refused(browser: Browser):
    browser.get("/_console/password")
    token = browser.page.forms[-1].fields["csrf"]
    assert browser.post("/_console/password", {"csrf": token, "old": "x" * visits.MAX_FORM}).status == 413
    assert browser.post("/_console/password", {"csrf": token, **{f"f{n}": "" for n in range(100)}}).status == 400
    assert browser.post("/_console/password", {"csrf": token}, content_type="application/json").status == 415
    assert browser.post("/_console/password", {"csrf": token}, content_type="multipart/form-data; boundary=x").status == 415


def test_control_characters_are_no_part_of_a_field(process: InProcess):
    browser = browser_of(process)
    assert browser.sign_in("a\x00b", "c", "d").status == 400
    assert browser.sign_in("a", "c\r\nd", "d").status == 400
    assert browser.sign_in("a", "c" * 129, "d").status == 400


def test_bytes_that_are_no_text_are_refused(process: InProcess, browser: Browser):
    headers = [("host", HOST), ("content-type", "application/x-www-form-urlencoded")]
    answer = process.send(Request("POST", "/_console/sign-in", "", headers, b"account=%ff%fe&csrf=x"))
    assert answer.status == 400
    assert browser.get("/_console/sign-in?next=%ff").status == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_do_nothing(process: InProcess, method: str):
    assert process.send(Request(method, "/_console/sign-in", "", [("host", HOST)])).status == 405


def test_head_answers_without_a_body(process: InProcess):
    answer = process.send(Request("HEAD", "/_console/sign-in", "", [("host", HOST)]))
    assert (answer.status, answer.body) == (200, b"")


def test_text_of_a_field_says_which_one():
    with pytest.raises(RefusedFormError, match="role"):
        visits.text_of({"role": "\x1b"}, "role", 10)


# What is not the console's


def test_an_apis_requests_are_not_pages(process: InProcess):
    """A bucket may be called ``federation``, and a signed request is never a page's."""
    page = browser_of(process).get("/federation")
    assert page.header("content-type") != "text/html; charset=utf-8"
    signed = process.send(Request("GET", "/_console/", "", [("host", HOST), ("authorization", "AWS4-HMAC-SHA256 x")]))
    assert signed.status != 303
    assert browser_of(process).get("/", accept="text/html").location == "/_console/"
    assert browser_of(process).get("/").header("location") == ""


def test_in_a_bucket_of_a_virtual_host_our_paths_are_names_of_objects(process: InProcess):
    for host in ("site.s3.localhost:4566", "site.localhost:4566", "site.s3.us-east-1.amazonaws.com"):
        for path in ("/_console/sign-in", "/v1/authorize", "/"):
            answer = process.send(Request("GET", path, "", [("host", host), ("accept", "text/html")]))
            assert not any(name == "content-security-policy" for name, _ in answer.headers), (host, path)
            assert answer.status != 303
    for host in ("signin.localhost:4566", "us-east-1.signin.aws.amazon.com", "garrison.example", "[::1]:4566"):
        assert process.send(Request("GET", "/_console/sign-in", "", [("host", host)])).status == 200
