"""Amazon Resource Names.

Source: AWS, "Identify AWS resources with Amazon Resource Names (ARNs)".
"""

from __future__ import annotations

from typing import NamedTuple


class Arn(NamedTuple):
    """The six parts of ``arn:partition:service:region:account:resource``."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"

    @property
    def resource_type(self) -> str:
        """``user`` of ``user/path/name``, ``key`` of ``key/id``; empty where the resource has no type."""
        head, slash, _ = self.resource.partition("/")
        return head if slash else ""

    @property
    def resource_name(self) -> str:
        """The last part of the resource: ``name`` of ``user/path/name``."""
        return self.resource.rpartition("/")[2]


def parse_arn(text: str) -> Arn:
    """Split ``text`` into its parts. Raises ValueError where it is not an ARN."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2]:
        msg = f"not an ARN: `{text}`"
        raise ValueError(msg)
    return Arn(*parts[1:])
