"""Garrison: the security half of AWS, for real, on machines its users own."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("garrison")
except PackageNotFoundError:  # running from a source tree that is not installed
    __version__ = "0+source"
