"""How many requests each of a proxy's credentials may send.

A real KMS may send 1,800 requests a second to one external key store, and asks its proxy to answer what is more with
ThrottlingException (KMS Developer Guide, "External key stores", "Custom key store request quotas"; XKS Proxy API Specification,
"Error Codes"). One caller that has lost its measure cannot take the worker from all others.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PER_SECOND = 2000.0
"""Requests of one credential to one worker."""
MOST = 1024
"""Credentials that are counted at one time. Each has proven that it is one before it is counted."""


@dataclass(slots=True)
class Rate:
    """A bucket for each name, which fills at a steady pace and holds what comes in one second."""

    per_second: float = PER_SECOND
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    """What is left in each, and when that was counted."""

    def admit(self, name: str, now: float) -> bool:
        """Whether one more request of ``name`` may be answered at ``now`` (seconds); a clock that goes back fills nothing."""
        left, counted = self._buckets.get(name, (self.per_second, now))
        left = min(self.per_second, left + max(0.0, now - counted) * self.per_second)
        admitted = left >= 1.0
        if name not in self._buckets and len(self._buckets) >= MOST:
            self._buckets.clear()
        self._buckets[name] = (left - 1.0 if admitted else left, max(now, counted))
        return admitted
