"""What a web ACL says of a call, in words that need no engine."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, Protocol

import platformdirs

from garrison.core.context import Call
from garrison.core.http import Request, Response

PAGES: Final = "/_garrison/waf/"
"""What the pages of Challenge and Captcha call, below each protected host."""


class Refusal(Enum):
    """Why a call goes no further, where no rule chose the answer."""

    BLOCKED = "blocked"
    """A rule, or the default action, blocks."""
    FAILED = "failed"
    """It could not be inspected, and what cannot be inspected does not pass."""


@dataclass(frozen=True, slots=True)
class Slow:
    """An answer that takes up to a quarter of a second, for a thread. Raises whatever goes wrong."""

    run: Callable[[], Response]


Ruling = Response | Refusal | Slow | None
"""None: it goes on."""
Inspect = Callable[[Request, Call, float, str], Ruling]
"""A call, the time in seconds since the epoch and the request's id. Never raises."""


def refuse_all(_request: Request, _call: Call, _now: float, _request_id: str) -> Ruling:
    """Where a web ACL is associated and cannot be put in force."""
    return Refusal.FAILED


class Wishes(Protocol):
    """The settings that matter here."""

    @property
    def data_dir(self) -> Path:
        """Where state is kept."""
        ...

    @property
    def dev(self) -> bool:
        """Whether it is in memory."""
        ...

    @property
    def store(self) -> str:
        """URL of a database that several nodes share; empty for none."""
        ...

    @property
    def waf_lists(self) -> Path | None:
        """As of ``Setup.lists``."""
        ...

    @property
    def waf_valkey(self) -> str:
        """As of ``Setup.valkey``."""
        ...

    @property
    def waf_fail_open(self) -> bool:
        """As of ``Setup.fail_open``."""
        ...


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker inspects with."""

    name: str
    """Under which its samples are told apart from other inspectors'."""
    logs: Path
    """Folder of log records that go to files."""
    patterns: Path
    """Folder of compiled patterns."""
    lists: Path | None = None
    """Lists of managed rule groups and databases of places."""
    shared: Path | None = None
    """Folder in which the workers of a node meet; None where there is one alone."""
    first: bool = True
    """Whether this is the worker that keeps the hub of rates."""
    valkey: str = ""
    """URL of where the rates of many nodes meet."""
    many_nodes: bool = False
    fail_open: bool = False
    """Whether what cannot be inspected passes."""

    @classmethod
    def of(cls, settings: Wishes, slot: int, shared: Path | None) -> Setup:
        """What a worker inspects with by its settings. ``slot`` is its number, ``shared`` the folder where several meet."""
        return cls(
            name=f"{socket.gethostname()}:api:{slot}",
            logs=settings.data_dir / "waf-logs",
            # State in memory makes no folder of its own: what others of the user compiled serves it too.
            patterns=(platformdirs.user_cache_path("garrison") if settings.dev else settings.data_dir) / "patterns",
            lists=settings.waf_lists,
            shared=shared,
            first=slot == 0,
            valkey=settings.waf_valkey,
            many_nodes=bool(settings.store),
            fail_open=settings.waf_fail_open,
        )
