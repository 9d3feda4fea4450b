"""A token of SoftHSM (Debian's softhsm2): PKCS#11 without hardware."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.needs import missing, program

_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)


@dataclass(frozen=True)
class SoftHsm:
    """Where the tokens lie, and the library that opens them."""

    module: str
    configuration: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find the tokens."""
        return {"SOFTHSM2_CONF": str(self.configuration)}

    def new_token(self, label: str, pin: str) -> None:
        """Initialize a token."""
        line = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "87654321"]
        subprocess.run(line, check=True, capture_output=True, env={**os.environ, **self.environment})

    def objects(self, label: str, pin: str) -> str:
        """What OpenSC's pkcs11-tool lists of a token."""
        line = [
            program("pkcs11-tool"),
            "--module",
            self.module,
            "--token-label",
            label,
            "--login",
            "--pin",
            pin,
            "--list-objects",
        ]
        done = subprocess.run(line, check=True, capture_output=True, text=True, env={**os.environ, **self.environment})
        return done.stdout


@pytest.fixture
def soft_hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    """No token yet."""
    program("softhsm2-util")
    module = next((path for path in _MODULES if Path(path).exists()), None)
    if module is None:
        missing("SoftHSM's library")
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    made = SoftHsm(module, configuration)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made
