"""The file of cases that the page shows does what the page says."""

from __future__ import annotations

import re
from typing import Any

from garrison.cli.policy import cases
from tests.support.case_files import allow, deny, policy
from tests.support.needs import ROOT

PAGE = (ROOT / "docs" / "how-to" / "test-policies.md").read_text(encoding="utf-8")


def test_the_example(folder: Any):
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    inside = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    reads = allow(["s3:GetObject", "s3:ListBucket"], ["arn:aws:s3:::app", "arn:aws:s3:::app/*"], Condition=inside)
    folder.write("policies/deploy.json", policy(reads, deny("s3:Delete*", Sid="NeverDelete")))
    done = folder.test(folder.write("policies/cases.yaml", example))
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "5 answers: 5 as expected, 0 not"


def test_every_key_is_on_the_page():
    table = "\n".join(line for line in PAGE.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"`(\w+)`", table.replace(" | ", "\n")))
    assert cases.TEST_KEYS - {"name"} <= named
