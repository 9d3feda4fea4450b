r"""The constraints of a model's shapes, in terms that Python can check.

Models carry patterns for Java's regular expressions. Python reads most of them alike; where it does not
(``\\d`` and ``\\w`` mean ASCII there, ``.`` stops at more line ends), :func:`python_pattern` says the same for ``re``.
"""

from __future__ import annotations

from typing import Any

from garrison.core.model import Shape

_LETTERS_SEPARATORS_NUMBERS = r"[^\W_]|[ \xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000"
r"""``[\p{L}\p{Z}\p{N}``, left open: a word character is a letter or a number (or ``_``); the separators are few."""

EQUIVALENTS = {
    r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+": rf"(?:{_LETTERS_SEPARATORS_NUMBERS}_.:/=+\-@])+",
    r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*": rf"(?:{_LETTERS_SEPARATORS_NUMBERS}_.:/=+\-@])*",
    r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$": rf"(?:{_LETTERS_SEPARATORS_NUMBERS}_.:/=+\-@])*",
    r"[\p{L}\p{Z}\p{N}_.:/=+\-@{}]+": rf"(?:{_LETTERS_SEPARATORS_NUMBERS}_.:/=+\-@{{}}])+",
    r"[\p{L}\p{Z}\p{N}_.:/=+\-@{}]*": rf"(?:{_LETTERS_SEPARATORS_NUMBERS}_.:/=+\-@{{}}])*",
    # A hyphen after a class such as \s stands for itself.
    r"^[a-zA-Z0-9\s-_()\[\]]+$": r"(?a:[a-zA-Z0-9\s\-_()\[\]]+)",
    r"^arn:aws[a-z\-]*:config:[a-z\-\d]+:\d+:stored-query/[a-zA-Z0-9-_]+/query-[a-zA-Z\d-_/]+$": (
        r"(?a:arn:aws[a-z\-]*:config:[a-z\-\d]+:\d+:stored-query/[a-zA-Z0-9\-_]+/query-[a-zA-Z\d\-_/]+)"
    ),
    # A flag for the whole pattern stands at its start, which is no longer so inside another.
    r"(?s).*": r"(?s:.*)",
    # Surrogate pairs: everything beyond the basic plane.
    r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*": r"[\u0020-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF\t]*",
    # Repetitions within repetitions, over which re takes time exponential in the length: the same texts, read one way.
    r"[a-zA-Z](?:-?[a-zA-Z0-9]+)*": r"(?a:[a-zA-Z](?:-?[a-zA-Z0-9])*)",
    r"[a-z](?:-?[a-z0-9]+){0,15}": r"(?a:[a-z](?:[a-z0-9]+(?:-[a-z0-9]+){0,14}|(?:-[a-z0-9]+){0,15}))",
}
"""Patterns of the models that ``re`` cannot take, or not in bounded time, and what it can take in their place.

A test finds any of the first kind that is missing.
"""

_ANY = r"[^\n\r\x85\u2028\u2029]"

INTEGERS = {
    "byte": (-(1 << 7), (1 << 7) - 1),
    "short": (-(1 << 15), (1 << 15) - 1),
    "integer": (-(1 << 31), (1 << 31) - 1),
    "long": (-(1 << 63), (1 << 63) - 1),
    "biginteger": (-(1 << 127), (1 << 127) - 1),
}
"""What each integer type of the models can hold: Java's types, which AWS's models mean. Big integers have a bound of our own."""


TIMES = (-62_135_596_800.0, 253_402_300_799.999)
"""Timestamps: years 1 to 9999, the span of ISO 8601's four digits, in seconds since 1970."""


def python_pattern(pattern: str) -> str:
    """A pattern for ``re.search`` that finds exactly what Java's ``matches`` accepts: the whole value."""
    return rf"^(?:{EQUIVALENTS[pattern]})\Z" if pattern in EQUIVALENTS else rf"^(?a:{_java_dots(pattern)})\Z"


def _java_dots(pattern: str) -> str:
    """The pattern with each ``.`` outside brackets spelled out."""
    out: list[str] = []
    bracket = escaped = False
    for letter in pattern:
        out.append(_ANY if letter == "." and not bracket and not escaped else letter)
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == "[":
            bracket = True
        elif letter == "]":
            bracket = False
    return "".join(out)


def constraints(shape: Shape) -> dict[str, Any]:
    """A shape's constraints as keyword arguments of ``msgspec.Meta``."""
    found: dict[str, Any] = {}
    if shape.type in {"string", "blob", "list", "map"}:
        if shape.min:
            found["min_length"] = int(shape.min)
        if shape.max is not None:
            found["max_length"] = int(shape.max)
    elif shape.type in {"byte", "short", "integer", "long"}:
        low, high = INTEGERS[shape.type]
        found["ge"] = low if shape.min is None else int(shape.min)
        found["le"] = high if shape.max is None else int(shape.max)
    elif shape.type == "timestamp":
        found["ge"], found["le"] = TIMES
    elif shape.type in {"float", "double"}:
        found |= {} if shape.min is None else {"ge": float(shape.min)}
        found |= {} if shape.max is None else {"le": float(shape.max)}
    if shape.enum:
        found["pattern"] = rf"^(?:{'|'.join(map(_literal, shape.enum))})\Z"
    elif shape.pattern:
        found["pattern"] = python_pattern(shape.pattern)
    return found


def _literal(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "_-:/ " else f"\\{letter}" for letter in text)
