"""From the API's statement documents to compiled statements."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from garrison.edge.inspect.errors import InvalidParameter, MissingDetector
from garrison.edge.inspect.fields import Field, compile_field
from garrison.edge.inspect.forwarded import Forwarded
from garrison.edge.inspect.groups import Detectors, ManagedGroup, Resources, Sensitivity
from garrison.edge.inspect.ipset import IpSet
from garrison.edge.inspect.lanes import Lane, Lanes
from garrison.edge.inspect.patterns import Pattern, check_regex, literal, word
from garrison.edge.inspect.rates import DEFAULT_WINDOW, KeyCompiler, RateBased, rule_id
from garrison.edge.inspect.state import RateRule
from garrison.edge.inspect.statements import (
    And,
    AsnMatch,
    Compare,
    Detect,
    DetectRequest,
    GeoMatch,
    IpSetReference,
    LabelMatch,
    Not,
    Or,
    Scan,
    SizeConstraint,
    Statement,
)
from garrison.edge.inspect.transforms import chain

Document = Mapping[str, Any]
EXACTLY_ONE: Final = "You have used none or multiple values for a field that requires exactly one value."


def only(document: Document, field: str, parameter: str) -> tuple[str, Any]:
    """The one member of a union. InvalidParameter where there is none or more than one."""
    chosen = [(name, value) for name, value in document.items() if value is not None]
    if len(chosen) != 1:
        raise InvalidParameter(field, parameter, EXACTLY_ONE)
    return chosen[0]


def search_bytes(value: bytes | str) -> bytes:
    """A ``SearchString``: bytes as they are, text as the base64 that it is in the API's JSON."""
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidParameter("BYTE_MATCH_STATEMENT", "SearchString", "The search string is not valid base64.") from None


class Scope(NamedTuple):
    """Where a rule stands: its web ACL or group."""

    namespace: str
    """What its labels begin with, and where its label matches look."""
    owner: str
    """The ARN or name that its counters belong to."""
    managed: ManagedGroup | None = None


_COMPARES: Final[Mapping[str, Callable[[bytes, bytes], bool]]] = {
    "EXACTLY": bytes.__eq__,
    "STARTS_WITH": bytes.startswith,
    "ENDS_WITH": bytes.endswith,
}


class Compiler:
    """Compiles statements of one web ACL, sharing lanes, sets and detectors between them."""

    def __init__(self, resources: Resources, detectors: Detectors | None) -> None:
        self.lanes = Lanes()
        self.rates: list[RateRule] = []
        self._resources = resources
        self._detectors = detectors
        self._sets: dict[str, IpSet] = {}
        self._regexes: dict[str, list[Pattern]] = {}
        self._leaves: Mapping[str, Callable[[Document, Scope], Statement]] = {
            "ByteMatchStatement": self._byte_match,
            "RegexMatchStatement": self._regex_match,
            "RegexPatternSetReferenceStatement": self._regex_set,
            "SizeConstraintStatement": self._size,
            "SqliMatchStatement": self._sqli,
            "XssMatchStatement": self._xss,
            "GeoMatchStatement": self._geo,
            "AsnMatchStatement": self._asn,
            "LabelMatchStatement": self._label,
            "IPSetReferenceStatement": self._ip_set,
            "DetectorStatement": self._detector,
            "RequestDetectorStatement": self._request_detector,
        }

    def compile(self, document: Document, scope: Scope) -> Statement:
        """A nestable statement."""
        kind, spec = only(document, "STATEMENT", "Statement")
        if kind == "AndStatement":
            return And([self.compile(each, scope) for each in spec["Statements"]])
        if kind == "OrStatement":
            return Or([self.compile(each, scope) for each in spec["Statements"]])
        if kind == "NotStatement":
            return Not(self.compile(spec["Statement"], scope))
        if kind not in self._leaves:
            raise InvalidParameter("STATEMENT", kind, "The statement is not known, or cannot be nested.")
        return self._leaves[kind](spec, scope)

    def rate_based(self, name: str, spec: Document, scope: Scope) -> RateBased:
        """The rate-based statement of the rule ``name``."""
        window = int(spec.get("EvaluationWindowSec") or DEFAULT_WINDOW)
        rule = RateRule(rule_id(scope.owner, name, spec), int(spec["Limit"]), window)
        self.rates.append(rule)
        forwarded = self._forwarded(spec.get("ForwardedIPConfig"))
        below = spec.get("ScopeDownStatement")
        inner = self.compile(below, scope) if below else None
        keys = KeyCompiler(self.lanes, compile_field, forwarded, lambda ip: self._resources.locate(ip).asn)
        return RateBased(
            name, rule, spec["AggregateKeyType"], [keys.compile(each) for each in spec.get("CustomKeys") or ()], inner, forwarded
        )

    def _field(self, spec: Document) -> Field:
        before = sorted(spec.get("PreParseTextTransformations") or (), key=lambda each: int(each["Priority"]))
        return compile_field(spec["FieldToMatch"], [each["Type"] for each in before])

    def _lane(self, spec: Document) -> Lane:
        return self.lanes.lane(self._field(spec), chain(spec["TextTransformations"]))

    def _scan(self, spec: Document, scope: Scope, condition: str, patterns: Sequence[Pattern]) -> Scan:
        return Scan(self.lanes.bundle(self._lane(spec), managed=scope.managed is not None), condition, patterns)

    def _byte_match(self, spec: Document, scope: Scope) -> Statement:
        text = search_bytes(spec["SearchString"])
        constraint = spec["PositionalConstraint"]
        compare = _COMPARES.get(constraint)
        if compare is not None:
            return Compare(self._lane(spec), compare, text)
        return self._scan(spec, scope, "BYTE_MATCH", [word(text) if constraint == "CONTAINS_WORD" else literal(text)])

    def _regex_match(self, spec: Document, scope: Scope) -> Statement:
        return self._scan(spec, scope, "REGEX", [check_regex(spec["RegexString"], "STATEMENT")])

    def _regex_set(self, spec: Document, scope: Scope) -> Statement:
        arn = spec["ARN"]
        if arn not in self._regexes:
            listed = self._found(self._resources.regex_set, arn, "REGEX_PATTERN_REFERENCE_STATEMENT")
            self._regexes[arn] = [check_regex(each, "REGEX_PATTERN_SET") for each in listed]
        return self._scan(spec, scope, "REGEX", self._regexes[arn])

    def _size(self, spec: Document, _scope: Scope) -> Statement:
        return SizeConstraint(self._lane(spec), spec["ComparisonOperator"], int(spec["Size"]))

    def _port(self) -> Detectors:
        if self._detectors is None:
            raise MissingDetector("the web ACL looks for attacks, and the engine was given no detectors")
        return self._detectors

    def _sqli(self, spec: Document, _scope: Scope) -> Statement:
        detectors = self._port()
        level: Sensitivity = "HIGH" if spec.get("SensitivityLevel") == "HIGH" else "LOW"
        return Detect(self._lane(spec), "SQL_INJECTION", "sqli", lambda value: detectors.sqli(value, level), level)

    def _xss(self, spec: Document, _scope: Scope) -> Statement:
        return Detect(self._lane(spec), "XSS", "xss", self._port().xss)

    def _detector(self, spec: Document, scope: Scope) -> Statement:
        group = self._managed(scope, "DetectorStatement")
        name = spec["Name"]
        if name not in group.detectors:
            raise MissingDetector(name)
        condition = str(spec.get("Condition") or name)
        return Detect(self._lane(spec), condition, f"{group.vendor}:{group.name}:{name}", group.detectors[name])

    def _request_detector(self, spec: Document, scope: Scope) -> Statement:
        group = self._managed(scope, "RequestDetectorStatement")
        if spec["Name"] not in group.request_detectors:
            raise MissingDetector(spec["Name"])
        return DetectRequest(group.request_detectors[spec["Name"]])

    @staticmethod
    def _managed(scope: Scope, kind: str) -> ManagedGroup:
        if scope.managed is None:
            raise InvalidParameter("STATEMENT", kind, "The statement is not known, or cannot be nested.")
        return scope.managed

    def _geo(self, spec: Document, _scope: Scope) -> Statement:
        forwarded = self._forwarded(spec.get("ForwardedIPConfig"))
        return GeoMatch(spec.get("CountryCodes") or (), forwarded, self._resources.locate)

    def _asn(self, spec: Document, _scope: Scope) -> Statement:
        return AsnMatch(spec["AsnList"], self._forwarded(spec.get("ForwardedIPConfig")), self._resources.locate)

    def _label(self, spec: Document, scope: Scope) -> Statement:
        return LabelMatch(spec["Key"], spec["Scope"], scope.namespace)

    def _ip_set(self, spec: Document, _scope: Scope) -> Statement:
        arn = spec["ARN"]
        if arn not in self._sets:
            listed = self._found(self._resources.ip_set, arn, "IP_SET_REFERENCE_STATEMENT")
            try:
                self._sets[arn] = IpSet(listed)
            except ValueError as error:
                raise InvalidParameter("IP_ADDRESS", str(error)[:64], "The address is not valid.") from None
        return IpSetReference(self._sets[arn], self._forwarded(spec.get("IPSetForwardedIPConfig")))

    @staticmethod
    def _forwarded(spec: Document | None) -> Forwarded | None:
        return Forwarded(spec) if spec else None

    @staticmethod
    def _found(get: Callable[[str], Sequence[str]], arn: str, field: str) -> Sequence[str]:
        try:
            return get(arn)
        except KeyError:
            raise InvalidParameter(field, arn, REFERENCE) from None


REFERENCE: Final = (
    "The referenced item in your rule does not exist or you are not authorized to use it: "
    "check the ARN, and that it has the scope and Region of what refers to it."
)
