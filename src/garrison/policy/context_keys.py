"""The condition keys that a policy reads: GetContextKeysForCustomPolicy and GetContextKeysForPrincipalPolicy."""

from __future__ import annotations

from collections.abc import Iterable

from garrison.policy.conditions import WITH_VARIABLES, parse_operator
from garrison.policy.document import Condition, Document, Statement
from garrison.policy.variables import Variable, split_variables


def context_keys(documents: Iterable[Document]) -> tuple[str, ...]:
    """Every key of a condition and of a variable, each once, as first written: resources first, then conditions."""
    found: dict[str, str] = {}
    for document in documents:
        for statement in document.statements:
            for name in keys_of_statement(statement, variables=document.has_variables):
                found.setdefault(name.lower(), name)
    return tuple(found.values())


def keys_of_statement(statement: Statement, *, variables: bool) -> Iterable[str]:
    """The keys that one statement reads, as written; ``variables``: whether its policy's version knows any."""
    if variables:
        for text in statement.resources or ():
            yield from _of_text(text)
    for condition in statement.conditions:
        yield condition.key
        if variables:
            yield from _of_values(condition)


def _of_values(condition: Condition) -> Iterable[str]:
    operator = parse_operator(condition.operator)
    if operator is not None and operator.base in WITH_VARIABLES:
        for value in condition.values:
            yield from _of_text(value)


def _of_text(text: str) -> Iterable[str]:
    return [part.name for part in split_variables(text) if isinstance(part, Variable)]
