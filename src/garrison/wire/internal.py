"""Garrison's own paths: health, metrics, issuers of tokens, and in dev mode the reset and the decisions.

Unsigned, so they tell and do little.

No bucket can be called ``_garrison`` or ``_localstack``, and a signed request is never one of these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from garrison.core.context import Call
from garrison.core.http import Request, Response
from garrison.core.net import is_loopback
from garrison.wire.metrics import Metrics

_JSON = [("content-type", "application/json"), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")]

_PUBLISHED = [
    ("content-type", "application/json"),
    ("cache-control", "public, max-age=300"),
    ("x-content-type-options", "nosniff"),
]
"""Keys may be held for a while; a new one is published before it signs."""
_ISSUERS = "/_garrison/issuers/"
_ISSUER = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_DIGITS = 18
"""Of a position in the trail: what fits into a database's integer."""


@dataclass(slots=True)
class InternalPaths:
    """Answers ``/_garrison/…``."""

    version: str
    services: Mapping[str, str]
    """Service to ``available``: what has handlers."""
    collect: Callable[[], Metrics]
    reset: Callable[[], None] | None
    """Back to the first start; None outside dev mode."""
    decisions: Callable[[int], Mapping[str, object]] | None = None
    """The calls after a position in the trail, with their decisions, for the tests' own assertions; None outside dev mode."""
    issuers: Callable[[str], Mapping[str, Mapping[str, object]] | None] | None = None
    """What an issuer of tokens publishes, by path below its URL; None where there is no such issuer."""

    def __call__(self, request: Request, call: Call) -> Response | None:
        """The answer to one of these paths; None for any other."""
        path = request.path
        if not is_internal(request):
            return None
        if path in {"/_garrison/health", "/_localstack/health"}:
            return self._health(request)
        if path == "/_garrison/metrics":
            return self._metrics(request, call)
        if path.startswith(_ISSUERS) and self.issuers is not None:
            return self._issuer(request)
        return self._in_memory(request, call)

    def _in_memory(self, request: Request, call: Call) -> Response:
        """What only a server in memory answers."""
        if request.path == "/_garrison/reset" and self.reset is not None:
            return self._reset(request, call)
        if request.path == "/_garrison/decisions" and self.decisions is not None:
            return self._decisions(request, call)
        return _answer(404, {"message": "Not Found"})

    def _health(self, request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            return _answer(405, {"message": "Method Not Allowed"})
        return _answer(
            200, {"status": "running", "version": self.version, "edition": "garrison", "services": dict(self.services)}
        )

    def _metrics(self, request: Request, call: Call) -> Response:
        """For this machine alone: who calls what is nobody else's business."""
        # The Host too: a page whose name was pointed at this machine would be of the same origin.
        if not is_loopback(call.source_ip) or not is_loopback(_host_name(call.host)):
            return _answer(403, {"message": "metrics are served to loopback only"})
        if request.method not in {"GET", "HEAD"}:
            return _answer(405, {"message": "Method Not Allowed"})
        body, kind = self.collect().exposition()
        return Response(200, [("content-type", kind)], body)

    def _reset(self, request: Request, call: Call) -> Response:
        """A web page may not reset a developer's server behind its back: no browser's request is taken."""
        browser = request.header("origin") or request.header("sec-fetch-site")
        if request.method != "POST" or browser or not is_loopback(call.source_ip) or self.reset is None:
            return _answer(403, {"message": "reset takes a POST from a program on this machine"})
        self.reset()
        return _answer(200, {"status": "reset"})

    def _issuer(self, request: Request) -> Response:
        """Public by its purpose: whoever gets a token verifies it with this (OpenID Connect Discovery 1.0)."""
        if request.method not in {"GET", "HEAD"}:
            return _answer(405, {"message": "Method Not Allowed"})
        issuer, slash, rest = request.path.removeprefix(_ISSUERS).partition("/")
        documents = self.issuers(issuer) if self.issuers is not None and _ISSUER.fullmatch(issuer) else None
        document = documents.get(slash + rest) if documents is not None else None
        if document is None:
            return _answer(404, {"message": "Not Found"})
        return Response(200, [*_PUBLISHED], b"" if request.method == "HEAD" else json.dumps(document).encode())

    def _decisions(self, request: Request, call: Call) -> Response:
        """For programs on this machine: what was asked and why it was answered so. No web page may read it."""
        browser = request.header("origin") or request.header("sec-fetch-site")
        local = is_loopback(call.source_ip) and is_loopback(_host_name(call.host))
        if request.method != "GET" or browser or not local or self.decisions is None:
            return _answer(403, {"message": "decisions are told to programs on this machine"})
        name, _, after = request.query.partition("=")
        if name != "after" or not (after.isascii() and after.isdigit() and len(after) <= _DIGITS):
            return _answer(400, {"message": "the query must be after=NUMBER"})
        return _answer(200, self.decisions(int(after)))


def is_internal(request: Request) -> bool:
    """Whether a request is for one of these paths."""
    return request.path.startswith(("/_garrison/", "/_localstack/")) and not _is_signed(request)


def _is_signed(request: Request) -> bool:
    """An AWS client's request: in a virtual-hosted bucket these paths are names of objects."""
    return request.header("authorization").startswith("AWS4-") or "X-Amz-Signature=" in request.query


def _host_name(host: str) -> str:
    """A Host header without its port, an IPv6 address without its brackets."""
    return host.rpartition("]")[0][1:] if host.startswith("[") else host.partition(":")[0]


def _answer(status: int, document: Mapping[str, object]) -> Response:
    return Response(status, list(_JSON), json.dumps(document).encode())
