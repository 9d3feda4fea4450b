"""The ``garrison`` command."""

from garrison.cli.main import cli

__all__ = ["cli"]
