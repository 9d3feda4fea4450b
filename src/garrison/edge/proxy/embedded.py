"""An inspector inside Envoy's own process: what our module in Envoy (``inside.c``) asks, and what it gets.

One interpreter, and one request at a time in it, whichever of Envoy's threads asks: the others wait. What takes long, the pages
of Challenge and Captcha, is made in threads of its own; the web ACL is followed, and metrics are served, in one more.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from garrison.core.http import Response
from garrison.edge.inspect import WebRequest
from garrison.edge.proxy.exchange import Known, clean_pairs, framed_by_envoy, request_of
from garrison.edge.proxy.judge import Judge, Passed, Work

LOG = logging.getLogger("garrison.edge")
Answer = tuple[int, tuple[tuple[bytes, bytes], ...], bytes] | None
"""Status, headers and body in the application's place. None: the request goes on. Status 0: it goes on with these headers, and in
the body's place is what its answer comes back with, if at all."""
Slow = Callable[[], Answer]
WORKERS: Final = 2
SWITCH_SECONDS: Final = 0.0005
"""For which a thread may keep the interpreter while others wait: a web ACL that is being compiled delays a request no longer."""
FAILED: Final[Answer] = (500, (), b"")


class Embedded:
    """Asked by all of Envoy's threads."""

    def __init__(self, judge: Judge, guard: threading.Lock, stop: Callable[[], None], *, fail_open: bool) -> None:
        """``guard`` is held by whoever uses the judge, its rates and its observer; ``stop`` ends what runs beside."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self._judge = judge
        self._guard = guard
        self._last = [stop]
        self._failed = None if fail_open else FAILED
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="pages")

    def decide(
        self,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        partial: bool,  # noqa: FBT001 - inside.c calls by position
        protocol: bytes,
        address: bytes,
        ja3: bytes,
        ja4: bytes,
    ) -> Answer | Slow:
        """What becomes of a request, in Envoy's own words. Never raises: what cannot be decided is the fail mode's."""
        judge = self._judge
        try:
            known = Known(protocol, address, ja3, ja4)
            request = request_of(headers, body, partial, known, judge.scheme, judge.clock())
            with self._guard:
                found = judge.decide(request)
            if isinstance(found, Passed):
                return (0, clean_pairs(found.inserted), found.watch) if found.inserted or found.watch else None
            if isinstance(found, Work):
                return lambda: self._worked(found, request)
            return _rendered(found, request)
        except Exception as error:  # noqa: BLE001 - whatever it is, Envoy must have an answer; it is logged
            return self._failure(error)

    def observe(self, marked: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        """What the application answered to a request with a mark. Never raises."""
        status = next((value for name, value in headers if name == b":status"), b"0")
        with self._guard:
            self._judge.observe(marked, int(status), headers, body)

    def later(self, work: Slow, done: Callable[[Answer], None]) -> None:
        """Work in another thread, and hand in the answer."""
        self._workers.submit(lambda: done(work()))

    def at_end(self, last: Callable[[], None]) -> None:
        """Do this at the end, after all that was said before."""
        self._last.append(last)

    def end(self) -> None:
        """Envoy ends: so does what runs beside, after it has written what it has."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        for each in self._last:
            each()

    def _worked(self, work: Work, request: WebRequest) -> Answer:
        try:
            return _rendered(work.run(), request)
        except Exception as error:  # noqa: BLE001 - as in `decide`
            return self._failure(error)

    def _failure(self, error: Exception) -> Answer:
        self._judge.failed(error)
        return self._failed


def _rendered(response: Response, request: WebRequest) -> Answer:
    """An answer in the application's place. To ``HEAD`` Envoy itself leaves out the body."""
    del request
    return response.status, clean_pairs(framed_by_envoy(response.headers)), response.body
