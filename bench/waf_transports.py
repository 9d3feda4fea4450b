"""Both ways to ask the firewall, held against each other: ``python bench/waf_transports.py --crs DIR --sources DIR --count N``.

Each request of the harmless corpus, of the regression tests of the OWASP Core Rule Set and of the published lists of attacks goes
through two fronts, whose inspectors stand beside Envoy and inside it. What the client gets (status, headers, body), what the log
says (rule, labels, matched data, headers in order …) and what the application gets must be the same, byte for byte.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench import waf_attacks, waf_detection
from bench.waf_corpus import corpus
from garrison.edge.inspect import WebRequest
from tests.support.fronts import ACL, Application, Front
from tests.support.waf import visible

_OURS: Final = frozenset({b"host", b"content-length", b"connection", b"transfer-encoding", b"x-case", b"expect"})
_GROUPS: Final = ("Common", "AdminProtection", "KnownBadInputs", "SQLi", "Linux", "Unix", "Windows", "PHP", "WordPress")


def _managed(name: str, priority: int) -> dict[str, Any]:
    statement = {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": f"AWSManagedRules{name}RuleSet"}}
    rule = {"Name": name, "Priority": priority, "Statement": statement, "OverrideAction": {"None": {}}}
    return {**rule, "VisibilityConfig": visible(name)}


DOCUMENT: Final = {**ACL, "Rules": [*ACL["Rules"], *(_managed(name, 100 + at) for at, name in enumerate(_GROUPS))]}
"""All managed groups behind rules of one's own, one for each thing that the way to the firewall could lose."""


class Outcome(NamedTuple):
    """What became of one request."""

    answer: tuple[int, list[tuple[str, str]], bytes]
    reached: bytes | None
    """The request as the application got it."""


@dataclass
class Side:
    """One front, and what it did."""

    front: Front
    application: Application
    log: Path
    outcomes: list[Outcome] = field(default_factory=list)

    def send(self, data: bytes) -> None:
        """One request on a connection of its own."""
        self.application.requests.clear()
        answer = self.front.exchange(data)
        headers = sorted(each for each in answer.headers if each[0] != "date")
        reached = _without_id(self.application.requests[0]) if self.application.requests else None
        self.outcomes.append(Outcome((answer.status, headers, answer.body), reached))

    def records(self) -> dict[str, dict[str, Any]]:
        """What was logged, by the number of the case."""
        found = {}
        for line in self.log.read_text(encoding="utf-8").split("\n"):  # a value may have other ends of lines in it
            if not line:
                continue
            record = json.loads(line)
            number = next(each["value"] for each in record["httpRequest"]["headers"] if each["name"] == "x-case")
            del record["timestamp"], record["httpRequest"]["requestId"]
            found[number] = record
        return found


def _without_id(request: bytes) -> bytes:
    head, mark, body = request.partition(b"\r\n\r\n")
    lines = [each for each in head.split(b"\r\n") if not each.startswith(b"x-request-id: ")]
    return b"\r\n".join(lines) + mark + body


@contextlib.contextmanager
def sides(folder: Path, document: Mapping[str, Any] = DOCUMENT) -> Iterator[tuple[Side, Side]]:
    """A front of each transport before an application of its own."""
    with contextlib.ExitStack() as opened:
        found = []
        for transport in ("inspectors", "in-process"):
            application = opened.enter_context(Application())
            log = folder / f"{transport}.log"
            options = ("--log", str(log), *(("--inspectors", "1") if transport == "inspectors" else ()))
            front = Front(folder / transport, application.url, document, options, transport=transport)
            found.append(Side(opened.enter_context(front), application, log))
        yield found[0], found[1]


def wire(request: WebRequest, number: int) -> bytes:
    """The request in bytes, framed anew."""
    headers = [(name, value) for name, value in request.headers if name.lower() not in _OURS]
    host = request.header(b"host") or b"shop.example.com"
    lines = [(b"Host", host), (b"X-Case", b"%d" % number), *headers, (b"Connection", b"close")]
    if request.body or request.method not in {"GET", "HEAD"}:
        lines.append((b"Content-Length", b"%d" % len(request.body)))
    head = b"%b %b HTTP/1.1\r\n" % (request.method.encode("latin-1"), request.target)
    return head + b"".join(b"%b: %b\r\n" % each for each in lines) + b"\r\n" + request.body


def compare(one: Side, other: Side, requests: Iterable[bytes]) -> tuple[list[str], Counter[str]]:
    """The differences, and how many of what there were."""
    for data in requests:
        one.send(data)
        other.send(data)
    for side in (one, other):
        side.front.stop()  # which writes what waits
    wrong = [
        f"case {number}: {a} / {b}" for number, (a, b) in enumerate(zip(one.outcomes, other.outcomes, strict=True)) if a != b
    ]
    logged, again = one.records(), other.records()
    wrong += [
        f"log of case {number}: {logged.get(number)} / {again.get(number)}"
        for number in sorted(logged.keys() | again.keys(), key=int)
        if logged.get(number) != again.get(number)
    ]
    found = Counter(str(each["action"]) for each in logged.values())
    return wrong, found + Counter({"requests": len(one.outcomes), "logged": len(logged)})


def _all(crs: Path | None, sources: Path | None, count: int) -> Iterator[WebRequest]:
    for sample in corpus(count):
        headers = [(name.encode(), value.encode()) for name, value in sample.headers]
        yield WebRequest(sample.method, sample.target.encode(), headers, sample.body, source_ip="")
    if crs is not None:
        yield from (case.request for case in waf_detection.cases(crs))
    if sources is not None:
        yield from (waf_attacks.request(each) for each in waf_attacks.attacks(sources))


def main() -> None:
    """Compare and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--crs", type=Path, help="regression tests of the OWASP Core Rule Set")
    options.add_argument("--sources", type=Path, help="what bench/waf_sources.py filled")
    options.add_argument("--count", type=int, default=12_000, help="requests of the harmless corpus")
    options.add_argument("--every", type=int, default=1, help="one of so many requests")
    given = options.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, sides(Path(folder)) as (one, other):
        chosen = itertools.islice(_all(given.crs, given.sources, given.count), 0, None, given.every)
        wrong, found = compare(one, other, (wire(each, number) for number, each in enumerate(chosen)))
    print("\n".join(wrong[:50]))
    print(f"{dict(found)}, {len(wrong)} differences, {time.monotonic() - begun:.0f} s")
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    main()
