"""Databases of patterns: kept, loaded, and never trusted when damaged; hostile expressions and values cost what they weigh."""

from __future__ import annotations

import pytest

from garrison.edge.inspect import EngineFault, InvalidParameter, compile_acl, patterns
from garrison.edge.inspect.patterns import Matcher, Pattern, check_regex, digest, literal, span
from tests.support.waf import ARGS, Things, inspect, regex, request, rule, web_acl


class Kept:
    """A cache that remembers what was asked of it."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.compiled = 0

    def get(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def put(self, name: str, database: bytes) -> None:
        self.compiled += 1
        self.kept[name] = database


DOCUMENT = web_acl(rule("r", 0, regex("evil[0-9]+", ARGS)))


def test_a_compiled_database_is_kept_and_loaded():
    cache = Kept()
    for _ in range(2):
        acl = compile_acl(DOCUMENT, Things(), cache=cache)
        assert inspect(acl, request("/?q=evil7")).rule == "r"
        assert inspect(acl, request("/?q=evil")).rule == "Default_Action"
    assert cache.compiled == len(cache.kept) == 2  # one for single values, one for joined ones


def spoilt(database: bytes) -> bytes:
    middle = len(database) // 2
    return database[:middle] + bytes(each ^ 0xFF for each in database[middle : middle + 32]) + database[middle + 32 :]


@pytest.mark.parametrize("damage", [b"", b"x" * 100, None])
def test_a_damaged_database_is_compiled_again(damage: bytes | None):
    cache = Kept()
    compile_acl(DOCUMENT, Things(), cache=cache)
    cache.kept = {name: spoilt(kept) if damage is None else damage for name, kept in cache.kept.items()}
    assert inspect(compile_acl(DOCUMENT, Things(), cache=cache), request("/?q=evil7")).rule == "r"
    assert cache.compiled == 4


def test_the_digest_names_every_pattern_and_its_flags():
    found = {
        digest([Pattern(b"a"), Pattern(b"b")], 0),
        digest([Pattern(b"ab")], 0),
        digest([Pattern(b"b"), Pattern(b"a")], 0),
        digest([Pattern(b"a", 1), Pattern(b"b")], 0),
        digest([Pattern(b"a"), Pattern(b"b")], 1),
    }
    assert len(found) == 5


@pytest.mark.parametrize(
    "expression",
    [
        "(x+x+)+y",
        "((((a*)*)*)*)*b",
        "^(a?){200}a{200}$",
        "(.*){10}(.*){10}x",
        "(a{1,1000}){1,1000}b",
        "(a|aa)+$",
        "(.{0,1000}a){20}",
    ],
)
def test_expressions_that_backtrack_without_end_are_matched_in_one_pass(expression: str):
    found = Matcher([check_regex(expression, "STATEMENT")], None).scan(b"a" * 65_536 + b"!")
    assert found in ([], [0])


@pytest.mark.parametrize("expression", ["[a-z]{1,40000}", "a{100000}"])
def test_expressions_too_large_for_the_engine_are_refused(expression: str):
    with pytest.raises(InvalidParameter, match="not valid or supported"):
        check_regex(expression, "STATEMENT")


def test_an_engine_that_loses_matches_is_not_used(monkeypatch: pytest.MonkeyPatch):
    class Losing:
        def __init__(self, **_named: object) -> None: ...
        def compile(self, **_named: object) -> None: ...
        def scan(self, *_args: object, **_named: object) -> None: ...
        def info(self) -> str:
            return "Version: 5.4.12"

    monkeypatch.setattr("hyperscan.Database", Losing)
    patterns.self_test.cache_clear()
    with pytest.raises(EngineFault, match="loses matches"):
        Matcher([literal(b"a")], None)
    with pytest.raises(EngineFault):
        compile_acl(DOCUMENT, Things(), cache=Kept())
    monkeypatch.undo()
    patterns.self_test()


def test_where_a_pattern_matched():
    assert span(literal(b"select"), b"union select") == (6, 12)
    assert span(Pattern(b"[0-9]+"), b"ab 123 c") == (3, 6)
    assert span(Pattern(b"a*"), b"baa") is None  # it matches the empty text too, which is nowhere
    assert span(literal(b"x"), b"ab") is None
