"""The lexer of SQL: a value's tokens over all dialects, and their *shape*, one letter each.

Letters: ``s`` string, ``1`` number, ``n`` name, ``f`` function before ``(``, ``F`` one that only SQL has, ``v`` variable, ``a``
and/or/xor, ``t`` not, ``o`` operator, ``U`` union, ``E`` select, ``T`` statement, ``k`` keyword, ``m`` from, ``w`` where,
``h`` having, ``g`` group/order by, ``l`` limit, ``i`` into, ``C`` comment, and ``( ) , ; .`` for themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from garrison.edge.inspect.detect.sqlwords import (
    FUNCTIONS,
    KEYWORDS,
    LOGICAL,
    OPERATORS,
    STATEMENTS,
    STRONG_FUNCTIONS,
    UNION,
)

TOKENS: Final = 400
"""Tokens of a value that are read."""
_TOKEN = re.compile(
    rb"""(?P<space>[\s\xa0]+)
    |(?P<unwrapped>/\*!\d*)
    |(?P<comment>/\*(?:[^*]|\*(?!/))*(?:\*/|$)|--(?=[\s;+)'"]|-|$|[A-Za-z(]))
    |(?P<hash>\#)
    |(?P<number>0x[0-9a-f]+|0b[01]+|(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)
    |(?P<word>[a-z_\x80-\xff][\w$\x80-\xff]*)
    |(?P<variable>@@?[\w$.]*)
    |(?P<string>'(?:[^'\\]|\\.|'')*(?P<open1>$|')|"(?:[^"\\]|\\.|"")*(?P<open2>$|"))
    |(?P<tick>`[^`]*(?:`|$)|\[[a-z_][\w ]*\])
    |(?P<logical>&&|\|\|)
    |(?P<operator><=>|<>|!=|<=|>=|:=|::|->>|->|@>|<@|<<|>>|[=<>!~^&|%*/+:?\-])
    |(?P<punct>[(),;.])
    |(?P<other>.)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


# A heading of Markdown, a number (`size 7 #2`): no comment.
_HEADING = re.compile(rb"\n#+ |[\s(]#\d")


class Token(NamedTuple):
    """A token: its letter, its bytes in lower case, and where it ends."""

    letter: str
    text: bytes
    end: int


_SINGLE: Final = {
    b"not": "t",
    b"select": "E",
    b"from": "m",
    b"where": "w",
    b"having": "h",
    b"limit": "l",
    b"offset": "l",
    b"into": "i",
    b"values": "V",
}


def _word(  # noqa: PLR0911 - one answer for each class of words
    text: bytes, rest: bytes, end: int
) -> str:
    called = rest[end : end + 8].lstrip()[:1] == b"("
    if text in _SINGLE:
        return _SINGLE[text]
    if text in LOGICAL:
        return "a"
    if text in UNION:
        return "U"
    if called and text in STRONG_FUNCTIONS:
        return "F"
    if called and text in FUNCTIONS:
        return "f"
    if text in OPERATORS:
        return "o"
    if text in STATEMENTS:
        return "T"
    return "k" if text in KEYWORDS else "n"


def tokens(text: bytes, most: int = TOKENS) -> Iterator[Token]:
    """The tokens of ``text``, at most ``most``; comments are tokens only where something may be hidden behind them."""
    count = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "space" or kind is None:
            continue
        count += 1
        if count > most:
            return
        token = _token(kind, match, text)
        if token is not None:
            yield token


def _token(  # noqa: PLR0911 - one answer for each kind of token
    kind: str, match: re.Match[bytes], text: bytes
) -> Token | None:
    found, end = match.group(), match.end()
    if kind == "unwrapped":
        return None
    if kind == "comment":
        closed = found.startswith(b"/*") and found.endswith(b"*/") and len(found) >= 4
        return None if closed else Token("C", found, end)
    if kind == "hash":
        return Token("?" if _HEADING.match(text, max(0, end - 2)) else "C", found, end)
    if kind == "word":
        lowered = found.lower()
        return Token(_word(lowered, text, end), lowered, end)
    if kind in {"string", "open1", "open2"}:
        return Token("s", found, end)
    if kind == "variable" and found in {b"@", b"@@"}:
        return Token("?", found, end)
    if kind == "operator" and found == b"*" and text[end : end + 1] == b"/":
        return None
    return Token(_LETTERS.get(kind) or found.decode("latin-1"), found.lower(), end)


_LETTERS: Final = {"number": "1", "variable": "v", "tick": "n", "logical": "a", "operator": "o", "other": "?"}


class Shape(NamedTuple):
    """The letters of some tokens, and the tokens."""

    letters: str
    tokens: list[Token]

    def text(self, start: int, end: int) -> bytes:
        """The tokens' bytes from one letter to another."""
        return b" ".join(each.text for each in self.tokens[start:end])[:128]


def shape(text: bytes, most: int = TOKENS) -> Shape:
    """The shape of ``text``; ``group by`` and ``order by`` are one letter."""
    found: list[Token] = []
    for token in tokens(text, most):
        if token.text == b"by" and found and found[-1].text in {b"order", b"group", b"partition"}:
            found[-1] = Token("g", found[-1].text + b" by", token.end)
            continue
        found.append(token)
    return Shape("".join(each.letter for each in found), found)
