"""A private PostgreSQL for tests: its own cluster in a temporary directory, reached over a Unix socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import psycopg
import pytest


def binaries() -> Path | None:
    """The newest installed server's programs; None where there is no server."""
    candidates = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path:
        candidates.append(Path(on_path).resolve().parent)
    return max(candidates, key=lambda path: [int(part) for part in path.parts if part.isdigit()], default=None)


class Cluster:
    """A running server with the settings of a careful installation: every commit is flushed."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user = "postgres" if os.geteuid() == 0 else None
        # Short, for the limit on the length of a socket's path, and not in pytest's directory, which another user may not enter.
        self.directory = Path(tempfile.mkdtemp(prefix="pg-"))
        self._count = 0

    def __enter__(self) -> Self:
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.chown(self.directory, entry.pw_uid, entry.pw_gid)
        data = self.directory / "data"
        self._run("initdb", "-D", str(data), "-A", "trust", "-U", "garrison", "--locale=C.UTF-8", "--encoding=UTF8", "--no-sync")
        settings = (
            f"-c listen_addresses= -c unix_socket_directories={self.directory} -c max_connections=50 -c shared_buffers=32MB"
        )
        self._run("pg_ctl", "-D", str(data), "-w", "-l", str(self.directory / "log"), "-o", settings, "start")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "-D", str(self.directory / "data"), "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.directory)

    def database(self) -> str:
        """The URL of a new, empty database. They are costly: a test that only adds rows takes ``shared`` of ``stores``."""
        self._count += 1
        name = f"test{self._count}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def url(self, name: str) -> str:
        """The URL of a database by name."""
        return f"postgresql://garrison@/{name}?host={self.directory}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if self._user:
            command = ["runuser", "-u", self._user, "--", *command]
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True, check=False)
        if done.returncode:
            msg = f"{program}: {done.stdout}{done.stderr}"
            raise RuntimeError(msg)


def require() -> Path:
    """The server's programs; without them the test is skipped, or fails where everything must be there (CI=true)."""
    programs = binaries()
    if programs is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL's server is not installed")
        pytest.skip("PostgreSQL's server is not installed")
    return programs
