"""Rules and rule groups in the order of their priorities, until one decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from garrison.edge.inspect.actions import Act, check_token
from garrison.edge.inspect.groups import Quiet
from garrison.edge.inspect.lanes import Inspection
from garrison.edge.inspect.statements import DetectRequest, Leaf, Statement
from garrison.edge.inspect.tokenlabels import Immunities, token_labels
from garrison.edge.inspect.verdict import Action, GroupResult, MatchDetail, RuleKind, RuleMatch, TokenAnswer

_TERMINATING = frozenset({Action.ALLOW, Action.BLOCK})


class Rule:
    """One compiled rule, of a web ACL or inside a group. ``own`` is its action before the web ACL overrode it."""

    __slots__ = ("act", "excluded", "kind", "labels", "metric", "name", "own", "statement")

    def __init__(
        self,
        name: str,
        metric: str,
        statement: Statement,
        act: Act,
        *,
        labels: tuple[str, ...] = (),
        kind: RuleKind = RuleKind.REGULAR,
        own: Action | None = None,
        excluded: bool = False,
    ) -> None:
        self.name = name
        self.metric = metric
        self.statement = statement
        self.act = act
        self.labels = labels
        self.kind = kind
        self.own = own
        self.excluded = excluded


class Group:
    """A rule group as a web ACL's rule refers to it."""

    __slots__ = (
        "config",
        "count_only",
        "id",
        "kind",
        "loud",
        "metric",
        "name",
        "namespace",
        "quiet",
        "rules",
        "scope",
        "tokens",
        "version",
    )

    def __init__(
        self,
        name: str,
        metric: str,
        identifier: str,
        rules: Sequence[Rule],
        *,
        namespace: str,
        kind: RuleKind,
        count_only: bool,
        version: str = "",
        scope: Statement | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.metric = metric
        self.id = identifier
        self.rules = tuple(rules)
        self.namespace = namespace
        self.kind = kind
        self.count_only = count_only
        self.version = version
        self.scope = scope
        self.config = dict(config or {})
        probes = [_quiet(each) for each in self.rules]
        self.quiet = next((each for each in probes if each is not None), None)
        """What tells whether a request has anything for those rules that share one probe; None where none does."""
        self.loud = tuple(
            rule for rule, probe in zip(self.rules, probes, strict=True) if probe is None or probe is not self.quiet
        )
        """The other rules: all that are asked where it has nothing."""
        self.tokens: Immunities | None = None
        """Of a group that labels the request's token: how long solutions are good."""


def _quiet(rule: Rule) -> Quiet | None:
    return rule.statement.quiet if isinstance(rule.statement, DetectRequest) else None


class Progress:
    """What the rules so far did to a request."""

    __slots__ = ("captcha", "challenge", "groups", "inserted", "inspection", "matches", "metrics")

    def __init__(self, inspection: Inspection) -> None:
        self.inspection = inspection
        self.matches: list[RuleMatch] = []
        self.groups: list[GroupResult] = []
        self.inserted: list[tuple[str, str]] = []
        self.metrics: list[tuple[str, Action]] = []
        self.captcha: TokenAnswer | None = None
        self.challenge: TokenAnswer | None = None

    def run(self, rule: Rule, namespace: str) -> tuple[RuleMatch, bool] | None:
        """Evaluate one rule. None where it does not match; else the match, and whether it decides."""
        inspection = self.inspection
        if inspection.leaves:
            inspection.leaves.clear()
        if inspection.added:
            inspection.added.clear()
        if not rule.statement.matches(inspection):
            return None
        for label in rule.labels:
            inspection.labels[label] = None
        for label in inspection.added:
            inspection.labels[label if label.startswith("awswaf:") else namespace + label] = None
        decides = self._decides(rule.act)
        if not decides:
            self.inserted.extend(rule.act.inserted)
        action = Action.EXCLUDED_AS_COUNT if rule.excluded else rule.act.action
        self.metrics.append((rule.metric, action))
        return RuleMatch(rule.name, action, rule.own, self._details(inspection.leaves), rule.metric, rule.kind), decides

    def _decides(self, act: Act) -> bool:
        if act.action in _TERMINATING:
            return True
        if act.action is Action.COUNT:
            return False
        answer = check_token(act, self.inspection.state.token, self.inspection.request.time)
        if act.action is Action.CAPTCHA:
            self.captcha = answer
        else:
            self.challenge = answer
        return answer.failure is not None

    def _details(self, leaves: Sequence[Leaf]) -> tuple[MatchDetail, ...]:
        return tuple(each for leaf in leaves for each in leaf.details(self.inspection))

    def run_group(self, group: Group) -> tuple[Rule, RuleMatch] | None:
        """Evaluate a group. None where none of its rules decides; else the one that does."""
        inspection = self.inspection
        if group.scope is not None and not group.scope.matches(inspection):
            return None
        inspection.config = group.config
        if group.tokens is not None:
            now = inspection.request.time
            inspection.labels.update(dict.fromkeys(token_labels(inspection.state.token, now, group.tokens)))
        silent = group.quiet is not None and group.quiet(inspection.request, inspection.body_limit)
        return self._run_all(group, group.loud if silent else group.rules)

    def _run_all(self, group: Group, rules: Sequence[Rule]) -> tuple[Rule, RuleMatch] | None:
        """Evaluate rules of a group until one decides."""
        if not rules:
            return None
        counted: list[RuleMatch] = []
        excluded: list[str] = []
        decided: tuple[Rule, RuleMatch] | None = None
        for rule in rules:
            outcome = self.run(rule, group.namespace)
            if outcome is None:
                continue
            match, decides = outcome
            if decides:
                decided = rule, match
                break
            if rule.excluded:
                excluded.append(rule.name)
            else:
                counted.append(match)
        if decided or counted or excluded:
            ended = decided[1] if decided else None
            self.groups.append(GroupResult(group.id, ended, tuple(counted), tuple(excluded), group.version, group.name))
        return decided
