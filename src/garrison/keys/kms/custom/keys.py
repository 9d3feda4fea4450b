"""Keys in custom key stores: CreateKey's part of them, and how a call uses one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.ids import Random
from garrison.keys.hsm.agent import Agent, HsmError
from garrison.keys.kms import errors
from garrison.keys.kms.ciphertext import MATERIAL_BYTES
from garrison.keys.kms.custom import faults
from garrison.keys.kms.custom.operations import own_store, stores
from garrison.keys.kms.custom.stores import CLOUDHSM, CONNECTED, EXTERNAL, KeyStore
from garrison.keys.kms.names import caller_of
from garrison.keys.xks.client import ProxyError

_TOKEN_KEY = "kms:token-key"  # noqa: S105 - where the label of a new key waits for the handler
_GENERATOR = "kms:generator"


def in_store(req: api.CreateKeyRequest) -> bool:
    """Whether a key in a custom key store is asked for. Raises ValidationException, UnsupportedOperationException.

    Source: CreateKey, parameters CustomKeyStoreId, Origin, XksKeyId, KeySpec, MultiRegion.
    """
    origin = req.origin or "AWS_KMS"
    if origin not in {CLOUDHSM, EXTERNAL}:
        if req.custom_key_store_id is not None or req.xks_key_id is not None:
            raise errors.validation("CustomKeyStoreId and XksKeyId need the Origin AWS_CLOUDHSM or EXTERNAL_KEY_STORE.")
        return False
    if req.custom_key_store_id is None:
        raise errors.missing("customKeyStoreId")
    if (origin == EXTERNAL) != (req.xks_key_id is not None):
        if origin == EXTERNAL:
            raise errors.missing("xksKeyId")
        raise errors.validation("XksKeyId is valid only with the Origin EXTERNAL_KEY_STORE.")
    spec = req.key_spec or req.customer_master_key_spec or "SYMMETRIC_DEFAULT"
    if spec != "SYMMETRIC_DEFAULT":
        raise api.UnsupportedOperationException(f"KeySpec {spec} is not supported for custom key stores")
    if req.multi_region:
        raise api.UnsupportedOperationException("Multi-Region keys are not supported for custom key stores")
    return True


def prepared(ctx: Context, req: api.CreateKeyRequest) -> Callable[[], bytes]:
    """What CreateKey needs from the other side: the external key proven, or a key made in the token. Answers KMS's own material.

    Raises CustomKeyStoreNotFoundException, CustomKeyStoreInvalidStateException, XksKeyAlreadyInUseException.
    """
    store = _connected(ctx, req)
    if store.type == EXTERNAL:
        _must_be_unused(ctx, store, req.xks_key_id or "")
        return partial(_vouched, ctx, store, req.xks_key_id or "")
    label = ctx.scratch[_TOKEN_KEY] = f"garrison-{ctx.uuid()}"
    return partial(_made, stores(ctx).agent(store), label, ctx.random)


def bind(ctx: Context, req: api.CreateKeyRequest, key_id: str) -> None:
    """Tie a new key's row to its other side."""
    store = _connected(ctx, req)
    outer_id = ctx.scratch.get(_TOKEN_KEY) or req.xks_key_id or ""
    _must_be_unused(ctx, store, outer_id)
    ctx.tx.run("UPDATE kms_key SET origin = ? WHERE region = ? AND key_id = ?", store.type, ctx.region, key_id)
    ctx.tx.run(
        "INSERT INTO kms_store_key (region, key_id, store_id, outer_id) VALUES (?, ?, ?, ?)",
        ctx.region,
        key_id,
        store.store_id,
        outer_id,
    )


def _connected(ctx: Context, req: api.CreateKeyRequest) -> KeyStore:
    store = own_store(ctx, req.custom_key_store_id or "")
    if store.type != req.origin:
        raise errors.validation(
            f"The custom key store {store.store_id} is of type {store.type}, which is not the Origin of the key."
        )
    if store.state != CONNECTED:
        text = faults.NOT_CONNECTED if store.type == EXTERNAL else ""
        raise api.CustomKeyStoreInvalidStateException(text)
    return store


def _must_be_unused(ctx: Context, store: KeyStore, outer_id: str) -> None:
    row = ctx.tx.one(
        "SELECT 1 FROM kms_store_key WHERE region = ? AND store_id = ? AND outer_id = ?", store.region, store.store_id, outer_id
    )
    if row is not None:
        raise api.XksKeyAlreadyInUseException("")


def _vouched(ctx: Context, store: KeyStore, xks_key_id: str) -> bytes:
    asked = {name: value for name, value in caller_of(ctx, "").items() if name != "kmsKeyArn"}
    try:
        usable = stores(ctx).client.usable(store.proxy, xks_key_id, asked)
    except ProxyError as error:
        raise faults.of_new_key(error.kind) from None
    if not usable:
        raise api.XksKeyInvalidConfigurationException("")
    return ctx.random(MATERIAL_BYTES)


def _made(agent: Agent, label: str, random: Random) -> bytes:
    try:
        agent.make_key(label)
    except HsmError as error:
        raise faults.of_hsm(error.kind) from None
    return random(MATERIAL_BYTES)


# GenerateRandom


def ready_to_give(ctx: Context, store_id: str) -> bool:
    """Find the HSM that is to give random bytes. Answers True: what follows waits for it.

    Raises CustomKeyStoreNotFoundException, CustomKeyStoreInvalidStateException; UnsupportedOperationException for a store without
    an HSM. Source: GenerateRandom, parameter CustomKeyStoreId.
    """
    store = own_store(ctx, store_id)
    if store.type != CLOUDHSM:
        raise api.UnsupportedOperationException("External key stores do not generate random byte strings.")
    if store.state != CONNECTED:
        raise api.CustomKeyStoreInvalidStateException("")
    ctx.scratch[_GENERATOR] = stores(ctx).agent(store)
    return True


def random(ctx: Context, length: int) -> bytes:
    """Random bytes of the HSM that :func:`ready_to_give` found. Beside the loop."""
    agent: Agent = ctx.scratch[_GENERATOR]
    try:
        return agent.random(length)
    except HsmError as error:
        raise faults.of_hsm(error.kind) from None
