"""Random bytes from the operating system's generator."""

from __future__ import annotations

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.keys.kms import errors


@operation("kms", resource="*", read=True)
def generate_random(ctx: Context, req: api.GenerateRandomRequest) -> api.GenerateRandomResponse:
    """Give 1 to 1,024 random bytes. Raises ValidationException where the number is not given."""
    if req.number_of_bytes is None:
        raise errors.missing("numberOfBytes")
    if req.custom_key_store_id is not None:
        raise errors.not_built("CustomKeyStoreId")
    if req.recipient is not None:
        raise errors.not_built("Recipient")
    return api.GenerateRandomResponse(plaintext=ctx.random(req.number_of_bytes))
