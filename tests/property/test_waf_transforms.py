"""Text transformations against slow versions of themselves, on bytes that nobody wrote by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from garrison.edge.inspect.transforms import PRE_PARSE, TRANSFORMS
from tests.support.waf_reference import TRANSFORMS as SLOW

PIECES = [
    b"%", b"%41", b"%u0041", b"%uFF21", b"%UFF3c", b"+", b"&", b"&lt;", b"&LT", b"&#x3c;", b"&#60", b"&nbsp;", b"&lpar;", b"&APOS;", b"&amp", b"&#0", b"&#x0041", b"&#9999999;", b"x;", b"lt", b"\\", b"\\x41",
    b"\\u0041", b"\\uff1c", b"\\101", b"\\n", b"\\'", b"0x", b"0X41", b"4142", b"QUJD", b"=", b"/*", b"*/", b"--", b"#", b"/",
    b"//", b"/.", b"/..", b"..", b".", b"./", b"../", b"a", b"A", b"z ", b"  ", b"\t", b"\r\n", b"\n", b"\xa0", b"\0", b"^", b"^\n",
    b'"', b"'", b",", b";", b" /", b" (", b"\xc3\xa9", b"\xc0\xaf", b"\xf0\x9f\x98\x80", b"\xe2\x82", b"\xff", b"0", b"7", b"f",
    b"\\\\", b"\\f", b"\x0b", b"\x0c", b"=1&a=2&b", b"\\41 ", b"\\ff21",
]  # fmt: skip
VALUES = st.one_of(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join), st.binary(max_size=40))


@pytest.mark.parametrize("name", sorted(SLOW))
@settings(max_examples=300, deadline=None)
@given(value=VALUES)
def test_fast_equals_slow(name: str, value: bytes):
    assert TRANSFORMS[name](value) == SLOW[name](value)


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
@settings(max_examples=100, deadline=None)
@given(value=VALUES)
def test_any_bytes_are_taken_and_the_output_is_bounded(name: str, value: bytes):
    assert len(TRANSFORMS[name](value)) <= 3 * len(value) + 32


@pytest.mark.parametrize("name", sorted(PRE_PARSE))
@settings(max_examples=100, deadline=None)
@given(value=VALUES)
def test_a_query_is_never_lengthened_before_it_is_parsed(name: str, value: bytes):
    assert len(PRE_PARSE[name](value)) <= len(value) + value.count(b"&") + 1
