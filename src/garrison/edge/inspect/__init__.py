"""The inspection engine of the firewall: a web request and a web ACL in, a verdict out. Pure: no I/O, no clock, no randomness."""

from __future__ import annotations

from garrison.edge.inspect.acl import CompiledAcl, body_limit, check_acl, compile_acl
from garrison.edge.inspect.capacity import capacity
from garrison.edge.inspect.errors import EngineFault, InvalidParameter, MissingDetector
from garrison.edge.inspect.groups import Context, Detectors, Finding, Location, ManagedGroup, Resources
from garrison.edge.inspect.patterns import PatternCache
from garrison.edge.inspect.request import WebRequest
from garrison.edge.inspect.state import RateRule, Rates, State, Token, TokenState
from garrison.edge.inspect.tables import Heard, RateTable, Told
from garrison.edge.inspect.validate import check_rule_group, check_rules, check_web_acl, references
from garrison.edge.inspect.verdict import Action, GroupResult, MatchDetail, RateResult, Response, RuleKind, RuleMatch, Verdict

__all__ = [
    "Action",
    "CompiledAcl",
    "Context",
    "Detectors",
    "EngineFault",
    "Finding",
    "GroupResult",
    "Heard",
    "InvalidParameter",
    "Location",
    "ManagedGroup",
    "MatchDetail",
    "MissingDetector",
    "PatternCache",
    "RateResult",
    "RateRule",
    "RateTable",
    "Rates",
    "Resources",
    "Response",
    "RuleKind",
    "RuleMatch",
    "State",
    "Token",
    "TokenState",
    "Told",
    "Verdict",
    "WebRequest",
    "body_limit",
    "capacity",
    "check_acl",
    "check_rule_group",
    "check_rules",
    "check_web_acl",
    "compile_acl",
    "references",
]
