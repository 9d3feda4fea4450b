"""Lists in pages: NextToken and MaxResults.

A token says after which key the next page begins; it is signed, and bound to its list.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from garrison.core.context import Context
from garrison.core.paging import page_token, read_token
from garrison.identity.organizations.errors import invalid

MOST = 20
"""Items of a page, at most and where the request names no number."""

T = TypeVar("T")


class Page(NamedTuple):
    """What a list answers."""

    items: list[Any]
    token: str | None


class Pager:
    """One list call: where it begins, how many it takes, and the token of what follows."""

    def __init__(self, ctx: Context, req: Any, *filters: object) -> None:  # noqa: ANN401 - the request of any list
        """``filters``: what the list depends on beside the caller's account. Raises InvalidInput on a foreign token."""
        self._mac = partial(ctx.ports.sealer.mac, "page")
        self._scope = json.dumps(["organizations", ctx.operation.lower(), ctx.account, *filters], default=str)
        self.limit: int = getattr(req, "max_results", None) or MOST
        self.after = ""
        if req.next_token is not None:
            try:
                self.after = read_token(self._mac, self._scope, req.next_token)
            except ValueError:
                raise invalid("INVALID_NEXT_TOKEN", "Get the value for the NextToken parameter from the previous call.") from None

    def page(self, rows: Sequence[T], key: Callable[[T], str]) -> Page:
        """The page of ``rows``: those after :attr:`after`, in order, one more than :attr:`limit` where more follow."""
        items = list(rows[: self.limit])
        more = len(rows) > self.limit
        return Page(items, page_token(self._mac, self._scope, key(items[-1])) if more else None)

    def cut(self, rows: Iterable[T], key: Callable[[T], str]) -> Page:
        """The page of a whole list that is in the order of ``key``."""
        return self.page([row for row in rows if key(row) > self.after][: self.limit + 1], key)
