"""Decoders of text transformations: what an application would decode, decoded in one linear pass each.

Source: the text transformations page of the AWS WAF developer guide. Where it is silent (a broken escape, an odd digit),
the comment at the function says what is done. Every function takes and gives bytes, never raises, and its output is at most
three times its input.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

HEX = rb"[0-9A-Fa-f]"


def _fold(code: int) -> bytes:
    """The byte of a wide escape: full-width ASCII (FF01 to FF5E) becomes ASCII, of others only the lower byte is kept."""
    if 0xFF01 <= code <= 0xFF5E:
        return bytes((code - 0xFEE0,))
    return bytes((code & 0xFF,))


def _spell(code: int) -> bytes | None:
    """A character reference: below 256 the byte itself (``&nbsp;`` is decimal 160), above it UTF-8. None for no character."""
    if code < 0x100:
        return bytes((code,))
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return None
    return chr(code).encode()


_URL = re.compile(rb"%(" + HEX + rb"{2})")
_URL_UNI = re.compile(rb"%(?:[uU](" + HEX + rb"{4})|(" + HEX + rb"{2}))")


def _url_byte(found: re.Match[bytes]) -> bytes:
    return binascii.unhexlify(found[1])


def _url_uni_byte(found: re.Match[bytes]) -> bytes:
    return _fold(int(found[1], 16)) if found[1] else binascii.unhexlify(found[2])


def url_decode(value: bytes) -> bytes:
    """``%HH`` is the byte and ``+`` a space; a broken escape stays."""
    if b"+" in value:
        value = value.replace(b"+", b" ")
    return _URL.sub(_url_byte, value) if b"%" in value else value


def url_decode_uni(value: bytes) -> bytes:
    """As :func:`url_decode`, with Microsoft's ``%uHHHH``."""
    if b"+" in value:
        value = value.replace(b"+", b" ")
    return _URL_UNI.sub(_url_uni_byte, value) if b"%" in value else value


_ENTITIES = {
    b"quot": b'"', b"amp": b"&", b"lt": b"<", b"gt": b">", b"nbsp": b"\xa0", b"nonbreakingspace": b"\xa0", b"newline": b"\n",
    b"tab": b"\t", b"lcub": b"{", b"lbrace": b"{", b"rcub": b"}", b"rbrace": b"}", b"excl": b"!", b"num": b"#", b"dollar": b"$",
    b"percnt": b"%", b"apos": b"'", b"lpar": b"(", b"rpar": b")", b"ast": b"*", b"midast": b"*", b"plus": b"+", b"comma": b",",
    b"period": b".", b"sol": b"/", b"colon": b":", b"semi": b";", b"equals": b"=", b"quest": b"?", b"verbar": b"|", b"vert": b"|",
    b"verticalline": b"|", b"lsqb": b"[", b"lbrack": b"[", b"rsqb": b"]", b"rbrack": b"]", b"hat": b"^", b"lowbar": b"_",
    b"underbar": b"_", b"grave": b"`", b"diacriticalgrave": b"`", b"tilde": b"~", b"diacriticaltilde": b"~", b"minus": b"-",
    b"bsol": b"\\",
}  # fmt: skip
_BARE = rb"quot|amp|nbsp|lt|gt"
"""Entities that a browser decodes without their semicolon (HTML Living Standard, 13.2.5.73)."""
_ENTITY = re.compile(
    rb"&(?:#(?:[xX]0*(" + HEX + rb"{1,6})|0*([0-9]{1,7}));?|([a-zA-Z]{2,16});|((?i:" + _BARE + rb")))",
)


def _entity_byte(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return _spell(int(found[1], 16)) or found[0]
    if found[2]:
        return _spell(int(found[2])) or found[0]
    if found[3]:
        known = _ENTITIES.get(found[3].lower())
        if known is not None:
            return known
        # `&ltx;`: no entity of that name, but browsers decode the bare one that it starts with.
        bare = re.match(_BARE, found[3], re.IGNORECASE)
        return _ENTITIES[bare[0].lower()] + found[3][bare.end() :] + b";" if bare else found[0]
    return _ENTITIES[found[4].lower()]


def html_entity_decode(value: bytes) -> bytes:
    """Named references in any case, decimal and hexadecimal ones. As in browsers, numbers and old names need no semicolon."""
    return _ENTITY.sub(_entity_byte, value) if b"&" in value else value


_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")


def _base64(digits: bytes) -> bytes:
    """Whole bytes of base64 digits; a last digit that makes none is dropped."""
    rest = len(digits) % 4
    if rest == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def base64_decode(value: bytes) -> bytes:
    """What stands before the first character outside the alphabet (RFC 4648 4), decoded."""
    stop = _NOT_BASE64.search(value)
    return _base64(value[: stop.start()] if stop else value)


def base64_decode_ext(value: bytes) -> bytes:
    """As :func:`base64_decode`, but characters outside the alphabet, padding included, are ignored."""
    return _base64(_NOT_BASE64.sub(b"", value))


_HEX_PAIRS = re.compile(rb"(?:" + HEX + rb"{2})*")


def hex_decode(value: bytes) -> bytes:
    """The bytes of the pairs of digits that the value starts with."""
    found = _HEX_PAIRS.match(value)
    return binascii.unhexlify(found[0]) if found else b""


_SQL_HEX = re.compile(rb"0[xX]((?:" + HEX + rb"{2})+)")


def sql_hex_decode(value: bytes) -> bytes:
    """Each ``0x414243`` in the value becomes ``ABC``; an odd last digit stays."""
    return _SQL_HEX.sub(_url_byte, value) if b"0" in value else value


_SIMPLE = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_ESCAPE = re.compile(rb"\\(?:([abfnrtv])|([\\?'\"])|x(" + HEX + rb"{2})|([0-7]{1,3}))")


def _escape_byte(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return _SIMPLE[found[1]]
    if found[2]:
        return found[2]
    return binascii.unhexlify(found[3]) if found[3] else bytes((int(found[4], 8) & 0xFF,))


def escape_seq_decode(value: bytes) -> bytes:
    """ANSI C escapes (up to three octal digits); those that are not valid stay."""
    return _ESCAPE.sub(_escape_byte, value) if b"\\" in value else value


_CSS = re.compile(rb"\\(?:(" + HEX + rb"{1,6})[ \t\n\r\f\v]?|(\n)|([\s\S])|)")


def _css_byte(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return _fold(int(found[1], 16))
    return found[3] or b""


def css_decode(value: bytes) -> bytes:
    r"""CSS 2 escapes: up to six digits (the last two bytes count) and a white space; ``ja\vascript`` is ``javascript``.

    A backslash before a newline goes with it (CSS 2.1, 4.3.7), one at the end goes alone.
    """
    return _CSS.sub(_css_byte, value) if b"\\" in value else value


_JS_CODES = rb"u(" + HEX + rb"{4})|x(" + HEX + rb"{2})|([0-3][0-7]{0,2}|[4-7][0-7]?)"
_JS = re.compile(rb"\\(?:" + _JS_CODES + rb"|([\s\S]))")
_JS_EXT = re.compile(rb"\\(?:" + _JS_CODES + rb"|([\\/'\"]))")


def _js_byte(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return _fold(int(found[1], 16))
    if found[2]:
        return binascii.unhexlify(found[2])
    if found[3]:
        return bytes((int(found[3], 8),))
    return _SIMPLE.get(found[4], found[4])


def js_decode(value: bytes) -> bytes:
    r"""JavaScript escapes (``\uHHHH``, ``\xHH``, octal, ``\n`` ...); any other escaped character stands for itself."""
    return _JS.sub(_js_byte, value) if b"\\" in value else value


def js_decode_ext(value: bytes) -> bytes:
    r"""As :func:`js_decode`, but only codes and escaped backslashes, slashes and quotes: ``C:\new`` stays a path."""
    return _JS_EXT.sub(_js_byte, value) if b"\\" in value else value


_UTF8 = re.compile(rb"[\xc0-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf7][\x80-\xbf]{3}")


def _utf8_code(found: re.Match[bytes]) -> bytes:
    units = found[0]
    code = units[0] & (0xFF >> (len(units) + 1))
    for unit in units[1:]:
        code = code << 6 | unit & 0x3F
    return b"%%u%04x" % code


def utf8_to_unicode(value: bytes) -> bytes:
    """Each sequence of several bytes as ``%uHHHH``; one longer than need be (``C0 AF``) is what careless decoders read."""
    return value if value.isascii() else _UTF8.sub(_utf8_code, value)


Decoder = Callable[[bytes], bytes]
