"""Temporary credentials. Importing this package registers its operations."""

from garrison.identity.sts import assume_role, caller, federation, messages, session_token

__all__ = ["assume_role", "caller", "federation", "messages", "session_token"]
