"""Policy variables: ``${aws:username}``, ``${key, 'default'}`` and the literal ``${*}``, ``${?}``, ``${$}``.

Source: IAM User Guide, "IAM policy elements: Variables and tags". A value goes in literally: an asterisk inside it is no
wildcard. A key that is absent or has several values leaves the variable unresolved.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

Value = str | bool | float | int | bytes | Sequence[str]
"""A condition key's value; a list or tuple is a multi-valued key."""
Getter = Callable[[str], "Value | None"]
"""Looks a condition key up by its lower-cased name."""

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_SPECIAL = frozenset("*?$")


class Literal(NamedTuple):
    """Text that stands for itself, wildcards included."""

    text: str


class Pattern(NamedTuple):
    """Text in which ``*`` and ``?`` are wildcards, where the place knows wildcards."""

    text: str


class Variable(NamedTuple):
    """A key to look up; ``key`` is lower-cased, ``name`` as written."""

    key: str
    default: str | None
    name: str


Part = Literal | Pattern | Variable


def split_variables(text: str) -> tuple[Part, ...]:
    """Cut ``text`` at its variables. What looks like one but is not (``${``, ``${}``) stays text."""
    parts: list[Part] = []
    at = 0
    for found in _VARIABLE.finditer(text):
        part = _variable(found.group(1))
        if part is None:
            continue
        if found.start() > at:
            parts.append(Pattern(text[at : found.start()]))
        parts.append(part)
        at = found.end()
    if at < len(text):
        parts.append(Pattern(text[at:]))
    return tuple(parts)


def _variable(inner: str) -> Part | None:
    if inner in _SPECIAL:
        return Literal(inner)
    key, comma, default = (piece.strip() for piece in inner.partition(","))
    if not key:
        return None
    if not comma:
        return Variable(key.lower(), None, key)
    text = default[1:-1]
    quoted = len(default) >= 2 and default[0] == default[-1] == "'" and "'" not in text
    return Variable(key.lower(), text, key) if quoted else None


def resolve(variable: Variable, get: Getter) -> str | None:
    """The variable's value as text; its default where the key is absent; None where it cannot be resolved."""
    value = get(variable.key)
    if value is None:
        return variable.default
    return single_text(value)


def single_text(value: Value) -> str | None:
    """A single-valued key's value as policies compare it; None for a multi-valued key."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value).removesuffix(".0")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return None
