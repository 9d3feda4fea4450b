"""A folder with policies and cases, and the command in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from garrison.cli import cli


class Folder:
    """``write`` puts files, ``test`` runs ``garrison policy test`` there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, content: Any) -> str:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content, indent=2), encoding="utf-8")
        return name

    def run(self, command: str, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["policy", command, *arguments])

    def test(self, *arguments: str) -> Result:
        return self.run("test", *arguments)

    def refused(self, cases: str) -> str:
        """The message of a file of cases that cannot be used."""
        done = self.test(self.write("cases.yaml", cases))
        assert done.exit_code == 2, done.output
        return done.stderr.removeprefix("garrison: ").strip()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path)
