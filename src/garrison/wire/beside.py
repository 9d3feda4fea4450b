"""What runs on a thread beside the event loop: handlers that wait for somebody else, and what writes need from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from garrison.core.context import Context
from garrison.core.operation import PREPARED, Declaration
from garrison.wire.exchange import Exchange


class OutOfReach:
    """The store beside the loop, where its connection may not be used: what a handler needs there was looked up before."""

    def _refuse(self, *_: object) -> NoReturn:
        msg = "beside the loop the store is out of reach"
        raise RuntimeError(msg)

    all = one = run = changed = _refuse


def look_for_proof(_gateway: object, exchange: Exchange) -> None:
    """A step of the gateway: have fetched what a request needs to prove by itself who calls."""
    declaration, ctx = exchange.declaration, exchange.ctx
    if declaration is not None and ctx is not None and declaration.proves is not None:
        _prepare(exchange, declaration, ctx)


def look_beside(_gateway: object, exchange: Exchange) -> None:
    """A step of the gateway: find out whether the call waits for somebody else; it goes on once that is done."""
    declaration, ctx = exchange.declaration, exchange.ctx
    if declaration is None or ctx is None:
        return
    if declaration.beside is not None and declaration.beside(ctx, exchange.struct):
        ctx.tx = OutOfReach()
        exchange.waits_for = partial(run_beside, exchange, declaration, ctx)
    elif declaration.proves is None:
        _prepare(exchange, declaration, ctx)


def _prepare(exchange: Exchange, declaration: Declaration, ctx: Context) -> None:
    work = declaration.prepare(ctx, exchange.struct) if declaration.prepare is not None else None
    if work is not None:
        exchange.waits_for = partial(run_before, ctx, work)


def run_beside(exchange: Exchange, declaration: Declaration, ctx: Context) -> None:
    """Run a read's handler."""
    exchange.result = declaration.handler(ctx, exchange.struct)
    exchange.ran_beside = True


def run_before(ctx: Context, work: Callable[[], Any]) -> None:
    """Fetch what a write's handler needs."""
    ctx.scratch[PREPARED] = work()
