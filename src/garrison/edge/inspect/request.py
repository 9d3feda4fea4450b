"""The web request as the engine sees it: raw bytes, and views of them that are parsed once.

Nothing is decoded, folded or normalized here (AWS WAF inspects what the client sent); only header names are
lower-cased, as HTTP/2 sends them. Every view is linear in the size of the request.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

Pairs = list[tuple[bytes, bytes]]
Address = IPv4Address | IPv6Address


_LONGEST_IP: Final = 64
"""Characters of what may be an address, and is worth keeping."""


def parse_ip(text: str) -> Address | None:
    """The address that ``text`` spells, None for no address. One of IPv4 mapped into IPv6 (RFC 4291 2.5.5.2) is of IPv4."""
    return _known_ip(text) if len(text) <= _LONGEST_IP else _read_ip(text)


def _read_ip(text: str) -> Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped
        if found.scope_id is not None:
            return None
    return found


_known_ip: Final = lru_cache(maxsize=4096)(_read_ip)
"""Clients send many requests."""


def parse_arguments(query: bytes) -> Pairs:
    """Names and values of a query string, raw, in order, duplicates kept. A part without ``=`` is a name with an empty value."""
    pairs: Pairs = []
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((name, value))
    return pairs


def parse_cookies(headers: Sequence[bytes]) -> Pairs:
    """Names and values of ``Cookie`` headers, raw, in order. A part without ``=`` is a name with an empty value."""
    pairs: Pairs = []
    for header in headers:
        for part in header.split(b";"):
            name, _, value = part.strip(b" \t").partition(b"=")
            if name or value:
                pairs.append((name, value))
    return pairs


def split_target(target: bytes) -> tuple[bytes, bytes, bytes | None]:
    """Path, query string and fragment of a request target in origin or absolute form (RFC 9112 3.2), raw.

    The fragment is None where there is no ``#``: clients keep it to themselves, but some send it.
    """
    rest, mark, fragment = target.partition(b"#")
    path, _, query = rest.partition(b"?")
    if not path.startswith(b"/"):
        _, scheme, authority = path.partition(b"://")
        if scheme:
            host, slash, below = authority.partition(b"/")
            path = slash + below if slash or host else path
    return path, query, fragment if mark else None


class WebRequest:
    """One request.

    ``target`` is the request target as sent (``/path?query``, percent-encoding untouched). ``headers`` are in wire order with
    their duplicates. ``body`` is what was received up to the transport's own limit and ``body_size`` its whole size in bytes,
    which may be larger. ``time`` is in seconds since the epoch. ``country`` and ``region`` are ISO 3166 codes, empty where
    unknown; an unknown ``asn`` is 0. ``ja3``, ``ja4`` are empty and ``fragment`` is None where there is none.
    """

    __slots__ = (
        "_arguments", "_by_name", "_cookies", "_ip", "_lowered", "asn", "body", "body_size", "country", "fragment", "headers",
        "host", "http_version", "ja3", "ja4", "memo", "method", "path", "query", "region", "request_id", "scheme", "source_ip",
        "target", "time",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - all that a request is
        self,
        method: str,
        target: bytes,
        headers: Sequence[tuple[bytes, bytes]] = (),
        body: bytes = b"",
        *,
        source_ip: str,
        body_size: int | None = None,
        http_version: str = "HTTP/1.1",
        scheme: str = "http",
        host: str = "",
        country: str = "",
        region: str = "",
        asn: int = 0,
        ja3: str = "",
        ja4: str = "",
        fragment: bytes | None = None,
        request_id: str = "",
        time: float = 0.0,
    ) -> None:
        self.method = method
        self.target = target
        self.path, self.query, found = split_target(target)
        self.fragment = found if fragment is None else fragment
        self.headers = headers
        self.body = body
        self.body_size = len(body) if body_size is None else body_size
        self.source_ip = source_ip
        self.http_version = http_version
        self.scheme = scheme
        self.host = host
        self.country = country
        self.region = region
        self.asn = asn
        self.ja3 = ja3
        self.ja4 = ja4
        self.request_id = request_id
        self.time = time
        self.memo: dict[str, object] = {}
        """What detectors of whole requests keep for each other, by their own names."""
        self._arguments: Pairs | None = None
        self._by_name: dict[bytes, bytes] | None = None
        self._cookies: Pairs | None = None
        self._lowered: Pairs | None = None
        self._ip: Address | bool | None = False

    @property
    def arguments(self) -> Pairs:
        """Query arguments, see :func:`parse_arguments`."""
        if self._arguments is None:
            self._arguments = parse_arguments(self.query)
        return self._arguments

    @property
    def lowered(self) -> Pairs:
        """Headers in wire order with their names in lower case."""
        if self._lowered is None:
            self._lowered = [(name.lower(), value) for name, value in self.headers]
        return self._lowered

    @property
    def cookies(self) -> Pairs:
        """Cookies, see :func:`parse_cookies`."""
        if self._cookies is None:
            self._cookies = parse_cookies([value for name, value in self.lowered if name == b"cookie"])
        return self._cookies

    @property
    def by_name(self) -> dict[bytes, bytes]:
        """Header values by lower-case name. Duplicates are joined by a comma (RFC 9110 5.2), cookies by ``; ``."""
        if self._by_name is None:
            found: dict[bytes, bytes] = {}
            for name, value in self.lowered:
                if name in found:
                    found[name] += (b"; " if name == b"cookie" else b",") + value
                else:
                    found[name] = value
            self._by_name = found
        return self._by_name

    def header(self, name: bytes) -> bytes | None:
        """The value of the header of this lower-case name, None where the request has none."""
        return self.by_name.get(name)

    @property
    def ip(self) -> Address | None:
        """``source_ip`` as an address, None where it spells none."""
        if isinstance(self._ip, bool):
            self._ip = parse_ip(self.source_ip)
        return self._ip
