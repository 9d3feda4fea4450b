"""What a rule does once it matches: answers, inserted headers, and the check of a token.

Sources: the rule action, custom response and CAPTCHA pages of the AWS WAF developer guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from garrison.edge.inspect.errors import InvalidParameter
from garrison.edge.inspect.state import Token, TokenState
from garrison.edge.inspect.verdict import Action, Response, TokenAnswer

IMMUNITY: Final = 300
"""Seconds that a solved CAPTCHA or challenge stays good where nothing else is configured."""
STATUS: Final[Mapping[Action, int]] = {Action.CAPTCHA: 405, Action.CHALLENGE: 202}
TYPES: Final[Mapping[str, str]] = {"TEXT_PLAIN": "text/plain", "TEXT_HTML": "text/html", "APPLICATION_JSON": "application/json"}
PREFIX: Final = "x-amzn-waf-"
_NAMES: Final[Mapping[str, Action]] = {
    "Allow": Action.ALLOW,
    "Block": Action.BLOCK,
    "Count": Action.COUNT,
    "Captcha": Action.CAPTCHA,
    "Challenge": Action.CHALLENGE,
}


class Act(NamedTuple):
    """A compiled ``RuleAction`` or ``DefaultAction``."""

    action: Action
    inserted: tuple[tuple[str, str], ...] = ()
    response: Response | None = None
    immunity: int = IMMUNITY


def action_name(document: Mapping[str, Any], field: str) -> str:
    """The one member of an action document."""
    chosen = [name for name, value in document.items() if value is not None]
    if len(chosen) != 1:
        raise InvalidParameter(
            field, "RuleAction", "You have used none or multiple values for a field that requires exactly one value."
        )
    return chosen[0]


def _headers(listed: Any, prefix: str) -> tuple[tuple[str, str], ...]:  # noqa: ANN401 - a list of a JSON document, or None
    return tuple((f"{prefix}{each['Name']}", str(each["Value"])) for each in listed or ())


def _response(spec: Mapping[str, Any], bodies: Mapping[str, Any]) -> Response:
    custom = spec.get("CustomResponse")
    if not custom:
        return Response()
    body = bodies.get(custom.get("CustomResponseBodyKey") or "")
    return Response(
        status=int(custom["ResponseCode"]),
        headers=_headers(custom.get("ResponseHeaders"), ""),
        body=None if body is None else str(body["Content"]),
        content_type=None if body is None else TYPES[body["ContentType"]],
    )


def immunity(config: Mapping[str, Any] | None) -> int | None:
    """The immunity time of a ``CaptchaConfig`` or ``ChallengeConfig``, in seconds; None where it has none."""
    found = (config or {}).get("ImmunityTimeProperty")
    return None if not found else int(found["ImmunityTime"])


def compile_action(document: Mapping[str, Any], bodies: Mapping[str, Any], immunities: Mapping[Action, int]) -> Act:
    """The action of a validated document. ``immunities`` are those of the rule."""
    name = action_name(document, "RULE_ACTION")
    if name not in _NAMES:
        raise InvalidParameter("RULE_ACTION", name, "The action is not available for the resources that Garrison protects.")
    action = _NAMES[name]
    spec = document[name]
    handling = spec.get("CustomRequestHandling") or {}
    return Act(
        action,
        inserted=_headers(handling.get("InsertHeaders"), PREFIX),
        response=_response(spec, bodies) if action is Action.BLOCK else None,
        immunity=immunities.get(action, IMMUNITY),
    )


_FAILURES: Final[Mapping[TokenState, str]] = {
    TokenState.ABSENT: "TOKEN_MISSING",
    TokenState.INVALID: "TOKEN_INVALID",
    TokenState.DOMAIN_MISMATCH: "TOKEN_DOMAIN_MISMATCH",
}


def check_token(act: Act, token: Token, now: float) -> TokenAnswer:
    """Whether the token carries a solution of the action's kind that is still good. ``failure`` is None then."""
    failure = _FAILURES.get(token.state)
    if failure is not None:
        return TokenAnswer(STATUS[act.action], None, failure)
    solved = token.captcha_solved if act.action is Action.CAPTCHA else token.challenge_solved
    if solved is None:
        return TokenAnswer(STATUS[act.action], None, "TOKEN_MISSING")
    if now - solved > act.immunity:
        return TokenAnswer(STATUS[act.action], solved, "TOKEN_EXPIRED")
    return TokenAnswer(0, solved, None)
