"""The inspection engine of the firewall: a web request and a web ACL in, a verdict out. Pure: no I/O, no clock, no randomness."""

from __future__ import annotations

from garrison.edge.inspect.errors import InvalidParameter, MissingDetector
from garrison.edge.inspect.groups import Context, Detectors, Finding, Location, ManagedGroup, Resources
from garrison.edge.inspect.request import WebRequest
from garrison.edge.inspect.state import RateRule, Rates, State, Token, TokenState
from garrison.edge.inspect.verdict import Action, GroupResult, MatchDetail, RateResult, Response, RuleKind, RuleMatch, Verdict

__all__ = [
    "Action",
    "Context",
    "Detectors",
    "Finding",
    "GroupResult",
    "InvalidParameter",
    "Location",
    "ManagedGroup",
    "MatchDetail",
    "MissingDetector",
    "RateResult",
    "RateRule",
    "Rates",
    "Resources",
    "Response",
    "RuleKind",
    "RuleMatch",
    "State",
    "Token",
    "TokenState",
    "Verdict",
    "WebRequest",
]
