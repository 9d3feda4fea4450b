"""A web ACL: compiled once for each version, asked once for each request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from garrison.edge.inspect.actions import IMMUNITY, Act, compile_action, immunity
from garrison.edge.inspect.compiler import REFERENCE, Compiler, Scope, only
from garrison.edge.inspect.errors import InvalidParameter
from garrison.edge.inspect.groups import Detectors, Finding, ManagedGroup, Resources, Sensitivity
from garrison.edge.inspect.lanes import Inspection
from garrison.edge.inspect.patterns import PatternCache
from garrison.edge.inspect.request import WebRequest
from garrison.edge.inspect.rules import Group, Progress, Rule
from garrison.edge.inspect.state import RateRule, State
from garrison.edge.inspect.tokenlabels import GROUPS as TOKEN_GROUPS
from garrison.edge.inspect.tokenlabels import Immunities
from garrison.edge.inspect.validate import check_rules, check_web_acl
from garrison.edge.inspect.verdict import DEFAULT_ACTION, Action, MatchDetail, RuleKind, RuleMatch, Verdict

Document = Mapping[str, Any]
DEFAULT_BODY_LIMIT: Final = 8192
"""Bytes of a body that are inspected for an application load balancer where the web ACL says nothing."""
LIMITS: Final[Mapping[str, int]] = {"KB_8": 8192, "KB_16": 16384, "KB_32": 32768, "KB_48": 49152, "KB_64": 65536}


def body_limit(document: Document, resource_type: str = "APPLICATION_LOAD_BALANCER") -> int:
    """Bytes of a body that a web ACL inspects for a resource of the type, of its ``AssociationConfig``."""
    by_type = (document.get("AssociationConfig") or {}).get("RequestBody") or {}
    chosen = by_type.get(resource_type)
    if chosen:
        return LIMITS[chosen["DefaultSizeInspectionLimit"]]
    return DEFAULT_BODY_LIMIT if resource_type in {"APPLICATION_LOAD_BALANCER", "APPSYNC"} else LIMITS["KB_16"]


def namespace(document: Document, kind: str) -> str:
    """The label namespace of a web ACL (``webacl``) or rule group (``rulegroup``), with its last colon."""
    given = document.get("LabelNamespace")
    if given:
        return str(given)
    arn = str(document.get("ARN") or "").split(":")
    account = arn[4] if len(arn) > 5 else "000000000000"
    return f"awswaf:{account}:{kind}:{document['Name']}:"


class CompiledAcl:
    """A web ACL ready to inspect. Immutable, and safe to use from several threads."""

    def __init__(
        self, rules: Sequence[Rule | Group], default: Act, label_namespace: str, metric: str, limit: int, compiler: Compiler
    ) -> None:
        lanes = compiler.lanes
        self._rules = tuple(rules)
        self._default = default
        self._namespace = label_namespace
        self._metric = metric
        self._sizes = (len(lanes.fields), len(lanes.lanes), len(lanes.bundles))
        self.body_limit = limit
        self.rates: tuple[RateRule, ...] = tuple(compiler.rates)
        """The counters that the web ACL uses."""

    def inspect(self, request: WebRequest, state: State) -> Verdict:
        """The verdict on one request. Its work is linear in the inspected size of the request, times the rules."""
        progress = Progress(Inspection(request, state, self.body_limit, self._sizes))
        for rule in self._rules:
            verdict = self._after_group(progress, rule) if isinstance(rule, Group) else self._after_rule(progress, rule)
            if verdict is not None:
                return verdict
        default = self._default
        progress.metrics.append((self._metric, default.action))
        return _verdict(progress, _Decision(default))

    def _after_rule(self, progress: Progress, rule: Rule) -> Verdict | None:
        outcome = progress.run(rule, self._namespace)
        if outcome is None:
            return None
        match, decides = outcome
        if not decides:
            progress.matches.append(match)
            return None
        return _verdict(progress, _Decision(rule.act, rule.name, rule.kind, match.details, rule.own))

    def _after_group(self, progress: Progress, group: Group) -> Verdict | None:
        decided = progress.run_group(group)
        if decided is None:
            return None
        rule, match = decided
        if group.count_only:
            progress.matches.append(RuleMatch(group.name, Action.COUNT, rule.act.action, match.details, group.metric, group.kind))
            progress.metrics.append((group.metric, Action.COUNT))
            return None
        progress.metrics.append((group.metric, rule.act.action))
        return _verdict(progress, _Decision(rule.act, group.name, group.kind, match.details, rule.own, rule.name, group.id))


class _Decision(NamedTuple):
    """What decides a request, in the words of :class:`Verdict`."""

    act: Act
    rule: str = DEFAULT_ACTION
    kind: RuleKind = RuleKind.REGULAR
    details: tuple[MatchDetail, ...] = ()
    overridden: Action | None = None
    rule_in_group: str | None = None
    group: str | None = None


def _verdict(progress: Progress, decision: _Decision) -> Verdict:
    """The verdict, with what all rules did before."""
    inspection, act = progress.inspection, decision.act
    return Verdict(
        action=act.action,
        rule=decision.rule,
        kind=decision.kind,
        rule_in_group=decision.rule_in_group,
        group=decision.group,
        details=decision.details,
        overridden=decision.overridden,
        matches=tuple(progress.matches),
        groups=tuple(progress.groups),
        rates=tuple(inspection.rates),
        labels=tuple(inspection.labels),
        inserted=(*progress.inserted, *act.inserted) if act.action is Action.ALLOW else (),
        response=act.response,
        captcha=progress.captcha,
        challenge=progress.challenge,
        immunity=act.immunity,
        oversize=frozenset(inspection.oversize),
        body_inspected=min(len(inspection.request.body), inspection.body_limit),
        metrics=tuple(progress.metrics),
    )


class _AclCompiler:
    """The work of compiling one web ACL."""

    def __init__(self, document: Document, resources: Resources, detectors: Detectors | None) -> None:
        self.document = document
        self.resources = resources
        self.compiler = Compiler(resources, detectors)
        self.namespace = namespace(document, "webacl")
        self.owner = str(document.get("ARN") or document["Name"])

    def rules(self) -> list[Rule | Group]:
        """The web ACL's rules in the order of their priorities."""
        ordered = sorted(self.document.get("Rules") or (), key=lambda each: int(each["Priority"]))
        return [self._top(each) for each in ordered]

    def _top(self, document: Document) -> Rule | Group:
        kind, spec = only(document["Statement"], "STATEMENT", "Statement")
        if kind == "RuleGroupReferenceStatement":
            return self._own_group(document, spec)
        if kind == "ManagedRuleGroupStatement":
            return self._managed_group(document, spec)
        bodies = self.document.get("CustomResponseBodies") or {}
        return self._rule(document, Scope(self.namespace, self.owner), bodies, None)

    def _immunities(self, document: Document) -> dict[Action, int]:
        """Immunity times of a rule: its own, else the web ACL's, else the default."""
        found = {}
        for action, member in ((Action.CAPTCHA, "CaptchaConfig"), (Action.CHALLENGE, "ChallengeConfig")):
            own = immunity(document.get(member))
            whole = immunity(self.document.get(member))
            found[action] = own or whole or IMMUNITY
        return found

    def _rule(self, document: Document, scope: Scope, bodies: Document, reference: Document | None) -> Rule:
        name = str(document["Name"])
        kind, spec = only(document["Statement"], "STATEMENT", "Statement")
        rated = kind == "RateBasedStatement"
        statement = self.compiler.rate_based(name, spec, scope) if rated else self.compiler.compile(document["Statement"], scope)
        immunities = self._immunities(document)
        act = compile_action(document["Action"], bodies, immunities)
        excluded, override = _overridden(name, reference)
        changed = compile_action(override, self.document.get("CustomResponseBodies") or {}, immunities) if override else act
        metric = str((document.get("VisibilityConfig") or {}).get("MetricName") or name)
        return Rule(
            name,
            metric,
            statement,
            changed,
            labels=tuple(scope.namespace + each["Name"] for each in document.get("RuleLabels") or ()),
            kind=RuleKind.RATE_BASED if rated else RuleKind.REGULAR,
            own=act.action if override else None,
            excluded=excluded,
        )

    def _group(self, document: Document, identifier: str, rules: Sequence[Rule], kind: RuleKind, scope: Scope) -> dict[str, Any]:
        """What both kinds of groups have."""
        metric = str((document.get("VisibilityConfig") or {}).get("MetricName") or document["Name"])
        return {
            "name": str(document["Name"]),
            "metric": metric,
            "identifier": identifier,
            "rules": rules,
            "kind": kind,
            "namespace": scope.namespace,
            "count_only": only(document.get("OverrideAction") or {"None": {}}, "RULE", "OverrideAction")[0] == "Count",
        }

    def _own_group(self, document: Document, spec: Document) -> Group:
        arn = str(spec["ARN"])
        try:
            group = self.resources.rule_group(arn)
        except KeyError:
            raise InvalidParameter("RULE_GROUP_REFERENCE_STATEMENT", arn, REFERENCE) from None
        scope = Scope(namespace(group, "rulegroup"), f"{self.owner} {arn}")
        bodies = group.get("CustomResponseBodies") or {}
        listed = group.get("Rules") or ()
        check_rules(listed, "RULE_GROUP", bodies)
        names = {each["Name"] for each in listed}
        for each in (*(spec.get("RuleActionOverrides") or ()), *(spec.get("ExcludedRules") or ())):
            if each["Name"] not in names:
                reason = "The rule group has no rule of this name."
                raise InvalidParameter("RULE_GROUP_REFERENCE_STATEMENT", each["Name"], reason)
        rules = self._group_rules(listed, scope, bodies, spec)
        return Group(**self._group(document, arn, rules, RuleKind.GROUP, scope))

    def _managed_group(self, document: Document, spec: Document) -> Group:
        vendor, name, version = str(spec["VendorName"]), str(spec["Name"]), spec.get("Version")
        try:
            group: ManagedGroup = self.resources.managed_group(vendor, name, version)
        except KeyError:
            raise InvalidParameter("MANAGED_RULE_SET_STATEMENT", f"{vendor}, {name}, {version}", REFERENCE) from None
        scope = Scope(group.label_namespace, f"{self.owner} {vendor}#{name}", group)
        rules = self._group_rules(group.rules, scope, {}, spec)
        below = spec.get("ScopeDownStatement")
        config = {key: value for each in spec.get("ManagedRuleGroupConfigs") or () for key, value in each.items()}
        made = Group(
            **self._group(document, f"{vendor}#{name}", rules, RuleKind.MANAGED_RULE_GROUP, scope),
            version=group.version,
            scope=self.compiler.compile(below, Scope(self.namespace, self.owner)) if below else None,
            config=config,
        )
        if vendor == "AWS" and name in TOKEN_GROUPS:
            made.tokens = self._tokens()
        return made

    def _tokens(self) -> Immunities:
        """How long solutions are good by the web ACL's own configuration."""
        found = self._immunities({})
        return Immunities(found[Action.CHALLENGE], found[Action.CAPTCHA])

    def _group_rules(self, rules: Sequence[Document], scope: Scope, bodies: Document, reference: Document) -> list[Rule]:
        ordered = sorted(rules, key=lambda each: int(each["Priority"]))
        return [self._rule(each, scope, bodies, reference) for each in ordered]


def _overridden(name: str, reference: Document | None) -> tuple[bool, Document | None]:
    """Whether the reference excludes the rule, and the action that it gives it. An exclusion counts; so AWS reads both."""
    if reference is None:
        return False, None
    for each in reference.get("RuleActionOverrides") or ():
        if each["Name"] == name:
            return False, each["ActionToUse"]
    excluded = any(each["Name"] == name for each in reference.get("ExcludedRules") or ())
    return excluded, {"Count": {}} if excluded else None


class _Unasked:
    """Detectors for a web ACL that is compiled to be checked and inspects nothing."""

    def sqli(self, value: bytes, level: Sensitivity) -> Finding | None:
        """As of ``Detectors``. Raises NotImplementedError."""
        raise NotImplementedError

    def xss(self, value: bytes) -> Finding | None:
        """As of ``Detectors``. Raises NotImplementedError."""
        raise NotImplementedError


def check_acl(document: Document, resources: Resources) -> None:
    """Raises InvalidParameter for what :func:`compile_acl` refuses. Faster: no pattern databases are made."""
    check_web_acl(document)
    _AclCompiler(document, resources, _Unasked()).rules()


def compile_acl(
    document: Document,
    resources: Resources,
    *,
    detectors: Detectors | None = None,
    cache: PatternCache | None = None,
    limit: int | None = None,
) -> CompiledAcl:
    """Compile a web ACL in the API's JSON shape (members in PascalCase; a ``SearchString`` is bytes, or base64 text).

    ``resources`` resolves what it refers to, ``detectors`` are those of SQL injection and cross-site scripting (MissingDetector
    where it needs them and they are missing), ``cache`` keeps compiled patterns, ``limit`` is the body size to inspect in
    bytes: that of an application load balancer for None. Raises InvalidParameter for what AWS WAF would refuse.
    """
    check_web_acl(document)
    work = _AclCompiler(document, resources, detectors)
    rules = work.rules()
    default = compile_action(document["DefaultAction"], document.get("CustomResponseBodies") or {}, {})
    work.compiler.lanes.finish(cache)
    metric = str((document.get("VisibilityConfig") or {}).get("MetricName") or document["Name"])
    chosen = body_limit(document) if limit is None else limit
    return CompiledAcl(rules, default, work.namespace, metric, chosen, work.compiler)
