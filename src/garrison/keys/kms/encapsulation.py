"""Encapsulate, Decapsulate: a shared secret by way of an ML-KEM key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.keys.kms import errors, names, using
from garrison.keys.kms.algorithms.base import Encapsulator, Refused
from garrison.keys.kms.asymmetric import caller_and_alias, target
from garrison.keys.kms.cryptographic import without_blobs
from garrison.keys.kms.specs import ENCAPSULATE
from garrison.keys.kms.usage import tracked


def _audit(req: Any) -> Mapping[str, Any]:  # noqa: ANN401 - either request
    return without_blobs(keyId=req.key_id, encapsulationAlgorithm=req.encapsulation_algorithm, dryRun=req.dry_run)


@operation("kms", resource=target, context=caller_and_alias, read=True, audit_request=_audit)
@tracked
def encapsulate(ctx: Context, req: api.EncapsulateRequest) -> api.EncapsulateResponse:
    """Make a shared secret of 32 bytes, and the form in which only the key's owner can read it."""
    key = names.named(ctx, req.key_id).key
    pair = using.usable(key, "Encapsulate", ENCAPSULATE, req.encapsulation_algorithm, Encapsulator)  # type: ignore[type-abstract] # for isinstance
    if req.dry_run:
        raise errors.dry_run()
    secret, blob = pair.encapsulate()
    return api.EncapsulateResponse(
        key_id=key.arn,
        shared_secret=secret,
        shared_secret_ciphertext_blob=blob,
        encapsulation_algorithm=req.encapsulation_algorithm,
    )


@operation("kms", resource=target, context=caller_and_alias, read=True, audit_request=_audit)
@tracked
def decapsulate(ctx: Context, req: api.DecapsulateRequest) -> api.DecapsulateResponse:
    """Read a shared secret. One that was altered, or is another key's, gives other bytes and no error (implicit rejection)."""
    key = names.named(ctx, req.key_id).key
    pair = using.usable(key, "Decapsulate", ENCAPSULATE, req.encapsulation_algorithm, Encapsulator)  # type: ignore[type-abstract] # for isinstance
    try:
        secret = pair.decapsulate(req.shared_secret_ciphertext_blob)
    except Refused:
        raise errors.unreadable() from None
    if req.dry_run:
        raise errors.dry_run()
    return api.DecapsulateResponse(key_id=key.arn, shared_secret=secret, encapsulation_algorithm=req.encapsulation_algorithm)
