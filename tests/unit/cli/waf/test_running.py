"""On which bytes a rule matched."""

from __future__ import annotations

import pytest

from garrison.cli.waf.running import Place, place
from garrison.edge.inspect import MatchDetail
from tests.support.waf import request


@pytest.mark.parametrize(
    ("location", "name", "matched", "part", "bytes_", "exact"),
    [
        ("ALL_QUERY_ARGS", "q", b"<script", "query string", b"%3CScript", True),
        ("SINGLE_QUERY_ARG", "a", b"1", "query string", b"1", True),
        ("QUERY_STRING", "", b"a=1", "query string", b"a=1", True),
        ("ALL_QUERY_ARGS", "q", b"not there", "query string", b"x%3CScript%3Ey+z", False),
        ("ALL_QUERY_ARGS", "q", b"y z", "query string", b"y+z", True),
        ("ALL_QUERY_ARGS", "q", b"> y z", "query string", b"%3Ey+z", True),
        ("ALL_QUERY_ARGS", "flag", b"flag", "query string", b"flag", True),
        ("URI", "", b"/b c", "path", b"/b%20c", True),
        ("HEADER", "user-agent", b"BOT", "header User-Agent", b"bot", True),
        ("ALL_COOKIES", "sid", b"'or", "header Cookie", b"'or", True),
        ("BODY", "", b"drop table", "body", b"drop table", True),
        ("METHOD", "", b"GET", "method", b"GET", True),
    ],
)
def test_places(location: str, name: str, matched: bytes, part: str, bytes_: bytes, exact: bool):
    given = request(
        "/a/b%20c?a=1&q=x%3CScript%3Ey+z&flag",
        {"User-Agent": "a bot", "Cookie": "theme=x; sid=1'or 1"},
        body=b"x drop table y",
    )
    found = place(given, MatchDetail("REGEX", location, name, (matched,)))
    assert found is not None
    assert (found.part, found.exact) == (part, exact)
    parts = {
        "path": given.path,
        "query string": given.query,
        "body": given.body,
        "method": b"GET",
        "header User-Agent": b"a bot",
        "header Cookie": b"theme=x; sid=1'or 1",
    }
    assert parts[found.part][found.start : found.end] == bytes_


def test_the_one_of_several_arguments_that_has_the_bytes():
    given = request("/?a=1&a=22&a=3")
    assert place(given, MatchDetail("BYTE_MATCH", "ALL_QUERY_ARGS", "a", (b"3",))) == Place("query string", 11, 12, exact=True)
    assert place(given, MatchDetail("BYTE_MATCH", "ALL_QUERY_ARGS", "a", (b"4",))) is None


@pytest.mark.parametrize("location", ["HEADER_ORDER", "JA3_FINGERPRINT", "ALL_HEADERS", "NO_SUCH"])
def test_what_has_no_place_has_none(location: str):
    assert place(request("/"), MatchDetail("BYTE_MATCH", location, "", (b"x",))) is None
