"""``pip install .`` alone, into an empty environment, gives a server that works."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clients import boto
from tests.support.needs import ROOT
from tests.support.server import Server, clean_environment

SOURCE = ("src", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment's ``garrison`` command, installed from a copy of the tree and from nothing else."""
    folder = tmp_path_factory.mktemp("install")
    for name in SOURCE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / "tree" / name)
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, capture_output=True)
    line = [str(venv / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", str(folder / "tree")]
    done = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return venv / "bin" / "garrison"


def test_the_command_is_there(installed: Path):
    done = subprocess.run([str(installed), "--version"], capture_output=True, text=True, check=True, env=clean_environment())
    assert done.stdout.startswith("garrison, version ")


def test_it_serves(installed: Path, tmp_path: Path):
    with Server(tmp_path / "server", program=(str(installed),)) as server:
        caller = boto(server, "sts").get_caller_identity()
        assert caller["Arn"] == f"arn:aws:iam::{server.account_id}:user/admin"
        attached = boto(server, "iam").list_attached_user_policies(UserName="admin")["AttachedPolicies"]
        assert attached == [{"PolicyName": "AdministratorAccess", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}]
