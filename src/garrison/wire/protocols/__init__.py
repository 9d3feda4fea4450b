"""The protocols of AWS by the names that models give them. Pure: bytes and values in, values out."""

from __future__ import annotations
