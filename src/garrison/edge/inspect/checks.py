"""Small checks that validation is made of. Each raises InvalidParameter in AWS's words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from garrison.edge.inspect.compiler import EXACTLY_ONE
from garrison.edge.inspect.errors import InvalidParameter

Document = Mapping[str, Any]


def mapping(value: Any, field: str, parameter: str) -> Document:  # noqa: ANN401 - any JSON
    """``value``, which must be an object."""
    if not isinstance(value, Mapping):
        raise InvalidParameter(field, parameter, "The value must be an object.")
    return value


def members(document: Document, known: Collection[str], field: str) -> None:
    """No member beside the known ones. An unknown one could be a condition that would silently not hold."""
    for name, value in document.items():
        if value is not None and name not in known:
            raise InvalidParameter(field, str(name)[:64], "The member is not known.")


def union(document: Document, known: Collection[str], field: str, parameter: str) -> tuple[str, Document]:
    """The one member of a union."""
    chosen = [(name, value) for name, value in document.items() if value is not None]
    if len(chosen) != 1:
        raise InvalidParameter(field, parameter, EXACTLY_ONE)
    name, value = chosen[0]
    if name not in known:
        raise InvalidParameter(field, str(name)[:64], "The member is not known.")
    return name, mapping(value, field, name)


def required(document: Document, name: str, field: str) -> Any:  # noqa: ANN401 - any JSON
    """A member that must be there."""
    found = document.get(name)
    if found is None:
        raise InvalidParameter(field, name, "The parameter is required.")
    return found


def text(document: Document, name: str, field: str, *, most: int, pattern: re.Pattern[str] | None = None) -> str:
    """A string of 1 to ``most`` characters that matches ``pattern``."""
    found = required(document, name, field)
    if not isinstance(found, str) or not 1 <= len(found) <= most:
        raise InvalidParameter(field, name, f"The value must have 1 to {most} characters.")
    if pattern is not None and not pattern.fullmatch(found):
        raise InvalidParameter(field, found[:64], "The value contains characters that are not allowed.")
    return found


def choice(document: Document, name: str, field: str, allowed: Collection[str], *, optional: bool = False) -> str | None:
    """A value of an enumeration."""
    found = document.get(name) if optional else required(document, name, field)
    if found is None:
        return None
    if not isinstance(found, str) or found not in allowed:
        raise InvalidParameter(field, str(found)[:64], f"The value must be one of {', '.join(sorted(allowed))}.")
    return found


def number(document: Document, name: str, field: str, low: int, high: int) -> int:
    """An integer within the bounds."""
    found = required(document, name, field)
    if isinstance(found, bool) or not isinstance(found, int) or not low <= found <= high:
        raise InvalidParameter(field, str(found)[:64], f"The value must be between {low} and {high}.")
    return found


def items(document: Document, name: str, field: str, least: int, most: int) -> Sequence[Any]:
    """A list of ``least`` to ``most`` elements; absent is empty."""
    found = document.get(name)
    if found is None:
        found = ()
    if not isinstance(found, list | tuple) or not least <= len(found) <= most:
        raise InvalidParameter(field, name, f"The list must have {least} to {most} elements.")
    return found


def distinct(values: Sequence[Any], field: str, what: str) -> None:
    """No value twice."""
    if len(set(values)) != len(values):
        raise InvalidParameter(field, what, f"The {what} of each must be different.")


ARN: Final = re.compile(r"arn:[a-z-]+:wafv2:[a-z0-9-]*:[0-9]{12}:(?:regional|global)/[a-z]+/[\w-]+/[\w-]+")
