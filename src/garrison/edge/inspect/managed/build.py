"""How rules of managed groups are written: in the API's JSON, with detectors of whole requests for what it cannot say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from garrison.edge.inspect.detect.survey import Found, Kind, Part, Survey
from garrison.edge.inspect.groups import Context, Finding, ManagedGroup, RequestDetector
from garrison.edge.inspect.managed.names import VENDOR
from garrison.edge.inspect.request import WebRequest

Rule = Mapping[str, Any]
BLOCK: Final[Rule] = {"Block": {}}
COUNT: Final[Rule] = {"Count": {}}
CAPTCHA: Final[Rule] = {"Captcha": {}}
CHALLENGE: Final[Rule] = {"Challenge": {}}
NONE: Final = [{"Priority": 0, "Type": "NONE"}]
_CONDITIONS: Final = {Kind.SQLI: "SQL_INJECTION", Kind.SQLI_WIDE: "SQL_INJECTION", Kind.XSS: "XSS"}


class Spec(NamedTuple):
    """A rule before it has a priority: its name, statement, label below the group's namespace, and action.

    ``since`` is the first version of the group that has it, ``until`` the last.
    """

    name: str
    statement: Rule
    label: str | None = None
    action: Rule = BLOCK
    since: int = 1
    until: int = 99


def survey(request: WebRequest, body_limit: int) -> Survey:
    """The request's survey, made when it is first asked for."""
    known = request.memo.get("survey")
    if isinstance(known, Survey):
        return known
    made = request.memo["survey"] = Survey(request, body_limit)
    return made


def finding(found: Found) -> Finding:
    """What a rule reports of a find."""
    name = found.name.decode("utf-8", "replace")
    return Finding((found.matched,), (), _CONDITIONS.get(found.kind, found.kind.name), found.part.value, name)


def quiet(request: WebRequest, body_limit: int) -> bool:
    """Whether the survey found nothing at all."""
    known = request.memo.get("survey")
    return not (known if isinstance(known, Survey) else survey(request, body_limit)).found


class Seeks:
    """A detector of the kinds of attack in the parts."""

    __slots__ = ("_wanted",)
    quiet = staticmethod(quiet)

    def __init__(self, kinds: Sequence[Kind], parts: Sequence[Part]) -> None:
        self._wanted = tuple((kind, part) for kind in kinds for part in parts)

    def __call__(self, request: WebRequest, context: Context) -> Finding | None:
        """As of ``RequestDetector``."""
        found = survey(request, context.body_limit).found
        for key in self._wanted:
            if key in found:
                return finding(found[key])
        return None


class Builder:
    """Collects the rules and detectors of a group."""

    def __init__(self, name: str, namespace: str, capacity: int) -> None:
        self.name = name
        self.namespace = f"awswaf:managed:aws:{namespace}:"
        self.capacity = capacity
        self.specs: list[Spec] = []
        self.detectors: dict[str, RequestDetector] = {}

    def add(self, spec: Spec) -> None:
        """A rule of the API's own statements."""
        self.specs.append(spec)

    def seek(
        self,
        name: str,
        kinds: Sequence[Kind],
        parts: Sequence[Part],
        label: str | None = None,
        *,
        since: int = 1,
        until: int = 99,
    ) -> None:
        """A rule that blocks the kinds of attack in the parts. Its label is its name where none is given."""
        self.detect(name, Seeks(kinds, parts), label or name, since=since, until=until)

    def detect(
        self, name: str, detector: RequestDetector, label: str | None, action: Rule = BLOCK, *, since: int = 1, until: int = 99
    ) -> None:
        """A rule of a detector of whole requests."""
        self.detectors[name] = detector
        self.specs.append(Spec(name, {"RequestDetectorStatement": {"Name": name}}, label, action, since, until))

    def group(self, version: int) -> ManagedGroup:
        """The group's version."""
        specs = [each for each in self.specs if each.since <= version <= each.until]
        return ManagedGroup(
            VENDOR,
            self.name,
            f"Version_{version}.0",
            self.capacity,
            self.namespace,
            [_rule(each, number) for number, each in enumerate(specs)],
            request_detectors=self.detectors,
        )


def _rule(spec: Spec, priority: int) -> Rule:
    visible = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": spec.name}
    made: dict[str, Any] = {
        "Name": spec.name,
        "Priority": priority,
        "Statement": spec.statement,
        "Action": spec.action,
        "VisibilityConfig": visible,
    }
    if spec.label is not None:
        made["RuleLabels"] = [{"Name": spec.label}]
    return made


def transformations(*names: str) -> list[dict[str, Any]]:
    """``TextTransformations`` of the types in order."""
    return [{"Priority": number, "Type": name} for number, name in enumerate(names)]


def regex(text: str, field: Rule, *types: str) -> Rule:
    """A ``RegexMatchStatement``."""
    chain = transformations(*types) if types else NONE
    return {"RegexMatchStatement": {"RegexString": text, "FieldToMatch": field, "TextTransformations": chain}}


def larger(size: int, field: Rule) -> Rule:
    """A ``SizeConstraintStatement``: more than ``size`` bytes."""
    return {
        "SizeConstraintStatement": {"ComparisonOperator": "GT", "Size": size, "FieldToMatch": field, "TextTransformations": NONE}
    }


def header(name: str) -> Rule:
    """``FieldToMatch`` of one header."""
    return {"SingleHeader": {"Name": name}}


URI: Final[Rule] = {"UriPath": {}}
QUERY: Final[Rule] = {"QueryString": {}}
