"""The condition keys of a KMS call.

Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Key Management Service".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from garrison.api import kms as api
from garrison.core.context import Context

if TYPE_CHECKING:
    from garrison.keys.kms.live import LiveKey

SYMMETRIC = "SYMMETRIC_DEFAULT"


def caller(ctx: Context) -> dict[str, Any]:
    """What every operation on a key or alias carries; ``kms:ViaService`` where a service calls on the principal's behalf."""
    found: dict[str, Any] = {"kms:CallerAccount": ctx.principal.account}
    if ctx.call.via:
        found["kms:ViaService"] = f"{ctx.call.via}.{ctx.region}.amazonaws.com"
    return found


def unused(ctx: Context, key: LiveKey | None, last_use: float | None) -> dict[str, Any]:
    """``kms:TrailingDaysWithoutKeyUsage``: whole days since a key was last used, or made where it never was."""
    if key is None:
        return {}
    since = max(key.created_at, last_use or 0.0)
    return {"kms:TrailingDaysWithoutKeyUsage": max(0, int((ctx.now - since) // 86_400))}


def managing_grants(ctx: Context) -> dict[str, Any]:
    """What CreateGrant, ListGrants and RevokeGrant carry: whether a service calls for a resource of its own."""
    return {**caller(ctx), "kms:GrantIsForAWSResource": bool(ctx.call.via)}


def cryptographic(
    ctx: Context,
    *,
    alias: str = "",
    context: Mapping[str, str] | None = None,
    algorithm: str | None = SYMMETRIC,
) -> dict[str, Any]:
    """Caller, alias, algorithm and encryption context. ``algorithm`` None where the operation has none."""
    found = caller(ctx)
    if alias:
        found["kms:RequestAlias"] = alias
    if algorithm is not None:
        found["kms:EncryptionAlgorithm"] = algorithm
    found.update(encryption_context(context))
    return found


def encryption_context(context: Mapping[str, str] | None) -> dict[str, Any]:
    """``kms:EncryptionContext:…`` and ``kms:EncryptionContextKeys``; nothing without a context."""
    return {"kms:EncryptionContextKeys": tuple(context), **_pairs(context)} if context else {}


def request_tags(tags: Sequence[api.Tag] | None) -> dict[str, Any]:
    """The tags of a request: ``aws:RequestTag/…`` and ``aws:TagKeys``."""
    if not tags:
        return {}
    found: dict[str, Any] = {f"aws:RequestTag/{tag.tag_key}": tag.tag_value for tag in tags}
    found["aws:TagKeys"] = tuple(tag.tag_key for tag in tags)
    return found


def _pairs(context: Mapping[str, str]) -> dict[str, Any]:
    """``kms:EncryptionContext:key`` for each pair.

    Condition keys have no case and context keys have one. Where two differ by nothing else, the condition key has both values,
    which no single-valued test accepts: a second spelling cannot pass in the place of the first.
    """
    found: dict[str, Any] = {}
    for key, value in context.items():
        name = f"kms:EncryptionContext:{key}".lower()
        found[name] = (*_values(found[name]), value) if name in found else value
    return found


def _values(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - one text or several
    return (value,) if isinstance(value, str) else tuple(value)
