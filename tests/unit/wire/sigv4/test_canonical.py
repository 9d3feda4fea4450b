"""Rules of the canonical request that Amazon's suite has no case for."""

from __future__ import annotations

import pytest

from garrison.wire.sigv4.canonical import canonical_path, canonical_query, sort_headers


@pytest.mark.parametrize(
    ("path", "plain", "s3"),
    [
        ("", "/", "/"),
        ("/a//b", "/a/b", "/a//b"),
        ("/a/./b/../c", "/a/c", "/a/./b/../c"),
        ("/../../a", "/a", "/../../a"),
        ("/a/..", "/", "/a/.."),
        ("/a%2Fb", "/a%252Fb", "/a/b"),
        ("/a%20b", "/a%2520b", "/a%20b"),
        ("/a b", "/a%20b", "/a%20b"),
        ("/a%c3%a9", "/a%25c3%25a9", "/a%C3%A9"),
        ("/a$b(c)", "/a%24b%28c%29", "/a%24b%28c%29"),
        ("/a+b", "/a%2Bb", "/a%2Bb"),
        ("/%2e%2e/a", "/%252e%252e/a", "/../a"),
        ("/~x_-.", "/~x_-.", "/~x_-."),
        ("/%zz", "/%25zz", "/%25zz"),
    ],
)
def test_path(path: str, plain: str, s3: str):
    assert canonical_path(path, s3=False) == plain
    assert canonical_path(path, s3=True) == s3


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ""),
        ("acl", "acl="),
        ("b=2&a=1", "a=1&b=2"),
        ("a=2&a=1&a", "a=&a=1&a=2"),
        ("a=b=c", "a=b%3Dc"),
        ("&&a=1&", "a=1"),
        ("a=%7e%2f", "a=~%2F"),
        ("a=x+y", "a=x%20y"),
        ("=x", "=x"),
        ("a-b=1&a=2", "a=2&a-b=1"),
    ],
)
def test_query(query: str, expected: str):
    assert canonical_query(query) == expected


def test_query_leaves_out_a_name_however_it_is_spelled():
    assert canonical_query("X-Amz-%53ignature=1&a=2", frozenset(("X-Amz-Signature",))) == "a=2"


def test_headers():
    found = [("a", " x \t y  z "), ("b", "1"), ("a", "2"), ("x-amz-c", "3"), ("d", "4"), ("e", "\xe0\xa0  b")]
    values, unsigned = sort_headers(found, ("a", "b", "e", "f"))
    assert values == {"a": "x y z,2", "b": "1", "e": "\xe0\xa0 b", "f": None}
    assert unsigned == ["x-amz-c"]
