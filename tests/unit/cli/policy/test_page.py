"""The file of cases that the page shows does what the page says."""

from __future__ import annotations

import re
from typing import Any

from garrison.cli.policy import cases
from tests.support.case_files import allow, deny, policy
from tests.support.needs import ROOT

PAGE = (ROOT / "docs" / "how-to" / "test-policies.md").read_text(encoding="utf-8")


EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_example(folder: Any):
    example, _ = EXAMPLES
    inside = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    reads = allow(["s3:GetObject", "s3:ListBucket"], ["arn:aws:s3:::app", "arn:aws:s3:::app/*"], Condition=inside)
    folder.write("policies/deploy.json", policy(reads, deny("s3:Delete*", Sid="NeverDelete")))
    done = folder.test(folder.write("policies/cases.yaml", example))
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "5 answers: 5 as expected, 0 not"


def test_the_example_of_an_identity_provider(folder: Any):
    _, example = EXAMPLES
    name = "token.actions.githubusercontent.com"
    branch = {f"{name}:sub": "repo:octo-org/octo-repo:ref:refs/heads/main"}
    trusted = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{name}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{name}:aud": "sts.amazonaws.com", **branch}},
    }
    folder.write("trust.json", policy(trusted))
    done = folder.test(folder.write("cases.yaml", example))
    assert done.exit_code == 0, done.output
    other = folder.test(folder.write("other.yaml", example.replace("heads/main", "heads/other")))
    assert other.exit_code == 1


def test_every_key_is_on_the_page():
    table = "\n".join(line for line in PAGE.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"`(\w+)`", table.replace(" | ", "\n")))
    assert cases.TEST_KEYS - {"name"} <= named
