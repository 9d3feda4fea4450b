"""What an inspection needs from outside: counts of rates, and the token that the request carried. The caller supplies both."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RateRule:
    """A rate-based rule to its counters. ``id`` changes with every setting that resets the counts; ``window`` is in seconds."""

    id: str
    limit: int
    window: int


class Rates(Protocol):
    """Counts of requests by rule and aggregation instance, shared by the inspectors of a node or of many."""

    def hit(self, rule: RateRule, key: bytes, now: float) -> bool:
        """Count one request of the instance at ``now`` (seconds), and tell whether the instance is over its limit."""
        ...

    def estimate(self, rule: RateRule, key: bytes, now: float) -> float:
        """The instance's requests within the window before ``now``, counting none."""
        ...

    def limited(self, rule: RateRule, now: float) -> list[bytes]:
        """The instances over their limit, those of most requests first, at most 10,000 (AWS's quota)."""
        ...


class TokenState(StrEnum):
    """What the verification of a token said, in the words of AWS's labels (``awswaf:managed:token:...``)."""

    ABSENT = "absent"
    ACCEPTED = "accepted"
    INVALID = "rejected:invalid"
    DOMAIN_MISMATCH = "rejected:domain_mismatch"


@dataclass(frozen=True, slots=True)
class Token:
    """The request's ``aws-waf-token`` after its signature and domain were verified.

    ``captcha_solved`` and ``challenge_solved`` are the times of its solutions in seconds since the epoch; the engine holds them
    against the rule's immunity time. ``id`` names the client session.
    """

    state: TokenState = TokenState.ABSENT
    id: str = ""
    captcha_solved: float | None = None
    challenge_solved: float | None = None


ABSENT = Token()


@dataclass(slots=True)
class State:
    """The state of one inspection."""

    rates: Rates
    token: Token = field(default=ABSENT)
