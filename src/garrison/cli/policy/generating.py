"""``garrison policy generate``: least privilege out of the audit trail."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from garrison.cli.policy import catalog
from garrison.cli.policy.callers import caller
from garrison.cli.policy.reading import FileError
from garrison.cli.policy.sources import Source
from garrison.cli.policy.stored import Stored
from garrison.cli.policy.used import Used, since, used_by
from garrison.core.clock import iso8601
from garrison.core.model import load_model
from garrison.core.operation import REGISTRY
from garrison.policy import MalformedPolicy
from garrison.policy.generate import Generated, Granted, compare, generate, uncovered

if TYPE_CHECKING:
    from garrison.core.principal import Principal


_MANY = 40
"""Actions of one service beyond which people are told their number alone."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the trail says of a principal."""

    principal: str
    start: float
    end: float
    used: Used
    generated: Generated
    granted: tuple[tuple[Source, Granted], ...]
    """Each Allow statement of its present identity policies."""


def outcome(state: Any, named: str, start: str, end: str, now: float, most_resources: int) -> Outcome:  # noqa: ANN401 - app.State
    """Read, generate, prove and compare. Raises FileError."""
    stored = Stored(state)
    principal = stored.principal(_principal(named))
    first, last = since(start, now), since(end, now) if end else now
    if first > last:
        msg = f"the time begins at {iso8601(first)}, after its end at {iso8601(last)}"
        raise FileError(msg)
    used = used_by(state, principal, first, last)
    try:
        generated = generate(used.uses, catalog, most_resources=most_resources)
    except MalformedPolicy as error:
        msg = f"IAM would not take the policy: {error.reason}"
        raise FileError(msg) from error
    lost = uncovered(generated.documents, used.uses)
    if lost:
        msg = f"the policy would not allow {lost[0].action} on {lost[0].resource}, which was used: it is not given out"
        raise FileError(msg)
    present = stored.policies(principal)
    found = compare([source.policy for source in present], used.uses, actions=_actions, visible=_visible())
    by_id = {source.policy.id: source for source in present}
    return Outcome(named, first, last, used, generated, tuple((by_id[granted.ref.policy_id], granted) for granted in found))


def _principal(text: str) -> Principal:
    try:
        found = caller(text)
    except ValueError as error:
        raise FileError(str(error)) from error
    if found.kind not in {"user", "assumed-role"}:
        msg = f"`{text}` is neither user nor role: nobody else has identity policies"
        raise FileError(msg)
    return found


def _actions(service: str) -> frozenset[str]:
    return frozenset(catalog.actions_of(service))


BESIDE = frozenset(
    {
        "iam:passrole",
        "kms:reencryptfrom",
        "kms:reencryptto",
        "sts:setsourceidentity",
        "sts:taggetwebidentitytoken",
        "sts:tagsession",
    }
)
"""Actions that calls of other names ask for, and that have no operation of their own."""


def _visible() -> frozenset[str]:
    """The actions that a use of would be in the trail: those that the operations which are built ask for."""
    found = set(BESIDE)
    for declaration in REGISTRY.values():
        model = load_model(declaration.service)
        prefix = str(model.signing_name)
        found.add((declaration.action or f"{prefix}:{declaration.name.replace('_', '')}").lower())
    return frozenset(found)


# For people


def summary(found: Outcome) -> Iterator[str]:
    """What went into the policy, and what did not."""
    used = found.used
    yield f"{used.calls} calls of {found.principal} from {iso8601(found.start)} to {iso8601(found.end)}"
    yield f"{len({use.action for use in used.uses})} actions were allowed by its own policies and are in the policy"
    yield from _listed("allowed by the resource's own policy, and left out", used.by_resource)
    yield from _listed("refused, and left out", used.refused)
    for pattern, count in found.generated.widened:
        yield f"widened: {pattern} stands for {count} resources"
    for action in found.generated.unbound:
        yield f"not bound: {action} knows no resources, so it is allowed on *"
    if used.shortened:
        yield f"{used.shortened} calls needed more permissions than an event keeps: the policy may lack some"
    if len(found.generated.documents) > 1:
        yield f"{len(found.generated.documents)} policies: IAM takes at most 6,144 characters in each"
    unseen = sorted({entry for _, granted in found.granted for entry in granted.unseen})
    if unseen:
        yield "its present policies also allow what the trail cannot show, because no call here asks for it:"
        yield from (f"  {entry}" for entry in _shortened(unseen))


def _listed(what: str, counted: Mapping[tuple[str, str], int]) -> Iterator[str]:
    for (action, resource), count in sorted(counted.items()):
        yield f"{what}: {action} on {resource} ({count} {'time' if count == 1 else 'times'})"


def difference(found: Outcome) -> Iterator[str]:
    """Each statement of the present policies, and what of it was not used."""
    if not found.granted:
        yield f"{found.principal} has no identity policy that allows anything"
    for source, granted in found.granted:
        sid = f" ({granted.ref.sid})" if granted.ref.sid else ""
        yield f"Allow statement {granted.ref.index + 1}{sid} of {source.where(granted.ref.index)}: {_verdict(granted)}"
        yield from (f"  + {catalog.spelled(action)}" for action in granted.used)
        yield from (f"  - {entry}" for entry in _shortened(granted.unused))
        yield from (f"  ? {entry}" for entry in _shortened(granted.unseen))


def _verdict(granted: Granted) -> str:
    if granted.idle:
        return "nothing of it was used"
    parts = [f"{len(granted.used)} used", f"{len(granted.unused)} not used"]
    return ", ".join(parts + ([f"{len(granted.unseen)} that the trail cannot show"] if granted.unseen else []))


def _shortened(entries: Sequence[str]) -> list[str]:
    """Actions as AWS spells them; of a service with many, how many there are (``--json`` has each)."""
    by_service: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        by_service[entry.partition(":")[0] if ":" in entry else ""].append(entry)
    found = list(by_service.pop("", ()))
    for service, actions in by_service.items():
        if len(actions) > _MANY:
            found.append(f"{service}: {len(actions)} actions")
        else:
            found += map(catalog.spelled, actions)
    return found


def as_json(found: Outcome) -> dict[str, Any]:
    """Everything as one object."""
    used = found.used
    return {
        "principal": found.principal,
        "from": iso8601(found.start),
        "to": iso8601(found.end),
        "calls": used.calls,
        "policies": [json.loads(text) for text in found.generated.documents],
        "widened": dict(found.generated.widened),
        "unbound": list(found.generated.unbound),
        "allowedByResource": _counted(used.by_resource),
        "refused": _counted(used.refused),
        "shortened": used.shortened,
        "present": [
            {
                "policy": source.name,
                "statement": granted.ref.index + 1,
                "sid": granted.ref.sid,
                "used": [catalog.spelled(action) for action in granted.used],
                "unused": [catalog.spelled(action) for action in granted.unused],
                "unseen": list(granted.unseen),
            }
            for source, granted in found.granted
        ],
    }


def _counted(counted: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    return [{"action": action, "resource": resource, "times": count} for (action, resource), count in sorted(counted.items())]


def text_of(found: Outcome) -> str:
    """The policy; a list of policies where one has not the room."""
    documents = found.generated.documents
    if len(documents) == 1:
        return documents[0]
    return json.dumps([json.loads(text) for text in documents], indent=2)
