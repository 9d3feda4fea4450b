"""Policy documents: checked when they are put, and as they stand on the wire.

Sizes: IAM User Guide, "IAM and AWS STS quotas", character limits; white space is not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from garrison.api import iam as api
from garrison.identity.iam import errors
from garrison.policy import Document, MalformedPolicy, PolicyKind, parse_policy

Written = Callable[[str], str]
"""How a document is written: :func:`encoded` or :func:`plain`."""

MANAGED_LIMIT = 6144
TRUST_LIMIT = 2048
INLINE_LIMITS = {"user": 2048, "group": 5120, "role": 10240}


def checked(text: str, kind: PolicyKind) -> Document:
    """The document, parsed. Raises MalformedPolicyDocument with the reason."""
    try:
        return parse_policy(text, kind)
    except MalformedPolicy as error:
        raise api.MalformedPolicyDocumentException(error.reason) from error


def checked_managed(text: str) -> Document:
    """A managed policy's document. Raises MalformedPolicyDocument, LimitExceeded."""
    document = checked(text, "identity")
    if size(text) > MANAGED_LIMIT:
        raise errors.quota("PolicySize", MANAGED_LIMIT)
    return document


def size(text: str) -> int:
    """Characters that count against a quota: all but white space."""
    return sum(not letter.isspace() for letter in text)


def encoded(text: str) -> str:
    """A document as answers carry it: percent-encoded by RFC 3986, all but the unreserved characters."""
    return quote(text, safe="")


def plain(text: str) -> str:
    """A document as it was put."""
    return text
