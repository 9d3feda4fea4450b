"""Imported rules as a managed rule group: ``OWASP``, ``CoreRuleSet``.

Every imported rule is a rule of the group, so that a web ACL can override each, and labels the request. A critical rule blocks,
as one critical match does in the Core Rule Set at its default threshold; the others count, and a last rule blocks where what they
add up to reaches the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from garrison.edge.crs.evaluate import CoreRules, Match
from garrison.edge.crs.rules import NAME as FILE
from garrison.edge.crs.rules import SCORES, THRESHOLD, Bundle, Rule, read
from garrison.edge.inspect import Context, Finding, ManagedGroup, MissingDetector, PatternCache, WebRequest
from garrison.edge.inspect.groups import RequestDetector

VENDOR: Final = "OWASP"
NAME: Final = "CoreRuleSet"
NAMESPACE: Final = "awswaf:managed:owasp:core-rule-set:"
CAPACITY: Final = 1000
"""Capacity units that the group takes of a web ACL."""
SCORE: Final = "AnomalyScore"
"""The group's last rule."""
_MEMO: Final = "owasp-crs"


def load(path: Path, cache: PatternCache | None = None, *, compiled: bool = True) -> ManagedGroup:
    """The group of a bundle's file. Raises BundleError."""
    return group(read(path), cache, compiled=compiled)


def groups_in(directory: Path | None, cache: PatternCache | None = None, *, compiled: bool = True) -> tuple[ManagedGroup, ...]:
    """The group of the bundle in a directory of lists; none where it has no bundle. Raises BundleError."""
    if directory is None or not (directory / FILE).is_file():
        return ()
    return (load(directory / FILE, cache, compiled=compiled),)


def group(bundle: Bundle, cache: PatternCache | None = None, *, compiled: bool = True) -> ManagedGroup:
    """The group of a bundle. ``compiled`` False: for who tells of it and inspects no request."""
    core = CoreRules(bundle, cache) if compiled else None
    deciding = [rule for rule in bundle.rules if rule.severity]
    documents = [_document(rule, number) for number, rule in enumerate(deciding)]
    detectors = {_name(rule): _detector(core, rule) for rule in deciding}
    threshold = _threshold(bundle)
    lesser = {f"{NAMESPACE}{rule.id}": SCORES.get(rule.severity, 0) for rule in deciding if not _critical(rule)}

    def score(_request: WebRequest, context: Context) -> Finding | None:
        total = sum(lesser.get(label, 0) for label in context.labels)
        return Finding((), (), "ANOMALY_SCORE", "", str(total)) if total >= threshold else None

    detectors[SCORE] = score
    documents.append(_rule(SCORE, len(documents), {"Block": {}}, "anomaly-score"))
    version = f"{bundle.release.rpartition('/')[2] or '0'}-{bundle.level}".replace(".", "_")
    return ManagedGroup(VENDOR, NAME, f"Version_{version}", CAPACITY, NAMESPACE, documents, request_detectors=detectors)


def _threshold(bundle: Bundle) -> int:
    text = bundle.settings.get("inbound_anomaly_score_threshold", "")
    return int(text) if text.isdigit() else THRESHOLD


def _critical(rule: Rule) -> bool:
    return SCORES.get(rule.severity, 0) >= THRESHOLD


def _name(rule: Rule) -> str:
    return f"CRS_{rule.id}"


def _document(rule: Rule, priority: int) -> dict[str, Any]:
    action: Mapping[str, Any] = {"Block": {}} if _critical(rule) else {"Count": {}}
    return _rule(_name(rule), priority, action, str(rule.id))


def _rule(name: str, priority: int, action: Mapping[str, Any], label: str) -> dict[str, Any]:
    return {
        "Name": name,
        "Priority": priority,
        "Statement": {"RequestDetectorStatement": {"Name": name}},
        "Action": action,
        "RuleLabels": [{"Name": label}],
        "VisibilityConfig": {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name},
    }


def _detector(core: CoreRules | None, rule: Rule) -> RequestDetector:
    def detect(request: WebRequest, context: Context) -> Finding | None:
        if core is None:
            raise MissingDetector("the imported rules were not compiled, and a request came to be inspected")
        found = request.memo.get(_MEMO)
        if not isinstance(found, dict):
            found = request.memo[_MEMO] = {each.rule.id: each for each in core.matches(request, context.body_limit)}
        match: Match | None = found.get(rule.id)
        if match is None:
            return None
        name = match.value.name.decode("utf-8", "replace")
        return Finding((match.matched,), (), f"CRS_{rule.id}", match.value.location, name)

    return detect
