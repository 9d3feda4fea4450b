"""Organizations says in words of its own that a request breaks a constraint: one reason, and the member behind it.

Source: AWS Organizations API Reference, InvalidInputException, and answers that clients recorded
(``INVALID_PATTERN:RESOURCE_ID``).
"""

from __future__ import annotations

import re

from garrison.core.errors import CommonError

_WORDS: tuple[tuple[str, str, str], ...] = (
    ("Member must not be null", "INPUT_REQUIRED", "You must include a value for all required parameters."),
    ("Member must satisfy enum", "INVALID_ENUM", "You specified an invalid value."),
    ("Member must satisfy regular", "INVALID_PATTERN", "You provided a value that does not match the required pattern."),
    (
        "Member must satisfy constraint",
        "INVALID_LIST_MEMBER",
        "You provided a list to a parameter that contains at least one invalid value.",
    ),
    ("Member must have length less", "MAX_LENGTH_EXCEEDED", "You provided a string parameter that is longer than allowed."),
    ("Member must have length greater", "MIN_LENGTH_EXCEEDED", "You provided a string parameter that is shorter than allowed."),
    (
        "Member must have value less",
        "MAX_VALUE_EXCEEDED",
        "You provided a numeric parameter that has a larger value than allowed.",
    ),
    (
        "Member must have value greater",
        "MIN_VALUE_EXCEEDED",
        "You provided a numeric parameter that has a smaller value than allowed.",
    ),
)
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def invalid_input(path: str, rule: str) -> CommonError:
    """The error for the first constraint that a request breaks: ``accountId``, and the rule as ``wire.validation`` has it."""
    reason, message = next(
        ((reason, message) for start, reason, message in _WORDS if rule.startswith(start)),
        ("INVALID_PATTERN", "You provided a value that does not match the required pattern."),
    )
    member = _WORD.sub("_", path.rpartition(".")[2]).upper()
    return CommonError("validation", message, code="InvalidInputException", members={"Reason": f"{reason}:{member}"})
