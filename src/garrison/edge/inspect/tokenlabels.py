"""The labels that AWS WAF adds for a request's token where a group against bots or fraud looks at it.

Source: "Types of token labels in AWS WAF", in the AWS WAF developer guide.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from garrison.edge.inspect.state import Token, TokenState

GROUPS: Final = frozenset({"AWSManagedRulesBotControlRuleSet", "AWSManagedRulesATPRuleSet", "AWSManagedRulesACFPRuleSet"})
"""The managed rule groups that label tokens."""
CHALLENGE: Final = "awswaf:managed:token:"
CAPTCHA: Final = "awswaf:managed:captcha:"


class Immunities(NamedTuple):
    """Seconds that a solution is good, as the web ACL says."""

    challenge: int
    captcha: int


def status(token: Token, solved: float | None, immunity: int, now: float) -> tuple[str, ...]:
    """The words for one kind of solution: ``accepted``, ``rejected`` with its reason beside it, or ``absent``."""
    if token.state is TokenState.ABSENT:
        return ("absent",)
    if token.state is not TokenState.ACCEPTED:
        return ("rejected", token.state.value)
    if solved is None:
        return ("rejected", "rejected:not_solved")
    return ("accepted",) if now - solved <= immunity else ("rejected", "rejected:expired")


def token_labels(token: Token, now: float, immunities: Immunities) -> tuple[str, ...]:
    """The labels for a request's token at ``now`` (seconds since the epoch)."""
    found = [CHALLENGE + word for word in status(token, token.challenge_solved, immunities.challenge, now)]
    found += [CAPTCHA + word for word in status(token, token.captcha_solved, immunities.captcha, now)]
    if token.id:
        found.append(f"{CHALLENGE}id:{token.id}")
    return tuple(found)
