"""What KMS asks of an external key store proxy: one function for each operation of the specification.

Each answer is held against the specification before anything is made of it. An error is a :class:`ProxyError` whose ``kind`` is
the proxy's ``errorName``, or one of ours for what never became an answer.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from garrison.core.clock import Clock, system_clock
from garrison.keys.xks.http import BrokenError, ConnectError, Https, Routes, SlowError, TlsError
from garrison.keys.xks.signing import signed_headers

SECONDS = 0.25
"""How long a proxy may take over one request (specification, "KMS Considerations")."""

UNREACHABLE = "unreachable"
NO_TLS = "no TLS"
TIMED_OUT = "timed out"
MALFORMED = "malformed"
UNAVAILABLE = "unavailable"
"""It answers, and says that no key manager behind it does."""

PROXY_ERRORS = frozenset(
    {
        "ValidationException",
        "InvalidStateException",
        "InvalidCiphertextException",
        "InvalidKeyUsageException",
        "AuthenticationFailedException",
        "AccessDeniedException",
        "KeyNotFoundException",
        "InvalidUriPathException",
        "ThrottlingException",
        "UnsupportedOperationException",
        "DependencyTimeoutException",
        "InternalException",
    }
)
"""The errors that a proxy may answer (specification, "Error Codes")."""

METADATA_BYTES = 20
TAG_BYTES = 16
IV_BYTES = (12, 16)


class ProxyError(Exception):
    """A proxy that did not do what it was asked. ``kind`` is its ``errorName``, or one of the five above."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy is and how it knows KMS."""

    endpoint: str
    """``https://`` and a host name."""
    path: str
    """Ends in ``/kms/xks/v1``."""
    access_key_id: str
    secret: str = field(repr=False)
    region: str

    @property
    def host(self) -> str:
        """The host name."""
        return self.endpoint.removeprefix("https://")


@dataclass(frozen=True, slots=True)
class Wrapped:
    """What a proxy's Encrypt answers."""

    ciphertext: bytes
    iv: bytes
    tag: bytes
    metadata: bytes = b""


class XksClient:
    """Speaks to proxies. Threads may share it."""

    def __init__(self, routes: Routes | None = None, *, seconds: float = SECONDS, clock: Clock = system_clock) -> None:
        self._https = Https(routes or Routes())
        self._seconds = seconds
        self._clock = clock

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._https.close()

    def health(self, proxy: Proxy, metadata: Mapping[str, str]) -> None:
        """GetHealthStatus. Raises ProxyError, also where every key manager behind the proxy is unavailable."""
        found = self._ask(proxy, "/health", {"requestMetadata": dict(metadata)})
        managers = found.get("ekmFleetDetails")
        if not isinstance(managers, list) or not 1 <= len(managers) <= 10 or not all(isinstance(one, dict) for one in managers):
            raise ProxyError(MALFORMED)
        if not any(one.get("healthStatus") in {"ACTIVE", "DEGRADED"} for one in managers):
            raise ProxyError(UNAVAILABLE)

    def usable(self, proxy: Proxy, key_id: str, metadata: Mapping[str, str]) -> bool:
        """GetKeyMetadata: whether it is an AES-256 key that is enabled, encrypts and decrypts. Raises ProxyError."""
        found = self._ask(proxy, f"/keys/{key_id}/metadata", {"requestMetadata": dict(metadata)})
        usage = found.get("keyUsage")
        if not isinstance(found.get("keySpec"), str) or not isinstance(found.get("keyStatus"), str) or not _texts(usage):
            raise ProxyError(MALFORMED)
        return found["keySpec"] == "AES_256" and found["keyStatus"] == "ENABLED" and {"ENCRYPT", "DECRYPT"} <= set(usage or ())

    def encrypt(self, proxy: Proxy, key_id: str, plaintext: bytes, associated: bytes, metadata: Mapping[str, str]) -> Wrapped:
        """Encrypt, with the integrity value asked for and checked. Raises ProxyError."""
        asked = {
            "requestMetadata": dict(metadata),
            "plaintext": _text(plaintext),
            "encryptionAlgorithm": "AES_GCM",
            "additionalAuthenticatedData": _text(associated),
            "ciphertextDataIntegrityValueAlgorithm": "SHA_256",
        }
        found = self._ask(proxy, f"/keys/{key_id}/encrypt", asked)
        wrapped = Wrapped(
            ciphertext=_bytes(found.get("ciphertext")),
            iv=_bytes(found.get("initializationVector")),
            tag=_bytes(found.get("authenticationTag")),
            metadata=_bytes(found["ciphertextMetadata"]) if found.get("ciphertextMetadata") is not None else b"",
        )
        whole = integrity_value(associated, wrapped)
        if not _fits(wrapped, len(plaintext)) or not hmac.compare_digest(
            whole, _bytes(found.get("ciphertextDataIntegrityValue"))
        ):
            raise ProxyError(MALFORMED)
        return wrapped

    def decrypt(self, proxy: Proxy, key_id: str, wrapped: Wrapped, associated: bytes, metadata: Mapping[str, str]) -> bytes:
        """Decrypt. Raises ProxyError."""
        asked = {
            "requestMetadata": dict(metadata),
            "ciphertext": _text(wrapped.ciphertext),
            "encryptionAlgorithm": "AES_GCM",
            "additionalAuthenticatedData": _text(associated),
            "initializationVector": _text(wrapped.iv),
            "authenticationTag": _text(wrapped.tag),
        }
        if wrapped.metadata:
            asked["ciphertextMetadata"] = _text(wrapped.metadata)
        plaintext = _bytes(self._ask(proxy, f"/keys/{key_id}/decrypt", asked).get("plaintext"))
        if len(plaintext) != len(wrapped.ciphertext):
            raise ProxyError(MALFORMED)
        return plaintext

    def _ask(self, proxy: Proxy, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps(document, separators=(",", ":")).encode()
        whole_path = f"{proxy.path}{path}"
        headers = signed_headers(
            proxy.host,
            whole_path,
            body,
            access_key_id=proxy.access_key_id,
            secret=proxy.secret,
            region=proxy.region,
            now=self._clock(),
        )
        try:
            status, answer = self._https.post(
                proxy.host, whole_path, {**headers, "Content-Type": "application/json"}, body, self._seconds
            )
        except ConnectError:
            raise ProxyError(UNREACHABLE) from None
        except TlsError:
            raise ProxyError(NO_TLS) from None
        except SlowError:
            raise ProxyError(TIMED_OUT) from None
        except BrokenError:
            raise ProxyError(MALFORMED) from None
        return _document(status, answer)


def integrity_value(associated: bytes, wrapped: Wrapped) -> bytes:
    """The ciphertext data integrity value (32 bytes). Source: specification, appendix C."""
    return hashlib.sha256(associated + wrapped.metadata + wrapped.iv + wrapped.ciphertext + wrapped.tag).digest()


def _document(status: int, answer: bytes) -> dict[str, Any]:
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise ProxyError(MALFORMED) from None
    if not isinstance(found, dict):
        raise ProxyError(MALFORMED)
    if status == 200:
        return found
    name = found.get("errorName")
    raise ProxyError(name if isinstance(name, str) and name in PROXY_ERRORS else MALFORMED)


def _fits(wrapped: Wrapped, length: int) -> bool:
    return (
        len(wrapped.ciphertext) == length
        and len(wrapped.iv) in IV_BYTES
        and len(wrapped.tag) == TAG_BYTES
        and len(wrapped.metadata) <= METADATA_BYTES
    )


def _texts(value: Any) -> bool:  # noqa: ANN401 - a JSON value
    return isinstance(value, list) and len(value) <= 10 and all(isinstance(one, str) for one in value)


def _text(value: bytes) -> str:
    return b64encode(value).decode()


def _bytes(value: Any) -> bytes:  # noqa: ANN401 - a JSON value
    if not isinstance(value, str):
        raise ProxyError(MALFORMED)
    try:
        return b64decode(value.encode(), validate=True)
    except (binascii.Error, ValueError):  # a character that is none of Base64's
        raise ProxyError(MALFORMED) from None
