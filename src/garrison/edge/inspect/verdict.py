"""What an inspection found: everything that the proxy, the log record, the sampled requests and the metrics need."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

DEFAULT_ACTION = "Default_Action"
"""AWS's name for the rule that decides where no rule did."""


class Action(StrEnum):
    """What a rule does with a request that matches it, in the spelling of the log record."""

    ALLOW = "ALLOW"
    BLOCK = "BLOCK"
    COUNT = "COUNT"
    CAPTCHA = "CAPTCHA"
    CHALLENGE = "CHALLENGE"
    EXCLUDED_AS_COUNT = "EXCLUDED_AS_COUNT"


class RuleKind(StrEnum):
    """``terminatingRuleType`` of the log record."""

    REGULAR = "REGULAR"
    RATE_BASED = "RATE_BASED"
    GROUP = "GROUP"
    MANAGED_RULE_GROUP = "MANAGED_RULE_GROUP"


@dataclass(frozen=True, slots=True)
class MatchDetail:
    """Where a statement matched, and on which bytes.

    ``condition`` is ``SQL_INJECTION`` or ``XSS`` (only those two go to AWS's log record), or the statement's name
    (``BYTE_MATCH``, ``REGEX`` ...). ``location`` is the part of the request (``URI``, ``ALL_QUERY_ARGS``, ``HEADER`` ...),
    ``field`` the name of the header, cookie or argument where there is one. ``matched`` are the bytes after transformation,
    at most 16 pieces of 128 bytes.
    """

    condition: str
    location: str
    field: str = ""
    matched: tuple[bytes, ...] = ()
    sensitivity: str = ""


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """One rule that matched. ``overridden`` is the rule's own action where the web ACL gave it another."""

    rule: str
    action: Action
    overridden: Action | None = None
    details: tuple[MatchDetail, ...] = ()
    metric: str = ""
    kind: RuleKind = RuleKind.REGULAR


@dataclass(frozen=True, slots=True)
class GroupResult:
    """What one rule group did: an element of ``ruleGroupList``. ``group`` is an ARN, or ``vendor#name`` of a managed one."""

    group: str
    terminating: RuleMatch | None = None
    non_terminating: tuple[RuleMatch, ...] = ()
    excluded: tuple[str, ...] = ()
    version: str = ""
    rule: str = ""
    """The web ACL's own rule that references the group."""


@dataclass(frozen=True, slots=True)
class RateResult:
    """A rate-based rule that the request was counted by: an element of ``rateBasedRuleList``.

    ``limit_key`` is ``IP``, ``FORWARDED_IP``, ``CUSTOMKEYS`` or ``CONSTANT``; ``limit_value`` the address of the first two;
    ``custom`` the ``(key, name, value)`` of each custom key.
    """

    rule_id: str
    rule: str
    limit_key: str
    limit: int
    window: int
    limit_value: str = ""
    custom: tuple[tuple[str, str, str], ...] = ()
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a blocked request. ``status`` is 403 where the rule has no custom response; ``body`` is None for none."""

    status: int = 403
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """``captchaResponse`` or ``challengeResponse``: how a rule of that action took the request's token.

    ``solved`` is the time of the token's solution, ``failure`` one of ``TOKEN_MISSING``, ``TOKEN_EXPIRED``, ``TOKEN_INVALID``,
    ``TOKEN_DOMAIN_MISMATCH``, None where the token was good. ``status`` is 0 then, else 405 (CAPTCHA) or 202 (challenge).
    """

    status: int = 0
    solved: float | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one inspection.

    ``action`` is ``ALLOW``, ``BLOCK``, ``CAPTCHA`` or ``CHALLENGE``. ``rule`` is the web ACL's rule that decided, or
    ``Default_Action``; ``rule_in_group`` the rule inside its group. ``immunity`` is the rule's immunity time in seconds, which
    the page of a CAPTCHA or challenge tells its token.
    """

    action: Action
    rule: str = DEFAULT_ACTION
    kind: RuleKind = RuleKind.REGULAR
    rule_in_group: str | None = None
    group: str | None = None
    details: tuple[MatchDetail, ...] = ()
    overridden: Action | None = None
    matches: tuple[RuleMatch, ...] = ()
    """Rules of the web ACL itself that matched without deciding."""
    groups: tuple[GroupResult, ...] = ()
    rates: tuple[RateResult, ...] = ()
    labels: tuple[str, ...] = ()
    inserted: tuple[tuple[str, str], ...] = ()
    """Headers for the application, already prefixed ``x-amzn-waf-``."""
    response: Response | None = None
    captcha: TokenAnswer | None = None
    challenge: TokenAnswer | None = None
    immunity: int = 300
    oversize: frozenset[str] = frozenset()
    """``REQUEST_BODY``, ``REQUEST_JSON_BODY``, ``REQUEST_HEADERS``, ``REQUEST_COOKIES``: what was larger than is inspected."""
    body_inspected: int = 0
    metrics: tuple[tuple[str, Action], ...] = field(default=())
    """``(metric name, action)`` of every rule that matched, the deciding one or the default action last."""
