"""Fuzzes the inspection of web requests, guided by coverage: ``make fuzz-waf MINUTES=24``.

The first byte of an input says what it is held against:

- each text transformation, and chains of two, against the slow ones of the tests;
- the readers of bodies, arguments, cookies and JSON, and the decoders of detectors: no error, no more work than their bound;
- a request through all managed groups: a verdict, within a bound of CPU time that is linear in its size;
- the automaton of the detectors: it starts every pattern that finds something, and no detector loses a find by it;
- web ACLs of literals, expressions and sizes against the slow evaluator of the tests.

Ends after so many CPU minutes. An input that breaks something is written to a file by libFuzzer, and the exit code is not 0.
Needs atheris (which ``make fuzz-waf`` installs; a wheel of Linux).
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import atheris

with atheris.instrument_imports(include=["garrison.edge.inspect"]):
    from bench.waf_detection import web_acl
    from garrison.edge.inspect import CompiledAcl, InvalidParameter, RateTable, State, WebRequest, transforms
    from garrison.edge.inspect.detect import body as bodies
    from garrison.edge.inspect.detect import code, java, normal, paths, php, shell, sql, survey, urls, windows, xss
    from garrison.edge.inspect.jsonbody import parse
    from garrison.edge.inspect.request import parse_arguments, parse_cookies
from tests.support import waf, waf_reference

CONTENT_TYPES: Final = (
    b"application/x-www-form-urlencoded", b"application/json", b"application/xml", b"multipart/form-data; boundary=q7",
    b"text/plain",     b"", b"application/json; charset=utf-16", b"text/plain; charset=utf-7", b'multipart/mixed; boundary="q7"',
)  # fmt: skip
ENCODINGS: Final = (b"", b"gzip", b"deflate")
TOKENS: Final = (
    "' or 1=1-- ", "union select", "/**/", "<svg onload=", "javascript:", "../", "%2e%2e%2f", "${jndi:", "{{7*7}}", ";cat ",
    "`id`", "$(", "<?php ", "&#x3c;", "\\u003c", "%u003c", "+ADw-", "\xc0\xae", "--q7\r\n", "filename=", "\r\n--q7--\r\n",
    'Content-Disposition: form-data; name="a"\r\n\r\n', '{"a":', "[[[[[[", "<![CDATA[", "<!ENTITY ", "\0", "http://127.0.0.1/",
    "rO0AB", "iex(", "&& dir ", "eval(", 'O:8:"a":1:{', "0x3c", "/*!50000", "||", '"""', "''", "(((((", "%25", "&amp;",
    "=?utf-8?", "\\x41", "%00",
)  # fmt: skip


class BrokenError(Exception):
    """Something does not hold."""


def transformations(data: bytes) -> None:
    """Fast and slow transformations agree."""
    names = sorted(transforms.TRANSFORMS)
    if len(data) < 3:
        return
    chain = (names[data[0] % len(names)], names[data[1] % len(names)])
    value = data[2:402]
    for kinds in ((chain[0],), chain):
        fast = transforms.apply(kinds, value)
        slow = value
        for kind in kinds:
            slow = waf_reference.TRANSFORMS[kind](slow)
        if fast != slow:
            message = f"{kinds} of {value!r}: {fast!r} is not {slow!r}"
            raise BrokenError(message)


def readers(data: bytes) -> None:
    """No reader fails, or yields more than it may."""
    if not data:
        return
    kind, text = CONTENT_TYPES[data[0] % len(CONTENT_TYPES)], data[1:]
    if len(bodies.pieces(text, kind)) > bodies.VALUES + bodies.REST + 2:
        raise BrokenError(kind)
    parse(text)
    parse(text, [("a", "0"), ("",)])
    if sum(len(name) + len(value) for name, value in parse_arguments(text)) > len(text):
        raise BrokenError(text)
    parse_cookies([text])
    for form in (False, True):
        if len(normal.readings(text, form=form)) > normal.MOST + 1:
            raise BrokenError(text)


def request(data: bytes) -> WebRequest:
    """A request whose parts are cut out of the input."""
    head, _, rest = data[2:].partition(b"\n\n")
    target, _, sent = head.partition(b"\n")
    headers = [(name or b"x", value) for name, _, value in (line.partition(b":") for line in sent.split(b"\n") if line)]
    headers.append((b"content-type", CONTENT_TYPES[data[0] % len(CONTENT_TYPES)]))
    encoding = ENCODINGS[data[1] % len(ENCODINGS)]
    if encoding:
        headers.append((b"content-encoding", encoding))
    return WebRequest("POST" if rest else "GET", b"/" + target, headers, rest, source_ip="192.0.2.1")


def inspections(acl: CompiledAcl, data: bytes) -> None:
    """Each request has a verdict."""
    if len(data) > 2:
        acl.inspect(request(data), State(RateTable()))


MODULES: Final = (sql, xss, paths, urls, shell, windows, php, java, code)
DETECTORS: Final[tuple[Callable[..., bytes | None], ...]] = (
    sql.detect, xss.detect, paths.detect, shell.detect, windows.detect, windows.powershell, php.detect, java.detect, code.detect,
)  # fmt: skip


def starts(data: bytes) -> None:
    """The automaton starts what would find something."""
    text = data[:4000]
    hot = survey.started(text)
    slow = {gate for module in MODULES for gate in module.GATES if gate.search(text) is not None}
    for gate in slow:
        if gate not in hot:
            message = f"{gate.pattern[:60]!r} is not started by {text!r}"
            raise BrokenError(message)
    for detect in DETECTORS:
        # What a value must have for a detector to look at it is part of what it detects: the same, told by the slow engine.
        if detect(text, hot=slow) is not None and detect(text, hot=hot) is None:
            message = f"{detect.__module__}.{detect.__name__} loses {text!r}"
            raise BrokenError(message)


def evaluations(acls: list[tuple[list[dict[str, Any]], CompiledAcl]], data: bytes) -> None:
    """The engine and the slow evaluator find the same rule."""
    if len(data) < 3:
        return
    statements, acl = acls[data[0] % len(acls)]
    query, _, body = data[1:400].replace(b"#", b"").partition(b"\n")
    values = {
        "UriPath": [b"/p"],
        "QueryString": [query] if query else [],
        "Body": [body] if body else [],
        "AllQueryArguments": [each.partition(b"=")[2] for each in query.split(b"&") if each],
        "SingleHeader": [query],
        "Headers": [b"x", query],
    }
    asked = WebRequest("POST", b"/p?" + query, [(b"x", query)], body, source_ip="192.0.2.1")
    slow = next(
        (at for at, each in enumerate(statements) if waf_reference.matches(each, lambda where: values[next(iter(where))])), None
    )
    fast = acl.inspect(asked, State(RateTable())).rule
    if fast != ("Default_Action" if slow is None else f"r{slow}"):
        message = f"{fast} is not {slow} for {query!r} {body!r}"
        raise BrokenError(message)


def compiled() -> list[tuple[list[dict[str, Any]], CompiledAcl]]:
    """Web ACLs of statements drawn from a seed."""
    chance = random.Random(3)  # noqa: S311 - the same on each run
    found = []
    fields = (waf.URI, waf.QUERY, waf.ARGS, waf.BODY, waf.header("x"), waf.headers("ALL"))
    kinds = ("NONE", "LOWERCASE", "URL_DECODE", "COMPRESS_WHITE_SPACE", "JS_DECODE", "HTML_ENTITY_DECODE", "REMOVE_NULLS")
    expressions = ("[ab]$", "^a", r"\bab", "(?i)a.b", "a{2,4}[^a]", r"\d+\s", "(?s)a.*b$", "%[0-9a-f]{2}", "a|b$", r"\s\S{3}$")
    texts = (b"a", b"ab", b"%41", b" b", b"--", b"A", b"\n", b"union")
    for _ in range(24):
        statements: list[dict[str, Any]] = []
        for _ in range(chance.randint(1, 8)):
            where, chain = chance.choice(fields), chance.sample(kinds, chance.randint(1, 2))
            way = chance.random()
            if way < 0.5:
                statements.append(waf.regex(chance.choice(expressions), where, *chain))
            elif way < 0.8:
                position = chance.choice(("EXACTLY", "STARTS_WITH", "ENDS_WITH", "CONTAINS"))
                statements.append(waf.byte_match(chance.choice(texts), where, position, *chain))
            else:
                statements.append(waf.size(chance.choice(("EQ", "LT", "GT")), chance.randint(0, 40), where, *chain))
        rules = [waf.rule(f"r{number}", number, each) for number, each in enumerate(statements)]
        try:
            found.append((statements, waf.compiled(*rules)))
        except InvalidParameter:
            continue
    return found


class Fuzzer:
    """Runs the targets, and counts."""

    def __init__(self, minutes: float) -> None:
        managed, acls = web_acl(), compiled()
        self.targets: tuple[Callable[[bytes], None], ...] = (
            transformations, readers, lambda data: inspections(managed, data), starts, lambda data: evaluations(acls, data),
        )  # fmt: skip
        self.names = ("transformations", "readers", "inspections", "automaton", "evaluations")
        self.runs: Counter[str] = Counter()
        self.slowest: dict[str, float] = {}
        self.until = time.process_time() + 60 * minutes

    def __call__(self, data: bytes) -> None:
        """One input."""
        if not data:
            return
        number = data[0] % len(self.targets)
        start = time.process_time()
        self.targets[number](data[1:])
        took = time.process_time() - start
        name = self.names[number]
        self.runs[name] += 1
        self.slowest[name] = max(self.slowest.get(name, 0.0), took)
        # Coverage is counted at each line, which makes Python several times slower than it is.
        if took > 1.0 + len(data) * 1e-4:
            message = f"{name} took {took:.1f} s for {len(data)} bytes"
            raise BrokenError(message)
        if start > self.until:
            self.report()
            os._exit(0)

    def report(self) -> None:
        """What was run."""
        print(f"{sum(self.runs.values()):,} inputs, no crash, hang or lost match")
        for name, count in self.runs.most_common():
            print(f"{name}: {count:,} inputs, the slowest took {1000 * self.slowest[name]:.0f} ms")
        sys.stdout.flush()


def seeds(folder: Path) -> None:
    """Inputs to begin with: attacks and texts, for each target."""
    chance = random.Random(5)  # noqa: S311 - the same on each run
    for number in range(400):
        text = "".join(chance.choice(TOKENS) for _ in range(chance.randint(1, 6)))
        whole = bytes((number % 5, chance.randrange(256), chance.randrange(256))) + text.encode("latin-1", "replace")
        (folder / f"seed{number}").write_bytes(whole)


def main() -> None:
    """Fuzz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="CPU minutes")
    parser.add_argument("--seed", type=int, default=0, help="of libFuzzer; 0 draws one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        seeds(corpus)
        words = Path(folder) / "words"
        words.write_text("".join(f'"{"".join(f"{chr(92)}x{byte:02x}" for byte in each.encode("latin-1"))}"\n' for each in TOKENS))
        arguments = [
            sys.argv[0],
            f"-dict={words}",
            f"-seed={options.seed}",
            "-max_len=20000",
            "-timeout=60",
            "-rss_limit_mb=4096",
        ]
        atheris.Setup([*arguments, "-print_final_stats=1", str(corpus)], Fuzzer(options.minutes))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
