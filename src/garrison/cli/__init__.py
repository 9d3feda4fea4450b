"""The ``garrison`` command."""

from __future__ import annotations

from garrison.cli.main import cli

__all__ = ["cli"]
