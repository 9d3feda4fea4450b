"""What a phone reads to become a virtual MFA device: the otpauth address and its QR image."""

from __future__ import annotations

import io
from base64 import b32encode
from urllib.parse import quote

_ISSUER = "Amazon Web Services"
"""The issuer that AWS writes: authenticators show it, and their users look for it."""
_SCALE = 5
"""Pixels of a module's side."""


def base32(seed: bytes) -> str:
    """A seed as people type it: base32 (RFC 4648) without padding."""
    return b32encode(seed).decode().rstrip("=")


def otpauth(name: str, account_name: str, seed: bytes) -> str:
    """``otpauth://totp/Amazon%20Web%20Services:NAME@ACCOUNT?secret=…&issuer=…``.

    ``account_name``: the account's alias, else its number. Source: IAM API Reference, VirtualMFADevice, and images that AWS made.
    """
    label = quote(f"{name}@{account_name}", safe="@")
    issuer = quote(_ISSUER)
    return f"otpauth://totp/{issuer}:{label}?secret={base32(seed)}&issuer={issuer}"


def png(text: str) -> bytes:
    """A QR image (PNG) of a text. Takes some milliseconds: beside the event loop."""
    import segno  # noqa: PLC0415 - loading it costs a twentieth of a start

    image = io.BytesIO()
    segno.make_qr(text, error="m").save(image, kind="png", scale=_SCALE)
    return image.getvalue()
