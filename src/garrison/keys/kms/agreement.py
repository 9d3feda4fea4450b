"""DeriveSharedSecret: Elliptic-curve Diffie-Hellman with somebody's public key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.keys.kms import errors, names, recipients, using
from garrison.keys.kms.algorithms.base import Agreer, Refused
from garrison.keys.kms.asymmetric import caller_and_alias, target
from garrison.keys.kms.cryptographic import without_blobs
from garrison.keys.kms.specs import AGREE
from garrison.keys.kms.usage import tracked


def _context(ctx: Context, req: api.DeriveSharedSecretRequest) -> dict[str, Any]:
    return {
        **caller_and_alias(ctx, req),
        "kms:KeyAgreementAlgorithm": req.key_agreement_algorithm,
        **recipients.condition_keys(ctx, req.recipient),
    }


def _audit(req: api.DeriveSharedSecretRequest) -> Mapping[str, Any]:
    return without_blobs(keyId=req.key_id, keyAgreementAlgorithm=req.key_agreement_algorithm, dryRun=req.dry_run)


@operation("kms", resource=target, context=_context, read=True, audit_request=_audit)
@tracked
def derive_shared_secret(ctx: Context, req: api.DeriveSharedSecretRequest) -> api.DeriveSharedSecretResponse:
    """Agree on a secret with the owner of a public key of the same curve. It is raw: a key is to be derived from it."""
    key = names.named(ctx, req.key_id).key
    agreer = using.usable(key, "DeriveSharedSecret", AGREE, req.key_agreement_algorithm, Agreer)  # type: ignore[type-abstract] # for isinstance
    try:
        secret = agreer.agree(req.public_key)
    except Refused:
        raise errors.peer_key() from None
    if req.dry_run:
        raise errors.dry_run()
    clear, sealed = recipients.answer(ctx, req.recipient, secret)
    return api.DeriveSharedSecretResponse(
        key_id=key.arn,
        shared_secret=clear,
        ciphertext_for_recipient=sealed,
        key_agreement_algorithm=req.key_agreement_algorithm,
        key_origin=key.origin,
    )
