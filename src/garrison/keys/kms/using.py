"""What a request needs of a key: its state, its usage, its algorithm, and the material to work with."""

from __future__ import annotations

from typing import TypeVar

from garrison.keys.kms import errors, states
from garrison.keys.kms.algorithms.base import Secret
from garrison.keys.kms.live import LiveKey
from garrison.keys.kms.specs import SPECS

M = TypeVar("M", bound=Secret)


def usable(key: LiveKey, operation: str, usage: str, algorithm: str | None, kind: type[M]) -> M:
    """The current material of a key, for an operation that needs ``usage`` and ``algorithm`` (None: it has none).

    Raises DisabledException, KMSInvalidStateException, InvalidKeyUsageException.
    """
    must_have_usage(key, operation, usage)
    if algorithm is not None:
        must_have_algorithm(key, algorithm)
    if not isinstance(key.current, kind):
        raise errors.pending_import(key.arn)
    return key.current


def must_have_usage(key: LiveKey, operation: str, usage: str) -> None:
    """Raises DisabledException, KMSInvalidStateException, InvalidKeyUsageException."""
    states.must_be_usable(key)
    if key.usage != usage:
        raise errors.unfit(key.arn, key.usage, operation)


def must_have_algorithm(key: LiveKey, algorithm: str) -> None:
    """Raises InvalidKeyUsageException."""
    if algorithm not in SPECS[key.spec].algorithms[key.usage]:
        raise errors.wrong_algorithm(algorithm, key.spec)
