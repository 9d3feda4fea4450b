"""Lists in pages: Marker and MaxItems, the same for every list of IAM.

A marker says after which key the next page begins; it is signed and bound to the account, the operation and its filters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.paging import page_token, read_token

DEFAULT_ITEMS = 100

T = TypeVar("T")


class PageRequest(Protocol):
    """Any request of a list."""

    max_items: int | None
    marker: str | None


class Page(NamedTuple):
    """What a list answers beside its items."""

    items: list[Any]
    truncated: bool
    marker: str | None


class Pager:
    """One list call: where it begins, how many it takes, and the marker of what follows."""

    def __init__(self, ctx: Context, request: PageRequest, *filters: object) -> None:
        """``filters`` is everything that the list depends on beside the account. Raises ValidationError on a foreign marker."""
        self._mac = partial(ctx.ports.sealer.mac, "page")
        self._scope = json.dumps(["iam", ctx.operation.replace("_", "").lower(), ctx.account, *filters], default=str)
        self.limit = request.max_items or DEFAULT_ITEMS
        self.after = ""
        if request.marker is not None:
            try:
                self.after = read_token(self._mac, self._scope, request.marker)
            except ValueError:
                # The text does not say what is wrong with it: a marker is ours or it is not.
                raise CommonError("validation", "Invalid Marker.") from None

    def page(self, rows: Sequence[T], key: Callable[[T], str]) -> Page:
        """The page of ``rows``: those after :attr:`after`, in order, one more than :attr:`limit` where more follow."""
        items = list(rows[: self.limit])
        if len(rows) <= self.limit:
            return Page(items, truncated=False, marker=None)
        return Page(items, truncated=True, marker=page_token(self._mac, self._scope, key(items[-1])))

    def cut(self, rows: Iterable[T], key: Callable[[T], str]) -> Page:
        """The page of a whole list that is in the order of ``key``."""
        following = [row for row in rows if key(row) > self.after] if self.after else list(rows)
        return self.page(following[: self.limit + 1], key)
