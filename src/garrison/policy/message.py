"""What an encoded authorization message holds: the reasons of a refusal for whoever may decode them.

Source: STS API Reference, DecodeAuthorizationMessage, and its example.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from garrison.policy.variables import single_text

if TYPE_CHECKING:
    from garrison.policy.compile import CompiledStatement
    from garrison.policy.decision import Decision
    from garrison.policy.variables import Value


def authorization_message(decision: Decision) -> dict[str, Any]:
    """The decision as the JSON object that DecodeAuthorizationMessage shows."""
    caller = decision.request.principal
    return {
        "allowed": decision.allowed,
        "explicitDeny": decision.outcome == "explicitDeny",
        "matchedStatements": _items(_statement(statement) for statement in decision.matched),
        "failures": _items([]),
        "context": {
            "principal": {"id": caller.id, **({"name": caller.name} if caller.name else {}), "arn": caller.arn},
            "action": decision.request.action,
            "resource": decision.request.resource,
            "conditions": _items(
                {"key": key, "values": _values(_texts(decision.request.context[key]))} for key in decision.request.context
            ),
        },
    }


def _items(items: Iterable[Any]) -> dict[str, Any]:
    return {"items": list(items)}


def _values(values: Iterable[str]) -> dict[str, Any]:
    return _items({"value": value} for value in values)


def _texts(value: Value) -> list[str]:
    text = single_text(value)
    return [text] if text is not None else [str(entry) for entry in value]  # type: ignore[union-attr]  # a sequence then


def _statement(statement: CompiledStatement) -> dict[str, Any]:
    source = statement.source
    return {
        "statementId": source.sid,
        "effect": source.effect.upper(),
        "principals": _values(source.principal.aws if source.principal is not None else ()),
        "principalGroups": _items([]),
        "notActions" if source.not_action else "actions": _values(source.actions or ()),
        "notResources" if source.not_resource else "resources": _values(source.resources or ()),
        "conditions": _items(
            {"operator": condition.operator, "key": condition.key, "values": _values(condition.values)}
            for condition in source.conditions
        ),
    }
