"""The gateway: the life of a request, in one list, with no way around it.

``_STEPS`` below is that list. A step raises a ServiceError to end the call; whatever happens, the call is
audited, and its answer leaves only when its event (and, for a write, its transaction) is safe.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from garrison.audit import Recorder
from garrison.core.clock import Clock, system_clock
from garrison.core.context import EVENT_ID, Call, Context
from garrison.core.errors import CommonError, ServiceError
from garrison.core.http import Request, Response
from garrison.core.ids import uuid7
from garrison.core.model import load_model
from garrison.core.operation import REGISTRY, Check, Declaration, Target
from garrison.core.ports import Ports
from garrison.identity.principals import Principals
from garrison.identity.sts.messages import encode_message
from garrison.policy import authorization_message
from garrison.store import Store
from garrison.wire import events
from garrison.wire.asgi import Receive, Send, read_head, write
from garrison.wire.authorization import authorize_call, declared_checks
from garrison.wire.beside import look_beside, look_for_proof
from garrison.wire.codec import codec
from garrison.wire.exchange import Exchange
from garrison.wire.limits import Allowance, Limits
from garrison.wire.routing import EXTRA_SIGNING_NAMES, Route, Router, RoutingError
from garrison.wire.sigv4 import Claim, Verifier, payload_decoder, read_claim

log = logging.getLogger("garrison.wire")

Answer = Callable[[Response], None]
Internal = Callable[[Request, Call], Response | None]
"""Answers Garrison's own paths (/_garrison/…); None for every other."""
Guard = Callable[[Request, Call], Response | Awaitable[Response] | None]
"""Holds a request against a web ACL, then does as ``Internal``."""
Pages = Callable[[Request, Call], Awaitable[Response] | None]
"""The console's pages; None for every other path."""
T = TypeVar("T")

_UNSENDABLE = re.compile("[^\t -~\x80-\xff]")
BESIDE_THREADS = 16
BESIDE_CALLS = 256
"""Calls that may wait for others at one time; more are told to come back, so that a proxy that hangs cannot hold the worker."""
_WHOLE_SECONDS = frozenset({"iam", "sts"})
"""Services that know no parts of a second: all their answers' times are whole ones, as are those that their tokens carry."""
_FALLBACK = "sts"
"""Whose protocol answers a request that names no service."""


@dataclass(slots=True)
class Gateway:
    """An ASGI application: one for each worker process, all of it on one event loop."""

    store: Store
    recorder: Recorder
    principals: Principals
    ports: Ports
    limits: Limits
    region: str
    internal: Internal
    clock: Clock = system_clock
    calls: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    """Answered calls by service, operation and status, since the start."""
    verifier: Verifier = field(default_factory=Verifier)
    router: Router = field(default_factory=Router)
    strangers: Allowance = field(default_factory=Allowance)
    """How many failed calls of nobody in particular are put on record one by one."""
    deaf: bool = False
    """True while other nodes' changes cannot be read: what is cached may be stale, and no call is decided by it."""
    guard: Guard | None = None
    """Stands before all calls where this API has a web ACL (``guard.Guard``)."""
    pages: Pages | None = None
    beside: ThreadPoolExecutor | None = None
    """Threads for what waits for somebody else; made at the first such call, after the fork."""
    _beside_now: int = 0
    _reading_bytes: int = 0
    _due: list[tuple[Exchange, Answer]] = field(default_factory=list)
    """Calls of this turn of the loop that are done and not yet safe."""
    _flushing: asyncio.Future[None] | None = None

    # Network

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        request, call = read_head(scope)
        try:
            request.body = await self._read_body(request, receive, whole=scope.get("state", {}).get("whole", False))
        except (CommonError, asyncio.CancelledError) as error:
            # Cancelled is what still waits for its client when the server stops.
            refused = error if isinstance(error, CommonError) else CommonError("unavailable")
            exchange = self.handle(request, call, refused=refused)
            await write(send, await self._settle(exchange), close=True)
            return
        own = (self.guard or self.internal)(request, call)
        await write(send, own if isinstance(own, Response) else await self._finish(self._page_or_call(request, call, own)))

    def enter(self, request: Request, call: Call, answer: Answer) -> Exchange | None:
        """Take a request that is here whole; ``answer`` gets what is to be sent, at once or at the end of this turn of the loop.

        So the calls of one turn are made safe together, and none needs a task of its own, which costs as much as verifying a
        signature. Where the call waits for somebody else, its exchange comes back instead, for ``finish_to``.
        """
        own = (self.guard or self.internal)(request, call)
        if isinstance(own, Response):
            answer(own)
            return None
        exchange = self._page_or_call(request, call, own)
        if exchange.waits_for is not None or exchange.page is not None:
            return exchange
        if not self._due:
            asyncio.get_running_loop().call_soon(self._end_turn)
        self._due.append((exchange, answer))
        return None

    async def finish_to(self, exchange: Exchange, send: Send) -> None:
        """Wait for what a call waits for, and send its answer as an ASGI application does."""
        await write(send, await self._finish(exchange))

    def _page_or_call(self, request: Request, call: Call, page: Awaitable[Response] | None) -> Exchange:
        if page is None and self.pages is not None:
            page = self.pages(request, call)
        if page is None:
            return self.handle(request, call)
        exchange = self._exchange(request, call)
        exchange.page = page
        return exchange

    async def made(self, request: Request, call: Call) -> Exchange:
        """A call that a page of the console makes, through every step, once its answer is safe."""
        exchange = self.handle(request, call)
        exchange.response = await self._finish(exchange)
        return exchange

    async def _finish(self, exchange: Exchange) -> Response:
        if exchange.page is not None:
            return await exchange.page
        while exchange.waits_for is not None:
            await self._wait(exchange, exchange.waits_for)
        return await self._settle(exchange)

    def _end_turn(self) -> None:
        """Make what was done in this turn safe, then let its answers go."""
        with contextlib.suppress(CommonError):
            self.flush()
        due, self._due = self._due, []
        for exchange, answer in due:
            self._let_go(exchange, answer)

    def _let_go(self, exchange: Exchange, answer: Answer) -> None:
        try:
            answer(self._counted(exchange))
        except Exception:  # the others' answers are due all the same
            log.exception("an answer could not be sent", extra={"request_id": exchange.request_id})

    async def _read_body(self, request: Request, receive: Receive, *, whole: bool = False) -> bytes:
        """The whole body. Raises CommonError: ``too_large``, or ``timeout`` when it does not come in time."""
        length = request.header("content-length")
        if length and (not length.isdecimal() or int(length[:20]) > self.limits.body_bytes):
            raise CommonError("too_large")
        if whole:
            # What is here already cannot be late; a timer for each call costs as much as its routing.
            return await self._read_whole(receive)
        try:
            async with asyncio.timeout(self.limits.read_seconds):
                return await self._read_whole(receive)
        except TimeoutError as error:
            raise CommonError("timeout") from error

    async def _read_whole(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise CommonError("timeout")  # a body that never came is not an empty one
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                self._reading_bytes += len(parts[-1])
                self._check_room(size)
                if not message.get("more_body", False):
                    return b"".join(parts) if len(parts) > 1 else parts[0]
        finally:
            self._reading_bytes -= size

    def _check_room(self, size: int) -> None:
        """Raises CommonError: ``too_large`` for a body of so many bytes, ``throttled`` while the others leave no room for it."""
        if size > self.limits.body_bytes:
            raise CommonError("too_large")
        if self._reading_bytes > self.limits.all_bodies_bytes and size > self.limits.small_bytes:
            raise CommonError("throttled")

    # The life of a request

    def handle(self, request: Request, call: Call, *, refused: CommonError | None = None) -> Exchange:
        """Take one request through the steps. Never raises; the exchange holds the answer, or in ``waits_for`` what it waits for.

        ``refused``: why its body was not read. It is answered in its protocol then, as far as its head tells it.
        """
        exchange = self._exchange(request, call)
        try:
            self._take(exchange, refused)
        except Exception as error:  # noqa: BLE001 - whatever is raised becomes the call's answer
            self._failed(exchange, error)
        return exchange

    def _failed(self, exchange: Exchange, error: Exception) -> None:
        if not isinstance(error, ServiceError):
            log.error("a call failed inside", exc_info=error, extra={"request_id": exchange.request_id})
            error = CommonError("internal")
        exchange.error = error
        self._fail(exchange, error)

    def _take(self, exchange: Exchange, refused: CommonError | None) -> None:
        if refused is not None:
            self._find_route(exchange)
            raise refused
        exchange.steps = iter(_STEPS)
        self._go_on(exchange)

    def _go_on(self, exchange: Exchange) -> None:
        """Take the steps that are left, as far as they go without waiting."""
        for step in exchange.steps:
            step(self, exchange)
            if exchange.waits_for is not None:
                return
        if exchange.error is not None:
            # What was put off by one step and raised by none after it is an error all the same.
            raise exchange.error

    async def _wait(self, exchange: Exchange, work: Callable[[], None]) -> None:
        """Do what the call waits for on a thread, then take the steps that are left. The loop serves others meanwhile."""
        exchange.waits_for = None
        try:
            await self.aside(work)
            # What others changed meanwhile is heard of before a write acts on it.
            self.store.refresh()
            self._go_on(exchange)
        except asyncio.CancelledError:
            # The server stops and waits no longer: the client is told so, and the trail.
            self._failed(exchange, CommonError("unavailable"))
        except Exception as error:  # noqa: BLE001 - as in `handle`
            self._failed(exchange, error)

    async def aside(self, work: Callable[[], T]) -> T:
        """Run on a thread what takes long. Raises CommonError("throttled") where as many wait beside the loop as may."""
        if self._beside_now >= BESIDE_CALLS:
            raise CommonError("throttled")
        if self.beside is None:
            self.beside = ThreadPoolExecutor(BESIDE_THREADS, "beside")
        self._beside_now += 1
        try:
            return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self.beside, work))
        finally:
            self._beside_now -= 1

    def _exchange(self, request: Request, call: Call) -> Exchange:
        now = self.clock()
        return Exchange(request, call, now, uuid7(now), codec(_FALLBACK))

    def _find_route(self, exchange: Exchange) -> None:
        """Find the service, its protocol and the operation.

        Pure, and before the signature is verified, so that a refusal speaks the service's own protocol; what is wrong with
        signature or route is raised only in the order that follows.
        """
        try:
            exchange.claim = read_claim(exchange.request)
        except CommonError as error:
            exchange.error = error
        try:
            found = self.router.route(exchange.request, exchange.claim.service if exchange.claim is not None else None)
        except RoutingError as error:
            exchange.error = exchange.error or error
            exchange.service, exchange.operation_name = error.service or "", error.operation_name or ""
            exchange.codec = codec(error.service or _FALLBACK, error.protocol if error.service else None)
            return
        exchange.route = found
        exchange.service, exchange.operation_name = found.service, found.operation.name
        exchange.codec = codec(found.service, found.protocol)

    def _authenticate(self, exchange: Exchange) -> None:
        """Verify the signature. What is unsigned goes on only to an operation that asks for no signature."""
        if exchange.error is not None and not isinstance(exchange.error, RoutingError):
            raise exchange.error
        claim, request = exchange.claim, exchange.request
        if claim is None and not _open_to_all(exchange.route):
            raise CommonError("missing_authentication")
        if self.deaf:
            raise CommonError("unavailable")
        self.store.refresh()
        if claim is None:
            return
        credential = self.principals.credential(claim.access_key_id, claim.session_token, exchange.now)
        self.verifier.verify(claim, request, credential.secret, now=exchange.now, service=_scope_service(exchange.service, claim))
        decoder = payload_decoder(claim, request, credential.secret, signatures=self.verifier.signatures)
        if decoder is not None:
            request.body = decoder.feed(request.body)
            decoder.finish()
        exchange.credential = credential
        if exchange.error is not None:
            raise exchange.error
        self.principals.used(credential, exchange.service, claim.region, float(int(exchange.now)))

    def _decode(self, exchange: Exchange) -> None:
        """Read the request into the operation's type and hold it against the model's constraints."""
        found = exchange.route
        if found is None:
            raise CommonError("unknown_operation")
        principal = exchange.principal
        exchange.ctx = Context(
            request_id=exchange.request_id,
            service=found.service,
            operation=found.operation.name,
            now=float(int(exchange.now)) if found.service in _WHOLE_SECONDS else exchange.now,
            account=principal.account,
            region=(exchange.claim.region if exchange.claim is not None else "") or self.region,
            principal=principal,
            call=exchange.call,
            tx=self.store.reading(),
            ports=self.ports,
        )
        exchange.declaration = _declaration(found)
        if exchange.declaration is not None:
            exchange.struct = exchange.codec.decode(found.operation, exchange.request, found.path_parameters)

    def _authorize(self, exchange: Exchange) -> None:
        """Decide. What the model has and Garrison has not is authorized all the same: a stranger learns nothing."""
        ctx, declaration, credential = exchange.ctx, exchange.declaration, exchange.credential
        if ctx is None or exchange.route is None:
            raise CommonError("access_denied")
        if declaration is not None and declaration.auth == "unsigned":
            if declaration.proves is None:
                return
            credential = exchange.credential = declaration.proves(ctx, exchange.struct)
            ctx.principal, ctx.account = credential.principal, credential.principal.account
        if credential is None:
            raise CommonError("missing_authentication")
        self.principals.check_use(credential.principal, exchange.service, exchange.operation_name)
        if declaration is not None and declaration.auth == "signed":
            return
        action = _action(declaration, exchange.route)
        checks = (
            declared_checks(declaration, action, ctx, exchange.struct)
            if declaration is not None
            else iter((Check(action, Target(arn="*", account=ctx.account)),))
        )
        try:
            authorize_call(checks, ctx, self.principals.inputs(credential))
        except CommonError as error:
            self._explain_denial(exchange, error)
            raise
        finally:
            exchange.decision = ctx.decision

    def _explain_denial(self, exchange: Exchange, error: CommonError) -> None:
        """EC2 hands out the details of a denial, sealed; sts:DecodeAuthorizationMessage opens them."""
        ctx = exchange.ctx
        if ctx is None or exchange.service != "ec2" or ctx.decision is None:
            return
        sealed = encode_message(self.ports.sealer, ctx.account, authorization_message(ctx.decision))
        error.message = (
            f"You are not authorized to perform this operation. {error.message}. Encoded authorization failure message: {sealed}"
        )

    def _run(self, exchange: Exchange) -> None:
        """Run the handler, a write inside its own savepoint with its event, and encode the answer."""
        declaration, ctx, found = exchange.declaration, exchange.ctx, exchange.route
        if ctx is None or found is None:
            raise CommonError("access_denied")
        if declaration is None:
            msg = f"Garrison does not implement {found.service}:{found.operation.name} yet."
            raise CommonError("not_implemented", msg)
        if declaration.read and not (declaration.writes is not None and declaration.writes(ctx, exchange.struct)):
            self._answer(declaration, ctx, found, exchange)
            self.recorder.observe(*events.success(exchange))
            return
        with self.store.writing() as tx:
            ctx.tx = tx
            self._answer(declaration, ctx, found, exchange)
            event = events.success(exchange)
            # From here on nothing can undo the unit alone: an event of work that was undone would be a lie, work without its
            # event worse.
            tx.check()
            self.recorder.write(*event, ctx.items)
            for more in ctx.events:
                self.recorder.write(more, None)

    @staticmethod
    def _answer(declaration: Declaration, ctx: Context, found: Route, exchange: Exchange) -> None:
        """Run the handler and encode what it says, before anything is kept: what cannot be sent did not happen."""
        if not exchange.ran_beside:
            exchange.result = declaration.handler(ctx, exchange.struct)
        exchange.response = _sendable(exchange.codec.encode(found.operation, exchange.result, ctx.request_id))

    # Failure, and the end of a call

    def _fail(self, exchange: Exchange, error: ServiceError) -> None:
        """Answer the error in the service's own protocol, and put it on record."""
        error = exchange.error = self._written_though_failed(exchange, error)
        try:
            exchange.response = _sendable(exchange.codec.encode_error(exchange.operation, error, exchange.request_id))
            self._record_failure(exchange, error)
        except Exception:
            log.exception("a failed call could not be put on record as it was", extra={"request_id": exchange.request_id})
            exchange.error = CommonError("internal")
            exchange.response = exchange.codec.encode_error(exchange.operation, exchange.error, exchange.request_id)
            # Without what may be the reason: the members of the request, and the decision.
            exchange.struct = exchange.decision = None
            with self._logging_what_is_not_on_record(exchange):
                self._record_failure(exchange, exchange.error)

    def _written_though_failed(self, exchange: Exchange, error: ServiceError) -> ServiceError:
        """Write what stays of a failed call, and answer its error. Where that cannot be written, nobody learns how it ended."""
        if exchange.ctx is None or not exchange.ctx.though_failed:
            return error
        kept, exchange.ctx.though_failed = exchange.ctx.though_failed, []
        try:
            with self.store.writing() as tx:
                for each in kept:
                    each(tx)
        except ServiceError as lost:
            return lost
        except Exception:
            log.exception("what a failed call leaves could not be written", extra={"request_id": exchange.request_id})
            return CommonError("internal")
        return error

    @contextlib.contextmanager
    def _logging_what_is_not_on_record(self, exchange: Exchange) -> Iterator[None]:
        """The last resort: nothing happened, the client is told of a failure, and the log at least knows of it."""
        try:
            yield
        except Exception:
            log.critical("a failed call is not on record", exc_info=True, extra={"request_id": exchange.request_id})

    def _record_failure(self, exchange: Exchange, error: ServiceError) -> None:
        if exchange.credential is not None or self.strangers.admit(exchange.now):
            self.recorder.observe(*events.failure(exchange, error))

    async def _settle(self, exchange: Exchange) -> Response:
        """The answer, once what it says is safe: a write waits for its group, and so does a read that saw an open group."""
        try:
            await self.settled()
        except CommonError as error:
            self._lose(exchange, error)
        return self._counted(exchange)

    async def settled(self) -> None:
        """Wait until all that was done and put on record so far is safe. Raises CommonError("unavailable") where it is not."""
        if self.store.has_pending:
            await asyncio.shield(self._next_flush())
        else:
            self.flush()

    def _next_flush(self) -> asyncio.Future[None]:
        """The end of this turn of the event loop, when its group is committed."""
        if self._flushing is None:
            loop = asyncio.get_running_loop()
            self._flushing = loop.create_future()
            loop.call_soon(self._flush_if_due)
        return self._flushing

    def _flush_if_due(self) -> None:
        # Somebody may have flushed in between, and whoever waited was told then.
        if self._flushing is not None:
            with contextlib.suppress(CommonError):
                self.flush()

    def flush(self) -> None:
        """Commit the open group and let the answers go that wait for it; nobody else commits or loses a group.

        Raises CommonError("unavailable"), after telling those who wait: nothing of the group happened.
        """
        flushing, self._flushing = self._flushing, None
        try:
            self._commit()
        except CommonError as error:
            if flushing is not None:
                _break(flushing, error)
            self._lose_turn(error)
            raise
        if flushing is not None:
            flushing.set_result(None)

    def _lose_turn(self, error: CommonError) -> None:
        """Tell those whose calls were done in this turn that nothing of it happened."""
        due, self._due = self._due, []
        for exchange, answer in due:
            self._lose(exchange, error)
            self._let_go(exchange, answer)

    def _commit(self) -> None:
        try:
            self.recorder.flush()
        except CommonError:
            raise
        except Exception as error:
            log.exception("calls could not be committed or put on record")
            self.store.rollback()
            raise CommonError("unavailable") from error

    def _lose(self, exchange: Exchange, error: CommonError) -> None:
        """The store did not take it: nothing of the call happened; the client is told so, and the trail as far as it can be."""
        exchange.error = error
        if exchange.ctx is not None:
            # What its first event said is not so: this one is another.
            exchange.ctx.scratch.pop(EVENT_ID, None)
        self._fail(exchange, error)
        try:
            self.recorder.flush()
        except Exception:  # noqa: BLE001 - the event waits for the next flush that succeeds
            log.warning("a call was lost, and its event waits", extra={"request_id": exchange.request_id})

    def _counted(self, exchange: Exchange) -> Response:
        response = exchange.response or Response(500)
        if log.isEnabledFor(logging.DEBUG):
            _log_call(exchange, response.status)
        self.calls[exchange.service, exchange.operation_name if exchange.route else "", response.status] += 1
        return response


_STEPS: tuple[Callable[[Gateway, Exchange], None], ...] = (
    Gateway._find_route,  # noqa: SLF001 - the class's own list
    Gateway._authenticate,  # noqa: SLF001
    Gateway._decode,  # noqa: SLF001
    look_for_proof,
    Gateway._authorize,  # noqa: SLF001
    look_beside,
    Gateway._run,  # noqa: SLF001
)
"""The life of a request. Every call of every service goes through all of it, in this order."""


def _log_call(exchange: Exchange, status: int) -> None:
    """One line a call, at level debug: who, what, how it ended. Not a word of what was in it."""
    error = events.fault_of(exchange)
    log.debug(
        "call",
        extra={
            "request_id": exchange.request_id,
            "operation": f"{exchange.service}:{exchange.operation_name}",
            "status": status,
            "error": error,
            "principal": exchange.principal.arn or exchange.principal.kind,
            "source_ip": exchange.call.source_ip,
        },
    )


def _sendable(response: Response) -> Response:
    """The answer, if its head can be written. Raises ValueError where a value would end it early or is not Latin-1."""
    for name, value in response.headers:
        if _UNSENDABLE.search(value):
            msg = f"a value of the header {name} cannot be sent"
            raise ValueError(msg)
    return response


def _break(flushing: asyncio.Future[None], error: CommonError) -> None:
    flushing.set_exception(error)
    flushing.exception()  # read here too: every client of the group may have gone


def _open_to_all(found: Route | None) -> bool:
    declaration = _declaration(found) if found is not None else None
    return declaration is not None and declaration.auth == "unsigned"


def _declaration(found: Route) -> Declaration | None:
    return REGISTRY.get((found.service, found.operation.name.lower()))


def _scope_service(service: str, claim: Claim) -> str | None:
    """The service that the signature's scope must name. S3's clients sign parts of S3 under names of their own."""
    if not service or EXTRA_SIGNING_NAMES.get(claim.service) == service:
        return claim.service if service else None
    return load_model(service).signing_name


def _action(declaration: Declaration | None, found: Route) -> str:
    if declaration is not None and declaration.action is not None:
        return declaration.action
    return f"{found.operation.model.signing_name}:{found.operation.name}"
