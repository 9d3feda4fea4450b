"""Random bytes from the operating system's generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.keys.kms import errors, recipients
from garrison.keys.kms.cryptographic import without_blobs


def _context(ctx: Context, req: api.GenerateRandomRequest) -> dict[str, Any]:
    return recipients.condition_keys(ctx, req.recipient)


def _audit(req: api.GenerateRandomRequest) -> Mapping[str, Any]:
    return without_blobs(numberOfBytes=req.number_of_bytes, customKeyStoreId=req.custom_key_store_id)


@operation("kms", resource="*", context=_context, read=True, audit_request=_audit)
def generate_random(ctx: Context, req: api.GenerateRandomRequest) -> api.GenerateRandomResponse:
    """Give 1 to 1,024 random bytes. Raises ValidationException where the number is not given."""
    if req.number_of_bytes is None:
        raise errors.missing("numberOfBytes")
    if req.custom_key_store_id is not None:
        raise errors.not_built("CustomKeyStoreId")
    clear, sealed = recipients.answer(ctx, req.recipient, ctx.random(req.number_of_bytes))
    return api.GenerateRandomResponse(plaintext=clear, ciphertext_for_recipient=sealed)
