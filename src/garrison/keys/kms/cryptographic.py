"""Encrypt, Decrypt, ReEncrypt: the key never leaves, and a ciphertext names the key that made it.

A caller who may not use a ciphertext's key learns nothing of it: a key of another account, one that does not exist and one that
is refused are answered alike. A ciphertext of the right form is looked into only after the key's policy allowed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.operation import Check, Target, operation
from garrison.keys.kms import conditions, errors, grant_tokens, names, recipients, using
from garrison.keys.kms.algorithms.base import Decrypter, Refused, Secret
from garrison.keys.kms.algorithms.rsa import most_plaintext
from garrison.keys.kms.ciphertext import Material, Unreadable, material_id_of
from garrison.keys.kms.conditions import SYMMETRIC
from garrison.keys.kms.live import LiveKey
from garrison.keys.kms.specs import ENCRYPT, SPECS
from garrison.keys.kms.usage import tracked

IGNORE_CIPHERTEXT = "IGNORE_CIPHERTEXT"


def without_blobs(**members: Any) -> Mapping[str, Any]:  # noqa: ANN401 - members are of any type
    """What CloudTrail keeps of a cryptographic request: everything but the bytes, by the model's names."""
    return {name: value for name, value in members.items() if value is not None}


# Encrypt


def _encrypting(ctx: Context, req: api.EncryptRequest) -> Target:
    return names.named(ctx, req.key_id, tokens=req.grant_tokens).target


def _encrypt_context(ctx: Context, req: api.EncryptRequest) -> dict[str, Any]:
    return conditions.cryptographic(
        ctx,
        alias=names.named(ctx, req.key_id).alias,
        context=req.encryption_context,
        algorithm=req.encryption_algorithm or SYMMETRIC,
    )


def _encrypt_audit(req: api.EncryptRequest) -> Mapping[str, Any]:
    return without_blobs(
        keyId=req.key_id,
        encryptionAlgorithm=req.encryption_algorithm or SYMMETRIC,
        encryptionContext=req.encryption_context,
        dryRun=req.dry_run,
    )


def _encrypt_waits(ctx: Context, req: api.EncryptRequest) -> bool:
    return names.waits(ctx, req.key_id)


@operation("kms", resource=_encrypting, context=_encrypt_context, read=True, audit_request=_encrypt_audit, beside=_encrypt_waits)
@tracked
def encrypt(ctx: Context, req: api.EncryptRequest) -> api.EncryptResponse:
    """Encrypt up to 4,096 bytes under a key, bound to an encryption context."""
    key = names.named(ctx, req.key_id).key
    algorithm = req.encryption_algorithm or SYMMETRIC
    material = _encrypting_material(key, "Encrypt", algorithm, req.plaintext, req.encryption_context)
    if req.dry_run:
        raise errors.dry_run()
    blob = _encrypted(ctx, material, algorithm, req.plaintext, req.encryption_context)
    return api.EncryptResponse(ciphertext_blob=blob, key_id=key.arn, encryption_algorithm=algorithm)


def _encrypting_material(
    key: LiveKey, operation: str, algorithm: str, plaintext: bytes, context: Mapping[str, str] | None
) -> Secret:
    """The material to encrypt with.

    Raises DisabledException, KMSInvalidStateException, InvalidKeyUsageException, and ValidationException for what this algorithm
    cannot do: more than its padding leaves room for, or an encryption context.
    """
    material = using.usable(key, operation, ENCRYPT, algorithm, Secret)
    if algorithm == SYMMETRIC:
        return material
    if context:
        raise errors.context_with_asymmetric(key.spec)
    most = most_plaintext(algorithm, SPECS[key.spec].bits)
    if len(plaintext) > most:
        raise errors.plaintext_too_long(algorithm, key.spec, most)
    return material


def _encrypted(ctx: Context, material: Secret, algorithm: str, plaintext: bytes, context: Mapping[str, str] | None) -> bytes:
    if isinstance(material, Material):
        return material.encrypt(ctx.random, plaintext, context)
    if not isinstance(material, Decrypter):
        msg = f"material that does not encrypt: {material!r}"
        raise TypeError(msg)
    return material.encrypt(algorithm, plaintext)


# The key of a ciphertext


def _source(ctx: Context, action: str, key_id: str | None, blob: bytes | None) -> names.Named:
    """The key that a request decrypts with: the one it names, else the one its ciphertext names.

    Raises InvalidCiphertextException where there is neither, AccessDeniedException where the ciphertext's key is not here.
    """
    if key_id is not None:
        return names.named(ctx, key_id)
    if blob is None:
        raise errors.missing("ciphertextBlob")
    found: names.Named | None = ctx.scratch.get("kms:source")
    if found is None:
        found = ctx.scratch["kms:source"] = _of_ciphertext(ctx, action, blob)
    return found


def _of_ciphertext(ctx: Context, action: str, blob: bytes) -> names.Named:
    try:
        material_id = material_id_of(blob)
    except Unreadable:
        raise errors.unreadable() from None
    key = names.live_keys(ctx).find_by_material(ctx.tx, ctx.region, material_id)
    if key is None:
        raise CommonError("access_denied", names.unknown_ciphertext(ctx.principal, action))
    return names.Named(names.target_of(ctx, key, ciphertext=True), names.bound(ctx, key), "")


def _decrypted(
    key: LiveKey, algorithm: str, blob: bytes | None, context: Mapping[str, str] | None, *, by_name: bool
) -> tuple[bytes, str | None]:
    """The plaintext of a ciphertext of ``key``, and the id of the material that made it (None of an asymmetric key).

    Raises InvalidCiphertextException, InvalidKeyUsageException; IncorrectKeyException where the caller named (``by_name``)
    another key.
    """
    if blob is None:
        raise errors.missing("ciphertextBlob")
    try:
        if algorithm == SYMMETRIC:
            # What is no symmetric ciphertext is refused as such before the key's spec is looked at, as AWS does.
            material_id = material_id_of(blob)
            using.must_have_algorithm(key, algorithm)
            return _opened(key, material_id, blob, context, by_name=by_name), material_id
        using.must_have_algorithm(key, algorithm)
        if context:
            raise errors.context_with_asymmetric(key.spec)
        if not isinstance(key.current, Decrypter):
            raise errors.pending_import(key.arn)
        return key.current.decrypt(algorithm, blob), None
    except (Unreadable, Refused):
        raise errors.unreadable() from None


def _opened(key: LiveKey, material_id: str, blob: bytes, context: Mapping[str, str] | None, *, by_name: bool) -> bytes:
    material = key.materials.get(material_id)
    if not isinstance(material, Material):
        raise errors.incorrect_key() if by_name else errors.unreadable()
    return material.decrypt(blob, context)


# Decrypt


def _decrypting(ctx: Context, req: api.DecryptRequest) -> Target:
    grant_tokens.honour(ctx, req.grant_tokens)
    return _source(ctx, "kms:Decrypt", req.key_id, req.ciphertext_blob).target


def _decrypt_context(ctx: Context, req: api.DecryptRequest) -> dict[str, Any]:
    found = conditions.cryptographic(
        ctx,
        alias=_source(ctx, "kms:Decrypt", req.key_id, req.ciphertext_blob).alias,
        context=req.encryption_context,
        algorithm=req.encryption_algorithm or SYMMETRIC,
    )
    return {**found, **recipients.condition_keys(ctx, req.recipient)} if req.recipient is not None else found


def _decrypt_audit(req: api.DecryptRequest) -> Mapping[str, Any]:
    return without_blobs(
        keyId=req.key_id,
        encryptionAlgorithm=req.encryption_algorithm or SYMMETRIC,
        encryptionContext=req.encryption_context,
        dryRun=req.dry_run,
    )


def _decrypt_waits(ctx: Context, req: api.DecryptRequest) -> bool:
    found = _source(ctx, "kms:Decrypt", req.key_id, req.ciphertext_blob).found
    return found is not None and found.custody is not None


@operation("kms", resource=_decrypting, context=_decrypt_context, read=True, audit_request=_decrypt_audit, beside=_decrypt_waits)
@tracked
def decrypt(ctx: Context, req: api.DecryptRequest) -> api.DecryptResponse:
    """Decrypt what a key encrypted, under exactly the encryption context that it was encrypted with."""
    grant_tokens.must_be_good(ctx)
    key = _source(ctx, "kms:Decrypt", req.key_id, req.ciphertext_blob).key
    algorithm = req.encryption_algorithm or SYMMETRIC
    using.must_have_usage(key, "Decrypt", ENCRYPT)
    if req.dry_run and IGNORE_CIPHERTEXT in (req.dry_run_modifiers or ()):
        raise errors.dry_run()
    plaintext, material_id = _decrypted(
        key, algorithm, req.ciphertext_blob, req.encryption_context, by_name=req.key_id is not None
    )
    if req.dry_run:
        raise errors.dry_run()
    clear, sealed = recipients.answer(ctx, req.recipient, plaintext)
    return api.DecryptResponse(
        key_id=key.arn,
        plaintext=clear,
        ciphertext_for_recipient=sealed,
        encryption_algorithm=algorithm,
        key_material_id=material_id,
    )


# ReEncrypt


def _from(ctx: Context, req: api.ReEncryptRequest) -> names.Named:
    return _source(ctx, "kms:ReEncryptFrom", req.source_key_id, req.ciphertext_blob)


def _from_target(ctx: Context, req: api.ReEncryptRequest) -> Target:
    grant_tokens.honour(ctx, req.grant_tokens)
    return _from(ctx, req).target


def _on_same_key(ctx: Context, req: api.ReEncryptRequest) -> bool:
    source, destination = _from(ctx, req).found, names.named(ctx, req.destination_key_id).found
    return source is not None and destination is not None and source.arn == destination.arn


def _from_context(ctx: Context, req: api.ReEncryptRequest) -> dict[str, Any]:
    found = conditions.cryptographic(
        ctx,
        alias=_from(ctx, req).alias,
        context=req.source_encryption_context,
        algorithm=req.source_encryption_algorithm or SYMMETRIC,
    )
    found["kms:ReEncryptOnSameKey"] = _on_same_key(ctx, req)
    return found


def _to(ctx: Context, req: api.ReEncryptRequest) -> Sequence[Check]:
    named = names.named(ctx, req.destination_key_id)
    keys = conditions.cryptographic(
        ctx,
        alias=named.alias,
        context=req.destination_encryption_context,
        algorithm=req.destination_encryption_algorithm or SYMMETRIC,
    )
    keys["kms:ReEncryptOnSameKey"] = _on_same_key(ctx, req)
    return (Check("kms:ReEncryptTo", named.target, keys),)


def _re_encrypt_audit(req: api.ReEncryptRequest) -> Mapping[str, Any]:
    return without_blobs(
        sourceKeyId=req.source_key_id,
        sourceEncryptionAlgorithm=req.source_encryption_algorithm or SYMMETRIC,
        sourceEncryptionContext=req.source_encryption_context,
        destinationKeyId=req.destination_key_id,
        destinationEncryptionAlgorithm=req.destination_encryption_algorithm or SYMMETRIC,
        destinationEncryptionContext=req.destination_encryption_context,
        dryRun=req.dry_run,
    )


def _re_encrypt_waits(ctx: Context, req: api.ReEncryptRequest) -> bool:
    found = _from(ctx, req).found
    return (found is not None and found.custody is not None) or names.waits(ctx, req.destination_key_id)


@operation(
    "kms",
    action="kms:ReEncryptFrom",
    resource=_from_target,
    context=_from_context,
    checks=_to,
    read=True,
    audit_request=_re_encrypt_audit,
    beside=_re_encrypt_waits,
)
@tracked
def re_encrypt(ctx: Context, req: api.ReEncryptRequest) -> api.ReEncryptResponse:
    """Decrypt under one key and encrypt under another; the plaintext stays inside."""
    grant_tokens.must_be_good(ctx)
    source, destination = _from(ctx, req).key, names.named(ctx, req.destination_key_id).key
    source_algorithm = req.source_encryption_algorithm or SYMMETRIC
    algorithm = req.destination_encryption_algorithm or SYMMETRIC
    using.must_have_usage(source, "ReEncryptFrom", ENCRYPT)
    using.usable(destination, "ReEncryptTo", ENCRYPT, algorithm, Secret)
    if req.dry_run and IGNORE_CIPHERTEXT in (req.dry_run_modifiers or ()):
        raise errors.dry_run()
    plaintext, material_id = _decrypted(
        source,
        source_algorithm,
        req.ciphertext_blob,
        req.source_encryption_context,
        by_name=req.source_key_id is not None,
    )
    target = _encrypting_material(destination, "ReEncryptTo", algorithm, plaintext, req.destination_encryption_context)
    if req.dry_run:
        raise errors.dry_run()
    return api.ReEncryptResponse(
        ciphertext_blob=_encrypted(ctx, target, algorithm, plaintext, req.destination_encryption_context),
        source_key_id=source.arn,
        key_id=destination.arn,
        source_encryption_algorithm=source_algorithm,
        destination_encryption_algorithm=algorithm,
        source_key_material_id=material_id,
        destination_key_material_id=target.id if isinstance(target, Material) else None,
    )
