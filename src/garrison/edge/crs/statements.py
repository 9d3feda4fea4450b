"""Imported rules in AWS WAF's own language, as far as it goes: a rule group that AWS takes too.

A rule is written where the language can say it; for every other one the reason is told. What is only nearly the same has a note.
Source of the limits: the quotas page of the AWS WAF developer guide.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from garrison.edge.crs.rules import SCORES, THRESHOLD, Bundle, Link, Rule, Variable
from garrison.edge.inspect.capacity import MOST, capacity
from garrison.edge.inspect.errors import InvalidParameter
from garrison.edge.inspect.patterns import REGEX_LENGTH
from garrison.edge.inspect.transforms import TRANSFORMS
from garrison.edge.inspect.validate import SEARCH, check_rules

Document = dict[str, Any]
TRANSFORMATIONS: Final = 10
"""Text transformations that a statement may have."""
_ANCHORS: Final = re.compile(r"^\^|\$$|\\[AzZ]")
_WORDS: Final = re.compile(r"[^\s]+")
_ALL: Final[Mapping[str, Any]] = {"All": {}}
_DECODED: Final = ("URL_DECODE",)


class Untold(Exception):  # noqa: N818 - a rule that the language does not say; the message is the reason
    """Why a rule is none of AWS WAF's."""


class Target(NamedTuple):
    """A ``FieldToMatch``, and the transformations that stand for what ModSecurity decodes by itself."""

    field: Document
    before: tuple[str, ...] = ()


class Translation(NamedTuple):
    """The rule group's document, its capacity, and what is not in it: ``(rule id, reason)``; notes likewise."""

    document: Document
    units: int
    untold: tuple[tuple[int, str], ...]
    notes: tuple[tuple[int, str], ...]


def translate(bundle: Bundle, name: str, *, scope: str = "REGIONAL") -> Translation:
    """The rules of a bundle as a rule group for CreateRuleGroup, critical ones first, until its capacity is full."""
    untold: list[tuple[int, str]] = []
    notes: list[tuple[int, str]] = []
    rules: list[Document] = []
    for rule in sorted(bundle.rules, key=lambda each: (-SCORES.get(each.severity, 0), each.level, each.id)):
        if not rule.severity:
            continue
        found: list[str] = []
        try:
            made = _rule(rule, len(rules), bundle.settings, found)
        except Untold as reason:
            untold.append((rule.id, str(reason)))
            continue
        units = capacity([*rules, made])
        if units > MOST:
            untold.append((rule.id, f"exceeds the {MOST} capacity units of a rule group"))
            continue
        rules.append(made)
        notes += [(rule.id, each) for each in dict.fromkeys(found)]
    visible = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}
    units = capacity(rules)
    document = {
        "Name": name,
        "Scope": scope,
        "Capacity": units,
        "Description": f"{bundle.release.replace('/', ' ')}, paranoia level {bundle.level}",
        "Rules": rules,
        "VisibilityConfig": visible,
    }
    return Translation(document, units, tuple(untold), tuple(notes))


def _rule(rule: Rule, priority: int, settings: Mapping[str, str], notes: list[str]) -> Document:
    conditions = [_condition(link, settings, notes) for link in rule.links]
    statement = conditions[0] if len(conditions) == 1 else {"AndStatement": {"Statements": conditions}}
    critical = SCORES.get(rule.severity, 0) >= THRESHOLD
    name = f"CRS_{rule.id}"
    made = {
        "Name": name,
        "Priority": priority,
        "Statement": statement,
        "Action": {"Block": {}} if critical else {"Count": {}},
        "RuleLabels": [{"Name": f"crs:{rule.id}"}],
        "VisibilityConfig": {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name},
    }
    if not critical:
        notes.append("counts and labels only: the language adds up no scores")
    try:
        check_rules([made], "RULE_GROUP")
    except InvalidParameter as error:
        raise Untold(f"AWS WAF would refuse it: {error.reason}") from error
    return made


def _condition(link: Link, settings: Mapping[str, str], notes: list[str]) -> Document:
    if link.steps:
        notes.append("looks at the value after all transformations, not after each")
    counted = _counted(link)
    if counted is not None:
        return {"NotStatement": {"Statement": counted}} if link.negated else counted
    made, targets = _compared(link, settings, notes)
    return _negated(made, targets) if link.negated else made


def _negated(statement: Document, targets: Sequence[Target]) -> Document:
    """A condition that must not hold: of one value, and only where that is there."""
    kind = next(iter(targets[0].field))
    if len(targets) != 1 or kind not in {"SingleHeader", "Method", "UriPath"}:
        raise Untold("negates what may have several values")
    inverse: Document = {"NotStatement": {"Statement": statement}}
    return {"AndStatement": {"Statements": [_there(targets[0].field), inverse]}} if kind == "SingleHeader" else inverse


def _there(field: Document) -> Document:
    """Whether a field is there, be it empty."""
    spec = {"FieldToMatch": field, "ComparisonOperator": "GE", "Size": 0, "TextTransformations": _chain(())}
    return {"SizeConstraintStatement": spec}


def _counted(link: Link) -> Document | None:
    """Whether a header is there: ``&REQUEST_HEADERS:Host "@eq 0"``."""
    if not any(each.count for each in link.variables):
        return None
    first = link.variables[0]
    there = (link.operator, link.argument) in {("gt", "0"), ("ge", "1")}
    absent = (link.operator, link.argument) == ("eq", "0")
    if len(link.variables) != 1 or first.collection != "REQUEST_HEADERS" or not first.selector or not (there or absent):
        raise Untold("counts values")
    made = _there({"SingleHeader": {"Name": first.selector.lower()}})
    return {"NotStatement": {"Statement": made}} if absent else made


def _compared(link: Link, settings: Mapping[str, str], notes: list[str]) -> tuple[Document, list[Target]]:
    argument = _settled(link.argument, settings)
    write = _WRITERS.get(link.operator)
    if write is None:
        raise Untold(f"asks by @{link.operator}")
    targets = _targets(link, notes)
    statements = [each for target in targets for each in write(link, argument, target)]
    made = statements[0] if len(statements) == 1 else {"OrStatement": {"Statements": statements}}
    return made, targets


def _settled(text: str, settings: Mapping[str, str]) -> str:
    """A text with its settings filled in."""

    def fill(found: re.Match[str]) -> str:
        name = found[1].lower()
        value = settings.get(name.removeprefix("tx."))
        if not name.startswith("tx.") or value is None or "%{" in value:
            raise Untold("compares with what the request itself says")
        return value

    return re.sub(r"%\{([^}]+)\}", fill, text)


# Fields


def _targets(link: Link, notes: list[str]) -> list[Target]:
    found: list[Target] = []
    excluded = [each for each in link.variables if each.excluded]
    names = {each.collection for each in link.variables if not each.excluded}
    for each in link.variables:
        if not each.excluded:
            found += _target(each, names, excluded, link, notes)
    unique: list[Target] = []
    for target in found:
        if target not in unique:
            unique.append(target)
    if not unique:
        raise Untold("looks at nothing that the language has a field for")
    return unique


def _target(variable: Variable, names: set[str], excluded: Sequence[Variable], link: Link, notes: list[str]) -> list[Target]:
    collection, selector = variable.collection, variable.selector
    if collection in _DYNAMIC or (selector.startswith("/") and collection != "XML"):
        raise Untold("looks at what an earlier condition found" if collection in _DYNAMIC else "selects names by an expression")
    if collection in _PLAIN:
        return [Target(each, before) for each, before in _PLAIN[collection]]
    if collection in {"ARGS", "ARGS_GET", "ARGS_POST"}:
        return _arguments(collection, selector, link, notes)
    if collection in {"ARGS_NAMES", "ARGS_GET_NAMES", "ARGS_POST_NAMES"}:
        return _argument_names(names, notes)
    if collection in {"REQUEST_COOKIES", "REQUEST_COOKIES_NAMES"}:
        return [_cookies(collection, selector, names, excluded)]
    if collection in {"REQUEST_HEADERS", "REQUEST_HEADERS_NAMES"}:
        return [_headers(collection, selector, excluded)]
    if collection not in _IN_BODY:
        raise Untold(f"looks at {collection}")
    notes.append(f"looks at the whole body for {collection}")
    return [Target(_BODY)]


def _argument_names(names: set[str], notes: list[str]) -> list[Target]:
    if names & {"ARGS", "ARGS_GET"}:
        notes.append("does not look at the names of query arguments: the language has no field for them")
        return []
    notes.append("looks at the whole query string for the names of arguments")
    return [Target(_QUERY, _DECODED)]


def _arguments(collection: str, selector: str, link: Link, notes: list[str]) -> list[Target]:
    found: list[Target] = []
    if collection != "ARGS_POST":
        field: Document = {"SingleQueryArgument": {"Name": selector.lower()}} if selector else {"AllQueryArguments": {}}
        found.append(Target(field, _DECODED))
    if collection != "ARGS_GET":
        if selector:
            raise Untold("names one argument of a body")
        if link.operator == "rx" and _ANCHORS.search(link.argument):
            notes.append("is anchored, and looks at a body as a whole")
        found.append(Target(_BODY, _DECODED))
    return found


def _cookies(collection: str, selector: str, names: set[str], excluded: Sequence[Variable]) -> Target:
    both = {"REQUEST_COOKIES", "REQUEST_COOKIES_NAMES"} <= names
    scope = "ALL" if both else "KEY" if collection.endswith("NAMES") else "VALUE"
    pattern: Mapping[str, Any] = {"IncludedCookies": [selector]} if selector else _ALL
    own = [each.selector for each in excluded if each.collection == "REQUEST_COOKIES" and not each.selector.startswith("/")]
    if own and not selector:
        pattern = {"ExcludedCookies": own}
    return Target({"Cookies": {"MatchPattern": pattern, "MatchScope": scope, "OversizeHandling": "CONTINUE"}})


def _headers(collection: str, selector: str, excluded: Sequence[Variable]) -> Target:
    if selector and collection == "REQUEST_HEADERS":
        return Target({"SingleHeader": {"Name": selector.lower()}})
    own = [each.selector.lower() for each in excluded if each.collection == "REQUEST_HEADERS"]
    pattern: Mapping[str, Any] = {"ExcludedHeaders": own} if own else _ALL
    scope = "KEY" if collection.endswith("NAMES") else "VALUE"
    return Target({"Headers": {"MatchPattern": pattern, "MatchScope": scope, "OversizeHandling": "CONTINUE"}})


_BODY: Final[Document] = {"Body": {"OversizeHandling": "CONTINUE"}}
_URI: Final[Document] = {"UriPath": {}}
_QUERY: Final[Document] = {"QueryString": {}}
_PLAIN: Final[Mapping[str, Sequence[tuple[Document, tuple[str, ...]]]]] = {
    "REQUEST_URI": ((_URI, ()), (_QUERY, ())),
    "REQUEST_URI_RAW": ((_URI, ()), (_QUERY, ())),
    "REQUEST_FILENAME": ((_URI, _DECODED),),
    "QUERY_STRING": ((_QUERY, ()),),
    "REQUEST_BODY": ((_BODY, ()),),
    "REQUEST_METHOD": (({"Method": {}}, ()),),
}
_IN_BODY: Final = frozenset({"XML", "FILES", "FILES_NAMES", "MULTIPART_PART_HEADERS"})
_DYNAMIC: Final = frozenset({"TX", "MATCHED_VAR", "MATCHED_VARS", "MATCHED_VAR_NAME", "MATCHED_VARS_NAMES"})


# Operators


def _chain(names: Sequence[str]) -> list[Document]:
    listed = [name for name in names if name != "NONE"]
    unknown = [name for name in listed if name not in TRANSFORMS]
    if unknown:
        raise Untold(f"transforms by {unknown[0]}")
    if len(listed) > TRANSFORMATIONS:
        raise Untold(f"has more than {TRANSFORMATIONS} transformations")
    return [{"Priority": number, "Type": name} for number, name in enumerate(listed or ["NONE"])]


def _common(link: Link, target: Target, *more: str) -> Document:
    chain = (*target.before, *link.transforms, *more)
    return {"FieldToMatch": target.field, "TextTransformations": _chain(chain)}


def _regex(text: str, link: Link, target: Target) -> Document:
    if len(text) > REGEX_LENGTH:
        raise Untold(f"has a regular expression of more than {REGEX_LENGTH} characters")
    return {"RegexMatchStatement": {"RegexString": text, **_common(link, target)}}


def _rx(link: Link, argument: str, target: Target) -> list[Document]:
    # A dot stands for line ends too in these rules, and for none in AWS WAF's.
    return [_regex(f"(?s){argument}" if re.search(r"(?<!\\)\.", argument) else argument, link, target)]


def _pm(link: Link, _argument: str, target: Target) -> list[Document]:
    """Phrases, as alternatives of as few regular expressions as hold them."""
    found: list[Document] = []
    part: list[str] = []
    for phrase in link.phrases:
        text = re.escape(phrase)
        if len(text) > REGEX_LENGTH - 10:
            raise Untold(f"has a phrase of more than {REGEX_LENGTH} characters")
        if part and len("|".join((*part, text))) > REGEX_LENGTH - 8:
            found.append(_regex(f"(?i:{'|'.join(part)})", link, target))
            part = []
        part.append(text)
    found.append(_regex(f"(?i:{'|'.join(part)})", link, target))
    return found


def _bytes(position: str) -> Callable[[Link, str, Target], list[Document]]:
    def write(link: Link, argument: str, target: Target) -> list[Document]:
        raw = argument.encode()
        if not 1 <= len(raw) <= SEARCH:
            raise Untold(f"looks for {len(raw)} bytes; AWS WAF takes 1 to {SEARCH}")
        text = base64.b64encode(raw).decode()
        return [{"ByteMatchStatement": {"SearchString": text, "PositionalConstraint": position, **_common(link, target)}}]

    return write


def _within(link: Link, argument: str, target: Target) -> list[Document]:
    """The value is one of the words. ``@within`` also takes what is a part of them, which no rule means."""
    words = [re.escape(each.strip("|")) for each in _WORDS.findall(argument)]
    return [_regex(f"^(?:{'|'.join(words)})$", link, target)]


def _sqli(link: Link, _argument: str, target: Target) -> list[Document]:
    return [{"SqliMatchStatement": {"SensitivityLevel": "LOW", **_common(link, target)}}]


def _xss(link: Link, _argument: str, target: Target) -> list[Document]:
    return [{"XssMatchStatement": _common(link, target)}]


def _byte_range(link: Link, argument: str, target: Target) -> list[Document]:
    parts = []
    for each in argument.split(","):
        low, _, high = each.strip().partition("-")
        parts.append(f"\\x{int(low):02x}-\\x{int(high or low):02x}")
    return [_regex(f"[^{''.join(parts)}]", link, target)]


def _escapes(link: Link, _argument: str, target: Target) -> list[Document]:
    return [_regex("%(?:[^0-9A-Fa-f]|[0-9A-Fa-f][^0-9A-Fa-f]|[0-9A-Fa-f]?$)", link, target)]


_WRITERS: Final[Mapping[str, Callable[[Link, str, Target], list[Document]]]] = {
    "rx": _rx,
    "pm": _pm,
    "contains": _bytes("CONTAINS"),
    "beginswith": _bytes("STARTS_WITH"),
    "endswith": _bytes("ENDS_WITH"),
    "streq": _bytes("EXACTLY"),
    "within": _within,
    "detectsqli": _sqli,
    "detectxss": _xss,
    "validatebyterange": _byte_range,
    "validateurlencoding": _escapes,
}
