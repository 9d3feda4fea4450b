"""How faithful imported rules are: ``python bench/waf_crs.py --crs TESTS`` writes docs/explanation/waf-crs.md.

The rules are those of Debian's package ``modsecurity-crs`` (or ``--rules DIR``), the requests those of
``bench/waf_detection.py``. Both forms that ``garrison waf import-crs`` writes are held against libmodsecurity with the same
files.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from platformdirs import user_cache_path

from bench.waf_corpus import corpus
from bench.waf_detection import CLASSES, Case, cases
from garrison.edge.crs.evaluate import CoreRules
from garrison.edge.crs.reading import read_rules
from garrison.edge.crs.rules import Bundle
from garrison.edge.crs.statements import Translation, translate
from garrison.edge.inspect import Action, CompiledAcl, RateTable, State, WebRequest, compile_acl
from garrison.edge.inspect.detect.standard import StandardDetectors
from garrison.edge.inspect.managed.catalog import Catalog
from garrison.edge.live import Snapshot
from garrison.edge.proxy.policies import FolderCache

ROOT: Final = Path(__file__).resolve().parent.parent
RULES: Final = Path("/usr/share/modsecurity-crs/rules")
PAGE: Final = ROOT / "docs" / "explanation" / "waf-crs.md"
LIMIT: Final = 65536
CRITICAL: Final = "CRITICAL"
REASONS: Final = {
    920220: "libmodsecurity checks the escapes of an address that it has decoded before: it takes `%25x` for a broken one.",
    930110: "The same: it decodes the address once more.",
    941210: "Entities of HTML5 (`&newline;`) are decoded here, and the rule looks for them as they are written.",
    941220: "The same.",
}


class Found(NamedTuple):
    """What each of the three found in a request: numbers of rules."""

    theirs: frozenset[int]
    ours: frozenset[int]
    stopped: bool
    """Whether the rule group in AWS WAF's language stops it."""


class Compared:
    """The three over the same requests."""

    def __init__(self, rules: Path, level: int) -> None:
        self.rules = rules
        self.level = level
        self.bundle: Bundle = read_rules(rules, level=level)
        cache = FolderCache(user_cache_path("garrison") / "patterns")
        self.core = CoreRules(self.bundle, cache)
        self.translation: Translation = translate(self.bundle, "CoreRuleSet")
        document = {**self.translation.document, "DefaultAction": {"Allow": {}}}
        resources = Snapshot({}, {}, {}, Catalog(compiled=False))
        self.acl: CompiledAcl = compile_acl(document, resources, detectors=StandardDetectors(), cache=cache, limit=LIMIT)
        self.critical = frozenset(rule.id for rule in self.bundle.rules if rule.severity == CRITICAL)
        self.deciding = frozenset(rule.id for rule in self.bundle.rules if rule.severity)
        self.times: list[float] = []

    def run(self, requests: Sequence[WebRequest]) -> list[Found]:
        """What is found in each."""
        return [self._found(each, theirs) for each, theirs in zip(requests, self._theirs(requests), strict=True)]

    def _found(self, request: WebRequest, theirs: frozenset[int]) -> Found:
        start = time.process_time()
        ours = frozenset(each.rule.id for each in self.core.matches(request, LIMIT))
        self.times.append(time.process_time() - start)
        stopped = self.acl.inspect(request, State(RateTable())).action is Action.BLOCK
        return Found(theirs & self.deciding, ours, stopped)

    def _theirs(self, requests: Sequence[WebRequest]) -> list[frozenset[int]]:
        lines = "".join(json.dumps(_plain(each)) + "\n" for each in requests)
        program = [sys.executable, str(ROOT / "bench" / "modsecurity.py"), str(self.rules), str(self.level)]
        done = subprocess.run(program, input=lines, check=True, capture_output=True, text=True)
        return [frozenset(json.loads(line)) for line in done.stdout.splitlines()]


def _plain(request: WebRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "target": request.target.decode("latin-1"),
        "version": request.http_version,
        "client": request.source_ip,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers],
        "body": base64.b64encode(request.body).decode(),
    }


def _agreement(found: Sequence[Found]) -> list[str]:
    both = sum(len(each.theirs & each.ours) for each in found)
    missing = Counter(number for each in found for number in each.theirs - each.ours)
    more = Counter(number for each in found for number in each.ours - each.theirs)
    lines = [
        f"Of {len(found):,} requests, rules matched {both:,} times in both, {missing.total()} times in libmodsecurity alone, and",
        f"{more.total()} times in Garrison alone.",
        "",
    ]
    if missing or more:
        lines += ["| rule | libmodsecurity alone | Garrison alone | reason |", "|---|---|---|---|"]
        lines += [
            f"| {number} | {missing[number]} | {more[number]} | {REASONS.get(number, 'Not explained.')} |"
            for number in sorted({*missing, *more})
        ]
    return lines


def _detection(compared: Compared, listed: Sequence[Case], found: Sequence[Found]) -> list[str]:
    lines = ["| class | cases | libmodsecurity | `crs.json` | rule group |", "|---|---|---|---|---|"]
    for number, name in (*CLASSES.items(), (0, "**all**")):
        chosen = [each for case, each in zip(listed, found, strict=True) if number in {0, case.rule // 1000}]
        if chosen:
            shares = (
                sum(bool(each.theirs & compared.critical) for each in chosen),
                sum(bool(each.ours & compared.critical) for each in chosen),
                sum(each.stopped for each in chosen),
            )
            told = " | ".join(f"{100 * share / len(chosen):.1f} %" for share in shares)
            lines.append(f"| {name} | {len(chosen)} | {told} |")
    return lines


def _harmless(compared: Compared, count: int) -> list[str]:
    samples = [
        WebRequest(
            each.method,
            each.target.encode(),
            [(name.encode(), value.encode()) for name, value in each.headers],
            each.body,
            source_ip="192.0.2.1",
        )
        for each in corpus(count)
    ]
    compared.times.clear()
    found = compared.run(samples)
    theirs = sum(bool(each.theirs & compared.critical) for each in found)
    ours = sum(bool(each.ours & compared.critical) for each in found)
    stopped = sum(each.stopped for each in found)
    rules = Counter(number for each in found for number in each.ours & compared.critical)
    told = ", ".join(f"{number} ({times})" for number, times in rules.most_common(8))
    return [
        f"Of {count:,} harmless requests libmodsecurity blocks {100 * theirs / count:.1f} %,",
        f"`crs.json` {100 * ours / count:.1f} %, the rule group {100 * stopped / count:.1f} %. Most by: {told}.",
        "They are people's searches, code, documents and calls of APIs, made to be hard. The rules are what they",
        "are, and need the exceptions that their documentation tells of. [How well the firewall detects](waf-detection.md)",
        "has the figures of Garrison's own groups for the same attacks and the same harmless requests.",
        "",
        f"`crs.json` takes {1e6 * median(compared.times):.0f} µs of one core for a request at the median.",
    ]


def page(compared: Compared, folder: Path, count: int) -> str:
    """The page."""
    listed = list(cases(folder))
    found = compared.run([each.request for each in listed])
    known = [pair for pair in zip(listed, found, strict=True) if pair[0].rule in compared.critical]
    release = compared.bundle.release.replace("_", " ")
    facts: Mapping[str, object] = {
        "release": release,
        "level": compared.level,
        "imported": len(compared.deciding),
        "written": len(compared.translation.document["Rules"]),
        "units": compared.translation.units,
    }
    return "\n".join(
        [
            INTRODUCTION.format(**facts),
            *_agreement(found),
            "",
            "## Detection",
            "",
            "The cases of the tests whose rule this release has at this level and calls critical; blocked by any rule:",
            "",
            *_detection(compared, [each for each, _ in known], [each for _, each in known]),
            "",
            "All cases of the tests, of rules that this release does not have too:",
            "",
            *_detection(compared, listed, found),
            "",
            "## Harmless requests",
            "",
            *_harmless(compared, count),
            "",
            SOURCES,
        ]
    )


INTRODUCTION: Final = """# Rules of the OWASP Core Rule Set

[`garrison waf import-crs`](../how-to/import-crs.md) makes two things of a directory of rules: `crs.json`, which the firewall runs
as the rules are written, and a rule group in AWS WAF's own language, as far as that goes. This page, written by
`make bench-waf-crs CRS=DIR`, holds both against libmodsecurity 3 with the same files: {release}, paranoia level {level}.

`crs.json` has {imported} rules that decide, the rule group {written} of them in {units} capacity units.

## The same rules match
"""
SOURCES: Final = """## Sources

The rules are those of Debian's package `modsecurity-crs`, the attacks the regression tests of the Core Rule Set 4.28, which is
newer than the rules: many of its cases ask for rules that came later. The harmless requests are those of `bench/waf_corpus.py`.
Times are CPU time on the development machine."""


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crs", type=Path, required=True, help="tests/regression/tests of the Core Rule Set")
    parser.add_argument("--rules", type=Path, default=RULES)
    parser.add_argument("--paranoia", type=int, default=1)
    parser.add_argument("--harmless", type=int, default=12_000)
    given = parser.parse_args()
    PAGE.write_text(page(Compared(given.rules, given.paranoia), given.crs, given.harmless) + "\n")


if __name__ == "__main__":
    main()
