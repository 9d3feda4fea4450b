from __future__ import annotations

import pytest

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.core.model import load_model
from garrison.wire.protocols.base import MAX_PARAMETERS
from garrison.wire.protocols.rest import bindings, clean_header, query_values, read_bound, split_list


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("a", ["a"]),
        ("a,b , c", ["a", "b", "c"]),
        # Smithy, "httpHeader trait": values with commas or quotes stand in quotes.
        ('"b,c", "\\"def\\"", a', ["b,c", '"def"', "a"]),
        ('"a\\\\b"', ["a\\b"]),
        ('a, "b" ', ["a", "b"]),
    ],
)
def test_header_lists(text: str, values: list[str]):
    assert split_list(text) == values


@pytest.mark.parametrize("text", ['"a', '"a" b', 'a, "b\\"'])
def test_unbalanced_quotes_are_refused(text: str):
    with pytest.raises(CommonError):
        split_list(text)


def test_long_header_lists_take_no_long_time():
    assert split_list('"a"' + " " * 100_000) == ["a"]
    assert split_list("a" + " " * 100_000 + "b") == ["a" + " " * 100_000 + "b"]


def test_query_values():
    assert query_values("a=1&b&a=2&c=%C3%A9+x&&=y") == {"a": ["1", "2"], "b": [""], "c": ["é x"], "": ["y"]}


@pytest.mark.parametrize("query", ["a=%FF", "&" * MAX_PARAMETERS])
def test_query_strings_that_cannot_be_read(query: str):
    with pytest.raises(CommonError) as caught:
        query_values(query)
    assert caught.value.kind == "malformed"


def test_a_header_value_cannot_end_its_header():
    assert clean_header("a\r\nSet-Cookie: b\x00") == "a  Set-Cookie: b "


def test_a_header_value_beyond_latin_1_travels_as_utf8():
    assert clean_header("é€").encode("latin-1") == "é€".encode()


def test_a_header_beyond_ascii_is_read_as_utf8_where_it_is_that():
    shape = load_model("s3").shape("PutObjectRequest")
    bound = bindings(shape)
    headers = [("x-amz-meta-a", "é€".encode().decode("latin-1")), ("x-amz-meta-b", "\xff")]
    assert read_bound(bound, Request("PUT", "/", "", headers), {}) == {"Metadata": {"a": "é€", "b": "ÿ"}}


def test_a_repeated_header_is_one_list():
    shape = load_model("s3").shape("GetObjectAttributesRequest")
    headers = [("x-amz-object-attributes", "ETag"), ("x-amz-object-attributes", "Checksum, ObjectSize")]
    assert read_bound(bindings(shape), Request("GET", "/", "", headers), {}) == {
        "ObjectAttributes": ["ETag", "Checksum", "ObjectSize"]
    }
