"""What a request carries, taken apart: names and values by where they stand, however the body is written.

A body is read as its type says, and also as what it looks like: an application may not care for the type. Forms, JSON, XML and
multipart (with its file names, and parts of parts) are known; anything else is one value. Where two parsers could read a body in
two ways, both readings are given, and every byte of a multipart body is in some piece. The work is linear, and bounded by
:data:`VALUES` values, and as many again of those that are more than a word.
"""

from __future__ import annotations

import binascii
import codecs
import json
import re
from collections.abc import Iterable, Iterator
from html import unescape
from itertools import islice
from typing import Any, Final, NamedTuple

VALUES: Final = 2000
"""Values that a body is taken apart into; of those behind them only what is more than a word."""
REST: Final = 4000
"""Values behind :data:`VALUES`; what follows is looked at as one."""
BOUNDARIES: Final = 4
"""Readings of a boundary that are followed."""
_BOUNDARY = re.compile(rb"boundary\s*=\s*(?:\"([^\"]{1,200})\"|([^\s;,]{1,200}))", re.IGNORECASE)
_PARAMETER = re.compile(rb";\s*([^\s=;\"]{1,100})\s*=\s*(?:\"((?:[^\"\\]|\\.)*+)(?:\"|\\?\Z)|([^;]*))", re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_LINE_END = re.compile(rb"\r\n|\n|\r")
_FOLD = re.compile(rb"(?:\r\n|\n|\r)[ \t]+")
_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\r?\n|\r\r")
_FORM = re.compile(rb"[^\s&=<>{}]{1,100}=")
_TEXT = re.compile(rb"[\t\r\n\x20-\x7e]*")
_WORD = re.compile(rb"[\w.-]{0,64}", re.ASCII)
_XML_TEXT = re.compile(rb">([^<]+)")
_XML_ATTRIBUTE = re.compile(rb"\s([\w:.-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_CDATA = re.compile(rb"<!\[CDATA\[(.*?)(?:\]\]>|\Z)", re.DOTALL)
_JSON_STRING = re.compile(rb"\"((?:[^\"\\]|\\.)*+)(?:\"|\\?\Z)", re.DOTALL)
"""A string, or what there is of the last one: an expression that could fail would be tried from each quote to the end."""


_NO_TEXT = re.compile(rb"\0|(?:[\x01-\x08\x0e-\x1a\x1c-\x1f][^\x01-\x08\x0e-\x1a\x1c-\x1f]{0,60}){5}")
"""What the beginning of a file has that is no text: a zero byte, or many control characters."""


class Piece(NamedTuple):
    """A name or value of a body. ``form`` says that ``+`` is a blank in it; ``kind`` is as :func:`survey.examine` takes it."""

    name: bytes
    value: bytes
    form: bool = False
    kind: str = "text"


def form_pieces(body: bytes) -> Iterator[Piece]:
    """A form's names and values."""
    for part in body.split(b"&"):
        name, mark, value = part.partition(b"=")
        if not mark:
            yield Piece(b"", part, form=True)
            continue
        yield Piece(b"", name, form=True, kind="name")
        if value:
            yield Piece(name, value, form=True)


def _walk(root: Any) -> Iterator[Piece]:  # noqa: ANN401 - what JSON says
    """Keys and scalars, in order, however deep: what nests deeper than an application reads may nest less to another."""
    stack: list[tuple[bytes, Any]] = [(b"", root)]
    while stack:
        name, value = stack.pop()
        if isinstance(value, _Key):
            yield Piece(b"", name, kind="name")
        elif isinstance(value, dict):
            for key, inner in reversed(value.items()):
                coded = key.encode("utf-8", "surrogatepass")
                stack += ((coded, inner), (coded, _KEY))
        elif isinstance(value, list):
            stack.extend((name, inner) for inner in reversed(value))
        elif isinstance(value, str):
            yield Piece(name, value.encode("utf-8", "surrogatepass"))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield Piece(name, str(value).encode() if isinstance(value, float) or abs(value) < 10**300 else b"")


class _Key:
    """Stands on the stack for a key's own name."""


_KEY: Final = _Key()


class _Object(dict[str, Any]):
    """A JSON object that keeps every value of a repeated key: an application may take any of them."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = _Object()
    for key, value in pairs:
        made[key] = [made[key], value] if key in made else value
    return made


def json_pieces(body: bytes) -> Iterator[Piece]:
    """The keys, strings and numbers of JSON; of broken or cut JSON every string in it."""
    try:
        parsed = json.loads(body, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        for match in _JSON_STRING.finditer(body):
            yield Piece(b"", _lenient(match[1]))
        yield Piece(b"", body)
        return
    yield from _walk(parsed)


def document_pieces(text: bytes) -> list[Piece] | None:
    """The pieces of an object of JSON, or a list of such; None for anything else."""
    try:
        parsed = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict) and not (isinstance(parsed, list) and any(isinstance(each, dict) for each in parsed)):
        return None
    return list(islice(_walk(parsed), VALUES + REST))


def _lenient(text: bytes) -> bytes:
    try:
        return str(json.loads(b'"' + text + b'"')).encode("utf-8", "surrogatepass")
    except ValueError:
        return text


def xml_pieces(body: bytes) -> Iterator[Piece]:
    """Text, attributes and CDATA of XML, and the document itself for what its declarations do."""
    head = body[:400]
    if b"<!" in body or b"<?" in head:
        yield Piece(b"", body, kind="xml")
    for match in _CDATA.finditer(body):
        yield Piece(b"", match[1])
    for match in _XML_ATTRIBUTE.finditer(body):
        yield Piece(match[1], _entities(match[2] or match[3] or b""))
    for match in _XML_TEXT.finditer(body):
        if match[1].strip():
            yield Piece(b"", _entities(match[1]))


def _entities(text: bytes) -> bytes:
    return unescape(text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape") if b"&" in text else text


def parameters(value: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The parameters of a header's value: names in lower case, values without quotes, escapes as they are."""
    for match in _PARAMETER.finditer(value):
        yield match[1].lower(), match[3].strip() if match[2] is None else match[2]


def _unescaped(text: bytes) -> list[bytes]:
    """The text, and as it is without escapes, which old browsers do not make of a backslash."""
    return [text, _ESCAPED.sub(rb"\1", text)] if b"\\" in text else [text]


def boundaries(content_type: bytes, body: bytes) -> list[bytes]:
    """The boundaries that parsers could take a multipart body to have: as declared, in each reading, and as the body begins."""
    declared = [text for name, value in parameters(content_type) if name == b"boundary" for text in _unescaped(value)]
    loose = [match[1] or match[2] for match in _BOUNDARY.finditer(content_type)]
    start = body[:512].lstrip(b"\r\n")
    begun = [_LINE_END.split(start[2:], maxsplit=1)[0].rstrip()] if start.startswith(b"--") else []
    found = [each for each in dict.fromkeys((*begun, *declared, *loose)) if each and b"--" + each in body]
    half = BOUNDARIES // 2  # of many a parser takes the first or the last
    return found if len(found) <= BOUNDARIES else found[:half] + found[-half:]


def multipart_pieces(body: bytes, boundary: bytes, depth: int = 2) -> Iterator[Piece]:
    """The parts of a multipart body: names, file names, values, and files that are text; what is in no part too.

    A boundary counts at the beginning of a line, after whatever end of a line: text that a stricter parser sees no boundary in
    is in one of the pieces, and so is text that a laxer one takes for a part.
    """
    before, *parts = re.split(rb"(?:\A|(?<=[\r\n]))--" + re.escape(boundary), body)
    if before.strip():
        yield Piece(b"", before)
    for part in parts:
        blank = _BLANK_LINE.search(part)
        if blank is None:
            if part.strip() not in {b"", b"--"}:
                yield Piece(b"", part)
            continue
        yield from _part(_FOLD.sub(b" ", part[: blank.start()]), _without_end(part[blank.end() :]), depth)


def _without_end(content: bytes) -> bytes:
    return content.removesuffix(b"\n").removesuffix(b"\r")


def _part(head: bytes, content: bytes, depth: int) -> Iterator[Piece]:
    names: list[bytes] = []
    files: list[bytes] = []
    by_name = {b"content-type": b"", b"content-transfer-encoding": b""}
    dispositions = 0
    for line in _LINE_END.split(head):
        title, colon, value = line.partition(b":")
        title = title.strip().lower()
        if title == b"content-disposition":
            dispositions += 1
            for key, text in parameters(value):
                listed = files if key.startswith(b"filename") else names if key.partition(b"*")[0] == b"name" else None
                if listed is None:
                    yield Piece(b"", text, kind="header")
                else:
                    listed.append(text if key in {b"name", b"filename"} else b"*" + text)
        elif title in by_name:
            by_name[title] = value.strip()
            yield Piece(b"", value.strip(), kind="header")
        elif line.strip(b"- \t"):
            yield Piece(b"", value.strip() if colon else line, kind="header")
    for listed_as, title, kind in ((names, b"", "name"), (files, b"filename", "file")):
        for text in listed_as:
            yield from (Piece(title, each, kind=kind) for each in _unescaped(text.removeprefix(b"*")))
    is_file = dispositions == 1 and b'\\"' not in head and _is_file(files)
    yield from _content(names[0] if names else b"", content, by_name, is_file=is_file, depth=depth)


def _is_file(names: list[bytes]) -> bool:
    """Whether every parser takes a part for a file: one without a name is a value in Go, ``filename*`` says nothing in PHP."""
    plain = [each for each in names if not each.startswith(b"*")]
    return len(plain) == 1 and bool(plain[0].strip())


def _content(name: bytes, content: bytes, by_name: dict[bytes, bytes], *, is_file: bool, depth: int) -> Iterator[Piece]:
    kind = by_name[b"content-type"]
    for inner in boundaries(kind, content) if depth and kind[:10].lower() == b"multipart/" else ():
        yield from multipart_pieces(content, inner, depth - 1)
    if is_file:
        yield Piece(name, content, kind="binary" if _NO_TEXT.search(content[:512]) else "data")
        return
    yield Piece(name, content)
    for text in (*_transferred(content, by_name[b"content-transfer-encoding"]), *decoded(content, kind)):
        yield Piece(name, text)


def _transferred(content: bytes, coding: bytes) -> list[bytes]:
    """The content without its transfer encoding (RFC 2045, 6), which some parsers undo."""
    try:
        if coding.lower() == b"base64":
            return [binascii.a2b_base64(content)]
        if coding.lower() == b"quoted-printable":
            return [binascii.a2b_qp(content)]
    except binascii.Error:
        pass
    return []


_CHARSET = re.compile(rb"(?:charset|encoding)\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_HIDING = re.compile(r"utf-?(?:7|16|32).*|.*unicode.*|.*ucs-?[24].*|(?:cs|x-)?(?:ibm|cp)-?\d+|.*ebcdic.*|hz.*|iso-?2022.*")
"""Names of charsets in which ASCII is not written as ASCII, in lower case and without underscores."""
_NAMED: Final = {"ebcdic-cp-us": "cp037", "ebcdic-cp-ca": "cp037", "ebcdic-cp-nl": "cp037", "ebcdic-cp-wt": "cp037"}
_EBCDIC_XML: Final = "<?xm".encode("cp037")


def _codecs(name: str) -> tuple[str, ...]:
    """The codecs that a charset's name stands for; without an order of bytes both, as languages do not agree on the default."""
    if re.search(r"16-?le|unicodelittle", name):
        return ("utf-16-le",)
    if re.search(r"16-?be|unicodebig", name):
        return ("utf-16-be",)
    if "7" in name and ("utf" in name or "unicode" in name):
        return ("utf-7",)
    if "32" in name or "ucs-4" in name or "ucs4" in name:
        return ("utf-32-le", "utf-32-be")
    if "16" in name or "ucs" in name or "unicode" in name:
        return ("utf-16-le", "utf-16-be")
    number = re.search(r"(?:ibm|cp)-?(\d+)", name)
    return (f"cp{number[1]}",) if number else (_NAMED.get(name, name),)


def _shown(text: bytes) -> tuple[str, ...]:
    """The codecs that the first bytes show, whatever is declared."""
    if text.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return ("utf-32",)
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ("utf-16",)
    if text.startswith(_EBCDIC_XML):
        return ("cp037",)
    start = text[:64]
    if start.count(0) * 3 < len(start):
        return ()
    return ("utf-32-le", "utf-32-be") if start.count(0) * 3 > 2 * len(start) else ("utf-16-le", "utf-16-be")


def decoded(text: bytes, content_type: bytes) -> list[bytes]:
    """The text in UTF-8, in each charset that hides ASCII and that its type, its declaration as XML, or its first bytes show."""
    found = _shown(text)
    for match in (_CHARSET.search(content_type), _CHARSET.search(text[:200]) if b"<?xml" in text[:64] else None):
        name = match[1].decode().lower().replace("_", "-") if match else ""
        if _HIDING.fullmatch(name):
            found += _codecs(name)
    made: list[bytes] = []
    for codec in dict.fromkeys(found):
        try:
            made.append(text.decode(codec, "replace").encode("utf-8", "surrogatepass"))
        except (LookupError, UnicodeError):
            continue
    return [each for each in dict.fromkeys(made) if each != text]


def pieces(body: bytes, content_type: bytes) -> list[Piece]:
    """The names and values of a body, in its own bytes, and in the charset that hides ASCII where there is one.

    Both: some applications do as a declaration says, and some do not read it.
    """
    kind = content_type.partition(b";")[0].strip().lower()
    readings = (body, *decoded(body, content_type))
    return _bounded((piece for each in readings for piece in _by_kind(each, kind, content_type)), body)


def _bounded(found: Iterable[Piece], body: bytes) -> list[Piece]:
    source = iter(found)
    kept = list(islice(source, VALUES))
    more = [each for each in source if _WORD.fullmatch(each.value) is None]
    if len(more) > REST:
        rest = b"\n".join(each.value for each in more[REST:])
        return [*kept, *more[:REST], Piece(b"", rest), Piece(b"", body)]
    return [*kept, *more]


def _by_kind(body: bytes, kind: bytes, content_type: bytes) -> Iterable[Piece]:
    start = body[:64].lstrip(b" \t\r\n\xef\xbb\xbf")
    if kind.startswith(b"multipart/") or (start.startswith(b"--") and b"form-data" in body):
        return _multipart(body, content_type)
    if kind == b"application/x-www-form-urlencoded":
        return (*form_pieces(body), *(json_pieces(body) if start[:1] in {b"{", b"["} else ()))
    if b"json" in kind or start[:1] == b"{" or (start[:1] == b"[" and b'"' in body):
        return json_pieces(body)
    if b"xml" in kind or start.startswith(b"<?xml"):
        return xml_pieces(body)
    if not kind or (_FORM.match(body) and (kind.startswith(b"text/") or _TEXT.fullmatch(body, 0, 512))):
        return form_pieces(body)
    return () if kind.startswith((b"image/", b"video/", b"audio/", b"font/")) else (Piece(b"", body),)


def _multipart(body: bytes, content_type: bytes) -> Iterator[Piece]:
    found = boundaries(content_type, body)
    for boundary in found:
        yield from multipart_pieces(body, boundary)
    if not found:
        yield Piece(b"", body)
