"""GenerateMac, VerifyMac."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.keys.kms import errors, names, using
from garrison.keys.kms.algorithms.base import Refused
from garrison.keys.kms.algorithms.mac import MacKey
from garrison.keys.kms.asymmetric import caller_and_alias, target
from garrison.keys.kms.cryptographic import without_blobs
from garrison.keys.kms.specs import MAC
from garrison.keys.kms.usage import tracked


def _context(ctx: Context, req: Any) -> dict[str, Any]:  # noqa: ANN401 - either request
    return {**caller_and_alias(ctx, req), "kms:MacAlgorithm": req.mac_algorithm}


def _audit(req: Any) -> Mapping[str, Any]:  # noqa: ANN401 - either request
    return without_blobs(keyId=req.key_id, macAlgorithm=req.mac_algorithm, dryRun=req.dry_run)


@operation("kms", resource=target, context=_context, read=True, audit_request=_audit)
@tracked
def generate_mac(ctx: Context, req: api.GenerateMacRequest) -> api.GenerateMacResponse:
    """Authenticate a message of up to 4,096 bytes."""
    key = names.named(ctx, req.key_id).key
    secret = using.usable(key, "GenerateMac", MAC, req.mac_algorithm, MacKey)
    if req.dry_run:
        raise errors.dry_run()
    mac = secret.generate(req.mac_algorithm, req.message)
    return api.GenerateMacResponse(mac=mac, mac_algorithm=req.mac_algorithm, key_id=key.arn)


@operation("kms", resource=target, context=_context, read=True, audit_request=_audit)
@tracked
def verify_mac(ctx: Context, req: api.VerifyMacRequest) -> api.VerifyMacResponse:
    """Say that a MAC is the message's; one that is not raises KMSInvalidMacException."""
    key = names.named(ctx, req.key_id).key
    secret = using.usable(key, "VerifyMac", MAC, req.mac_algorithm, MacKey)
    try:
        secret.verify(req.mac_algorithm, req.message, req.mac)
    except Refused:
        raise errors.bad_mac() from None
    if req.dry_run:
        raise errors.dry_run()
    return api.VerifyMacResponse(key_id=key.arn, mac_valid=True, mac_algorithm=req.mac_algorithm)
