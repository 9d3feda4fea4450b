"""What keeps key material out of files that nobody meant to write."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def no_core_dumps() -> None:
    """From now on this process and what it forks leave no core dump; on Linux no other process of the user reads their memory.

    Source: getrlimit(2), RLIMIT_CORE; prctl(2), PR_SET_DUMPABLE, which children get back at ``exec`` alone.
    """
    with contextlib.suppress(OSError, ValueError):  # a limit that is lower already
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
