"""Policies compiled for speed: what a decision costs follows the statements that could matter, not all there are.

A :class:`PolicySet` remembers, for each action, which statements speak of it, and finds those by the resource: entries without
wildcards by the whole ARN, entries whose start is plain by the text before the first slash, the rest one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from garrison.policy.conditions import ConditionTest, compile_condition
from garrison.policy.document import Document, PolicyKind, Position, Statement
from garrison.policy.match import ActionPattern, ResourcePattern
from garrison.policy.principal import PrincipalPattern
from garrison.policy.validate import parse_policy
from garrison.policy.variables import Getter

_MEMO = 2048
"""Actions remembered for one policy or set; a simulation may ask for any number of made-up ones."""


@dataclass(frozen=True, slots=True)
class StatementRef:
    """Which statement of which policy: enough to find it again and to say so."""

    kind: PolicyKind
    policy_id: str
    policy_arn: str
    policy_name: str
    attached_to: str
    sid: str
    index: int
    effect: str
    start: Position
    end: Position


class CompiledStatement:
    """One statement, ready to be asked."""

    __slots__ = ("action", "conditions", "deny", "free", "keys", "not_resource", "principal", "ref", "resources", "source")

    def __init__(self, statement: Statement, document: Document, ref: StatementRef) -> None:
        variables = document.has_variables
        expand = document.kind in {"scp", "rcp"}
        self.source = statement
        self.ref = ref
        self.deny = statement.effect == "Deny"
        self.action = ActionPattern(statement.actions or (), negated=statement.not_action)
        self.not_resource = statement.not_resource
        texts = statement.resources if statement.resources is not None else ("*",)
        self.resources = tuple(ResourcePattern(text, variables=variables, expand=expand) for text in texts)
        self.conditions: tuple[ConditionTest, ...] = tuple(
            compile_condition(condition, variables=variables) for condition in statement.conditions
        )
        self.principal = (
            None if statement.principal is None else PrincipalPattern(statement.principal, negated=statement.not_principal)
        )
        anywhere = not self.not_resource and any(pattern.any for pattern in self.resources)
        self.free = anywhere and not self.conditions
        """True where the action alone decides."""

    def applies(self, resource: str, get: Getter) -> bool:
        """Whether resource and conditions match; the action is known to."""
        if self.free:
            return True
        if not self.covers(resource, get):
            return False
        for condition in self.conditions:  # noqa: SIM110 - a plain loop is twice as fast as all() over a generator here
            if not condition(get):
                return False
        return True

    def covers(self, resource: str, get: Getter) -> bool:
        """Whether Resource or NotResource matches. A NotResource with an entry nobody can resolve matches nothing."""
        if self.not_resource:
            return all(pattern.matches(resource, get) is False for pattern in self.resources)
        for pattern in self.resources:  # noqa: SIM110 - as above
            if pattern.any or pattern.matches(resource, get):
                return True
        return False


_NO_INDEX: dict[str, tuple[CompiledStatement, ...]] = {}
"""Shared by the many buckets that have nothing to look up."""


class Bucket:
    """Statements of one effect that speak of one action, found by resource."""

    __slots__ = ("empty", "exact", "free", "heads", "rest")

    def __init__(self, statements: Sequence[CompiledStatement]) -> None:
        self.empty = not statements
        self.free = next((statement for statement in statements if statement.free), None)
        exact: dict[str, list[CompiledStatement]] = {}
        heads: dict[str, list[CompiledStatement]] = {}
        self.rest: tuple[CompiledStatement, ...] = tuple(
            statement for statement in statements if not _index(statement, exact, heads)
        )
        self.exact = {key: tuple(found) for key, found in exact.items()} if exact else _NO_INDEX
        self.heads = {key: tuple(found) for key, found in heads.items()} if heads else _NO_INDEX

    def candidates(self, resource: str) -> tuple[CompiledStatement, ...]:
        """Every statement that could match ``resource``; one with several entries may stand in it twice."""
        found = self.rest
        if self.exact:
            found += self.exact.get(resource, ())
        if self.heads:
            head, slash, _ = resource.partition("/")
            if slash:
                found += self.heads.get(head, ())
        return found

    def first(self, resource: str, get: Getter) -> CompiledStatement | None:
        """A statement that applies, or None."""
        if self.free is not None:
            return self.free
        for statement in self.candidates(resource):
            if statement.applies(resource, get):
                return statement
        return None


_EMPTY = Bucket(())


def _index(
    statement: CompiledStatement,
    exact: dict[str, list[CompiledStatement]],
    heads: dict[str, list[CompiledStatement]],
) -> bool:
    """Enter a statement under its resources; False where one of them may match anything."""
    if statement.not_resource:
        return False
    if any(pattern.exact is None and pattern.head is None for pattern in statement.resources):
        return False
    for pattern in statement.resources:
        table, key = (exact, pattern.exact) if pattern.exact is not None else (heads, pattern.head)
        found = table.setdefault(key or "", [])
        if statement not in found:
            found.append(statement)
    return True


class Policy:
    """One compiled policy. Immutable, but for what it remembers of actions asked for."""

    __slots__ = ("_mark", "_memo", "alone", "arn", "attached_to", "document", "id", "kind", "name", "statements")

    def __init__(self, document: Document, *, id: str, arn: str, name: str, attached_to: str) -> None:  # noqa: A002 - AWS's word
        self.document = document
        self.kind: PolicyKind = document.kind
        self.id = id or document.id or name or arn
        self.arn = arn
        self.name = name
        self.attached_to = attached_to
        self.statements = tuple(CompiledStatement(statement, document, self._ref(statement)) for statement in document.statements)
        self._memo: dict[str, tuple[CompiledStatement, ...]] = {}
        self._mark = ""
        self.alone = PolicySet((self,))

    @property
    def mark(self) -> str:
        """Its kind and sixteen hex digits of its text's SHA-256: whether a policy is still the one that decided."""
        if not self._mark:
            self._mark = mark_of(self.kind, self.document.text)
        return self._mark

    def _ref(self, statement: Statement) -> StatementRef:
        return StatementRef(
            kind=self.kind,
            policy_id=self.id,
            policy_arn=self.arn,
            policy_name=self.name,
            attached_to=self.attached_to,
            sid=statement.sid,
            index=statement.index,
            effect=statement.effect,
            start=statement.start,
            end=statement.end,
        )

    def speaking_of(self, action: str) -> tuple[CompiledStatement, ...]:
        """The statements whose Action or NotAction matches ``action`` (lower-cased)."""
        found = self._memo.get(action)
        if found is None:
            found = tuple(statement for statement in self.statements if statement.action.matches(action))
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            self._memo[action] = found
        return found


def mark_of(kind: PolicyKind, text: str) -> str:
    """``identity:0123456789abcdef``: see :attr:`Policy.mark`."""
    return f"{kind}:{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


class PolicySet:
    """Several policies of one type that act together: an Allow in any is an Allow of the set."""

    __slots__ = ("_labels", "_memo", "policies")

    def __init__(self, policies: Sequence[Policy] = ()) -> None:
        self.policies = tuple(policies)
        self._memo: dict[str, tuple[Bucket, Bucket]] = {}
        self._labels: tuple[tuple[str, ...], tuple[str, ...]] | None = None

    @property
    def labels(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Each policy once: its ARN or id, and its mark; put together at the first look."""
        if self._labels is None:
            once = dict.fromkeys(self.policies)
            self._labels = tuple(policy.arn or policy.id for policy in once), tuple(policy.mark for policy in once)
        return self._labels

    def buckets(self, action: str) -> tuple[Bucket, Bucket]:
        """The Deny and the Allow statements that speak of ``action`` (in any case)."""
        found = self._memo.get(action)
        if found is None:
            lowered = action.lower()
            statements = [statement for policy in self.policies for statement in policy.speaking_of(lowered)]
            denies = [statement for statement in statements if statement.deny]
            allows = [statement for statement in statements if not statement.deny]
            found = (Bucket(denies) if denies else _EMPTY, Bucket(allows) if allows else _EMPTY)
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            self._memo[action] = found
        return found


def compile_policy(
    document: Document | str,
    kind: PolicyKind,
    *,
    id: str = "",  # noqa: A002 - AWS's word
    arn: str = "",
    name: str = "",
    attached_to: str = "",
) -> Policy:
    """Compile a policy, parsed or as text. Raises MalformedPolicy."""
    if isinstance(document, str):
        document = parse_policy(document, kind)
    elif document.kind != kind:
        msg = f"a {document.kind} policy is no {kind} policy"
        raise ValueError(msg)
    return Policy(document, id=id, arn=arn, name=name, attached_to=attached_to)
