"""Temporary credentials. Importing this package registers its operations."""

from __future__ import annotations

from garrison.identity.sts import assume_role, caller, federation, messages, session_token

__all__ = ["assume_role", "caller", "federation", "messages", "session_token"]
