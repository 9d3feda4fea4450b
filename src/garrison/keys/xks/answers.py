"""What a proxy is asked and how it answers: documents read and written, nothing decided.

Source: XKS Proxy API Specification, version 1. A member of the wrong form is a ValidationException that names it; one that is
longer than is supported here is an UnsupportedOperationException, as the specification has it.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_PLAINTEXT = 8192
"""Bytes; the specification asks for 4,300."""
MOST_ASSOCIATED = 16_384
"""Bytes; the specification asks for 8,192."""
MOST_TEXT = 2048
"""Characters of an ARN, or of any other member of ``requestMetadata``."""
_PATH = re.compile(r"(?P<prefix>(?:/[A-Za-z0-9_-]+)*)/kms/xks/v1(?P<rest>/.*)")
_REST = re.compile(r"/health|/keys/(?P<key>[A-Za-z0-9._-]{1,128})/(?P<operation>metadata|encrypt|decrypt)")

STATUS = {
    "ValidationException": 400,
    "InvalidStateException": 400,
    "InvalidCiphertextException": 400,
    "InvalidKeyUsageException": 400,
    "AuthenticationFailedException": 401,
    "AccessDeniedException": 403,
    "KeyNotFoundException": 404,
    "InvalidUriPathException": 404,
    "ThrottlingException": 429,
    "InternalException": 500,
    "UnsupportedOperationException": 501,
    "DependencyTimeoutException": 503,
}
"""HTTP status by ``errorName`` (specification, "Error Codes")."""


class Refusal(Exception):  # noqa: N818 - the specification's answer, which is an error's by its status
    """An error answer. ``message`` is printable ASCII, shorter than 512 characters, and holds nothing of the request's."""

    def __init__(self, name: str, message: str = "") -> None:
        super().__init__(name)
        self.name = name
        self.message = message

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.name]

    @property
    def body(self) -> bytes:
        """The JSON document."""
        document = {"errorName": self.name, **({"errorMessage": self.message} if self.message else {})}
        return json.dumps(document).encode()


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request's path leads."""

    prefix: str
    operation: str
    """``health``, ``metadata``, ``encrypt``, ``decrypt``."""
    key_id: str = ""


def looks_like_proxy_path(path: str) -> bool:
    """Whether a path has the form that proxies' paths have."""
    return _PATH.fullmatch(path) is not None


def read_path(path: str) -> Route:
    """Raises Refusal InvalidUriPathException."""
    found = _PATH.fullmatch(path)
    rest = _REST.fullmatch(found["rest"]) if found is not None else None
    if found is None or rest is None:
        raise Refusal("InvalidUriPathException", "the path names no operation of the XKS proxy API")
    return Route(found["prefix"], rest["operation"] or "health", rest["key"] or "")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's document, read. Bytes are empty where they are not there."""

    metadata: Mapping[str, str]
    plaintext: bytes = field(default=b"", repr=False)
    ciphertext: bytes = b""
    associated: bytes = b""
    iv: bytes = b""
    tag: bytes = b""
    note: bytes = b""
    """``ciphertextMetadata``."""
    wants_integrity: bool = False


_REQUIRED = {
    "health": ("kmsOperation", "kmsRequestId"),
    "metadata": ("awsPrincipalArn", "kmsOperation", "kmsRequestId"),
    "encrypt": ("awsPrincipalArn", "kmsKeyArn", "kmsOperation", "kmsRequestId"),
    "decrypt": ("awsPrincipalArn", "kmsKeyArn", "kmsOperation", "kmsRequestId"),
}


def read_document(operation: str, body: bytes) -> Asked:
    """Raises Refusal ValidationException, UnsupportedOperationException."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        document = None
    if not isinstance(document, dict):
        raise Refusal("ValidationException", "the body is no JSON object")
    metadata = _metadata(operation, document.get("requestMetadata"))
    if operation in {"health", "metadata"}:
        return Asked(metadata)
    if document.get("encryptionAlgorithm") != "AES_GCM":
        raise Refusal("ValidationException", "encryptionAlgorithm must be AES_GCM")
    associated = _bytes(document, "additionalAuthenticatedData", MOST_ASSOCIATED, required=False)
    if operation == "encrypt":
        return Asked(
            metadata,
            plaintext=_bytes(document, "plaintext", MOST_PLAINTEXT),
            associated=associated,
            wants_integrity=_integrity(document),
        )
    return Asked(
        metadata,
        ciphertext=_bytes(document, "ciphertext", MOST_PLAINTEXT),
        associated=associated,
        iv=_bytes(document, "initializationVector", 16),
        tag=_bytes(document, "authenticationTag", 16),
        note=_bytes(document, "ciphertextMetadata", 20, required=False),
    )


def _metadata(operation: str, found: Any) -> Mapping[str, str]:  # noqa: ANN401 - a JSON value
    if not isinstance(found, dict):
        raise Refusal("ValidationException", "requestMetadata must be an object")
    for name in _REQUIRED[operation]:
        if not found.get(name):
            raise Refusal("ValidationException", f"requestMetadata.{name} is missing")
    # Members may be added in time: those that are no texts are left out, not refused.
    kept = {name: value for name, value in found.items() if isinstance(value, str)}
    for name in _REQUIRED[operation]:
        if name not in kept or len(kept[name]) > MOST_TEXT:
            raise Refusal("ValidationException", f"requestMetadata.{name} must be a text of at most {MOST_TEXT} characters")
    return kept


def _integrity(document: Mapping[str, Any]) -> bool:
    wanted = document.get("ciphertextDataIntegrityValueAlgorithm")
    if wanted not in {None, "SHA_256"}:
        raise Refusal("ValidationException", "ciphertextDataIntegrityValueAlgorithm must be SHA_256")
    return wanted is not None


def _bytes(document: Mapping[str, Any], name: str, most: int, *, required: bool = True) -> bytes:
    value = document.get(name)
    if value is None:
        if required:
            raise Refusal("ValidationException", f"{name} is missing")
        return b""
    if not isinstance(value, str):
        raise Refusal("ValidationException", f"{name} must be a Base64 text")
    try:
        found = b64decode(value.encode("ascii", "strict"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise Refusal("ValidationException", f"{name} must be a Base64 text") from None
    if required and not found:
        raise Refusal("ValidationException", f"{name} is empty")
    if len(found) > most:
        kind = "UnsupportedOperationException" if most in {MOST_PLAINTEXT, MOST_ASSOCIATED} else "ValidationException"
        raise Refusal(kind, f"{name} is longer than {most} bytes")
    return found


def text(value: bytes) -> str:
    """Bytes as the documents have them."""
    return b64encode(value).decode()


def health(version: str) -> dict[str, Any]:
    """GetHealthStatus's answer: proxy and key manager are one."""
    name = f"Garrison {version}"
    return {
        "xksProxyFleetSize": 1,
        "xksProxyVendor": "Garrison",
        "xksProxyModel": name,
        "ekmVendor": "Garrison",
        "ekmFleetDetails": [{"id": "garrison", "model": name, "healthStatus": "ACTIVE"}],
    }
