"""``aws login`` of the unmodified AWS CLI v2, over TLS: on the same device, and for another one.

Source: AWS CLI User Guide, "Login for AWS local development using console credentials".
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.browsing import Browser, browser_at, path_of
from tests.support.clients import aws_cli_program, boto
from tests.support.server import Server, clean_environment

PASSWORD = "Correct-horse-battery-1"
LOCAL_DEVELOPMENT = "arn:aws:iam::aws:policy/SignInLocalDevelopmentAccess"
pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("tls")
    with Server(folder, scheme="https", options=("--tls",)) as running:
        yield running


def iam(server: Server) -> Any:
    return boto(server, "iam", verify=str(server.data_dir / "tls" / "ca.pem"))


def new_user(server: Server, name: str, *policies: str) -> str:
    client = iam(server)
    client.create_user(UserName=name)
    client.create_login_profile(UserName=name, Password=PASSWORD)
    for arn in policies:
        client.attach_user_policy(UserName=name, PolicyArn=arn)
    return f"arn:aws:iam::{server.account_id}:user/{name}"


class Cli:
    """The AWS CLI with a home of its own and a profile that knows the endpoint alone."""

    def __init__(self, server: Server, home: Path) -> None:
        self.program = aws_cli_program(2)
        self.home = home
        (home / ".aws").mkdir(parents=True)
        lines = f"endpoint_url = {server.endpoint}\nregion = us-east-1\noutput = json\nca_bundle = {server.data_dir}/tls/ca.pem\n"
        (home / ".aws" / "config").write_text(f"[profile dev]\n{lines}", encoding="utf-8")
        # A "browser" that opens nothing, so that none of this machine's is started.
        self.environment = clean_environment({"HOME": str(home), "AWS_PAGER": "", "BROWSER": "true", "AWS_MAX_ATTEMPTS": "1"})

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.program, *arguments, "--profile", "dev"],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        started = self.start(*arguments)
        output, _ = started.communicate(timeout=120)
        return started.returncode, output

    def json(self, *arguments: str) -> Any:
        status, output = self.run(*arguments)
        assert status == 0, output
        return json.loads(output)

    @property
    def cache(self) -> Path:
        return next((self.home / ".aws" / "login" / "cache").iterdir())

    def age(self) -> None:
        """Let the credentials in the cache be over, so that the next command refreshes them."""
        token = json.loads(self.cache.read_text(encoding="utf-8"))
        token["accessToken"]["expiresAt"] = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.cache.write_text(json.dumps(token), encoding="utf-8")


def address(process: subprocess.Popen[str]) -> str:
    """Where the CLI sends its user."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        found = re.search(r"https://\S+/v1/authorize\?\S+", line)
        if found:
            return found[0]
    raise AssertionError(seen)


def allow(browser: Browser, url: str, account: str, user: str) -> None:
    """Sign in where the address leads, and allow the command line."""
    page = browser.get(path_of(url))
    assert page.status == 303
    browser.get(page.location)
    page = browser.send("/_console/sign-in", account=account, user=user, password=PASSWORD)
    assert page.status == 303, page.message
    browser.get(page.location)
    browser.send("/v1/authorize")


def login_here(server: Server, cli: Cli, user: str) -> tuple[int, str]:
    process = cli.start("login")
    browser = browser_at(server)
    allow(browser, address(process), server.account_id, user)
    if browser.page.status == 303:
        assert re.match(r"http://127\.0\.0\.1:\d+/oauth/callback\?code=", browser.page.location)
        urllib.request.urlopen(browser.page.location, timeout=30).close()
    else:
        process.kill()
    output, _ = process.communicate(timeout=60)
    return process.returncode, output + browser.page.message


def login_elsewhere(server: Server, cli: Cli, user: str) -> tuple[int, str]:
    process = cli.start("login", "--remote")
    browser = browser_at(server)
    allow(browser, address(process), server.account_id, user)
    output, _ = process.communicate(browser.page.texts["code"] + "\n", timeout=60)
    return process.returncode, output


def test_on_the_same_device_with_refresh_and_sign_out(tls: Server, tmp_path: Path):
    arn = new_user(tls, "same", LOCAL_DEVELOPMENT, "arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    cli = Cli(tls, tmp_path)
    status, output = login_here(tls, cli, "same")
    assert status == 0, output
    assert f"Updated profile dev to use {arn} credentials." in output
    assert f"login_session = {arn}" in (tmp_path / ".aws" / "config").read_text(encoding="utf-8")
    assert cli.json("sts", "get-caller-identity") == {
        "UserId": iam(tls).get_user(UserName="same")["User"]["UserId"],
        "Account": tls.account_id,
        "Arn": arn,
    }
    assert cli.json("iam", "get-user")["User"]["Arn"] == arn

    first = json.loads(cli.cache.read_text(encoding="utf-8"))
    assert cli.cache.name == hashlib.sha256(arn.encode()).hexdigest() + ".json"
    cli.age()
    assert cli.json("sts", "get-caller-identity")["Arn"] == arn
    second = json.loads(cli.cache.read_text(encoding="utf-8"))
    assert second["refreshToken"] != first["refreshToken"]
    assert second["accessToken"]["accessKeyId"] != first["accessToken"]["accessKeyId"]
    lasts = datetime.fromisoformat(second["accessToken"]["expiresAt"]) - datetime.now(UTC)
    assert timedelta(minutes=13) < lasts <= timedelta(minutes=15)

    iam(tls).update_login_profile(UserName="same", Password=PASSWORD + "x")
    cli.age()
    status, output = cli.run("sts", "get-caller-identity")
    assert status != 0
    assert "aws login" in output


def test_for_another_device(tls: Server, tmp_path: Path):
    arn = new_user(tls, "other", LOCAL_DEVELOPMENT)
    cli = Cli(tls, tmp_path)
    status, output = login_elsewhere(tls, cli, "other")
    assert status == 0, output
    assert cli.json("sts", "get-caller-identity")["Arn"] == arn
    status, _ = cli.run("logout")
    assert status == 0
    assert cli.run("sts", "get-caller-identity")[0] != 0


def test_without_the_permission_nothing_is_allowed(tls: Server, tmp_path: Path):
    arn = new_user(tls, "nobody")
    cli = Cli(tls, tmp_path)
    status, output = login_here(tls, cli, "nobody")
    assert status != 0
    assert f"{arn} is not authorized to perform: signin:AuthorizeOAuth2Access" in output


def test_a_permission_that_is_taken_away_ends_the_refresh(tls: Server, tmp_path: Path):
    new_user(tls, "once", LOCAL_DEVELOPMENT)
    cli = Cli(tls, tmp_path)
    assert login_here(tls, cli, "once")[0] == 0
    iam(tls).detach_user_policy(UserName="once", PolicyArn=LOCAL_DEVELOPMENT)
    cli.age()
    status, output = cli.run("sts", "get-caller-identity")
    assert status != 0
    assert "insufficient permissions" in output.lower()


def test_events_tell_who_was_allowed_what(tls: Server, tmp_path: Path):
    arn = new_user(tls, "seen", LOCAL_DEVELOPMENT)
    assert login_here(tls, Cli(tls, tmp_path), "seen")[0] == 0
    client = boto(tls, "cloudtrail", verify=str(tls.data_dir / "tls" / "ca.pem"))
    found = client.lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateOAuth2Token"}])
    events = [json.loads(each["CloudTrailEvent"]) for each in found["Events"]]
    mine = next(each for each in events if each["userIdentity"]["arn"] == arn)
    assert mine["requestParameters"]["grantType"] == "authorization_code"
    assert set(mine["requestParameters"]) == {"clientId", "grantType", "redirectUri"}
