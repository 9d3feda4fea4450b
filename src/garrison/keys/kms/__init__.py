"""The Key Management Service: keys that never leave, and what is done with them.

Importing this package registers its operations.
"""

from __future__ import annotations

from garrison.keys.kms import (
    agreement,
    aliases,
    asymmetric,
    cryptographic,
    data_key_pairs,
    data_keys,
    deletion,
    encapsulation,
    grants,
    importing,
    key_policies,
    lifecycle,
    mac,
    multi_region,
    random_,
    rotation,
    tagging,
    usage,
)
from garrison.keys.kms.custom import operations as custom_key_stores
from garrison.keys.kms.deletion import due_deletions
from garrison.keys.kms.due import due_work
from garrison.keys.kms.live import LiveKeys

__all__ = [
    "LiveKeys",
    "agreement",
    "aliases",
    "asymmetric",
    "cryptographic",
    "custom_key_stores",
    "data_key_pairs",
    "data_keys",
    "deletion",
    "due_deletions",
    "due_work",
    "encapsulation",
    "grants",
    "importing",
    "key_policies",
    "lifecycle",
    "mac",
    "multi_region",
    "random_",
    "rotation",
    "tagging",
    "usage",
]
