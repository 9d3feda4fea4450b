"""Garrison: the security half of AWS, for real, on machines its users own."""

from __future__ import annotations

__version__ = "0.1.0"
