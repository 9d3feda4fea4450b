"""One look at a whole request: every value in it, in every reading, held against every kind of attack.

Rules of managed groups ask the survey what was found of a kind in a part; the work is done once for a request, whichever rules
ask. A value is first scanned for what each detector could start from (one automaton for all), and only detectors that have
something to look at run. Short values are remembered: the headers of browsers repeat.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

import hyperscan as hs

from garrison.edge.inspect.detect import body as bodies
from garrison.edge.inspect.detect import code, java, libinjection, paths, php, shell, sql, urls, windows, xss
from garrison.edge.inspect.detect.normal import EVERYTHING, Gates, lengthy, readings, url_layer
from garrison.edge.inspect.patterns import Matcher, Pattern, PatternCache
from garrison.edge.inspect.remember import remembered
from garrison.edge.inspect.request import WebRequest


class Kind(StrEnum):
    """A kind of attack."""

    SQLI = "sqli"
    SQLI_WIDE = "sqli-wide"
    XSS = "xss"
    LFI = "lfi"
    HIDDEN = "hidden"
    RFI = "rfi"
    SSRF = "ssrf"
    SHELL = "shell"
    WINDOWS = "windows"
    POWERSHELL = "powershell"
    PHP = "php"
    JAVA = "java"
    CODE = "code"
    LOG4J = "log4j"
    REACT = "react"
    EXTENSION = "extension"


class Part(StrEnum):
    """Where in a request something stands."""

    PATH = "URI"
    QUERY = "ALL_QUERY_ARGS"
    COOKIE = "ALL_COOKIES"
    HEADER = "ALL_HEADERS"
    BODY = "BODY"


class Found(NamedTuple):
    """An attack: its kind, the bytes that show it, in which part, under which name."""

    kind: Kind
    matched: bytes
    part: Part
    name: bytes = b""


LONGEST: Final = 65536
REMEMBERED: Final = 256
"""Bytes of a value that is worth remembering."""
_MODULES: Final = (
    (Kind.SQLI, sql.GATES),
    (Kind.XSS, xss.GATES),
    (Kind.LFI, paths.GATES),
    (Kind.RFI, urls.GATES),
    (Kind.SHELL, shell.GATES),
    (Kind.WINDOWS, windows.GATES),
    (Kind.PHP, php.GATES),
    (Kind.JAVA, java.GATES),
    (Kind.CODE, code.GATES),
)
_KINDS: Final = tuple(kind for kind, gates in _MODULES for _ in gates)
_GATES: Final = tuple(gate for _, gates in _MODULES for gate in gates)
_IDS: Final = tuple(id(gate) for gate in _GATES)


class _Hot:
    """The gates that an automaton found in a text, told apart by identity.

    A set of expressions would do, but to hash one Python reads all of its program, which takes up to 8 µs, each time.
    """

    __slots__ = ("_ids",)

    def __init__(self, hits: Sequence[int]) -> None:
        self._ids = {_IDS[index] for index in hits}

    def __contains__(self, gate: object) -> bool:
        return id(gate) in self._ids


def _pattern(gate: re.Pattern[bytes]) -> Pattern:
    """The gate for the automaton, which takes a superset of what it matches."""
    flags = (
        hs.HS_FLAG_PREFILTER
        if b"(?<" in gate.pattern or b"(?=" in gate.pattern or b"(?!" in gate.pattern or b"*?" in gate.pattern
        else 0
    )
    if gate.flags & re.IGNORECASE:
        flags |= hs.HS_FLAG_CASELESS
    if gate.flags & re.DOTALL:
        flags |= hs.HS_FLAG_DOTALL
    return Pattern((b"(?x)" if gate.flags & re.VERBOSE else b"") + gate.pattern, flags)


_matchers: list[Matcher] = []


def prepare(cache: PatternCache | None = None) -> Matcher:
    """Compile the automaton of all gates, or load it from ``cache``: it takes seconds, so not when the first request comes."""
    if not _matchers:
        _matchers.append(Matcher([_pattern(gate) for _, listed in _MODULES for gate in listed], cache))
    return _matchers[0]


def gates() -> Matcher:
    """The automaton of all gates."""
    return _matchers[0] if _matchers else prepare()


def started(text: bytes) -> Gates:
    """What detectors could start from in ``text``."""
    return _Hot(gates().scan(text))


_SAFE_HEADERS: Final = frozenset(
    b"accept accept-encoding accept-language connection content-length content-type cache-control dnt "
    b"te priority pragma if-none-match "
    b"if-modified-since upgrade-insecure-requests sec-fetch-site sec-fetch-mode sec-fetch-dest "
    b"sec-fetch-user sec-ch-ua sec-ch-ua-mobile "
    b"sec-ch-ua-platform range cookie host transfer-encoding upgrade sec-websocket-key "
    b"sec-websocket-version sec-websocket-extensions keep-alive".split()
)
"""Headers whose grammar no attack of the kinds looked for keeps, but for what is looked for in :data:`_LOUD`."""
_UPLOAD_HEADERS: Final = frozenset({b"x-filename", b"x_filename", b"x.filename", b"x-file-name", b"x_file_name", b"x-file_name"})


def examine(value: bytes, *, kind: str, form: bool = False, name: bytes = b"") -> tuple[tuple[Kind, bytes], ...]:
    """What one value is an attack of, each with the bytes that show it.

    ``kind`` is ``text``, ``name`` (of an argument or key), ``file`` (a file's name), ``data`` (a file's content), ``path``,
    ``segment`` (of a path), ``header``, ``xml`` (a document) or ``binary`` (a file's content that is no text).
    """
    if len(value) <= REMEMBERED:
        return _remembered(value, kind, form, name[:40])
    return _inside(value[:LONGEST], kind, form, name)


@lru_cache(maxsize=8192)
def _remembered(value: bytes, kind: str, form: bool, name: bytes) -> tuple[tuple[Kind, bytes], ...]:  # noqa: FBT001 - a key of the cache
    return _inside(value, kind, form, name)


def _inside(value: bytes, kind: str, form: bool, name: bytes) -> tuple[tuple[Kind, bytes], ...]:  # noqa: FBT001 - as above
    """A value that is a document of JSON is what is in it; any other is itself."""
    if kind in {"text", "header"} and len(value) > 6:
        plain = url_layer(value.replace(b"+", b" ") if form else value)
        if plain[:1] + plain[-1:] in {b"{}", b"[]"} and b'"' in plain:
            pieces = bodies.document_pieces(plain)
            if pieces is not None:
                found: dict[Kind, bytes] = {}
                for piece in pieces:
                    look = _known_name if piece.kind == "name" and len(piece.value) <= REMEMBERED else _examine
                    for what, matched in look(piece.value, piece.kind, piece.form, piece.name):
                        found.setdefault(what, matched)
                return tuple(found.items())
    return _examine(value, kind, form, name)


def _examine(value: bytes, kind: str, form: bool, name: bytes) -> tuple[tuple[Kind, bytes], ...]:  # noqa: FBT001 - as above
    texts = readings(value, form=form) if kind != "binary" else [value]
    scan = gates().scan
    found: dict[Kind, bytes] = {}
    looked: _Value | None = None
    for text in texts:
        hits = scan(text)
        if hits or b"://" in text:
            looked = looked or _Value(kind, name, found)
            looked.hot = _Hot(hits)
            looked.look(text, {_KINDS[index] for index in hits})
    if kind == "file":
        _file(texts[-1], found)
    if kind == "name":
        match = code.lookup(texts[-1])
        if match is not None:
            found.setdefault(Kind.SQLI_WIDE, match)
    return tuple(found.items())


_known_name: Final = lru_cache(maxsize=8192)(_examine)
"""The names in documents are the same ones again and again."""


def _file(name: bytes, found: dict[Kind, bytes]) -> None:
    for kind, upload in ((Kind.PHP, php.upload), (Kind.JAVA, java.upload)):
        match = upload(name)
        if match is not None:
            found.setdefault(kind, match)
    if b"../" in name or b"..\\" in name:
        found.setdefault(Kind.LFI, name[:128])
    match = paths.hidden(b"/" + name.replace(b" ", b""))
    if match is not None:
        found.setdefault(Kind.LFI, match)


class _Value:
    """One reading of a value, on its way through the detectors that have something to look at."""

    __slots__ = ("alone", "found", "hot", "kind", "name")

    def __init__(self, kind: str, name: bytes, found: dict[Kind, bytes]) -> None:
        self.kind = kind
        self.name = name
        self.found = found
        self.hot: Gates = EVERYTHING
        self.alone = kind not in {"data", "xml", "binary"}

    def note(self, kind: Kind, matched: bytes | None) -> None:
        """Keep the first find of the kind."""
        if matched is not None and kind not in self.found:
            self.found[kind] = matched

    def look(self, text: bytes, hot: set[Kind]) -> None:
        """Hold ``text`` against the kinds in ``hot``."""
        for look in _LOOKS[self.kind]:
            look(self, text, hot)


def _sqli(value: _Value, text: bytes, hot: set[Kind]) -> None:
    if Kind.SQLI not in hot:
        return
    value.note(Kind.SQLI, sql.detect(text, hot=value.hot, scan=started))
    if Kind.SQLI not in value.found and injected(text):
        value.note(Kind.SQLI, text[:64])
    match = sql.NOSQL_KEYS.fullmatch(text) if value.kind == "name" else None
    value.note(Kind.SQLI, match.group() if match else None)


def _xss(value: _Value, text: bytes, hot: set[Kind]) -> None:
    if Kind.XSS in hot:
        value.note(Kind.XSS, xss.detect(text, value.hot))
        if value.kind == "header":
            value.note(Kind.XSS, xss.header(text))


def _document(value: _Value, text: bytes, hot: set[Kind]) -> None:
    if Kind.XSS in hot:
        value.note(Kind.XSS, xss.document(text, value.hot))


def _files(value: _Value, text: bytes, hot: set[Kind]) -> None:
    if Kind.LFI in hot:
        value.note(Kind.LFI, paths.detect(text, alone=value.alone and value.kind != "header", hot=value.hot))


def _requests(value: _Value, text: bytes, hot: set[Kind]) -> None:
    header = value.kind == "header"
    if Kind.RFI in hot and not lengthy(text):
        value.note(Kind.SSRF, urls.ssrf(text))
        if not (header and value.name in {b"origin", b"user-agent", b"referer"}):
            value.note(Kind.RFI, urls.rfi(text, value.name, alone=value.alone and not header))
    elif value.name and urls.included(text, value.name):
        value.note(Kind.RFI, text[:128])


def _metadata(value: _Value, text: bytes, hot: set[Kind]) -> None:
    if Kind.RFI in hot:
        value.note(Kind.SSRF, urls.ssrf(text))


def _commands(value: _Value, text: bytes, hot: set[Kind]) -> None:
    if Kind.SHELL in hot:
        value.note(Kind.SHELL, shell.detect(text, alone=value.alone, start=value.kind != "path", hot=value.hot, scan=started))
    if Kind.WINDOWS in hot:
        value.note(Kind.WINDOWS, windows.detect(text, alone=value.alone, hot=value.hot, scan=started))
        value.note(Kind.POWERSHELL, windows.powershell(text, alone=value.alone, hot=value.hot))


def _programs(value: _Value, text: bytes, hot: set[Kind]) -> None:
    if Kind.PHP in hot:
        value.note(Kind.PHP, php.detect(text, alone=value.alone and value.kind != "path", hot=value.hot, scan=started))
    if Kind.CODE in hot:
        value.note(Kind.CODE, code.detect(text, alone=value.alone, hot=value.hot))


def _server_page(value: _Value, text: bytes, hot: set[Kind]) -> None:
    if Kind.PHP in hot:
        value.note(Kind.PHP, php.hidden(text))


def _java(value: _Value, text: bytes, hot: set[Kind]) -> None:
    if Kind.JAVA in hot:
        value.note(Kind.JAVA, java.detect(text, alone=value.alone, hot=value.hot))
        value.note(Kind.LOG4J, java.log4j(text))


_Look = Callable[[_Value, bytes, set[Kind]], None]
_REST: Final[tuple[_Look, ...]] = (_files, _requests, _commands, _programs, _java)
_LOOKS: Final[Mapping[str, tuple[_Look, ...]]] = {
    "text": (_sqli, _xss, *_REST),
    "name": (_sqli, _xss, *_REST),
    "file": (_sqli, _xss, *_REST),
    "header": (_sqli, _xss, *_REST),
    "path": (_xss, *_REST),
    "segment": (_sqli, _programs),
    "data": (_files, _metadata, _commands, _programs, _java),
    "binary": (_server_page,),
    "xml": (_document, _metadata, _java),
}
"""What a value of each kind is held against."""


_STATED = re.compile(rb"[;'\"(=]|--")
_COMPARED = re.compile(rb"\d.*[='#]|[='].*\d|\d.*--", re.DOTALL)
_EVIDENCE = re.compile(rb"[\d(),;=*#|&<>@]|--")


def injected(text: bytes) -> bool:
    """Whether libinjection sees SQL in a value that does not run as prose does."""
    fingerprint = libinjection.sqli(text)
    if fingerprint is None:
        return False
    if _EVIDENCE.search(text) is None:
        return False
    strong = (
        set(fingerprint) & set(b"UEc")
        or (84 in fingerprint and _STATED.search(text) is not None)
        or (38 in fingerprint and 49 in fingerprint and _COMPARED.search(text) is not None)
        or fingerprint in {b"sos", b"s&s"}
    )
    return bool(strong) and len(text) < 400 and b"\n" not in text.strip() and not sql.prose(text)


_Results = tuple[tuple[Kind, bytes], ...]


@remembered
def _path(path: bytes) -> _Results:
    """What a path is an attack of, whole and by its segments, and what it asks for that no visitor should."""
    found = list(examine(path, kind="path"))
    for text in readings(path):
        hidden = paths.hidden(text)
        if hidden is not None:
            found.append((Kind.HIDDEN, hidden))
        extension = paths.EXTENSIONS.search(text)
        if extension is not None:
            found.append((Kind.EXTENSION, extension.group()))
    if b"%" in path or b"'" in path or b"(" in path:
        for each in path.split(b"/"):
            if each:
                found.extend(examine(each, kind="segment"))
    return tuple(found)


_HEADER_REMEMBERED: Final = 512
"""Bytes of a header, its name and value, that is worth remembering."""


def _header(name: bytes, value: bytes) -> _Results:
    """What a header is an attack of, but for cookies, which are examined one by one."""
    if name in _SAFE_HEADERS:
        return examine(value, kind="header", name=name) if _loud(value) else ()
    if name == b"referer" and value[:8].lower().startswith((b"http://", b"https://")):
        return tuple(_referer(value))
    results = examine(value, kind="header", name=name)
    return results + examine(value, kind="file") if name in _UPLOAD_HEADERS else results


_known_header: Final = lru_cache(maxsize=4096)(_header)


def _loud(value: bytes) -> bool:
    signs = (b"${", b"rO0", b"<", b"../", b"'")
    return any(sign in value for sign in signs) or b"%24%7" in value.lower()


def _referer(value: bytes) -> Iterator[tuple[Kind, bytes]]:
    rest, _, fragment = value.partition(b"#")
    where, _, query = rest.partition(b"?")
    for text in (b"/" + where.partition(b"://")[2].partition(b"/")[2], fragment):
        if text:
            yield from examine(text, kind="path")
    if not where.partition(b"://")[2].partition(b"/")[0].replace(b"-", b"").replace(b".", b"").replace(b":", b"").isalnum():
        yield from examine(where, kind="header", name=b"referer")
    for part in query.split(b"&"):
        name, _, text = part.partition(b"=")
        for each in (name, text):
            if each:
                yield from examine(each, kind="text", form=True, name=b"referer")


class Survey:
    """What was found in one request."""

    __slots__ = ("found",)

    def __init__(self, request: WebRequest, body_limit: int) -> None:
        self.found: dict[tuple[Kind, Part], Found] = {}
        self._path(request)
        self._query(request)
        self._headers(request)
        if request.body:
            self._body(request, body_limit)

    def get(self, kind: Kind, part: Part) -> Found | None:
        """What was found of the kind in the part."""
        return self.found.get((kind, part))

    def _note(self, part: Part, name: bytes, results: tuple[tuple[Kind, bytes], ...]) -> None:
        for kind, matched in results:
            self.found.setdefault((kind, part), Found(kind, matched, part, name[:64]))

    def _path(self, request: WebRequest) -> None:
        results = _path(request.path)
        if results:
            self._note(Part.PATH, b"", results)

    def _query(self, request: WebRequest) -> None:
        if not request.query:
            return
        for name, value in request.arguments:
            if name:
                self._note(Part.QUERY, name, examine(name, kind="name", form=True))
            if value:
                self._note(Part.QUERY, name, examine(value, kind="text", form=True, name=name))
                extension = paths.EXTENSIONS.search(value)
                if extension is not None and b"+" not in value and b"%20" not in value:
                    self._note(Part.QUERY, name, ((Kind.EXTENSION, extension.group()),))
        if len(request.arguments) > 1 and (b";" in request.query or b"%26" in request.query or b"|" in request.query):
            self._note(
                Part.QUERY, b"", tuple(each for each in examine(request.query, kind="text", form=True) if each[0] is Kind.WINDOWS)
            )

    def _headers(self, request: WebRequest) -> None:
        for name, value in request.lowered:
            if name == b"cookie":
                continue
            results = _known_header(name, value) if len(name) + len(value) <= _HEADER_REMEMBERED else _header(name, value)
            if results:
                self._note(Part.HEADER, name, results)
        for name, value in request.cookies:
            if name:
                self._note(Part.COOKIE, name, examine(name, kind="name"))
            if value:
                self._note(Part.COOKIE, name, examine(value.strip(b'"'), kind="text", name=name))

    def _body(self, request: WebRequest, body_limit: int) -> None:
        content_type = request.header(b"content-type") or b""
        body = request.body[:body_limit]
        for piece in bodies.pieces(body, content_type):
            self._note(Part.BODY, piece.name, examine(piece.value, kind=piece.kind, form=piece.form, name=piece.name))
        match = code.react(body) if b"$" in body else None
        if match is not None:
            self._note(Part.BODY, b"", ((Kind.REACT, match),))
