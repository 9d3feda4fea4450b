"""A real ``garrison serve`` process for tests: started, stopped, killed and started again.

Tests speak to it as any client would. Nothing here looks inside the server.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

START_SECONDS = 60.0
"""A bound for a machine under load, not a promise about speed."""
STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class AccessKey:
    """What a client signs with."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What ``--credentials-file`` says."""

    endpoint: str
    region: str
    account: str
    root: AccessKey
    admin: AccessKey

    @classmethod
    def read(cls, path: Path) -> Credentials:
        """Parse the file. Raises KeyError where a member is missing."""
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            endpoint=found["endpoint"],
            region=found["region"],
            account=found["account"],
            root=AccessKey(found["root"]["access_key_id"], found["root"]["secret_access_key"]),
            admin=AccessKey(found["admin"]["access_key_id"], found["admin"]["secret_access_key"]),
        )


class ServerError(RuntimeError):
    """The server did not start or stop; the message holds the end of its log."""


def free_port() -> int:
    """A loopback TCP port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would steer an AWS client or Garrison."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GARRISON_", "PYTEST_"))}
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", "PYTHONUNBUFFERED": "1", **(extra or {})}


@dataclass(slots=True)
class Server:
    """One server on a port and a directory of its own. ``start`` it before use; ``stop`` or ``kill`` ends it."""

    directory: Path
    """Where its data, its log and its credentials file lie."""
    store: str | None = None
    """The URL for ``--store``; None: SQLite in the data directory."""
    workers: int = 1
    dev: bool = False
    account: str | None = None
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = (sys.executable, "-m", "garrison")
    """How to start ``garrison``: by default from the interpreter that runs the tests."""
    scheme: str = "http"
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    started: Credentials | None = None

    @property
    def data_dir(self) -> Path:
        """What ``--data-dir`` names."""
        return self.directory / "data"

    @property
    def credentials_file(self) -> Path:
        """What ``--credentials-file`` names."""
        return self.directory / "credentials.json"

    @property
    def credentials(self) -> Credentials:
        """As the first start wrote them."""
        if self.started is None:
            self.started = Credentials.read(self.credentials_file)
        return self.started

    @property
    def endpoint(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def account_id(self) -> str:
        """The twelve digits of the server's first account."""
        return self.credentials.account

    def command(self) -> list[str]:
        """The command line of ``start``."""
        line = [*self.program, "serve", "--port", str(self.port), "--credentials-file", str(self.credentials_file)]
        line += ["--dev"] if self.dev else ["--data-dir", str(self.data_dir)]
        line += ["--workers", str(self.workers)] if self.workers != 1 else []
        line += ["--store", self.store] if self.store else []
        line += ["--account", self.account] if self.account else []
        return [*line, *self.options]

    def start(self) -> Self:
        """Start and wait until the server says it is healthy. Raises ServerError where it ends or stays silent."""
        if self.process is not None:
            msg = "the server runs already"
            raise ServerError(msg)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=clean_environment(self.environment),
                cwd=self.directory,
                start_new_session=True,  # a group of its own, so that `kill` reaches every worker
            )
        try:
            self._wait_until_healthy()
        except BaseException:
            self.kill()
            raise
        return self

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                code = None if self.process is None else self.process.returncode
                msg = f"the server ended with {code} while starting:\n{self.log_tail()}"
                raise ServerError(msg)
            if self.healthy() and self.credentials_file.exists():
                return
            time.sleep(0.02)
        msg = f"the server was not healthy after {START_SECONDS} s:\n{self.log_tail()}"
        raise ServerError(msg)

    def healthy(self) -> bool:
        """Whether ``/_garrison/health`` answers 200."""
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_garrison/health", timeout=5, context=self._tls()) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _tls(self) -> ssl.SSLContext | None:
        authority = self.data_dir / "tls" / "ca.pem"
        return ssl.create_default_context(cafile=str(authority)) if self.scheme == "https" and authority.exists() else None

    def stop(self) -> None:
        """SIGTERM, as a service manager would; raises ServerError where it does not end cleanly."""
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            kill_group(process)
            msg = f"the server was still there {STOP_SECONDS} s after SIGTERM:\n{self.log_tail()}"
            raise ServerError(msg) from None
        kill_group(process)
        if code not in {0, -signal.SIGTERM}:
            msg = f"the server ended with {code}:\n{self.log_tail()}"
            raise ServerError(msg)

    def kill(self) -> None:
        """SIGKILL to the whole process group: what a power cut leaves of it."""
        process, self.process = self.process, None
        if process is not None:
            kill_group(process)

    def restart(self) -> Self:
        """Stop and start on the same port and state."""
        self.stop()
        return self.start()

    def log(self) -> str:
        """All that the server printed."""
        path = self.directory / "server.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def log_tail(self, lines: int = 60) -> str:
        """The end of the log, for a failure's message."""
        return "\n".join(self.log().splitlines()[-lines:])

    def garrison(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``garrison ARGUMENTS`` on this server's data directory. Raises ServerError on a failure if ``check``."""
        store = {"GARRISON_STORE": self.store} if self.store else {}
        environment = clean_environment({"GARRISON_DATA_DIR": str(self.data_dir), **store, **self.environment})
        line = [*self.program, *arguments]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False, timeout=300)
        if check and done.returncode:
            msg = f"{line} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
            raise ServerError(msg)
        return done

    def remove(self) -> None:
        """End it and forget its state."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to every process of the group and wait until all are gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_SECONDS)
    deadline = time.monotonic() + STOP_SECONDS
    while group_lives(process.pid):
        if time.monotonic() > deadline:
            msg = f"process group {process.pid} outlived SIGKILL"
            raise ServerError(msg)
        time.sleep(0.005)


def group_lives(group: int) -> bool:
    """Whether any process of the group that is no zombie is left."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            fields = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] != "Z":
                return True
    return False
