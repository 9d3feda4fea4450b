"""Lists in pages: Limit and Marker, the same for every list of KMS."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from garrison.core.context import Context
from garrison.core.paging import page_token, read_token
from garrison.keys.kms import errors

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """What a list answers beside its items."""

    items: list[T]
    truncated: bool
    marker: str | None


class PageRequest(Protocol):
    """Any request of a list."""

    limit: int | None
    marker: str | None


class Pager:
    """One list call: after which key it begins, and how many it takes."""

    def __init__(self, ctx: Context, request: PageRequest, *filters: object, default: int, most: int) -> None:
        """``filters`` is everything that the list depends on beside account and Region.

        Raises InvalidMarkerException on a marker of another list, ValidationException on a Limit over ``most``.
        """
        self._mac = partial(ctx.ports.sealer.mac, "page")
        self._scope = json.dumps(["kms", ctx.operation.replace("_", "").lower(), ctx.account, ctx.region, *filters], default=str)
        self.limit = request.limit or default
        if self.limit > most:
            raise errors.too_many_asked(self.limit, most)
        self.after = ""
        if request.marker is not None:
            try:
                self.after = read_token(self._mac, self._scope, request.marker)
            except ValueError:
                raise errors.marker() from None

    def cut(self, rows: Sequence[T], position: Callable[[T], str]) -> Page[T]:
        """The page of ``rows``: those after :attr:`after`, in order, and one more than :attr:`limit` where more follow."""
        if len(rows) <= self.limit:
            return Page(list(rows), truncated=False, marker=None)
        items = list(rows[: self.limit])
        return Page(items, truncated=True, marker=page_token(self._mac, self._scope, position(items[-1])))
