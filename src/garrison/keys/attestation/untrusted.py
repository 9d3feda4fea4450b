"""The one refusal of this package."""

from __future__ import annotations


class Untrusted(ValueError):  # noqa: N818 - what the document is, not what went wrong
    """A document that proves nothing; the message says why, and holds nothing of its content."""
