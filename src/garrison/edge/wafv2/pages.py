"""Lists in pages: Limit and NextMarker, the same for every list of AWS WAF."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from garrison.core.context import Context
from garrison.core.paging import page_token, read_token
from garrison.edge.wafv2 import errors

T = TypeVar("T")
DEFAULT: Final = 100


class Pager:
    """One list call: after which name it begins, and how many it takes."""

    def __init__(self, ctx: Context, request: Any, *filters: object, default: int = DEFAULT) -> None:  # noqa: ANN401 - any list request
        """``filters`` is everything that the list depends on beside account and Region.

        Raises WAFInvalidParameterException on a marker of another list.
        """
        self._mac = partial(ctx.ports.sealer.mac, "page")
        self._scope = json.dumps(
            ["wafv2", ctx.operation.replace("_", "").lower(), ctx.account, ctx.region, *filters], default=str
        )
        self.limit: int = request.limit or default
        self.after = ""
        marker = request.next_marker
        if marker is not None:
            try:
                self.after = read_token(self._mac, self._scope, marker)
            except ValueError:
                raise errors.marker() from None

    def cut(self, rows: Sequence[T], position: Callable[[T], str]) -> tuple[list[T], str | None]:
        """A page of ``rows``, which are those after :attr:`after` in order, and the marker of the next where more follow."""
        if len(rows) <= self.limit:
            return list(rows), None
        page = list(rows[: self.limit])
        return page, self.marker(position(page[-1]))

    def marker(self, position: str) -> str:
        """The marker of the page that begins after a position."""
        return page_token(self._mac, self._scope, position)
