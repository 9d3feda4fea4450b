"""Why a decision came out as it did: what each statement in play asked for, and what the request had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from garrison.policy.evaluate import NAMING, speaks_of
from garrison.policy.principal import Grant
from garrison.policy.variables import single_text

if TYPE_CHECKING:
    from garrison.core.principal import Principal
    from garrison.policy.compile import CompiledStatement, Policy, StatementRef
    from garrison.policy.decision import Decision
    from garrison.policy.variables import Value

_GRANTS = {Grant.NONE: "no", Grant.ACCOUNT: "by its account", Grant.ENTITY: "by its role or user", Grant.DIRECT: "directly"}


@dataclass(frozen=True, slots=True)
class ConditionReport:
    """One operator and key: what the policy wants, what the request has."""

    operator: str
    key: str
    expected: tuple[str, ...]
    actual: str | tuple[str, ...] | None
    """None where the request has no such key."""
    matched: bool


@dataclass(frozen=True, slots=True)
class StatementReport:
    """One statement: which of its elements match the request."""

    ref: StatementRef
    action: bool
    resource: bool
    principal: str | None
    """How it names the caller (``directly``, ``by its role or user``, ``by its account``, ``no``); None where it names nobody."""
    conditions: tuple[ConditionReport, ...]
    applies: bool
    decided: bool
    """True for the statements that the decision rests on."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with everything that was looked at."""

    decision: Decision
    statements: tuple[StatementReport, ...]

    def as_json(self) -> dict[str, Any]:
        """A JSON object: ``outcome``, ``decidedBy``, ``request``, ``grantId``, ``statements``, ``missingKeys``, ``errors``."""
        decision = self.decision
        return {
            "outcome": decision.outcome,
            "decidedBy": decision.policy_type,
            "request": {
                "principal": _who(decision.request.principal),
                "action": decision.request.action,
                "resource": decision.request.resource,
                "resourceAccount": decision.request.resource_account,
            },
            "grantId": decision.grant,
            "statements": [_statement_json(report) for report in self.statements],
            "missingKeys": list(decision.missing_keys),
            "errors": list(decision.errors),
        }

    def as_text(self) -> str:
        """Lines for a person: the outcome, then each statement that speaks of the action and why it did or did not apply."""
        return render_explanation(self.as_json())


def _who(principal: Principal) -> str:
    """An ARN, a service, or the provider that vouches for the caller; empty for nobody in particular."""
    return principal.arn or principal.service or principal.provider


def render_explanation(explanation: Mapping[str, Any]) -> str:
    """The lines of an explanation that was kept as JSON (``Explanation.as_json``)."""
    return "\n".join(_lines(explanation))


def _lines(explanation: Mapping[str, Any]) -> Iterator[str]:
    request, statements = explanation["request"], explanation["statements"]
    asked = f"{request['principal'] or 'anonymous'} {request['action']} {request['resource']}"
    yield f"{explanation['outcome']} ({explanation['decidedBy']}): {asked}"
    if explanation.get("grantId"):
        yield f"- grant {explanation['grantId']} names the caller and the action"
    spoken = [statement for statement in statements if statement["action"]]
    for statement in spoken:
        yield from _statement_lines(statement)
    if len(statements) > len(spoken):
        yield f"{len(statements) - len(spoken)} more statements do not speak of {request['action']}"
    if explanation["missingKeys"]:
        yield "keys that the request lacks: " + ", ".join(explanation["missingKeys"])
    for error in explanation["errors"]:
        yield f"could not be evaluated: {error}"


def explain(decision: Decision) -> Explanation:
    """Look again at every statement that was in play. Slow, and meant for people."""
    reports = [_report(policy, statement, decision) for policy in decision.considered() for statement in policy.statements]
    return Explanation(decision, tuple(reports))


def _report(policy: Policy, statement: CompiledStatement, decision: Decision) -> StatementReport:
    request = decision.request
    get = request.context.get
    action = statement.action.matches(request.action.lower())
    resource = statement.covers(request.resource, get)
    principal: Grant | None = None
    if policy.kind in NAMING:
        principal = speaks_of(statement, request, bounded=decision.inputs.boundary is not None)
    conditions = tuple(
        ConditionReport(source.operator, source.key, source.values, _shown(get(source.key.lower())), test(get))
        for source, test in zip(statement.source.conditions, statement.conditions, strict=True)
    )
    matched = action and resource and all(condition.matched for condition in conditions)
    return StatementReport(
        ref=statement.ref,
        action=action,
        resource=resource,
        principal=None if principal is None else _GRANTS[principal],
        conditions=conditions,
        applies=matched and principal is not Grant.NONE,
        decided=statement in decision.matched,
    )


def _shown(value: Value | None) -> str | tuple[str, ...] | None:
    if value is None:
        return None
    text = single_text(value)
    return text if text is not None else tuple(str(entry) for entry in value)  # type: ignore[union-attr]  # a sequence then


def _statement_json(report: StatementReport) -> dict[str, Any]:
    ref = report.ref
    return {
        "policyType": ref.kind,
        "policyId": ref.policy_id,
        "policyArn": ref.policy_arn,
        "policyName": ref.policy_name,
        "attachedTo": ref.attached_to,
        "sid": ref.sid,
        "index": ref.index,
        "effect": ref.effect,
        "start": {"line": ref.start.line, "column": ref.start.column},
        "end": {"line": ref.end.line, "column": ref.end.column},
        "action": report.action,
        "resource": report.resource,
        "principal": report.principal,
        "conditions": [
            {
                "operator": condition.operator,
                "key": condition.key,
                "expected": list(condition.expected),
                "actual": list(condition.actual) if isinstance(condition.actual, tuple) else condition.actual,
                "matched": condition.matched,
            }
            for condition in report.conditions
        ],
        "applies": report.applies,
        "decided": report.decided,
    }


def _statement_lines(statement: Mapping[str, Any]) -> Iterator[str]:
    name = statement["policyArn"] or statement["policyName"] or statement["policyId"] or "policy"
    sid = f" ({statement['sid']})" if statement["sid"] else ""
    place = f"statement {statement['index'] + 1}{sid}, line {statement['start']['line']}"
    verdict = "decided" if statement["decided"] else "applies" if statement["applies"] else "does not apply"
    yield f"- {statement['effect']} in {statement['policyType']} {name}, {place}: {verdict}"
    if not statement["resource"]:
        yield "    resource does not match"
    if statement["principal"] is not None:
        yield f"    names the caller: {statement['principal']}"
    for condition in statement["conditions"]:
        relation = "holds" if condition["matched"] else "fails"
        actual = "absent" if condition["actual"] is None else repr(condition["actual"])
        expected = ", ".join(map(repr, condition["expected"]))
        yield f"    {condition['operator']} {condition['key']} {relation}: wants {expected}, is {actual}"
