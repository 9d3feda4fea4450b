"""Least privilege out of what was done: an identity policy that allows just that, and what present policies allow beyond it.

- An action that knows resources is allowed on those that it was used on, by their ARNs; many alike become their common folder.
- A condition is added only where every use had its key and few values, and only for keys that say whom or what for: they do not
  change from one call to the next.
- Whatever stood in a request is text in the policy, never a wildcard or a variable: an object may be called ``*``.

Source: IAM User Guide, "Grammar of the IAM JSON policy language", "Variables and tags" (``${*}``, ``${?}``, ``${$}``), and "IAM
and AWS STS quotas" for the size of a managed policy.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from garrison.policy.compile import CompiledStatement, Policy, PolicySet, StatementRef, compile_policy
from garrison.policy.match import ActionPattern
from garrison.policy.validate import parse_policy
from garrison.policy.variables import Value, single_text

MANAGED_SIZE = 6144
"""Characters of a managed policy, white space not counted."""
FEW_VALUES = 5
NARROWING = frozenset({"iam:passedtoservice", "iam:awsservicename", "iam:policyarn", "iam:permissionsboundary", "kms:viaservice"})
"""Condition keys that say on whose behalf or what for, not when or from where."""
_SPECIAL = re.compile(r"[*?]|\$(?=\{)")


@dataclass(frozen=True, slots=True)
class Use:
    """One permission that was used: an action on a resource, and the request's condition keys (lower-cased)."""

    action: str
    resource: str
    keys: Mapping[str, Value]


class Reference(Protocol):
    """The service authorization reference."""

    def spelled(self, action: str) -> str:
        """The action in AWS's case."""
        ...

    def takes_resources(self, action: str) -> bool:
        """Whether it can be bound to resources."""
        ...

    def key_names(self, action: str) -> Mapping[str, str]:
        """Condition keys of its requests by their lower-cased names."""
        ...


@dataclass(frozen=True, slots=True)
class Generated:
    """Policies that together allow what was used, and what a reader should know."""

    documents: tuple[str, ...]
    """JSON texts, each within the size of a managed policy. Empty where nothing was used."""
    widened: tuple[tuple[str, int], ...]
    """Patterns that took the place of that many ARNs."""
    unbound: tuple[str, ...]
    """Actions on ``*`` though they were used on resources that the reference does not know."""


Grouped = tuple[tuple[str, ...], tuple[tuple[str, str, tuple[str, ...]], ...]]
"""Resources, and conditions as (operator, key, values)."""


def generate(uses: Iterable[Use], reference: Reference, *, most_resources: int = 10) -> Generated:
    """The policies for these uses.

    ``most_resources``: how many ARNs of one kind an action may list before they become a pattern. Raises MalformedPolicy where
    IAM would not take the outcome: a use whose resource is no ARN.
    """
    by_action: dict[str, list[Use]] = defaultdict(list)
    for use in uses:
        by_action[reference.spelled(use.action)].append(use)
    widened: dict[str, int] = {}
    grouped: dict[Grouped, list[str]] = defaultdict(list)
    for action, found in by_action.items():
        resources = _resources(action, found, reference, most_resources, widened)
        grouped[resources, _conditions(action, found, reference)].append(action)
    statements = _statements(grouped)
    documents = tuple(json.dumps({"Version": "2012-10-17", "Statement": part}, indent=2) for part in _within_size(statements))
    for text in documents:
        parse_policy(text, "identity")
    return Generated(documents, tuple(sorted(widened.items())), _unbound(by_action, reference))


def _unbound(by_action: Mapping[str, Sequence[Use]], reference: Reference) -> tuple[str, ...]:
    """Actions whose uses named resources, and that no resource can bind."""
    return tuple(
        sorted(
            action
            for action, uses in by_action.items()
            if not reference.takes_resources(action) and any(use.resource != "*" for use in uses)
        )
    )


# Resources


def _resources(action: str, uses: Sequence[Use], reference: Reference, most: int, widened: dict[str, int]) -> tuple[str, ...]:
    named = {use.resource for use in uses}
    if not reference.takes_resources(action) or "*" in named:
        return ("*",)
    alike: dict[str, list[str]] = defaultdict(list)
    for resource in named:
        alike[_kind(resource)].append(resource)
    found: list[str] = []
    for resources in alike.values():
        if len(resources) <= most:
            found += map(literal, resources)
            continue
        pattern = _folder(resources)
        widened[pattern] = max(len(resources), widened.get(pattern, 0))
        found.append(pattern)
    return tuple(sorted(found))


def _kind(arn: str) -> str:
    """Up to and with the first part of the resource: its type, or the bucket."""
    head, slash, _ = arn.partition("/")
    return head + slash


def _folder(arns: Sequence[str]) -> str:
    """The deepest folder that holds all of them; at least the type or the bucket is common."""
    levels = list(zip(*(arn.split("/")[:-1] for arn in arns), strict=False))
    depth = next((at for at, level in enumerate(levels) if len(set(level)) > 1), len(levels))
    return f"{literal('/'.join(level[0] for level in levels[:depth]))}/*"


def literal(text: str) -> str:
    """Text that a policy matches as it is: no wildcard, no variable."""
    return _SPECIAL.sub(lambda found: "${" + found.group() + "}", text)


# Conditions


def _conditions(action: str, uses: Sequence[Use], reference: Reference) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Keys of :data:`NARROWING` that every use had, with few values."""
    found = []
    for folded, key in sorted(reference.key_names(action).items()):
        if folded not in NARROWING:
            continue
        values = {_text(use.keys.get(folded)) for use in uses}
        if "" in values or len(values) > FEW_VALUES:
            continue
        operator = "ArnEquals" if folded.endswith(("arn", "boundary")) else "StringEquals"
        escaped = tuple(sorted(map(literal, values) if operator == "ArnEquals" else (_plain(value) for value in values)))
        found.append((operator, key, escaped))
    return tuple(found)


def _plain(value: str) -> str:
    """A value that StringEquals compares as it is: it knows variables, and no wildcards."""
    return value.replace("${", "${$}{")


def _text(value: Value | None) -> str:
    return "" if value is None else single_text(value) or ""


# Statements


def _statements(grouped: Mapping[Grouped, Sequence[str]]) -> list[dict[str, object]]:
    numbers: dict[str, int] = defaultdict(int)
    found = []
    for (resources, conditions), actions in sorted(grouped.items(), key=lambda item: (sorted(item[1]), item[0])):
        word = re.sub(r"[^A-Za-z0-9]", "", min(actions).partition(":")[0].capitalize())
        numbers[word] += 1
        statement: dict[str, object] = {"Sid": f"{word}{numbers[word]}", "Effect": "Allow", "Action": sorted(actions)}
        statement["Resource"] = list(resources)
        if conditions:
            blocks: dict[str, dict[str, list[str]]] = defaultdict(dict)
            for operator, key, values in conditions:
                blocks[operator][key] = list(values)
            statement["Condition"] = dict(blocks)
        found.append(statement)
    return found


def _within_size(statements: Sequence[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    """The statements, packed into documents that IAM takes as managed policies."""
    room = MANAGED_SIZE - _size({"Version": "2012-10-17", "Statement": []})
    packed: list[dict[str, object]] = []
    taken = 0
    for statement in [part for whole in statements for part in _parts(whole, room)]:
        size = _size(statement) + 1
        if packed and taken + size > room:
            yield packed
            packed, taken = [], 0
        packed.append(statement)
        taken += size
    if packed:
        yield packed


def _parts(statement: dict[str, object], room: int) -> Iterator[dict[str, object]]:
    """A statement too long for any policy, halved along its longer list until it is not."""
    if _size(statement) < room:
        yield statement
        return
    member = max(("Resource", "Action"), key=lambda name: _size(statement[name]))
    values = statement[member]
    if not isinstance(values, list) or len(values) == 1:
        yield statement  # the validator refuses what no policy can hold
        return
    half = len(values) // 2
    for at, part in enumerate((values[:half], values[half:])):
        yield from _parts({**statement, "Sid": f"{statement['Sid']}{'ab'[at]}", member: part}, room)


def _size(value: object) -> int:
    return sum(not letter.isspace() for letter in json.dumps(value))


# What is beyond


@dataclass(frozen=True, slots=True)
class Granted:
    """What an Allow statement of a present policy gave, against what was used of it."""

    ref: StatementRef
    used: tuple[str, ...]
    """Actions that were used by virtue of it."""
    unused: tuple[str, ...]
    """Actions that it allows, that would have been seen, and were not."""
    unseen: tuple[str, ...]
    """Actions, or entries of it as they are written, of which the log can say nothing."""

    @property
    def idle(self) -> bool:
        """Nothing of it was used, and all of it would have been seen."""
        return not self.used and not self.unseen


def compare(
    policies: Iterable[Policy], uses: Sequence[Use], *, actions: Callable[[str], Collection[str]], visible: Collection[str]
) -> list[Granted]:
    """Each Allow statement of the policies against the uses.

    ``actions``: a service's actions, lower-cased; none where it is not known. ``visible``: the actions (``kms:encrypt``) that a
    use of would be in the log.
    """
    services = sorted({action.partition(":")[0] for action in visible})
    return [
        _granted(statement, uses, actions, services, visible)
        for policy in policies
        for statement in policy.statements
        if not statement.deny
    ]


def _granted(
    statement: CompiledStatement,
    uses: Sequence[Use],
    actions: Callable[[str], Collection[str]],
    services: Sequence[str],
    visible: Collection[str],
) -> Granted:
    used = {
        use.action.lower()
        for use in uses
        if statement.action.matches(use.action.lower()) and statement.applies(use.resource, use.keys.get)
    }
    allowed: set[str] = set()
    unseen: set[str] = set()
    entries = ("*",) if statement.source.not_action else statement.source.actions or ()
    for entry in entries:
        named = services if "*" in entry.partition(":")[0] else [entry.partition(":")[0].lower()]
        if entry == "*" or not any(actions(service) for service in named):
            unseen.add("NotAction" if statement.source.not_action else entry)
        pattern = ActionPattern([entry], negated=False)
        full = {f"{service}:{name}" for service in named for name in actions(service)}
        allowed |= {action for action in full if pattern.matches(action) and statement.action.matches(action)}
    unseen |= {action for action in allowed if action not in visible and action not in used}
    return Granted(statement.ref, tuple(sorted(used)), tuple(sorted(allowed - used - unseen)), tuple(sorted(unseen)))


def uncovered(documents: Iterable[str], uses: Iterable[Use]) -> list[Use]:
    """The uses that these policies do not allow: none, where they were generated from them."""
    policies = PolicySet([compile_policy(text, "identity") for text in documents])
    found = []
    for use in uses:
        denies, allows = policies.buckets(use.action)
        if denies.first(use.resource, use.keys.get) is not None or allows.first(use.resource, use.keys.get) is None:
            found.append(use)
    return found
