"""Signing in at a real server: the root user's first password, several workers, and credentials for tools of any kind."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pyotp
import pytest

from tests.conftest import ServerFactory
from tests.support.browsing import Browser, browser_at, path_of
from tests.support.clients import boto
from tests.support.server import Server, clean_environment

PASSWORD = "Correct-horse-battery-1"
LOCAL_DEVELOPMENT = "arn:aws:iam::aws:policy/SignInLocalDevelopmentAccess"


def root_password(server: Server, *arguments: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    environment = clean_environment({"GARRISON_DATA_DIR": str(server.data_dir), **server.environment})
    line = [*server.program, "root-password", *arguments]
    return subprocess.run(line, input=f"{password}\n", env=environment, capture_output=True, text=True, check=False, timeout=120)


def events(server: Server, name: str) -> list[Any]:
    found = boto(server, "cloudtrail").lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}])
    return [json.loads(each["CloudTrailEvent"]) for each in found["Events"]]


def test_the_root_user_gets_a_password_on_the_machine_alone(fresh_server: Server):
    server = fresh_server
    refused = root_password(server)
    assert refused.returncode == 2
    assert "--email" in refused.stderr
    weak = root_password(server, "--email", "root@example.com", password="short")
    assert weak.returncode == 1
    assert "password policy" in weak.stderr
    assert root_password(server, "--email", "no address").returncode == 2
    done = root_password(server, "--email", "Root@example.com")
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr

    browser = browser_at(server)
    assert browser.sign_in_as_root("root@EXAMPLE.com", PASSWORD).status == 303
    assert browser.get("/_console/").texts["arn"] == f"arn:aws:iam::{server.account_id}:root"
    login = events(server, "ConsoleLogin")[0]
    assert login["userIdentity"] == {
        "type": "Root",
        "principalId": server.account_id,
        "arn": f"arn:aws:iam::{server.account_id}:root",
        "accountId": server.account_id,
    }

    # A new one ends what the old one opened.
    assert root_password(server, password="Another-horse-2").returncode == 0
    assert browser.get("/_console/").status == 303
    assert browser_at(server).sign_in_as_root("root@example.com", PASSWORD).status == 403
    assert browser_at(server).sign_in_as_root("root@example.com", "Another-horse-2").status == 303


def test_the_root_user_changes_its_password_and_has_a_device(fresh_server: Server):
    server = fresh_server
    assert root_password(server, "--email", "root@example.com").returncode == 0
    browser = browser_at(server)
    browser.sign_in_as_root("root@example.com", PASSWORD)
    browser.get("/_console/mfa")
    browser.send("/_console/mfa/new", name="root-phone")
    totp = pyotp.TOTP(browser.page.texts["seed"])
    now = int(time.time())
    wrong = browser.send("/_console/mfa/enable", first="000000", second="000001")
    assert wrong.message == "Authentication code for device is not valid."
    assert browser.send("/_console/mfa/enable", first=totp.at(now - 30), second=totp.at(now)).status == 303

    browser.get("/_console/password")
    assert browser.send("/_console/password", old="wrong", new="Another-horse-2", repeated="Another-horse-2").status == 400
    assert browser.page.message == "The old password was incorrect."
    assert browser.send("/_console/password", old=PASSWORD, new="Another-horse-2", repeated="Another-horse-2").status == 200
    assert browser.get("/_console/").status == 303
    assert events(server, "PasswordUpdated")

    page = browser.sign_in_as_root("root@example.com", "Another-horse-2")
    assert page.forms[-1].action == "/_console/sign-in/code"
    assert root_password(server, "--remove-mfa").returncode == 0
    assert browser_at(server).sign_in_as_root("root@example.com", PASSWORD).status == 303


def new_user(server: Server, name: str, *policies: str) -> str:
    iam = boto(server, "iam")
    iam.create_user(UserName=name)
    iam.create_login_profile(UserName=name, Password=PASSWORD)
    for arn in policies:
        iam.attach_user_policy(UserName=name, PolicyArn=arn)
    return f"arn:aws:iam::{server.account_id}:user/{name}"


def test_a_session_is_known_to_every_worker_and_outlives_a_restart(new_server: ServerFactory):
    server = new_server(workers=3).start()
    arn = new_user(server, "ann")
    browser = browser_at(server)
    browser.sign_in(server.account_id, "ann", PASSWORD)
    assert {browser.get("/_console/").texts.get("arn") for _ in range(20)} == {arn}
    server.restart()
    assert browser.get("/_console/").texts["arn"] == arn
    browser.get("/_console/mfa")
    browser.send("/_console/sign-out")
    thief = browser_at(server)
    thief.cookies = {**browser.cookies}
    assert {browser.get("/_console/").status for _ in range(20)} == {303}


def test_wrong_passwords_are_counted_over_all_workers_and_restarts(new_server: ServerFactory):
    server = new_server(workers=3).start()
    new_user(server, "ann")
    for number in range(10):
        browser_at(server).sign_in(server.account_id, "ann", "wrong")
        if number == 5:
            server.restart()
    assert browser_at(server).sign_in(server.account_id, "ann", PASSWORD).status == 403


def test_switching_to_a_role_and_back(server: Server):
    arn = new_user(server, "switcher")
    iam = boto(server, "iam")
    trust = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}}
    iam.create_role(RoleName="auditor", AssumeRolePolicyDocument=json.dumps(trust))
    browser = browser_at(server)
    browser.sign_in(server.account_id, "switcher", PASSWORD)
    browser.get("/_console/switch-role?account=x&roleName=auditor")
    refused = browser.send("/_console/switch-role", account=server.account_id, role="no-such-role")
    assert refused.status == 403
    told = refused.message
    iam.create_role(RoleName="others", AssumeRolePolicyDocument=json.dumps(trust).replace("switcher", "admin"))
    assert browser.send("/_console/switch-role", account=server.account_id, role="others").message == told

    assert browser.send("/_console/switch-role", account=server.account_id, role="auditor").status == 303
    page = browser.get("/_console/")
    session = f"arn:aws:sts::{server.account_id}:assumed-role/auditor/switcher"
    assert (page.texts["arn"], page.texts["own"]) == (session, arn)
    event = events(server, "SwitchRole")[0]
    assert event["userIdentity"]["arn"] == session
    assert event["additionalEventData"] == {"SwitchFrom": arn, "RedirectTo": f"{server.endpoint}/_console/"}
    browser.send("/_console/exit-role")
    assert browser.get("/_console/").texts["arn"] == arn
    assert events(server, "ExitRole")[0]["additionalEventData"]["SwitchTo"] == arn


# credential_process


class Process:
    """``garrison credentials`` with a home of its own."""

    def __init__(self, server: Server, home: Path) -> None:
        self.line = [*server.program, "credentials", "--endpoint", server.endpoint, "--no-browser"]
        if server.scheme == "https":
            self.line += ["--authority", str(server.data_dir / "tls" / "ca.pem")]
        self.environment = clean_environment({"HOME": str(home), "XDG_STATE_HOME": str(home / "state")})
        self.home = home

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.line, *arguments], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str) -> Any:
        output, said = self.start(*arguments).communicate(timeout=60)
        assert output or arguments, said
        return json.loads(output) if output else None

    def sign_in(self, browser: Browser, account: str, user: str) -> Any:
        process = self.start()
        assert process.stderr is not None
        found = re.search(r"http\S+", process.stderr.readline())
        assert found
        page = browser.get(path_of(found[0]))
        if page.status == 303:
            browser.get(page.location)
            page = browser.send("/_console/sign-in", account=account, user=user, password=PASSWORD)
            browser.get(page.location)
        page = browser.send("/v1/authorize")
        urllib.request.urlopen(page.location, timeout=30).close()
        output, said = process.communicate(timeout=60)
        assert output, said
        return json.loads(output)

    @property
    def kept(self) -> Path:
        return next((self.home / "state" / "garrison" / "sessions").glob("*.json"))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_any_tool_gets_credentials_by_credential_process(
    new_server: ServerFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
):
    options = ("--tls",) if scheme == "https" else ()
    server = new_server(scheme=scheme, options=options).start()
    verify: dict[str, Any] = {"verify": str(server.data_dir / "tls" / "ca.pem")} if scheme == "https" else {}
    iam = boto(server, "iam", **verify)
    iam.create_user(UserName="ann")
    iam.create_login_profile(UserName="ann", Password=PASSWORD)
    iam.attach_user_policy(UserName="ann", PolicyArn=LOCAL_DEVELOPMENT)
    arn = f"arn:aws:iam::{server.account_id}:user/ann"
    process = Process(server, tmp_path)
    made = process.sign_in(browser_at(server), server.account_id, "ann")
    assert set(made) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    assert made["Version"] == 1
    assert process.run() == made
    assert process.kept.stat().st_mode & 0o777 == 0o600

    # boto3 runs it by itself.
    config = tmp_path / "config"
    config.write_text(f"[profile dev]\nregion = us-east-1\ncredential_process = {' '.join(process.line)}\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    session: Any = boto3.Session(profile_name="dev")
    client = session.client("sts", endpoint_url=server.endpoint, **verify)
    assert client.get_caller_identity()["Arn"] == arn

    document = json.loads(process.kept.read_text(encoding="utf-8"))
    document["tokens"]["expires_at"] = 0
    process.kept.write_text(json.dumps(document), encoding="utf-8")
    renewed = process.run()
    assert renewed["AccessKeyId"] != made["AccessKeyId"]
    assert json.loads(process.kept.read_text(encoding="utf-8"))["tokens"]["refresh_token"] != document["tokens"]["refresh_token"]

    process.run("--forget")
    assert not list((tmp_path / "state" / "garrison" / "sessions").glob("*.json"))


def test_on_postgresql_too(new_server: ServerFactory, postgres_url: str, tmp_path: Path):
    server = new_server(store=postgres_url, workers=2).start()
    arn = new_user(server, "ann", LOCAL_DEVELOPMENT)
    browser = browser_at(server)
    assert browser.sign_in(server.account_id, "ann", "wrong").status == 403
    assert browser.sign_in("a\x7fb", "ann", "wrong").status == 400
    assert browser.sign_in(server.account_id, "ann", PASSWORD).status == 303
    assert browser.get("/_console/").texts["arn"] == arn
    process = Process(server, tmp_path)
    made = process.sign_in(browser, server.account_id, "ann")
    document = json.loads(process.kept.read_text(encoding="utf-8"))
    document["tokens"]["expires_at"] = 0
    process.kept.write_text(json.dumps(document), encoding="utf-8")
    assert process.run()["AccessKeyId"] != made["AccessKeyId"]
