"""An HTTP message as values: what the protocols and signatures read and write. No socket here."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Request:
    """A request with its body read.

    ``path`` and ``query`` are as they stood on the request line (still percent-encoded, bytes as Latin-1);
    ``query`` is without its ``?``. ``headers`` keep the wire's order and duplicates; names are lower case,
    values Latin-1. Nobody changes ``headers`` once a header was asked for.
    """

    method: str
    path: str
    query: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    _first: dict[str, str] | None = field(default=None, init=False, repr=False, compare=False)

    def header(self, name: str, default: str = "") -> str:
        """The first value of a header (``name`` in lower case), or the default."""
        first = self._first
        if first is None:
            # One pass for the dozen headers that a call is asked for.
            first = self._first = dict(reversed(self.headers))
        return first.get(name, default)

    def header_list(self, name: str) -> list[str]:
        """Every value of a header, in the wire's order."""
        return [value for key, value in self.headers if key == name]


@dataclass(slots=True)
class Response:
    """An answer ready for the wire."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
