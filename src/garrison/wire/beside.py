"""What runs on a thread beside the event loop: handlers that wait for somebody else, and what writes need from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
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


def run_beside(exchange: Exchange, declaration: Declaration, ctx: Context) -> None:
    """Run a read's handler."""
    exchange.result = declaration.handler(ctx, exchange.struct)
    exchange.ran_beside = True


def run_before(ctx: Context, work: Callable[[], Any]) -> None:
    """Fetch what a write's handler needs."""
    ctx.scratch[PREPARED] = work()
