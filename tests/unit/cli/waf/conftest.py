"""A folder with web ACLs and requests, and the command in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from garrison.cli import cli


class Folder:
    """``write`` puts files, ``test`` runs ``garrison waf test`` there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, content: Any) -> str:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
        return name

    def test(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["waf", "test", *arguments])

    def refused(self, *arguments: str) -> str:
        """What is said where nothing can be tested."""
        done = self.test(*arguments)
        assert done.exit_code == 2, done.output
        assert done.stdout == ""
        return done.stderr.rpartition("garrison: ")[2].strip()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Folder(tmp_path)


@pytest.fixture(autouse=True)
def without_managed_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """What all managed groups share takes seconds to compile, and these tests need none of them."""
    monkeypatch.setattr("garrison.edge.inspect.managed.catalog.prepare", lambda _cache: None)
