"""Signing in with a real Chromium: a code from the QR image that it shows, and a passkey of its virtual authenticator."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyotp
import pytest
import zxingcpp
from PIL import Image

from tests.support.chromium import Chromium, chromium
from tests.support.clients import boto
from tests.support.idp_saml import SamlIdp, certificate, metadata
from tests.support.server import Server, clean_environment

PASSWORD = "Correct-horse-battery-1"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
pytestmark = pytest.mark.client


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    with chromium(tmp_path / "profile") as running:
        yield running


def address(server: Server, path: str = "/_console/") -> str:
    """By name: browsers make no passkey for an address."""
    return f"http://localhost:{server.port}{path}"


def new_user(server: Server, name: str) -> Any:
    iam = boto(server, "iam")
    iam.create_user(UserName=name)
    iam.create_login_profile(UserName=name, Password=PASSWORD)
    iam.attach_user_policy(UserName=name, PolicyArn=ADMINISTRATOR)
    return iam


def sign_in(browser: Chromium, server: Server, user: str, then: str) -> None:
    browser.open(address(server))
    browser.fill(account=server.account_id, user=user, password=PASSWORD)
    browser.press("sign-in", then)


def sign_out(browser: Chromium) -> None:
    browser.press("sign-out", "#sign-in")


def seed_in(image: str) -> str:
    """What a phone reads from the image."""
    data = base64.b64decode(image.removeprefix("data:image/png;base64,"))
    found = zxingcpp.read_barcode(Image.open(io.BytesIO(data)))
    assert found is not None
    return str(pyotp.parse_uri(found.text).secret)


def test_a_code_of_an_authenticator_app(server: Server, browser: Chromium):
    iam = new_user(server, "browser-code")
    sign_in(browser, server, "browser-code", "#arn")
    assert browser.text("#arn") == f"arn:aws:iam::{server.account_id}:user/browser-code"
    assert browser.text("#mfa") == "not given"

    browser.open(address(server, "/_console/mfa"))
    browser.fill(name="phone")
    browser.press("new-device", "#qr")
    totp = pyotp.TOTP(seed_in(browser.attribute("#qr", "src")))
    now = int(time.time())
    # Codes that are taken are used up: those of the two steps before now leave the present one for signing in.
    browser.fill(first=totp.at(now - 30), second=totp.at(now))
    browser.press("enable", "#devices")
    assert f"arn:aws:iam::{server.account_id}:mfa/phone" in browser.text("#devices")
    assert len(iam.list_mfa_devices(UserName="browser-code")["MFADevices"]) == 1

    sign_out(browser)
    sign_in(browser, server, "browser-code", "#submit-code")
    browser.fill(code="000000")
    browser.press("submit-code", "[role=alert]")
    browser.fill(code=totp.at(now + 30))
    browser.press("submit-code", "#arn")
    assert browser.text("#mfa") == "given"
    assert not browser.complaints_of_policy()


def test_a_passkey_of_the_browser(server: Server, browser: Chromium):
    iam = new_user(server, "browser-key")
    browser.open(address(server))
    browser.authenticator()
    sign_in(browser, server, "browser-key", "#arn")
    browser.open(address(server, "/_console/mfa/key"))
    browser.fill(name="laptop")
    browser.press("use-passkey", "#devices")
    serial = f"arn:aws:iam::{server.account_id}:u2f/user/browser-key/laptop-"
    assert serial in browser.text("#devices")
    assert iam.list_mfa_devices(UserName="browser-key")["MFADevices"][0]["SerialNumber"].startswith(serial)

    sign_out(browser)
    sign_in(browser, server, "browser-key", "#use-passkey")
    browser.press("use-passkey", "#arn")
    assert browser.text("#mfa") == "given"
    assert not browser.complaints_of_policy()


def test_another_browser_without_the_key_stays_outside(server: Server, browser: Chromium, tmp_path: Path):
    new_user(server, "browser-foreign")
    browser.open(address(server))
    browser.authenticator()
    sign_in(browser, server, "browser-foreign", "#arn")
    browser.open(address(server, "/_console/mfa/key"))
    browser.fill(name="laptop")
    browser.press("use-passkey", "#devices")
    with chromium(tmp_path / "other") as other:
        other.open(address(server))
        other.authenticator()
        sign_in(other, server, "browser-foreign", "#use-passkey")
        other.press("use-passkey", "#passkey-message:not([hidden])")
        other.open(address(server))
        assert other.has("#sign-in")


def test_a_command_line_is_allowed_by_the_browser(server: Server, browser: Chromium, tmp_path: Path):
    """The form's answer leads out of our pages, to a port of the loopback: our own content security policy must let it."""
    new_user(server, "browser-cli")
    line = [*server.program, "credentials", "--endpoint", address(server, ""), "--no-browser"]
    environment = clean_environment({"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")})
    process = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    found = re.search(r"http\S+", process.stderr.readline())
    assert found
    browser.open(found[0])
    browser.fill(account=server.account_id, user="browser-cli", password=PASSWORD)
    browser.press("sign-in", "#allow")
    assert browser.text("#arn") == f"arn:aws:iam::{server.account_id}:user/browser-cli"
    browser.press("allow", "pre, body")
    output, said = process.communicate(timeout=60)
    assert json.loads(output)["AccessKeyId"].startswith("ASIA"), said
    assert not browser.complaints_of_policy()


@contextmanager
def directory_at(action: str, idp: SamlIdp) -> Iterator[str]:
    """A directory's page, of another site than ours, that sends its SAML response by a form; where it is."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            form = f'<input type="hidden" name="SAMLResponse" value="{idp.encoded()}"><button id="go">Go</button>'
            body = f'<!doctype html><form method="post" action="{action}">{form}</form>'.encode()
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as page:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{page.server_port}/"
        page.shutdown()


def test_somebody_of_a_saml_directory(server: Server, browser: Chromium):
    """The response comes from another site, so without our cookies; what it begins goes on in this browser all the same."""
    iam = boto(server, "iam")
    provider = iam.create_saml_provider(Name="browser", SAMLMetadataDocument=metadata(certificate()[1]))["SAMLProviderArn"]
    trust = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithSAML"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="browser-saml", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    with directory_at(address(server, "/saml"), SamlIdp(role, provider)) as directory:
        browser.open(directory)
        browser.press("go", "#choice")
        assert browser.text("#choice") == role
        browser.press("sign-in", "#arn")
    assert browser.text("#arn") == f"arn:aws:sts::{server.account_id}:assumed-role/browser-saml/someone"
    assert not browser.complaints_of_policy()
