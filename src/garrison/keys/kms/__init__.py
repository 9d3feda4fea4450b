"""The Key Management Service: keys that never leave, and what is done with them.

Importing this package registers its operations.
"""

from __future__ import annotations

from garrison.keys.kms import (
    aliases,
    cryptographic,
    data_keys,
    deletion,
    grants,
    key_policies,
    lifecycle,
    random_,
    rotation,
    tagging,
)
from garrison.keys.kms.deletion import due_deletions
from garrison.keys.kms.live import LiveKeys

__all__ = [
    "LiveKeys",
    "aliases",
    "cryptographic",
    "data_keys",
    "deletion",
    "due_deletions",
    "grants",
    "key_policies",
    "lifecycle",
    "random_",
    "rotation",
    "tagging",
]
