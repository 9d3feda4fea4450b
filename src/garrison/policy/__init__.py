"""The IAM policy language: parse, check, compile, decide, explain. Pure: no I/O, no clock, no service."""

from __future__ import annotations

from garrison.policy.compile import Policy, PolicySet, StatementRef, compile_policy
from garrison.policy.context import GlobalContext, fold_keys, global_context
from garrison.policy.context_keys import context_keys
from garrison.policy.decision import Decision, Outcome, denied_message
from garrison.policy.document import Document, PolicyKind, Position, Statement
from garrison.policy.errors import MalformedPolicy, PolicyTooLarge
from garrison.policy.evaluate import Granted, Grants, PolicyInputs, Request, authorize
from garrison.policy.explain import Explanation, explain, render_explanation
from garrison.policy.message import authorization_message
from garrison.policy.principal import Grant
from garrison.policy.validate import parse_policy
from garrison.policy.variables import Value

__all__ = [
    "Decision",
    "Document",
    "Explanation",
    "GlobalContext",
    "Grant",
    "Granted",
    "Grants",
    "MalformedPolicy",
    "Outcome",
    "Policy",
    "PolicyInputs",
    "PolicyKind",
    "PolicySet",
    "PolicyTooLarge",
    "Position",
    "Request",
    "Statement",
    "StatementRef",
    "Value",
    "authorization_message",
    "authorize",
    "compile_policy",
    "context_keys",
    "denied_message",
    "explain",
    "fold_keys",
    "global_context",
    "parse_policy",
    "render_explanation",
]
