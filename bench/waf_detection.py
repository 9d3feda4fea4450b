"""How well the managed rule groups detect: ``python bench/waf_detection.py --crs DIR --sources DIR`` writes the report.

``DIR`` is ``tests/regression/tests`` of a checkout of https://github.com/coreruleset/coreruleset (version 4.28; Apache-2.0). Its
cases are of attacks where a rule must fire. The sources of the second corpora are what ``bench/waf_sources.py`` fetches. The
harmless requests are those of ``bench/waf_corpus.py``, and of others' texts. All run through a web ACL with the groups that suit
any application; a block by a rule that looks at sizes, or for a missing User-Agent, counts as no find.
"""

from __future__ import annotations

import argparse
import base64
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import quantiles
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus

import yaml

from bench.waf_attacks import attacks
from bench.waf_attacks import request as attack_request
from bench.waf_browsing import Sample
from bench.waf_corpus import corpus
from bench.waf_documents import Documents
from garrison.edge.inspect import Action, CompiledAcl, Location, ManagedGroup, RateTable, State, WebRequest, compile_acl
from garrison.edge.inspect.detect import libinjection
from garrison.edge.inspect.detect.standard import StandardDetectors
from garrison.edge.inspect.managed.catalog import Catalog

ROOT = Path(__file__).resolve().parent.parent
GROUPS: Final = ("Common", "AdminProtection", "KnownBadInputs", "SQLi", "Linux", "Unix", "Windows", "PHP")
CLASSES: Final = {
    930: "files (LFI)", 931: "inclusion (RFI)", 932: "commands (RCE)", 933: "PHP", 934: "generic: SSRF, code, templates",
    941: "scripting (XSS)", 942: "SQL injection", 944: "Java",
}  # fmt: skip
NO_FIND: Final = ("SizeRestrictions", "NoUserAgent")
LEVELS: Final = {
    2: (
        "930121 931130 931131 932131 932161 932200 932205 932206 932207 932210 932220 932231 932236 932239 932240 "
        "932271 932281 932300 932310 932320 932350 932371 932390 933151 933152 933153 933211 934101 934120 934140 "
        "934190 934200 934210 941101 941150 941181 941310 941320 941330 941340 941380 942110 942120 942130 942131 "
        "942150 942152 942180 942200 942210 942260 942300 942310 942321 942330 942340 942361 942362 942370 942380 "
        "942390 942400 942410 942430 942440 942450 942470 942480 942510 942520 942521 942522 944151 944200 944210 "
        "944240 944250"
    ),
    3: (
        "932190 932232 932237 932238 932290 932301 932311 932321 932331 933111 933131 933161 934220 942101 942251 "
        "942420 942431 942460 942490 942511 942530 944152 944300"
    ),
    4: ("942421 942432"),
}
"""Paranoia levels of the Core Rule Set's rules; those not named are of level 1."""
REASONS: Final = {
    "932180": "A file name that is one of Linux' words and harmless elsewhere.",
    "933180": "A call through comments and line breaks between brackets.",
    "941390": "Prose: `import (and perhaps ...`.",
    "942190": "Punctuation alone.",
    "942240": "A document of XML that is broken at the attack.",
}
HIGHER: Final = (
    "Cases of levels 2 to 4 that are missed are single words, operators and punctuation without a context in which "
    "they would run "
    "(`pay=RegExp`, `~~~~~~~~~`, `varchar`, `id`, `time who`), URLs of other hosts, and any HTML tag: the rules that they test "
    "block what people write. They are left out on purpose."
)


class Case(NamedTuple):
    """One attack of the regression tests."""

    rule: int
    number: int
    level: int
    request: WebRequest
    text: str


class _Resources:
    """Resources that know the managed groups alone."""

    def __init__(self) -> None:
        self._catalog = Catalog()

    def managed_group(self, vendor: str, name: str, version: str | None) -> ManagedGroup:
        return self._catalog.get(vendor, name, version)

    def ip_set(self, arn: str) -> list[str]:
        raise KeyError(arn)

    def regex_set(self, arn: str) -> list[str]:
        raise KeyError(arn)

    def rule_group(self, arn: str) -> Mapping[str, Any]:
        raise KeyError(arn)

    def locate(self, _ip: str) -> Location:
        return Location()


def web_acl() -> CompiledAcl:
    """A web ACL of the default groups."""
    rules = []
    for number, name in enumerate(GROUPS):
        overrides = [{"Name": each, "ActionToUse": {"Count": {}}} for each in _sizes(name)]
        spec = {"VendorName": "AWS", "Name": f"AWSManagedRules{name}RuleSet", "RuleActionOverrides": overrides}
        visible = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}
        rule = {"Name": name, "Priority": number, "OverrideAction": {"None": {}}, "VisibilityConfig": visible}
        rules.append({**rule, "Statement": {"ManagedRuleGroupStatement": spec}})
    visible = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "bench"}
    document = {"Name": "bench", "DefaultAction": {"Allow": {}}, "Rules": rules, "VisibilityConfig": visible}
    return compile_acl(document, _Resources(), detectors=StandardDetectors())


def _sizes(group: str) -> list[str]:
    if group != "Common":
        return []
    rules = Catalog().get("AWS", "AWSManagedRulesCommonRuleSet").rules
    return [str(each["Name"]) for each in rules if str(each["Name"]).startswith(NO_FIND)]


def _headers(lines: list[bytes]) -> Iterator[tuple[bytes, bytes, bytes]]:
    return (each.partition(b":") for each in lines)


def _request(spec: Mapping[str, Any]) -> WebRequest:
    if "encoded_request" in spec:
        head, _, body = base64.b64decode(spec["encoded_request"]).partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        method, _, rest = first.partition(b" ")
        pairs = [(name, _host(value.strip().decode("latin-1")).encode("latin-1")) for name, _, value in _headers(lines)]
        return WebRequest(method.decode("latin-1"), rest.rpartition(b" ")[0] or rest, pairs, body, source_ip="192.0.2.1")
    headers = [(str(name).encode(), _host(str(value)).encode()) for name, value in (spec.get("headers") or {}).items()]
    data = str(spec.get("data") or "").encode()
    content_type = next((value for name, value in headers if name.lower() == b"content-type"), None)
    if data and content_type is None:
        headers.append((b"Content-Type", b"application/x-www-form-urlencoded"))
    if content_type is not None and b"multipart" in content_type:
        data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    target = str(spec.get("uri") or "/").encode()
    return WebRequest(str(spec.get("method") or "GET"), target, headers, data, source_ip="192.0.2.1")


def _host(value: str) -> str:
    """A value of a header; the tests' own host, ``localhost``, is one that a rule blocks whatever the request is."""
    return "www.example.com" if value == "localhost" else value


def cases(folder: Path) -> Iterator[Case]:
    """The attacks of the regression tests: those of which a rule must fire."""
    levels = {int(rule): level for level, rules in LEVELS.items() for rule in rules.split()}
    for path in sorted(folder.glob("REQUEST-9[34]*/*.yaml")):
        rule = int(path.stem)
        if rule // 1000 not in CLASSES:
            continue
        for test in yaml.safe_load(path.read_text())["tests"]:
            for stage in test["stages"]:
                if ((stage.get("output") or {}).get("log") or {}).get("expect_ids"):
                    spec = stage["input"]
                    text = unquote_plus(f"{spec.get('uri') or ''} {spec.get('data') or ''}")
                    yield Case(rule, int(test["test_id"]), levels.get(rule, 1), _request(spec), " ".join(text.split())[:90])


def _attacks(acl: CompiledAcl, folder: Path) -> list[str]:
    total: Counter[tuple[int, int]] = Counter()
    found: Counter[tuple[int, int]] = Counter()
    missed: dict[int, list[Case]] = defaultdict(list)
    for case in cases(folder):
        key = (case.rule // 1000, case.level)
        total[key] += 1
        if acl.inspect(case.request, State(RateTable())).action is Action.BLOCK:
            found[key] += 1
        else:
            missed[case.level].append(case)
    lines = ["| class | level 1 | level 2 | levels 3 and 4 |", "|---|---|---|---|"]
    for number, name in CLASSES.items():
        lines.append(f"| {name} | " + " | ".join(_share(found, total, number, levels) for levels in ((1,), (2,), (3, 4))) + " |")
    lines.append("| **all** | " + " | ".join(_share(found, total, None, levels) for levels in ((1,), (2,), (3, 4))) + " |")
    lines += ["", "Missed at level 1:", "", "| rule, test | request | reason |", "|---|---|---|"]
    for case in missed[1]:
        text = case.text.replace("|", "\\|").replace("`", "'").replace("<", "&lt;")
        lines.append(f"| {case.rule}-{case.number} | {text} | {REASONS.get(str(case.rule), 'Not explained.')} |")
    by_rule = Counter(case.rule for level in (2, 3, 4) for case in missed[level])
    counted = ", ".join(f"{rule} ({count})" for rule, count in sorted(by_rule.items()))
    return [*lines, "", HIGHER, "", f"By rule: {counted}."]


def _share(found: Counter[tuple[int, int]], total: Counter[tuple[int, int]], number: int | None, levels: tuple[int, ...]) -> str:
    keys = [key for key in total if key[1] in levels and number in {None, key[0]}]
    whole = sum(total[key] for key in keys)
    hits = sum(found[key] for key in keys)
    return f"{hits} of {whole}, {100 * hits / whole:.2f} %" if whole else "-"


BLIND: Final[Mapping[str, str]] = {
    "SQL injection": "96.81 %", "XSS": "97.87 %", "files": "95.69 %", "commands": "81.48 %", "LDAP": "45.45 %", "XXE": "76.92 %",
    "harmless": "5.65 %",
}  # fmt: skip
"""What the first run over the second corpora gave, before any detector was changed for what it showed."""


def _published(acl: CompiledAcl, folder: Path) -> list[str]:
    """The attacks of scanners and their authors."""
    lists: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    missed: dict[str, list[str]] = defaultdict(list)
    lost: Counter[str] = Counter()
    for attack in attacks(folder):
        lists[attack.source] += 1
        kinds[attack.kind] += 1
        if acl.inspect(attack_request(attack), State(RateTable())).action is not Action.BLOCK:
            lost[attack.kind] += 1
            missed[attack.source].append(" ".join(unquote_plus(attack.wire).split())[:60])
    lines = ["| class | found | in the first, blind run |", "|---|---|---|"]
    for kind, count in kinds.items():
        hits = count - lost[kind]
        lines.append(f"| {kind} | {hits} of {count}, {100 * hits / count:.2f} % | {BLIND[kind]} |")
    lines += ["", "| list | attacks | missed | for example |", "|---|---|---|---|"]
    for name, count in sorted(lists.items()):
        shown = ", ".join(f"`{_cell(each)}`" for each in missed[name][:: max(1, len(missed[name]) // 3)][:3])
        lines.append(f"| {name} | {count} | {len(missed[name])} | {shown} |")
    return lines


def _cell(text: str) -> str:
    plain = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    return plain.replace("|", "\\|").replace("`", "'").replace("<", "&lt;")


def _texts(acl: CompiledAcl, folder: Path, count: int) -> list[str]:
    """The harmless requests of others' texts: a seed that the detectors were improved on, and one that they never saw."""
    lines = ["| family | requests | blocked | requests of another seed | blocked |", "|---|---|---|---|---|"]
    runs = [_blocked(acl, folder, count, seed) for seed in (11, 515151)]
    lines += [
        f"| {family} | " + " | ".join(f"{total[family]} | {wrong[family]}" for total, wrong in runs) + " |"
        for family in sorted(runs[0][0])
    ]
    for title, without in (("**all**", ()), (f"all without {', '.join(LETTERS)}", LETTERS)):
        cells = []
        for total, wrong in runs:
            whole, hits = (sum(each[key] for key in each if key not in without) for each in (total, wrong))
            cells.append(f"{whole} | {hits}, {100 * hits / whole:.2f} %")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return [*lines, "", f"The first, blind run blocked {BLIND['harmless']} of all; texts about scripts were more of it then."]


LETTERS: Final = ("listed", "paste", "shows scripts")
"""Families whose requests are attacks by their letters: false positives of another detector, code alone, markup that runs."""


def _blocked(acl: CompiledAcl, folder: Path, count: int, seed: int) -> tuple[Counter[str], Counter[str]]:
    total: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for sample in Documents(folder, seed).samples(count):
        total[sample.family] += 1
        if acl.inspect(_sent(sample), State(RateTable())).action is Action.BLOCK:
            wrong[sample.family] += 1
    return total, wrong


def _sent(sample: Sample) -> WebRequest:
    headers = [(name.encode(), value.encode()) for name, value in sample.headers]
    return WebRequest(sample.method, sample.target.encode(), headers, sample.body, source_ip="192.0.2.1")


def _harmless(acl: CompiledAcl, count: int) -> list[str]:
    total: Counter[str] = Counter()
    blocked: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    examples: dict[str, str] = {}
    times = []
    for sample in corpus(count):
        request = _sent(sample)
        state = State(RateTable())
        start = time.thread_time()
        verdict = acl.inspect(request, state)
        times.append(1e6 * (time.thread_time() - start))
        total[sample.family] += 1
        if verdict.action is Action.BLOCK:
            blocked[sample.family] += 1
            name = verdict.rule_in_group or verdict.rule
            rules[name] += 1
            matched = b" ".join(piece for each in verdict.details for piece in each.matched)[:60]
            examples.setdefault(name, matched.decode("utf-8", "replace"))
    cuts = quantiles(times, n=100)
    whole, wrong = total.total(), blocked.total()
    lines = [
        f"Of {whole:,} harmless requests {wrong} are blocked, {100 * wrong / whole:.2f} %.",
        f"An inspection takes {cuts[49]:.0f} µs at the median, {cuts[94]:.0f} µs at the 95th percentile and",
        f"{cuts[98]:.0f} µs at the 99th, on one core of the development machine.",
        "",
        "| family | requests | blocked |",
        "|---|---|---|",
    ]
    lines += [f"| {family} | {number} | {blocked[family]} |" for family, number in sorted(total.items())]
    lines += ["", "| rule | blocked | for example, by |", "|---|---|---|"]
    for name, number in rules.most_common():
        text = examples[name].replace("|", "\\|").replace("`", "'").replace("<", "&lt;").replace("\n", " ")
        lines.append(f"| {name} | {number} | {text} |")
    return lines


INTRODUCTION: Final = """# How well the firewall detects

The managed rule groups have AWS's names of groups, rules and labels. What is in them is Garrison's own: every value of a request
is read in each way in which an application may decode it, and held against lexers and grammars. This page is written by
`make bench-waf CRS=DIR`; [what it is made from](#sources) is public.

The groups are those that suit any application: {groups}.
libinjection was {library}.
Blocks by the size of a part, or for want of a User-Agent, count as no find on either side: they are AWS's documented limits,
and an application with larger bodies or query strings turns those rules to `Count`.
"""
SECOND: Final = """## Second corpora

Lists and texts of others, so that detectors are not measured by what they were built on alone. The first run over them was
blind; then detectors were improved by classes of misses, never by adding a string of a list. Values of letters and digits alone,
which lists have as probes, are left out.

### Attacks that scanners publish
"""
TEXTS: Final = """### Texts of others

Manuals, read-mes, changelogs, names and addresses, posted as comments, issues, pastes, profiles and searches. Three families are
attacks by their letters, and counted apart: *listed* are the strings that libinjection's authors keep because it blocked them,
*paste* is code alone (a query, a shell command), *shows scripts* are texts with `<script>`, `onerror=` and the like in them.
"""
SOURCES: Final = """## Sources

- Attacks: the regression tests of the OWASP Core Rule Set 4.28 (in its repository, Apache-2.0). Only
  cases in which a rule must fire count. Levels are its paranoia levels: level 1 is for every application, levels 2 to 4
  also take much that is harmless.
- Harmless requests: `bench/waf_corpus.py`, made from a seed. The family `hard` are searches of people who ask about code: what
  they type is an attack by its letters.

- The second corpora: `bench/waf_sources.py` fetches sqlmap, wapiti and Faker of PyPI, wfuzz, manuals and the source package of
  ModSecurity (with libinjection's lists) of Debian, and read-mes of npm. Nothing of them is in this repository.

## What is not seen

- Code in a long text. A body or field of several lines, or of more than 30 words, that shows commands, SQL or PHP is a text that
  shows them; only what takes over a shell, breaks out of a quote or opens markup counts there. Whoever hands such texts to an
  interpreter should add rules of their own.
- What lies beyond the inspected size of a body: `SizeRestrictions_BODY` blocks such bodies unless it is turned off.
- Compressed request bodies, and values that an application decrypts.
"""


def main() -> None:
    """Run both, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crs", type=Path, required=True, help="tests/regression/tests of the Core Rule Set")
    parser.add_argument(
        "--sources", type=Path, help="what bench/waf_sources.py filled; without it the second corpora are left out"
    )
    parser.add_argument("--count", type=int, default=12_000)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "explanation" / "waf-detection.md")
    options = parser.parse_args()
    acl = web_acl()
    acl.inspect(WebRequest("GET", b"/?a='", source_ip="192.0.2.1"), State(RateTable()))  # compiles what is compiled once
    library = "there" if libinjection.available() else "not there"
    page = [INTRODUCTION.format(groups=", ".join(GROUPS), library=library), "## Attacks", "", *_attacks(acl, options.crs), ""]
    page += ["## Harmless requests", "", *_harmless(acl, options.count), ""]
    if options.sources:
        page += [SECOND, *_published(acl, options.sources), "", TEXTS, *_texts(acl, options.sources, options.count // 2), ""]
    page.append(SOURCES)
    options.out.write_text("\n".join(page))
    print("\n".join(page))


if __name__ == "__main__":
    main()
