"""Fetching an issuer's documents: bounded in time as a whole and in size, without redirects, and from nobody else.

TLS is verified as AWS does it: by the certificate authorities of the system (and those of the operator), and only where none of
them vouches, by the thumbprints of the provider. A thumbprint then is an anchor: the certificate that has it must have signed the
server's, directly or through others that the server sends, and the server's must be of the name that was asked for; a certificate
that only lies in the chain proves nothing.

Sources: IAM API Reference, CreateOpenIDConnectProvider; IAM User Guide, "Obtain the thumbprint for an OpenID Connect identity
provider".
"""

from __future__ import annotations

import hashlib
import http.client
import re
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from garrison.core.net import is_loopback
from garrison.core.timed import TimedSocket

LARGEST = 256 * 1024
"""Bytes of a document."""
_AGENT = "Garrison"
_PRINTABLE = re.compile(r"[!-~]+")


class FetchError(Exception):
    """A document that could not be had."""


class UnreachableError(FetchError):
    """No connection, no answer in time, or one of a server that cannot answer now."""


class UntrustedError(FetchError):
    """Neither an authority nor a thumbprint vouches for the server."""


class BadAnswerError(FetchError):
    """An answer that is no document: another status, too long, or no HTTP at all."""


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches documents. Threads may share it."""

    authorities: Path | None = None
    """Certificate authorities, PEM, that are trusted beside those of the system."""
    seconds: float = 5.0
    """For one document: resolving its name apart, everything."""
    loopback: bool = False
    """Whether ``http://`` is taken, of this machine's own addresses."""

    def get(self, url: str, thumbprints: Sequence[str] = ()) -> bytes:
        """The document at a URL. Raises UnreachableError, UntrustedError, BadAnswerError."""
        parts = self._parts(url)
        deadline = time.monotonic() + self.seconds
        try:
            sock = self._connect(parts, thumbprints, deadline)
            return _got(sock, parts, deadline)
        except ssl.SSLCertVerificationError as error:
            raise UntrustedError("no authority and no thumbprint vouches for the server") from error
        except (http.client.HTTPException, ValueError) as error:
            raise BadAnswerError("no HTTP answer") from error
        except OSError as error:  # a TimeoutError and any other ssl.SSLError too
            raise UnreachableError("the server cannot be reached") from error

    def top_thumbprint(self, url: str) -> str:
        """The thumbprint of the last certificate that a server sends. Raises UnreachableError, BadAnswerError."""
        parts = self._parts(url)
        try:
            chain = _chain(parts, time.monotonic() + self.seconds)
        except (OSError, ValueError) as error:
            raise UnreachableError("the server cannot be reached") from error
        return thumbprint(chain[-1])

    def allows(self, url: str) -> bool:
        """Whether a document may be fetched from there at all."""
        try:
            self._parts(url)
        except BadAnswerError:
            return False
        return True

    def _parts(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            named = bool(parts.hostname) and parts.port != 0
        except ValueError as error:
            raise BadAnswerError("no URL") from error
        plain = parts.scheme == "http" and self.loopback and is_loopback(parts.hostname or "")
        if not named or not _PRINTABLE.fullmatch(url) or parts.username is not None or not (parts.scheme == "https" or plain):
            raise BadAnswerError("no https:// URL")
        return parts

    def _connect(self, parts: SplitResult, thumbprints: Sequence[str], deadline: float) -> socket.socket:
        if parts.scheme == "http":
            return _dialled(parts, deadline)
        try:
            return _secured(parts, self._context(), deadline)
        except ssl.SSLCertVerificationError:
            pinned = [each for each in _chain(parts, deadline) if thumbprint(each) in thumbprints] if thumbprints else []
            if not pinned:
                raise
        return _secured(parts, _pinning(pinned), deadline)

    def _context(self) -> ssl.SSLContext:
        made = ssl.create_default_context()
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.authorities is not None:
            made.load_verify_locations(cafile=str(self.authorities))
        return made


def thumbprint(certificate: bytes) -> str:
    """SHA-1 of a certificate (DER), as AWS names it: 40 hexadecimal digits."""
    return hashlib.sha1(certificate).hexdigest()  # noqa: S324 - AWS's form; to forge one takes a second preimage


def _pinning(certificates: Sequence[bytes]) -> ssl.SSLContext:
    """Trust in these certificates alone, be they roots or not; the server's name is checked as ever."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    made.load_verify_locations(cadata=b"".join(certificates))
    return made


def _chain(parts: SplitResult, deadline: float) -> list[bytes]:
    """The certificates that a server sends, its own first. Nothing is sent to it, and nothing of it is believed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # they are looked at, not trusted: what is trusted is connected to again
    with _secured(parts, context, deadline) as sock:
        public = getattr(sock, "get_unverified_chain", None)
        if public is not None:
            return list(public())
        # Before Python 3.13 only the object inside tells.
        inner = sock._sslobj  # type: ignore[attr-defined] # noqa: SLF001 - the same
        return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in inner.get_unverified_chain()]


def _dialled(parts: SplitResult, deadline: float) -> socket.socket:
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return socket.create_connection((parts.hostname or "", port), max(deadline - time.monotonic(), 0.001))


def _secured(parts: SplitResult, context: ssl.SSLContext, deadline: float) -> ssl.SSLSocket:
    sock = _dialled(parts, deadline)
    try:
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        return context.wrap_socket(sock, server_hostname=parts.hostname)
    except BaseException:
        sock.close()
        raise


def _got(sock: socket.socket, parts: SplitResult, deadline: float) -> bytes:
    connection = http.client.HTTPConnection(parts.netloc)
    connection.auto_open = 0
    connection.sock = TimedSocket(sock, deadline)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"User-Agent": _AGENT, "Accept": "application/json", "Connection": "close"})
        with connection.getresponse() as response:
            if response.status >= 500 or response.status == 429:
                raise ConnectionError(response.status)
            if response.status != 200:
                raise ValueError(response.status)
            body = response.read(LARGEST + 1)
    finally:
        connection.close()
    if len(body) > LARGEST:
        raise ValueError("too long")
    return body
