"""Undoing disguises: the readings that an application behind the firewall may make of one value.

A reading is what one chain of decoders makes of the bytes: URL encoding in several layers (also ``%u0041`` and overlong UTF-8),
HTML entities, escapes of JavaScript and C, UTF-7, full-width letters, base64. Detectors look at every reading, so an attack
must be none in all of them to pass. Every decoder is one linear pass, and there are at most :data:`MOST` readings.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Callable, Container
from typing import Final

Gates = Container[re.Pattern[bytes]]
"""What a detector could start from and an automaton has found in a value."""


class _Everything(Container[re.Pattern[bytes]]):
    """No automaton has looked: anything may be there."""

    def __contains__(self, _gate: object) -> bool:
        return True


EVERYTHING: Final[Gates] = _Everything()
Scan = Callable[[bytes], Gates]
"""What asks the automaton of a text that a detector made itself."""


def everything(_text: bytes) -> Gates:
    """No automaton is asked."""
    return EVERYTHING


MOST: Final = 7
"""Readings of one value."""
LAYERS: Final = 4
"""Layers of URL encoding that are undone."""
_PERCENT = re.compile(rb"%u[0-9a-fA-F]{4}|%[0-9a-fA-F]{2}")
_ESCAPE = re.compile(rb"\\u\{[0-9a-fA-F]{1,6}\}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[0-7]{2,3}|\\[nrt]|\\\r?\n")
_ENTITY = re.compile(rb"&(?:#[xX]?[0-9a-fA-F]|[a-zA-Z]{2,31};?)")
_OVERLONG = re.compile(rb"[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]{2}")
_UTF7 = re.compile(rb"\+([A-Za-z0-9+/]{2,})-?")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/_-]{4}){4,}[A-Za-z0-9+/_-]{0,3}={0,2}")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_SPECIAL = re.compile(rb"[%+&\\\x00-\x08\x0e-\x1f\x7f-\xff]")
_PRINTABLE = frozenset(range(32, 127)) | {9, 10, 13}
_SIMPLE: Final = {b"\\n": b"\n", b"\\r": b"\r", b"\\t": b"\t"}
_QUOTES: Final = str.maketrans(
    "\u2018\u2019\u201b\u02bc\u00b4\u2032\u201c\u201d\u2033\u2044\u2215\u2216\u560a\u560d\u563c\u563e",
    "''''''\"\"\"//\\\n\r<>",
)
"""What careless code makes of letters: the plain form of a quote or slash, and the last byte of one (``\\u560a`` a line end)."""
_SHORT_ENTITIES: Final = {
    "tab": "\t",
    "newline": "\n",
    "colon": ":",
    "lpar": "(",
    "rpar": ")",
    "sol": "/",
    "bsol": "\\",
    "quot": '"',
    "apos": "'",
    "lt": "<",
    "gt": ">",
    "amp": "&",
}


def _point(number: int) -> bytes:
    if number < 256:
        return bytes((number,))
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        return b"?"
    return chr(number).encode()


def _percent(match: re.Match[bytes]) -> bytes:
    text = match.group()
    digits = text.removeprefix(b"%").removeprefix(b"u").decode()
    return bytes.fromhex(digits) if len(digits) == 2 else _point(int(digits, base=16))


def url_layer(value: bytes) -> bytes:
    """One layer of URL encoding undone; what is no valid escape stays."""
    return _PERCENT.sub(_percent, value) if b"%" in value else value


def _overlong(match: re.Match[bytes]) -> bytes:
    number = 0
    text = match.group()
    for index, byte in enumerate(text):
        number = byte & (0x1F, 0x0F, 0x07)[len(text) - 2] if index == 0 else number << 6 | byte & 0x3F
    return _point(number)


def _escape(match: re.Match[bytes]) -> bytes:
    text = match.group()
    if text in _SIMPLE:
        return _SIMPLE[text]
    if text[1:2] in {b"\r", b"\n"}:
        return b""
    if text[1:2] in {b"u", b"x"}:
        return _point(int(text[2:].strip(b"{}"), 16))
    return bytes((int(text[1:], 8) & 0xFF,))


def unescape(value: bytes) -> bytes:
    r"""Escapes of JavaScript and C undone: ``\x41``, ``\u0041``, ``\u{41}``, ``\101``, ``\n``, a line continued."""
    return _ESCAPE.sub(_escape, value) if b"\\" in value else value


_NAMED = re.compile(r"&(tab|newline|colon|lpar|rpar|sol|bsol|quot|apos|lt|gt|amp);?", re.IGNORECASE)


def unentity(value: bytes) -> bytes:
    """HTML entities undone, as a browser does: also without semicolon, padded with zeros, in any case."""
    text = value.decode("latin-1")
    text = _NAMED.sub(lambda found: _SHORT_ENTITIES[found[1].lower()], text)
    return html.unescape(text).encode("utf-8", "replace") if "&" in text else text.encode("latin-1")


def _utf7(match: re.Match[bytes]) -> bytes:
    coded = match[1]
    try:
        text = base64.b64decode(coded + b"=" * (-len(coded) % 4)).decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError):
        return match.group()
    return text.encode() if text.isascii() and text.isprintable() else match.group()


def fold(value: bytes) -> bytes:
    """Letters that Unicode calls compatible made plain (full-width forms), curly quotes straight, overlong forms short."""
    value = _OVERLONG.sub(_overlong, value)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        # ISO 8859-1 with the high bit of `<`, `>`, `"` set reads as these where a browser guesses US-ASCII.
        return value.translate(_HIGH)
    return unicodedata.normalize("NFKC", text.translate(_QUOTES)).encode()


_HIGH: Final = bytes.maketrans(b"\xbc\xbe\xa2", b'<>"')


def _base64(value: bytes) -> bytes | None:
    """What a value that is all base64 says, None where it is none or says nothing readable."""
    text = value.strip().rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    if len(text) % 4 == 1:
        return None
    try:
        plain = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None
    readable = sum(byte in _PRINTABLE for byte in plain)
    return plain if plain and readable == len(plain) else None


_RUN = re.compile(rb"(\s)\s{8,}")


def squeeze(text: bytes) -> bytes:
    """Long runs of white space made one: padding hides nothing, and patterns need not reach over it."""
    return _RUN.sub(rb"\1", text)


def lengthy(text: bytes) -> bool:
    """Whether a value is a text of its own: several lines, or as many words as a paragraph. Blanks count nothing."""
    if len(text) < 60:
        return False
    return (b"\n" in text and sum(1 for each in text.split(b"\n") if each.strip()) >= 4) or len(text.split(None, 30)) > 30


_LETTERS = re.compile(rb"[A-Za-z\x80-\xff]")


def words(text: bytes) -> int:
    """How many words of letters stand in a text, between blanks (or ``+``, as forms write them), up to a handful."""
    count = 0
    for each in text.replace(b"+", b" ").split(None, 12)[:12]:
        if _LETTERS.search(each):
            # Chinese, Japanese and Thai have no blanks between words.
            count += 1 if each.isascii() or len(each) < 16 else 2
    return count


def readings(value: bytes, *, form: bool = False) -> list[bytes]:
    """The readings of a value, the least decoded first. ``form`` says that ``+`` is a blank."""
    if not _SPECIAL.search(value):
        return _with_base64([squeeze(value)], value)
    base = url_layer(value.replace(b"+", b" ") if form else value)
    found = [base]
    deepest = base
    for _ in range(LAYERS - 1):
        if not _PERCENT.search(deepest):
            break
        deepest = url_layer(deepest.replace(b"+", b" ") if form else deepest)
    found.append(deepest)
    plain = deepest
    if _ENTITY.search(plain):
        plain = unentity(plain)
        found.append(plain)
    if _ESCAPE.search(plain):
        plain = unescape(plain)
        found.append(url_layer(plain))
    if not plain.isascii():
        plain = fold(plain)
        found.append(plain)
    found.extend(_oddly(plain, (value, *found)))
    found = [squeeze(_CONTROL.sub(b"", each)) for each in found]
    return _with_base64(list(dict.fromkeys(found))[:MOST], found[-1])


def _oddly(plain: bytes, found: tuple[bytes, ...]) -> list[bytes]:
    """The readings of careless decoders."""
    odd = []
    for each in found:
        if b"+A" in each:
            changed = _UTF7.sub(_utf7, each)
            if changed != each:
                odd.append(url_layer(changed))
                break
    if _CONTROL.search(plain):
        odd.append(_CONTROL.sub(b" ", plain))  # databases take them for blanks, others for nothing
    if plain.count(b"%") * 3 >= len(plain):
        odd.append(plain.replace(b"%", b""))  # ASP drops a percent sign that begins no escape
    return odd


def _with_base64(found: list[bytes], value: bytes) -> list[bytes]:
    if len(value) >= 16 and _BASE64.fullmatch(value):
        plain = _base64(value)
        if plain is not None:
            found.append(unescape(plain))
    return found
