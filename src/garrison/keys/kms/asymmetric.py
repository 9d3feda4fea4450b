"""GetPublicKey, Sign, Verify."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import Target, operation
from garrison.keys.kms import conditions, errors, names, states, using
from garrison.keys.kms.algorithms import ecc, edwards, mldsa, rsa
from garrison.keys.kms.algorithms.base import DIGEST, EXTERNAL_MU, RAW, KeyPair, Refused, Signer
from garrison.keys.kms.cryptographic import without_blobs
from garrison.keys.kms.live import LiveKey
from garrison.keys.kms.specs import SIGN, algorithms
from garrison.keys.kms.usage import tracked

_DIGEST_BYTES = {
    **{name: hashing.digest_size for name, (_, hashing) in rsa.SIGNATURES.items()},
    **{name: hashing.digest_size for name, hashing in ecc.SIGNATURES.items()},
    edwards.PREHASHED: 64,
}
"""The digests that algorithms with MessageType DIGEST take."""


def target(ctx: Context, req: Any) -> Target:  # noqa: ANN401 - any request that uses a key
    """The key of a request, of this account or another, by id or alias."""
    return names.named(ctx, req.key_id, tokens=req.grant_tokens).target


def caller_and_alias(ctx: Context, req: Any) -> dict[str, Any]:  # noqa: ANN401 - any request that uses a key
    """The condition keys that every use of a key has."""
    return conditions.cryptographic(ctx, alias=names.named(ctx, req.key_id).alias, algorithm=None)


# GetPublicKey


@operation("kms", resource=target, context=caller_and_alias, read=True)
def get_public_key(ctx: Context, req: api.GetPublicKeyRequest) -> api.GetPublicKeyResponse:
    """Give out the public half of a key, in DER, for use outside."""
    key = names.named(ctx, req.key_id).key
    states.must_be_usable(key)
    if not isinstance(key.current, KeyPair):
        raise errors.no_public_key(key.arn, key.spec)
    return api.GetPublicKeyResponse(
        key_id=key.arn,
        public_key=key.current.public(),
        customer_master_key_spec=key.spec,
        key_spec=key.spec,
        key_usage=key.usage,
        **algorithms(key.spec, key.usage),
    )


# Sign, Verify


def _signing_context(ctx: Context, req: Any) -> dict[str, Any]:  # noqa: ANN401 - a SignRequest or VerifyRequest
    return {
        **caller_and_alias(ctx, req),
        "kms:SigningAlgorithm": req.signing_algorithm,
        "kms:MessageType": req.message_type or RAW,
    }


def _signing_audit(req: Any) -> Mapping[str, Any]:  # noqa: ANN401 - a SignRequest or VerifyRequest
    return without_blobs(
        keyId=req.key_id,
        messageType=req.message_type or RAW,
        signingAlgorithm=req.signing_algorithm,
        dryRun=req.dry_run,
    )


def checked_message(key: LiveKey, algorithm: str, kind: str, message: bytes) -> None:
    """Raises ValidationException where the MessageType does not fit, or the digest is not as long as it must be."""
    if algorithm == "ML_DSA_SHAKE_256":
        if kind == DIGEST:
            raise errors.message_type(kind, f"key spec {key.spec}")
        if kind == EXTERNAL_MU and len(message) != mldsa.MU_BYTES:
            raise errors.mu_length(algorithm)
        return
    if kind == EXTERNAL_MU:
        raise errors.message_type(kind, f"key spec {key.spec}")
    needed = {edwards.PURE: RAW, edwards.PREHASHED: DIGEST}.get(algorithm, kind)
    if kind != needed:
        raise errors.message_type(kind, f"algorithm {algorithm}")
    if kind == DIGEST and len(message) != _DIGEST_BYTES[algorithm]:
        raise errors.digest_length(algorithm)


@operation("kms", resource=target, context=_signing_context, read=True, audit_request=_signing_audit)
@tracked
def sign(ctx: Context, req: api.SignRequest) -> api.SignResponse:
    """Sign a message of up to 4,096 bytes, or its digest."""
    key = names.named(ctx, req.key_id).key
    kind = req.message_type or RAW
    signer = using.usable(key, "Sign", SIGN, req.signing_algorithm, Signer)  # type: ignore[type-abstract] # for isinstance
    checked_message(key, req.signing_algorithm, kind, req.message)
    if req.dry_run:
        raise errors.dry_run()
    signature = signer.sign(req.signing_algorithm, kind, req.message)
    return api.SignResponse(key_id=key.arn, signature=signature, signing_algorithm=req.signing_algorithm)


@operation("kms", resource=target, context=_signing_context, read=True, audit_request=_signing_audit)
@tracked
def verify(ctx: Context, req: api.VerifyRequest) -> api.VerifyResponse:
    """Say that a signature is one of this key; one that is not raises KMSInvalidSignatureException."""
    key = names.named(ctx, req.key_id).key
    kind = req.message_type or RAW
    signer = using.usable(key, "Verify", SIGN, req.signing_algorithm, Signer)  # type: ignore[type-abstract] # for isinstance
    checked_message(key, req.signing_algorithm, kind, req.message)
    try:
        signer.verify(req.signing_algorithm, kind, req.message, req.signature)
    except Refused:
        raise errors.bad_signature() from None
    if req.dry_run:
        raise errors.dry_run()
    return api.VerifyResponse(key_id=key.arn, signature_valid=True, signing_algorithm=req.signing_algorithm)
