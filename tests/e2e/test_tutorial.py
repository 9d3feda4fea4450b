"""The first hour, typed as the tutorial shows it: its commands in a shell, with the unmodified AWS CLI 2, and a browser."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.browsing import browser_at
from tests.support.clients import aws_cli_program
from tests.support.needs import ROOT
from tests.support.server import Server, clean_environment

PAGE = (ROOT / "docs" / "tutorials" / "first-hour.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"^\$ ", re.MULTILINE)
LINES = re.compile(r"(?P<whole>(?:[^\n]*\\\n)*[^\n]*)\n?(?P<output>.*)\Z", re.DOTALL)
"""A command with the lines that a backslash joins to it, then what it prints."""
HERE = re.compile(r"(?P<whole>.*?<<END\n.*?^END)\n?(?P<output>.*)\Z", re.DOTALL | re.MULTILINE)


def commands(section: int) -> list[tuple[str, str]]:
    """``(command, shown output)`` of a section, as they follow each other."""
    text = re.split(r"^## \d+\. .*$", PAGE, flags=re.MULTILINE)[section]
    found = []
    for block in BLOCK.findall(text):
        for part in PROMPT.split(block)[1:]:
            match = (HERE if "<<END" in part else LINES).match(part)
            assert match, part
            found.append((match["whole"], match["output"].strip()))
    return found


class Shell:
    """One directory and one environment; what a command sets is there for the next."""

    def __init__(self, server: Server, home: Path) -> None:
        self.server, self.home = server, home
        programs = home / "bin"
        programs.mkdir(parents=True)
        for name, line in (("garrison", (sys.executable, "-m", "garrison")), ("aws", aws_cli_program(2))):
            (programs / name).write_text(f'#!/bin/sh\nexec {shlex.join(line)} "$@"\n', encoding="utf-8")
            (programs / name).chmod(0o755)
        self.environment = clean_environment(
            {
                "HOME": str(home),
                "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
                "AWS_PAGER": "",
                "GARRISON_DATA_DIR": str(server.data_dir),
            }
        )

    def __call__(self, command: str, answers: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command against this server. Nothing is on its standard input but ``answers``."""
        typed = command.replace("http://127.0.0.1:4566", self.server.endpoint)
        line = f"[ -f exported ] && . ./exported\nset -a\n{typed}\nstatus=$?\nexport -p >exported\nexit $status"
        return subprocess.run(
            ["bash", "-c", line],
            cwd=self.home,
            env=self.environment,
            input=answers,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def ok(self, command: str, shown: str = "", answers: str = "") -> str:
        """A command that works, and prints what the page shows."""
        done = self(command, answers)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert shown in done.stdout
        return done.stdout


@pytest.fixture
def shell(fresh_server: Server, tmp_path: Path) -> Shell:
    return Shell(fresh_server, tmp_path / "home")


def test_the_first_hour(shell: Shell, fresh_server: Server):
    assert fresh_server.endpoint in shell.ok("garrison status")
    ((init, _), (identity, _)) = commands(2)
    shell.ok(init, answers="y\n")
    assert json.loads(shell.ok(identity))["Account"] == fresh_server.account_id

    user, key, set_id, set_secret, set_endpoint, set_region, refused = [command for command, _ in commands(3)]
    shell.ok(user)
    made = json.loads(shell.ok(key))["AccessKey"]
    shell.ok(set_id.replace("AKIA…", made["AccessKeyId"]))
    shell.ok(set_secret.replace("…", shlex.quote(made["SecretAccessKey"])))
    shell.ok(set_endpoint)
    shell.ok(set_region)
    said = shell(refused)
    assert said.returncode != 0
    assert "because no identity-based policy allows the iam:ListUsers action" in said.stderr

    for command, shown in commands(4):
        shell.ok(command, shown)
    without = commands(4)[-1][0].replace("--encryption-context app=web", "").partition(" | base64")[0]
    denied = shell(f"{without} --debug").stderr
    assert "AccessDenied" in denied
    changed = without.replace("--profile ci", "--profile garrison") + " --encryption-context app=other"
    assert "InvalidCiphertextException" in shell(changed).stderr

    (look_up, _), (explain, _) = commands(5)
    assert len(json.loads(shell.ok(look_up))["Events"]) == 5
    *_, request_id = re.findall(r"'x-amzn-requestid': '([0-9a-f-]{36})'", denied, re.IGNORECASE)
    told = shell.ok(explain.replace("REQUEST_ID", request_id))
    assert "DENIED: nothing allows it, decided by identity-based policies" in told
    assert 'Allow statement 1: StringEquals kms:EncryptionContext:app wants "web", the request has none' in told

    in_the_browser(shell, fresh_server)

    fresh_server.kill()
    fresh_server.start()
    shell.ok(commands(7)[-1][0])
    assert "ci" in shell.ok("aws --profile garrison iam list-users --query 'Users[].UserName' --output text")


def in_the_browser(shell: Shell, server: Server) -> None:
    (password, _), (allow, _), (look_up, shown) = commands(6)
    shell.ok(password)
    browser = browser_at(server)
    assert browser.sign_in(server.account_id, "ci", shlex.split(password)[-1]).status == 303
    assert browser.get("/_console/").texts["arn"] == f"arn:aws:iam::{server.account_id}:user/ci"
    browser.get("/_console/mfa")
    assert "not authorized to perform: iam:ListMFADevices" in browser.page.message
    shell.ok(allow)
    browser.get("/_console/mfa")
    assert (browser.page.status, browser.page.message) == (200, "")
    assert shell.ok(look_up).strip() == shown == "ci"
