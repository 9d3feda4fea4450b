"""Random bytes from the operating system's generator, or from that of an HSM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.keys.kms import errors, recipients
from garrison.keys.kms.cryptographic import without_blobs
from garrison.keys.kms.custom import keys as custom_keys


def _context(ctx: Context, req: api.GenerateRandomRequest) -> dict[str, Any]:
    return recipients.condition_keys(ctx, req.recipient)


def _audit(req: api.GenerateRandomRequest) -> Mapping[str, Any]:
    return without_blobs(numberOfBytes=req.number_of_bytes, customKeyStoreId=req.custom_key_store_id)


def _waits(ctx: Context, req: api.GenerateRandomRequest) -> bool:
    return req.custom_key_store_id is not None and custom_keys.ready_to_give(ctx, req.custom_key_store_id)


@operation("kms", resource="*", context=_context, read=True, audit_request=_audit, beside=_waits)
def generate_random(ctx: Context, req: api.GenerateRandomRequest) -> api.GenerateRandomResponse:
    """Give 1 to 1,024 random bytes. Raises ValidationException where the number is not given."""
    if req.number_of_bytes is None:
        raise errors.missing("numberOfBytes")
    length = req.number_of_bytes
    fresh = ctx.random(length) if req.custom_key_store_id is None else custom_keys.random(ctx, length)
    clear, sealed = recipients.answer(ctx, req.recipient, fresh)
    return api.GenerateRandomResponse(plaintext=clear, ciphertext_for_recipient=sealed)
