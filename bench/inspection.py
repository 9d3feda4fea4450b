"""What the inspection of a web request costs: CPU time of the engine alone, on a mix of requests that do no harm.

Run: ``uv run --no-sync python bench/inspection.py``. Thread CPU time, the best of several rounds; the table shows
the median over the mix and its most expensive request. ``rules`` are a customer's own: literals, expressions and sizes over all
parts of a request, with transformations.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from garrison.edge.inspect import CompiledAcl, Location, ManagedGroup, RateTable, State, WebRequest, compile_acl

Document = dict[str, Any]
ROUNDS = 7
TIMES = 40
RANDOM = random.Random(5)  # noqa: S311 - the same figures on each run
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
BROWSER = [
    ("Host", "shop.example.com"),
    ("User-Agent", AGENT),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Accept-Language", "de-DE,de;q=0.9,en;q=0.8"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Referer", "https://shop.example.com/catalogue?page=2"),
    ("Cookie", "session=1f0c9a7be1d84b2f9a60; theme=dark; cart=%5B17%2C23%5D; _ga=GA1.2.1034.1700000000"),
    ("Sec-Fetch-Mode", "navigate"),
]
FIELDS: Sequence[Document] = (
    {"UriPath": {}},
    {"QueryString": {}},
    {"AllQueryArguments": {}},
    {"Body": {"OversizeHandling": "CONTINUE"}},
    {"SingleHeader": {"Name": "User-Agent"}},
    {"Headers": {"MatchPattern": {"All": {}}, "MatchScope": "ALL", "OversizeHandling": "CONTINUE"}},
    {"Cookies": {"MatchPattern": {"All": {}}, "MatchScope": "VALUE", "OversizeHandling": "CONTINUE"}},
    {"JsonBody": {"MatchPattern": {"All": {}}, "MatchScope": "ALL", "OversizeHandling": "CONTINUE"}},
)
CHAINS: Sequence[tuple[str, ...]] = (
    ("NONE",),
    ("URL_DECODE", "LOWERCASE"),
    ("URL_DECODE_UNI", "HTML_ENTITY_DECODE"),
    ("CMD_LINE",),
)


QUESTION = {"query": "query($id:ID!){user(id:$id){name orders{total}}}", "variables": {"id": "7"}}


class Nothing:
    """Resources: one IP set, nothing else."""

    def __init__(self, addresses: Sequence[str] = ()) -> None:
        self.addresses = addresses

    def ip_set(self, _arn: str) -> Sequence[str]:
        """The set."""
        return self.addresses

    def regex_set(self, arn: str) -> Sequence[str]:
        """None."""
        raise KeyError(arn)

    def rule_group(self, arn: str) -> Document:
        """None."""
        raise KeyError(arn)

    def managed_group(self, vendor: str, name: str, version: str | None) -> ManagedGroup:
        """None."""
        raise KeyError(vendor, name, version)

    def locate(self, _ip: str) -> Location:
        """Nowhere."""
        return Location()


def rule(number: int, statement: Document) -> Document:
    """A blocking rule."""
    visible = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": f"m{number}"}
    return {
        "Name": f"r{number}",
        "Priority": number,
        "Statement": statement,
        "Action": {"Block": {}},
        "VisibilityConfig": visible,
    }


def statement(number: int) -> Document:
    """One of many statements, none of which matches the mix."""
    transformations = [{"Priority": at, "Type": name} for at, name in enumerate(CHAINS[number % len(CHAINS)])]
    common: Document = {"FieldToMatch": FIELDS[number % len(FIELDS)], "TextTransformations": transformations}
    if number % 3 == 0:
        expression = rf"(?i)forbidden{number}[^a-z]{{0,20}}(?:select|insert)\s+\w+"
        return {"RegexMatchStatement": {"RegexString": expression, **common}}
    if number % 3 == 1:
        text = b"forbidden-%d" % number
        return {"ByteMatchStatement": {"SearchString": text, "PositionalConstraint": "CONTAINS", **common}}
    return {"SizeConstraintStatement": {"ComparisonOperator": "GT", "Size": 100_000 + number, **common}}


def web_acl(rules: int) -> Document:
    """A web ACL of so many rules."""
    return {
        "Name": "bench",
        "DefaultAction": {"Allow": {}},
        "Rules": [rule(number, statement(number)) for number in range(rules)],
    }


def mix() -> list[WebRequest]:
    """Requests as browsers and programs send them."""
    event = {"event": "view", "items": [{"id": number, "name": f"Item {number}", "price": 9.5} for number in range(20)]}
    article = {"title": "Release notes", "body": "We fixed *two* bugs & made `SELECT` boxes faster.\n\n" * 30}
    form = b"name=Anna+M%C3%BCller&street=Hauptstra%C3%9Fe+5&city=K%C3%B6ln&comment=Bitte+beim+Nachbarn+abgeben%21"
    sent: list[tuple[str, bytes, bytes, str]] = [
        ("GET", b"/", b"", ""),
        ("GET", b"/static/app.3f9c1d.js", b"", ""),
        ("GET", b"/catalogue/shoes?size=42&color=dark%20blue&sort=price&page=3", b"", ""),
        ("GET", b"/search?q=how+to+select+a+union+representative&lang=en", b"", ""),
        ("GET", b"/api/v1/users/1042/orders?from=2024-01-01T00%3A00%3A00Z&limit=50", b"", ""),
        ("POST", b"/checkout/address", form, "application/x-www-form-urlencoded"),
        ("POST", b"/api/v1/events", json.dumps(event).encode(), "application/json"),
        ("PUT", b"/api/v1/articles/77", json.dumps(article).encode(), "application/json"),
        ("POST", b"/graphql", json.dumps(QUESTION).encode(), "application/json"),
        ("DELETE", b"/api/v1/carts/9f8e/items/3", b"", ""),
    ]  # fmt: skip
    return [make(*each) for each in sent]


def make(method: str, target: bytes, body: bytes, kind: str) -> WebRequest:
    """One request with a browser's headers."""
    headers = [(name.encode(), value.encode()) for name, value in BROWSER]
    if body:
        headers += [(b"Content-Type", kind.encode()), (b"Content-Length", b"%d" % len(body))]
    return WebRequest(method, target, headers, body, source_ip="203.0.113.9", time=1_700_000_000.0)


def fresh(asked: WebRequest) -> WebRequest:
    """The same request, nothing of it parsed yet."""
    return WebRequest(asked.method, asked.target, asked.headers, asked.body, source_ip=asked.source_ip, time=asked.time)


def micros(work: Callable[[], object]) -> float:
    """CPU microseconds of one call: the best of several rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.thread_time_ns()
        for _ in range(TIMES):
            work()
        best = min(best, (time.thread_time_ns() - start) / TIMES / 1000)
    return best


def measure(acl: CompiledAcl, requests: Sequence[WebRequest]) -> tuple[float, float]:
    """Median and most of the mix, in microseconds, without what making a request object costs."""
    state = State(RateTable())
    costs = []
    for each in requests:
        made = micros(lambda each=each: fresh(each))  # type: ignore[misc] # mypy infers no type for a bound default
        costs.append(micros(lambda each=each: acl.inspect(fresh(each), state)) - made)  # type: ignore[misc] # the same
    return statistics.median(costs), max(costs)


def addresses(count: int) -> list[str]:
    """Distinct networks, in no order."""
    found = {f"{RANDOM.randrange(1, 224)}.{RANDOM.randrange(256)}.{RANDOM.randrange(256)}.0/24" for _ in range(count * 2)}
    return sorted(found)[:count]


def main() -> None:
    """Print the tables."""
    requests = mix()
    print("| rules | compile ms | median us | most us |\n|---|---|---|---|")
    for count in (0, 10, 100, 500):
        start = time.perf_counter()
        acl = compile_acl(web_acl(count), Nothing())
        compiled = (time.perf_counter() - start) * 1000
        median, most = measure(acl, requests)
        print(f"| {count} | {compiled:.0f} | {median:.0f} | {most:.0f} |")
    print("\n| addresses of an IP set | us |\n|---|---|")
    for count in (100, 10_000):
        document = {**web_acl(0), "Rules": [rule(0, {"IPSetReferenceStatement": {"ARN": "set"}})]}
        median, _ = measure(compile_acl(document, Nothing(addresses(count))), requests)
        print(f"| {count} | {median:.1f} |")


if __name__ == "__main__":
    main()
