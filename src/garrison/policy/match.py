"""Wildcards of actions and resources, compiled.

Source: IAM User Guide, "IAM JSON policy elements: Action" and "…: Resource". A wildcard stays within its ARN segment, save
that an asterisk which ends a segment may reach past the colon. Every matcher runs in time proportional to the length of
its text: nothing backtracks, whatever a policy's author writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TypeVar

from garrison.policy.variables import Getter, Literal, Part, Pattern, Variable, resolve, split_variables

Test = Callable[[str], bool]
ARN_COLONS = 5
"""Colons before an ARN's resource part."""
_WILDCARDS = re.compile(r"([*?])")
_MEMO = 256
"""Resolved forms of one pattern with variables that are kept."""
_LONGEST = 512
"""Characters of values in a form that is kept."""
Key = TypeVar("Key")


class Wild(Enum):
    """A wildcard. The narrow ones do not match a colon."""

    ONE = "?"
    ONE_NARROW = "?:"
    MANY = "*"
    MANY_NARROW = "*:"


Token = str | Wild
_MANY = (Wild.MANY, Wild.MANY_NARROW)


def glob(pattern: str) -> Test:
    """A test for ``pattern`` in which ``*`` is any text and ``?`` any one character."""
    return compile_tokens(tokenize(pattern))


def tokenize(pattern: str) -> list[Token]:
    """Wildcards without segments, as StringLike and actions know them."""
    tokens: list[Token] = []
    for piece in _WILDCARDS.split(pattern):
        if piece == "*":
            _add_many(tokens, Wild.MANY)
        elif piece == "?":
            tokens.append(Wild.ONE)
        elif piece:
            _add_text(tokens, piece)
    return tokens


def _add_text(tokens: list[Token], text: str) -> None:
    if tokens and isinstance(tokens[-1], str):
        tokens[-1] += text
    elif text:
        tokens.append(text)


def compile_tokens(tokens: Sequence[Token]) -> Test:
    """The cheapest test that is right for these tokens."""
    tokens = _joined(tokens)
    texts = [token for token in tokens if isinstance(token, str)]
    wild = [token for token in tokens if not isinstance(token, str)]
    if not wild:
        return ("".join(texts)).__eq__
    if any(token is not Wild.MANY for token in wild):
        return _Automaton(tokens)
    if len(tokens) == 1:
        return _anything
    first = tokens[0] if isinstance(tokens[0], str) else ""
    last = tokens[-1] if isinstance(tokens[-1], str) else ""
    middle = texts[bool(first) : len(texts) - bool(last)]
    if not last and not middle:
        return _prefix(first)
    return _pieces(first, tuple(middle), last)


def _joined(tokens: Sequence[Token]) -> list[Token]:
    """Neighbouring texts as one, neighbouring asterisks as the wider one."""
    joined: list[Token] = []
    for token in tokens:
        if isinstance(token, str):
            _add_text(joined, token)
        elif token in _MANY:
            _add_many(joined, token)
        else:
            joined.append(token)
    return joined


def _anything(_text: str) -> bool:
    return True


def _prefix(prefix: str) -> Test:
    return lambda text: text.startswith(prefix)


def _pieces(first: str, middle: tuple[str, ...], last: str) -> Test:
    """``first*middle*…*last``. Each piece at its earliest place is right, because the next star takes up any slack."""
    shortest = len(first) + len(last) + sum(map(len, middle))

    def test(text: str) -> bool:
        if len(text) < shortest or not text.startswith(first) or not text.endswith(last):
            return False
        at = len(first)
        end = len(text) - len(last)
        for piece in middle:
            at = text.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True

    return test


class _Automaton:
    """All places of the pattern that can be reached, as the bits of one integer; one step for each character."""

    __slots__ = ("colon_loops", "colon_steps", "final", "letters", "loops", "prefix", "skips", "start", "steps")

    def __init__(self, tokens: Sequence[Token]) -> None:
        rest = list(tokens)
        first = rest[0]
        self.prefix = first if isinstance(first, str) else ""
        if self.prefix:
            rest = rest[1:]
        self.letters: dict[str, int] = {}
        self.steps = self.colon_steps = self.loops = self.colon_loops = self.skips = 0
        bit = 1
        for token in rest:
            for unit in token if isinstance(token, str) else (token,):
                self._add(unit, bit)
                bit <<= 1
        self.final = bit
        self.start = self._skip(1)

    def _add(self, unit: Token, bit: int) -> None:
        if isinstance(unit, str):
            self.letters[unit] = self.letters.get(unit, 0) | bit
        elif unit in _MANY:
            self.skips |= bit
            self.loops |= bit
            self.colon_loops |= bit if unit is Wild.MANY else 0
        else:
            self.steps |= bit
            self.colon_steps |= bit if unit is Wild.ONE else 0

    def _skip(self, places: int) -> int:
        """A star may match nothing. No two stars are neighbours, so one step is enough."""
        return places | ((places & self.skips) << 1)

    def __call__(self, text: str) -> bool:
        if not text.startswith(self.prefix):
            return False
        places = self.start
        letters = self.letters
        for character in text[len(self.prefix) :] if self.prefix else text:
            colon = character == ":"
            steps = letters.get(character, 0) | (self.colon_steps if colon else self.steps)
            loops = self.colon_loops if colon else self.loops
            places = self._skip(((places & steps) << 1) | (places & loops))
            if not places:
                return False
        return bool(places & self.final)


def remember(memo: dict[Key, Test], key: Key, test: Test, size: int) -> None:
    """Keep the test of a pattern whose variables are resolved, within bounds: callers choose some of the values."""
    if size > _LONGEST:
        return
    if len(memo) >= _MEMO:
        memo.clear()
    memo[key] = test


class ResourcePattern:
    """One entry of Resource or NotResource.

    ``any``: the bare asterisk. ``exact``: set where the entry is plain text. ``head``: the text before its first slash, where
    that much is plain: an index can then find the entry by a resource's own head.
    """

    __slots__ = ("any", "exact", "head", "memo", "parts", "test", "text", "variables")

    def __init__(self, text: str, *, variables: bool, expand: bool = False) -> None:
        self.text = text
        self.any = text == "*"
        self.parts = _resource_parts(text, variables=variables, expand=expand)
        self.variables = tuple(part for part in self.parts if isinstance(part, Variable))
        self.memo: dict[tuple[str, ...], Test] = {}
        self.test: Test | None = None
        self.exact: str | None = None
        self.head: str | None = None
        tokens = _resource_tokens(self.parts, {})
        if not self.variables:
            self.test = compile_tokens(tokens)
            if len(tokens) == 1 and isinstance(tokens[0], str):
                self.exact = tokens[0]
        plain = _plain_start(self.parts)
        if self.exact is None and "/" in plain:
            self.head = plain.partition("/")[0]

    def matches(self, resource: str, get: Getter) -> bool | None:
        """None where a variable cannot be resolved: the entry then matches nothing."""
        if self.test is not None:
            return self.test(resource)
        values: list[str] = []
        for variable in self.variables:
            value = resolve(variable, get)
            if value is None:
                return None
            values.append(value)
        key = tuple(values)
        test = self.memo.get(key)
        if test is None:
            test = compile_tokens(_resource_tokens(self.parts, dict(zip(self.variables, key, strict=True))))
            remember(self.memo, key, test, sum(map(len, key)))
        return test(resource)


def _resource_parts(text: str, *, variables: bool, expand: bool) -> tuple[Part, ...]:
    """Variables count only in the resource part, after the fifth colon; earlier they are plain text and match no ARN."""
    if expand and text != "*":
        text += ":*" * max(0, ARN_COLONS - text.count(":"))
    if not variables:
        return (Pattern(text),)
    found: list[Part] = []
    colons = 0
    for part in split_variables(text):
        if isinstance(part, Variable) and colons < ARN_COLONS:
            return (Literal(text),)
        if isinstance(part, Pattern):
            colons += part.text.count(":")
        found.append(part)
    return tuple(found)


def _plain_start(parts: Sequence[Part]) -> str:
    """The text that every match begins with."""
    start = ""
    for part in parts:
        if isinstance(part, Variable):
            return start
        plain = part.text if isinstance(part, Literal) else _WILDCARDS.split(part.text, maxsplit=1)[0]
        start += plain
        if plain != part.text:
            return start
    return start


def _resource_tokens(parts: Sequence[Part], values: dict[Variable, str]) -> list[Token]:
    tokens: list[Token] = []
    colons = 0
    for at, part in enumerate(parts):
        if not isinstance(part, Pattern):
            _add_text(tokens, values.get(part, "") if isinstance(part, Variable) else part.text)
            continue
        colons = _pattern_tokens(tokens, part.text, colons, last=at == len(parts) - 1)
    return tokens


def _pattern_tokens(tokens: list[Token], text: str, colons: int, *, last: bool) -> int:
    """Add the tokens of one stretch of pattern; answers how many colons were seen so far."""
    pieces = [piece for piece in _WILDCARDS.split(text) if piece]
    for at, piece in enumerate(pieces):
        within = colons < ARN_COLONS
        if piece == "*":
            follower = pieces[at + 1] if at + 1 < len(pieces) else ""
            ends = follower.startswith(":") or (not follower and last)
            _add_many(tokens, Wild.MANY_NARROW if within and not ends else Wild.MANY)
        elif piece == "?":
            tokens.append(Wild.ONE_NARROW if within else Wild.ONE)
        else:
            colons += piece.count(":")
            _add_text(tokens, piece)
    return colons


def _add_many(tokens: list[Token], wild: Wild) -> None:
    """Of two asterisks in a row the wider one holds."""
    if tokens and tokens[-1] in _MANY:
        if wild is Wild.MANY:
            tokens[-1] = wild
        return
    tokens.append(wild)


class ActionPattern:
    """The Action or NotAction of a statement, ready for lower-cased actions."""

    __slots__ = ("everything", "exact", "negated", "tests")

    def __init__(self, actions: Sequence[str], *, negated: bool) -> None:
        lowered = [action.lower() for action in actions]
        self.negated = negated
        self.everything = "*" in lowered
        self.exact = frozenset(action for action in lowered if "*" not in action and "?" not in action)
        self.tests = tuple(glob(action) for action in lowered if "*" in action or "?" in action)

    def matches(self, action: str) -> bool:
        """Whether the statement speaks of ``action`` (lower-cased)."""
        named = self.everything or action in self.exact or any(test(action) for test in self.tests)
        return named is not self.negated
