"""Importing rules of the OWASP Core Rule Set, and telling what became of each."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from garrison.cli.waf.jsonlines import FileError
from garrison.edge.crs.reading import Unreadable, read_rules
from garrison.edge.crs.rules import NAME, Bundle, dump
from garrison.edge.crs.statements import Translation, translate
from garrison.edge.inspect import EngineFault

RULE_GROUP: Final = "crs-rule-group.json"
_NAME: Final = re.compile(r"[\w-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Imported:
    """The bundle, and what of it AWS WAF's language says."""

    bundle: Bundle
    translation: Translation


def import_rules(folder: Path, setup: Path | None, level: int, name: str, scope: str) -> Imported:
    """Read and translate. Raises FileError."""
    if not _NAME.fullmatch(name):
        raise FileError(f"`--name {name}` must have 1 to 128 letters, digits, hyphens and underscores")
    if importlib.util.find_spec("msc_pyparser") is None:
        raise FileError("this command needs one more package: pip install 'garrison[waf]'")
    try:
        bundle = read_rules(folder, level=level, setup=setup)
    except (Unreadable, EngineFault) as error:
        raise FileError(str(error)) from error
    return Imported(bundle, translate(bundle, name, scope=scope))


def write(found: Imported, out: Path) -> None:
    """Write both files. Raises FileError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in (
            (NAME, dump(found.bundle)),
            (RULE_GROUP, json.dumps(found.translation.document, indent=1).encode() + b"\n"),
        ):
            beside = out / f".{name}.new"
            beside.write_bytes(content)
            beside.replace(out / name)
    except OSError as error:
        raise FileError(f"{error.filename or out}: {error.strerror or error}") from error


def _grouped(pairs: Iterator[tuple[str, str]]) -> Iterator[str]:
    """``count  reason: rules``, the most frequent first."""
    by_reason: dict[str, list[str]] = {}
    for what, reason in pairs:
        by_reason.setdefault(reason, []).append(what)
    for reason, whats in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0])):
        yield f"  {len(whats):>4}  {reason}"
        yield f"        {' '.join(whats)}"


def report(found: Imported, out: Path) -> Iterator[str]:
    """What became of every rule."""
    bundle, translation = found.bundle, found.translation
    deciding = [rule for rule in bundle.rules if rule.severity]
    written = translation.document["Rules"]
    total = len(bundle.rules) + len(bundle.left)
    yield f"{bundle.release or 'rules of no release'}: {total} rules"
    yield f"{out / NAME}: {len(deciding)} rules up to paranoia level {bundle.level}, for Garrison's firewall"
    helping = len(bundle.rules) - len(deciding)
    if helping:
        yield f"  {helping:>4}  more that only prepare what these ask for"
    yield from _grouped((str(rule.id), note) for rule in bundle.rules for note in rule.notes)
    yield f"{out / RULE_GROUP}: {len(written)} rules, {translation.units} capacity units, in AWS WAF's language"
    yield from _grouped((str(number), note) for number, note in translation.notes)
    if translation.untold:
        yield f"only in {NAME}: {len(translation.untold)} rules, which AWS WAF's language cannot say"
        yield from _grouped((str(number), reason) for number, reason in translation.untold)
    if bundle.left:
        yield f"not imported: {len(bundle.left)} rules"
        yield from _grouped((str(left.id) if left.id else left.where, left.reason) for left in bundle.left)


def as_json(found: Imported) -> dict[str, Any]:
    """What became of every rule, for programs."""
    untold = dict(found.translation.untold)
    notes: dict[int, list[str]] = {}
    for number, note in found.translation.notes:
        notes.setdefault(number, []).append(note)
    rules = [
        {
            "id": rule.id,
            "where": rule.where,
            "severity": rule.severity or None,
            "paranoiaLevel": rule.level,
            "notes": list(rule.notes),
            "statement": bool(rule.severity) and rule.id not in untold,
            "statementNotes": notes.get(rule.id, []),
            "noStatementBecause": untold.get(rule.id),
        }
        for rule in found.bundle.rules
    ]
    left = [{"id": each.id or None, "where": each.where, "reason": each.reason} for each in found.bundle.left]
    return {
        "release": found.bundle.release,
        "paranoiaLevel": found.bundle.level,
        "capacity": found.translation.units,
        "imported": rules,
        "notImported": left,
    }
