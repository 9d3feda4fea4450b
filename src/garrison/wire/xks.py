"""The external key store proxy: other KMSs use keys of ours through ``[/prefix]/kms/xks/v1``.

Each request is signed with a credential that ``garrison xks create-credential`` made, is authorized as its user by the key's
policy and the user's, and is on record before its answer leaves, like any call.
Source: XKS Proxy API Specification, version 1.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from garrison import __version__
from garrison.audit import Recorder, Resource, make_event
from garrison.core.clock import Clock, system_clock
from garrison.core.context import Call, Context
from garrison.core.errors import CommonError
from garrison.core.http import Request, Response
from garrison.core.ids import uuid7
from garrison.core.operation import Check
from garrison.core.ports import Ports
from garrison.core.principal import ANONYMOUS
from garrison.identity.principals import Credential, Principals
from garrison.keys.kms import conditions, names, proxied, xks_credentials
from garrison.keys.kms.live import LiveKey, key_arn
from garrison.keys.kms.xks_credentials import XksCredential
from garrison.keys.xks import answers
from garrison.keys.xks.answers import Asked, Refusal, Route
from garrison.keys.xks.rate import Rate
from garrison.keys.xks.signing import SERVICE
from garrison.store import Store
from garrison.wire.authorization import authorize_call
from garrison.wire.codec import codec
from garrison.wire.events import decision_record
from garrison.wire.exchange import Exchange
from garrison.wire.sigv4 import Verifier, read_claim

log = logging.getLogger("garrison.wire")

_ACTIONS = {"encrypt": "Encrypt", "decrypt": "Decrypt", "metadata": "DescribeKey"}
"""The KMS operation that each of the proxy's is: as it is authorized and on record."""
_HEALTH = "GetHealthStatus"
_MOST_CREDENTIALS = 1024
_KEPT = ("awsPrincipalArn", "kmsKeyArn", "kmsOperation", "kmsRequestId", "kmsViaService")


@dataclass(slots=True)
class _Work:
    """One request on its way."""

    exchange: Exchange
    route: Route | None = None
    xks: XksCredential | None = None
    asked: Asked | None = None
    key: LiveKey | None = None
    throttled: bool = False


@dataclass(slots=True)
class XksProxy:
    """Answers proxies' paths. One for each worker, on its event loop."""

    store: Store
    recorder: Recorder
    principals: Principals
    ports: Ports
    verifier: Verifier
    flush: Callable[[], None]
    """Makes what was recorded lasting: the gateway's."""
    admit: Callable[[float], bool]
    """Whether a failure of nobody in particular, or one of too many, is still put on record: the gateway's allowance."""
    clock: Clock = system_clock
    rate: Rate = field(default_factory=Rate)
    """How many requests a credential may send."""
    _known: dict[str, tuple[XksCredential, Credential]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Forget what changes: a credential, or the user as whom it calls."""
        for kind in (xks_credentials.KIND, "user"):
            self.store.on_change(kind, lambda _: self._known.clear())

    def __call__(self, request: Request, call: Call) -> Response | None:
        """The answer; None for a request that is none of a proxy's."""
        if not _is_ours(request):
            return None
        if request.method != "POST":
            return Response(405, [("allow", "POST")])
        now = self.clock()
        work = _Work(Exchange(request, call, now, uuid7(now), codec("kms"), service="kms"))
        answer = self._answered(work)
        try:
            self.flush()
        except CommonError:
            # What is not on record did not happen.
            return _refused(Refusal("InternalException"))
        return answer

    def _answered(self, work: _Work) -> Response:
        try:
            document = self._taken(work)
            answer = Response(200, [("content-type", "application/json")], json.dumps(document).encode())
            self._record(work, None)
        except Refusal as refusal:
            self._record(work, refusal)
            return _refused(refusal)
        except Exception:
            log.exception("a proxy's request failed inside", extra={"request_id": work.exchange.request_id})
            failed = Refusal("InternalException")
            self._record(work, failed)
            return _refused(failed)
        return answer

    # The life of a request

    def _taken(self, work: _Work) -> Mapping[str, Any]:
        """Authenticate, read, authorize, answer. Raises Refusal."""
        self._authenticate(work)
        self._throttle(work)
        work.route = answers.read_path(work.exchange.request.path)
        xks = work.xks
        if xks is None or work.route.prefix != xks.prefix:
            raise Refusal("InvalidUriPathException", "the path is not this credential's")
        work.asked = answers.read_document(work.route.operation, work.exchange.request.body)
        if work.route.operation == "health":
            work.exchange.operation_name = _HEALTH
            return answers.health(__version__)
        work.exchange.operation_name = _ACTIONS[work.route.operation]
        key = self._authorized(work, xks, work.route)
        if work.route.operation == "metadata":
            return proxied.metadata(key)
        if work.route.operation == "encrypt":
            return proxied.encrypt(key, _context(work).random, work.asked)
        return proxied.decrypt(key, work.asked)

    def _authenticate(self, work: _Work) -> None:
        exchange = work.exchange
        try:
            self.store.refresh()
            claim = read_claim(exchange.request)
            if claim is None or claim.presigned or claim.service != SERVICE:
                raise Refusal("AuthenticationFailedException")
            xks, owner = self._credential(claim.access_key_id)
            self.verifier.verify(claim, exchange.request, xks.secret, now=exchange.now, service=SERVICE)
        except CommonError as error:
            kind = "InternalException" if error.kind in {"unavailable", "internal"} else "AuthenticationFailedException"
            raise Refusal(kind) from None
        work.xks, exchange.credential, exchange.claim = xks, owner, claim

    def _throttle(self, work: _Work) -> None:
        xks = work.xks
        if xks is None or not self.rate.admit(xks.access_key_id, work.exchange.now):
            work.throttled = True
            raise Refusal("ThrottlingException", "the credential sends more requests than it may; try again later")

    def _credential(self, access_key_id: str) -> tuple[XksCredential, Credential]:
        found = self._known.get(access_key_id)
        if found is not None:
            return found
        tx = self.store.reading()
        xks = xks_credentials.find(tx, self.ports.sealer, access_key_id)
        owner = self.principals.acting(xks.account, xks.owner_id, access_key_id) if xks is not None else None
        if xks is None or owner is None:
            # Not kept: a stranger could fill the cache with what does not exist.
            raise Refusal("AuthenticationFailedException")
        if len(self._known) >= _MOST_CREDENTIALS:
            self._known.clear()
        self._known[access_key_id] = xks, owner
        return xks, owner

    def _authorized(self, work: _Work, xks: XksCredential, route: Route) -> LiveKey:
        """The key, where the credential's user may use it. A key of another account is not there."""
        exchange, owner = work.exchange, work.exchange.credential
        if owner is None:
            raise Refusal("AuthenticationFailedException")
        ctx = exchange.ctx = Context(
            request_id=exchange.request_id,
            service="kms",
            operation=exchange.operation_name,
            now=exchange.now,
            account=xks.account,
            region=xks.region,
            principal=owner.principal,
            call=exchange.call,
            tx=self.store.reading(),
            ports=self.ports,
        )
        key = names.live_keys(ctx).find(ctx.tx, xks.region, route.key_id)
        if key is None or key.account != xks.account:
            raise Refusal("KeyNotFoundException")
        work.key = key
        algorithm = conditions.SYMMETRIC if route.operation != "metadata" else None
        check = Check(
            f"kms:{exchange.operation_name}", names.target_of(ctx, key), conditions.cryptographic(ctx, algorithm=algorithm)
        )
        try:
            authorize_call(iter((check,)), ctx, self.principals.inputs(owner))
        except CommonError:
            raise Refusal("AccessDeniedException") from None
        finally:
            exchange.decision = ctx.decision
        return key

    # On record

    def _record(self, work: _Work, refusal: Refusal | None) -> None:
        exchange = work.exchange
        # A flood of refused requests cannot fill the disk either.
        if (exchange.credential is None or work.throttled) and not self.admit(exchange.now):
            return
        key, xks = work.key, work.xks
        event = make_event(
            event_id=uuid7(exchange.now),
            request_id=exchange.request_id,
            now=exchange.now,
            principal=exchange.principal if exchange.credential is not None else ANONYMOUS,
            call=exchange.call,
            account=xks.account if xks is not None else "",
            region=xks.region if xks is not None else "",
            source="kms.amazonaws.com",
            name=exchange.operation_name or "XksProxy",
            read_only=True,
            request=_parameters(work),
            error=(refusal.name, refusal.message) if refusal is not None else None,
            resources=(Resource(key.arn, key.account, "AWS::KMS::Key"),) if key is not None else (),
        )
        self.recorder.observe(event, decision_record(exchange))


def _context(work: _Work) -> Context:
    ctx = work.exchange.ctx
    if ctx is None:
        msg = "a request without a context"
        raise RuntimeError(msg)
    return ctx


def _parameters(work: _Work) -> Mapping[str, Any] | None:
    """Which key, and what the other KMS says of its caller: its request's id leads to the event over there."""
    if work.asked is None or work.route is None:
        return None
    told = {name: work.asked.metadata[name] for name in _KEPT if name in work.asked.metadata}
    if work.xks is None or not work.route.key_id:
        return {"xksProxy": told}
    return {"keyId": key_arn(work.xks.region, work.xks.account, work.route.key_id), "xksProxy": told}


def _is_ours(request: Request) -> bool:
    """A proxy's path, and not signed for another service: S3 may have a bucket named ``kms``."""
    if "/kms/xks/v1/" not in request.path or not answers.looks_like_proxy_path(request.path):
        return False
    signed = request.header("authorization")
    return not signed.startswith("AWS4-") or f"/{SERVICE}/aws4_request" in signed


def _refused(refusal: Refusal) -> Response:
    headers = [("content-type", "application/json")]
    return Response(refusal.status, headers, refusal.body)
