"""Which services and actions policies let an identity reach, whatever the resource and the conditions.

Source: IAM API Reference, "GenerateServiceLastAccessedDetails", "ListPoliciesGrantingServiceAccess": permissions policies alone
decide here, no boundary, no resource's policy, no service control policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from garrison.identity.iam.services import actions_of, service_names
from garrison.policy import MalformedPolicy, PolicyKind, Statement, parse_policy
from garrison.policy.match import ActionPattern


@dataclass(frozen=True, slots=True)
class Reach:
    """What one policy allows somewhere, and what it denies everywhere."""

    allows: tuple[ActionPattern, ...]
    denies: tuple[ActionPattern, ...]
    """Of statements without conditions on every resource."""
    services: frozenset[str]
    """Those that it allows an action of."""
    barred: frozenset[str]
    """Those of which it denies every action everywhere."""


@lru_cache(maxsize=512)
def reach(text: str, kind: PolicyKind = "identity") -> Reach:
    """What a policy reaches; nothing where it cannot be read."""
    try:
        statements = parse_policy(text, kind).statements
    except MalformedPolicy:
        statements = ()
    allow = [statement for statement in statements if statement.effect == "Allow"]
    deny = [statement for statement in statements if statement.effect == "Deny" and _everywhere(statement)]
    return Reach(
        tuple(_pattern(statement) for statement in allow),
        tuple(_pattern(statement) for statement in deny),
        frozenset().union(*(_touched(statement) for statement in allow)),
        frozenset().union(*(_whole(statement) for statement in deny)),
    )


def reachable(policies: Iterable[Reach]) -> frozenset[str]:
    """The services that these policies together let an identity reach."""
    found = list(policies)
    barred = frozenset[str]().union(*(one.barred for one in found))
    return frozenset[str]().union(*(one.services for one in found)) - barred


def reachable_actions(policies: Sequence[Reach], service: str) -> list[str]:
    """The actions of a service that these policies together allow on something; none where they are not known."""
    return [name for name in actions_of(service) if _allowed(policies, f"{service}:{name}".lower())]


def _allowed(policies: Sequence[Reach], action: str) -> bool:
    denied = any(pattern.matches(action) for policy in policies for pattern in policy.denies)
    return not denied and any(pattern.matches(action) for policy in policies for pattern in policy.allows)


def _pattern(statement: Statement) -> ActionPattern:
    return ActionPattern(statement.actions or (), negated=statement.not_action)


def _everywhere(statement: Statement) -> bool:
    resources = statement.resources if statement.resources is not None else ("*",)
    return not statement.conditions and not statement.not_resource and "*" in resources


def _touched(statement: Statement) -> frozenset[str]:
    """The services that a statement speaks of an action of."""
    pattern = _pattern(statement)
    named = _prefixes(statement)
    candidates = service_names().keys() if statement.not_action or pattern.everything else named & service_names().keys()
    return frozenset(service for service in candidates if _touches(statement, pattern, service))


def _touches(statement: Statement, pattern: ActionPattern, service: str) -> bool:
    known = actions_of(service)
    if known:
        return any(pattern.matches(f"{service}:{name}".lower()) for name in known)
    return not statement.not_action or not _spells_whole(statement, service)


def _whole(statement: Statement) -> frozenset[str]:
    """The services that a statement speaks of every action of."""
    if statement.not_action:
        return frozenset(service_names().keys() - _prefixes(statement)) if "*" not in _actions(statement) else frozenset()
    return frozenset(service for service in service_names() if _spells_whole(statement, service))


def _spells_whole(statement: Statement, service: str) -> bool:
    return not {"*", f"{service}:*"}.isdisjoint(_actions(statement))


def _actions(statement: Statement) -> list[str]:
    return [action.lower() for action in statement.actions or ()]


def _prefixes(statement: Statement) -> set[str]:
    return {action.partition(":")[0] for action in _actions(statement)}
