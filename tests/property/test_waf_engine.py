"""The firewall's engine against a slow evaluator, on web ACLs and requests that nobody wrote by hand."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from garrison.edge.inspect import InvalidParameter, RateTable, State, WebRequest, compile_acl
from garrison.edge.inspect.jsonbody import parse
from garrison.edge.inspect.patterns import Matcher, Pattern, PatternSet, literal, word
from garrison.edge.inspect.request import parse_arguments, parse_cookies, split_target
from garrison.edge.inspect.validate import check_web_acl
from tests.support.waf import (
    ARGS,
    BODY,
    QUERY,
    URI,
    Document,
    Things,
    byte_match,
    compiled,
    cookies,
    header,
    headers,
    inspect,
    regex,
    rule,
    size,
    web_acl,
)
from tests.support.waf_reference import matches


def relaxed(examples: int) -> settings:
    """Web ACLs are large and slow to draw."""
    return settings(deadline=None, max_examples=examples, suppress_health_check=list(HealthCheck))


ALPHABET = "ab/ .=&;%2+AB\\\n-_"
TEXT = st.text(alphabet=ALPHABET, max_size=8).map(str.encode)
WHERE = st.sampled_from(
    [
        URI,
        QUERY,
        ARGS,
        BODY,
        header("x"),
        headers("ALL"),
        headers("KEY"),
        cookies("VALUE"),
        {"SingleQueryArgument": {"Name": "A"}},
    ]
)
TYPES = st.lists(
    st.sampled_from(
        ["NONE", "LOWERCASE", "URL_DECODE", "COMPRESS_WHITE_SPACE", "JS_DECODE", "NORMALIZE_PATH", "TRIM", "REMOVE_NULLS"]
    ),
    min_size=1,
    max_size=3,
)
POSITIONS = st.sampled_from(["EXACTLY", "STARTS_WITH", "ENDS_WITH", "CONTAINS"])
ATOMS = st.sampled_from(["a", "b", "A", "/", r"\.", " ", "[ab]", "[^a]", r"\w", r"\s", ".", "%", "&"])


def quantified(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,3}"])).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
    )


REGEXES = st.tuples(
    st.sampled_from(["", "^", r"\b", "(?i)", "(?s)"]),
    st.recursive(ATOMS, quantified, max_leaves=5),
    st.sampled_from(["", r"\b", "$"]),
).map("".join)
"""Expressions that Python and Vectorscan read alike."""
FILLED = st.tuples(st.sampled_from([b"2", b"z", b" ", b"\n", b"ab"]), st.integers(0, 70), TEXT).map(
    lambda drawn: drawn[0] * drawn[1] + drawn[2]
)
"""Values around the lengths of a processor's vectors, where fast engines go wrong."""
WORDS = st.text(alphabet="abAB_", min_size=1, max_size=3).map(str.encode)
SOME = st.text(alphabet=ALPHABET, min_size=1, max_size=4).map(str.encode)
LEAVES = st.one_of(
    st.builds(lambda text, where, position, kinds: byte_match(text, where, position, *kinds), SOME, WHERE, POSITIONS, TYPES),
    st.builds(lambda text, where, kinds: byte_match(text, where, "CONTAINS_WORD", *kinds), WORDS, WHERE, TYPES),
    st.builds(lambda text, where, kinds: regex(text, where, *kinds), REGEXES, WHERE, TYPES),
    st.builds(
        lambda comparison, number, where, kinds: size(comparison, number, where, *kinds),
        st.sampled_from(["EQ", "NE", "LE", "LT", "GE", "GT"]),
        st.integers(0, 9),
        WHERE,
        TYPES,
    ),
)


def combined(inner: st.SearchStrategy[Document]) -> st.SearchStrategy[Document]:
    pairs = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        pairs.map(lambda found: {"AndStatement": {"Statements": found}}),
        pairs.map(lambda found: {"OrStatement": {"Statements": found}}),
        inner.map(lambda found: {"NotStatement": {"Statement": found}}),
    )


STATEMENTS = st.recursive(LEAVES, combined, max_leaves=4)
REQUESTS = st.fixed_dictionaries(
    {
        "path": TEXT.map(lambda text: b"/" + text.replace(b"?", b"").replace(b"#", b"")),
        "query": TEXT | FILLED,
        "sent": st.lists(st.tuples(st.sampled_from([b"x", b"X", b"y", b"a"]), TEXT), max_size=4),
        "cookies": st.lists(TEXT, max_size=3),
        "body": TEXT | FILLED,
    }
)


def made(parts: dict[str, Any]) -> WebRequest:
    sent = [*parts["sent"], *((b"Cookie", each) for each in parts["cookies"])]
    return WebRequest("POST", parts["path"] + b"?" + parts["query"], sent, parts["body"], source_ip="192.0.2.1")


def pairs_of(parts: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    split = [each.partition(b"=") for each in parts["query"].split(b"&") if each]
    return [(name, value) for name, _, value in split]


def header_values(parts: dict[str, Any], scope: str) -> list[bytes]:
    sent = [*parts["sent"], *((b"Cookie", each) for each in parts["cookies"])]
    names = [name.lower() for name, _ in sent]
    return names if scope == "KEY" else names + [value for _, value in sent]


def cookie_values(parts: dict[str, Any]) -> list[bytes]:
    found = [part.strip(b" \t") for each in parts["cookies"] for part in each.split(b";")]
    return [part.partition(b"=")[2] for part in found if part.partition(b"=")[0] or part.partition(b"=")[2]]


def single(parts: dict[str, Any]) -> list[bytes]:
    found = [value for name, value in parts["sent"] if name.lower() == b"x"]
    return [b",".join(found)] if found else []


def slow_values(parts: dict[str, Any], where: Document) -> list[bytes]:
    """The values of a field, straight from what the request was made of."""
    kind, spec = next(iter(where.items()))
    found: dict[str, list[bytes]] = {
        "UriPath": [parts["path"]],
        "QueryString": [parts["query"]] if parts["query"] else [],
        "Body": [parts["body"]] if parts["body"] else [],
        "AllQueryArguments": [value for _, value in pairs_of(parts)],
        "SingleQueryArgument": [value for name, value in pairs_of(parts) if name.lower() == b"a"],
        "SingleHeader": single(parts),
        "Headers": header_values(parts, spec.get("MatchScope", "")),
        "Cookies": cookie_values(parts),
    }
    return found[kind]


@relaxed(250)
@given(statements=st.lists(STATEMENTS, min_size=1, max_size=6), parts=REQUESTS)
def test_the_first_rule_that_matches_is_the_slow_evaluators(statements: list[Document], parts: dict[str, Any]):
    try:
        acl = compiled(*(rule(f"r{number}", number, each) for number, each in enumerate(statements)))
    except InvalidParameter as error:
        assume("regular expression" not in error.reason)
        raise
    expected = next(
        (f"r{number}" for number, each in enumerate(statements) if matches(each, lambda where: slow_values(parts, where))),
        "Default_Action",
    )
    assert inspect(acl, made(parts)).rule == expected


@relaxed(300)
@given(expressions=st.lists(REGEXES, min_size=1, max_size=5), values=st.lists(TEXT | FILLED, max_size=6))
@example(expressions=["[ab]$"], values=[b"2" * 15 + b"a\n"])
@example(expressions=["[ab]$"], values=[b"", b"2" * 8, b"2222a"])
@example(expressions=["(?:x.|/[a-f0-9]){1,20}"], values=[b"ababababababaab/a"])
@example(expressions=["^"], values=[b"a", b""])
@example(expressions=["^b"], values=[b"a\n", b"b"])
def test_joining_values_loses_and_invents_no_match(expressions: list[str], values: list[bytes]):
    patterns = [Pattern(each.encode()) for each in expressions]
    try:
        found = PatternSet(patterns, None, several=True).matches(values)
    except Exception:  # noqa: BLE001 - Vectorscan takes fewer expressions than Python, and says so
        assume(False)
    expected = {number for number, each in enumerate(expressions) if any(re.search(each.encode(), value) for value in values)}
    assert found == expected


@relaxed(300)
@given(
    texts=st.lists(st.binary(min_size=1, max_size=6), min_size=1, max_size=6), value=st.binary(max_size=30), at=st.integers(0, 30)
)
def test_literals_are_found_wherever_they_are(texts: list[bytes], value: bytes, at: int):
    whole = value[:at] + texts[0] + value[at:]
    found = set(Matcher([literal(each) for each in texts], None).scan(whole))
    assert found == {number for number, each in enumerate(texts) if each in whole}


@relaxed(200)
@given(text=WORDS, value=st.binary(max_size=8), before=TEXT, after=TEXT)
def test_words(text: bytes, value: bytes, before: bytes, after: bytes):
    whole = value + before + text + after
    pattern = rb"(?<![A-Za-z0-9_])" + re.escape(text) + rb"(?![A-Za-z0-9_])"
    assert bool(Matcher([word(text)], None).scan(whole)) is (re.search(pattern, whole) is not None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def scalars(document: Any) -> tuple[list[bytes], list[bytes]]:
    if isinstance(document, dict):
        below = [scalars(each) for each in document.values()]
        keys = [name.encode("utf-8", "surrogatepass") for name in document]
        return keys + [key for each in below for key in each[0]], [value for each in below for value in each[1]]
    if isinstance(document, list):
        below = [scalars(each) for each in document]
        return [key for each in below for key in each[0]], [value for each in below for value in each[1]]
    return [], [document.encode("utf-8", "surrogatepass") if isinstance(document, str) else json.dumps(document).encode()]


@relaxed(200)
@given(document=st.lists(JSON, max_size=3) | st.dictionaries(st.text(max_size=4), JSON, max_size=3), ascii_only=st.booleans())
def test_every_key_and_scalar_of_json_is_seen(document: Any, ascii_only: bool):
    found = parse(json.dumps(document, ensure_ascii=ascii_only).encode())
    keys, values = scalars(document)
    assert found.valid
    assert sorted(found.keys) == sorted(keys)
    assert sorted(found.values) == sorted(values)


@relaxed(200)
@given(document=st.lists(JSON, max_size=3), cut=st.integers(0, 60))
def test_cut_json_is_read_as_far_as_it_goes(document: Any, cut: int):
    text = json.dumps(document).encode()
    keys, values = scalars(document)
    found = parse(text[:cut])
    assert found.valid is (cut >= len(text))
    assert len(found.keys) <= len(keys)
    assert len(found.values) <= len(values) + 1


@relaxed(300)
@given(body=st.binary(max_size=80) | st.text(alphabet='{}[]",:0a\\ue-. ', max_size=80).map(str.encode))
def test_no_body_breaks_the_reading_of_json(body: bytes):
    parse(body)
    parse(body, [("a", "0"), ("",)])


@relaxed(200)
@given(
    target=st.binary(max_size=40),
    sent=st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=20)), max_size=5),
    body=st.binary(max_size=60),
)
def test_no_request_breaks_an_inspection(target: bytes, sent: list[tuple[bytes, bytes]], body: bytes):
    asked = WebRequest("GET", target, sent, body, source_ip="?")
    assert ACL.inspect(asked, State(RateTable())).action


ACL = compile_acl(
    web_acl(
        rule(
            "q",
            0,
            byte_match(b"\xff\xfe\xfd!", ARGS, "CONTAINS", "URL_DECODE_UNI", "HTML_ENTITY_DECODE", "JS_DECODE", "CSS_DECODE"),
        ),
        rule("c", 1, regex("zz[0-9]{9}", cookies("ALL"), "BASE64_DECODE_EXT", "CMD_LINE")),
        rule("h", 2, regex("zz[0-9]{9}", headers("ALL"), "UTF8_TO_UNICODE", "NORMALIZE_PATH_WIN")),
        rule("b", 3, byte_match(b"\xff\xfe\xfd!", BODY, "CONTAINS", "SQL_HEX_DECODE", "REPLACE_COMMENTS")),
    ),
    Things(),
)


@relaxed(200)
@given(query=st.binary(max_size=40), cookie=st.binary(max_size=40))
def test_parsing_keeps_every_byte(query: bytes, cookie: bytes):
    assert sum(len(name) + len(value) for name, value in parse_arguments(query)) <= len(query)
    assert sum(len(name) + len(value) for name, value in parse_cookies([cookie])) <= len(cookie)
    path, found, _ = split_target(b"/p?" + query.replace(b"#", b""))
    assert (path, found) == (b"/p", query.replace(b"#", b""))


NOISE = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**33) | st.text(max_size=6) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["Name", "Rules", "Statement", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def spoilt(document: Any, path: list[int], noise: Any) -> Any:
    """The document with the value at one place replaced."""
    if not path or not isinstance(document, dict | list) or not document:
        return noise
    if isinstance(document, dict):
        name = sorted(document)[path[0] % len(document)]
        return {**document, name: spoilt(document[name], path[1:], noise)}
    at = path[0] % len(document)
    return [*document[:at], spoilt(document[at], path[1:], noise), *document[at + 1 :]]


@relaxed(300)
@given(statement=STATEMENTS, path=st.lists(st.integers(0, 9), min_size=1, max_size=8), noise=NOISE)
def test_a_broken_web_acl_is_refused_or_compiles(statement: Document, path: list[int], noise: Any):
    document = spoilt(web_acl(rule("r", 0, statement)), path, noise)
    try:
        check_web_acl(document)
        compile_acl(document, Things())
    except InvalidParameter as error:
        assert error.reason  # noqa: PT017 - a refusal is one of the two good outcomes


@pytest.mark.parametrize("several", [False, True])
def test_a_set_of_no_values_matches_nothing(several: bool):
    assert PatternSet([literal(b"a")], None, several=several).matches([]) == frozenset()
