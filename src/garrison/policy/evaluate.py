"""The decision order, complete and pure.

Source: IAM User Guide, "How AWS enforcement code logic evaluates requests to allow or deny access", "Policy evaluation for
requests within a single account" and "Cross-account policy evaluation logic".

1. An explicit Deny in any policy that applies wins.
2. Every level of resource control policies must allow,
3. and every level of service control policies, and every policy that scoped the session down.
4. Then resource policy, identity policies, boundary and session policies, as the directness of the grant asks for.

A resource may have grants beside its policy (KMS): each is one more Allow on the resource's side, and never a Deny. Source: KMS
Developer Guide, "Troubleshooting key access".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from garrison.core.principal import OUTSIDE, Principal
from garrison.policy.compile import CompiledStatement, Policy, PolicySet
from garrison.policy.decision import DecidedBy, Decision, Outcome
from garrison.policy.principal import Grant
from garrison.policy.variables import Getter, Value

NO_POLICIES = PolicySet()
_NOBODYS = frozenset({"", "aws"})
NAMING = frozenset({"resource", "trust", "rcp"})
"""Kinds of policy whose statements name principals."""


@dataclass(slots=True)
class PolicyInputs:
    """The caller's side, cached for each principal.

    ``boundary``: None where the principal has none. ``session``: the session's policies, None where it was given none; a tuple
    of sets where each must allow. An empty set allows nothing: a federated session without policies.
    ``scps``: one set a level, from the organization's root down to the account; empty where none apply (management account,
    service-linked role). ``scopes``: what scoped the session down, one set a layer; each must allow, even what a resource's
    policy or a grant allows the session directly.
    """

    identity: PolicySet = field(default_factory=PolicySet)
    boundary: PolicySet | None = None
    session: PolicySet | tuple[PolicySet, ...] | None = None
    scps: tuple[PolicySet, ...] = ()
    scopes: tuple[PolicySet, ...] = ()

    @property
    def sessions(self) -> tuple[PolicySet, ...]:
        """The session's sets, each of which must allow."""
        if self.session is None:
            return ()
        return (self.session,) if isinstance(self.session, PolicySet) else self.session


@dataclass(slots=True)
class Request:
    """One question.

    ``action``: ``iam:CreateUser``. ``resource``: an ARN, or ``*`` where the action knows no resource. ``resource_account``: the
    owner; empty, or ``aws`` for what AWS owns, counts as the principal's own account. ``context``: condition keys,
    **lower-cased** (``fold_keys`` and ``global_context`` give such mappings); only ``get`` is called. ``canonical_id``: the
    canonical user id of the principal's account, where a policy may name it.
    """

    action: str
    resource: str
    resource_account: str
    principal: Principal
    context: Mapping[str, Value]
    canonical_id: str = ""


class Granted(NamedTuple):
    """A grant on the resource that allows the request."""

    id: str
    level: Grant
    """How directly it names the caller; it is limited as a resource policy's statement of that level is."""
    trusted: bool
    """Issued by the caller's own account, which needs no identity policy to trust the resource of another one then."""


Grants = Callable[[Request], Granted | None]
"""The resource's grants: the most direct one that allows the request."""


def authorize(
    request: Request,
    inputs: PolicyInputs,
    *,
    resource_policy: Policy | None = None,
    resource_policy_decides: bool = False,
    rcps: tuple[PolicySet, ...] = (),
    grants: Grants | None = None,
) -> Decision:
    """Decide one request.

    ``resource_policy_decides``: identity policies alone are never enough (KMS key policy, role trust policy). ``grants`` is asked
    only where the resource's policy does not allow by itself. Never raises: where a policy, a grant or a key cannot be evaluated
    the answer is an implicit deny, with the kind of error in ``errors``.
    """
    question = _Question(request, inputs, resource_policy, rcps, decides=resource_policy_decides, grants=grants)
    try:
        return question.decide()
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the answer is no
        return question.answer("implicitDeny", question.at, (), (type(error).__name__,))


def speaks_of(statement: CompiledStatement, request: Request, *, bounded: bool) -> Grant:
    """How directly a statement of a naming policy speaks of the caller; ``bounded``: the caller has a permissions boundary.

    A Deny with NotPrincipal strikes whoever is not listed in full, and any principal with a boundary whatever it lists: AWS
    documents both. An Allow with NotPrincipal is refused when it is put; it would grant nothing.
    """
    pattern = statement.principal
    if pattern is None:
        return Grant.NONE
    get = request.context.get
    if not pattern.negated:
        return pattern.grant(request.principal, get, request.canonical_id)
    spared = not bounded and pattern.excludes(request.principal, get, request.canonical_id)
    return Grant.DIRECT if statement.deny and not spared else Grant.NONE


class _Question:
    """One request on its way through the order of evaluation."""

    __slots__ = ("at", "decides", "get", "grants", "inputs", "kind", "rcps", "request", "resource_policy")

    def __init__(
        self,
        request: Request,
        inputs: PolicyInputs,
        resource_policy: Policy | None,
        rcps: tuple[PolicySet, ...],
        *,
        decides: bool,
        grants: Grants | None,
    ) -> None:
        self.request = request
        self.inputs = inputs
        self.resource_policy = resource_policy
        self.rcps = rcps
        self.decides = decides
        self.grants = grants
        self.get: Getter = request.context.get
        self.kind = request.principal.kind
        self.at: DecidedBy = "identity"
        if self.kind in OUTSIDE:
            self.inputs = PolicyInputs(NO_POLICIES)

    def answer(
        self,
        outcome: Outcome,
        by: DecidedBy,
        matched: tuple[CompiledStatement, ...] = (),
        errors: tuple[str, ...] = (),
        grant: str = "",
    ) -> Decision:
        return Decision(outcome, by, matched, self.request, self.inputs, self.resource_policy, self.rcps, errors, grant)

    @property
    def resource_kind(self) -> DecidedBy:
        """``trust`` for a role's trust policy, else ``resource``."""
        return "resource" if self.resource_policy is None else self.resource_policy.kind

    def decide(self) -> Decision:
        denied = self._explicit_deny()
        if denied is not None:
            return self.answer("explicitDeny", denied.ref.kind, (denied,))
        for level in self.rcps:
            if self._allow(level, "rcp") is None:
                return self.answer("implicitDeny", "rcp")
        for level in self.inputs.scps:
            if self._allow(level, "scp") is None:
                return self.answer("implicitDeny", "scp")
        for level in self.inputs.scopes:
            if self._allow(level, "session") is None:
                return self.answer("implicitDeny", "session")
        granted, grant = self._resource_grant()
        owner = self.request.resource_account
        foreign = owner != self.request.principal.account and owner not in _NOBODYS
        decision = self._by_policies(granted, grant, foreign=foreign)
        return decision if decision.allowed or self.grants is None else self._by_grant(decision, foreign=foreign)

    def _by_policies(self, granted: CompiledStatement | None, grant: Grant, *, foreign: bool) -> Decision:
        """What the resource's policy and the caller's own say together."""
        if self.kind in OUTSIDE:
            return self._from_resource(granted)
        return self._cross_account(granted) if foreign else self._same_account(granted, grant)

    def _by_grant(self, otherwise: Decision, *, foreign: bool) -> Decision:
        """A grant in the place of the resource policy's Allow; ``otherwise`` where there is none."""
        self.at = "grant"
        found = self.grants(self.request) if self.grants is not None else None
        if found is None or found.level is Grant.NONE:
            return otherwise
        decision = self._limited_grant(found, foreign=foreign)
        decision.grant = found.id
        return decision

    def _limited_grant(self, found: Granted, *, foreign: bool) -> Decision:
        if self.kind in OUTSIDE:
            return self.answer("allowed", "grant")
        if found.level is Grant.ACCOUNT or (foreign and not found.trusted):
            return self._by_identity(())
        return self.answer("allowed", "grant") if found.level is Grant.DIRECT else self._limited("allowed", "grant", ())

    # -- the parts ---------------------------------------------------------------------------------------------

    def _explicit_deny(self) -> CompiledStatement | None:
        """The first Deny that applies, the types of policy in their order."""
        for level in self.rcps:
            found = self._named_deny(level, "rcp")
            if found is not None:
                return found
        for level in self.inputs.scps:
            found = self._deny(level, "scp")
            if found is not None:
                return found
        if self.resource_policy is not None:
            found = self._named_deny(self.resource_policy.alone, self.resource_kind)
            if found is not None:
                return found
        return self._callers_deny()

    def _callers_deny(self) -> CompiledStatement | None:
        """A Deny of the caller's own policies."""
        inputs = self.inputs
        found = self._deny(inputs.identity, "identity")
        if found is None and inputs.boundary is not None:
            found = self._deny(inputs.boundary, "boundary")
        if found is None and (inputs.session is not None or inputs.scopes):
            for policies in (*inputs.sessions, *inputs.scopes):
                found = self._deny(policies, "session")
                if found is not None:
                    break
        return found

    def _deny(self, policies: PolicySet, kind: DecidedBy) -> CompiledStatement | None:
        self.at = kind
        bucket = policies.buckets(self.request.action)[0]
        return None if bucket.empty else bucket.first(self.request.resource, self.get)

    def _named_deny(self, policies: PolicySet, kind: DecidedBy) -> CompiledStatement | None:
        """The same for policies whose statements name principals."""
        self.at = kind
        bucket = policies.buckets(self.request.action)[0]
        if bucket.empty:
            return None
        bounded = self.inputs.boundary is not None
        for statement in bucket.candidates(self.request.resource):
            if speaks_of(statement, self.request, bounded=bounded) and statement.applies(self.request.resource, self.get):
                return statement
        return None

    def _allow(self, policies: PolicySet, kind: DecidedBy) -> CompiledStatement | None:
        self.at = kind
        return policies.buckets(self.request.action)[1].first(self.request.resource, self.get)

    def _resource_grant(self) -> tuple[CompiledStatement | None, Grant]:
        """The most direct Allow of the resource policy."""
        best: CompiledStatement | None = None
        grant = Grant.NONE
        if self.resource_policy is None:
            return best, grant
        self.at = self.resource_kind
        bucket = self.resource_policy.alone.buckets(self.request.action)[1]
        for statement in bucket.candidates(self.request.resource):
            found = speaks_of(statement, self.request, bounded=False)
            if found > grant and statement.applies(self.request.resource, self.get):
                best, grant = statement, found
                if grant is Grant.DIRECT:
                    break
        return best, grant

    def _from_resource(self, granted: CompiledStatement | None) -> Decision:
        if granted is None:
            return self.answer("implicitDeny", self.resource_kind)
        return self.answer("allowed", self.resource_kind, (granted,))

    def _same_account(self, granted: CompiledStatement | None, grant: Grant) -> Decision:
        if granted is not None and grant is Grant.DIRECT:
            return self.answer("allowed", self.resource_kind, (granted,))
        if self.decides and granted is None:
            return self.answer("implicitDeny", self.resource_kind)
        if granted is not None and grant is Grant.ENTITY:
            return self._limited("allowed", self.resource_kind, (granted,))
        return self._by_identity(() if granted is None else (granted,))

    def _cross_account(self, granted: CompiledStatement | None) -> Decision:
        decision = self._by_identity(())
        if decision.outcome != "allowed":
            return decision
        if granted is None:
            return self.answer("implicitDeny", self.resource_kind)
        return self.answer("allowed", decision.decided_by, (*decision.matched, granted))

    def _by_identity(self, also: tuple[CompiledStatement, ...]) -> Decision:
        """Identity policies within boundary and session policies. The root user needs no Allow of its own."""
        if self.kind == "root":
            return self._limited("allowed", "root", also)
        found = self._allow(self.inputs.identity, "identity")
        if found is None:
            return self.answer("implicitDeny", "identity")
        return self._limited("allowed", "identity", (found, *also))

    def _limited(self, outcome: Outcome, by: DecidedBy, matched: tuple[CompiledStatement, ...]) -> Decision:
        """``outcome``, unless boundary or session policies have no Allow."""
        if self.inputs.boundary is not None:
            found = self._allow(self.inputs.boundary, "boundary")
            if found is None:
                return self.answer("implicitDeny", "boundary")
            matched = (*matched, found)
        for policies in self.inputs.sessions:
            found = self._allow(policies, "session")
            if found is None:
                return self.answer("implicitDeny", "session")
            matched = (*matched, found)
        return self.answer(outcome, by, matched)
