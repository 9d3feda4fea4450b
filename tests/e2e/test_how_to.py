"""The code that the how-to pages show is run as it stands there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.needs import ROOT
from tests.support.server import Server, clean_environment

PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_run_in_ci(tmp_path: Path):
    blocks = PYTHON.findall((ROOT / "docs" / "how-to" / "run-in-ci.md").read_text(encoding="utf-8"))
    connect, reset = blocks
    use = (
        "assert [user['UserName'] for user in iam.list_users()['Users']] == ['admin']\n"
        "iam.create_user(UserName='left-behind')\n"
        f"{reset}"
        "assert [user['UserName'] for user in iam.list_users()['Users']] == ['admin']\n"
        "print('done')\n"
    )
    with Server(tmp_path / "server", dev=True) as server:
        shutil.copy(server.credentials_file, tmp_path / "garrison.json")
        line = [sys.executable, "-W", "ignore::ResourceWarning", "-c", connect + use]
        done = subprocess.run(
            line, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False, timeout=120
        )
    assert done.stdout.endswith("done\n"), done.stderr
