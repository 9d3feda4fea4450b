"""The variables of SecRules out of a request: names and values, once for a request, whichever rules ask.

As ModSecurity's reference manual describes them: arguments and the path are decoded once before a rule's own transformations,
headers and cookies are not. A body is read as its type says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from garrison.edge.inspect.decoding import url_decode
from garrison.edge.inspect.detect.body import Piece, multipart_pieces
from garrison.edge.inspect.jsonbody import parse
from garrison.edge.inspect.request import WebRequest, parse_arguments

BOUNDARY: Final = re.compile(rb"boundary\s*=\s*(?:\"([^\"]{1,200})\"|([^\s;,]{1,200}))", re.IGNORECASE)
VALUES: Final = 2000
"""Values of a body; more are not looked at one by one."""
_TAG: Final = re.compile(rb"<!--.*?-->|<!\[CDATA\[(.*?)\]\]>|<[^>]*>", re.DOTALL)
_ATTRIBUTE: Final = re.compile(rb"\s[\w:.-]+\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_PART_HEADER: Final = re.compile(rb"^[\w-]+:[^\r\n]*", re.MULTILINE)
_NAMED: Final = re.compile(rb"name\s*=\s*\"?([^\";\r\n]*)", re.IGNORECASE)


class Value(NamedTuple):
    """A value: its own name, and where AWS's log would say that it stands."""

    name: bytes
    value: bytes
    location: str


Values = list[Value]
_CONTENT: Final = frozenset({"data", "binary"})


class Variables:
    """The variables of one request. ``processor`` is how its body is read, as ModSecurity names it; empty for not at all."""

    __slots__ = ("_found", "body", "processor", "request")

    def __init__(self, request: WebRequest, body_limit: int) -> None:
        self.request = request
        self.body = request.body[:body_limit]
        self._found: dict[str, Values] = {}
        content_type = (request.header(b"content-type") or b"").lower()
        self.processor: bytes = next((name for mark, name in _PROCESSORS if mark in content_type), b"") if self.body else b""

    def get(self, collection: str) -> Values:
        """The values of a collection."""
        found = self._found.get(collection)
        if found is None:
            found = self._found[collection] = _COLLECTIONS[collection](self)
        return found

    def boundary(self) -> bytes | None:
        """What parts of a multipart body stand between."""
        found = BOUNDARY.search(self.request.header(b"content-type") or b"") if self.processor == b"MULTIPART" else None
        return None if found is None else found[1] or found[2]

    def parts(self) -> Iterator[Piece]:
        """The names, files and values of a multipart body."""
        boundary = self.boundary()
        return iter(()) if boundary is None else islice(multipart_pieces(self.body, boundary), VALUES)


def _args_get(of: Variables) -> Values:
    return [Value(url_decode(name), url_decode(value), "ALL_QUERY_ARGS") for name, value in of.request.arguments]


def _args_post(of: Variables) -> Values:
    if of.processor == b"URLENCODED":
        return [Value(url_decode(name), url_decode(value), "BODY") for name, value in parse_arguments(of.body)[:VALUES]]
    if of.processor == b"JSON":
        return [Value(b"json", each, "BODY") for each in parse(of.body).values[:VALUES]]
    return [Value(each.name, each.value, "BODY") for each in of.parts() if each.kind == "text"]


def _post_names(of: Variables) -> Values:
    if of.processor == b"JSON":
        return [Value(b"json." + each, b"json." + each, "BODY") for each in parse(of.body).keys[:VALUES]]
    return _names(of.get("ARGS_POST"))


def _file_names(of: Variables) -> Values:
    """The names of the fields that files were sent in."""
    name = b""
    found: Values = []
    for each in of.parts():
        if each.kind == "name":
            name = each.value
        elif each.kind == "file":
            found.append(Value(name, name, "BODY"))
    return found


def _part_headers(of: Variables) -> Values:
    boundary = of.boundary()
    if boundary is None:
        return []
    found: Values = []
    for part in of.body.split(b"--" + boundary)[1 : VALUES + 1]:
        head = part.partition(b"\r\n\r\n")[0] if b"\r\n\r\n" in part else part.partition(b"\n\n")[0]
        name = _NAMED.search(head)
        found += [Value(name[1] if name else b"", line, "BODY") for line in _PART_HEADER.findall(head)]
    return found


def _xml(of: Variables) -> Values:
    return _one(_TAG.sub(lambda found: found[1] or b"", of.body), "BODY") if of.processor == b"XML" else []


def _xml_attributes(of: Variables) -> Values:
    found = islice(_ATTRIBUTE.finditer(of.body), VALUES) if of.processor == b"XML" else ()
    return [Value(b"", each[1] or each[2] or b"", "BODY") for each in found]


def _line(of: Variables) -> Values:
    request = of.request
    return _one(b"%s %s %s" % (request.method.encode(), request.target, request.http_version.encode()), "URI")


def _path(of: Variables) -> bytes:
    # A plus is no blank in a path.
    return url_decode(of.request.path.replace(b"+", b"%2B"))


def _size(of: Variables, *collections: str) -> Values:
    return _one(b"%d" % sum(len(each.value) for name in collections for each in of.get(name)), "BODY")


_PROCESSORS: Final = (
    (b"x-www-form-urlencoded", b"URLENCODED"),
    (b"multipart/form-data", b"MULTIPART"),
    (b"json", b"JSON"),
    (b"xml", b"XML"),
)


def _one(value: bytes, location: str) -> Values:
    return [Value(b"", value, location)]


def _names(values: Values) -> Values:
    return [Value(each.name, each.name, each.location) for each in values]


_COLLECTIONS: Final[Mapping[str, Callable[[Variables], Values]]] = {
    "ARGS": lambda of: of.get("ARGS_GET") + of.get("ARGS_POST"),
    "ARGS_NAMES": lambda of: of.get("ARGS_GET_NAMES") + of.get("ARGS_POST_NAMES"),
    "ARGS_GET": _args_get,
    "ARGS_GET_NAMES": lambda of: _names(of.get("ARGS_GET")),
    "ARGS_POST": _args_post,
    "ARGS_POST_NAMES": _post_names,
    "ARGS_COMBINED_SIZE": lambda of: _size(of, "ARGS", "ARGS_NAMES"),
    "REQUEST_COOKIES": lambda of: [Value(name, value, "ALL_COOKIES") for name, value in of.request.cookies],
    "REQUEST_COOKIES_NAMES": lambda of: _names(of.get("REQUEST_COOKIES")),
    "REQUEST_HEADERS": lambda of: [Value(name, value, "HEADER") for name, value in of.request.headers],
    "REQUEST_HEADERS_NAMES": lambda of: _names(of.get("REQUEST_HEADERS")),
    "REQUEST_METHOD": lambda of: _one(of.request.method.encode(), "METHOD"),
    "REQUEST_PROTOCOL": lambda of: _one(of.request.http_version.encode(), "METHOD"),
    "REQUEST_LINE": _line,
    "REQUEST_URI": lambda of: _one(of.request.target, "URI"),
    "REQUEST_URI_RAW": lambda of: _one(of.request.target, "URI"),
    "REQUEST_FILENAME": lambda of: _one(_path(of), "URI"),
    "REQUEST_BASENAME": lambda of: _one(_path(of).rpartition(b"/")[2], "URI"),
    "QUERY_STRING": lambda of: _one(of.request.query, "QUERY_STRING"),
    "REQUEST_BODY": lambda of: _one(of.body, "BODY") if of.body else [],
    "REQBODY_PROCESSOR": lambda of: _one(of.processor, "BODY"),
    "FILES": lambda of: [Value(each.name, each.value, "BODY") for each in of.parts() if each.kind == "file"],
    "FILES_NAMES": _file_names,
    "FILES_COMBINED_SIZE": lambda of: _one(b"%d" % sum(len(each.value) for each in of.parts() if each.kind in _CONTENT), "BODY"),
    "MULTIPART_PART_HEADERS": _part_headers,
    "XML:/*": _xml,
    "XML://@*": _xml_attributes,
    "REMOTE_ADDR": lambda of: _one(of.request.source_ip.encode(), "CLIENT_IP"),
}
