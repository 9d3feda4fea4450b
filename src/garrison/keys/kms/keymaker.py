"""Where keys are made that take long: on few threads of low priority, so that a worker answers others meanwhile.

An RSA key costs up to seconds of a processor. The library lets go of the interpreter meanwhile, but more such threads than
processors would still keep the event loop waiting for its turn (docs/adr/0012, with figures).
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from garrison.core.errors import CommonError

if TYPE_CHECKING:
    from garrison.core.ids import Random
    from garrison.keys.kms.specs import Spec

WAITING = 12
"""Calls that may wait at one time; more are told to come back. Fewer than the threads beside the loop, which others need too."""
_NICE = 10


class Keymaker:
    """Makes keys for one process."""

    def __init__(self, *, waiting: int = WAITING) -> None:
        self._waiting = threading.BoundedSemaphore(waiting)
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def make(self, spec: Spec, random: Random) -> bytes:
        """New material of a spec, as it is sealed; the caller waits. Raises CommonError("throttled") where too many do."""
        if not spec.slow:
            return spec.make(random)
        if not self._waiting.acquire(blocking=False):
            raise CommonError("throttled")
        try:
            return self._started().submit(spec.make, random).result()
        finally:
            self._waiting.release()

    def _started(self) -> ThreadPoolExecutor:
        """The threads, started at the first slow key: after the fork of the worker."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // 2), "keymaker", _step_back)
            return self._pool


def _step_back() -> None:
    """Lower the priority of this thread alone, where the system can."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


KEYMAKER = Keymaker()
