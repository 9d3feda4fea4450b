"""A real ``garrison serve --dev`` process, on a free port, for one process of tests."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

_START_SECONDS = 60.0
"""A bound for a machine under load, not a promise about speed."""
_STOP_SECONDS = 15.0
_CALL_SECONDS = 60.0
_LOG_LINES = 40


class ServerError(RuntimeError):
    """The server did not start, or is gone. The message holds the end of its log."""


class Server:
    """One server with its state in memory. ``start`` before use; it ends with ``stop``, or with this process."""

    def __init__(self, options: Sequence[str] = ()) -> None:
        """``options``: further ones of ``garrison serve``."""
        self._options = tuple(options)
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._connection: http.client.HTTPConnection | None = None
        self.credentials: Mapping[str, Any] = {}
        """What ``--credentials-file`` says."""
        self.fresh = False
        """True from a start or a reset to the first use."""

    @property
    def endpoint(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return str(self.credentials["endpoint"])

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start, and wait until it answers. Raises ServerError."""
        self._folder = Path(tempfile.mkdtemp(prefix="garrison-"))
        credentials = self._folder / "credentials.json"
        arguments = ["serve", "--dev", "--port", "0", "--credentials-file", str(credentials), *self._options]
        with (self._folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and the tests' own options
                [sys.executable, "-m", "garrison.testing.keeper", *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=_environment(),
                start_new_session=True,  # an interrupt at the terminal is for the tests; they stop the server
            )
        try:
            self._wait(credentials)
        except BaseException:
            self.stop()
            raise
        self.fresh = True
        return self

    def _wait(self, credentials: Path) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if not self.alive:
                raise self._gone("the server ended while it started")
            if credentials.exists():
                self.credentials = json.loads(credentials.read_text(encoding="utf-8"))
                with contextlib.suppress(OSError, http.client.HTTPException):
                    self.call("GET", "/_garrison/health")
                    return
            time.sleep(0.01)
        raise self._gone(f"the server did not answer within {_START_SECONDS:.0f} s")

    def stop(self) -> None:
        """End it, and forget its state."""
        self._forget_connection()
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def reset(self) -> None:
        """Back to the first start, with the same credentials; started again where it is gone. Raises ServerError."""
        if not self.alive:
            self.stop()
            self.start()
            return
        self._told("POST", "/_garrison/reset")
        self.fresh = True

    def decisions(self, after: int) -> Mapping[str, Any]:
        """The calls after a position in the trail: ``{"last": position, "calls": [{event, decision, story}]}``.

        Raises ServerError.
        """
        found: Mapping[str, Any] = json.loads(self._told("GET", f"/_garrison/decisions?after={after}"))
        return found

    def _told(self, method: str, path: str) -> bytes:
        try:
            status, body = self.call(method, path)
        except (OSError, http.client.HTTPException) as error:
            raise self._gone(f"the server does not answer: {error!r}") from error
        if status != http.client.OK:
            raise self._gone(f"the server answered {status} to {method} {path}")
        return body

    def call(self, method: str, path: str) -> tuple[int, bytes]:
        """One request to a path of Garrison's own, on a connection that stays open. Raises OSError, HTTPException."""
        for again in (True, False):
            if self._connection is None:
                where = urlsplit(self.endpoint)
                self._connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_CALL_SECONDS)
            try:
                self._connection.request(method, path)
                answer = self._connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                self._forget_connection()
                if not again or not self.alive:
                    raise
        raise AssertionError  # the loop answers or raises

    def _forget_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _gone(self, what: str) -> ServerError:
        log = self._folder / "server.log" if self._folder is not None else None
        text = log.read_text(encoding="utf-8", errors="replace") if log is not None and log.exists() else ""
        return ServerError("\n".join([what, *text.splitlines()[-_LOG_LINES:]]))


def _environment() -> dict[str, str]:
    """This process's environment, without what would steer the server: its settings are in its arguments alone."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GARRISON_"))}
