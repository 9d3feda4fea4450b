"""The constraints of the models, checked one by one, with AWS's messages.

This is the slow way: codecs decode into types that carry the same constraints, and come here only where that
failed, to say what is wrong as AWS says it. Wordings: recorded answers of KMS, IAM and STS, and of the services
that share their framework.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from garrison.core.constraints import python_pattern
from garrison.core.errors import CommonError, CommonKind
from garrison.core.model import Member, Shape
from garrison.wire.invalid_input import invalid_input
from garrison.wire.protocols.scalars import format_number

MAX_PROBLEMS = 20
"""Problems that one answer lists; a request may have thousands."""

MAX_ECHO = 1024
"""Characters of a refused value that an answer repeats."""

VALIDATION: CommonKind = "validation"

MAX_MATCHED = 4096
"""Characters up to which a text that is too long anyway is held against its pattern too; some patterns take cubic time."""

NOT_NULL = "Member must not be null"

SILENT = frozenset({"iam", "sts"})
"""Services whose messages never repeat the value (``Value at 'roleName' failed …``), and that name the null rule in lists."""

matches = cache(lambda pattern: re.compile(python_pattern(pattern)).search)
"""A model's pattern as a function that answers whether the whole text matches."""


def lower_camel(name: str) -> str:
    """A member as messages and CloudTrail spell it: ``UserName`` is ``userName``, ``SSHPublicKeyId`` is ``sSHPublicKeyId``."""
    return name[:1].lower() + name[1:]


def validate(document: dict[str, Any], member: Member, service: str) -> None:
    """Raise CommonError("validation") naming every member of a request that breaks a constraint (at most MAX_PROBLEMS).

    Organizations has an error of its own for it, and names the first.
    """
    walk = _Walk(silent=service in SILENT)
    walk.structure(document, member.shape, "")
    if walk.first is not None and service == "organizations":
        raise invalid_input(*walk.first)
    if walk.problems:
        raise CommonError(VALIDATION, detected(walk.problems))


def detected(problems: list[str]) -> str:
    """``2 validation errors detected: …; …``."""
    return f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: {'; '.join(problems)}"


class _Walk:
    """One request's way through its shapes."""

    def __init__(self, *, silent: bool) -> None:
        self.problems: list[str] = []
        self.first: tuple[str, str] | None = None
        """Path and rule of the first problem."""
        self._silent = silent

    def structure(self, value: dict[str, Any], shape: Shape, prefix: str) -> None:
        for name, member in shape.members.items():
            if len(self.problems) >= MAX_PROBLEMS:
                return
            inner = value.get(name)
            path = f"{prefix}{lower_camel(name)}"
            if inner is not None:
                self.value(inner, member.shape, path)
            elif member.required:
                self.report(None, member.shape, path, NOT_NULL)
        if shape.union and sum(inner is not None for inner in value.values()) != 1:
            self.report(
                value, shape, prefix.removesuffix(".") or lower_camel(shape.name), "Member must have exactly one member set"
            )

    def value(self, value: Any, shape: Shape, path: str) -> None:  # noqa: ANN401 - a document's value
        for text in broken(value, shape):
            self.report(value, shape, path, text)
        if shape.type == "structure" and not shape.document:
            self.structure(value, shape, f"{path}.")
        elif shape.type == "list":
            self.items(value, value, shape, shape.member.shape, path, "Member")
        elif shape.type == "map":
            self.items(value, value.keys(), shape, shape.key.shape, path, "Map keys")
            self.items(value, value.values(), shape, shape.value.shape, path, "Map value")

    def items(self, whole: Any, items: Iterable[Any], shape: Shape, inner: Shape, path: str, who: str) -> None:  # noqa: ANN401 - a document's values
        """What a list or map holds: structures report their own paths, anything else is reported once for the whole."""
        if inner.type == "structure" and not inner.document:
            for index, (label, item) in enumerate(_labelled(items, whole), 1):
                if len(self.problems) >= MAX_PROBLEMS:
                    return
                where = f"{path}.{index}.member" if who == "Member" else f"{path}.{label}.member"
                self.report(None, inner, where, NOT_NULL) if item is None else self.structure(item, inner, f"{where}.")
            return
        if any(item is None or self._breaks(item, inner) for item in items):
            rules = ", ".join([*rules_of(inner), *([NOT_NULL] if self._silent or None in list(items) else [])])
            self.report(whole, shape, path, f"{who} must satisfy constraint: [{rules}]")

    def _breaks(self, value: Any, shape: Shape) -> bool:  # noqa: ANN401 - a document's value
        nested = _Walk(silent=True)
        nested.value(value, shape, "")
        return bool(nested.problems)

    def report(self, value: Any, shape: Shape, path: str, rule: str) -> None:  # noqa: ANN401 - a document's value
        self.first = self.first or (path, rule)
        echo = "" if self._silent or is_sensitive(shape) else " null" if value is None else f" '{echo_of(value)}'"
        self.problems.append(f"Value{echo} at '{path}' failed to satisfy constraint: {rule}")


def _labelled(items: Iterable[Any], whole: Any) -> Iterable[tuple[Any, Any]]:  # noqa: ANN401 - a document's values
    return zip(whole, items, strict=True) if isinstance(whole, dict) else ((None, item) for item in items)


def broken(value: Any, shape: Shape) -> list[str]:  # noqa: ANN401 - a document's value
    """The rules that a value breaks itself, whatever it holds."""
    return [text for text, holds in _rules(shape) if not holds(value)]


def rules_of(shape: Shape) -> list[str]:
    """Every rule of a shape, in the order in which AWS lists them."""
    return [text for text, _ in _rules(shape)]


@cache
def _rules(shape: Shape) -> tuple[tuple[str, Callable[[Any], bool]], ...]:
    found: list[tuple[str, Callable[[Any], bool]]] = []
    sized = shape.type in {"string", "blob", "list", "map"}
    word = "length" if sized else "value"
    measure: Callable[[Any], Any] = len if sized else _itself
    top, bottom = shape.max, shape.min
    if top is not None:
        found.append((f"Member must have {word} less than or equal to {format_number(top)}", lambda value: measure(value) <= top))
    if bottom is not None:
        found.append(
            (f"Member must have {word} greater than or equal to {format_number(bottom)}", lambda value: measure(value) >= bottom)
        )
    if shape.enum:
        found.append(
            (f"Member must satisfy enum value set: [{', '.join(hash_order(shape.enum))}]", frozenset(shape.enum).__contains__)
        )
    elif shape.pattern:
        find = matches(shape.pattern)
        longest = math.inf if top is None else max(top, MAX_MATCHED)
        rule = f"Member must satisfy regular expression pattern: {shape.pattern}"
        found.append((rule, lambda value: len(value) > longest or find(value) is not None))
    return tuple(found)


def _itself(value: Any) -> Any:  # noqa: ANN401 - a number
    return value


def hash_order(words: tuple[str, ...]) -> list[str]:
    """The order in which a Java ``HashSet`` walks these strings: that is how AWS's messages list an enumeration."""
    size = 16
    while size * 0.75 < len(words):
        size *= 2
    return sorted(words, key=lambda word: _bucket(word, size))


def _bucket(word: str, size: int) -> int:
    code = 0
    for letter in word:
        code = (code * 31 + ord(letter)) & 0xFFFFFFFF
    return (code ^ (code >> 16)) & (size - 1)


def echo_of(value: Any) -> str:  # noqa: ANN401 - a document's value
    """A value as Java prints it, cut to MAX_ECHO characters."""
    return _echo(value, 4)[:MAX_ECHO]


def _echo(value: Any, depth: int) -> str:  # noqa: ANN401 - a document's value
    if isinstance(value, bytes):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    if isinstance(value, (list, dict)) and not depth:
        return "..."
    if isinstance(value, list):
        return f"[{', '.join(_echo(item, depth - 1) for item in value[:MAX_ECHO])}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}={_echo(item, depth - 1)}' for key, item in list(value.items())[:MAX_ECHO])}}}"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return value if isinstance(value, str) else format_number(value)


@cache
def is_sensitive(shape: Shape) -> bool:
    """Whether a value of this shape holds, at any depth, what must not be repeated."""
    return _sensitive(shape, set())


def _sensitive(shape: Shape, seen: set[str]) -> bool:
    if shape.sensitive:
        return True
    if shape.name in seen:
        return False
    seen.add(shape.name)
    inside: list[Member] = [*shape.members.values()] if shape.type == "structure" else []
    inside += [shape.member] if shape.type == "list" else [shape.key, shape.value] if shape.type == "map" else []
    return any(member.traits.get("sensitive") or _sensitive(member.shape, seen) for member in inside)
