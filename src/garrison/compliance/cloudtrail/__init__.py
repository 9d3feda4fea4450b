"""CloudTrail. Importing this package registers its operations."""

from garrison.compliance.cloudtrail import lookup

__all__ = ["lookup"]
