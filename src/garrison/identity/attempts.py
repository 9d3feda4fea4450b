"""Wrong guesses, counted in the store: every worker agrees on them, and a restart forgets none.

After some free guesses a subject is locked, each time for twice as long, up to a longest time; a success clears it, and so does a
day (or hour) without a guess. What is locked refuses the right answer too, in the words of a wrong one: a guess that is made
while locked tells nothing.

Source: NIST SP 800-63B-4, section 3.2.2 "Rate limiting (throttling)": at most 100 consecutive failures of one account.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from garrison.core.ports import Sealer, Transaction

_PURPOSE = "attempt"


@dataclass(frozen=True, slots=True)
class Rule:
    """How guesses of one kind are limited; times in seconds."""

    free: int
    """Wrong guesses before the first lock."""
    first: float
    """How long the first lock lasts; each further wrong guess doubles it."""
    longest: float
    forgotten_after: float
    """Without a guess for so long, counting begins anew."""


PASSWORD = Rule(free=10, first=60, longest=900, forgotten_after=86_400)
"""Of one user. At most 10 + 4 + 96 a day; who is locked out by somebody else's guesses waits a quarter of an hour at most."""
CODE = Rule(free=5, first=60, longest=3600, forgotten_after=86_400)
"""Of one user's MFA devices together. About 34 a day, of which each hits with 3 in a million."""
ADDRESS = Rule(free=100, first=60, longest=900, forgotten_after=3600)
"""From one address, whoever the guesses are about."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom or what guesses are counted for."""

    key: str
    rule: Rule


def about(sealer: Sealer, rule: Rule, *names: str) -> Subject:
    """The subject of a name. Only a keyed hash is kept: a name that nobody has may be a password typed into the wrong field."""
    return Subject(sealer.mac(_PURPOSE, json.dumps(names).encode()).hex(), rule)


def from_address(sealer: Sealer, address: str) -> Subject:
    """The subject of a network address; of IPv6 the network of 64 bits, which one client has whole."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return about(sealer, ADDRESS, "address", address)
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return about(sealer, ADDRESS, "address", str(parsed.ipv4_mapped))
        return about(sealer, ADDRESS, "address", parsed.packed[:8].hex())
    return about(sealer, ADDRESS, "address", str(parsed))


def wait(tx: Transaction, now: float, *subjects: Subject) -> float:
    """Seconds for which any of these is still locked; 0 where none is."""
    longest = 0.0
    for subject in subjects:
        row = tx.one("SELECT locked_until FROM identity_attempt WHERE subject = ?", subject.key)
        if row is not None:
            longest = max(longest, float(row[0]) - now)
    return longest


def failed(tx: Transaction, now: float, *subjects: Subject) -> None:
    """Count a wrong guess. Call within a unit of work that is kept though the call fails."""
    tx.run("DELETE FROM identity_attempt WHERE forgotten_at <= ?", now)
    for subject in subjects:
        row = tx.one("SELECT failures FROM identity_attempt WHERE subject = ?", subject.key)
        failures = (int(row[0]) if row is not None else 0) + 1
        rule = subject.rule
        over = failures - rule.free
        # 2**20 is past every longest time: no power of a count without end is taken.
        lock = min(rule.first * 2 ** min(over, 20), rule.longest) if over >= 0 else 0.0
        tx.run(
            "INSERT INTO identity_attempt (subject, failures, locked_until, forgotten_at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, locked_until = excluded.locked_until,"
            " forgotten_at = excluded.forgotten_at",
            subject.key,
            failures,
            now + lock,
            now + max(rule.forgotten_after, lock),
        )


def cleared(tx: Transaction, *subjects: Subject) -> None:
    """Forget the wrong guesses: the right answer was given, or whoever may has set another secret."""
    for subject in subjects:
        tx.run("DELETE FROM identity_attempt WHERE subject = ?", subject.key)
