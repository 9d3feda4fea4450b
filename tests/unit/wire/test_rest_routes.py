from __future__ import annotations

from typing import Any

import pytest

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.core.model import ServiceModel
from garrison.wire.rest_routes import RestRoutes, decoded, parse_query

STRING = {"shape": "String"}


def routes(**operations: Any) -> RestRoutes:
    """Routes of operations given as ``name="GET /path?query"``, or with an input shape beside it."""
    raw: dict[str, Any] = {}
    shapes: dict[str, Any] = {"String": {"type": "string"}}
    for name, given in operations.items():
        line, members, deprecated = given if isinstance(given, tuple) else (given, {}, False)
        method, uri = line.split(" ")
        shapes[f"{name}Input"] = {"type": "structure", "required": list(members), "members": members}
        raw[name] = {"name": name, "http": {"method": method, "requestUri": uri}, "input": {"shape": f"{name}Input"}}
        raw[name]["deprecated"] = deprecated
    return RestRoutes(ServiceModel("test", {"metadata": {"protocol": "rest-json"}, "operations": raw, "shapes": shapes}))


def found(table: RestRoutes, line: str, headers: list[tuple[str, str]] | None = None) -> tuple[str, dict[str, str]] | None:
    method, uri = line.split(" ")
    path, _, query = uri.partition("?")
    match = table.find(Request(method, path, query, headers or []), path)
    return (match.operation.name, match.path_parameters) if match else None


def test_a_literal_segment_wins_over_a_label_and_a_label_over_a_greedy_one():
    table = routes(Literal="GET /a/b", Label="GET /a/{x}", Greedy="GET /a/{rest+}")
    assert found(table, "GET /a/b") == ("Literal", {})
    assert found(table, "GET /a/c") == ("Label", {"x": "c"})
    assert found(table, "GET /a/c/d") == ("Greedy", {"rest": "c/d"})


def test_a_way_that_ends_nowhere_is_walked_back():
    table = routes(Short="GET /a/b/c", Long="GET /{x}/b/d", Other="GET /a/{y}/{z}/e")
    assert found(table, "GET /a/b/d") == ("Long", {"x": "a"})
    assert found(table, "GET /a/b/c/e") == ("Other", {"y": "b", "z": "c"})


def test_the_method_belongs_to_the_way():
    table = routes(Get="GET /a/b", Put="PUT /a/{x}")
    assert found(table, "PUT /a/b") == ("Put", {"x": "b"})
    assert found(table, "POST /a/b") is None


def test_two_labels_of_one_place_keep_their_own_names():
    table = routes(Get="GET /a/{x}", Put="PUT /a/{y}", Tags="GET /a/{z}/tags")
    assert found(table, "GET /a/1") == ("Get", {"x": "1"})
    assert found(table, "PUT /a/1") == ("Put", {"y": "1"})
    assert found(table, "GET /a/1/tags") == ("Tags", {"z": "1"})


def test_greedy_labels_leave_the_longest_tail():
    table = routes(One="GET /a/{rest+}", Two="GET /a/{rest+}/tags", Three="GET /a/{rest+}/tags/all")
    assert found(table, "GET /a/b/tags/all") == ("Three", {"rest": "b"})
    assert found(table, "GET /a/b/c/tags") == ("Two", {"rest": "b/c"})
    assert found(table, "GET /a/tags") == ("One", {"rest": "tags"})


def test_an_encoded_slash_is_no_separator():
    assert found(routes(Get="GET /a/{x}"), "GET /a/b%2Fc") == ("Get", {"x": "b/c"})


def test_labels_are_never_empty():
    table = routes(Get="GET /a/{x}/b", All="GET /a/{rest+}")
    assert found(table, "GET /a//b") == ("All", {"rest": "/b"})
    assert found(routes(Get="GET /a/{x}/b"), "GET /a//b") is None
    assert found(table, "GET /a/") is None


def test_query_literals_choose_and_the_most_of_them_win():
    table = routes(Plain="GET /a", One="GET /a?p", Two="GET /a?p&q=2", Valued="GET /a?kind=x")
    assert found(table, "GET /a") == ("Plain", {})
    assert found(table, "GET /a?p=") == ("One", {})
    assert found(table, "GET /a?q=2&p") == ("Two", {})
    assert found(table, "GET /a?q=3&p") == ("One", {})
    assert found(table, "GET /a?kind=x") == ("Valued", {})
    assert found(table, "GET /a?kind=y") == ("Plain", {})


def test_without_a_plain_operation_a_literal_is_needed():
    assert found(routes(One="GET /a?p"), "GET /a") is None


def test_required_parameters_and_headers_choose():
    by_query = {"Id": {"shape": "String", "location": "querystring", "locationName": "id"}}
    by_header = {"Source": {"shape": "String", "location": "header", "locationName": "X-Source"}}
    table = routes(Plain="PUT /a", Query=("PUT /a", by_query, False), Header=("PUT /a", by_header, False))
    assert found(table, "PUT /a") == ("Plain", {})
    assert found(table, "PUT /a?id=1") == ("Query", {})
    assert found(table, "PUT /a", [("x-source", "b")]) == ("Header", {})


def test_a_deprecated_operation_gives_way_to_its_successor_alone():
    assert found(routes(Old=("GET /a", {}, True), New="GET /a"), "GET /a") == ("New", {})
    assert found(routes(Old=("GET /a", {}, True)), "GET /a") == ("Old", {})


def test_the_first_of_a_repeated_parameter_counts():
    assert parse_query("a=1&a=2&b&c=%26+x&&d=\u00c3\u00a9") == {"a": "1", "b": "", "c": "& x", "d": "é"}


@pytest.mark.parametrize("text", ["%FF", "%C3", "\u00ff"])
def test_what_is_not_utf8_is_refused(text: str):
    with pytest.raises(CommonError) as caught:
        decoded(text)
    assert (caught.value.kind, caught.value.message) == ("malformed", "Couldn't parse the specified URI.")


def test_deep_paths_are_walked_without_recursion_over_them():
    table = routes(Greedy="GET /{bucket}/{key+}", Label="GET /{a}/{b}/{c}")
    path = "/x" * 50_000
    assert found(table, f"GET {path}") == ("Greedy", {"bucket": "x", "key": "x" + "/x" * 49_998})
