"""A proxy ends TLS before the server: browsers speak HTTPS all the same, and are treated so where ``public_url`` says it.

Sources: RFC 6265bis, sections 4.1.2.5 (Secure) and 4.1.3.2 (``__Host-``); RFC 6797; WebAuthn Level 3, section 5.1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.browsing import Browser, browser_of
from tests.support.inprocess import HOST, InProcess
from tests.support.signing_in import PASSWORD, new_user

NAME = "garrison.example.com"
PUBLIC = f"https://{NAME}"


@pytest.fixture
def process() -> Iterator[InProcess]:
    made = InProcess()
    made.gateway.ports.public_url = PUBLIC
    new_user(made, "ann", "arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    yield made
    made.close()


def through_the_proxy(process: InProcess, host: str = NAME) -> Browser:
    found = browser_of(process)
    found.host, found.origin = host, f"https://{host}"
    return found


def cookies_of(browser: Browser) -> list[str]:
    return [value for name, value in browser.page.response.headers if name == "set-cookie"]


def test_every_cookie_is_for_https_and_this_host_alone(process: InProcess):
    browser = through_the_proxy(process)
    browser.get("/_console/sign-in")
    seen = cookies_of(browser)
    assert browser.sign_in(process.account, "ann", PASSWORD).status == 303
    seen += cookies_of(browser)
    assert {cookie.partition("=")[0] for cookie in seen} == {"__Host-garrison-visitor", "__Host-garrison-session"}
    for cookie in seen:
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
    assert browser.get("/_console/").status == 200
    assert browser.page.header("strict-transport-security")
    browser.send("/_console/sign-out")
    assert all("; Secure" in cookie for cookie in cookies_of(browser))
    assert browser.get("/_console/").status == 303


def test_another_name_for_the_same_server_gets_no_other_cookies(process: InProcess):
    browser = through_the_proxy(process, "signin.example.net:8443")
    assert browser.sign_in(process.account, "ann", PASSWORD).status == 303
    assert set(browser.cookies) == {"__Host-garrison-visitor", "__Host-garrison-session"}


def test_a_cookie_that_plain_http_could_set_counts_for_nothing(process: InProcess):
    browser = through_the_proxy(process)
    browser.sign_in(process.account, "ann", PASSWORD)
    session = browser.cookies["__Host-garrison-session"]
    assert browser.get("/_console/", cookie=f"garrison-session={session}").status == 303


def test_a_form_of_the_same_host_over_plain_http_is_refused(process: InProcess):
    browser = through_the_proxy(process)
    browser.get("/_console/sign-in")
    typed = {**browser.page.form("/_console/sign-in").fields, "account": process.account, "user": "ann", "password": PASSWORD}
    assert browser.post("/_console/sign-in", typed, origin=f"http://{NAME}").status == 403
    assert browser.post("/_console/sign-in", typed).status == 303


@pytest.mark.parametrize("host", [HOST, "localhost:4566", "[::1]:4566"])
def test_past_the_proxy_on_this_machine_a_browser_still_signs_in(process: InProcess, host: str):
    browser = browser_of(process)
    browser.host, browser.origin = host, f"http://{host}"
    assert browser.sign_in(process.account, "ann", PASSWORD).status == 303
    assert set(browser.cookies) == {"garrison-visitor", "garrison-session"}
    assert not any("Secure" in cookie for cookie in cookies_of(browser)), "a browser would not keep it"
    assert browser.get("/_console/").status == 200


@pytest.mark.parametrize("public_url", ["", f"http://{NAME}"])
def test_nothing_is_believed_of_a_proxy_that_the_operator_did_not_name(process: InProcess, public_url: str):
    process.gateway.ports.public_url = public_url
    browser = through_the_proxy(process)
    browser.get("/_console/sign-in", x_forwarded_proto="https", forwarded="proto=https")
    assert not any("Secure" in cookie for cookie in cookies_of(browser))
    assert browser.page.header("strict-transport-security") == ""


def test_policies_and_the_trail_do_not_take_the_proxys_tls_for_the_servers(process: InProcess):
    browser = through_the_proxy(process)
    browser.sign_in(process.account, "ann", PASSWORD)
    browser.get("/_console/mfa")
    listed = next(event for event in process.events() if event["eventName"] == "ListMFADevices")
    assert "tlsDetails" not in listed
    deny = {"Effect": "Deny", "Action": "iam:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    assert process.iam("PutUserPolicy", UserName="ann", PolicyName="tls", PolicyDocument=document).status == 200
    browser.get("/_console/mfa")
    last = [event for event in process.events() if event["eventName"] == "ListMFADevices"][-1]
    assert last["errorCode"] == "AccessDenied"


def test_a_passkey_is_for_the_name_that_the_browser_shows(process: InProcess):
    allow = {"Effect": "Allow", "Action": "iam:EnableMFADevice", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    assert process.iam("PutUserPolicy", UserName="ann", PolicyName="keys", PolicyDocument=document).status == 200
    browser = through_the_proxy(process)
    browser.sign_in(process.account, "ann", PASSWORD)
    asked = json.loads(browser.get("/_console/mfa/key").form("/_console/mfa/key").options)
    assert asked["rp"]["id"] == NAME
    process.gateway.ports.public_url = ""
    browser = through_the_proxy(process)
    browser.sign_in(process.account, "ann", PASSWORD)
    assert not any(form.options for form in browser.get("/_console/mfa/key").forms)
