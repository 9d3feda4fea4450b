"""What one protected listener is: where it listens, what stands behind it, and its bounds."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

INSPECTED_BYTES: Final = 65_536
"""Bytes of a body that inspectors get: the most that a web ACL may inspect."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens. Port 0 is none."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_ip(self) -> bool:
        """Whether the host is an address and no name."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Upstream:
    """The protected application."""

    address: Address
    tls: bool = False
    http2: bool = False
    """Whether it speaks HTTP/2 alone, as servers of gRPC do."""
    authorities: Path | None = None
    """Certificate authorities, PEM, that its certificate is trusted by."""

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.address}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Certificate chain and private key, PEM. Envoy reads them again when they change."""

    chain: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a client's requests. Times are in seconds, 0 for no limit."""

    head_seconds: float = 20.0
    """For a request's head to arrive."""
    request_seconds: float = 300.0
    """For a whole request to arrive, its body included."""
    idle_seconds: float = 300.0
    """For which nothing may move, either way, on a request or an upgraded connection."""
    head_kilobytes: int = 64
    headers: int = 200
    connections: int = 10_000
    verdict_seconds: float = 2.0
    """For an inspector to answer."""
    hang_seconds: float = 10.0
    """For a thread of Envoy's that inspects, before Envoy is ended: where nobody else could tell."""
    drain_seconds: float = 10.0
    """For requests that are under way at a stop."""


@dataclass(frozen=True, slots=True)
class Front:
    """One listener, and what it needs."""

    listen: Address
    upstream: Upstream | None
    """The protected application; None where another proxy stands before it, and asks us."""
    folder: Path
    """Where Envoy's files and sockets are; its owner's alone. Short: a Unix socket's path has 107 bytes."""
    certificate: Certificate | None = None
    http3: bool = False
    fail_open: bool = False
    undo_codings: bool = True
    """Whether bodies in gzip, brotli and zstd are decompressed for inspector and application, and others refused."""
    inspectors: int = 1
    envoy_threads: int = 1
    metrics: Address | None = None
    module: Path | None = None
    """Our module for Envoy, which inspects in Envoy's own process; None where inspectors are processes of their own."""
    bounds: Bounds = field(default_factory=Bounds)

    @property
    def scheme(self) -> str:
        """What clients speak."""
        return "http" if self.certificate is None else "https"

    def socket(self, number: int) -> Path:
        """Where an inspector listens."""
        return self.folder / f"inspector-{number}"

    @property
    def admin(self) -> Path:
        """Where Envoy's own administration listens."""
        return self.folder / "admin"


def parse_upstream(url: str, *, http2: bool = False, authorities: Path | None = None) -> Upstream:
    """The application of a URL. Raises ValueError, whose text says what is wrong."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"`{url}` is no http:// or https:// URL")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"`{url}` has more than a host and a port: paths go to the application as they are")
    port = parts.port if parts.port is not None else {"http": 80, "https": 443}[parts.scheme]
    return Upstream(Address(parts.hostname, port), parts.scheme == "https", http2, authorities)
