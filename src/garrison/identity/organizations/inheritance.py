"""How management policies of a root, of units and of an account become the one that is in effect. Pure.

A setting is given through value-setting operators (@@assign, @@append, @@remove). @@operators_allowed_for_child_policies says
which of them policies further down may use: on a setting itself, or to bring new keys into an object. Source: AWS Organizations
User Guide, "Inheritance operators", "Inheritance examples", and "AI services opt-out policy syntax and examples".

Policies of one node are taken in the order in which they were attached: of two that assign a single value the first wins, lists
are united, and of their child controls only what all of them allow stays allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

CONTROL = "@@operators_allowed_for_child_policies"
OPERATORS = ("@@assign", "@@append", "@@remove")
_ALL = frozenset(OPERATORS)

Path = tuple[str, ...]


def is_setting(value: Mapping[str, Any]) -> bool:
    """Whether an object is a setting: it has operators, and nothing but operators."""
    return all(key in OPERATORS or key == CONTROL for key in value) and any(key in OPERATORS for key in value)


def operators_of(value: Mapping[str, Any]) -> dict[str, Any]:
    """The value-setting operators of a setting, in the order in which they apply."""
    return {operator: value[operator] for operator in OPERATORS if operator in value}


def plain_value(value: object) -> bool:
    """Whether a value is one text, number or truth."""
    return isinstance(value, (str, bool, int, float))


def effective(levels: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The policy in effect: ``levels`` from the root down, of each the policies in the order of their attachment.

    Keys are the same regardless of case, as the case of the first policy that has them.
    """
    merging = _Merging()
    for policies in levels:
        merging.level(policies)
    return merging.document()


class _Merging:
    """What was set so far, and what may still be done to it."""

    def __init__(self) -> None:
        self._values: dict[Path, Any] = {}
        self._spelling: dict[Path, str] = {}
        self._allowed: dict[Path, frozenset[str]] = {}
        self._inherited: set[Path] = set()
        """Everything that a level above has, settings and the objects they stand in."""

    def level(self, policies: Sequence[Mapping[str, Any]]) -> None:
        """Take in the policies of one node; none of them sees the child controls of its neighbours."""
        assigned: set[Path] = set()
        controls: dict[Path, frozenset[str]] = {}
        for policy in policies:
            for path, setting in self._settings(policy, (), controls):
                self._set(path, setting, assigned)
        self._inherited = {path[:length] for path in self._values for length in range(1, len(path) + 1)}
        for path, allowed in controls.items():
            self._allowed[path] = self._allowed.get(path, _ALL) & allowed

    def _settings(
        self, value: Mapping[str, Any], path: Path, controls: dict[Path, frozenset[str]]
    ) -> Iterable[tuple[Path, Mapping[str, Any]]]:
        """Every setting of a policy; its child controls are noted on the way."""
        if CONTROL in value:
            controls[path] = controls.get(path, _ALL) & _operators(value[CONTROL])
        if is_setting(value):
            yield path, value
            return
        for key, inner in value.items():
            if isinstance(inner, Mapping):
                below = (*path, key.lower())
                self._spelling.setdefault(below, key)
                yield from self._settings(inner, below, controls)

    def _may(self, path: Path, operator: str) -> bool:
        """Whether no level above forbade it on the setting, nor new keys in the objects that it stands in."""
        new = (length for length in range(len(path)) if path[: length + 1] not in self._inherited)
        return operator in self._allowed.get(path, _ALL) and all(operator in self._allowed.get(path[:at], _ALL) for at in new)

    def _set(self, path: Path, setting: Mapping[str, Any], assigned: set[Path]) -> None:
        for operator, given in operators_of(setting).items():
            if not self._may(path, operator):
                continue
            if operator == "@@assign":
                self._assign(path, given, assigned)
            elif operator == "@@append":
                self._values[path] = _united(self._list(path), given)
            else:
                self._values[path] = [value for value in self._list(path) if value not in given]

    def _assign(self, path: Path, given: Any, assigned: set[Path]) -> None:  # noqa: ANN401 - a setting's value
        """Replace what came from above; beside a neighbour of the same level a list is united with its, and a value gives way."""
        if path not in assigned:
            self._values[path] = given
        elif isinstance(given, list) and isinstance(self._values.get(path), list):
            self._values[path] = _united(self._values[path], given)
        assigned.add(path)

    def _list(self, path: Path) -> list[Any]:
        value = self._values.get(path, [])
        return value if isinstance(value, list) else [value]

    def document(self) -> dict[str, Any]:
        """The settings as one document without operators."""
        found: dict[str, Any] = {}
        for path, value in self._values.items():
            if value == []:
                continue  # everything was removed: the setting is not in effect
            inner = found
            for length in range(1, len(path)):
                inner = inner.setdefault(self._spelling[path[:length]], {})
            inner[self._spelling[path]] = value
        return found


def _operators(given: Iterable[str]) -> frozenset[str]:
    names = frozenset(given)
    return _ALL if "@@all" in names else names & _ALL


def _united(first: Sequence[Any], second: Sequence[Any]) -> list[Any]:
    return [*first, *(value for value in second if value not in first)]
