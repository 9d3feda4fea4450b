"""Signing in: console sessions, OAuth tokens for command lines. Importing this package registers its operations."""

from __future__ import annotations

from garrison.identity.signin import oauth

__all__ = ["oauth"]
