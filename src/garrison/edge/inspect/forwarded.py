"""Addresses in headers that proxies add: ``ForwardedIPConfig`` and ``IPSetForwardedIPConfig``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from garrison.edge.inspect.request import Address, WebRequest, parse_ip

MOST: Final = 10
"""Addresses that are looked at: of a longer list the last ones (API reference, ``IPSetForwardedIPConfig``)."""


class Forwarded:
    """Where to find a forwarded address, and what a statement answers where there is no valid one."""

    __slots__ = ("fallback", "name", "position")

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.name = str(spec["HeaderName"]).lower().encode()
        self.fallback: bool = spec["FallbackBehavior"] == "MATCH"
        self.position = str(spec.get("Position") or "FIRST")

    def addresses(self, request: WebRequest) -> list[Address] | None:
        """The valid addresses at the position. None where the header is absent: then the statement does not apply at all."""
        value = request.by_name.get(self.name)
        if value is None:
            return None
        entries = value.split(b",")
        if self.position == "FIRST":
            chosen = entries[:1]
        elif self.position == "LAST":
            chosen = entries[-1:]
        else:
            chosen = entries[-MOST:]
        found = [parse_ip(each.strip(b" \t").decode("latin-1")) for each in chosen]
        return [each for each in found if each is not None]
