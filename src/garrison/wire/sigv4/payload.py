"""What ``x-amz-content-sha256`` may say about the body.

Source: S3 API Reference, "Signature calculations for the Authorization header: Transferring payload in multiple chunks"
and the page on trailing headers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from garrison.wire.sigv4.claim import ECDSA, HMAC

UNSIGNED: Final = "UNSIGNED-PAYLOAD"
is_digest: Final = re.compile(r"[0-9a-f]{64}").fullmatch


@dataclass(frozen=True, slots=True)
class Streaming:
    """One of the forms of ``aws-chunked``."""

    algorithm: str | None
    """Of the signatures of the chunks; None where they carry none."""
    trailer: bool
    """Whether headers follow the last chunk."""


STREAMING: Final = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": Streaming(HMAC, trailer=False),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": Streaming(HMAC, trailer=True),
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD": Streaming(ECDSA, trailer=False),
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER": Streaming(ECDSA, trailer=True),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": Streaming(None, trailer=True),
}
