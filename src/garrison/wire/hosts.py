"""What the Host header says: a service, a bucket or an account in front of one of our own names.

Source: Amazon S3 User Guide, "Virtual hosting of general purpose buckets"; AWS General Reference, "Service endpoints".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

DEFAULT_SUFFIXES = ("amazonaws.com", "amazonaws.com.cn", "aws.amazon.com", "api.aws", "localhost")
"""AWS's own names (a client may resolve them to us) and the loopback name."""

MAX_LENGTH = 300
"""Longer than any DNS name (RFC 1035, section 2.3.4: 255) with a port: nobody's name."""

_REGION = r"[a-z]{2}(?:-[a-z]+){1,2}-\d{1,2}"
_S3 = re.compile(rf"(?:(?P<before>.+)\.)?(?P<service>s3(?:express)?(?:-[a-z0-9-]+?)?)(?:\.dualstack)?(?:[.-]{_REGION})?")


@dataclass(frozen=True, slots=True)
class HostParts:
    """A Host header taken apart."""

    prefix: str
    """What stands before our own name; empty where the host is our name, an address or a stranger's name."""
    s3_service: str
    """``s3``, ``s3-control``, ``s3-accesspoint``, ``s3express-control`` ... where the prefix names S3; else empty."""
    bucket: str
    """The bucket (or access point) if the request is for S3; empty for path-style requests."""
    labels: tuple[str, ...]
    """The prefix's labels without ``-fips``: one of them may be a service's endpoint prefix."""


class Hosts:
    """The names under which the server is reached. Longer names win, so that one may lie inside another."""

    def __init__(self, suffixes: Iterable[str] = DEFAULT_SUFFIXES) -> None:
        self.suffixes = tuple(sorted({suffix.lower().strip(".") for suffix in suffixes}, key=lambda name: (-len(name), name)))
        self.parts = lru_cache(maxsize=4096)(self._parts)
        """``parts(host)``: a Host header's value taken apart; remembered, for a client sends the same one over and over."""

    def _parts(self, host: str) -> HostParts:
        if len(host) > MAX_LENGTH:
            return HostParts("", "", "", ())
        name = host.lower().rstrip(".")
        if not name.endswith("]"):
            name = name.rpartition(":")[0] if re.search(r":\d*$", name) else name
        prefix = self._prefix(name.rstrip("."))
        if not prefix:
            return HostParts("", "", "", ())
        labels = tuple(label.removesuffix("-fips") for label in prefix.split("."))
        found = _S3.fullmatch(prefix)
        if found is None:
            return HostParts(prefix, "", prefix, labels)
        return HostParts(prefix, found["service"].removesuffix("-fips"), found["before"] or "", labels)

    def _prefix(self, name: str) -> str:
        for suffix in self.suffixes:
            if name.endswith("." + suffix):
                return name[: -len(suffix) - 1]
            if name == suffix:
                return ""
        return ""
