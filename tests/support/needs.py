"""What a test needs from the machine: an error where CI promises it, a skip with the reason elsewhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build"
"""Fetched clients and peers: outside version control, filled by ``make test`` and ``make bench``."""


def in_ci() -> bool:
    """Whether a missing piece is an error."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def missing(what: str) -> NoReturn:
    """Fail under ``CI=true``; skip, with the reason shown, on a developer's machine."""
    reason = f"{what} is missing; `make test` installs it"
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def program(name: str) -> str:
    """The path of ``name`` on the PATH, or :func:`missing`."""
    found = shutil.which(name)
    if found is None:
        missing(f"`{name}`")
    return found


def built(relative: str) -> Path:
    """A path under ``.build/`` (a glob is allowed), or :func:`missing`."""
    found = sorted(BUILD.glob(relative))
    if not found:
        missing(f"`.build/{relative}`")
    return found[-1]
