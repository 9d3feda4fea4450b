"""The examples of AWS's documentation of text transformations, and what it says beside them."""

from __future__ import annotations

import hashlib

import pytest

from garrison.core.model import load_model
from garrison.edge.inspect.transforms import PRE_PARSE, TRANSFORMS, apply, chain

CASES = [
    ("NONE", b"a B", b"a B"),
    ("BASE64_DECODE", b"QUJD", b"ABC"),
    ("BASE64_DECODE", b"QUI=", b"AB"),
    ("BASE64_DECODE", b"QUJD!QUJD", b"ABC"),
    ("BASE64_DECODE_EXT", b"Q!U-J\nD", b"ABC"),
    ("BASE64_DECODE_EXT", b"QUI=QQ", b"AB\x10"),
    ("CMD_LINE", b"\\a\"b'c^d", b"abcd"),
    ("CMD_LINE", b"cat   /etc/passwd", b"cat/etc/passwd"),
    ("CMD_LINE", b"echo  (x)", b"echo(x)"),
    ("CMD_LINE", b"a,b;c", b"a b c"),
    ("CMD_LINE", b"a    b", b"a b"),
    ("CMD_LINE", b"WGET", b"wget"),
    ("CMD_LINE_UNIX", b" c'a\"t\\  /etc\t/passwd ", b"cat /etc /passwd"),
    ("CMD_LINE_WIN", b'C^MD  /c\\\\x"y"', b"cmd /c\\xy"),
    ("CMD_LINE_WIN", b"pow^\r\nershell", b"powershell"),
    ("COMPRESS_WHITE_SPACE", b"a\f\t\n\r\v\xa0b  c", b"a b c"),
    ("CSS_DECODE", rb"ja\vascript", b"javascript"),
    ("CSS_DECODE", rb"\6a avascript", b"javascript"),
    ("CSS_DECODE", rb"\00006a avascript", b"javascript"),
    ("CSS_DECODE", rb"\ff2a ava", b"Java"),
    ("CSS_DECODE", b"ja\\\nva\\", b"java"),
    ("ESCAPE_SEQ_DECODE", rb"\a\b\f\n\r\t\v\\\?\'" + b'\\"', b"\a\b\f\n\r\t\v\\?'\""),
    ("ESCAPE_SEQ_DECODE", rb"\x41\101\0", b"AA\0"),
    ("ESCAPE_SEQ_DECODE", rb"\xZZ\q\8", rb"\xZZ\q\8"),
    ("HEX_DECODE", b"414243", b"ABC"),
    ("HEX_DECODE", b"4142xx", b"AB"),
    ("HTML_ENTITY_DECODE", b"&quot;&nbsp;&lt;&gt;", b'"\xa0<>'),
    ("HTML_ENTITY_DECODE", b"&#x3c;&#x003C;&#60;&#0060;", b"<<<<"),
    ("HTML_ENTITY_DECODE", b"&LT;script&Gt", b"<script>"),
    ("HTML_ENTITY_DECODE", b"&lpar;1&rpar;&NewLine;", b"(1)\n"),
    ("HTML_ENTITY_DECODE", b"&#x110000;&nosuch;&", b"&#x110000;&nosuch;&"),
    ("HTML_ENTITY_DECODE", b"&#8364;", "\u20ac".encode()),
    ("JS_DECODE", rb"\u003cscript\x3e\101", b"<script>A"),
    ("JS_DECODE", rb"\uff1cscript", b"<script"),
    ("JS_DECODE", rb"\u123c", b"<"),
    ("JS_DECODE", rb"\n\q\477", b"\nq'7"),
    ("JS_DECODE_EXT", rb"C:\new\u0041\\x\/", rb"C:\newA\x/"),
    ("LOWERCASE", b"AZ\xc3\x89", b"az\xc3\x89"),
    ("UPPERCASE", b"az\xc3\xa9", b"AZ\xc3\xa9"),
    ("MD5", b"abc", bytes.fromhex("900150983cd24fb0d6963f7d28e17f72")),  # RFC 1321 A.5
    ("SHA256", b"abc", bytes.fromhex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")),  # FIPS 180-4
    ("NORMALIZE_PATH", b"/a//b/./c/../d", b"/a/b/d"),
    ("NORMALIZE_PATH", b"../../a/../b", b"../../b"),
    ("NORMALIZE_PATH", b"/../../etc/passwd", b"/etc/passwd"),
    ("NORMALIZE_PATH", b"/a/b/..", b"/a/"),
    ("NORMALIZE_PATH", b"././..", b".."),
    ("NORMALIZE_PATH_WIN", b"\\a\\..\\windows\\\\win.ini", b"/windows/win.ini"),
    ("REMOVE_NULLS", b"a\0b\0", b"ab"),
    ("REPLACE_NULLS", b"a\0b\0", b"a b "),
    ("REPLACE_COMMENTS", b"a/*x*/b", b"a b"),
    ("REPLACE_COMMENTS", b"a/*x*//*y*/b", b"a  b"),
    ("REPLACE_COMMENTS", b"a/*b", b"a "),
    ("REPLACE_COMMENTS", b"a*/b", b"a*/b"),
    ("REMOVE_COMMENTS_CHAR", b"a/*b*/c--d#e", b"abcde"),
    ("REMOVE_WHITESPACE", b" a\tb\xa0\n", b"ab"),
    ("SQL_HEX_DECODE", b"0x414243", b"ABC"),
    ("SQL_HEX_DECODE", b"char(0X41424 x 0xg)", b"char(AB4 x 0xg)"),
    ("TRIM", b" \ta b\n", b"a b"),
    ("TRIM_LEFT", b" \ta b\n", b"a b\n"),
    ("TRIM_RIGHT", b" \ta b\n", b" \ta b"),
    ("URL_DECODE", b"%3Cscript%3e+x%zz%", b"<script> x%zz%"),
    ("URL_DECODE", b"%253c", b"%3c"),
    ("URL_DECODE_UNI", b"%u003c%uff1c%u123C%3c%u00", b"<<<<%u00"),
    ("UTF8_TO_UNICODE", "a\u00e9\u20ac\U0001f600".encode(), b"a%u00e9%u20ac%u1f600"),
    ("UTF8_TO_UNICODE", b"\xc0\xaf\xff", b"%u002f\xff"),
]


@pytest.mark.parametrize(("name", "value", "expected"), CASES)
def test_transformation(name: str, value: bytes, expected: bytes):
    assert TRANSFORMS[name](value) == expected


def test_every_type_of_the_api_is_there_and_has_a_case():
    model = load_model("wafv2")
    assert set(TRANSFORMS) == set(model.shape("TextTransformationType").enum) == {name for name, _, _ in CASES}
    assert set(PRE_PARSE) == set(model.shape("PreParseTextTransformationType").enum)


def test_transformations_run_in_the_order_of_their_priorities():
    listed = [{"Priority": 5, "Type": "LOWERCASE"}, {"Priority": 1, "Type": "URL_DECODE"}, {"Priority": 3, "Type": "NONE"}]
    assert chain(listed) == ("URL_DECODE", "LOWERCASE")
    assert apply(chain(listed), b"%41B") == b"ab"


@pytest.mark.parametrize(
    ("name", "query", "expected"),
    [
        ("COMBINE_DUPLICATE_QUERY_ARGS_BY_COMMA", b"a=1&b=2&a=3&c", b"a=1,3&b=2&c"),
        ("REPLACE_SEMICOLONS_WITH_AMPERSANDS", b"a=1;b=2&c=3", b"a=1&b=2&c=3"),
        ("URL_DECODE", b"%61=1%26b=2", b"a=1&b=2"),
        ("URL_DECODE_UNI", b"%u0061=1", b"a=1"),
        ("NONE", b"a=%31", b"a=%31"),
    ],
)
def test_before_parsing(name: str, query: bytes, expected: bytes):
    assert PRE_PARSE[name](query) == expected


def test_digests_are_raw():
    assert TRANSFORMS["SHA256"](b"") == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
@pytest.mark.parametrize(
    "unit", [b"\\", b"&#", b"/*", b"../", b"%u", b"0x", b" /", b"\\x4", b"&lt", b"a/../", b"\xe2\x82", b"^\n"]
)
def test_long_values_of_one_unit_take_linear_time(name: str, unit: bytes):
    TRANSFORMS[name](unit * (1_000_000 // len(unit)))
