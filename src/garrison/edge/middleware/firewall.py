"""What both kinds of middleware hold requests against: a web ACL in a file, followed while the application runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import platformdirs

from garrison.core.http import Response
from garrison.edge.inspect import InvalidParameter, PatternCache, RateRule, Rates, RateTable, WebRequest
from garrison.edge.live import Managed
from garrison.edge.places import Places
from garrison.edge.proxy.inspector import compiled
from garrison.edge.proxy.judge import Judge, Passed, Work
from garrison.edge.proxy.policies import FileSource, FolderCache, Loaded
from garrison.edge.proxy.settings import INSPECTED_BYTES
from garrison.edge.token_keys import SETTLING, TokenKey, TokenKeys

LOG = logging.getLogger("garrison.edge")
LOOK_SECONDS: Final = 0.5
SECRET_BYTES: Final = 32


class _Together:
    """A table that several threads count in."""

    def __init__(self) -> None:
        self._table = RateTable()
        self._lock = threading.Lock()

    def hit(self, rule: RateRule, key: bytes, now: float) -> bool:
        """As of ``Rates``."""
        with self._lock:
            return self._table.hit(rule, key, now)

    def estimate(self, rule: RateRule, key: bytes, now: float) -> float:
        """As of ``Rates``."""
        with self._lock:
            return self._table.estimate(rule, key, now)

    def limited(self, rule: RateRule, now: float) -> list[bytes]:
        """As of ``Rates``."""
        with self._lock:
            return self._table.limited(rule, now)


class Firewall:
    """A web ACL for the applications of this process. Safe to use from several threads.

    ``acl``: the file; a change of it is taken within a second of the next request. ``fail_open``: whether a request passes that
    could not be inspected, which else is answered by 500. ``coded``: whether compressed bodies are passed on, and inspected
    as they are; else they get 415. ``secret``: 32 bytes or more that all processes of the application share; Challenge and
    Captcha rules need it. ``address_from``: the header in which a proxy that is trusted says who its client is, at its end.
    ``lists``: lists of managed rule groups and databases of places. Rates are counted by each process alone.

    Raises ValueError where the web ACL is not valid, OSError.
    """

    def __init__(
        self,
        acl: str | Path,
        *,
        fail_open: bool = False,
        coded: bool = False,
        secret: bytes | None = None,
        address_from: str | None = None,
        lists: Path | None = None,
        cache: PatternCache | None = None,
    ) -> None:
        self.fail_open = fail_open
        self.address_from = address_from.lower().encode() if address_from else None
        self._cache = cache or FolderCache(platformdirs.user_cache_path("garrison") / "patterns")
        self._source = FileSource(Path(acl), Managed(lists, self._cache), Places(lists), _keys(secret))
        loaded = self._source.poll()
        if loaded is None:
            raise ValueError(f"{acl} is no web ACL")
        try:
            first = loaded.compile(self._cache)
        except InvalidParameter as error:
            raise ValueError(f"{acl}: {error}") from error
        rates: Rates = _Together()
        self._judge = Judge(first, rates, "http", undo_codings=not coded)
        self._look_at = time.monotonic() + LOOK_SECONDS
        self._looking = threading.Lock()

    @property
    def body_bytes(self) -> int:
        """Bytes of a body that are looked at: the most that a web ACL may inspect."""
        return INSPECTED_BYTES

    def address(self, headers: Sequence[tuple[bytes, bytes]], peer: str) -> str:
        """The client's address: its peer's, or what a trusted proxy says of it."""
        if self.address_from is None:
            return peer
        said = [value for name, value in headers if name.lower() == self.address_from]
        return said[-1].rpartition(b",")[2].strip().decode("latin-1") if said else peer

    def decide(self, request: WebRequest) -> Passed | Response | Work:
        """What becomes of a request. Never raises."""
        self._look()
        try:
            return self._judge.decide(request)
        except Exception:
            LOG.exception("a request could not be inspected")
            return self._failed()

    def worked(self, work: Work) -> Response:
        """The answer that ``work`` gives; it takes up to a quarter of a second. Never raises."""
        try:
            return work.run()
        except Exception:
            LOG.exception("a page could not be answered")
            return Response(500)

    def _failed(self) -> Passed | Response:
        return Passed() if self.fail_open else Response(500)

    def _look(self) -> None:
        """See whether the file is another, now and then; it is compiled beside the requests."""
        if time.monotonic() < self._look_at or not self._looking.acquire(blocking=False):
            return
        try:
            self._look_at = time.monotonic() + LOOK_SECONDS
            loaded = self._source.poll()
        finally:
            self._looking.release()
        if loaded is not None:
            threading.Thread(target=self._take, args=(loaded,), daemon=True).start()

    def _take(self, loaded: Loaded) -> None:
        policy = compiled(loaded, self._cache)
        if policy is not None:
            self._judge.policy = policy


def _keys(secret: bytes | None) -> TokenKeys | None:
    if secret is None:
        return None
    if len(secret) < SECRET_BYTES:
        raise ValueError(f"a secret has {SECRET_BYTES} bytes or more")
    return TokenKeys([TokenKey("own", secret, time.time() - 2 * SETTLING)])
