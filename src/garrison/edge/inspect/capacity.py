"""Web ACL capacity units (WCU) of rules, as AWS counts them.

Sources: the WCU lines of the rule statements pages of the AWS WAF developer guide. A text transformation costs 10 for each
pair of request component and type, once for all the rules that share it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from garrison.edge.inspect.compiler import REFERENCE, only
from garrison.edge.inspect.errors import InvalidParameter
from garrison.edge.inspect.groups import Resources

Document = Mapping[str, Any]
MOST: Final = 5000
"""WCUs that a web ACL or a rule group may have."""
TRANSFORMATION: Final = 10
ALL_ARGUMENTS: Final = 10
CUSTOM_KEY: Final = 30
ANY_POSITION: Final = 4


def _byte_match(spec: Document) -> int:
    return 10 if spec["PositionalConstraint"] in {"CONTAINS", "CONTAINS_WORD"} else 2


def _sqli(spec: Document) -> int:
    return 30 if spec.get("SensitivityLevel") == "HIGH" else 20


def _ip_set(spec: Document) -> int:
    forwarded = spec.get("IPSetForwardedIPConfig") or {}
    return 1 + (ANY_POSITION if forwarded.get("Position") == "ANY" else 0)


_BASE: Final[Mapping[str, Callable[[Document], int]]] = {
    "ByteMatchStatement": _byte_match,
    "RegexMatchStatement": lambda _: 3,
    "RegexPatternSetReferenceStatement": lambda _: 25,
    "SizeConstraintStatement": lambda _: 1,
    "SqliMatchStatement": _sqli,
    "XssMatchStatement": lambda _: 40,
    "GeoMatchStatement": lambda _: 1,
    "AsnMatchStatement": lambda _: 1,
    "LabelMatchStatement": lambda _: 1,
    "IPSetReferenceStatement": _ip_set,
}


def component(field: Document) -> str:
    """A request component for counting transformations: its kind, and the name of a single header or argument."""
    kind, spec = only(field, "FIELD_TO_MATCH", "FieldToMatch")
    return f"{kind}:{str(spec.get('Name') or '').lower()}"


def _transformations(spec: Document) -> Iterator[tuple[str, str]]:
    """The transformations of a statement that cost something."""
    where = component(spec["FieldToMatch"])
    for each in spec.get("TextTransformations") or ():
        if each["Type"] != "NONE":
            yield where, each["Type"]


class _Counter:
    """Sums a set of rules."""

    def __init__(self, resources: Resources | None) -> None:
        self._resources = resources
        self._transformations: set[tuple[str, str]] = set()
        self._base = 0

    @property
    def total(self) -> int:
        return self._base + TRANSFORMATION * len(self._transformations)

    def add(self, statement: Document) -> None:
        """Count one statement with all in it."""
        kind, spec = only(statement, "STATEMENT", "Statement")
        if kind in {"AndStatement", "OrStatement"}:
            for each in spec["Statements"]:
                self.add(each)
        elif kind == "NotStatement":
            self.add(spec["Statement"])
        elif kind == "RateBasedStatement":
            self._base += 2 + CUSTOM_KEY * len(spec.get("CustomKeys") or ())
            self._nested(spec)
        elif kind == "ManagedRuleGroupStatement":
            self._base += self._managed(spec)
            self._nested(spec)
        elif kind == "RuleGroupReferenceStatement":
            self._base += self._group(spec)
        elif kind in _BASE:
            self._match(spec, _BASE[kind](spec))
        else:
            raise InvalidParameter("STATEMENT", kind, "The statement is not known.")

    def _nested(self, spec: Document) -> None:
        if spec.get("ScopeDownStatement"):
            self.add(spec["ScopeDownStatement"])

    def _match(self, spec: Document, base: int) -> None:
        field = spec.get("FieldToMatch")
        if field:
            kind = only(field, "FIELD_TO_MATCH", "FieldToMatch")[0]
            base = base * 2 if kind == "JsonBody" else base + ALL_ARGUMENTS if kind == "AllQueryArguments" else base
            self._transformations.update(_transformations(spec))
        self._base += base

    def _group(self, spec: Document) -> int:
        if self._resources is None:
            raise InvalidParameter("RULE_GROUP_REFERENCE_STATEMENT", str(spec["ARN"]), REFERENCE)
        try:
            return int(self._resources.rule_group(spec["ARN"])["Capacity"])
        except KeyError:
            raise InvalidParameter("RULE_GROUP_REFERENCE_STATEMENT", str(spec["ARN"]), REFERENCE) from None

    def _managed(self, spec: Document) -> int:
        vendor, name, version = str(spec["VendorName"]), str(spec["Name"]), spec.get("Version")
        try:
            if self._resources is not None:
                return self._resources.managed_group(vendor, name, version).capacity
        except KeyError:
            pass
        raise InvalidParameter("MANAGED_RULE_SET_STATEMENT", f"{vendor}, {name}, {version}", REFERENCE)


def capacity(rules: Sequence[Document], resources: Resources | None = None) -> int:
    """The WCUs of rules in the API's JSON shape. ``resources`` know the capacities of groups that they refer to.

    Raises InvalidParameter for a reference to what does not exist.
    """
    counter = _Counter(resources)
    for rule in rules:
        counter.add(rule["Statement"])
    return counter.total
