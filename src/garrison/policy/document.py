"""Policy documents: JSON text into statements, each with its place in the text.

Source: IAM User Guide, "Grammar of the IAM JSON policy language". Only the shape is read here; what a kind of
policy may say is ``validate``'s business.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from json.decoder import JSONDecoder
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, cast

from garrison.policy.errors import MalformedPolicy, PolicyTooLarge

if TYPE_CHECKING:
    from garrison.policy.wording import Wording

PolicyKind = Literal["identity", "resource", "trust", "boundary", "session", "scp", "rcp"]
Effect = Literal["Allow", "Deny"]

HARD_LIMIT = 262_144
"""Characters; longer text is not even parsed. Twice IAM's ``policyDocumentType``: some policies that AWS manages are longer."""

_TOP = frozenset({"Version", "Id", "Statement"})
_STATEMENT = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"},
)
_PRINCIPAL_TYPES = {"AWS": "aws", "Service": "service", "Federated": "federated", "CanonicalUser": "canonical"}
_VERSIONS = ("2008-10-17", "2012-10-17")
_NEWLINE = re.compile("\n")
_WHITESPACE = " \t\n\r"


class Position(NamedTuple):
    """A place in the policy's text, line and column counted from 1.

    As SimulatePolicy reports them, a statement starts behind the bracket or comma before it (behind its own brace where it
    stands without a list) and ends behind its closing brace. Source: the examples of the AWS CLI's ``simulate-custom-policy``
    and ``simulate-principal-policy``.
    """

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class PrincipalElement:
    """The ``Principal`` or ``NotPrincipal`` of a statement."""

    everyone: bool = False
    """``"*"`` or ``{"AWS": "*"}``, which mean the same."""
    aws: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    federated: tuple[str, ...] = ()
    canonical: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator, one key and its values, all as written; booleans and numbers as their JSON text."""

    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. ``actions`` and ``resources`` hold the Not… element's values where ``not_…`` is true."""

    index: int
    sid: str
    effect: str
    """As written; ``validate`` leaves only Allow and Deny."""
    actions: tuple[str, ...] | None
    not_action: bool
    resources: tuple[str, ...] | None
    not_resource: bool
    principal: PrincipalElement | None
    not_principal: bool
    conditions: tuple[Condition, ...]
    start: Position
    end: Position
    unused_operators: tuple[str, ...] = ()
    """Condition operators with an empty block: they test nothing."""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed policy."""

    kind: PolicyKind
    version: str | None
    """None where the document names none, which means 2008-10-17."""
    id: str
    statements: tuple[Statement, ...]
    text: str = field(repr=False)
    service: str = ""

    @property
    def has_variables(self) -> bool:
        """Policy variables exist since version 2012-10-17; in older policies ``${`` is plain text."""
        return self.version == "2012-10-17"


class _Number(str):
    """A JSON number as it was written: no conversion, so no loss and no cost in its length."""

    __slots__ = ()


def read_document(text: str, kind: PolicyKind, words: Wording, *, service: str = "", limit: int = HARD_LIMIT) -> Document:
    """Read the shape of a policy. Raises MalformedPolicy in ``words``, and PolicyTooLarge above ``limit`` characters."""
    if len(text) > limit:
        raise PolicyTooLarge(len(text), limit)
    try:
        top, spans = _Reader(text).read()
        # a lone surrogate, plain or escaped, names nothing and cannot be stored
        (json.dumps(top, ensure_ascii=False) if "\\u" in text else text).encode()
    except (ValueError, RecursionError) as error:
        raise MalformedPolicy(words.json) from error
    locate = _locator(text)
    statements = top.get("Statement", [])
    listed: list[Any] = statements if isinstance(statements, list) else [statements]
    if not listed:
        raise MalformedPolicy(words.no_statement)
    if not top.keys() <= _TOP:
        raise MalformedPolicy(words.syntax)
    version = top.get("Version")
    if "Version" in top and version not in _VERSIONS:
        raise MalformedPolicy(words.version)
    shape = _Shape(words)
    return Document(
        kind=kind,
        version=version,
        id=shape.string(top.get("Id", "")),
        statements=tuple(
            shape.statement(index, value, locate(start), locate(end))
            for index, (value, (start, end)) in enumerate(zip(listed, spans, strict=True))
        ),
        text=text,
        service=service,
    )


class _Reader:
    """Walks the outer object and the statement list itself, to know where each statement stands; the rest is json's."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.decoder = JSONDecoder(
            object_pairs_hook=_unique,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_refuse,
        )

    def read(self) -> tuple[dict[str, Any], list[tuple[int, int]]]:
        """The outer object, and the start and end offset of each statement. Raises ValueError."""
        pairs: list[tuple[str, Any]] = []
        spans: list[tuple[int, int]] = []
        self._expect("{")
        if not self._accept("}"):
            while True:
                key = self._key()
                pairs.append((key, self._statements(spans) if key == "Statement" else self._value()[0]))
                if self._accept("}"):
                    break
                self._expect(",")
        self._skip()
        if self.at != len(self.text):
            _refuse("text after the policy")
        return _unique(pairs), spans

    def _statements(self, spans: list[tuple[int, int]]) -> Any:  # noqa: ANN401 - any JSON value until checked
        self._skip()
        if self.text[self.at : self.at + 1] != "[":
            value, start = self._value()
            spans.append((start + 1, self.at))
            return value
        self._expect("[")
        values: list[Any] = []
        start = self.at
        if self._accept("]"):
            return values
        while True:
            values.append(self._value()[0])
            spans.append((start, self.at))
            if self._accept("]"):
                return values
            self._expect(",")
            start = self.at

    def _key(self) -> str:
        key, _ = self._value()
        if not isinstance(key, str) or isinstance(key, _Number):
            _refuse("a key is a string")
        self._expect(":")
        return key

    def _value(self) -> tuple[Any, int]:
        self._skip()
        start = self.at
        value, self.at = self.decoder.raw_decode(self.text, start)
        return value, start

    def _skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _WHITESPACE:
            self.at += 1

    def _accept(self, character: str) -> bool:
        self._skip()
        if self.text[self.at : self.at + 1] != character:
            return False
        self.at += 1
        return True

    def _expect(self, character: str) -> None:
        if not self._accept(character):
            _refuse(f"expected {character}")


def _refuse(what: str) -> NoReturn:
    raise ValueError(what)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. A key that stands twice is refused: which of the two counts would be a guess."""
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse("duplicate key")
    return found


def _locator(text: str) -> Callable[[int], Position]:
    starts = [0, *(found.end() for found in _NEWLINE.finditer(text))]

    def locate(offset: int) -> Position:
        line = bisect_right(starts, offset)
        return Position(line, offset - starts[line - 1] + 1)

    return locate


class _Shape:
    """Turns JSON values into statements, with the texts of one of AWS's parsers for what has not the right form."""

    def __init__(self, words: Wording) -> None:
        self.words = words

    def statement(self, index: int, value: object, start: Position, end: Position) -> Statement:
        """One entry of Statement."""
        if not isinstance(value, dict) or not value.keys() <= _STATEMENT:
            raise MalformedPolicy(self.words.syntax)
        actions, not_action = self.either(value, "Action")
        resources, not_resource = self.either(value, "Resource")
        conditions, unused = self.conditions(value.get("Condition", {}))
        return Statement(
            index=index,
            sid=self.string(value.get("Sid", "")),
            effect=self.effect(value),
            actions=actions,
            not_action=not_action,
            resources=resources,
            not_resource=not_resource,
            principal=self.principal(value),
            not_principal="NotPrincipal" in value,
            conditions=conditions,
            start=start,
            end=end,
            unused_operators=unused,
        )

    def effect(self, statement: dict[str, object]) -> str:
        """Allow or Deny; in the wrong case it passes here, because AWS objects to that later and in other words."""
        if "Effect" not in statement:
            raise MalformedPolicy(self.words.no_effect)
        effect = self.string(statement["Effect"])
        if effect.lower() not in {"allow", "deny"}:
            raise MalformedPolicy(self.words.bad_effect.format(effect))
        return effect

    def either(self, statement: dict[str, object], name: str) -> tuple[tuple[str, ...] | None, bool]:
        """The values of an element or of its Not… twin; both at once is no policy."""
        twin = f"Not{name}"
        if name in statement and twin in statement:
            raise MalformedPolicy(self.words.syntax)
        if twin in statement:
            return self.strings(statement[twin]), True
        return (self.strings(statement[name]) if name in statement else None), False

    def string(self, value: object) -> str:
        """A JSON string."""
        if not isinstance(value, str) or isinstance(value, _Number):
            raise MalformedPolicy(self.words.syntax)
        return value

    def strings(self, value: object) -> tuple[str, ...]:
        """A JSON string or a list of them."""
        if isinstance(value, list):
            return tuple(self.string(entry) for entry in value)
        return (self.string(value),)

    def principal(self, statement: dict[str, object]) -> PrincipalElement | None:
        """Principal or NotPrincipal; None where the statement has neither."""
        if "Principal" in statement and "NotPrincipal" in statement:
            raise MalformedPolicy(self.words.syntax)
        if "Principal" not in statement and "NotPrincipal" not in statement:
            return None
        value = statement["Principal"] if "Principal" in statement else statement["NotPrincipal"]
        if value == "*":
            return PrincipalElement(everyone=True)
        if not isinstance(value, dict) or not value.keys() <= _PRINCIPAL_TYPES.keys():
            raise MalformedPolicy(self.words.syntax)
        found = {_PRINCIPAL_TYPES[name]: self.strings(entries) for name, entries in value.items()}
        if not any(found.values()):
            raise MalformedPolicy(self.words.empty_principal)
        named = found.get("aws", ())
        return PrincipalElement(
            everyone="*" in named,
            aws=tuple(entry for entry in named if entry != "*"),
            service=found.get("service", ()),
            federated=found.get("federated", ()),
            canonical=found.get("canonical", ()),
        )

    def conditions(self, value: object) -> tuple[tuple[Condition, ...], tuple[str, ...]]:
        """The conditions, and the operators with an empty block."""
        if not isinstance(value, dict):
            raise MalformedPolicy(self.words.syntax)
        found: list[Condition] = []
        unused: list[str] = []
        for operator, block in value.items():
            if not isinstance(block, dict):
                raise MalformedPolicy(self.words.syntax)
            if not block:
                unused.append(operator)
            found.extend(Condition(operator, key, self.condition_values(values)) for key, values in block.items())
        return tuple(found), tuple(unused)

    def condition_values(self, value: object) -> tuple[str, ...]:
        """One value or a list of them; JSON's booleans and numbers count as their text."""
        return tuple(self.condition_value(entry) for entry in (value if isinstance(value, list) else [value]))

    def condition_value(self, value: object) -> str:
        """A string, boolean or number as text."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return str(value)
        raise MalformedPolicy(self.words.syntax)


def plain_json(document: Document) -> dict[str, Any]:
    """The document as json reads it: for answers that show a policy as an object."""
    return cast("dict[str, Any]", json.loads(document.text))
