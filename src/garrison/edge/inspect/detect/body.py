"""What a request carries, taken apart: names and values by where they stand, however the body is written.

A body is read as its type says, and also as what it looks like: an application may not care for the type. Forms, JSON, XML and
multipart (with its file names, and parts of parts) are known; anything else is one value. The work is linear, and bounded by
:data:`VALUES` values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any, Final, NamedTuple

VALUES: Final = 2000
"""Values that a body is taken apart into; the rest is looked at as one."""
DEPTH: Final = 64
_BOUNDARY = re.compile(rb"boundary\s*=\s*(?:\"([^\"]{1,200})\"|([^\s;,]{1,200}))", re.IGNORECASE)
_PARAMETER = re.compile(rb"(name|filename)(\*?)\s*=\s*(?:\"((?:[^\"\\]|\\.){0,2000})\"?|([^\s;]{0,2000}))", re.IGNORECASE)
_FORM = re.compile(rb"[^\s&=<>{}]{1,100}=")
_XML_TEXT = re.compile(rb">([^<]+)<")
_XML_ATTRIBUTE = re.compile(rb"\s([\w:.-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_CDATA = re.compile(rb"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_JSON_STRING = re.compile(rb"\"((?:[^\"\\]|\\.)*)\"")


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


def _walk(value: Any, name: bytes, depth: int) -> Iterator[Piece]:  # noqa: ANN401 - what JSON says
    if isinstance(value, dict):
        for key, inner in value.items():
            coded = key.encode("utf-8", "surrogatepass")
            yield Piece(b"", coded, kind="name")
            if depth:
                yield from _walk(inner, coded, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            if depth:
                yield from _walk(inner, name, depth - 1)
    elif isinstance(value, str):
        yield Piece(name, value.encode("utf-8", "surrogatepass"))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield Piece(name, str(value).encode() if isinstance(value, float) or abs(value) < 10**300 else b"")


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
    yield from _walk(parsed, b"", DEPTH)


def document_pieces(text: bytes) -> list[Piece] | None:
    """The pieces of an object of JSON, or a list of such; None for anything else."""
    try:
        parsed = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict) and not (isinstance(parsed, list) and any(isinstance(each, dict) for each in parsed)):
        return None
    return list(_walk(parsed, b"", DEPTH))[:VALUES]


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


def multipart_pieces(body: bytes, boundary: bytes, depth: int = 2) -> Iterator[Piece]:
    """The parts of a multipart body: names, file names, values, and files that are text."""
    for part in body.split(b"--" + boundary)[1:]:
        head, mark, content = part.partition(b"\r\n\r\n")
        if not mark:
            head, mark, content = part.partition(b"\n\n")
        if not mark:
            continue
        content = content.removesuffix(b"\r\n").removesuffix(b"\n")
        is_file = False
        name = b""
        for match in _PARAMETER.finditer(head):
            text = match[3] if match[3] is not None else match[4]
            if match[1].lower() == b"filename":
                is_file = True
                yield Piece(b"filename", text, kind="file")
            else:
                name = text
                yield Piece(b"", text, kind="name")
        inner = _BOUNDARY.search(head)
        if inner is not None and depth:
            yield from multipart_pieces(content, inner[1] or inner[2], depth - 1)
        elif not is_file:
            yield Piece(name, content)
        else:
            yield Piece(name, content, kind="binary" if _NO_TEXT.search(content[:512]) else "data")


_UTF16 = re.compile(rb"charset\s*=\s*\"?(utf-?16|utf-?7|utf-?32|ibm\d+|cp\d+)[a-z]*", re.IGNORECASE)


def _charset(content_type: bytes, body: bytes) -> bytes:
    """The body in UTF-8 where its type says, or its first bytes show, a charset that hides ASCII."""
    if body[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return body.decode("utf-16", "replace").encode()
    found = _UTF16.search(content_type)
    if found is None:
        return body
    try:
        return body.decode(found[1].decode(), "replace").encode()
    except LookupError:
        return body


def pieces(body: bytes, content_type: bytes) -> list[Piece]:
    """The names and values of a body."""
    body = _charset(content_type, body)
    kind = content_type.partition(b";")[0].strip().lower()
    found: list[Piece] = []
    for piece in _by_kind(body, kind, content_type):
        found.append(piece)
        if len(found) >= VALUES:
            found.append(Piece(b"", body))
            break
    return found


def _by_kind(body: bytes, kind: bytes, content_type: bytes) -> Iterator[Piece]:
    start = body[:64].lstrip(b" \t\r\n\xef\xbb\xbf")
    boundary = _BOUNDARY.search(content_type) if kind.startswith(b"multipart/") else None
    if boundary is not None:
        yield from multipart_pieces(body, boundary[1] or boundary[2])
    elif kind == b"application/x-www-form-urlencoded":
        yield from form_pieces(body)
        if start[:1] in b"{[" and start:
            yield from json_pieces(body)
    elif b"json" in kind or start[:1] == b"{" or (start[:1] == b"[" and b'"' in body):
        yield from json_pieces(body)
    elif b"xml" in kind or start.startswith(b"<?xml"):
        yield from xml_pieces(body)
    elif start.startswith(b"--") and b"form-data" in body:
        yield from multipart_pieces(body, start[2:].split(b"\n")[0].rstrip(b"\r"))
    elif not kind or (_FORM.match(body) and kind.startswith(b"text/")):
        yield from form_pieces(body)
    elif not kind.startswith((b"image/", b"video/", b"audio/", b"font/")):
        yield Piece(b"", body)
