"""Slow, obvious versions of what the firewall's engine does fast: one character at a time, one statement at a time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

HEX = b"0123456789abcdefABCDEF"
OCTAL = b"01234567"
BLANK = b" \t\n\r\f\v"


def fold(code: int) -> int:
    return code - 0xFF00 + 0x20 if 0xFF01 <= code <= 0xFF5E else code % 256


def digits(value: bytes, start: int, alphabet: bytes, most: int) -> bytes:
    end = start
    while end < len(value) and end - start < most and value[end] in alphabet:
        end += 1
    return value[start:end]


def url_decode(value: bytes, *, wide: bool = False) -> bytes:
    out = bytearray()
    at = 0
    while at < len(value):
        if value[at : at + 1] == b"%":
            if wide and value[at + 1 : at + 2] in {b"u", b"U"} and len(code := digits(value, at + 2, HEX, 4)) == 4:
                out.append(fold(int(code, 16)))
                at += 6
                continue
            if len(code := digits(value, at + 1, HEX, 2)) == 2:
                out.append(int(code, 16))
                at += 3
                continue
        out += b" " if value[at : at + 1] == b"+" else value[at : at + 1]
        at += 1
    return bytes(out)


def hex_decode(value: bytes) -> bytes:
    found = digits(value, 0, HEX, len(value))
    return bytes(int(found[at : at + 2], 16) for at in range(0, len(found) - 1, 2))


def sql_hex_decode(value: bytes) -> bytes:
    out = bytearray()
    at = 0
    while at < len(value):
        found = digits(value, at + 2, HEX, len(value)) if value[at : at + 2].lower() == b"0x" else b""
        if len(found) >= 2:
            whole = len(found) // 2 * 2
            out += hex_decode(found[:whole])
            at += 2 + whole
        else:
            out.append(value[at])
            at += 1
    return bytes(out)


SIMPLE = {ord("a"): 7, ord("b"): 8, ord("f"): 12, ord("n"): 10, ord("r"): 13, ord("t"): 9, ord("v"): 11}


def escape_seq_decode(value: bytes) -> bytes:
    out = bytearray()
    at = 0
    while at < len(value):
        follow = value[at + 1] if value[at] == 0x5C and at + 1 < len(value) else None
        if follow in SIMPLE:
            out.append(SIMPLE[follow])
            at += 2
        elif follow is not None and follow in b"\\?'\"":
            out.append(follow)
            at += 2
        elif follow == ord("x") and len(code := digits(value, at + 2, HEX, 2)) == 2:
            out.append(int(code, 16))
            at += 4
        elif follow is not None and follow in OCTAL:
            code = digits(value, at + 1, OCTAL, 3)
            out.append(int(code, 8) % 256)
            at += 1 + len(code)
        else:
            out.append(value[at])
            at += 1
    return bytes(out)


def css_decode(value: bytes) -> bytes:
    out = bytearray()
    at = 0
    while at < len(value):
        if value[at] != 0x5C:
            out.append(value[at])
            at += 1
            continue
        code = digits(value, at + 1, HEX, 6)
        if code:
            out.append(fold(int(code, 16)))
            at += 1 + len(code)
            at += at < len(value) and value[at] in BLANK
        else:
            if value[at + 1 : at + 2] != b"\n":
                out += value[at + 1 : at + 2]
            at += 2
    return bytes(out)


def js_decode(value: bytes, *, ext: bool = False) -> bytes:
    out = bytearray()
    at = 0
    while at < len(value):
        follow = value[at + 1] if value[at] == 0x5C and at + 1 < len(value) else None
        if follow is None:
            out.append(value[at])
            at += 1
        elif follow == ord("u") and len(code := digits(value, at + 2, HEX, 4)) == 4:
            out.append(fold(int(code, 16)))
            at += 6
        elif follow == ord("x") and len(code := digits(value, at + 2, HEX, 2)) == 2:
            out.append(int(code, 16))
            at += 4
        elif follow in OCTAL:
            code = digits(value, at + 1, OCTAL, 3 if follow < ord("4") else 2)
            out.append(int(code, 8))
            at += 1 + len(code)
        elif ext and follow not in b"\\/'\"":
            out.append(value[at])
            at += 1
        else:
            out.append(follow if ext else SIMPLE.get(follow, follow))
            at += 2
    return bytes(out)


def base64_decode(value: bytes, *, ext: bool = False) -> bytes:
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    kept = bytes(each for each in value if each in alphabet) if ext else digits(value, 0, alphabet, len(value))
    bits = "".join(f"{alphabet.index(each):06b}" for each in kept)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8))


def replace_comments(value: bytes) -> bytes:
    out = bytearray()
    at = 0
    while at < len(value):
        if value[at : at + 2] == b"/*":
            end = value.find(b"*/", at + 2)
            out += b" "
            at = len(value) if end < 0 else end + 2
        else:
            out.append(value[at])
            at += 1
    return bytes(out)


def remove_comments_char(value: bytes) -> bytes:
    out = bytearray()
    at = 0
    while at < len(value):
        if value[at : at + 2] in {b"/*", b"*/", b"--"}:
            at += 2
        else:
            out += b"" if value[at : at + 1] == b"#" else value[at : at + 1]
            at += 1
    return bytes(out)


def squeeze(value: bytes) -> bytes:
    while b"  " in value:
        value = value.replace(b"  ", b" ")
    return value


def compress(value: bytes) -> bytes:
    for each in b"\f\t\n\r\v\xa0":
        value = value.replace(bytes((each,)), b" ")
    return squeeze(value)


def without(value: bytes, gone: bytes) -> bytes:
    return bytes(each for each in value if each not in gone)


def lower(value: bytes) -> bytes:
    return bytes(each + 32 if 65 <= each <= 90 else each for each in value)


def cmd_line(value: bytes) -> bytes:
    value = squeeze(without(value, b"\\\"'^").replace(b",", b" ").replace(b";", b" "))
    return lower(value.replace(b" /", b"/").replace(b" (", b"("))


def one_line(value: bytes) -> bytes:
    for each in b"\f\t\n\r\v":
        value = value.replace(bytes((each,)), b" ")
    return lower(squeeze(value).strip(b" "))


def cmd_line_win(value: bytes) -> bytes:
    value = without(value.replace(b"^\r\n", b"").replace(b"^\n", b""), b"\"'^")
    while b"\\\\" in value:
        value = value.replace(b"\\\\", b"\\")
    return one_line(value)


def utf8_to_unicode(value: bytes) -> bytes:
    out = bytearray()
    at = 0
    while at < len(value):
        first = value[at]
        length = 2 if 0xC0 <= first < 0xE0 else 3 if 0xE0 <= first < 0xF0 else 4 if 0xF0 <= first < 0xF8 else 1
        rest = value[at + 1 : at + length]
        if length > 1 and len(rest) == length - 1 and all(0x80 <= each < 0xC0 for each in rest):
            bits = f"{first:08b}"[length + 1 :] + "".join(f"{each:08b}"[2:] for each in rest)
            out += f"%u{int(bits, 2):04x}".encode()
            at += length
        else:
            out.append(first)
            at += 1
    return bytes(out)


def normalize_path(value: bytes) -> bytes:
    """By rewriting the text until nothing changes."""
    if b"/" not in value and value not in {b".", b".."}:
        return value
    text = value.decode("latin-1")
    before = None
    while text != before:
        before = text
        text = re.sub(r"/{2,}", "/", text)
        text = re.sub(r"(^|/)\./", r"\1", text)
        text = re.sub(r"(^|/)\.$", r"\1", text)
        text = re.sub(r"^/\.\.(/|$)", "/", text)
        text = re.sub(r"(^|/)(?!\.\.?(?:/|$))[^/]+/\.\.(?:/|$)", r"\1", text, count=1)
    return text.encode("latin-1")


ENTITIES = {"quot": 34, "amp": 38, "lt": 60, "gt": 62, "nbsp": 160, "lpar": 40, "apos": 39, "newline": 10}
BARE = ("quot", "amp", "nbsp", "lt", "gt")


def spelled(code: int) -> bytes | None:
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return None
    return bytes((code,)) if code < 256 else chr(code).encode()


def reference_at(value: bytes, at: int) -> tuple[bytes, int] | None:
    """The character that a reference at ``at`` stands for, and the length of the reference."""
    if value[at + 1 : at + 2] == b"#":
        wide = value[at + 2 : at + 3].lower() == b"x"
        start = at + 2 + wide
        zeros = digits(value, start, b"0", len(value))
        alphabet, most = (HEX, 6) if wide else (b"0123456789", 7)
        code = digits(value, start + len(zeros), alphabet, most)
        if not code and not zeros:
            return None
        made = spelled(int(code or b"0", 16 if wide else 10))
        end = start + len(zeros) + len(code)
        return None if made is None else (made, end - at + (value[end : end + 1] == b";"))
    rest = value[at + 1 :].decode("latin-1").lower()
    for name, character in ENTITIES.items():
        if rest.startswith(f"{name};"):
            return bytes((character,)), len(name) + 2
    for name in BARE:
        if rest.startswith(name):
            return bytes((ENTITIES[name],)), len(name) + 1
    return None


def html_entity_decode(value: bytes) -> bytes:
    out = bytearray()
    at = 0
    while at < len(value):
        found = reference_at(value, at) if value[at : at + 1] == b"&" else None
        out += found[0] if found else value[at : at + 1]
        at += found[1] if found else 1
    return bytes(out)


def trim_left(value: bytes) -> bytes:
    while value and value[0] in BLANK:
        value = value[1:]
    return value


def trim_right(value: bytes) -> bytes:
    while value and value[-1] in BLANK:
        value = value[:-1]
    return value


TRANSFORMS: dict[str, Callable[[bytes], bytes]] = {
    "NONE": lambda value: value,
    "COMPRESS_WHITE_SPACE": compress,
    "LOWERCASE": lower,
    "UPPERCASE": lambda value: bytes(each - 32 if 97 <= each <= 122 else each for each in value),
    "CMD_LINE": cmd_line,
    "CMD_LINE_UNIX": lambda value: one_line(without(value, b"\\\"'")),
    "CMD_LINE_WIN": cmd_line_win,
    "URL_DECODE": url_decode,
    "URL_DECODE_UNI": lambda value: url_decode(value, wide=True),
    "BASE64_DECODE": base64_decode,
    "BASE64_DECODE_EXT": lambda value: base64_decode(value, ext=True),
    "HEX_DECODE": hex_decode,
    "SQL_HEX_DECODE": sql_hex_decode,
    "MD5": lambda value: hashlib.new("md5", value).digest(),
    "SHA256": lambda value: hashlib.new("sha256", value).digest(),
    "REPLACE_COMMENTS": replace_comments,
    "REMOVE_COMMENTS_CHAR": remove_comments_char,
    "ESCAPE_SEQ_DECODE": escape_seq_decode,
    "CSS_DECODE": css_decode,
    "HTML_ENTITY_DECODE": html_entity_decode,
    "JS_DECODE": js_decode,
    "JS_DECODE_EXT": lambda value: js_decode(value, ext=True),
    "NORMALIZE_PATH": normalize_path,
    "NORMALIZE_PATH_WIN": lambda value: normalize_path(value.replace(b"\\", b"/")),
    "REMOVE_NULLS": lambda value: without(value, b"\0"),
    "REPLACE_NULLS": lambda value: bytes(each or 32 for each in value),
    "REMOVE_WHITESPACE": lambda value: without(value, BLANK + b"\xa0"),
    "TRIM": lambda value: trim_right(trim_left(value)),
    "TRIM_LEFT": trim_left,
    "TRIM_RIGHT": trim_right,
    "UTF8_TO_UNICODE": utf8_to_unicode,
}


Leaf = dict[str, Any]


def transformed(value: bytes, transformations: list[Leaf]) -> bytes:
    for each in sorted(transformations, key=lambda one: one["Priority"]):
        value = TRANSFORMS[each["Type"]](value)
    return value


def is_word(byte: bytes) -> bool:
    return byte.isalnum() or byte == b"_"


def byte_match(spec: Leaf, value: bytes) -> bool:
    text: bytes = spec["SearchString"]
    places = [at for at in range(len(value) - len(text) + 1) if value[at : at + len(text)] == text]
    position = spec["PositionalConstraint"]
    if position == "EXACTLY":
        return value == text
    if position == "STARTS_WITH":
        return 0 in places
    if position == "ENDS_WITH":
        return len(value) - len(text) in places
    if position == "CONTAINS":
        return bool(places)
    return any(
        not is_word(value[at - 1 : at] if at else b"") and not is_word(value[at + len(text) : at + len(text) + 1])
        for at in places
    )


SIZES: dict[str, Callable[[int, int], bool]] = {
    "EQ": lambda one, other: one == other,
    "NE": lambda one, other: one != other,
    "LT": lambda one, other: one < other,
    "LE": lambda one, other: one <= other,
    "GT": lambda one, other: one > other,
    "GE": lambda one, other: one >= other,
}


def matches(statement: Leaf, values: Callable[[Leaf], list[bytes]]) -> bool:
    """A statement over the parts of a request that ``values`` gives."""
    kind, spec = next(iter(statement.items()))
    if kind == "AndStatement":
        return all(matches(each, values) for each in spec["Statements"])
    if kind == "OrStatement":
        return any(matches(each, values) for each in spec["Statements"])
    if kind == "NotStatement":
        return not matches(spec["Statement"], values)
    found = [transformed(value, spec["TextTransformations"]) for value in values(spec["FieldToMatch"])]
    if kind == "ByteMatchStatement":
        return any(byte_match(spec, value) for value in found)
    if kind == "RegexMatchStatement":
        pattern = re.compile(spec["RegexString"].encode())
        return any(pattern.search(value) is not None for value in found)
    return any(SIZES[spec["ComparisonOperator"]](len(value), spec["Size"]) for value in found)
