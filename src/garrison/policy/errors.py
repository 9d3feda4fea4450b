"""What the policy room raises."""

from __future__ import annotations


class MalformedPolicy(ValueError):  # noqa: N818 - named for AWS's code MalformedPolicyDocument
    """A policy document that AWS would refuse.

    ``reason`` is AWS's wording where it is known; each service puts its own code on it
    (``MalformedPolicyDocument`` in IAM, ``MalformedPolicy`` in S3, ``MalformedPolicyDocumentException`` in KMS).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PolicyTooLarge(MalformedPolicy):
    """A policy document longer than the caller's limit; IAM answers ``LimitExceeded`` and names the quota."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"policy document of {size} characters must be <= {limit}")
        self.size = size
        self.limit = limit
