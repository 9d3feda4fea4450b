"""Time as an argument: the only place that reads the machine's clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]
"""Seconds since the epoch, UTC."""

system_clock: Clock = time.time


def iso8601(seconds: float) -> str:
    """``2026-01-31T23:59:59Z``: AWS's usual form, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_iso8601(text: str) -> float:
    """Seconds since the epoch. Raises ValueError on anything that is not an ISO 8601 instant."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
