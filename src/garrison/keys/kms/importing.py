"""Imported key material: parameters for it, the import itself, deletion and expiry.

The id of imported material follows from the key and the bytes, so that the same material is recognized when it comes again.
Sources: KMS API Reference, "GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial"; KMS Developer Guide,
"Importing key material for AWS KMS keys".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from garrison.api import kms as api
from garrison.audit import Recorder
from garrison.core.clock import iso8601
from garrison.core.context import Context
from garrison.core.ids import Random, system_random
from garrison.core.operation import PREPARED, operation
from garrison.core.ports import Transaction
from garrison.keys.kms import conditions, errors, items, materials, names, states, wrapping
from garrison.keys.kms.algorithms.rsa import RsaKey
from garrison.keys.kms.cryptographic import without_blobs
from garrison.keys.kms.keymaker import KEYMAKER
from garrison.keys.kms.lifecycle import caller, own_key
from garrison.keys.kms.live import LiveKey, LiveKeys
from garrison.keys.kms.rotation import related
from garrison.keys.kms.service_events import service_event
from garrison.keys.kms.specs import SPECS as KEY_SPECS
from garrison.store import Store

NEW, EXISTING = "NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"
EXPIRES, STAYS = "KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"
_YEAR = 365 * 86_400
_HOUR = 3600
_MATERIAL_ID = "kms-imported-material-id"


def _must_take_material(key: LiveKey) -> None:
    """Raises UnsupportedOperationException for a key that makes its material itself, or keeps it elsewhere."""
    if key.origin != "EXTERNAL":
        raise errors.wrong_origin(key.arn, key.origin)


# GetParametersForImport


def _wrapping(ctx: Context, req: api.GetParametersForImportRequest) -> dict[str, Any]:
    return {
        **conditions.caller(ctx),
        "kms:WrappingAlgorithm": req.wrapping_algorithm,
        "kms:WrappingKeySpec": req.wrapping_key_spec,
    }


def _long(_ctx: Context, _req: api.GetParametersForImportRequest) -> bool:
    """An RSA key is made."""
    return True


@operation("kms", resource=own_key, context=_wrapping, read=True, beside=_long)
def get_parameters_for_import(ctx: Context, req: api.GetParametersForImportRequest) -> api.GetParametersForImportResponse:
    """Make a wrapping key for material that is to come, good for 24 hours."""
    key = names.own(ctx, req.key_id).key
    _must_take_material(key)
    states.check("GetParametersForImport", key)
    if req.wrapping_key_spec not in wrapping.SPECS:
        raise errors.not_built("WrappingKeySpec", req.wrapping_key_spec)
    if not wrapping.fits(req.wrapping_algorithm, req.wrapping_key_spec, key.spec):
        raise errors.wrapping(req.wrapping_algorithm, req.wrapping_key_spec, key.spec)
    private = KEYMAKER.make(KEY_SPECS[req.wrapping_key_spec], ctx.random)
    public = RsaKey("", private).public()
    until = float(int(ctx.now) + wrapping.HOURS * _HOUR)
    token = wrapping.Token(key.region, key.key_id, req.wrapping_algorithm, until, private)
    return api.GetParametersForImportResponse(
        key_id=key.arn, import_token=wrapping.seal(ctx.ports.sealer, token), public_key=public, parameters_valid_to=until
    )


# ImportKeyMaterial


def _expiry(ctx: Context, req: api.ImportKeyMaterialRequest) -> dict[str, Any]:
    found = {**conditions.caller(ctx), "kms:ExpirationModel": req.expiration_model or EXPIRES}
    if req.valid_to is not None:
        found["kms:ValidTo"] = iso8601(req.valid_to)
    return found


def _audit(req: api.ImportKeyMaterialRequest) -> Mapping[str, Any]:
    return without_blobs(
        keyId=req.key_id,
        validTo=req.valid_to,
        expirationModel=req.expiration_model,
        importType=req.import_type,
        keyMaterialDescription=req.key_material_description,
        keyMaterialId=req.key_material_id,
    )


def _slow_to_unwrap(ctx: Context, req: api.ImportKeyMaterialRequest) -> Callable[[], bytes]:
    """Beside the loop, before the transaction: RSA unwraps in milliseconds, its primes are proven in up to 250."""
    key = names.own(ctx, req.key_id).key
    _importable(ctx, key, req)
    return partial(_unwrapped, ctx, key, req)


def _importable(ctx: Context, key: LiveKey, req: api.ImportKeyMaterialRequest) -> float | None:
    """When the material would expire. Raises what the request or the key's state has against it."""
    _must_take_material(key)
    states.check("ImportKeyMaterial", key)
    valid_to = _valid_to(ctx, req)
    _must_be_for_symmetric(key, req)
    return valid_to


@operation("kms", resource=own_key, context=_expiry, audit_request=_audit, prepare=_slow_to_unwrap)
def import_key_material(ctx: Context, req: api.ImportKeyMaterialRequest) -> api.ImportKeyMaterialResponse:
    """Give a key the material that its owner made: the first, the same again, or new material for a rotation on demand."""
    key = names.locked(ctx, req.key_id)
    valid_to = _importable(ctx, key, req)
    secret: bytes = ctx.scratch[PREPARED]
    material_id = _id_of(ctx, key, secret)
    if req.key_material_id not in {None, material_id}:
        raise errors.not_the_material("it is not that of the KeyMaterialId")
    row = _place(ctx, key, req, material_id)
    if req.key_material_description is not None:
        row = row._replace(description=req.key_material_description)
    _keep(ctx, key, row._replace(present=True, valid_to=valid_to), secret)
    return api.ImportKeyMaterialResponse(key_id=key.arn, key_material_id=material_id)


def _valid_to(ctx: Context, req: api.ImportKeyMaterialRequest) -> float | None:
    """When the material expires. Raises ValidationException."""
    if (req.expiration_model or EXPIRES) == STAYS:
        if req.valid_to is not None:
            raise errors.valid_to_not_taken()
        return None
    if req.valid_to is None:
        raise errors.valid_to_needed()
    if not ctx.now < req.valid_to <= ctx.now + _YEAR:
        raise errors.valid_to_range()
    return req.valid_to


def _must_be_for_symmetric(key: LiveKey, req: api.ImportKeyMaterialRequest) -> None:
    if req.import_type == NEW and req.key_material_id is not None:
        raise errors.material_id_with_new()
    if key.spec == conditions.SYMMETRIC:
        return
    given = {
        "ImportType": req.import_type,
        "KeyMaterialDescription": req.key_material_description,
        "KeyMaterialId": req.key_material_id,
    }
    for member, value in given.items():
        if value is not None:
            raise errors.import_for_symmetric(member)


def _unwrapped(ctx: Context, key: LiveKey, req: api.ImportKeyMaterialRequest) -> bytes:
    """The material, as the key keeps it.

    Raises InvalidImportTokenException, ExpiredImportTokenException, InvalidCiphertextException, IncorrectKeyMaterialException.
    """
    try:
        token = wrapping.unseal(ctx.ports.sealer, req.import_token)
    except ValueError:
        raise errors.import_token() from None
    if (token.region, token.key_id) != (key.region, key.key_id):
        raise errors.import_token()
    if token.expires_at <= ctx.now:
        raise errors.import_token_expired()
    try:
        return wrapping.canonical(key.spec, wrapping.unwrap(token, req.encrypted_key_material))
    except wrapping.Unwrappable:
        raise errors.unreadable() from None
    except wrapping.Unfit as error:
        raise errors.not_the_material(str(error)) from None


def _id_of(ctx: Context, key: LiveKey, secret: bytes) -> str:
    """Of key id and material, and so the same in every Region of a multi-Region key; keyed, so that it tells nothing."""
    return ctx.ports.sealer.mac(_MATERIAL_ID, key.key_id.encode() + b"/" + secret).hex()


def _place(ctx: Context, key: LiveKey, req: api.ImportKeyMaterialRequest, material_id: str) -> materials.Row:
    """The row that the material is to have. Raises IncorrectKeyMaterialException where it is not what was announced."""
    rows = materials.rows(ctx.tx, key.region, key.key_id)
    known = next((row for row in rows if row.material_id == material_id), None)
    kind = req.import_type or (EXISTING if rows else NEW)
    if kind == EXISTING:
        if known is None:
            raise errors.not_the_material("it is not material that was imported into this key before")
        return known
    if key.multi_region and not key.is_primary:
        raise errors.new_in_replica(key.arn)
    if known is not None:
        raise errors.not_the_material("it was imported into this key before")
    if any(row.state not in materials.OWNED for row in rows):
        raise errors.not_the_material("other new material waits for its rotation")
    state = materials.CURRENT if not rows else materials.PENDING_ROTATION
    number = 1 + max((row.number for row in rows), default=0)
    return materials.Row(material_id, number, state, ctx.now, None, "", present=False, valid_to=None, description="")


def _keep(ctx: Context, key: LiveKey, row: materials.Row, secret: bytes) -> None:
    """Write the material; announce new material to the replicas; let the key be used where nothing is missing any more."""
    tx, live = ctx.tx, names.live_keys(ctx)
    tx.run("DELETE FROM kms_material WHERE region = ? AND material_id = ?", key.region, row.material_id)
    tx.run("DELETE FROM kms_destroyed WHERE region = ? AND material_id = ?", key.region, row.material_id)
    materials.add(tx, key.region, key.key_id, row, live.seal(key.region, key.key_id, row.material_id, secret))
    for region in related(key):
        if all(other.material_id != row.material_id for other in materials.rows(tx, region, key.key_id)):
            materials.add(tx, region, key.key_id, row._replace(present=False, valid_to=None), b"")
        if row.state == materials.CURRENT:
            tx.run("UPDATE kms_key SET material_id = ? WHERE region = ? AND key_id = ?", row.material_id, region, key.key_id)
    _settle_pending(tx, key, row.material_id)
    for region in related(key):
        _settle_state(tx, region, key.key_id)
        items.changed(ctx, region, key.key_id)


def _settle_pending(tx: Transaction, key: LiveKey, material_id: str) -> None:
    """New material can be rotated to once it is in every Region of its key."""
    found = [row for region in related(key) for row in materials.rows(tx, region, key.key_id) if row.material_id == material_id]
    if any(row.state in materials.OWNED for row in found):
        return
    state = materials.PENDING_ROTATION if all(row.present for row in found) else materials.PENDING_REPLICAS
    for region in related(key):
        tx.run("UPDATE kms_material SET state = ? WHERE region = ? AND material_id = ?", state, region, material_id)


def _settle_state(tx: Transaction, region: str, key_id: str) -> None:
    """PendingImport where material that belongs to the key is missing, Enabled again where none is."""
    row = tx.one("SELECT state FROM kms_key WHERE region = ? AND key_id = ?", region, key_id)
    state = str(row[0]) if row is not None else ""
    owned = [one for one in materials.rows(tx, region, key_id) if one.state in materials.OWNED]
    whole = bool(owned) and all(one.present for one in owned)
    new = state
    if not whole and state in {states.ENABLED, states.DISABLED}:
        new = states.PENDING_IMPORT
    elif whole and state == states.PENDING_IMPORT:
        new = states.ENABLED
    if new != state:
        tx.run("UPDATE kms_key SET state = ? WHERE region = ? AND key_id = ?", new, region, key_id)
    tx.changed("kms-key", f"{region}/{key_id}")


# DeleteImportedKeyMaterial, and expiry


@operation("kms", resource=own_key, context=caller)
def delete_imported_key_material(
    ctx: Context, req: api.DeleteImportedKeyMaterialRequest
) -> api.DeleteImportedKeyMaterialResponse:
    """Take a key's material away; it can be imported again. Without an id: the current material."""
    key = names.locked(ctx, req.key_id)
    _must_take_material(key)
    states.check("DeleteImportedKeyMaterial", key)
    rows = materials.rows(ctx.tx, key.region, key.key_id)
    if req.key_material_id is None:
        row = next((one for one in rows if one.state == materials.CURRENT), None)
    else:
        row = next((one for one in rows if one.material_id == req.key_material_id), None)
        if row is None:
            raise errors.no_such_material(req.key_material_id, key.arn)
    if row is not None:
        _take_away(ctx.tx, key, row, ctx.now)
        for region in related(key):
            items.changed(ctx, region, key.key_id)
    return api.DeleteImportedKeyMaterialResponse(key_id=key.arn, key_material_id=None if row is None else row.material_id)


def _take_away(tx: Transaction, key: LiveKey, row: materials.Row, now: float) -> None:
    """Destroy one material; with what waits in a primary key goes what waits in its replicas."""
    everywhere = row.state not in materials.OWNED and key.is_primary
    for region in related(key) if everywhere else (key.region,):
        for one in materials.rows(tx, region, key.key_id):
            if one.material_id == row.material_id:
                materials.destroy(tx, region, key.key_id, one if everywhere else _kept(one, key), now)
        _settle_state(tx, region, key.key_id)
    if not everywhere and row.state not in materials.OWNED:
        _settle_pending(tx, key, row.material_id)


def _kept(row: materials.Row, key: LiveKey) -> materials.Row:
    """In a replica, material that waits stays known: the primary key still has it."""
    replica = key.multi_region and not key.is_primary
    return row._replace(state=materials.NON_CURRENT) if replica and row.state not in materials.OWNED else row


_EXPIRED = "SELECT region, key_id, material_id FROM kms_material WHERE valid_to <= ? AND present = 1 ORDER BY valid_to LIMIT 100"


def due_expirations(store: Store, recorder: Recorder, keys: LiveKeys, now: float, *, random: Random = system_random) -> int:
    """Destroy imported material that has expired; how much. Each is committed with its event. Raises StoreUnavailable."""
    rows = store.reading().all(_EXPIRED, now)
    for region, key_id, material_id in rows:
        with store.writing() as tx:
            key = keys.reread(tx, region, key_id)
            found = [row for row in materials.rows(tx, region, key_id) if row.material_id == material_id] if key else []
            if key is None or not found or found[0].valid_to is None or found[0].valid_to > now:
                continue
            _take_away(tx, key, found[0], now)
            after = keys.find(tx, region, key_id)
            if after is not None:
                details = {"keyId": key_id, "keyMaterialId": material_id}
                event = service_event("DeleteExpiredKeyMaterial", items.item(after), now, random, details=details)
                recorder.write(event, None, items.everywhere(tx, keys, related(key), key_id))
        recorder.flush()
    return len(rows)
