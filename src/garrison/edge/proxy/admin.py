"""Envoy's own administration, on its Unix socket."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Final

_SECONDS: Final = 5.0


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("envoy", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket in place of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(str(self._path))


class Admin:
    """Questions to Envoy, each answered by nothing where it does not answer."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _ask(self, method: str, target: str) -> bytes | None:
        connection = _Connection(self._path)
        try:
            connection.request(method, target)
            answer = connection.getresponse()
            found = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return found if answer.status == 200 else None

    def ready(self) -> bool:
        """Whether Envoy has started and has its listeners."""
        return self._ask("GET", "/ready") is not None and bool(self.counts("listener_manager.workers_started"))

    def counts(self, pattern: str) -> dict[str, int]:
        """Counters and gauges whose names match a regular expression, those that are not zero."""
        text = self._ask("GET", f"/stats?format=json&usedonly&filter={pattern}")
        try:
            found = json.loads(text or b"{}").get("stats", [])
        except ValueError:
            return {}
        return {each["name"]: each["value"] for each in found if each.get("value") and "name" in each}

    def rejected_listeners(self) -> int:
        """Listeners that could not be made, of whatever reason."""
        return sum(self.counts(r"listener_manager.(listener_create_failure|lds.update_rejected)").values())

    def active(self) -> int:
        """Requests of clients that are under way."""
        return sum(self.counts(r"http.front.downstream_rq_active").values())

    def drain(self) -> None:
        """Take no more connections, and ask clients to go elsewhere with their next requests."""
        self._ask("POST", "/healthcheck/fail")
        self._ask("POST", "/drain_listeners?graceful&skip_exit")
