"""The keys of OpenID Connect issuers, fetched when they are needed and kept for a while.

Keys come from the issuer's discovery document and the JWKS that it names, or from a file where the operator says so. They are
asked for anew once they are :data:`FRESH` seconds old, so that a key that the issuer drops is dropped here, and when a token
names a key that is not there, at most every :data:`PAUSE` seconds; a failure is not tried again for
:data:`PAUSE_AFTER_FAILURE`. One thread fetches for all that wait for the same issuer.

Source: OpenID Connect Discovery 1.0, sections 4 and 4.3.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from garrison.api import sts as api
from garrison.identity.federation.https import LARGEST, Fetcher, FetchError, UnreachableError, UntrustedError
from garrison.identity.federation.keysets import BadKeysError, Keys, read_keys
from garrison.identity.federation.web_tokens import NO_KEY, Unverified

FRESH = 300.0
PAUSE = 30.0
PAUSE_AFTER_FAILURE = 10.0
WAITING = 8
"""Threads that may wait for one issuer; who comes then is told to come back, so that a slow issuer cannot hold them all."""
ALL_WAITING = 12
"""The same of all issuers together: some threads of a process stay for passwords and keys, however many issuers are slow."""
HELD = 1024
"""Issuers in memory at one time."""
UNREACHABLE = (
    "The request could not be fulfilled because the identity provider (IDP) that was asked to verify the incoming identity token "
    "could not be reached."
)
THUMBPRINT = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
_WELL_KNOWN = "/.well-known/openid-configuration"


class Issuer(NamedTuple):
    """Whose keys are meant, and by what its server is known. Accounts that trust an issuer alike share its keys."""

    url: str
    thumbprints: tuple[str, ...] = ()


@dataclass(slots=True)
class _Known:
    """Times are of a clock that only goes forward, in seconds."""

    keys: Keys | None = None
    fetched: float = float("-inf")
    """When the keys came."""
    error: FetchError | BadKeysError | None = None
    tried: float = float("-inf")
    waiting: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Issuers:
    """The issuers that this process has had to do with. Threads may share it."""

    def __init__(
        self, fetcher: Fetcher | None = None, files: Mapping[str, Path] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``files``: JWKS files by the URL of the issuer, which is then never asked."""
        self.fetcher = fetcher or Fetcher()
        self._files = dict(files or {})
        self._clock = clock
        self._known: OrderedDict[Issuer, _Known] = OrderedDict()
        self._lock = threading.Lock()
        self._waiting = 0

    def allows(self, url: str) -> bool:
        """Whether keys can come from an issuer of this URL at all."""
        return url in self._files or self.fetcher.allows(url)

    def held(self, issuer: Issuer, token: Unverified) -> Keys | None:
        """The keys for a token as far as they need not be fetched; None where they do."""
        known = self._known.get(issuer)
        return None if known is None or self._due(known, token) else self._usable(known)

    def keys(self, issuer: Issuer, token: Unverified) -> Keys:
        """The keys for a token, fetched where that is due: call beside the loop.

        Raises IDPCommunicationError where the issuer cannot be reached, InvalidIdentityToken where it gives no keys that count.
        """
        known = self._of(issuer)
        with self._waits(known), known.lock:
            if self._due(known, token):
                self._fetch(issuer, known)
        found = self._usable(known)
        if found is None:
            raise _refusal(known.error)
        return found

    @contextlib.contextmanager
    def _waits(self, known: _Known) -> Iterator[None]:
        """Take a place among those that wait. Raises IDPCommunicationError where there is none."""
        with self._lock:
            if known.waiting >= WAITING or self._waiting >= ALL_WAITING:
                raise api.IDPCommunicationErrorException(UNREACHABLE)
            known.waiting += 1
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                known.waiting -= 1
                self._waiting -= 1

    def _of(self, issuer: Issuer) -> _Known:
        with self._lock:
            known = self._known.setdefault(issuer, _Known())
            self._known.move_to_end(issuer)
            while len(self._known) > HELD:
                self._known.popitem(last=False)
            return known

    def _usable(self, known: _Known) -> Keys | None:
        return known.keys if self._clock() - known.fetched < FRESH else None

    def _due(self, known: _Known, token: Unverified) -> bool:
        since = self._clock() - known.tried
        usable = self._usable(known)
        if usable is None:
            return since >= PAUSE_AFTER_FAILURE
        return since >= PAUSE and not usable.fitting(token.kid, token.algorithm)

    def _fetch(self, issuer: Issuer, known: _Known) -> None:
        try:
            known.keys, known.error = read_keys(self._document(issuer)), None
            known.fetched = self._clock()
        except (FetchError, BadKeysError) as error:
            # What was fetched before is good for as long as it would have been.
            known.error = error
        known.tried = self._clock()

    def _document(self, issuer: Issuer) -> bytes:
        path = self._files.get(issuer.url)
        if path is not None:
            return _file(path)
        discovered = self.fetcher.get(issuer.url.rstrip("/") + _WELL_KNOWN, issuer.thumbprints)
        return self.fetcher.get(_keys_url(discovered, issuer.url), issuer.thumbprints)


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST)
    except OSError as error:
        raise UnreachableError("the file of its keys cannot be read") from error


def _keys_url(document: bytes, issuer: str) -> str:
    """Where an issuer's keys are. Raises BadKeysError where the document is another issuer's."""
    try:
        found = json.loads(document)
        url, named = found["jwks_uri"], found["issuer"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise BadKeysError("no discovery document") from error
    if named != issuer or not isinstance(url, str):
        raise BadKeysError("the discovery document of another issuer")
    return url


def _refusal(error: Exception | None) -> api.IDPCommunicationErrorException | api.InvalidIdentityTokenException:
    if isinstance(error, UnreachableError):
        return api.IDPCommunicationErrorException(UNREACHABLE)
    return api.InvalidIdentityTokenException(THUMBPRINT if isinstance(error, UntrustedError) else NO_KEY)
