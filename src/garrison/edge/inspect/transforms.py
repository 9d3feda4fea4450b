"""Text transformations: the 31 types of ``TextTransformationType``, and those before a query string is parsed.

Source: the text transformations page of the AWS WAF developer guide. Each is one linear pass over bytes that never raises.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from garrison.edge.inspect.decoding import (
    base64_decode,
    base64_decode_ext,
    css_decode,
    escape_seq_decode,
    hex_decode,
    html_entity_decode,
    js_decode,
    js_decode_ext,
    sql_hex_decode,
    url_decode,
    url_decode_uni,
    utf8_to_unicode,
)

Transform = Callable[[bytes], bytes]
WHITE = b" \t\n\r\f\v"

_BLANKS = re.compile(rb"[ \t\n\r\f\v\xa0]+")
_SPACES = re.compile(rb" {2,}")
_CLASSIC = bytes.maketrans(b",;", b"  ")
_WHITE_TO_SPACE = bytes.maketrans(b"\t\n\r\f\v", b"     ")
_BEFORE = re.compile(rb" +([/(])")
_BACKSLASHES = re.compile(rb"\\{2,}")


def none(value: bytes) -> bytes:
    """As received."""
    return value


def compress_white_space(value: bytes) -> bytes:
    """White space and non-breaking spaces (decimal 160) become spaces, and several in a row become one."""
    return _BLANKS.sub(b" ", value)


def cmd_line(value: bytes) -> bytes:
    r"""A command line undisguised: ``\ " ' ^`` deleted, ``, ;`` spaces, spaces single and none before ``/ (``, lower case."""
    value = value.translate(_CLASSIC, b"\\\"'^")
    if b" " in value:
        value = _BEFORE.sub(rb"\1", _SPACES.sub(b" ", value))
    return value.lower()


def _one_line(value: bytes) -> bytes:
    return _SPACES.sub(b" ", value.translate(_WHITE_TO_SPACE)).strip(b" ").lower()


def cmd_line_unix(value: bytes) -> bytes:
    r"""As a shell of Unix reads it: ``\ " '`` deleted, white space single and none around, lower case."""
    return _one_line(value.translate(None, b"\\\"'"))


def cmd_line_win(value: bytes) -> bytes:
    """As a shell of Windows reads it: ``" '`` and carets deleted, backslashes and white space single, lower case."""
    value = value.replace(b"^\r\n", b"").replace(b"^\n", b"").translate(None, b"\"'^")
    return _one_line(_BACKSLASHES.sub(rb"\\", value))


def replace_comments(value: bytes) -> bytes:
    """Each C comment becomes a space, an unterminated one too; a ``*/`` of its own stays."""
    start = value.find(b"/*")
    if start < 0:
        return value
    pieces = []
    position = 0
    while start >= 0:
        pieces.append(value[position:start])
        end = value.find(b"*/", start + 2)
        if end < 0:
            return b" ".join([*pieces, b""])
        position = end + 2
        start = value.find(b"/*", position)
    return b" ".join([*pieces, value[position:]])


_COMMENT_CHARS = re.compile(rb"/\*|\*/|--|#")


def remove_comments_char(value: bytes) -> bytes:
    """Without the signs of comments: ``/*``, ``*/``, ``--``, ``#``."""
    return _COMMENT_CHARS.sub(b"", value)


def normalize_path(value: bytes) -> bytes:
    """Without repeated slashes, self-references, and back-references that have something before them to go back from."""
    if b"/" not in value and value not in {b".", b".."}:
        return value
    absolute = value.startswith(b"/")
    kept: list[bytes] = []
    named = False
    for part in value.split(b"/"):
        back = part == b".."
        named = part not in {b"", b".", b".."} or (back and not absolute and (not kept or kept[-1] == b".."))
        if named:
            kept.append(part)
        elif back and kept:
            kept.pop()
    tail = b"/" if kept and not named else b""
    return (b"/" if absolute else b"") + b"/".join(kept) + tail


def normalize_path_win(value: bytes) -> bytes:
    """As :func:`normalize_path`, backslashes first made slashes."""
    return normalize_path(value.replace(b"\\", b"/"))


def _md5(value: bytes) -> bytes:
    return hashlib.md5(value, usedforsecurity=False).digest()


def _sha256(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


TRANSFORMS: Mapping[str, Transform] = {
    "NONE": none,
    "COMPRESS_WHITE_SPACE": compress_white_space,
    "HTML_ENTITY_DECODE": html_entity_decode,
    "LOWERCASE": bytes.lower,
    "CMD_LINE": cmd_line,
    "URL_DECODE": url_decode,
    "BASE64_DECODE": base64_decode,
    "HEX_DECODE": hex_decode,
    "MD5": _md5,
    "REPLACE_COMMENTS": replace_comments,
    "ESCAPE_SEQ_DECODE": escape_seq_decode,
    "SQL_HEX_DECODE": sql_hex_decode,
    "CSS_DECODE": css_decode,
    "JS_DECODE": js_decode,
    "NORMALIZE_PATH": normalize_path,
    "NORMALIZE_PATH_WIN": normalize_path_win,
    "REMOVE_NULLS": lambda value: value.replace(b"\0", b""),
    "REPLACE_NULLS": lambda value: value.replace(b"\0", b" "),
    "BASE64_DECODE_EXT": base64_decode_ext,
    "URL_DECODE_UNI": url_decode_uni,
    "UTF8_TO_UNICODE": utf8_to_unicode,
    "REMOVE_WHITESPACE": lambda value: value.translate(None, WHITE + b"\xa0"),
    "TRIM": lambda value: value.strip(WHITE),
    "TRIM_LEFT": lambda value: value.lstrip(WHITE),
    "TRIM_RIGHT": lambda value: value.rstrip(WHITE),
    "REMOVE_COMMENTS_CHAR": remove_comments_char,
    "UPPERCASE": bytes.upper,
    "CMD_LINE_WIN": cmd_line_win,
    "CMD_LINE_UNIX": cmd_line_unix,
    "JS_DECODE_EXT": js_decode_ext,
    "SHA256": _sha256,
}


def combine_duplicates(query: bytes) -> bytes:
    """Each argument once, the values of its duplicates joined by commas, where the first stood."""
    found: dict[bytes, list[bytes]] = {}
    bare: set[bytes] = set()
    for part in query.split(b"&"):
        name, mark, value = part.partition(b"=")
        if not mark:
            bare.add(name)
        found.setdefault(name, []).append(value)
    return b"&".join(
        name if name in bare and len(values) == 1 else name + b"=" + b",".join(values) for name, values in found.items()
    )


PRE_PARSE: Mapping[str, Transform] = {
    "NONE": none,
    "URL_DECODE": url_decode,
    "URL_DECODE_UNI": url_decode_uni,
    "COMBINE_DUPLICATE_QUERY_ARGS_BY_COMMA": combine_duplicates,
    "REPLACE_SEMICOLONS_WITH_AMPERSANDS": lambda value: value.replace(b";", b"&"),
}


def chain(transformations: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The types of ``TextTransformations`` in the order of their priorities, without NONE."""
    ordered = sorted(transformations, key=lambda each: int(each["Priority"]))
    return tuple(each["Type"] for each in ordered if each["Type"] != "NONE")


def apply(types: Sequence[str], value: bytes) -> bytes:
    """``value`` after each of the types in turn."""
    for name in types:
        value = TRANSFORMS[name](value)
    return value
