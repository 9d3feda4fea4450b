"""Which operation a key's state allows. Source: KMS Developer Guide, "Key states of AWS KMS keys", table and its notes."""

from __future__ import annotations

from garrison.keys.kms import errors
from garrison.keys.kms.live import LiveKey

ENABLED = "Enabled"
DISABLED = "Disabled"
PENDING_DELETION = "PendingDeletion"


def must_be_usable(key: LiveKey) -> None:
    """Cryptographic operations: note 1 and 3. Raises DisabledException, KMSInvalidStateException."""
    must_not_be_pending_deletion(key)
    if key.state == DISABLED:
        raise errors.disabled(key.arn)
    if key.state != ENABLED or key.current is None:
        raise errors.pending_import(key.arn)


def must_not_be_pending_deletion(key: LiveKey) -> None:
    """Operations that change a key: note 3. Raises KMSInvalidStateException."""
    if key.state == PENDING_DELETION:
        raise errors.pending_deletion(key.arn)


def must_be_pending_deletion(key: LiveKey) -> None:
    """CancelKeyDeletion: note 4. Raises KMSInvalidStateException."""
    if key.state != PENDING_DELETION:
        raise errors.not_pending_deletion(key.arn)
