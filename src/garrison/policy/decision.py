"""The answer to "may this principal do this?", with its reasons, and AWS's sentence for a refusal.

Source: IAM User Guide, "Troubleshoot access denied error messages".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from garrison.policy.context_keys import keys_of_statement
from garrison.policy.document import PolicyKind

if TYPE_CHECKING:
    from garrison.policy.compile import CompiledStatement, Policy, PolicySet, StatementRef
    from garrison.policy.evaluate import PolicyInputs, Request

Outcome = Literal["allowed", "implicitDeny", "explicitDeny"]
"""SimulatePolicy's words."""
DecidedBy = PolicyKind | Literal["root", "grant"]

_TYPE_NAMES: dict[str, str] = {
    "identity": "identity-based policy",
    "resource": "resource-based policy",
    "trust": "role trust policy",
    "boundary": "permissions boundary",
    "session": "session policy",
    "scp": "service control policy",
    "rcp": "resource control policy",
    "root": "account root user",
    "grant": "grant",
}
_EXPLICIT: dict[str, str] = {
    "identity": "an identity-based policy",
    "resource": "a resource-based policy",
    "trust": "the role trust policy",
    "boundary": "a permissions boundary",
    "session": "a session policy",
    "scp": "a service control policy",
    "rcp": "a resource control policy",
}


class Decision:
    """One decision. What only an explanation needs is computed when it is asked for.

    ``decided_by``: the type of policy that settled it; for an implicit deny, the type that had no Allow.
    ``matched``: the statements it rests on. ``errors``: policies that could not be evaluated and so did not count as an Allow.
    ``grant``: the id of the resource's grant that stood in for its policy, empty where none did.
    """

    __slots__ = ("decided_by", "errors", "grant", "inputs", "matched", "outcome", "rcps", "request", "resource_policy")

    def __init__(
        self,
        outcome: Outcome,
        decided_by: DecidedBy,
        matched: tuple[CompiledStatement, ...],
        request: Request,
        inputs: PolicyInputs,
        resource_policy: Policy | None,
        rcps: tuple[PolicySet, ...],
        errors: tuple[str, ...] = (),
        grant: str = "",
    ) -> None:
        self.outcome: Outcome = outcome
        self.decided_by: DecidedBy = decided_by
        self.matched = matched
        self.request = request
        self.inputs = inputs
        self.resource_policy = resource_policy
        self.rcps = rcps
        self.errors = errors
        self.grant = grant

    @property
    def allowed(self) -> bool:
        """Whether the call may go on."""
        return self.outcome == "allowed"

    @property
    def policy_type(self) -> str:
        """``identity-based policy`` and so on, as AWS names it."""
        return _TYPE_NAMES[self.decided_by]

    @property
    def matched_statements(self) -> tuple[StatementRef, ...]:
        """The statements that the decision rests on."""
        return tuple(statement.ref for statement in self.matched)

    def considered(self) -> Iterator[Policy]:
        """Every policy that was in play, each once, in the order of evaluation."""
        seen: set[int] = set()
        for policy in self._in_play():
            if id(policy) not in seen:
                seen.add(id(policy))
                yield policy

    def _in_play(self) -> Iterator[Policy]:
        for policies in self._sets():
            yield from policies.policies

    def _sets(self) -> Iterator[PolicySet]:
        yield from self.rcps
        yield from self.inputs.scps
        if self.resource_policy is not None:
            yield self.resource_policy.alone
        yield self.inputs.identity
        if self.inputs.boundary is not None:
            yield self.inputs.boundary
        yield from self.inputs.sessions
        yield from self.inputs.scopes

    def labels(self) -> tuple[list[str], list[str]]:
        """ARN or id, and mark, of every policy that was in play, in the order of evaluation.

        For the record that each call leaves: the sets have them ready.
        """
        names: list[str] = []
        marks: list[str] = []
        for policies in self._sets():
            found, marked = policies.labels
            names += found
            marks += marked
        return names, marks

    @property
    def missing_keys(self) -> tuple[str, ...]:
        """Keys, as the policies write them, that statements on this action and resource read and the request lacks."""
        get = self.request.context.get
        action = self.request.action.lower()
        found: dict[str, str] = {}
        for policy in self.considered():
            for statement in policy.speaking_of(action):
                for name in self._keys_of(policy, statement):
                    if get(name.lower()) is None:
                        found.setdefault(name.lower(), name)
        return tuple(found.values())

    def _keys_of(self, policy: Policy, statement: CompiledStatement) -> Iterable[str]:
        """The keys that a statement reads, where the resource is or could be its own."""
        get, resource = self.request.context.get, self.request.resource
        unknown = any(pattern.matches(resource, get) is None for pattern in statement.resources)
        if not unknown and not statement.covers(resource, get):
            return ()
        return keys_of_statement(statement.source, variables=policy.document.has_variables)


def denied_message(decision: Decision, principal_arn: str, action: str, resource: str) -> str:
    """AWS's sentence for a refused call.

    ``resource``: an ARN, or ``*`` where the action knows no resource; where it is empty the sentence names none. The ARN of the
    policy with an explicit deny stands at the end where the policy has one. Raises ValueError for a decision that allows.
    """
    if decision.allowed:
        msg = "an allowed call has no denial"
        raise ValueError(msg)
    where = _where(action.partition(":")[0], resource)
    return f"User: {principal_arn} is not authorized to perform: {action}{where} {_because(decision, action)}"


def _where(service: str, resource: str) -> str:
    """Services differ: S3 puts the ARN in quotes, and it and EC2 leave out the asterisk that KMS, IAM and others show."""
    if not resource or (resource == "*" and service in {"s3", "ec2"}):
        return ""
    return f' on resource: "{resource}"' if service == "s3" else f" on resource: {resource}"


def _because(decision: Decision, action: str) -> str:
    if decision.outcome == "explicitDeny":
        arn = next((ref.policy_arn for ref in decision.matched_statements if ref.policy_arn), "")
        return f"with an explicit deny in {_EXPLICIT[decision.decided_by]}" + (f": {arn}" if arn else "")
    return f"because no {decision.policy_type} allows the {action} action"
