"""Signing in: console sessions, OAuth tokens for command lines. Importing this package registers its operations."""

from __future__ import annotations

from garrison.identity.signin import listing, oauth, token_status

__all__ = ["listing", "oauth", "token_status"]
