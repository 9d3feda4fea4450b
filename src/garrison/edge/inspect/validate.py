"""What AWS WAF refuses in a web ACL or a rule group: every constraint that can be seen without looking at other resources.

Sources: the API's model, the quotas page and the rule statements pages of the AWS WAF developer guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from garrison.edge.inspect.actionchecks import check_action, check_bodies, check_config, check_default
from garrison.edge.inspect.checks import choice, distinct, items, mapping, members, number, required, text, union
from garrison.edge.inspect.compiler import search_bytes
from garrison.edge.inspect.countries import COUNTRIES
from garrison.edge.inspect.errors import InvalidParameter
from garrison.edge.inspect.fieldchecks import HIGHEST, check_field, check_forwarded, check_transformations
from garrison.edge.inspect.patterns import check_regex
from garrison.edge.inspect.rates import WINDOWS
from garrison.edge.inspect.statements import COMPARISONS

Document = Mapping[str, Any]
Kind = Literal["WEB_ACL", "RULE_GROUP"]
DEPTH: Final = 50
"""Levels of statements in a rule."""
SEARCH: Final = 200
RATES: Final[Mapping[str, int]] = {"WEB_ACL": 10, "RULE_GROUP": 4}
"""Rate-based rules that a web ACL and a rule group may have (quotas)."""
REFERENCES: Final = 50
RULES: Final = 1000
_NAME: Final = re.compile(r"[\w-]+", re.ASCII)
_LABEL: Final = re.compile(r"[0-9A-Za-z_\-:]+")
_WORD: Final = re.compile(rb"[A-Za-z0-9_]+")
_NAMESPACE: Final = re.compile(r"[0-9A-Za-z_\-:]+:")
_RESERVED: Final = frozenset({"awswaf", "aws", "waf", "managed", "rulegroup", "webacl", "regexpatternset", "ipset"})
_DOMAIN: Final = re.compile(r"[\w.\-/]+", re.ASCII)
_METRIC: Final = re.compile(r"[\w#:.\-/]+", re.ASCII)
_SIZES: Final = ("KB_8", "KB_16", "KB_32", "KB_48", "KB_64")
_RESOURCES: Final = (
    "CLOUDFRONT", "API_GATEWAY", "COGNITO_USER_POOL", "APP_RUNNER_SERVICE", "VERIFIED_ACCESS_INSTANCE", "AGENTCORE_GATEWAY",
    "APPLICATION_LOAD_BALANCER",
)  # fmt: skip
_POSITIONS: Final = ("EXACTLY", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "CONTAINS_WORD")
_FIELD: Final = ("FieldToMatch", "TextTransformations", "PreParseTextTransformations")


def _byte_match(spec: Document) -> None:
    members(spec, ("SearchString", "PositionalConstraint", *_FIELD), "BYTE_MATCH_STATEMENT")
    raw = required(spec, "SearchString", "BYTE_MATCH_STATEMENT")
    if not isinstance(raw, bytes | str):
        raise InvalidParameter("BYTE_MATCH_STATEMENT", "SearchString", "The value must be a string.")
    found = search_bytes(raw)
    if not 1 <= len(found) <= SEARCH:
        raise InvalidParameter("BYTE_MATCH_STATEMENT", "SearchString", f"The search string must have 1 to {SEARCH} bytes.")
    position = choice(spec, "PositionalConstraint", "BYTE_MATCH_STATEMENT", _POSITIONS)
    if position == "CONTAINS_WORD" and not _WORD.fullmatch(found):
        reason = "A word contains only alphanumeric characters or underscore (A-Z, a-z, 0-9, or _)."
        raise InvalidParameter("BYTE_MATCH_STATEMENT", "SearchString", reason)
    check_field(spec)


def _regex_match(spec: Document) -> None:
    members(spec, ("RegexString", *_FIELD), "STATEMENT")
    check_regex(text(spec, "RegexString", "STATEMENT", most=512), "STATEMENT")
    check_field(spec)


def _regex_set(spec: Document) -> None:
    members(spec, ("ARN", *_FIELD), "REGEX_PATTERN_REFERENCE_STATEMENT")
    text(spec, "ARN", "REGEX_PATTERN_REFERENCE_STATEMENT", most=2048)
    check_field(spec)


def _size(spec: Document) -> None:
    members(spec, ("ComparisonOperator", "Size", *_FIELD), "SIZE_CONSTRAINT_STATEMENT")
    choice(spec, "ComparisonOperator", "SIZE_CONSTRAINT_STATEMENT", COMPARISONS)
    number(spec, "Size", "SIZE_CONSTRAINT_STATEMENT", 0, 21_474_836_480)
    check_field(spec)


def _sqli(spec: Document) -> None:
    members(spec, ("SensitivityLevel", *_FIELD), "SQLI_MATCH_STATEMENT")
    choice(spec, "SensitivityLevel", "SQLI_MATCH_STATEMENT", ("LOW", "HIGH"), optional=True)
    check_field(spec, fingerprints=False)


def _xss(spec: Document) -> None:
    members(spec, _FIELD, "XSS_MATCH_STATEMENT")
    check_field(spec, fingerprints=False)


def _geo(spec: Document) -> None:
    members(spec, ("CountryCodes", "ForwardedIPConfig"), "GEO_MATCH_STATEMENT")
    for each in items(spec, "CountryCodes", "GEO_MATCH_STATEMENT", 1, len(COUNTRIES)):
        if each not in COUNTRIES:
            raise InvalidParameter("GEO_MATCH_STATEMENT", str(each)[:64], "The value must be a country code of ISO 3166.")
    check_forwarded(spec.get("ForwardedIPConfig"), "FORWARDED_IP_CONFIG")


def _asn(spec: Document) -> None:
    members(spec, ("AsnList", "ForwardedIPConfig"), "STATEMENT")
    for each in items(spec, "AsnList", "STATEMENT", 1, 100):
        number({"AsnList": each}, "AsnList", "STATEMENT", 0, 2**32 - 1)
    check_forwarded(spec.get("ForwardedIPConfig"), "FORWARDED_IP_CONFIG")


def _label(spec: Document) -> None:
    members(spec, ("Scope", "Key"), "LABEL_MATCH_STATEMENT")
    choice(spec, "Scope", "LABEL_MATCH_STATEMENT", ("LABEL", "NAMESPACE"))
    text(spec, "Key", "LABEL_MATCH_STATEMENT", most=1024, pattern=_LABEL)


def _ip_set(spec: Document) -> None:
    members(spec, ("ARN", "IPSetForwardedIPConfig"), "IP_SET_REFERENCE_STATEMENT")
    text(spec, "ARN", "IP_SET_REFERENCE_STATEMENT", most=2048)
    check_forwarded(spec.get("IPSetForwardedIPConfig"), "IP_SET_FORWARDED_IP_CONFIG", position=True)


_LEAVES: Final[Mapping[str, Callable[[Document], None]]] = {
    "ByteMatchStatement": _byte_match,
    "RegexMatchStatement": _regex_match,
    "RegexPatternSetReferenceStatement": _regex_set,
    "SizeConstraintStatement": _size,
    "SqliMatchStatement": _sqli,
    "XssMatchStatement": _xss,
    "GeoMatchStatement": _geo,
    "AsnMatchStatement": _asn,
    "LabelMatchStatement": _label,
    "IPSetReferenceStatement": _ip_set,
}
_LOGICAL: Final[Mapping[str, str]] = {
    "AndStatement": "AND_STATEMENT",
    "OrStatement": "OR_STATEMENT",
    "NotStatement": "NOT_STATEMENT",
}
_GROUPS: Final = ("RuleGroupReferenceStatement", "ManagedRuleGroupStatement")
_TOP: Final = (*_GROUPS, "RateBasedStatement")


def check_statement(document: Any, depth: int = 1) -> None:  # noqa: ANN401 - any JSON
    """A statement that may be nested."""
    statement = mapping(document, "STATEMENT", "Statement")
    if depth > DEPTH:
        raise InvalidParameter("STATEMENT", "Statement", f"Statements can be nested {DEPTH} levels deep.")
    kind, spec = union(statement, (*_LEAVES, *_LOGICAL, *_TOP), "STATEMENT", "Statement")
    if kind in _TOP:
        raise InvalidParameter("STATEMENT", kind, "The statement cannot be nested inside another statement.")
    if kind == "NotStatement":
        members(spec, ("Statement",), "NOT_STATEMENT")
        check_statement(required(spec, "Statement", "NOT_STATEMENT"), depth + 1)
    elif kind in _LOGICAL:
        members(spec, ("Statements",), _LOGICAL[kind])
        for each in items(spec, "Statements", _LOGICAL[kind], 2, RULES):
            check_statement(each, depth + 1)
    else:
        _LEAVES[kind](spec)


_KEYS: Final = (
    "Header", "Cookie", "QueryArgument", "QueryString", "HTTPMethod", "ForwardedIP", "IP", "LabelNamespace", "UriPath",
    "JA3Fingerprint", "JA4Fingerprint", "ASN",
)  # fmt: skip
_AGGREGATES: Final = ("IP", "FORWARDED_IP", "CUSTOM_KEYS", "CONSTANT")


def _rate_based(spec: Document) -> None:
    field = "RATE_BASED_STATEMENT"
    members(
        spec, ("Limit", "EvaluationWindowSec", "AggregateKeyType", "ScopeDownStatement", "ForwardedIPConfig", "CustomKeys"), field
    )
    number(spec, "Limit", field, 10, 2_000_000_000)
    window = spec.get("EvaluationWindowSec")
    if window is not None and window not in WINDOWS:
        raise InvalidParameter(field, str(window)[:64], "The evaluation window must be 60, 120, 300 or 600 seconds.")
    kind = choice(spec, "AggregateKeyType", field, _AGGREGATES)
    check_forwarded(spec.get("ForwardedIPConfig"), "FORWARDED_IP_CONFIG")
    if spec.get("ScopeDownStatement") is not None:
        check_statement(spec["ScopeDownStatement"])
    elif kind == "CONSTANT":
        raise InvalidParameter("SCOPE_DOWN", "ScopeDownStatement", "To count all requests together, give a scope-down statement.")
    keys = _custom_keys(spec, kind == "CUSTOM_KEYS")
    if (kind == "FORWARDED_IP" or "ForwardedIP" in keys) and spec.get("ForwardedIPConfig") is None:
        raise InvalidParameter(
            "FORWARDED_IP_CONFIG", "ForwardedIPConfig", "A forwarded IP key needs a forwarded IP configuration."
        )


def _custom_keys(spec: Document, wanted: bool) -> list[str]:  # noqa: FBT001 - whether the statement aggregates on them
    listed = items(spec, "CustomKeys", "CUSTOM_KEYS", 1 if wanted else 0, 5 if wanted else 0)
    kinds = []
    for each in listed:
        kind, inner = union(mapping(each, "CUSTOM_KEYS", "CustomKeys"), _KEYS, "CUSTOM_KEYS", "CustomKeys")
        kinds.append(kind)
        _custom_key(kind, inner)
    if len(kinds) == 1 and kinds[0] in {"IP", "ForwardedIP"}:
        raise InvalidParameter("CUSTOM_KEYS", kinds[0], "An IP address cannot be the only custom key. Use it as the key type.")
    return kinds


def _custom_key(kind: str, spec: Document) -> None:
    if kind in {"Header", "Cookie", "QueryArgument"}:
        members(spec, ("Name", "TextTransformations"), "CUSTOM_KEYS")
        text(spec, "Name", "CUSTOM_KEYS", most=64)
        check_transformations(spec)
    elif kind in {"QueryString", "UriPath"}:
        members(spec, ("TextTransformations",), "CUSTOM_KEYS")
        check_transformations(spec)
    elif kind == "LabelNamespace":
        members(spec, ("Namespace",), "CUSTOM_KEYS")
        text(spec, "Namespace", "CUSTOM_KEYS", most=1024, pattern=_NAMESPACE)
    elif kind in {"JA3Fingerprint", "JA4Fingerprint"}:
        members(spec, ("FallbackBehavior",), "CUSTOM_KEYS")
        choice(spec, "FallbackBehavior", "FALLBACK_BEHAVIOR", ("MATCH", "NO_MATCH"))
    else:
        members(spec, (), "CUSTOM_KEYS")


def _reference(kind: str, spec: Document) -> None:
    """A statement that runs a rule group."""
    managed = kind == "ManagedRuleGroupStatement"
    field = "MANAGED_RULE_SET_STATEMENT" if managed else "RULE_GROUP_REFERENCE_STATEMENT"
    own = ("VendorName", "Name", "Version", "ScopeDownStatement", "ManagedRuleGroupConfigs") if managed else ("ARN",)
    members(spec, (*own, "ExcludedRules", "RuleActionOverrides"), field)
    if managed:
        text(spec, "VendorName", field, most=128)
        text(spec, "Name", field, most=128, pattern=_NAME)
        items(spec, "ManagedRuleGroupConfigs", "MANAGED_RULE_GROUP_CONFIG", 0, 100)
        if spec.get("ScopeDownStatement") is not None:
            check_statement(spec["ScopeDownStatement"])
    else:
        text(spec, "ARN", field, most=2048)
    excluded = [_entity(each, "EXCLUDED_RULE") for each in items(spec, "ExcludedRules", "EXCLUDED_RULE", 0, 100)]
    distinct(excluded, "EXCLUDED_RULE", "name")
    overridden = []
    for each in items(spec, "RuleActionOverrides", field, 0, 100):
        overridden.append(_entity(each, field))
        check_action(required(each, "ActionToUse", "RULE_ACTION"), {})
    distinct(overridden, field, "name")


def _entity(document: Any, field: str) -> str:  # noqa: ANN401 - any JSON
    return text(mapping(document, field, "Name"), "Name", field, most=128, pattern=_NAME)


def _labels(rule: Document) -> None:
    for each in items(rule, "RuleLabels", "RULE", 0, 100):
        label = text(mapping(each, "RULE", "RuleLabels"), "Name", "RULE", most=1024, pattern=_LABEL)
        parts = label.split(":")
        if len(parts) > 6 or not all(1 <= len(part) <= 128 for part in parts):
            raise InvalidParameter("RULE", label[:64], "A label has up to 5 namespaces and a name, each of 1 to 128 characters.")
        if _RESERVED.intersection(part.lower() for part in parts):
            raise InvalidParameter("RULE", label[:64], "The label contains a reserved word.")


_RULE: Final = (
    "Name", "Priority", "Statement", "Action", "OverrideAction", "RuleLabels", "VisibilityConfig", "CaptchaConfig",
    "ChallengeConfig",
)  # fmt: skip


def _check_rule(document: Any, kind: Kind, bodies: Document) -> str:  # noqa: ANN401 - any JSON
    """One rule. Its statement's kind."""
    rule = mapping(document, "RULE", "Rule")
    members(rule, _RULE, "RULE")
    text(rule, "Name", "RULE", most=128, pattern=_NAME)
    number(rule, "Priority", "RULE", 0, HIGHEST)
    _labels(rule)
    check_config(rule)
    _visibility(rule)
    statement = mapping(required(rule, "Statement", "STATEMENT"), "STATEMENT", "Statement")
    form, spec = union(statement, (*_LEAVES, *_LOGICAL, *_TOP), "STATEMENT", "Statement")
    if form in _GROUPS:
        if kind == "RULE_GROUP":
            raise InvalidParameter("STATEMENT", form, "A rule group cannot refer to a rule group.")
        _check_group_rule(rule)
        _reference(form, spec)
        return form
    if rule.get("OverrideAction") is not None or rule.get("Action") is None:
        raise InvalidParameter("RULE", "Rule", EXACTLY_ACTION)
    check_action(rule["Action"], bodies)
    if form == "RateBasedStatement":
        _rate_based(spec)
    else:
        check_statement(statement)
    return form


EXACTLY_ACTION: Final = (
    "You have used none or multiple values for a field that requires exactly one value: "
    "a rule that refers to a rule group has an OverrideAction, any other an Action."
)


def _visibility(document: Document) -> None:
    """The metrics of a web ACL, rule group or rule, where it says any (the API asks for them, the engine can do without)."""
    config = document.get("VisibilityConfig")
    if config is not None:
        found = mapping(config, "METRIC_NAME", "VisibilityConfig")
        members(found, ("SampledRequestsEnabled", "CloudWatchMetricsEnabled", "MetricName"), "METRIC_NAME")
        text(found, "MetricName", "METRIC_NAME", most=255, pattern=_METRIC)


def _association(document: Document) -> None:
    """Sizes of bodies to inspect, by type of resource."""
    field = "ASSOCIATED_RESOURCE_TYPE"
    config = mapping(document.get("AssociationConfig") or {}, field, "AssociationConfig")
    members(config, ("RequestBody", "ChallengeJavascriptSdkInjection"), field)
    for kind, value in mapping(config.get("RequestBody") or {}, field, "RequestBody").items():
        choice({"Type": kind}, "Type", field, _RESOURCES)
        choice(mapping(value, field, str(kind)), "DefaultSizeInspectionLimit", field, _SIZES)


def _check_group_rule(rule: Document) -> None:
    if rule.get("Action") is not None or rule.get("OverrideAction") is None:
        raise InvalidParameter("RULE", "Rule", EXACTLY_ACTION)
    override = mapping(rule["OverrideAction"], "OVERRIDE_ACTION", "OverrideAction")
    union(override, ("Count", "None"), "OVERRIDE_ACTION", "OverrideAction")
    if rule.get("RuleLabels"):
        raise InvalidParameter("RULE", "RuleLabels", "A rule that refers to a rule group cannot add labels.")


def check_rules(rules: Any, kind: Kind, bodies: Document | None = None) -> None:  # noqa: ANN401 - any JSON
    """The rules of a web ACL or a rule group. ``bodies`` are its ``CustomResponseBodies``. Raises InvalidParameter."""
    listed = items({"Rules": rules}, "Rules", "RULE", 0, RULES)
    forms = [_check_rule(each, kind, bodies or {}) for each in listed]
    distinct([each["Name"] for each in listed], "RULE", "name")
    distinct([each["Priority"] for each in listed], "RULE", "priority")
    if forms.count("RateBasedStatement") > RATES[kind]:
        raise InvalidParameter("ENTITY_LIMIT", "RateBasedStatement", f"There can be {RATES[kind]} rate-based rules.")
    if len(set(_references([each["Statement"] for each in listed]))) > REFERENCES:
        raise InvalidParameter("ENTITY_LIMIT", "ARN", f"There can be {REFERENCES} references to sets and rule groups.")


def _references(statements: Sequence[Document]) -> list[str]:
    """The ARNs of sets and groups that statements refer to."""
    found: list[str] = []
    stack: list[Document] = list(statements)
    while stack:
        for spec in stack.pop().values():
            if spec is None:
                continue
            if "ARN" in spec:
                found.append(spec["ARN"])
            stack.extend(spec.get("Statements") or ())
            stack.extend(each for each in (spec.get("Statement"), spec.get("ScopeDownStatement")) if each)
    return found


def references(rules: Sequence[Document]) -> list[str]:
    """The ARNs of the IP sets, regex pattern sets and rule groups that rules refer to, each once, in order."""
    return list(dict.fromkeys(_references([each["Statement"] for each in rules])))


def check_web_acl(document: Document) -> None:
    """A web ACL in the API's JSON shape. Raises InvalidParameter."""
    text(document, "Name", "WEB_ACL", most=128, pattern=_NAME)
    bodies = check_bodies(document)
    check_default(mapping(required(document, "DefaultAction", "DEFAULT_ACTION"), "DEFAULT_ACTION", "DefaultAction"), bodies)
    check_config(document)
    _visibility(document)
    _association(document)
    for name in ("ARN", "LabelNamespace"):
        if document.get(name) is not None:
            text(document, name, "WEB_ACL", most=2048)
    for each in items(document, "TokenDomains", "TOKEN_DOMAIN", 0, 10):
        text({"TokenDomain": each}, "TokenDomain", "TOKEN_DOMAIN", most=253, pattern=_DOMAIN)
    for name in ("PreProcessFirewallManagerRuleGroups", "PostProcessFirewallManagerRuleGroups"):
        if document.get(name):
            raise InvalidParameter("FIREWALL_MANAGER_STATEMENT", name, "Firewall Manager does not manage web ACLs here.")
    check_rules(document.get("Rules"), "WEB_ACL", bodies)


def check_rule_group(document: Document) -> None:
    """A rule group in the API's JSON shape. Raises InvalidParameter."""
    text(document, "Name", "RULE_GROUP", most=128, pattern=_NAME)
    _visibility(document)
    check_rules(document.get("Rules"), "RULE_GROUP", check_bodies(document))
