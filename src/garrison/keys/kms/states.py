"""Which operation a key's state allows.

Source: KMS Developer Guide, "Key states of AWS KMS keys": its table and notes. Creating and Updating pass within one transaction,
Unavailable belongs to custom key stores; they stand in the table all the same. Where AWS may answer either of two errors (notes 2
and 3), it is KMSInvalidStateException.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from garrison.core.errors import ServiceError
from garrison.keys.kms import errors
from garrison.keys.kms.custom.faults import not_connected

if TYPE_CHECKING:
    from garrison.keys.kms.live import LiveKey

ENABLED = "Enabled"
DISABLED = "Disabled"
PENDING_DELETION = "PendingDeletion"
PENDING_REPLICA_DELETION = "PendingReplicaDeletion"
PENDING_IMPORT = "PendingImport"
UNAVAILABLE = "Unavailable"
CREATING = "Creating"
UPDATING = "Updating"
STATES = (
    ENABLED,
    DISABLED,
    PENDING_DELETION,
    PENDING_REPLICA_DELETION,
    PENDING_IMPORT,
    UNAVAILABLE,
    CREATING,
    UPDATING,
)

LEAVING = frozenset({PENDING_DELETION, PENDING_REPLICA_DELETION})
_USELESS = LEAVING | {DISABLED, PENDING_IMPORT}

USE = _USELESS | {UNAVAILABLE, CREATING}
"""States that refuse every cryptographic operation, GetPublicKey among them."""

REFUSED: Mapping[str, frozenset[str]] = {
    "CancelKeyDeletion": frozenset(STATES) - LEAVING,
    "CreateAlias": LEAVING,
    "CreateGrant": _USELESS | {CREATING},
    "DeleteImportedKeyMaterial": frozenset({CREATING, UPDATING}),
    "DisableKey": LEAVING | {PENDING_IMPORT, CREATING, UPDATING},
    "DisableKeyRotation": LEAVING | {DISABLED, CREATING},
    "EnableKey": LEAVING | {PENDING_IMPORT, CREATING, UPDATING},
    "EnableKeyRotation": LEAVING | {DISABLED, CREATING},
    "GetParametersForImport": LEAVING | {CREATING, UPDATING},
    "ImportKeyMaterial": LEAVING | {CREATING},
    "ReplicateKey": _USELESS | {CREATING, UPDATING},
    "RotateKeyOnDemand": _USELESS | {CREATING, UPDATING},
    "ScheduleKeyDeletion": LEAVING | {UPDATING},
    "TagResource": LEAVING,
    "UntagResource": LEAVING,
    "UpdateAlias": LEAVING,
    "UpdateKeyDescription": LEAVING,
    "UpdatePrimaryRegion": _USELESS | {CREATING},
}
"""The states in which an operation is refused; operations that are not here, and do not use the key, are allowed in each."""

_ERRORS: Mapping[str, Callable[[str], ServiceError]] = {
    DISABLED: errors.disabled,
    PENDING_DELETION: errors.pending_deletion,
    PENDING_REPLICA_DELETION: errors.pending_replica_deletion,
    PENDING_IMPORT: errors.pending_import,
    UNAVAILABLE: errors.unavailable,
    CREATING: errors.creating,
    UPDATING: errors.updating,
}


def check(operation: str, key: LiveKey) -> None:
    """Raises DisabledException or KMSInvalidStateException where the key's state refuses an operation of :data:`REFUSED`."""
    if key.state not in REFUSED[operation]:
        return
    if operation == "CancelKeyDeletion":
        raise errors.not_pending_deletion(key.arn)
    raise _ERRORS[key.state](key.arn)


def must_be_usable(key: LiveKey) -> None:
    """Cryptographic operations. Raises DisabledException, KMSInvalidStateException."""
    if key.state == UNAVAILABLE and key.custody is not None:
        raise not_connected(key.custody.store.type)
    if key.state in USE:
        raise _ERRORS[key.state](key.arn)
    if key.current is None:
        raise errors.pending_import(key.arn)


def must_not_be_pending_deletion(key: LiveKey) -> None:
    """What changes a key and nothing of its use: CreateAlias, TagResource and others. Raises KMSInvalidStateException."""
    check("TagResource", key)


def must_be_pending_deletion(key: LiveKey) -> None:
    """CancelKeyDeletion. Raises KMSInvalidStateException."""
    check("CancelKeyDeletion", key)
