"""The console's pages: signing in, what an identity may do for itself, and what command lines are allowed.

Server-rendered HTML; scripts only where a passkey needs them. A page holds no rights: what it does for an identity is a call
through the gateway with the credentials that the identity's sign-in session makes, authorized and on record as any other.
"""

from __future__ import annotations

from garrison.console.console import Console

__all__ = ["Console"]
