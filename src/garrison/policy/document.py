"""Policy documents: JSON text into statements, each with its place in the text.

Source: IAM User Guide, "Grammar of the IAM JSON policy language". Only the shape is read here; what a kind of
policy may say is ``validate``'s business.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass, field
from json.decoder import JSONDecoder, scanstring
from typing import Any, Literal, NamedTuple, NoReturn, cast

from garrison.policy.errors import MalformedPolicy, PolicyTooLarge

PolicyKind = Literal["identity", "resource", "trust", "boundary", "session", "scp", "rcp"]
Effect = Literal["Allow", "Deny"]

SYNTAX = "Syntax errors in policy."
HARD_LIMIT = 131_072
"""Characters: the greatest ``policyDocumentType`` in any of AWS's models; longer text is not even parsed."""

_TOP = frozenset({"Version", "Id", "Statement"})
_STATEMENT = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"},
)
_PRINCIPAL_TYPES = {"AWS": "aws", "Service": "service", "Federated": "federated", "CanonicalUser": "canonical"}
_VERSIONS = ("2008-10-17", "2012-10-17")
_WHITESPACE = " \t\n\r"


class Position(NamedTuple):
    """A place in the policy's text, line and column counted from 1.

    As SimulatePolicy reports them, a statement starts behind the bracket or comma before it (behind its own brace where it stands
    without a list) and ends behind its closing brace. Source: the examples of the CLI's ``simulate-custom-policy`` and ``simulate-principal-policy``.
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


def read_document(text: str, kind: PolicyKind, *, service: str = "", limit: int = HARD_LIMIT) -> Document:
    """Read the shape of a policy. Raises MalformedPolicy, and PolicyTooLarge above ``limit`` characters."""
    if len(text) > limit:
        raise PolicyTooLarge(len(text), limit)
    try:
        top, spans = _Reader(text).read()
        text.encode()  # a lone surrogate names nothing and cannot be stored
    except (ValueError, RecursionError) as error:
        raise MalformedPolicy(SYNTAX) from error
    locate = _locator(text)
    statements = top.get("Statement")
    listed: list[Any] = statements if isinstance(statements, list) else [statements]
    if not listed or len(listed) != len(spans) or not top.keys() <= _TOP:
        raise MalformedPolicy(SYNTAX)
    version = top.get("Version")
    if "Version" in top and version not in _VERSIONS:
        raise MalformedPolicy(SYNTAX)
    return Document(
        kind=kind,
        version=version,
        id=_string(top.get("Id", "")),
        statements=tuple(
            _statement(index, value, locate(start), locate(end))
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
        if self._accept("]"):
            return values
        while True:
            start = self.at
            values.append(self._value()[0])
            spans.append((start, self.at))
            if self._accept("]"):
                return values
            self._expect(",")

    def _key(self) -> str:
        self._expect('"')
        key, self.at = scanstring(self.text, self.at)
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


def _locator(text: str) -> Any:  # noqa: ANN401 - a local function
    starts = [0, *(at + 1 for at, character in enumerate(text) if character == "\n")]

    def locate(offset: int) -> Position:
        line = bisect_right(starts, offset)
        return Position(line, offset - starts[line - 1] + 1)

    return locate


def _statement(index: int, value: Any, start: Position, end: Position) -> Statement:  # noqa: ANN401 - any JSON value
    if not isinstance(value, dict) or not value.keys() <= _STATEMENT:
        raise MalformedPolicy(SYNTAX)
    actions, not_action = _either(value, "Action")
    resources, not_resource = _either(value, "Resource")
    if "Principal" in value and "NotPrincipal" in value:
        raise MalformedPolicy(SYNTAX)
    not_principal = "NotPrincipal" in value
    principal = value.get("NotPrincipal" if not_principal else "Principal")
    if principal is None and ("Principal" in value or not_principal):
        raise MalformedPolicy(SYNTAX)
    conditions, unused = _conditions(value.get("Condition", {}))
    effect = value.get("Effect")
    if not isinstance(effect, str) or isinstance(effect, _Number) or effect.lower() not in {"allow", "deny"}:
        raise MalformedPolicy(SYNTAX)
    return Statement(
        index=index,
        sid=_string(value.get("Sid", "")),
        effect=effect,
        actions=actions,
        not_action=not_action,
        resources=resources,
        not_resource=not_resource,
        principal=None if principal is None else _principal(principal),
        not_principal=not_principal,
        conditions=conditions,
        start=start,
        end=end,
        unused_operators=unused,
    )


def _either(value: dict[str, Any], name: str) -> tuple[tuple[str, ...] | None, bool]:
    """The values of an element or of its Not… twin; both at once is no policy."""
    twin = f"Not{name}"
    if name in value and twin in value:
        raise MalformedPolicy(SYNTAX)
    if twin in value:
        return _strings(value[twin]), True
    return (_strings(value[name]) if name in value else None), False


def _string(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if not isinstance(value, str) or isinstance(value, _Number):
        raise MalformedPolicy(SYNTAX)
    return value


def _strings(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return tuple(_string(entry) for entry in value)
    return (_string(value),)


def _principal(value: Any) -> PrincipalElement:  # noqa: ANN401 - any JSON value
    if value == "*":
        return PrincipalElement(everyone=True)
    if not isinstance(value, dict) or not value.keys() <= _PRINCIPAL_TYPES.keys():
        raise MalformedPolicy(SYNTAX)
    found = {_PRINCIPAL_TYPES[name]: _strings(entries) for name, entries in value.items()}
    named = found.get("aws", ())
    return PrincipalElement(
        everyone="*" in named,
        aws=tuple(entry for entry in named if entry != "*"),
        service=found.get("service", ()),
        federated=found.get("federated", ()),
        canonical=found.get("canonical", ()),
    )


def _conditions(value: Any) -> tuple[tuple[Condition, ...], tuple[str, ...]]:  # noqa: ANN401 - any JSON value
    if not isinstance(value, dict):
        raise MalformedPolicy(SYNTAX)
    found: list[Condition] = []
    unused: list[str] = []
    for operator, block in value.items():
        if not isinstance(block, dict):
            raise MalformedPolicy(SYNTAX)
        if not block:
            unused.append(operator)
        if len({key.lower() for key in block}) != len(block):
            raise MalformedPolicy(SYNTAX)
        found.extend(Condition(operator, key, _condition_values(values)) for key, values in block.items())
    return tuple(found), tuple(unused)


def _condition_values(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - any JSON value
    entries = value if isinstance(value, list) else [value]
    return tuple(_condition_value(entry) for entry in entries)


def _condition_value(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return str(value)
    raise MalformedPolicy(SYNTAX)


def plain_json(document: Document) -> dict[str, Any]:
    """The document as json reads it: for answers that show a policy as an object."""
    return cast("dict[str, Any]", json.loads(document.text))
