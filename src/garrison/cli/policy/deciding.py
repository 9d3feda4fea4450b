"""A case's questions, asked of the policy room: files alone, or on top of what a state holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from garrison.cli.policy import sources
from garrison.cli.policy.cases import Case, Policies, ResourceKind, questions
from garrison.cli.policy.reading import FileError
from garrison.cli.policy.sources import Source
from garrison.core.context import Call
from garrison.core.operation import Target
from garrison.policy import (
    Decision,
    Policy,
    PolicyInputs,
    PolicySet,
    Request,
    Value,
    authorize,
    compile_policy,
    explain,
    fold_keys,
    global_context,
)
from garrison.policy.principal import FEDERATED_PROVIDER

if TYPE_CHECKING:
    from garrison.cli.policy.stored import Stored
    from garrison.core.principal import Principal

_OF_CALLER = (
    "aws:username",
    "aws:userid",
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principaltype",
    "aws:principalisawsservice",
    "aws:principalservicename",
    FEDERATED_PROVIDER,
)
"""What is certain of a caller by its name. Everything else a case must say, or the request lacks it."""
_RCP_ALL = compile_policy(sources.EVERYONE, "rcp", id="RCPFullAWSAccess", name="RCPFullAWSAccess")
_NO_IDENTITY = "no policy is given: name the identity policies, `identity: []` where there are none"


@dataclass(frozen=True, slots=True)
class Place:
    """A statement, and where it is to be found."""

    effect: str
    policy: str
    where: str
    """``file:line``, or the policy's name and line."""
    number: int
    """From 1."""
    sid: str

    def __str__(self) -> str:
        sid = f" ({self.sid})" if self.sid else ""
        return f"{self.effect} statement {self.number}{sid} at {self.where}"


@dataclass(frozen=True, slots=True)
class Answer:
    """One action on one resource, decided."""

    case: Case
    action: str
    resource: str
    decision: Decision
    explanation: Mapping[str, Any]
    """As ``policy.explain`` gives it."""
    found: Mapping[str, Source]
    """By policy id."""
    faults: tuple[str, ...] = ()
    """In what it is not as expected."""
    assumed: tuple[str, ...] = ()
    """What was taken for granted."""

    @property
    def outcome(self) -> str:
        """``allowed``, ``implicitDeny`` or ``explicitDeny``."""
        return self.decision.outcome

    @property
    def deciding(self) -> list[Place]:
        """The statements that it rests on."""
        return [self.place(statement) for statement in self.explanation["statements"] if statement["decided"]]

    def place(self, statement: Mapping[str, Any]) -> Place:
        """Where a statement of the explanation stands."""
        index = statement["index"]
        source = self.found.get(statement["policyId"])
        name = source.name if source else statement["policyName"]
        return Place(statement["effect"], name, source.where(index) if source else name, index + 1, statement["sid"])


def answers(case: Case, stored: Stored | None = None) -> list[Answer]:
    """Every question of a case. Raises FileError where a question cannot be asked for lack of a policy."""
    return [_answer(case, action, resource, stored) for action, resource in questions(case)]


def _answer(case: Case, action: str, resource: str, stored: Stored | None) -> Answer:
    kind = ResourceKind(action, resource)
    given = case.policies
    principal = stored.principal(case.principal) if stored else case.principal
    inputs = _inputs(case, principal, stored)
    target = stored.target(action, resource) if stored else None
    own = given.resource.get(resource)
    policy: Policy | None = own.policy if own else target.policy if target else None
    if policy is None and kind.decides:
        raise FileError(f"{case.where}: {_missing(kind, resource)}")
    owner = _owner(case, principal, resource)
    context = _context(case, principal, resource, target)
    if stored is not None:
        context = {**stored.places(principal, owner), **context}
    request = Request(action, resource, owner, principal, context)
    decision = authorize(
        request,
        inputs,
        resource_policy=policy if kind.possible else None,
        resource_policy_decides=kind.decides,
        rcps=_rcps(request, given, stored),
        grants=target.grants if target and own is None else None,
    )
    answer = Answer(
        case=case,
        action=action,
        resource=resource,
        decision=decision,
        explanation=explain(decision).as_json(),
        found={**(stored.sources(decision) if stored else {}), **{source.policy.id: source for source in _sources(given)}},
        assumed=_assumed(given, linked=_service_linked(principal)),
    )
    return _judged(answer)


def _rcps(request: Request, given: Policies, stored: Stored | None) -> tuple[PolicySet, ...]:
    """The case's own; a state's where it names none."""
    if _service_linked(request.principal):
        return ()
    if given.rcps or stored is None:
        return tuple(PolicySet([_RCP_ALL, *(source.policy for source in level)]) for level in given.rcps)
    return stored.resource_controls(request.resource_account, request.action, request.principal)


def _judged(answer: Answer) -> Answer:
    case, decision = answer.case, answer.decision
    faults = []
    expected = case.expect
    if expected and not (decision.outcome == expected or (expected == "denied" and not decision.allowed)):
        faults.append(f"expected {expected}, is {decision.outcome}")
    if case.decided_by and decision.decided_by != case.decided_by:
        faults.append(f"expected to be decided by {case.decided_by}, is by {decision.decided_by}")
    if case.statement and case.statement not in {place.sid for place in answer.deciding}:
        found = ", ".join(place.sid or f"statement {place.number} of {place.policy}" for place in answer.deciding) or "none"
        faults.append(f"expected to rest on statement {case.statement}, rests on {found}")
    return replace(answer, faults=tuple(faults))


def _inputs(case: Case, principal: Principal, stored: Stored | None) -> PolicyInputs:
    given = case.policies
    base = stored.inputs(principal) if stored else PolicyInputs()
    if given.identity is None and stored is None and principal.kind in {"user", "assumed-role", "federated-user"}:
        raise FileError(f"{case.where}: {_NO_IDENTITY}")
    session = base.session if given.session is None else _set(given.session)
    if session is None and principal.kind == "federated-user":
        session = PolicySet()  # a federated user may do what its session policies say: without any, nothing
    return PolicyInputs(
        identity=PolicySet([*base.identity.policies, *(source.policy for source in given.identity or ())]),
        boundary=base.boundary if given.boundary is None else _set([given.boundary]),
        session=session,
        scps=() if _service_linked(principal) else tuple(map(_set, given.scps)) or base.scps,
    )


def _set(found: Sequence[Source]) -> PolicySet:
    return PolicySet([source.policy for source in found])


def _sources(given: Policies) -> list[Source]:
    levels = [source for level in (*given.scps, *given.rcps) for source in level]
    boundary = [given.boundary] if given.boundary else []
    return [*(given.identity or ()), *boundary, *(given.session or ()), *levels, *given.resource.values()]


def _service_linked(principal: Principal) -> bool:
    """Organizations' policies do not bind service-linked roles (Organizations User Guide, "Service control policies")."""
    return principal.session is not None and principal.session.service_linked


def _assumed(given: Policies, *, linked: bool) -> tuple[str, ...]:
    return ("control policies do not bind service-linked roles",) if linked and (given.scps or given.rcps) else ()


def _missing(kind: ResourceKind, resource: str) -> str:
    if kind.trust:
        return f"who may assume {resource} is its trust policy's to say: name it as `resource_policy`"
    return f"the key policy of {resource} decides: name it as `resource_policy`, `default` for the one that KMS gives each key"


def _owner(case: Case, principal: Principal, resource: str) -> str:
    """The resource's account: as the case says, else its ARN, else the caller's own (S3's ARNs name none)."""
    named = resource.split(":", 5)[4] if resource != "*" else ""
    return case.resource_account or named or principal.account


def _context(case: Case, principal: Principal, resource: str, target: Target | None) -> dict[str, Value]:
    tags = dict(target.tags) if target else {}
    known = global_context(
        principal,
        Call(source_ip=""),
        now=0.0,
        region=resource.split(":", 5)[3] if resource != "*" else "",
        target=Target(resource, _owner(case, principal, resource), tags=tags, keys=target.keys if target else {}),
        extra={},
    )
    certain = [*_OF_CALLER, "aws:resourceaccount", "aws:requestedregion"]
    found = {key: value for key in certain if (value := known.get(key)) is not None}
    found |= {f"aws:principaltag/{key.lower()}": value for key, value in principal.tags.items()}
    found |= {f"aws:resourcetag/{key.lower()}": value for key, value in tags.items()}
    found |= fold_keys(target.keys) if target else {}
    context = fold_keys(case.context)
    tagged = [key.partition("/")[2] for key in case.context if key.lower().startswith("aws:requesttag/")]
    if tagged and "aws:tagkeys" not in context:
        found["aws:tagkeys"] = tagged
    return {**found, **context}
