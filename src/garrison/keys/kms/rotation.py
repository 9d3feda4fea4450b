"""Rotation of key material: none yet, and GetKeyRotationStatus says so."""

from __future__ import annotations

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import Target, operation
from garrison.keys.kms import names
from garrison.keys.kms.lifecycle import caller


def _named(ctx: Context, req: api.GetKeyRotationStatusRequest) -> names.Named:
    """The key, of this account or another; alias names are not taken."""
    return names.named(ctx, req.key_id, aliases=False)


def _target(ctx: Context, req: api.GetKeyRotationStatusRequest) -> Target:
    return _named(ctx, req).target


@operation("kms", resource=_target, context=caller, read=True)
def get_key_rotation_status(ctx: Context, req: api.GetKeyRotationStatusRequest) -> api.GetKeyRotationStatusResponse:
    """Tell whether a key's material is rotated automatically: it is not."""
    key = _named(ctx, req).key
    return api.GetKeyRotationStatusResponse(key_id=key.arn, key_rotation_enabled=False)
