"""Temporary credentials. Importing this package registers its operations."""

from __future__ import annotations

from garrison.identity.sts import (
    assume_role,
    assume_root,
    caller,
    delegated,
    federation,
    messages,
    saml,
    scoped,
    session_token,
    web_identity,
    web_identity_out,
)

__all__ = [
    "assume_role",
    "assume_root",
    "caller",
    "delegated",
    "federation",
    "messages",
    "saml",
    "scoped",
    "session_token",
    "web_identity",
    "web_identity_out",
]
