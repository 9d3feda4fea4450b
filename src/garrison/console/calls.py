"""What a page asks of the APIs: signed calls through the gateway with the credentials of the session.

A page has no other way to anything that is authorized. Where an act of a page is no operation of an API (a passkey registered, a
command line allowed), the same decision is made on the same credentials, and it is on record like a call.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from garrison.audit import make_event
from garrison.console.events import Facts
from garrison.console.visits import Visit
from garrison.core.clock import iso8601
from garrison.core.context import Context
from garrison.core.errors import CommonError, ServiceError
from garrison.core.http import Request
from garrison.core.ids import system_random, uuid4
from garrison.core.model import load_metadata, load_model
from garrison.core.operation import Check
from garrison.identity.principals import Credential
from garrison.identity.signin import sessions
from garrison.identity.signin.sessions import Minted, Session
from garrison.wire.authorization import authorize_call
from garrison.wire.codec import codec
from garrison.wire.events import decision_record, event_source
from garrison.wire.exchange import Exchange
from garrison.wire.faults import fault
from garrison.wire.gateway import Gateway
from garrison.wire.sigv4.canonical import canonical_request, string_to_sign
from garrison.wire.sigv4.signing_keys import signing_key

_SIGNED = ("host", "x-amz-date", "x-amz-security-token")
_MAX_KEPT = 1024
_MARGIN = 60.0


class CallFailedError(Exception):
    """A call was refused; the message is AWS's own."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Calls:
    """The calls of pages. One for each worker."""

    gateway: Gateway
    _roles: dict[tuple[str, str], Minted] = field(default_factory=dict)
    """Credentials of roles that sessions work as, by session and role."""

    async def ask(self, visit: Visit, service: str, operation: str, as_itself: bool = False, /, **members: str) -> Any:  # noqa: ANN401, FBT001, FBT002 - an answer's struct; a switch that no member is named like
        """Make a call as the session. Raises CallFailedError."""
        session = visit.session
        if session is None:
            raise CallFailedError("AccessDenied", "Nobody is signed in.")
        minted = await self.credentials(visit, session, as_itself=as_itself)
        return await self.send(visit, minted, service, operation, members)

    async def credentials(self, visit: Visit, session: Session, *, as_itself: bool = False) -> Minted:
        """The session's credentials; those of the role that it works as, unless ``as_itself``. Raises CallFailedError."""
        own = sessions.mint(visit.sealer, session, system_random, visit.now)
        if as_itself or not session.switched:
            return own
        key = session.session_id, session.switched
        kept = self._roles.get(key)
        if kept is None or kept.expires_at - _MARGIN < visit.now:
            kept = await self.assume(visit, own, session, session.switched)
            if len(self._roles) >= _MAX_KEPT:
                self._roles.clear()
            self._roles[key] = kept
        return kept

    async def assume(self, visit: Visit, own: Minted, session: Session, role: str) -> Minted:
        """Credentials of a role for the session. Raises CallFailedError."""
        members = {"RoleArn": role, "RoleSessionName": _session_name(session), "DurationSeconds": "900"}
        made = (await self.send(visit, own, "sts", "AssumeRole", members)).credentials
        return Minted(made.access_key_id, made.secret_access_key, made.session_token, made.expiration)

    async def send(self, visit: Visit, minted: Minted, service: str, operation: str, members: Mapping[str, str]) -> Any:  # noqa: ANN401 - as above
        """Sign a call of a query service and take it through the gateway."""
        body = urlencode({"Action": operation, "Version": load_metadata(service)["apiVersion"], **members}).encode()
        request = _signed(visit, minted, service, body, self.gateway.region)
        exchange = await self.gateway.made(request, visit.call)
        if exchange.error is not None:
            raise _failed(service, exchange.error)
        return exchange.result

    async def send_unsigned(self, visit: Visit, service: str, operation: str, members: Mapping[str, str]) -> Any:  # noqa: ANN401 - as above
        """Take a call of a query service that proves its caller by itself through the gateway. Raises CallFailedError."""
        body = urlencode({"Action": operation, "Version": load_metadata(service)["apiVersion"], **members}).encode()
        headers = [("host", visit.call.host or "localhost"), ("content-type", "application/x-www-form-urlencoded")]
        exchange = await self.gateway.made(Request("POST", "/", "", headers, body), visit.call)
        if exchange.error is not None:
            raise _failed(service, exchange.error)
        return exchange.result

    # What is no operation

    def act(self, visit: Visit, service: str, name: str, check: Check, facts: Facts, work: Callable[[Context], Any]) -> Any:  # noqa: ANN401 - what the work answers
        """Do something that a policy must allow, as the session itself, on record. Raises CallFailedError."""
        if visit.session is None:
            raise CallFailedError("AccessDenied", "Nobody is signed in.")
        minted = sessions.mint(visit.sealer, visit.session, system_random, visit.now)
        exchange = Exchange(visit.request, visit.call, visit.now, uuid4(), codec(service), service=service, operation_name=name)
        try:
            exchange.credential = self.gateway.principals.credential(minted.access_key_id, minted.token, visit.now)
            exchange.ctx = self._context(visit, exchange, exchange.credential)
            self._decide(exchange, check)
            return self._done(exchange, facts, work)
        except ServiceError as error:
            found = fault(load_model(service), error)
            self._record(exchange, facts, (found.code, found.message))
            raise CallFailedError(found.code, found.message) from error

    def _context(self, visit: Visit, exchange: Exchange, credential: Credential) -> Context:
        return Context(
            request_id=exchange.request_id,
            service=exchange.service,
            operation=exchange.operation_name,
            now=float(int(visit.now)),
            account=credential.principal.account,
            region=self.gateway.region,
            principal=credential.principal,
            call=visit.call,
            tx=self.gateway.store.reading(),
            ports=self.gateway.ports,
        )

    def _decide(self, exchange: Exchange, check: Check) -> None:
        ctx, credential = exchange.ctx, exchange.credential
        if ctx is None or credential is None:
            raise CommonError("access_denied")
        try:
            authorize_call(iter((check,)), ctx, self.gateway.principals.inputs(credential))
        finally:
            exchange.decision = ctx.decision

    def _done(self, exchange: Exchange, facts: Facts, work: Callable[[Context], Any]) -> Any:  # noqa: ANN401 - as above
        ctx = exchange.ctx
        if ctx is None:
            raise CommonError("access_denied")
        with self.gateway.store.writing() as tx:
            ctx.tx = tx
            made = work(ctx)
            tx.check()
            self._record(exchange, facts, None)
        return made

    def _record(self, exchange: Exchange, facts: Facts, error: tuple[str, str] | None) -> None:
        principal = exchange.principal
        event = make_event(
            event_id=uuid4(),
            request_id=exchange.request_id,
            now=exchange.now,
            principal=principal,
            call=exchange.call,
            account=principal.account,
            region="us-east-1" if exchange.service == "iam" else self.gateway.region,
            source=event_source(exchange.service),
            name=exchange.operation_name,
            read_only=False,
            request=facts.request,
            response=facts.response if error is None else None,
            error=error,
        )
        record = decision_record(exchange)
        if error is not None or exchange.ctx is None:
            self.gateway.recorder.observe(event, record)
        else:
            self.gateway.recorder.write(event, record, exchange.ctx.items)


def _session_name(session: Session) -> str:
    """The session's name at the role: the user's; a role's session keeps its own."""
    return session.name.rpartition("/")[2] or "root"


def _failed(service: str, error: ServiceError) -> CallFailedError:
    found = fault(load_model(service), error)
    return CallFailedError(found.code, found.message)


def _signed(visit: Visit, minted: Minted, service: str, body: bytes, region: str) -> Request:
    """The request, as a client would sign it (Signature Version 4)."""
    stamp = iso8601(visit.now).replace("-", "").replace(":", "")
    values = {"host": visit.call.host or "localhost", "x-amz-date": stamp, "x-amz-security-token": minted.token}
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    canonical = canonical_request("POST", "/", "", values, _SIGNED, hashlib.sha256(body).hexdigest())
    text = string_to_sign("AWS4-HMAC-SHA256", stamp, scope, canonical)
    signature = hmac.new(signing_key(minted.secret, stamp[:8], region, service), text.encode("latin-1"), "sha256").hexdigest()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={minted.access_key_id}/{scope}, SignedHeaders={';'.join(_SIGNED)}, Signature={signature}"
    )
    headers = [*values.items(), ("content-type", "application/x-www-form-urlencoded"), ("authorization", authorization)]
    return Request("POST", "/", "", headers, body)
