"""The command line in this process, on a home and a state of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from garrison.cli import cli
from tests.support.inprocess import InProcess

Garrison = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "GARRISON_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def one(home: Path, data_dir: Path) -> Iterator[InProcess]:
    """A state with its first account, open as a worker has it."""
    made = InProcess(data_dir)
    yield made
    made.close()


@pytest.fixture
def garrison(home: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Garrison:
    """``garrison("status")``: the command on this state."""
    monkeypatch.setenv("GARRISON_DATA_DIR", str(data_dir))
    logging.getLogger("garrison").setLevel(logging.NOTSET)

    def run(*arguments: str, text: str = "") -> Result:
        return CliRunner().invoke(cli, list(arguments), input=text)

    return run
