"""The Condition element, compiled: one test for each operator and key.

Source: IAM User Guide, "Condition operators" and "Set operators for multivalued context keys".

- A key that is absent makes a positive operator false and a negated one true; ``…IfExists`` makes it true.
- ``ForAllValues`` is true and ``ForAnyValue`` false for a key that is absent or empty.
- A multi-valued key under an operator without a set operator matches nothing.
- A value with a variable that cannot be resolved matches nothing; under a negated operator the condition fails as a whole,
  so that no statement applies on the strength of a value that nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from garrison.policy.document import Condition
from garrison.policy.errors import MalformedPolicy
from garrison.policy.match import ARN_COLONS, Test, Token, Wild, compile_tokens, glob, remember, tokenize
from garrison.policy.values import parse_address, parse_binary, parse_boolean, parse_instant, parse_network, parse_number
from garrison.policy.variables import Getter, Literal, Part, Pattern, Value, Variable, resolve, single_text, split_variables

ConditionTest = Callable[[Getter], bool]
Matcher = Callable[[str, Getter], "bool | None"]
"""Whether one value of the key matches any value of the policy; None: it cannot be known (an unresolved variable)."""
UNKNOWN_OPERATOR = "Syntax errors in policy."
BAD_VALUE = "The policy failed legacy parsing"


class Operator(NamedTuple):
    """An operator taken apart: ``ForAnyValue:StringNotLikeIfExists``."""

    set: str
    """``""``, ``all`` or ``any``."""
    base: str
    """Lower-cased and positive: ``stringlike``."""
    negated: bool
    if_exists: bool


_BASES = {
    "stringequals",
    "stringequalsignorecase",
    "stringlike",
    "numericequals",
    "numericlessthan",
    "numericlessthanequals",
    "numericgreaterthan",
    "numericgreaterthanequals",
    "dateequals",
    "datelessthan",
    "datelessthanequals",
    "dategreaterthan",
    "dategreaterthanequals",
    "bool",
    "binaryequals",
    "ipaddress",
    "arnequals",
    "arnlike",
    "null",
}
_NEGATED = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
    "notipaddress": "ipaddress",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
}
_SETS = {"forallvalues:": "all", "foranyvalue:": "any"}
_LONGEST = 64
"""Characters, more than any operator has: what is remembered stays small."""
_IF_EXISTS = "ifexists"
WITH_VARIABLES = frozenset({"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "bool"})
"""Operators whose values may hold policy variables."""


def parse_operator(text: str) -> Operator | None:
    """Take an operator apart, in any case; None for one that does not exist."""
    return _parse_operator(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=512)
def _parse_operator(text: str) -> Operator | None:
    rest = text.lower()
    which = ""
    for prefix, name in _SETS.items():
        if rest.startswith(prefix):
            which, rest = name, rest[len(prefix) :]
    base = rest.removesuffix(_IF_EXISTS)
    if_exists = base != rest
    negated = base in _NEGATED
    base = _NEGATED.get(base, base)
    if base not in _BASES or (base == "null" and (if_exists or which)):
        return None
    return Operator(which, base, negated, if_exists)


def compile_condition(condition: Condition, *, variables: bool) -> ConditionTest:
    """A test for one operator and key. Raises MalformedPolicy for an operator or value that does not exist."""
    operator = parse_operator(condition.operator)
    if operator is None:
        raise MalformedPolicy(UNKNOWN_OPERATOR)
    key = condition.key.lower()
    if operator.base == "null":
        return _null(key, condition.values)
    matcher = compile_values(operator.base, condition.values, variables=variables)
    if operator.set == "all":
        return _for_all(key, matcher, operator)
    if operator.set == "any":
        return _for_any(key, matcher, operator)
    return _single(key, matcher, operator)


def is_null(value: Value | None) -> bool:
    """A key without a value: absent, an empty list or an empty text."""
    return value is None or (value.__class__ in (str, tuple, list, bytes) and not value)


def values_of(value: Value) -> Sequence[str]:
    """The values of a key as texts, a single one as a list of one."""
    text = single_text(value)
    if text is not None:
        return (text,)
    return [str(entry) for entry in value]  # type: ignore[union-attr]  # what is not single is a sequence


def _null(key: str, values: Sequence[str]) -> ConditionTest:
    wanted = {parse_boolean(value) for value in values}
    return lambda get: is_null(get(key)) in wanted


def _single(key: str, matcher: Matcher, operator: Operator) -> ConditionTest:
    negated = operator.negated
    if_absent = negated or operator.if_exists

    def test(get: Getter) -> bool:
        value = get(key)
        if value is None:
            return if_absent
        text = value if value.__class__ is str else single_text(value)
        if text is None:
            return False
        found = matcher(text, get)
        return found is not None and found is not negated

    return test


def _for_all(key: str, matcher: Matcher, operator: Operator) -> ConditionTest:
    negated = operator.negated

    def test(get: Getter) -> bool:
        value = get(key)
        if value is None or is_null(value):
            return True
        results = [matcher(text, get) for text in values_of(value)]
        return all(found is not None and found is not negated for found in results)

    return test


def _for_any(key: str, matcher: Matcher, operator: Operator) -> ConditionTest:
    negated = operator.negated

    def test(get: Getter) -> bool:
        value = get(key)
        if value is None:
            return operator.if_exists
        results = [matcher(text, get) for text in values_of(value)]
        return any(found is not None and found is not negated for found in results)

    return test


def compile_values(base: str, values: Sequence[str], *, variables: bool) -> Matcher:
    """A matcher for the values under a positive operator."""
    if variables and base in WITH_VARIABLES:
        split = [split_variables(value) for value in values]
        if any(isinstance(part, (Variable, Literal)) for parts in split for part in parts):
            return _with_variables(base, split)
    if base in {"stringequals", "stringequalsignorecase", "bool"}:
        return _texts(values, fold=base != "stringequals")
    test = _plain(base, values)
    return lambda text, _get: test(text)


def _texts(values: Sequence[str], *, fold: bool) -> Matcher:
    """Equality with any of several texts is one look-up."""
    if fold:
        lowered = frozenset(value.lower() for value in values)
        return lambda text, _get: text.lower() in lowered
    wanted = frozenset(values)
    return lambda text, _get: text in wanted


def _plain(base: str, values: Sequence[str]) -> Test:
    if base == "stringlike":
        return _any_test([glob(value) for value in values])
    if base in {"arnequals", "arnlike"}:
        return _any_test([arn_test((Pattern(value),), {}) for value in values])
    if base == "ipaddress":
        return _addresses(values)
    if base == "binaryequals":
        return _binaries(values)
    return _ordered(base, values)


def _any_test(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda text: any(test(text) for test in tests)


def _addresses(values: Sequence[str]) -> Test:
    networks = [network for network in map(parse_network, values) if network is not None]
    if len(networks) != len(values):
        raise MalformedPolicy(BAD_VALUE)

    def test(text: str) -> bool:
        address = parse_address(text)
        return address is not None and any(address in network for network in networks)

    return test


def _binaries(values: Sequence[str]) -> Test:
    wanted = frozenset(map(parse_binary, values))
    if None in wanted:
        raise MalformedPolicy(BAD_VALUE)
    return lambda text: parse_binary(text) in wanted


def _ordered(base: str, values: Sequence[str]) -> Test:
    kind, parse = ("numeric", parse_number) if base.startswith("numeric") else ("date", parse_instant)
    bounds = [bound for bound in map(parse, values) if bound is not None]
    if len(bounds) != len(values):
        raise MalformedPolicy(BAD_VALUE)
    relation = base.removeprefix(kind)

    def test(text: str) -> bool:
        value = parse(text)
        if value is None:
            return False
        if relation == "equals":
            return value in bounds
        if relation == "lessthan":
            return any(value < bound for bound in bounds)
        if relation == "lessthanequals":
            return any(value <= bound for bound in bounds)
        if relation == "greaterthan":
            return any(value > bound for bound in bounds)
        return any(value >= bound for bound in bounds)

    return test


def _with_variables(base: str, split: Sequence[tuple[Part, ...]]) -> Matcher:
    """Values with variables: resolved for each call, their tests kept by what they resolved to."""
    memo: dict[tuple[int, tuple[str, ...]], Test] = {}

    def matcher(text: str, get: Getter) -> bool | None:
        unknown = False
        for at, parts in enumerate(split):
            values = _resolved(parts, get)
            if values is None:
                unknown = True
                continue
            key = at, tuple(values.values())
            test = memo.get(key)
            if test is None:
                test = _resolved_test(base, parts, values)
                remember(memo, key, test, sum(map(len, key[1])))
            if test(text):
                return True
        return None if unknown else False

    return matcher


def _resolved(parts: Sequence[Part], get: Getter) -> dict[Variable, str] | None:
    values: dict[Variable, str] = {}
    for part in parts:
        if isinstance(part, Variable):
            value = resolve(part, get)
            if value is None:
                return None
            values[part] = value
    return values


def _resolved_test(base: str, parts: Sequence[Part], values: dict[Variable, str]) -> Test:
    if base == "stringlike":
        tokens: list[Token] = []
        for part in parts:
            tokens.extend(tokenize(part.text) if isinstance(part, Pattern) else [_text(part, values)])
        return compile_tokens([token for token in tokens if token])
    if base in {"arnequals", "arnlike"}:
        return arn_test(parts, values)
    wanted = "".join(_text(part, values) for part in parts)
    if base == "stringequals":
        return wanted.__eq__
    lowered = wanted.lower()
    return lambda text: text.lower() == lowered


def _text(part: Part, values: dict[Variable, str]) -> str:
    return values[part] if isinstance(part, Variable) else part.text


def arn_test(parts: Sequence[Part], values: dict[Variable, str]) -> Test:
    """ArnEquals and ArnLike: six segments, each matched alone, the last one to the end of the ARN."""
    segments: list[list[Token]] = [[]]
    for part in parts:
        for at, piece in enumerate(_arn_pieces(part, values, len(segments))):
            if at:
                segments.append([])
            segments[-1].extend(tokenize(piece) if isinstance(part, Pattern) else [piece] * bool(piece))
    if len(segments) != ARN_COLONS + 1:
        return _nothing
    tests = [None if tokens == [Wild.MANY] else compile_tokens(tokens) for tokens in segments]

    def test(text: str) -> bool:
        found = text.split(":", ARN_COLONS)
        if len(found) != len(tests):
            return False
        return all(each is None or each(segment) for each, segment in zip(tests, found, strict=True))

    return test


def _arn_pieces(part: Part, values: dict[Variable, str], seen: int) -> list[str]:
    """A value that a variable brought in may hold colons: it is text all the same, and counts as an ARN's text does."""
    return _text(part, values).split(":", max(0, ARN_COLONS + 1 - seen))


def _nothing(_text: str) -> bool:
    return False
