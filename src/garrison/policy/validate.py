"""What AWS refuses when a policy is put."""

from __future__ import annotations

from garrison.policy.document import HARD_LIMIT, Document, PolicyKind, read_document


def parse_policy(text: str, kind: PolicyKind, *, service: str = "", limit: int = HARD_LIMIT) -> Document:
    """Read and check a policy. Raises MalformedPolicy."""
    return read_document(text, kind, service=service, limit=limit)
