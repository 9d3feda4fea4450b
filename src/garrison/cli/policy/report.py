"""Answers for people, for programs (JSON) and for CI (JUnit's XML)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from garrison.cli.policy.deciding import Answer
from garrison.explaining import verdict

_INVALID = {number: "\ufffd" for number in range(32) if number not in {9, 10, 13}} | {0xFFFE: "\ufffd", 0xFFFF: "\ufffd"}
"""Characters that XML cannot hold, not even escaped."""


def lines(found: Sequence[Answer], *, every: bool = False) -> Iterator[str]:
    """A line for each answer, more for one that is not as expected (``every``: for each), and a last line that counts."""
    shown = ""
    for answer in found:
        heading = answer.case.where.rpartition(":")[0] or answer.case.where
        if heading != shown:
            shown = heading
            yield heading
        yield f"  {_mark(answer)} {_headline(answer)}"
        if answer.faults or every:
            yield from (f"         {line}" for line in details(answer))
    yield _count(found)


def _mark(answer: Answer) -> str:
    return "FAIL" if answer.faults else "ok  " if answer.case.expect else "--  "


def _headline(answer: Answer) -> str:
    case = answer.case
    who = case.principal.arn or case.principal.service or case.principal.provider or "anonymous"
    what = f"{case.name}: {answer.action} on {answer.resource}"
    if answer.faults:
        return f"{what}: {'; '.join(answer.faults)} (as {who}, {case.where})"
    return f"{what}: {why(answer)}"


def why(answer: Answer) -> str:
    """``allowed by Allow statement 1 (Read) at p.json:3``."""
    places = ", ".join(map(str, answer.deciding))
    if answer.outcome == "implicitDeny":
        return f"implicitDeny: no {answer.decision.policy_type} allows it"
    by = places or (f"grant {answer.decision.grant}" if answer.decision.grant else f"the {answer.decision.policy_type}")
    return f"{answer.outcome} by {by}"


def details(answer: Answer) -> Iterator[str]:
    """What every statement says, and what the request lacks."""
    yield why(answer)
    silent = 0
    for statement in answer.explanation["statements"]:
        if not statement["action"]:
            silent += 1
        elif not statement["decided"]:
            yield f"{answer.place(statement)}: {verdict(statement)}"
    if silent:
        yield f"{silent} more {'statement speaks' if silent == 1 else 'statements speak'} of other actions"
    missing = answer.explanation["missingKeys"]
    if missing:
        yield f"the policies read keys that `context` does not give: {', '.join(missing)}"
    yield from answer.assumed
    yield from (f"could not be evaluated: {error}" for error in answer.explanation["errors"])


def _count(found: Sequence[Answer]) -> str:
    expected = [answer for answer in found if answer.case.expect]
    failed = sum(bool(answer.faults) for answer in found)
    if not expected and not failed:
        return f"{len(found)} {'answer' if len(found) == 1 else 'answers'}, nothing was expected"
    return f"{len(expected)} {'answer' if len(expected) == 1 else 'answers'}: {len(expected) - failed} as expected, {failed} not"


def as_json(found: Sequence[Answer]) -> list[dict[str, Any]]:
    """One object for each answer: the case, the answer with its statements, and in what it is not as expected."""
    return [
        {
            "name": answer.case.name,
            "case": answer.case.where,
            "expected": answer.case.expect or None,
            "asExpected": not answer.faults,
            "faults": list(answer.faults),
            "decidingStatements": [
                {
                    "effect": place.effect,
                    "policy": place.policy,
                    "where": place.where,
                    "statement": place.number,
                    "sid": place.sid,
                }
                for place in answer.deciding
            ],
            "assumed": list(answer.assumed),
            **answer.explanation,
        }
        for answer in found
    ]


def junit(found: Sequence[Answer]) -> bytes:
    """JUnit's XML as CI systems read it: a test case for each answer, a failure for each that is not as expected."""
    failed = sum(bool(answer.faults) for answer in found)
    counts = {"tests": str(len(found)), "failures": str(failed), "errors": "0", "skipped": "0"}
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": "garrison policy test", **counts})
    for answer in found:
        _testcase(suite, answer)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _testcase(suite: ET.Element, answer: Answer) -> None:
    file, _, line = answer.case.where.rpartition(":")
    place = {"file": file, "line": line} if line.isdigit() else {}
    name = f"{answer.case.name} [{answer.action} {answer.resource}]"
    attributes = {"classname": file or answer.case.where, "name": name, **place}
    element = ET.SubElement(suite, "testcase", {key: _clean(value) for key, value in attributes.items()})
    text = _clean("\n".join(details(answer)))
    if answer.faults:
        ET.SubElement(element, "failure", {"message": _clean("; ".join(answer.faults)), "type": "decision"}).text = text
    else:
        ET.SubElement(element, "system-out").text = text


def _clean(text: str) -> str:
    return text.translate(_INVALID)
