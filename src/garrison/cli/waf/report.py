"""What ``garrison waf test`` says: lines for people, JSON, and JUnit's XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from garrison.cli.waf.requests import Source
from garrison.cli.waf.running import Outcome, Place
from garrison.edge.inspect import MatchDetail

_INVALID: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF), " ")
WIDE: Final = 110
"""Characters of a target that are shown."""


@dataclass(frozen=True, slots=True)
class Change:
    """One request under two web ACLs."""

    old: Outcome
    new: Outcome

    @property
    def kind(self) -> str:
        """``stopped now``, ``let through now``, ``stopped by another rule``, or empty where nothing changed."""
        if self.old.stopped != self.new.stopped:
            return "stopped now" if self.new.stopped else "let through now"
        if self.old.stopped and (self.old.action, self.old.hit.name) != (self.new.action, self.new.hit.name):
            return "stopped by another rule"
        return ""


def _clipped(text: str) -> str:
    clean = text.translate(_INVALID)
    return clean if len(clean) <= WIDE else f"{clean[: WIDE - 3]}..."


def shown(raw: bytes) -> str:
    """Bytes as people read them."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _place(found: Place | None) -> str:
    if found is None:
        return ""
    what = "bytes" if found.exact else "the value at bytes"
    return f", {what} {found.start}-{found.end} of the {found.part}"


def _detail(detail: MatchDetail, found: Place | None) -> str:
    matched = " ".join(f"`{shown(each)}`" for each in detail.matched)
    name = f" {detail.field}" if detail.field and detail.field != detail.location else ""
    level = f" ({detail.sensitivity})" if detail.sensitivity else ""
    return f"{detail.condition}{level} in {detail.location}{name}{f': {matched}' if matched else ''}{_place(found)}"


def lines(outcome: Outcome) -> Iterator[str]:
    """One request: where it stands, what happens to it, by which rule, on which bytes."""
    mark = "" if outcome.as_expected else f"   expected: {outcome.expected}"
    yield f"{outcome.where}: {outcome.action.value} {outcome.method} {_clipped(outcome.target)}{mark}"
    if outcome.stopped:
        group = f" ({outcome.hit.group})" if outcome.hit.group else ""
        yield f"    by {outcome.hit.name}{group}"
        for detail, found in outcome.hit.details:
            yield f"    {_detail(detail, found)}"
    if outcome.counted:
        yield f"    counted: {', '.join(outcome.counted)}"


def summary(outcomes: Sequence[Outcome], source: Source) -> Iterator[str]:
    """Totals, rules, and what the files did not have."""
    actions = Counter(each.action.value for each in outcomes)
    yield f"{_requests(len(outcomes))}: {', '.join(f'{count} {name}' for name, count in sorted(actions.items())) or 'nothing'}"
    rules = Counter(f"{each.action.value} {each.hit.name}" for each in outcomes if each.stopped)
    rules.update(f"COUNT {name}" for each in outcomes for name in each.counted)
    for name, count in sorted(rules.items(), key=lambda item: (-item[1], item[0])):
        yield f"  {count:>7} {name}"
    for reason, count in sorted(source.left_out.items()):
        yield f"  left out: {count}, {reason}"
    for what, count in sorted(source.missing.items()):
        yield f"  not in the file: {what} of {_requests(count)}"
    failed = sum(not each.as_expected for each in outcomes)
    if failed:
        yield f"{_requests(failed)} not as expected"


def _requests(count: int) -> str:
    return f"{count} {'request' if count == 1 else 'requests'}"


def changes(found: Sequence[Change]) -> Iterator[str]:
    """What differs between two web ACLs."""
    differing = [each for each in found if each.kind]
    for each in differing:
        yield f"{each.new.where}: {each.kind}: {each.new.method} {_clipped(each.new.target)}"
        for label, outcome in (("old", each.old), ("new", each.new)):
            by = f" by {outcome.hit.name}" if outcome.stopped else ""
            yield f"    {label}: {outcome.action.value}{by}"
            if outcome.stopped:
                for detail, where in outcome.hit.details:
                    yield f"         {_detail(detail, where)}"
    kinds = Counter(each.kind for each in differing)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    yield f"{_requests(len(found))}: {told or 'no difference'}"


# JSON


def _detail_json(detail: MatchDetail, found: Place | None) -> dict[str, Any]:
    return {
        "condition": detail.condition,
        "sensitivity": detail.sensitivity or None,
        "location": detail.location,
        "field": detail.field or None,
        "matchedData": [shown(each) for each in detail.matched],
        "bytes": None if found is None else {"part": found.part, "start": found.start, "end": found.end, "exact": found.exact},
    }


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """One request as an object."""
    return {
        "where": outcome.where,
        "method": outcome.method,
        "target": outcome.target,
        "action": outcome.action.value,
        "rule": outcome.hit.rule,
        "ruleInGroup": outcome.hit.in_group or None,
        "group": outcome.hit.group or None,
        "matches": [_detail_json(detail, found) for detail, found in outcome.hit.details],
        "counted": list(outcome.counted),
        "labels": list(outcome.labels),
        "expected": outcome.expected or None,
        "asExpected": outcome.as_expected,
    }


def as_json(outcomes: Sequence[Outcome], source: Source, *, every: bool) -> dict[str, Any]:
    """Totals, and the requests of which a rule matched; all of them for ``every``."""
    told = [each for each in outcomes if every or each.stopped or each.counted or not each.as_expected]
    return {
        "requests": len(outcomes),
        "actions": dict(sorted(Counter(each.action.value for each in outcomes).items())),
        "leftOut": source.left_out,
        "notInTheFile": source.missing,
        "notAsExpected": sum(not each.as_expected for each in outcomes),
        "outcomes": [outcome_json(each) for each in told],
    }


def changes_json(found: Sequence[Change], source: Source) -> dict[str, Any]:
    """What differs, as an object."""
    return {
        "requests": len(found),
        "leftOut": source.left_out,
        "notInTheFile": source.missing,
        "changes": [
            {"kind": each.kind, "old": outcome_json(each.old), "new": outcome_json(each.new)} for each in found if each.kind
        ],
    }


# JUnit


def junit(cases: Sequence[tuple[Outcome, str]]) -> bytes:
    """JUnit's XML: a test case for each request, with the failure that is told of it, empty for none."""
    failed = sum(bool(message) for _, message in cases)
    counts = {"tests": str(len(cases)), "failures": str(failed), "errors": "0", "skipped": "0"}
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": "garrison waf test", **counts})
    for outcome, message in cases:
        _testcase(suite, outcome, message)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _testcase(suite: ET.Element, outcome: Outcome, message: str) -> None:
    file, _, line = outcome.where.rpartition(":")
    place: Mapping[str, str] = {"file": file, "line": line} if line.isdigit() else {"file": outcome.where}
    attributes = {"classname": place["file"], "name": f"{outcome.where} {outcome.method} {_clipped(outcome.target)}", **place}
    element = ET.SubElement(suite, "testcase", {key: value.translate(_INVALID) for key, value in attributes.items()})
    if message:
        text = "\n".join(lines(outcome)).translate(_INVALID)
        ET.SubElement(element, "failure", {"message": message.translate(_INVALID), "type": "verdict"}).text = text
