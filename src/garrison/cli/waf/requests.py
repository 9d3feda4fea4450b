"""Requests from files: recordings of browsers (HAR), access logs, and requests as they are on the wire."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from garrison.cli.waf.jsonlines import FileError, elements, read_bytes, read_text
from garrison.edge.inspect import WebRequest

DEFAULT_IP: Final = "127.0.0.1"
VERSIONS: Final[Mapping[str, str]] = {"h2": "HTTP/2.0", "http/2": "HTTP/2.0", "h3": "HTTP/3.0", "http/3": "HTTP/3.0"}
_METHOD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROLS: Final = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class Sourced:
    """A request, and where it stands: ``site.har:120``."""

    where: str
    request: WebRequest
    expected: str = ""
    """``allow`` or ``block`` where its folder says so."""


@dataclass(slots=True)
class Source:
    """What was read, and what was not: ``left_out`` counts by reason what is no request to inspect."""

    hosts: frozenset[str] = frozenset()
    """Only requests to these; all where there are none."""
    source_ip: str = DEFAULT_IP
    left_out: dict[str, int] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    """What the files do not have of requests that are inspected all the same."""

    def leave(self, reason: str) -> None:
        """Count something that is no request to inspect."""
        self.left_out[reason] = self.left_out.get(reason, 0) + 1

    def lacks(self, what: str) -> None:
        """Count a part of a request that is not in its file."""
        self.missing[what] = self.missing.get(what, 0) + 1

    # HAR 1.2, as browsers write it

    def har(self, path: Path) -> Iterator[Sourced]:
        """The requests of a recording. Raises FileError naming file and line."""
        for number, each in enumerate(elements(read_text(path), path, "log", "entries"), 1):
            where = f"{path}:{each.line}"
            try:
                found = self._entry(each.value)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                what = f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)
                raise FileError(f"{where}: entry {number} is no request of a HAR: {what}") from error
            if found is not None:
                yield Sourced(where, found)

    def _entry(self, entry: Mapping[str, Any]) -> WebRequest | None:
        spec = entry["request"]
        url = urlsplit(str(spec["url"]).strip())
        if url.scheme not in {"http", "https", "ws", "wss"}:
            self.leave(f"an address of `{url.scheme}:`")
            return None
        headers, pseudo = _har_headers(spec)
        host = pseudo.get(":authority") or _value(headers, "host") or url.netloc.rpartition("@")[2]
        if self.hosts and _host(host) not in self.hosts:
            self.leave("another host")
            return None
        if _value(headers, "host") is None:
            headers.insert(0, ("Host", host))
        if _value(headers, "cookie") is None and spec.get("cookies"):
            headers.append(("Cookie", "; ".join(f"{each['name']}={each['value']}" for each in spec["cookies"])))
        body = self._har_body(spec)
        size = spec.get("bodySize")
        if isinstance(size, int) and size > 0 and not body:
            self.lacks("the body")
        target = url.path or "/"
        target += f"?{url.query}" if url.query else ""
        version = str(spec.get("httpVersion") or "HTTP/1.1")
        return WebRequest(
            _method(str(spec["method"])),
            target.encode(),
            [(name.encode(), value.encode()) for name, value in headers],
            body,
            source_ip=self.source_ip,
            body_size=max(len(body), size) if isinstance(size, int) else len(body),
            http_version=VERSIONS.get(version.lower(), version.upper()),
            scheme="https" if url.scheme in {"https", "wss"} else "http",
            host=host,
            time=_moment(str(entry["startedDateTime"])),
        )

    @staticmethod
    def _har_body(spec: Mapping[str, Any]) -> bytes:
        data = spec.get("postData")
        if not data:
            return b""
        text = data.get("text")
        if text is None:
            return urlencode([(each["name"], each.get("value") or "") for each in data.get("params") or ()]).encode()
        if data.get("encoding") == "base64" or data.get("_encoding") == "base64":
            return base64.b64decode(text, validate=True)
        return str(text).encode("utf-8", "surrogatepass")

    # Access logs in the combined format

    def access_log(self, path: Path) -> Iterator[Sourced]:
        """The requests of a log. Raises FileError naming the first line that is of another format."""
        for number, line in enumerate(read_bytes(path).split(b"\n"), 1):
            text = line.decode("utf-8", "surrogateescape").rstrip("\r")
            if not text.strip():
                continue
            matched = _COMBINED.match(text)
            if matched is None:
                raise FileError(f"{path}:{number}: this is no line of the combined or common log format: `{_shown(text)}`")
            found = self._line(matched)
            if found is not None:
                yield Sourced(f"{path}:{number}", found)

    def _line(self, line: re.Match[str]) -> WebRequest | None:
        words = _unescaped(line["request"])
        method, _, rest = words.partition(b" ")
        target, _, version = rest.rpartition(b" ")
        if not target or not version.startswith(b"HTTP/") or not _NAME.fullmatch(method):
            self.leave("what was no HTTP request")
            return None
        host = line["vhost"] or ""
        if self.hosts and _host(host) not in self.hosts:
            self.leave("another host")
            return None
        headers = [(b"Host", host.encode())] if host else []
        for name, value in ((b"User-Agent", line["agent"]), (b"Referer", line["referer"])):
            if value is not None and value != "-":
                headers.append((name, _unescaped(value)))
        return WebRequest(
            method.decode(),
            target,
            headers,
            source_ip=_address(line["client"]),
            http_version=version.decode("latin-1"),
            host=host,
            time=_log_time(line["time"]),
        )

    # Requests as they are on the wire, a file each

    def folder(self, path: Path) -> Iterator[Sourced]:
        """The requests of a folder's files, by name; those under ``allow/`` and ``block/`` are expected so. Raises FileError."""
        files = sorted(each for each in path.rglob("*") if each.is_file() and not each.name.startswith("."))
        if not files:
            raise FileError(f"{path}: there is no file in it")
        for file in files:
            inside = file.relative_to(path).parts[:-1]
            expected = next((each for each in inside if each in {"allow", "block"}), "")
            found = _wire(read_bytes(file), file, self.source_ip)
            if self.hosts and _host(found.host) not in self.hosts:
                self.leave("another host")
                continue
            yield Sourced(str(file), found, expected)


def _har_headers(spec: Mapping[str, Any]) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """The headers, and HTTP/2's pseudo headers, which browsers record among them."""
    pairs = [(str(each["name"]), str(each["value"])) for each in spec.get("headers") or ()]
    return [each for each in pairs if not each[0].startswith(":")], {name: value for name, value in pairs if name[:1] == ":"}


def _value(headers: Sequence[tuple[str, str]], name: str) -> str | None:
    return next((value for each, value in headers if each.lower() == name), None)


def _host(text: str) -> str:
    return urlsplit(f"//{text}").hostname or ""


def _method(text: str) -> str:
    if not _METHOD.fullmatch(text):
        raise ValueError(f"`{_shown(text)}` is no method")
    return text


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


_COMBINED: Final = re.compile(
    r"(?:(?P<vhost>[A-Za-z0-9_.\-]+(?::\d+)?)[ ](?=[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]+[ ]))?"
    r"(?P<client>\S+)[ ]\S+[ ](?:\S+|\S.*?)[ ]\[(?P<time>[^\]]+)\][ ]"
    r'"(?P<request>(?:[^"\\]|\\.)*)"[ ](?P<status>\d{3}|-)[ ](?P<size>\d+|-)'
    r'(?:[ ]"(?P<referer>(?:[^"\\]|\\.)*)"[ ]"(?P<agent>(?:[^"\\]|\\.)*)")?(?:[ ].*)?$'
)
_ESCAPE: Final = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_LETTERS: Final[Mapping[bytes, bytes]] = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _unescaped(text: str) -> bytes:
    r"""The bytes of a logged value: servers write ``\xHH``, ``\"`` and ``\\``."""
    raw = text.encode("utf-8", "surrogateescape")
    if b"\\" not in raw:
        return raw
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]) if found[1] else _LETTERS.get(found[2], found[2]), raw)


def _log_time(text: str) -> float:
    """``10/Oct/2000:13:55:36 -0700``, whatever the locale of this process; or ISO 8601."""
    try:
        day, month, rest = text.split("/", 2)
        return datetime.strptime(f"{day}/{_MONTHS.index(month) + 1:02}/{rest}", "%d/%m/%Y:%H:%M:%S %z").timestamp()
    except ValueError:
        try:
            return datetime.fromisoformat(text).timestamp()
        except ValueError:
            return 0.0


def _address(text: str) -> str:
    """An address; a name that the server looked up is not one, and stays what it is."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text


def _wire(raw: bytes, path: Path, source_ip: str) -> WebRequest:
    """A request of HTTP/1.1 (RFC 9112), with line ends of either kind."""
    ends = [(at, end) for end in (b"\r\n\r\n", b"\n\n") if (at := raw.find(end)) >= 0]
    at, end = min(ends, default=(len(raw), b""))
    body = raw[at + len(end) :]
    lines = [line.removesuffix(b"\r") for line in raw[:at].rstrip(b"\r\n").split(b"\n")]
    method, _, rest = lines[0].partition(b" ")
    target, _, version = rest.rpartition(b" ")
    if not target or not version.startswith(b"HTTP/") or not _NAME.fullmatch(method):
        raise FileError(f"{path}:1: this is no request line: `{_shown(lines[0].decode('utf-8', 'replace'))}`")
    headers = []
    for number, line in enumerate(lines[1:], 2):
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            raise FileError(f"{path}:{number}: this is no header: `{_shown(line.decode('utf-8', 'replace'))}`")
        headers.append((name, value.strip(b" \t\r")))
    by_name = {name.lower(): value for name, value in headers}
    return WebRequest(
        method.decode(),
        target,
        headers,
        _body(body, by_name, path, len(lines) + 2),
        source_ip=source_ip,
        http_version=version.decode("latin-1"),
        host=by_name.get(b"host", b"").decode("latin-1"),
    )


def _body(body: bytes, headers: Mapping[bytes, bytes], path: Path, line: int) -> bytes:
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        return _unchunked(body, path, line)
    length = headers.get(b"content-length")
    if length is None:
        return body
    if not length.isdigit() or int(length) > len(body):
        raise FileError(f"{path}:{line}: Content-Length is `{_shown(length.decode('latin-1'))}`, the body has {len(body)} bytes")
    # An editor's line end behind the body is none of it.
    return body[: int(length)]


def _unchunked(body: bytes, path: Path, line: int) -> bytes:
    """The content of a chunked body (RFC 9112, 7.1)."""
    parts: list[bytes] = []
    rest = body
    while True:
        size, end, rest = rest.partition(b"\n")
        try:
            count = int(size.partition(b";")[0].strip() or b"x", 16)
        except ValueError:
            count = -1
        if count < 0 or not end or len(rest) < count:
            raise FileError(f"{path}:{line}: the chunked body breaks off, or has a length that is none")
        if count == 0:
            return b"".join(parts)
        parts.append(rest[:count])
        rest = rest[count:].removeprefix(b"\r").removeprefix(b"\n")


def _shown(text: str) -> str:
    return _CONTROLS.sub(" ", text)[:80]
