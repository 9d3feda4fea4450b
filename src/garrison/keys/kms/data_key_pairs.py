"""Data key pairs: key pairs for use outside, the private half in a form that only the KMS key opens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.keys.kms import conditions, errors, names, recipients, using
from garrison.keys.kms.algorithms.base import KeyPair
from garrison.keys.kms.asymmetric import target
from garrison.keys.kms.ciphertext import Material
from garrison.keys.kms.cryptographic import without_blobs
from garrison.keys.kms.keymaker import KEYMAKER
from garrison.keys.kms.live import LiveKey
from garrison.keys.kms.specs import ENCRYPT, SPECS, SYMMETRIC, Spec
from garrison.keys.kms.usage import tracked


def _context(ctx: Context, req: Any) -> dict[str, Any]:  # noqa: ANN401 - either request
    found = conditions.cryptographic(ctx, alias=names.named(ctx, req.key_id).alias, context=req.encryption_context)
    return {**found, "kms:DataKeyPairSpec": req.key_pair_spec}


def _audit(req: Any) -> Mapping[str, Any]:  # noqa: ANN401 - either request
    return without_blobs(
        keyId=req.key_id, keyPairSpec=req.key_pair_spec, encryptionContext=req.encryption_context, dryRun=req.dry_run
    )


def _kind(name: str) -> tuple[Spec, Callable[[bytes], bytes]]:
    """A spec, and how its private key is written. Raises UnsupportedOperationException."""
    spec = SPECS.get(name)
    if spec is None or spec.pkcs8 is None:
        raise errors.not_built("KeyPairSpec", name)
    return spec, spec.pkcs8


def _pair(ctx: Context, name: str) -> tuple[bytes, bytes]:
    """A new private key (PKCS #8, DER; of ML-KEM in seed format) and its public key (SubjectPublicKeyInfo, DER)."""
    spec, pkcs8 = _kind(name)
    secret = KEYMAKER.make(spec, ctx.random)
    pair = spec.load("", secret)
    if not isinstance(pair, KeyPair):
        raise errors.not_built("KeyPairSpec", name)
    return pkcs8(secret), pair.public()


def _slow(ctx: Context, req: Any) -> bool:  # noqa: ANN401 - either request
    """RSA keys take up to seconds to make, and custom key stores their time: beside the event loop."""
    spec = SPECS.get(req.key_pair_spec)
    return (spec is not None and spec.slow) or names.waits(ctx, req.key_id)


def _symmetric(key: LiveKey, operation_name: str) -> Material:
    return using.usable(key, operation_name, ENCRYPT, SYMMETRIC, Material)


def _attested_context(ctx: Context, req: api.GenerateDataKeyPairRequest) -> dict[str, Any]:
    return {**_context(ctx, req), **recipients.condition_keys(ctx, req.recipient)}


@operation("kms", resource=target, context=_attested_context, read=True, audit_request=_audit, beside=_slow)
@tracked
def generate_data_key_pair(ctx: Context, req: api.GenerateDataKeyPairRequest) -> api.GenerateDataKeyPairResponse:
    """Make a key pair; answer its private key in the clear and encrypted."""
    key = names.named(ctx, req.key_id).key
    material = _symmetric(key, "GenerateDataKeyPair")
    _kind(req.key_pair_spec)
    if req.dry_run:
        raise errors.dry_run()
    private, public = _pair(ctx, req.key_pair_spec)
    clear, sealed = recipients.answer(ctx, req.recipient, private)
    return api.GenerateDataKeyPairResponse(
        private_key_ciphertext_blob=material.encrypt(ctx.random, private, req.encryption_context),
        private_key_plaintext=clear,
        ciphertext_for_recipient=sealed,
        public_key=public,
        key_id=key.arn,
        key_pair_spec=req.key_pair_spec,
        key_material_id=material.id,
    )


@operation("kms", resource=target, context=_context, read=True, audit_request=_audit, beside=_slow)
@tracked
def generate_data_key_pair_without_plaintext(
    ctx: Context, req: api.GenerateDataKeyPairWithoutPlaintextRequest
) -> api.GenerateDataKeyPairWithoutPlaintextResponse:
    """Make a key pair; answer its private key encrypted only."""
    key = names.named(ctx, req.key_id).key
    material = _symmetric(key, "GenerateDataKeyPairWithoutPlaintext")
    _kind(req.key_pair_spec)
    if req.dry_run:
        raise errors.dry_run()
    private, public = _pair(ctx, req.key_pair_spec)
    return api.GenerateDataKeyPairWithoutPlaintextResponse(
        private_key_ciphertext_blob=material.encrypt(ctx.random, private, req.encryption_context),
        public_key=public,
        key_id=key.arn,
        key_pair_spec=req.key_pair_spec,
        key_material_id=material.id,
    )
