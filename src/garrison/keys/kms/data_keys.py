"""Data keys: random keys for use outside, with a copy that only the KMS key opens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import Target, operation
from garrison.keys.kms import conditions, errors, names, recipients, using
from garrison.keys.kms.ciphertext import Material
from garrison.keys.kms.cryptographic import without_blobs
from garrison.keys.kms.specs import ENCRYPT, SYMMETRIC
from garrison.keys.kms.usage import tracked

Request = api.GenerateDataKeyRequest | api.GenerateDataKeyWithoutPlaintextRequest
_LENGTHS = {"AES_128": 16, "AES_256": 32}


def _target(ctx: Context, req: Any) -> Target:  # noqa: ANN401 - either request
    return names.named(ctx, req.key_id, tokens=req.grant_tokens).target


def _context(ctx: Context, req: Any) -> dict[str, Any]:  # noqa: ANN401 - either request
    return conditions.cryptographic(ctx, alias=names.named(ctx, req.key_id).alias, context=req.encryption_context)


def _audit(req: Any) -> Mapping[str, Any]:  # noqa: ANN401 - either request
    return without_blobs(
        keyId=req.key_id,
        keySpec=req.key_spec,
        numberOfBytes=req.number_of_bytes,
        encryptionContext=req.encryption_context,
        dryRun=req.dry_run,
    )


def _length(req: Request) -> int:
    """Bytes of the data key. Raises ValidationException unless exactly one of KeySpec and NumberOfBytes says it."""
    if (req.key_spec is None) == (req.number_of_bytes is None):
        raise errors.data_key_length()
    return _LENGTHS[req.key_spec] if req.key_spec is not None else req.number_of_bytes or 0


def _attested_context(ctx: Context, req: api.GenerateDataKeyRequest) -> dict[str, Any]:
    found = _context(ctx, req)
    return {**found, **recipients.condition_keys(ctx, req.recipient)} if req.recipient is not None else found


def _waits(ctx: Context, req: Any) -> bool:  # noqa: ANN401 - either request
    return names.waits(ctx, req.key_id)


@operation("kms", resource=_target, context=_attested_context, read=True, audit_request=_audit, beside=_waits)
@tracked
def generate_data_key(ctx: Context, req: api.GenerateDataKeyRequest) -> api.GenerateDataKeyResponse:
    """Make a data key; answer it in the clear and encrypted."""
    length = _length(req)
    key = names.named(ctx, req.key_id).key
    material = using.usable(key, ctx.operation, ENCRYPT, SYMMETRIC, Material)
    if req.dry_run:
        raise errors.dry_run()
    plaintext = ctx.random(length)
    blob = material.encrypt(ctx.random, plaintext, req.encryption_context)
    clear, sealed = recipients.answer(ctx, req.recipient, plaintext)
    return api.GenerateDataKeyResponse(
        ciphertext_blob=blob,
        plaintext=clear,
        ciphertext_for_recipient=sealed,
        key_id=key.arn,
        key_material_id=material.id,
    )


@operation("kms", resource=_target, context=_context, read=True, audit_request=_audit, beside=_waits)
@tracked
def generate_data_key_without_plaintext(
    ctx: Context, req: api.GenerateDataKeyWithoutPlaintextRequest
) -> api.GenerateDataKeyWithoutPlaintextResponse:
    """Make a data key; answer it encrypted only."""
    length = _length(req)
    key = names.named(ctx, req.key_id).key
    material = using.usable(key, ctx.operation, ENCRYPT, SYMMETRIC, Material)
    if req.dry_run:
        raise errors.dry_run()
    blob = material.encrypt(ctx.random, ctx.random(length), req.encryption_context)
    return api.GenerateDataKeyWithoutPlaintextResponse(ciphertext_blob=blob, key_id=key.arn, key_material_id=material.id)
