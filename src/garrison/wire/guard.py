"""A web ACL before the gateway: calls and pages are held against it once they are read, before their signature is looked at.

What it does not let pass is no call: it is in the firewall's log and samples, and not in the audit trail, as on AWS. Health,
metrics and the like are not asked about: who watches the server must not be told that it is ill because a rule is strict.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from garrison.core.context import Call
from garrison.core.errors import CommonError
from garrison.core.http import Request, Response
from garrison.core.ids import uuid7
from garrison.edge.stage.rulings import PAGES, Inspect, Refusal, Slow
from garrison.wire.codec import codec
from garrison.wire.gateway import Gateway
from garrison.wire.internal import is_internal
from garrison.wire.routing import RoutingError
from garrison.wire.sigv4 import read_claim

log = logging.getLogger("garrison.wire")
_PLAIN: Final = b'{"message":"Forbidden"}'
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer", "te"})
_UNSENDABLE: Final = re.compile(r"[\0\r\n]")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(slots=True)
class Guard:
    """As of ``gateway.Guard``. Never raises."""

    gateway: Gateway
    inspect: Inspect

    def __call__(self, request: Request, call: Call) -> Response | Awaitable[Response] | None:
        """The answer to what does not pass, or to one of Garrison's own paths; None for what goes on."""
        if is_internal(request) and not request.path.startswith(PAGES):
            return self.gateway.internal(request, call)
        now = self.gateway.clock()
        request_id = uuid7(now)
        ruling = self.inspect(request, call, now, request_id)
        if ruling is None:
            return self.gateway.internal(request, call)
        if isinstance(ruling, Response):
            return _sendable(ruling)
        if isinstance(ruling, Refusal):
            return self._refused(request, ruling, request_id)
        return self._later(ruling)

    async def _later(self, slow: Slow) -> Response:
        try:
            return _sendable(await self.gateway.aside(slow.run))
        except CommonError:
            return Response(503)
        except Exception:
            log.exception("a page of the firewall could not be answered")
            return Response(500)

    def _refused(self, request: Request, refusal: Refusal, request_id: str) -> Response:
        """What an API Gateway stage answers, in the caller's protocol where it names one."""
        if refusal is Refusal.FAILED:
            error = CommonError("unavailable")
        else:
            error = CommonError("access_denied", "Forbidden", code="ForbiddenException", status=403)
        return _in_protocol(self.gateway, request, error, request_id) or _in_json(refusal, request_id)


def _in_json(refusal: Refusal, request_id: str) -> Response:
    """API Gateway's own words (its developer guide, "Gateway response types", WAF_FILTERED)."""
    headers = [("content-type", "application/json"), ("x-amzn-requestid", request_id)]
    if refusal is Refusal.FAILED:
        return Response(503, [*headers, ("x-amzn-errortype", "ServiceUnavailable")], b'{"message":"Service Unavailable"}')
    return Response(403, [*headers, ("x-amzn-errortype", "ForbiddenException")], _PLAIN)


def _in_protocol(gateway: Gateway, request: Request, error: CommonError, request_id: str) -> Response | None:
    """The error as the service spells it that the request names; None where it names none. Nothing is proven by that."""
    try:
        claim = read_claim(request)
    except CommonError:
        return None
    operation = None
    try:
        found = gateway.router.route(request, claim.service if claim is not None else None)
        service, protocol, operation = found.service, found.protocol, found.operation
    except RoutingError as unknown:
        if not unknown.service:
            return None
        service, protocol = unknown.service, unknown.protocol
    if claim is None and protocol == "rest-xml":
        return None  # any path at all is an object's to S3
    try:
        return codec(service, protocol).encode_error(operation, error, request_id)
    except Exception:
        log.exception("a refusal could not be written in its protocol")
        return None


def _sendable(response: Response) -> Response:
    """An answer that a rule chose, without what would end its head early or frame it otherwise."""
    headers = [(name, _sent(value)) for name, value in response.headers if name.lower() not in _FRAMING and _NAME.fullmatch(name)]
    return Response(response.status, headers, response.body)


def _sent(value: str) -> str:
    """A customer's own text, in whatever characters, as a header's value."""
    return _UNSENDABLE.sub("", value).encode("utf-8", "replace").decode("latin-1")


Install = Callable[[Inspect | None], None]


def installer(gateway: Gateway) -> Install:
    """What puts an inspector before the gateway's calls, or takes it away (None)."""

    def install(inspect: Inspect | None) -> None:
        gateway.guard = None if inspect is None else Guard(gateway, inspect)

    return install
