"""CloudTrail. Importing this package registers its operations."""

from __future__ import annotations

from garrison.compliance.cloudtrail import lookup

__all__ = ["lookup"]
